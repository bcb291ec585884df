"""The keys of a venue: builds transactions, signs what a plan allows, sends it, and sees what became of it."""

import base64
from functools import lru_cache
from typing import Final

from solders.instruction import Instruction
from solders.signature import Signature as RawSignature

from countermand.kernel.ports import Unavailable
from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.deposits import account_seed, deposit_message
from countermand.services.custody.instructions import (
    UNIT_PRICE_MICROLAMPORTS,
    always_rejected,
    compile_message,
    fails_at_close,
    key,
    order_account,
)
from countermand.services.custody.moves import own_account, return_instructions, sweep_instructions
from countermand.services.custody.plans import Fund, SigningPlan, Swap
from countermand.services.custody.signer import Signer
from countermand.services.custody.vaults import VaultKeys
from countermand.services.custody.withdrawals import WithdrawalLayout
from countermand.services.liquidity.routing import Quote, Router, SwapRequest
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import simulated
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.services.transactions.landed import BalanceChanges, LandedChain, changes_of
from countermand.services.transactions.outcomes import outcome_of
from countermand.solana.error_sentences import describe
from countermand.solana.funds import shortfall_of
from countermand.solana.port import AccountInfo
from countermand.solana.programs.compile import unsigned_transaction
from countermand.solana.tokens import TOKEN_ACCOUNT_BYTES, TOKEN_ACCOUNT_RENT_LAMPORTS
from countermand.solana.wire import SIGNATURE_BYTES
from countermand.values.identity import Address, Mint, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.tokens import Tokens
from countermand.values.transactions import (
    Attempt,
    ObservedOutcome,
    SwapAmounts,
    SwapRefused,
    TransactionOutcome,
    UnsignedTransaction,
)

_CACHED: Final = 65_536
_GAS_UNIT_LIMIT: Final = 150_000
"""Of fills and sweeps, which create up to two token accounts."""
_AMOUNT: Final = slice(64, 72)
"""Where a token account has its balance."""


class VaultCustody:
    """Wallets are base58 keys, and mints are known to `tokens`. Every coroutine may raise `Unavailable`."""

    def __init__(
        self, keys: VaultKeys, chain: LandedChain, blockhashes: RecentBlockhash, tokens: Tokens, router: Router
    ) -> None:
        self._keys = keys
        self._chain = chain
        self._blockhashes = blockhashes
        self._tokens = tokens
        self._router = router
        self._accounts = lru_cache(_CACHED)(self._accounts_of)
        self._layout = lru_cache(_CACHED)(self._layout_of)
        self._signer = Signer(keys, router, self._accounts)

    def vault_of(self, wallet: Wallet) -> Address:
        return self._keys.vault_of(wallet).address

    def invalidate(self) -> None:
        """The chain begins anew: nothing that was remembered of tokens counts any more."""
        self._accounts.cache_clear()
        self._layout.cache_clear()

    @asks_the_chain
    async def block_height(self) -> int:
        height = await self._chain.finalized_block_height()
        self._blockhashes.saw_height(height)
        return height

    # --- building

    @asks_the_chain
    async def build_deposit(
        self, request_id: RequestId, wallet: Wallet, mint: Mint, amount: BaseUnits
    ) -> tuple[Address, UnsignedTransaction]:
        """The token account that it opens, and the transaction. The user pays."""
        recent = await self._blockhashes.get()
        accounts, seed = self._accounts(wallet, mint), account_seed(request_id)
        message = deposit_message(accounts, seed, amount.units, bytes(recent.blockhash))
        account = Address(str(order_account(accounts.vault, seed, accounts.program)))
        return account, UnsignedTransaction(message, recent.last_valid_height, moves=amount)

    @asks_the_chain
    async def build_withdrawal(
        self, wallet: Wallet, mint: Mint, account: Address, due: BaseUnits, *, variant: int, closes: bool
    ) -> UnsignedTransaction:
        """Takes all that the account holds back to the user. The user pays. Each `variant` is another message.

        Raises `Unavailable` also when the account holds less than is due. Then our view of the chain is behind, or the
        funds were moved; a smaller withdrawal would call them all returned.
        """
        layout = self._layout(wallet, mint)
        accounts = layout.accounts
        recent = await self._blockhashes.get()
        if accounts.native:
            (info,), creates = await self._chain.accounts([account]), False
        else:
            info, own = await self._chain.accounts([account, layout.own])
            creates = own is None or own.owner != accounts.token.program
        held = _held(info, accounts)
        if held is None or held < due.units:
            raise Unavailable(_shortfall(account, held, due))
        message = layout.message(
            bytes(key(account)),
            bytes(recent.blockhash),
            held,
            variant=variant,
            creates=creates,
            closes=closes or accounts.native,
        )
        return UnsignedTransaction(
            message,
            recent.last_valid_height,
            moves=due,
            dust=BaseUnits(held - due.units),
            closes=closes or accounts.native,
        )

    async def quote(
        self, wallet: Wallet, mint: Mint, output_mint: Mint, account: Address, amount: BaseUnits
    ) -> Quote | SwapRefused:
        """What a swap of so much would give now."""
        return await self._router.quote(self._swap(wallet, mint, output_mint, account, amount))

    @asks_the_chain
    async def build_fill(
        self, wallet: Wallet, swap: Swap, quote: Quote, *, rest: BaseUnits, ends: bool, variant: int, closes: bool
    ) -> UnsignedTransaction | SwapRefused:
        """Swaps, and does nothing at all if it cannot give the swap's minimum. The gas key pays. It is simulated.

        `rest` is what the account holds of the order's own funds beyond the swap. If the swap ends the order, the rest
        goes back to the user, and the account is closed if it may be.
        """
        request = self._swap(wallet, swap.mint, swap.output_mint, swap.account, swap.amount)
        accounts, output = request.input, request.output
        closes, returns = ends and (closes or accounts.native), rest if ends else NOTHING
        (info,) = await self._chain.accounts([swap.account])
        due, held = swap.amount + rest, _held(info, accounts)
        if held is None or held < due.units:
            return SwapRefused(_shortfall(swap.account, held, due))
        dust, gas = held - due.units if closes else 0, self._keys.gas.public
        # SOL is paid as lamports, other tokens to an account.
        instructions = [] if output.native else [own_account(output, gas)]
        instructions += self._router.settlement(request, quote, swap.minimum)
        if closes:  # An account that stays open keeps its dust for the sweep.
            instructions += sweep_instructions(accounts, gas, request.source, dust + returns.units)
        elif returns:
            instructions += [own_account(accounts, gas), *return_instructions(accounts, request.source, returns.units)]
        if fails := self._router.takes_failure():
            instructions.append(always_rejected(accounts.program))
        message, last_valid_height, error = await self._simulated(instructions, variant)
        if error is not None and not fails:
            return SwapRefused(error)
        return UnsignedTransaction(
            message, last_valid_height, swap.amount, BaseUnits(dust), swap.minimum, closes, returns
        )

    @asks_the_chain
    async def build_sweep(
        self, wallet: Wallet, mint: Mint, account: Address, *, variant: int
    ) -> UnsignedTransaction | None:
        """Closes the account, with strangers' dust to the user. The gas key pays. None: the account is gone already."""
        accounts = self._accounts(wallet, mint)
        (info,) = await self._chain.accounts([account])
        held = _held(info, accounts)
        if held is None:
            return None
        instructions = list(sweep_instructions(accounts, self._keys.gas.public, key(account), held))
        message, last_valid_height, error = await self._simulated(instructions, variant)
        if error is not None:
            raise Unavailable(f"the account {account} cannot be closed now: {error}")
        return UnsignedTransaction(message, last_valid_height, moves=NOTHING, dust=BaseUnits(held), closes=True)

    @asks_the_chain
    async def flaw(self, built: UnsignedTransaction) -> str | None:
        """Why the chain would not take it, in words; None if it would."""
        simulation = await self._chain.simulate(unsigned_transaction(built.message))
        return None if simulation.error is None else describe(simulation.error)

    @asks_the_chain
    async def shortfall(self, built: UnsignedTransaction) -> str | None:
        """Why its payer cannot pay for it, with the lamports held and needed; None if it can."""
        return await shortfall_of(self._chain, built.message)

    def unsigned_text(self, built: UnsignedTransaction) -> str:
        """The transaction with all signature slots empty, base64."""
        return base64.b64encode(unsigned_transaction(built.message)).decode()

    # --- signing, sending, and what becomes of it

    def signature_of(self, plan: SigningPlan, attempt: Attempt) -> Signature:
        """The id of the attempt's transaction. Signs the committed bytes if a key of ours pays."""
        if attempt.user_signature is not None:
            return attempt.user_signature
        raw = self._signed(plan, attempt)
        return Signature(str(RawSignature.from_bytes(raw[1 : 1 + SIGNATURE_BYTES])))

    @asks_the_chain
    async def send(self, plan: SigningPlan, attempt: Attempt) -> None:
        """Signs the committed bytes and sends them. Doing it twice is doing it once."""
        await self._chain.send(self._signed(plan, attempt))

    @asks_the_chain
    async def outcome(self, plan: SigningPlan, attempt: Attempt) -> ObservedOutcome | None:
        """None: unresolved. So is a swap that has landed until the chain shows what it moved."""
        signature = self.signature_of(plan, attempt)
        last_valid, saw_height = attempt.craft.last_valid_height, self._blockhashes.saw_height
        found = await outcome_of(self._chain, signature, last_valid, saw_height)
        if found is None:
            return None
        outcome, error = found
        if outcome is TransactionOutcome.REJECTED and error is not None:
            at_close = fails_at_close(attempt.craft.message, error)
            return ObservedOutcome(outcome, signature, describe(error), at_close)
        if outcome is TransactionOutcome.DEAD and not await self._shows(plan):
            return ObservedOutcome(outcome, signature)
        if plan.swap is None:
            return ObservedOutcome(TransactionOutcome.LANDED, signature)
        (landed,) = await self._chain.transactions([signature])
        if landed is None:
            return None
        amounts = self._swapped(plan, plan.swap, changes_of(landed))
        return ObservedOutcome(TransactionOutcome.LANDED, signature, swap=amounts)

    async def _shows(self, plan: SigningPlan) -> bool:
        """Whether the account is as this attempt would have left it, though its signature is unknown.

        A message lands once, but its payer may have signed it again with another valid signature, which is another id;
        and a node with a gap in its ledger forgets. Only the vault makes the account, closes it or takes from it, and
        no other attempt of the order is under way.
        """
        (info,) = await self._chain.accounts([plan.account])
        held = _held(info, self._accounts(plan.wallet, plan.mint))
        if isinstance(plan.moves[0], Fund):
            return held is not None
        if plan.closes:
            return held is None
        return held is None or held < plan.holds.units

    def _swapped(self, plan: SigningPlan, swap: Swap, changes: BalanceChanges) -> SwapAmounts:
        """What left the order's account and did not come back to the user was used."""
        accounts, output = self._accounts(plan.wallet, swap.mint), self._accounts(plan.wallet, swap.output_mint)
        user, own = str(accounts.user), str(accounts.own)
        lamports = -changes.lamports_of(swap.account)
        if not accounts.native:
            returned = changes.tokens_of(own)
            used = -changes.tokens_of(swap.account) - returned
        elif plan.closes:  # The close gives the user what the swap left, and the rent.
            returned = changes.lamports_of(user) - TOKEN_ACCOUNT_RENT_LAMPORTS
            used = lamports - changes.lamports_of(user)
        else:
            returned, used = 0, lamports
        gained = changes.lamports_of(user) - (lamports if plan.closes else 0)
        received = gained if output.native else changes.tokens_of(str(output.own))
        return SwapAmounts(BaseUnits(used), BaseUnits(received), BaseUnits(returned))

    def _signed(self, plan: SigningPlan, attempt: Attempt) -> bytes:
        return self._signer.transaction(plan, attempt.craft.message, attempt.user_signature)

    # --- inside

    async def _simulated(self, instructions: list[Instruction], variant: int) -> tuple[bytes, int, str | None]:
        """The message that the gas key pays for, its last valid height, and why the chain would not take it."""
        gas, price = self._keys.gas.public, UNIT_PRICE_MICROLAMPORTS + variant
        built, simulation = await simulated(
            self._chain,
            self._blockhashes,
            lambda blockhash: compile_message(gas, bytes(blockhash), _GAS_UNIT_LIMIT, price, instructions),
        )
        error = None if simulation.error is None else describe(simulation.error)
        return built.message, built.last_valid_height, error

    def _swap(self, wallet: Wallet, mint: Mint, output_mint: Mint, account: Address, amount: BaseUnits) -> SwapRequest:
        return SwapRequest(self._accounts(wallet, mint), self._accounts(wallet, output_mint), key(account), amount)

    def _accounts_of(self, wallet: Wallet, mint: Mint) -> OrderAccounts:
        token = self._tokens.get(mint)
        assert token is not None, f"no order can be in the unknown token {mint}"
        return OrderAccounts.of(wallet, self._keys.vault_of(wallet), token)

    def _layout_of(self, wallet: Wallet, mint: Mint) -> WithdrawalLayout:
        return WithdrawalLayout(self._accounts(wallet, mint), self._keys.tracker.public)


def _held(info: AccountInfo | None, accounts: OrderAccounts) -> int | None:
    """What an order's account holds, or None if there is none. SOL's close gives all lamports, so all of them count."""
    if info is None or info.owner != accounts.token.program or len(info.data) < TOKEN_ACCOUNT_BYTES:
        return None
    if accounts.native:
        return info.lamports - TOKEN_ACCOUNT_RENT_LAMPORTS
    return int.from_bytes(info.data[_AMOUNT], "little")


def _shortfall(account: Address, held: int | None, due: BaseUnits) -> str:
    return f"the account {account} holds {held or 0} of the {due.units} units that are due"
