"""The transactions of trigger orders: what each does, whether a fill is worth one, and what keys may sign for it."""

from collections.abc import Iterator
from typing import Final, assert_never

from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup, Sale
from countermand.orders.trigger.model.slippage import Minimum, minimum_of
from countermand.orders.vaults.model.market import PairPrices
from countermand.orders.vaults.transactions import (
    CLOSE_REJECTIONS_MAX,
    VaultTransactions,
    minimum_received,
    signatories,
)
from countermand.services.custody.custody import Parcel
from countermand.services.custody.plans import Close, Fund, Move, Open, Return, SigningPlan, Swap
from countermand.values.identity import Address, Mint, OrderId, RequestId, Wallet
from countermand.values.quantities import NOTHING, USD_SCALE, BaseUnits, UsdPrice, decimal_text, dollars
from countermand.values.structs import replace
from countermand.values.tokens import Token
from countermand.values.transactions import (
    Attempt,
    AttemptKind,
    OutputParcel,
    SwapRefused,
    UnsignedTransaction,
)

PART_USD_MIN: Final = UsdPrice(10**USD_SCALE)
"""A part that is worth less is not tried, unless it is all that is left."""
REST_USD_MIN: Final = UsdPrice(10 ** (USD_SCALE - 2))
"""A rest that is worth less goes back to the user with the part before it."""


class TriggerTransactions(VaultTransactions[OrderGroup]):
    """Implements `orders.trigger.ports.Transactions`."""

    async def build_deposit(
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
        kept = output_mint if family is Family.OTOCO else None
        account, output, built = await self._custody.build_deposit(request_id, wallet, input_mint, amount, kept)
        return UnsignedDeposit(request_id, order_id, wallet, family, input_mint, output_mint, account, built, output)

    async def build_withdrawal(self, group: OrderGroup) -> UnsignedTransaction:
        # The same message twice would be one transaction, and one that failed could never be tried again.
        variant = 0 if group.progress.withdrawal is None else group.version
        wallet, own, output = group.terms.wallet, _own_parcel(group), _output_parcel(group)
        if output is None:
            return await self._custody.build_withdrawal(wallet, own, variant=variant)
        if not group.parent_is_done:
            return await self._custody.build_withdrawal_of_two(wallet, own, output, variant=variant)
        built = await self._custody.build_withdrawal(wallet, output, variant=variant)
        parcel = OutputParcel(built.moves, built.dust, built.closes)
        return replace(built, moves=NOTHING, dust=NOTHING, closes=True, output=parcel)

    async def build_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        wallet, sale = group.terms.wallet, group.sale()
        pair = self._market(sale.sold, sale.bought)
        if isinstance(pair, SwapRefused):
            return pair
        token, output, market = pair
        if group.sells.posted and _is_worth_less(sale.amount, market, REST_USD_MIN):
            return await self._build_return(group, sale)
        quote = await self._custody.quote(wallet, _swap(sale, sale.amount, NOTHING))
        if isinstance(quote, SwapRefused):
            return quote
        part, rest = quote.takes, sale.amount - quote.takes
        if rest and _is_worth_less(part, market, PART_USD_MIN):
            return SwapRefused(_too_small_a_part(part, token))
        least = minimum_of(group, part, market)
        minimum = minimum_received(least.units, output, quote, _buffer(least))
        if isinstance(minimum, SwapRefused):
            return minimum
        return await self._custody.build_fill(
            wallet,
            _swap(sale, part, minimum),
            quote,
            rest=rest,
            ends=not rest or _is_worth_less(rest, market, REST_USD_MIN),
            variant=group.version,
            closes=_may_close(_rejections(group, sale.account)),
        )

    async def _build_return(self, group: OrderGroup, sale: Sale) -> UnsignedTransaction | SwapRefused:
        """Gives the rest of an order back that became worthless since its last part: a fill that swaps nothing."""
        parcel = Parcel(sale.account, sale.sold)
        built = await self._custody.build_sweep(group.terms.wallet, parcel, variant=group.version)
        if built is None or built.dust < sale.amount:
            return SwapRefused(f"the account {sale.account} holds less than the rest of the order")
        return replace(built, dust=built.dust - sale.amount, returns=sale.amount)

    async def build_sweep(self, group: OrderGroup) -> UnsignedTransaction | None:
        wallet, own, output = group.terms.wallet, _own_parcel(group), _output_parcel(group)
        return await self._custody.build_sweep(wallet, own, output, variant=group.version)

    def _plan_of(self, order: OrderGroup, attempt: Attempt) -> SigningPlan:
        return plan_of(order, attempt)


def plan_of(group: OrderGroup, attempt: Attempt) -> SigningPlan:
    """What keys of ours may sign in this attempt, whatever its bytes say."""
    terms, built = group.terms, attempt.craft
    payer, signers = signatories(attempt.kind)
    moves: tuple[Move, ...]
    match attempt.kind:
        case AttemptKind.DEPOSIT:
            moves = (Fund(terms.input_account, terms.input_mint, built.moves),)
            if terms.output_account is not None:
                moves = (*moves, Open(terms.output_account, terms.output_mint))
        case AttemptKind.FILL:
            sale = group.sale()
            moves = tuple(_emptied(sale.account, sale.sold, built.returns + built.dust, closes=built.closes))
            if built.moves or not built.returns:
                moves = (_swap(sale, built.moves, built.minimum), *moves)
            else:
                payer, signers = signatories(AttemptKind.SWEEP)
        case AttemptKind.WITHDRAWAL:
            moves = tuple(_back(group, built, from_own=not group.parent_is_done))
        case AttemptKind.SWEEP:
            moves = tuple(_back(group, built, from_own=built.closes))
        case _:
            assert_never(attempt.kind)
    what = f"the {attempt.kind.value} {attempt.number} of order {group.id}"
    return SigningPlan(what, terms.wallet, payer, signers, moves, group.sells.left)


def _back(group: OrderGroup, built: UnsignedTransaction, *, from_own: bool) -> Iterator[Move]:
    """What comes back to the user, account after account."""
    terms, output = group.terms, built.output
    if from_own:
        yield from _emptied(terms.input_account, terms.input_mint, built.moves + built.dust, closes=built.closes)
    if output is not None:
        assert terms.output_account is not None, f"order {group.id} has no output account"
        back = output.moves + output.dust
        yield from _emptied(terms.output_account, terms.output_mint, back, closes=output.closes)


def _emptied(account: Address, mint: Mint, back: BaseUnits, *, closes: bool) -> Iterator[Move]:
    if back:
        yield Return(account, mint, back)
    if closes:
        yield Close(account, mint)


def _swap(sale: Sale, amount: BaseUnits, minimum: BaseUnits) -> Swap:
    return Swap(sale.account, sale.sold, sale.bought, amount, minimum, sale.to)


def _own_parcel(group: OrderGroup) -> Parcel:
    terms = group.terms
    closes = _may_close(_rejections(group, terms.input_account))
    return Parcel(terms.input_account, terms.input_mint, group.remaining, closes)


def _output_parcel(group: OrderGroup) -> Parcel | None:
    terms, proceeds = group.terms, group.progress.proceeds
    if terms.output_account is None:
        return None
    closes = _may_close(_rejections(group, terms.output_account))
    return Parcel(terms.output_account, terms.output_mint, NOTHING if proceeds is None else proceeds.left, closes)


def _rejections(group: OrderGroup, account: Address) -> int:
    progress, is_output = group.progress, account == group.terms.output_account
    return progress.output_close_rejections if is_output else progress.close_rejections


def _may_close(rejections: int) -> bool:
    return rejections < CLOSE_REJECTIONS_MAX


def _is_worth_less(amount: BaseUnits, market: PairPrices, bound: UsdPrice) -> bool:
    """In US dollars. `amount` is of the input."""
    worth: int = amount.units * market.input_price.picodollars
    return worth < bound.picodollars * int(10**market.input_decimals)


def _too_small_a_part(part: BaseUnits, token: Token) -> str:
    amount = f"{decimal_text(part.units, token.decimals)} {token.symbol}"
    return f"only {amount} can be swapped at once now, which is worth less than {dollars(PART_USD_MIN)} USD"


def _buffer(least: Minimum) -> str:
    which, price = "trigger" if least.is_trigger else "current", decimal_text(least.price.picodollars, USD_SCALE)
    return f"{least.slippage.bps} basis points beyond the {which} price of {price} USD"
