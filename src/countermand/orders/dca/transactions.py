"""The transactions of recurring orders: what each does, whether a round is worth one, and what keys may sign for it."""

from typing import Final, assert_never

from countermand.orders.dca.model.commands import UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.slippage import SLIPPAGE, cents_of, least_of
from countermand.orders.vaults.transactions import (
    CLOSE_REJECTIONS_MAX,
    VaultTransactions,
    minimum_received,
    signatories,
)
from countermand.services.custody.custody import Parcel
from countermand.services.custody.plans import Close, Fund, Move, Return, SigningPlan, Swap
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, decimal_text
from countermand.values.structs import replace
from countermand.values.tokens import Token
from countermand.values.transactions import (
    Attempt,
    AttemptKind,
    SwapRefused,
    UnsignedTransaction,
)

_BUFFER: Final = f"{SLIPPAGE.bps} basis points beyond the current prices"


class DcaTransactions(VaultTransactions[DcaOrder]):
    """Implements `orders.dca.ports.Transactions`."""

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

    async def build_withdrawal(self, order: DcaOrder) -> UnsignedTransaction:
        terms = order.terms
        # The same message twice would be one transaction, and one that failed could never be tried again.
        variant = 0 if order.progress.withdrawal is None else order.version
        parcel = Parcel(terms.input_account, terms.input_mint, order.remaining, _closes(order))
        return await self._custody.build_withdrawal(terms.wallet, parcel, variant=variant)

    async def build_fill(self, order: DcaOrder) -> UnsignedTransaction | SwapRefused:
        terms, amount = order.terms, order.round_amount
        pair = self._market(terms.input_mint, terms.output_mint)
        if isinstance(pair, SwapRefused):
            return pair
        token, output, market = pair
        swap = Swap(terms.input_account, terms.input_mint, terms.output_mint, amount, NOTHING)
        quote = await self._custody.quote(terms.wallet, swap)
        if isinstance(quote, SwapRefused):
            return quote
        if quote.takes < amount:
            return SwapRefused(_too_small_a_part(quote.takes, amount, token))
        minimum = minimum_received(least_of(amount, market), output, quote, _BUFFER)
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

    def _plan_of(self, order: DcaOrder, attempt: Attempt) -> SigningPlan:
        return plan_of(order, attempt)


def plan_of(order: DcaOrder, attempt: Attempt) -> SigningPlan:
    """What keys of ours may sign in this attempt, whatever its bytes say."""
    terms, built = order.terms, attempt.craft
    payer, signers = signatories(attempt.kind)
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


def _dust(order: DcaOrder, built: UnsignedTransaction) -> tuple[Move, ...]:
    terms = order.terms
    return (Return(terms.input_account, terms.input_mint, built.dust),) if built.dust else ()


def _closes(order: DcaOrder) -> bool:
    return order.progress.close_rejections < CLOSE_REJECTIONS_MAX


def _too_small_a_part(part: BaseUnits, amount: BaseUnits, token: Token) -> str:
    some, whole = (decimal_text(units, token.decimals) for units in (part.units, amount.units))
    return f"only {some} of the {whole} {token.symbol} of this round can be swapped at once now"
