"""What an order waits for, in words."""

from collections.abc import Callable, Sequence
from typing import Final

from countermand.orders.book.model import waiting as book
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import BUY, BookOrder
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.dca import journal as dca_journal
from countermand.orders.dca.model import waiting as dca_waiting
from countermand.orders.dca.model.events import RoundPostponed
from countermand.orders.dca.model.order import DcaOrder, PriceBand
from countermand.orders.trigger import journal as trigger_journal
from countermand.orders.trigger.model import waiting as trigger_waiting
from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.events import FillFailed
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.words import condition_words
from countermand.orders.vaults.model.waiting import Waiting
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice, decimal_text, dollars
from countermand.values.timeline import TimelineEntry

PriceOf = Callable[[Mint], UsdPrice | None]
FILL_FAILED: Final = trigger_journal.EVENTS.name_of_type(FillFailed)
ROUND_POSTPONED: Final = dca_journal.EVENTS.name_of_type(RoundPostponed)

WORDS: Final = {
    Waiting.DEPOSIT: "its deposit has not landed",
    Waiting.SWAP: "it is to be filled, and the fill is being built",
    Waiting.FILL: "its fill has not landed",
    Waiting.REST: "a part was filled, and the rest is to be judged by the price of now",
    Waiting.CANCEL: "it expired: its owner has to cancel it to get the funds back",
    Waiting.ANOTHER_CANCEL: "there is no withdrawal that could be signed: its owner has to cancel again",
    Waiting.SIGNATURE: "its owner has to sign the withdrawal, and to confirm it",
    Waiting.WITHDRAWAL: "its withdrawal has not landed",
    Waiting.SWEEP: "it has ended, and its token account is still to be closed",
}
IN_OTHER_WORDS: Final = (Waiting.PRICE, Waiting.ROUND, Waiting.PAUSE)


def trigger_waits_for(
    group: OrderGroup, timeline: Sequence[TimelineEntry], price_of: PriceOf, now: Instant, lacks: str | None = None
) -> str | None:
    """None: for nothing. `timeline`: at least its newest failure. `lacks`: why its deposit cannot land now."""
    waiting = trigger_waiting.waits_for(group)
    if waiting is Waiting.DEPOSIT and lacks is not None:
        return f"{WORDS[waiting]}: {lacks}"
    if waiting is Waiting.PRICE:
        return _price_words(group, price_of)
    if waiting is Waiting.PAUSE:
        return _pause_words(group, timeline, now)
    return None if waiting is None else WORDS[waiting]


def _price_words(group: OrderGroup, price_of: PriceOf) -> str:
    shown = _price_is(price_of(group.terms.trigger_mint))
    armed = [leg for _, leg in group.armed()]
    words = f"triggers at {' or '.join(condition_words(leg.condition) for leg in armed)}, {shown}"
    trail = armed[0].trail if armed else None
    if trail is None or trail.watermark is None:
        return words
    mark = "high" if armed[0].condition.direction is Direction.BELOW else "low"
    return (
        f"{words}; it follows {decimal_text(trail.distance.bps, 2)} % behind the {mark} of {dollars(trail.watermark)}"
    )


def _price_is(price: UsdPrice | None) -> str:
    return "the price is not known" if price is None else f"the price is {dollars(price)}"


def _pause_words(group: OrderGroup, timeline: Sequence[TimelineEntry], now: Instant) -> str:
    retry_at = group.progress.retry_at
    assert retry_at is not None, f"order {group.id} does not pause"
    failure = failure_of(timeline)
    why = "its last fill failed" if failure is None else f"its last fill failed ({failure})"
    seconds = seconds_until(retry_at, now)
    return f"{why}; next try in {seconds} s of the venue's clock, or when PUT /sandbox/prices sets its price"


def failure_of(timeline: Sequence[TimelineEntry]) -> str | None:
    """Why the newest fill, or try of a round, failed, if one did."""
    return next((entry.reason for entry in reversed(timeline) if entry.event in (FILL_FAILED, ROUND_POSTPONED)), None)


def dca_waits_for(
    order: DcaOrder, timeline: Sequence[TimelineEntry], price_of: PriceOf, now: Instant, lacks: str | None = None
) -> str | None:
    """None: for nothing. `timeline` and `lacks` as of a trigger order."""
    waiting, progress = dca_waiting.waits_for(order), order.progress
    round_words = f"round {order.round_number} of {order.terms.plan.rounds}"
    if waiting is Waiting.DEPOSIT and lacks is not None:
        return f"{WORDS[waiting]}: {lacks}"
    if waiting is Waiting.ROUND:
        due = f"{round_words} is due in {seconds_until(progress.next_fill_at, now)} s of the venue's clock"
        band = order.terms.plan.band
        return due if band is None else f"{due}, at {_band_words(band)}; {_price_is(price_of(band.mint))}"
    if waiting is Waiting.PAUSE:
        assert progress.retry_at is not None, f"order {order.id} does not pause"
        seconds, failure = seconds_until(progress.retry_at, now), failure_of(timeline)
        why = "" if failure is None else f" ({failure})"
        return f"a swap of {round_words} failed{why}; next try in {seconds} s of the venue's clock"
    return None if waiting is None else WORDS[waiting]


def _band_words(band: PriceBand) -> str:
    bounds = (("≥", band.least), ("≤", band.most))
    return " and ".join(f"{sign} {dollars(bound)}" for sign, bound in bounds if bound is not None)


def seconds_until(until: Instant, now: Instant) -> str:
    return decimal_text(max(0, until - now), 3)


def book_waits_for(order: BookOrder, market: Market, last: Ticks | None) -> str | None:
    match book.waits_for(order, last):
        case book.BookWaiting.STOP_PRICE:
            assert order.terms.stop is not None, f"order {order.id} has no stop price"
            side = "≥" if order.terms.side is BUY else "≤"
            shown = "nothing was traded yet" if last is None else f"the last was at {ticks_text(last, market)}"
            return f"a trade at {side} {ticks_text(order.terms.stop, market)}; {shown}"
        case book.BookWaiting.TURN:
            return "it enters the book next"
        case book.BookWaiting.COUNTERPARTY:
            other = "sells at ≤" if order.terms.side is BUY else "buys at ≥"
            price = "any price" if order.terms.price is None else ticks_text(order.terms.price, market)
            return f"an order that {other} {price}"
    return None


def ticks_text(price: Ticks, market: Market) -> str:
    return decimal_text(price.ticks, market.price_decimals)
