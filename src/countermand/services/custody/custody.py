"""The keys of a venue: builds transactions, signs what a plan allows, sends it, and sees what became of it."""

import base64
from functools import lru_cache
from typing import Final

from solders.instruction import Instruction
from solders.signature import Signature as RawSignature

from countermand.kernel.ports import Unavailable
from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.deposits import account_seed, deposit_message, output_seed
from countermand.services.custody.instructions import (
    UNIT_PRICE_MICROLAMPORTS,
    always_rejected,
    compile_message,
    key,
    order_account,
    rejected_close,
)
from countermand.services.custody.moves import (
    close_instructions,
    own_account,
    return_instructions,
    sweep_instructions,
)
from countermand.services.custody.plans import Fund, SigningPlan, Swap
from countermand.services.custody.signer import Signer
from countermand.services.custody.vaults import VaultKeys
from countermand.services.custody.withdrawals import WithdrawalLayout, two_account_limit
from countermand.services.liquidity.routing import Quote, RoutedSwap, Router
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import simulated
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.services.transactions.landed import BalanceChanges, LandedChain, changes_of
from countermand.services.transactions.outcomes import outcome_of
from countermand.solana.error_sentences import describe
from countermand.solana.funds import lamports_missing, shortfall_of, tokens_missing
from countermand.solana.port import AccountInfo
from countermand.solana.programs.compile import unsigned_transaction
from countermand.solana.tokens import TOKEN_ACCOUNT_BYTES, TOKEN_ACCOUNT_RENT_LAMPORTS, TOKEN_AMOUNT
from countermand.solana.wire import SIGNATURE_BYTES
from countermand.values.identity import Address, Mint, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, decimal_text
from countermand.values.structs import Struct
from countermand.values.tokens import Tokens
from countermand.values.transactions import (
    Attempt,
    ObservedOutcome,
    OutputParcel,
    SwapAmounts,
    SwapRefused,
    TransactionOutcome,
    UnsignedTransaction,
)

_CACHED: Final = 65_536
_SOL_DECIMALS: Final = 9
_GAS_UNIT_LIMIT: Final = 150_000
"""Of fills and sweeps, which create up to two token accounts."""


class Parcel(Struct, frozen=True):
    """A token account of an order, and what is due to the user of it."""

    account: Address
    mint: Mint
    due: BaseUnits = NOTHING
    closes: bool = True
    """Whether a withdrawal may close it: strangers' dust may have kept it from that too often."""


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
        self, request_id: RequestId, wallet: Wallet, mint: Mint, amount: BaseUnits, output_mint: Mint | None = None
    ) -> tuple[Address, Address | None, UnsignedTransaction]:
        """The token accounts that it opens, and the transaction. The user pays.

        `output_mint`: that of a second account, for an order that keeps what it buys.
        """
        recent = await self._blockhashes.get()
        accounts, seed = self._accounts(wallet, mint), account_seed(request_id)
        output = None if output_mint is None else self._accounts(wallet, output_mint)
        message = deposit_message(accounts, seed, amount.units, bytes(recent.blockhash), output)
        built = UnsignedTransaction(message, recent.last_valid_height, moves=amount)
        second = None if output is None else _address(output, output_seed(seed))
        return _address(accounts, seed), second, built

    @asks_the_chain
    async def build_withdrawal(self, wallet: Wallet, parcel: Parcel, *, variant: int) -> UnsignedTransaction:
        """Takes all that the account holds back to the user. The user pays. Each `variant` is another message.

        Raises `Unavailable` also when the account holds less than is due. Then our view of the chain is behind, or the
        funds were moved; a smaller withdrawal would call them all returned.
        """
        account, due = parcel.account, parcel.due
        layout = self._layout(wallet, parcel.mint)
        accounts = layout.accounts
        closes = parcel.closes or accounts.native
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
            closes=closes,
        )
        return UnsignedTransaction(
            message,
            recent.last_valid_height,
            moves=due,
            dust=BaseUnits(held - due.units),
            closes=closes,
        )

    @asks_the_chain
    async def build_withdrawal_of_two(
        self, wallet: Wallet, parcel: Parcel, output: Parcel, *, variant: int
    ) -> UnsignedTransaction:
        """The same for an order with two accounts, in one transaction. An empty account is closed without a transfer.

        The layout is that of one account, twice: budget, the user's own accounts where they are missing, then transfer
        and close of each account.
        """
        recent = await self._blockhashes.get()
        parcels = [self._accounts(wallet, each.mint) for each in (parcel, output)]
        owns = [str(each.own) for each in parcels if not each.native]
        infos = await self._chain.accounts([parcel.account, output.account, *owns])
        found = dict(zip(owns, infos[2:], strict=True))
        creates, instructions, made = list[Instruction](), list[Instruction](), list[tuple[int, bool]]()
        for accounts, each, info in zip(parcels, (parcel, output), infos[:2], strict=True):
            held, own = _held(info, accounts), found.get(str(accounts.own))
            if held is None or held < each.due.units:
                raise Unavailable(_shortfall(each.account, held, each.due))
            if held and not accounts.native and (own is None or own.owner != accounts.token.program):
                creates.append(own_account(accounts, accounts.user))
            tracker, account, ends = [self._keys.tracker.public], key(each.account), each.closes or accounts.native
            instructions += return_instructions(accounts, account, held, tracker) if held else ()
            instructions += close_instructions(accounts, account, tracker) if ends else ()
            made.append((held - each.due.units, ends))
        limit = two_account_limit(parcels, len(creates))
        price = UNIT_PRICE_MICROLAMPORTS + variant
        message = compile_message(key(wallet), bytes(recent.blockhash), limit, price, [*creates, *instructions])
        (dust, closed), (output_dust, output_closed) = made
        return UnsignedTransaction(
            message,
            recent.last_valid_height,
            moves=parcel.due,
            dust=BaseUnits(dust),
            closes=closed,
            output=OutputParcel(output.due, BaseUnits(output_dust), output_closed),
        )

    async def quote(self, wallet: Wallet, swap: Swap) -> Quote | SwapRefused:
        """What a swap would give now, whatever its minimum is."""
        return await self._router.quote(self._request(wallet, swap))

    @asks_the_chain
    async def build_fill(
        self, wallet: Wallet, swap: Swap, quote: Quote, *, rest: BaseUnits, ends: bool, variant: int, closes: bool
    ) -> UnsignedTransaction | SwapRefused:
        """Swaps, and does nothing at all if it cannot give the swap's minimum. The gas key pays. It is simulated.

        `rest` is what the account holds of the order's own funds beyond the swap. If the swap ends the order, the rest
        goes back to the user, and the account is closed if it may be.
        """
        request = self._request(wallet, swap)
        accounts, output = request.input, request.output
        closes, returns = ends and (closes or accounts.native), rest if ends else NOTHING
        (info,) = await self._chain.accounts([swap.account])
        due, held = swap.amount + rest, _held(info, accounts)
        if held is None or held < due.units:
            return SwapRefused(_shortfall(swap.account, held, due))
        dust, gas = held - due.units if closes else 0, self._keys.gas.public
        # SOL is paid as lamports, other tokens to an account.
        instructions = [] if output.native or swap.to is not None else [own_account(output, gas)]
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
        self, wallet: Wallet, parcel: Parcel, output: Parcel | None = None, *, variant: int
    ) -> UnsignedTransaction | None:
        """Closes an ended order's accounts that are still there, with strangers' dust to the user. The gas key pays.

        None: they are gone already.
        """
        parcels = [parcel] if output is None else [parcel, output]
        infos = await self._chain.accounts([each.account for each in parcels])
        instructions, dust = list[Instruction](), list[int | None]()
        for each, info in zip(parcels, infos, strict=True):
            accounts = self._accounts(wallet, each.mint)
            held = _held(info, accounts)
            dust.append(held)
            if held is not None:
                instructions += sweep_instructions(accounts, self._keys.gas.public, key(each.account), held)
        if not instructions:
            return None
        message, last_valid_height, error = await self._simulated(instructions, variant)
        if error is not None:
            raise Unavailable(f"the account {parcel.account} cannot be closed now: {error}")
        own, second = dust[0], None if output is None else dust[1]
        return UnsignedTransaction(
            message,
            last_valid_height,
            moves=NOTHING,
            dust=BaseUnits(own or 0),
            closes=own is not None,
            output=None if second is None else OutputParcel(NOTHING, BaseUnits(second), closes=True),
        )

    @asks_the_chain
    async def flaw(self, built: UnsignedTransaction) -> str | None:
        """Why the chain would not take it, in its words, and what the wallet lacks; None if it would."""
        simulation = await self._chain.simulate(unsigned_transaction(built.message))
        if simulation.error is None:
            return None
        lack = await self._lack(built)
        return describe(simulation.error) if lack is None else f"{describe(simulation.error)} ({lack})"

    @asks_the_chain
    async def shortfall(self, built: UnsignedTransaction) -> str | None:
        """Why its payer cannot pay for it, with the lamports held and needed; None if it can."""
        return await shortfall_of(self._chain, built.message)

    @asks_the_chain
    async def why_not(self, built: UnsignedTransaction) -> str | None:
        """Why the chain would not take it now, for who looks on; None if it would."""
        return await self._lack(built) or await self.flaw(built)

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
            closing = rejected_close(attempt.craft.message, error)
            return ObservedOutcome(outcome, signature, describe(error), closing is not None, closing=closing)
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
        if swap.to is not None:
            received = changes.tokens_of(swap.to)
        else:
            received = gained if output.native else changes.tokens_of(str(output.own))
        return SwapAmounts(BaseUnits(used), BaseUnits(received), BaseUnits(returned))

    def _signed(self, plan: SigningPlan, attempt: Attempt) -> bytes:
        return self._signer.transaction(plan, attempt.craft.message, attempt.user_signature)

    # --- inside

    async def _lack(self, built: UnsignedTransaction) -> str | None:
        """What the wallet that pays for it lacks. None: nothing."""
        lamports = await lamports_missing(self._chain, built.message)
        if lamports is not None:
            return f"the wallet lacks {decimal_text(lamports, _SOL_DECIMALS)} SOL"
        missing = await tokens_missing(self._chain, built.message)
        token = None if missing is None else self._tokens.get(Mint(missing.mint))
        if missing is None or token is None:
            return None
        return f"the wallet lacks {decimal_text(missing.units, token.decimals)} {token.symbol}"

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

    def _request(self, wallet: Wallet, swap: Swap) -> RoutedSwap:
        accounts, output = self._accounts(wallet, swap.mint), self._accounts(wallet, swap.output_mint)
        return RoutedSwap(accounts, output, key(swap.account), swap.amount, None if swap.to is None else key(swap.to))

    def _accounts_of(self, wallet: Wallet, mint: Mint) -> OrderAccounts:
        token = self._tokens.get(mint)
        assert token is not None, f"no order can be in the unknown token {mint}"
        return OrderAccounts.of(wallet, self._keys.vault_of(wallet), token)

    def _layout_of(self, wallet: Wallet, mint: Mint) -> WithdrawalLayout:
        return WithdrawalLayout(self._accounts(wallet, mint), self._keys.tracker.public)


def _address(accounts: OrderAccounts, seed: str) -> Address:
    return Address(str(order_account(accounts.vault, seed, accounts.program)))


def _held(info: AccountInfo | None, accounts: OrderAccounts) -> int | None:
    """What an order's account holds, or None if there is none. SOL's close gives all lamports, so all of them count."""
    if info is None or info.owner != accounts.token.program or len(info.data) < TOKEN_ACCOUNT_BYTES:
        return None
    if accounts.native:
        return info.lamports - TOKEN_ACCOUNT_RENT_LAMPORTS
    return int.from_bytes(info.data[TOKEN_AMOUNT], "little")


def _shortfall(account: Address, held: int | None, due: BaseUnits) -> str:
    return f"the account {account} holds {held or 0} of the {due.units} units that are due"
