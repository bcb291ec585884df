"""The transactions of trigger orders: what each does, whether a fill is worth one, and what keys may sign for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, assert_never

from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup, Sale
from countermand.orders.trigger.model.slippage import Market, Minimum, minimum_of
from countermand.services.custody.custody import Parcel, VaultCustody
from countermand.services.custody.plans import Close, Fund, Move, Open, Return, Signatory, SigningPlan, Swap
from countermand.services.liquidity.routing import Quote
from countermand.services.liquidity.too_little import too_little
from countermand.services.transactions.submissions import alteration, read_submission
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, USD_SCALE, BaseUnits, UsdPrice, decimal_text, dollars
from countermand.values.tokens import Token, Tokens
from countermand.values.transactions import (
    Alteration,
    Attempt,
    AttemptKind,
    ObservedOutcome,
    OutputParcel,
    Submission,
    SwapRefused,
    UnsignedTransaction,
)

PART_USD_MIN: Final = UsdPrice(10**USD_SCALE)
"""A part that is worth less is not tried, unless it is all that is left."""
REST_USD_MIN: Final = UsdPrice(10 ** (USD_SCALE - 2))
"""A rest that is worth less goes back to the user with the part before it."""
_CLOSE_REJECTIONS_MAX = 2
"""After so many rejected closes a transaction leaves the account open, and a sweep closes it later."""


class TriggerTransactions:
    """Implements `orders.trigger.ports.Transactions`."""

    def __init__(self, custody: VaultCustody, tokens: Tokens, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self._custody = custody
        self._tokens = tokens
        self._price_of = price_of

    def vault_of(self, wallet: Wallet) -> Address:
        return self._custody.vault_of(wallet)

    async def block_height(self) -> int:
        return await self._custody.block_height()

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

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        return await self._custody.flaw(deposit.craft)

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

    async def shortfall(self, built: UnsignedTransaction) -> str | None:
        return await self._custody.shortfall(built)

    async def build_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        wallet, sale = group.terms.wallet, group.sale()
        token, output = self._tokens.get(sale.sold), self._tokens.get(sale.bought)
        if token is None or output is None:
            return SwapRefused(f"no such token: {sale.sold} or {sale.bought}")
        market = self._market(token, output)
        if isinstance(market, SwapRefused):
            return market
        if group.sells.posted and _is_worth_less(sale.amount, market, REST_USD_MIN):
            return await self._build_return(group, sale)
        quote = await self._custody.quote(wallet, _swap(sale, sale.amount, NOTHING))
        if isinstance(quote, SwapRefused):
            return quote
        part, rest = quote.takes, sale.amount - quote.takes
        if rest and _is_worth_less(part, market, PART_USD_MIN):
            return SwapRefused(_too_small_a_part(part, token))
        minimum = _minimum(group, output, market, quote)
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

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        return read_submission(transaction, wallet)

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        return alteration(built, submission)

    def unsigned_transaction(self, built: UnsignedTransaction) -> str:
        return self._custody.unsigned_text(built)

    def signature_of(self, group: OrderGroup, attempt: Attempt) -> Signature:
        return self._custody.signature_of(plan_of(group, attempt), attempt)

    async def outcome(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome | None:
        return await self._custody.outcome(plan_of(group, attempt), attempt)

    async def send(self, group: OrderGroup, attempt: Attempt) -> None:
        await self._custody.send(plan_of(group, attempt), attempt)

    def _market(self, token: Token, output: Token) -> Market | SwapRefused:
        price, output_price = self._price_of(token.mint), self._price_of(output.mint)
        if price is None or output_price is None:
            return SwapRefused(f"no price for {output.mint if price else token.mint}")
        return Market(price, token.decimals, output_price, output.decimals)


def plan_of(group: OrderGroup, attempt: Attempt) -> SigningPlan:
    """What keys of ours may sign in this attempt, whatever its bytes say."""
    terms, built = group.terms, attempt.craft
    payer, signers = _signatories(attempt.kind)
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
                payer, signers = _signatories(AttemptKind.SWEEP)
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


def _rejections(group: OrderGroup, account: Address) -> int:
    progress, is_output = group.progress, account == group.terms.output_account
    return progress.output_close_rejections if is_output else progress.close_rejections


def _may_close(rejections: int) -> bool:
    return rejections < _CLOSE_REJECTIONS_MAX


def _minimum(group: OrderGroup, output: Token, market: Market, quote: Quote) -> BaseUnits | SwapRefused:
    """The least that the user may receive for what the quote takes: what slippage allows, less the fee."""
    least = minimum_of(group, quote.takes, market)
    if quote.before_fee < least.units:
        return SwapRefused(_too_little(quote.before_fee, least, output))
    fee = quote.before_fee - quote.receives.units
    return BaseUnits(max(1, least.units - -(-fee * least.units // quote.before_fee)))


def _is_worth_less(amount: BaseUnits, market: Market, bound: UsdPrice) -> bool:
    """In US dollars. `amount` is of the input."""
    worth: int = amount.units * market.input_price.picodollars
    return worth < bound.picodollars * int(10**market.input_decimals)


def _too_small_a_part(part: BaseUnits, token: Token) -> str:
    amount = f"{decimal_text(part.units, token.decimals)} {token.symbol}"
    return f"only {amount} can be swapped at once now, which is worth less than {dollars(PART_USD_MIN)} USD"


def _too_little(before_fee: int, least: Minimum, token: Token) -> str:
    which, price = "trigger" if least.is_trigger else "current", decimal_text(least.price.picodollars, USD_SCALE)
    buffer = f"{least.slippage.bps} basis points beyond the {which} price of {price} USD"
    return f"{too_little(before_fee, least.units, token)} ({buffer})"
