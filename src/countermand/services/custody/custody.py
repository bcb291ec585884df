"""The keys of a venue and its way to the chain, as the engine's port wants them."""

import base64
from collections.abc import Callable, Coroutine
from functools import lru_cache, wraps
from typing import Any, Final, ParamSpec, TypeVar

from solders.instruction import Instruction
from solders.signature import Signature as RawSignature

from countermand.kernel.ports import Unavailable
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup
from countermand.orders.trigger.model.slippage import Market, Minimum, minimum_of
from countermand.orders.trigger.ports import Alteration, ObservedOutcome, SwapRefused
from countermand.services.custody.deposits import account_seed, deposit_message
from countermand.services.custody.fills import fill_instructions
from countermand.services.custody.instructions import (
    UNIT_PRICE_MICROLAMPORTS,
    always_rejected,
    compile_message,
    fails_at_close,
    key,
    order_account,
)
from countermand.services.custody.parties import OrderAccounts
from countermand.services.custody.routing import Router, Swap
from countermand.services.custody.shortfall import too_little
from countermand.services.custody.signer import Signer
from countermand.services.custody.submissions import read_submission
from countermand.services.custody.sweeps import sweep_instructions
from countermand.services.custody.tokens import TokenFacts, Tokens
from countermand.services.custody.vaults import VaultKeys
from countermand.services.custody.withdrawals import WithdrawalLayout
from countermand.services.transactions.blockhashes import Recent, RecentBlockhash
from countermand.solana.alterations import alteration_of
from countermand.solana.errors import BLOCKHASH_NOT_FOUND
from countermand.solana.facade.sentences import describe
from countermand.solana.funds import shortfall_of
from countermand.solana.port import AccountInfo, Chain, ChainUnavailable, JsonError
from countermand.solana.tokens import TOKEN_ACCOUNT_BYTES, TOKEN_ACCOUNT_RENT_LAMPORTS
from countermand.solana.wire import SIGNATURE_BYTES
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, USD_SCALE, BaseUnits, UsdPrice, decimal_text
from countermand.values.transactions import Attempt, AttemptKind, Submission, TransactionOutcome, UnsignedTransaction

_CACHED: Final = 65_536
_GAS_UNIT_LIMIT: Final = 150_000
"""Of fills and sweeps, which create up to two token accounts."""
_AMOUNT: Final = slice(64, 72)
"""Where a token account has its balance."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _asks_the_chain(
    method: Callable[_P, Coroutine[Any, Any, _T]],
) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Raises the engine's word for it when the chain does not answer."""

    @wraps(method)
    async def asking(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await method(*args, **kwargs)
        except ChainUnavailable as error:
            raise Unavailable(str(error) or "the chain does not answer") from error

    return asking


class VaultCustody:
    """Implements `engine.ports.Custody`. Wallets are base58 keys, and mints are known to `tokens`."""

    def __init__(
        self,
        keys: VaultKeys,
        chain: Chain,
        tokens: Tokens,
        price_of: Callable[[Mint], UsdPrice | None],
        router: Router,
        wall_ms: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._chain = chain
        self._tokens = tokens
        self._price_of = price_of
        self._router = router
        self._recent = RecentBlockhash(chain, wall_ms)
        self._parties = lru_cache(_CACHED)(self._parties_of)
        self._layout = lru_cache(_CACHED)(self._layout_of)
        self._signer = Signer(keys, router, self._parties)

    def vault_of(self, wallet: Wallet) -> Address:
        return self._keys.vault_of(wallet).address

    def forget(self) -> None:
        """The chain has leapt, or begins anew: nothing that was remembered of it, or of tokens, counts any more."""
        self._recent.forget()
        self._parties.cache_clear()
        self._layout.cache_clear()

    @_asks_the_chain
    async def block_height(self) -> int:
        height = await self._chain.finalized_block_height()
        self._recent.saw_height(height)
        return height

    @_asks_the_chain
    async def craft_deposit(
        self,
        *,
        request_id: RequestId,
        order_id: OrderId,
        wallet: Wallet,
        family: Family,
        input_mint: Mint,
        output_mint: Mint,
        amount: BaseUnits,
    ) -> UnsignedDeposit:
        recent = await self._recent.get()
        parties, seed = self._parties(wallet, input_mint), account_seed(request_id)
        message = deposit_message(parties, seed, amount.units, recent.blockhash)
        account = Address(str(order_account(parties.vault, seed, parties.program)))
        craft = UnsignedTransaction(message, recent.last_valid_height, moves=amount)
        return UnsignedDeposit(request_id, order_id, wallet, family, input_mint, output_mint, account, craft)

    @_asks_the_chain
    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        simulation = await self._chain.simulate(_unsigned(deposit.craft.message))
        return None if simulation.error is None else describe(simulation.error)

    @_asks_the_chain
    async def craft_withdrawal(self, group: OrderGroup) -> UnsignedTransaction:
        """Raises `Unavailable` also when the account holds less than the order's funds.

        Then our view of the chain is behind, or they were moved; a smaller withdrawal would call them all returned.
        """
        terms = group.terms
        layout = self._layout(terms.wallet, terms.input_mint)
        parties = layout.parties
        recent = await self._recent.get()
        if parties.native:
            (info,), creates = await self._chain.accounts([terms.input_account]), False
        else:
            info, own = await self._chain.accounts([terms.input_account, layout.own])
            creates = own is None or own.owner != parties.token.program
        held = _held(info, parties)
        if held is None or held < group.remaining.units:
            raise Unavailable(_shortfall(group, held))
        closes = parties.native or group.progress.close_rejections < 2
        # The same message twice would be one transaction, and one that failed could never be tried again.
        variant = 0 if group.progress.withdrawal is None else group.version
        account = bytes(key(terms.input_account))
        message = layout.message(account, recent.blockhash, held, variant=variant, creates=creates, closes=closes)
        gift = BaseUnits(held - group.remaining.units)
        return UnsignedTransaction(message, recent.last_valid_height, moves=group.remaining, gift=gift, closes=closes)

    @_asks_the_chain
    async def shortfall(self, craft: UnsignedTransaction) -> str | None:
        return await shortfall_of(self._chain, craft.message)

    @_asks_the_chain
    async def craft_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        terms = group.terms
        if self._tokens.get(terms.input_mint) is None or self._tokens.get(terms.output_mint) is None:
            return SwapRefused(f"no such token: {terms.input_mint} or {terms.output_mint}")
        parties, output = self._parties(terms.wallet, terms.input_mint), self._parties(terms.wallet, terms.output_mint)
        swap = Swap(parties, output, key(terms.input_account), group.remaining)
        quote = await self._router.quote(swap)
        if isinstance(quote, SwapRefused):
            return quote
        if refused := self._refused_as_too_little(group, swap, quote.before_fee):
            return refused
        (info,) = await self._chain.accounts([terms.input_account])
        held = _held(info, parties)
        if held is None or held < group.remaining.units:
            return SwapRefused(_shortfall(group, held))
        closes = parties.native or group.progress.close_rejections < 2
        dust = held - group.remaining.units if closes else 0
        gas = self._keys.gas.public
        instructions = list(fill_instructions(self._router, swap, quote.receives, gas, dust, closes=closes))
        if fails := self._router.takes_failure():
            instructions.append(always_rejected(parties.program))
        message, last_valid_height, error = await self._simulated(instructions, group.version)
        if error is not None and not fails:
            return SwapRefused(error)
        return UnsignedTransaction(message, last_valid_height, group.remaining, BaseUnits(dust), quote.receives, closes)

    @_asks_the_chain
    async def craft_sweep(self, group: OrderGroup) -> UnsignedTransaction | None:
        parties = self._parties(group.terms.wallet, group.terms.input_mint)
        (info,) = await self._chain.accounts([group.terms.input_account])
        held = _held(info, parties)
        if held is None:
            return None
        account, gas = key(group.terms.input_account), self._keys.gas.public
        instructions = list(sweep_instructions(parties, gas, account, held))
        message, last_valid_height, error = await self._simulated(instructions, group.version)
        if error is not None:
            raise Unavailable(f"the account of order {group.id} cannot be closed now: {error}")
        return UnsignedTransaction(message, last_valid_height, moves=NOTHING, gift=BaseUnits(held), closes=True)

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        return read_submission(transaction, wallet)

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        found = alteration_of(built.message, submission.message)
        return Alteration(found.signers, found.differences)

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str:
        return base64.b64encode(_unsigned(craft.message)).decode()

    def signature_of(self, group: OrderGroup, attempt: Attempt) -> Signature:
        if attempt.user_signature is not None:
            return attempt.user_signature
        raw = self._signer.transaction(group, attempt)
        return Signature(str(RawSignature.from_bytes(raw[1 : 1 + SIGNATURE_BYTES])))

    @_asks_the_chain
    async def fate(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome | None:
        signature = self.signature_of(group, attempt)
        # The height first: a node that is past the last valid one and then knows no status will never know one.
        height = await self.block_height()
        status = await self._chain.signature_status(signature)
        if status is None:
            if height <= attempt.craft.last_valid_height:
                return None
            return ObservedOutcome(
                TransactionOutcome.LANDED if await self._shows(group, attempt) else TransactionOutcome.DEAD, signature
            )
        if not status.finalized:
            return None
        if status.error is not None:
            at_close = fails_at_close(attempt.craft.message, status.error)
            return ObservedOutcome(TransactionOutcome.REJECTED, signature, describe(status.error), at_close)
        return ObservedOutcome(TransactionOutcome.LANDED, signature)

    @_asks_the_chain
    async def send(self, group: OrderGroup, attempt: Attempt) -> None:
        await self._chain.send(self._signer.transaction(group, attempt))

    async def _shows(self, group: OrderGroup, attempt: Attempt) -> bool:
        """Whether the order's account is as this attempt would have left it, though its signature is unknown.

        A message lands once, but its payer may have signed it again with another valid signature, which is another id;
        and a node with a gap in its ledger forgets. Only the vault makes the account, closes it or takes from it, and
        no other attempt of the group is under way.
        """
        (info,) = await self._chain.accounts([group.terms.input_account])
        held = _held(info, self._parties(group.terms.wallet, group.terms.input_mint))
        if attempt.kind is AttemptKind.DEPOSIT:
            return held is not None
        if attempt.craft.closes:
            return held is None
        return held is None or held < group.remaining.units

    def _refused_as_too_little(self, group: OrderGroup, swap: Swap, before_fee: int) -> SwapRefused | None:
        price, output_price = self._price_of(group.terms.input_mint), self._price_of(group.terms.output_mint)
        if price is None or output_price is None:
            return SwapRefused(f"no price for {group.terms.output_mint if price else group.terms.input_mint}")
        market = Market(price, swap.input.token.decimals, output_price, swap.output.token.decimals)
        least = minimum_of(group, swap.amount, market)
        return None if before_fee >= least.units else SwapRefused(_too_little(before_fee, least, swap.output.token))

    async def _simulated(self, instructions: list[Instruction], variant: int) -> tuple[bytes, int, str | None]:
        """The message that the gas key pays for, its last valid height, and why the chain would not take it."""
        price = UNIT_PRICE_MICROLAMPORTS + variant
        recent, message, error = await self._simulated_once(instructions, price)
        if error == BLOCKHASH_NOT_FOUND:  # The chain has leapt since we asked for it.
            self._recent.forget()
            recent, message, error = await self._simulated_once(instructions, price)
        return message, recent.last_valid_height, None if error is None else describe(error)

    async def _simulated_once(
        self, instructions: list[Instruction], price: int
    ) -> tuple[Recent, bytes, JsonError | None]:
        recent = await self._recent.get()
        message = compile_message(self._keys.gas.public, recent.blockhash, _GAS_UNIT_LIMIT, price, instructions)
        return recent, message, (await self._chain.simulate(_unsigned(message))).error

    def _parties_of(self, wallet: Wallet, mint: Mint) -> OrderAccounts:
        token = self._tokens.get(mint)
        assert token is not None, f"no order can be in the unknown token {mint}"
        return OrderAccounts.of(wallet, self._keys.vault_of(wallet), token)

    def _layout_of(self, wallet: Wallet, mint: Mint) -> WithdrawalLayout:
        return WithdrawalLayout(self._parties(wallet, mint), self._keys.tracker.public)


def _held(info: AccountInfo | None, parties: OrderAccounts) -> int | None:
    """What an order's account holds, or None if there is none. SOL's close gives all lamports, so all of them count."""
    if info is None or info.owner != parties.token.program or len(info.data) < TOKEN_ACCOUNT_BYTES:
        return None
    if parties.native:
        return info.lamports - TOKEN_ACCOUNT_RENT_LAMPORTS
    return int.from_bytes(info.data[_AMOUNT], "little")


def _too_little(before_fee: int, least: Minimum, token: TokenFacts) -> str:
    which, price = "trigger" if least.is_trigger else "current", decimal_text(least.price.picodollars, USD_SCALE)
    buffer = f"{least.slippage.bps} basis points beyond the {which} price of {price} USD"
    return f"{too_little(before_fee, least.units, token)} ({buffer})"


def _shortfall(group: OrderGroup, held: int | None) -> str:
    account, due = group.terms.input_account, group.remaining.units
    return f"the account {account} holds {held or 0} of the {due} units of order {group.id}"


def _unsigned(message: bytes) -> bytes:
    """A legacy message begins with the number of its signers."""
    return message[:1] + bytes(SIGNATURE_BYTES * message[0]) + message
