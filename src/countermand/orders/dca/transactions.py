"""The transactions of recurring orders: what each does, whether a round is worth one, and what keys may sign for it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, assert_never

from countermand.orders.dca.model.commands import UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.slippage import SLIPPAGE, Market, cents_of, least_of
from countermand.services.custody.custody import Parcel, VaultCustody
from countermand.services.custody.plans import Close, Fund, Move, Return, Signatory, SigningPlan, Swap
from countermand.services.liquidity.routing import Quote
from countermand.services.liquidity.too_little import too_little
from countermand.services.transactions.submissions import alteration, read_submission
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice, decimal_text
from countermand.values.tokens import Token, Tokens
from countermand.values.transactions import (
    Alteration,
    Attempt,
    AttemptKind,
    ObservedOutcome,
    Submission,
    SwapRefused,
    UnsignedTransaction,
)

_CLOSE_REJECTIONS_MAX: Final = 2
"""After so many rejected closes a transaction leaves the account open, and a sweep closes it later."""


class DcaTransactions:
    """Implements `orders.dca.ports.Transactions`."""

    def __init__(self, custody: VaultCustody, tokens: Tokens, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self._custody = custody
        self._tokens = tokens
        self._price_of = price_of

    async def block_height(self) -> int:
        return await self._custody.block_height()

    async def build_deposit(
        self,
        *,
        request_id: RequestId,
        order_id: OrderId,
        wallet: Wallet,
        input_mint: Mint,
        output_mint: Mint,
        amount: BaseUnits,
    ) -> UnsignedDeposit:
        account, _, built = await self._custody.build_deposit(request_id, wallet, input_mint, amount)
        return UnsignedDeposit(request_id, order_id, wallet, input_mint, output_mint, account, built)

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        return await self._custody.flaw(deposit.craft)

    async def build_withdrawal(self, order: DcaOrder) -> UnsignedTransaction:
        terms = order.terms
        # The same message twice would be one transaction, and one that failed could never be tried again.
        variant = 0 if order.progress.withdrawal is None else order.version
        parcel = Parcel(terms.input_account, terms.input_mint, order.remaining, _closes(order))
        return await self._custody.build_withdrawal(terms.wallet, parcel, variant=variant)

    async def shortfall(self, craft: UnsignedTransaction) -> str | None:
        return await self._custody.shortfall(craft)

    async def build_fill(self, order: DcaOrder) -> UnsignedTransaction | SwapRefused:
        terms, amount = order.terms, order.round_amount
        token, output = self._tokens.get(terms.input_mint), self._tokens.get(terms.output_mint)
        if token is None or output is None:
            return SwapRefused(f"no such token: {terms.input_mint} or {terms.output_mint}")
        swap = Swap(terms.input_account, terms.input_mint, terms.output_mint, amount, NOTHING)
        quote = await self._custody.quote(terms.wallet, swap)
        if isinstance(quote, SwapRefused):
            return quote
        market = self._market(token, output)
        if isinstance(market, SwapRefused):
            return market
        if quote.takes < amount:
            return SwapRefused(_too_small_a_part(quote.takes, amount, token))
        minimum = _minimum(amount, output, market, quote)
        if isinstance(minimum, SwapRefused):
            return minimum
        return await self._custody.build_fill(
            terms.wallet,
            replace(swap, minimum=minimum),
            quote,
            rest=order.remaining - amount,
            ends=amount == order.remaining,
            variant=order.version,
            closes=_closes(order),
        )

    async def build_sweep(self, order: DcaOrder) -> UnsignedTransaction | None:
        terms = order.terms
        parcel = Parcel(terms.input_account, terms.input_mint)
        return await self._custody.build_sweep(terms.wallet, parcel, variant=order.version)

    def worth_cents(self, mint: Mint, amount: BaseUnits) -> int | None:
        token, price = self._tokens.get(mint), self._price_of(mint)
        return None if token is None or price is None else cents_of(amount, price, token.decimals)

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        return read_submission(transaction, wallet)

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        return alteration(built, submission)

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str:
        return self._custody.unsigned_text(craft)

    async def outcome(self, order: DcaOrder, attempt: Attempt) -> ObservedOutcome | None:
        return await self._custody.outcome(plan_of(order, attempt), attempt)

    async def send(self, order: DcaOrder, attempt: Attempt) -> None:
        await self._custody.send(plan_of(order, attempt), attempt)

    def _market(self, token: Token, output: Token) -> Market | SwapRefused:
        price, output_price = self._price_of(token.mint), self._price_of(output.mint)
        if price is None or output_price is None:
            return SwapRefused(f"no price for {output.mint if price else token.mint}")
        return Market(price, token.decimals, output_price, output.decimals)


def plan_of(order: DcaOrder, attempt: Attempt) -> SigningPlan:
    """What keys of ours may sign in this attempt, whatever its bytes say."""
    terms, built = order.terms, attempt.craft
    payer, signers = _signatories(attempt.kind)
    moves: tuple[Move, ...]
    match attempt.kind:
        case AttemptKind.DEPOSIT:
            moves = (Fund(terms.input_account, terms.input_mint, built.moves),)
        case AttemptKind.WITHDRAWAL:
            moves = (Return(terms.input_account, terms.input_mint, built.moves + built.dust),)
        case AttemptKind.FILL:
            swap = Swap(terms.input_account, terms.input_mint, terms.output_mint, built.moves, built.minimum)
            moves = (swap, *_dust(order, built))
        case AttemptKind.SWEEP:
            moves = _dust(order, built)
        case _:
            assert_never(attempt.kind)
    if built.closes:
        moves = (*moves, Close(terms.input_account, terms.input_mint))
    what = f"the {attempt.kind.value} {attempt.number} of order {order.id}"
    return SigningPlan(what, terms.wallet, payer, signers, moves, order.remaining)


def _signatories(kind: AttemptKind) -> tuple[Signatory, tuple[Signatory, ...]]:
    """Who pays, and who signs beside."""
    match kind:
        case AttemptKind.DEPOSIT:
            return Signatory.USER, (Signatory.VAULT,)
        case AttemptKind.WITHDRAWAL:
            return Signatory.USER, (Signatory.VAULT, Signatory.TRACKER)
        case AttemptKind.FILL:
            return Signatory.GAS, (Signatory.VAULT, Signatory.ROUTER)
        case AttemptKind.SWEEP:
            return Signatory.GAS, (Signatory.VAULT,)


def _dust(order: DcaOrder, built: UnsignedTransaction) -> tuple[Move, ...]:
    terms = order.terms
    return (Return(terms.input_account, terms.input_mint, built.dust),) if built.dust else ()


def _closes(order: DcaOrder) -> bool:
    return order.progress.close_rejections < _CLOSE_REJECTIONS_MAX


def _minimum(amount: BaseUnits, output: Token, market: Market, quote: Quote) -> BaseUnits | SwapRefused:
    """The least that the user may receive for what the quote takes: what slippage allows, less the fee."""
    least = least_of(amount, market)
    if quote.before_fee < least:
        buffer = f"{SLIPPAGE.bps} basis points beyond the current prices"
        return SwapRefused(f"{too_little(quote.before_fee, least, output)} ({buffer})")
    fee = quote.before_fee - quote.receives.units
    return BaseUnits(max(1, least - -(-fee * least // quote.before_fee)))


def _too_small_a_part(part: BaseUnits, amount: BaseUnits, token: Token) -> str:
    some, whole = (decimal_text(units, token.decimals) for units in (part.units, amount.units))
    return f"only {some} of the {whole} {token.symbol} of this round can be swapped at once now"
