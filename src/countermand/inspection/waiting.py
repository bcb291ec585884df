"""What an order waits for, as data: `for` says what, in the words of each family's `waiting`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from countermand.inspection.wording import failure_of, ticks_text
from countermand.orders.book.model import waiting as book
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import BookOrder
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.dca.model import waiting as dca
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.trigger.model import waiting as trigger
from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.order import Leg, OrderGroup
from countermand.orders.vaults.model.waiting import Waiting
from countermand.values.identity import Mint
from countermand.values.quantities import BPS_ONE, UsdPrice, dollars
from countermand.values.timeline import TimelineEntry

PriceOf = Callable[[Mint], UsdPrice | None]
WaitingData = dict[str, Any]


def trigger_waiting(
    group: OrderGroup, timeline: Sequence[TimelineEntry], price_of: PriceOf, lacks: str | None
) -> WaitingData | None:
    """`lacks`: why its deposit cannot land now."""
    waiting = trigger.waits_for(group)
    if waiting is None:
        return None
    data: WaitingData = {"for": waiting.value}
    match waiting:
        case Waiting.PRICE:
            price = price_of(group.terms.trigger_mint)
            armed = [_armed(leg, price) for _, leg in group.armed()]
            data |= {"mint": group.terms.trigger_mint, "priceUsd": _dollars(price), "legs": armed}
        case Waiting.PAUSE:
            data |= {"until": group.progress.retry_at, "reason": failure_of(timeline)}
        case Waiting.DEPOSIT:
            data |= {"lacks": lacks}
    return data


def _armed(leg: Leg, price: UsdPrice | None) -> WaitingData:
    """`awayBps`: how far the price must go, of the price of now."""
    target = leg.condition.price
    away = None
    if price is not None:
        rises = leg.condition.direction is Direction.ABOVE
        gap = target.picodollars - price.picodollars if rises else price.picodollars - target.picodollars
        away = gap * BPS_ONE // price.picodollars
    found = {
        "role": leg.role.value,
        "triggerCondition": leg.condition.direction.value,
        "triggerPriceUsd": dollars(target),
        "awayBps": away,
    }
    trail = leg.trail
    if trail is not None:
        found |= {"trailingBps": trail.distance.bps, "watermarkUsd": _dollars(trail.watermark)}
    return found


def dca_waiting(
    order: DcaOrder, timeline: Sequence[TimelineEntry], price_of: PriceOf, lacks: str | None
) -> WaitingData | None:
    """`lacks`: why its deposit cannot land now."""
    waiting = dca.waits_for(order)
    if waiting is None:
        return None
    data: WaitingData = {"for": waiting.value} | dict(_of_round(order, waiting, price_of))
    match waiting:
        case Waiting.PAUSE:
            data |= {"reason": failure_of(timeline)}
        case Waiting.DEPOSIT:
            data |= {"lacks": lacks}
    return data


def _of_round(order: DcaOrder, waiting: Waiting, price_of: PriceOf) -> Iterator[tuple[str, Any]]:
    if waiting not in (Waiting.ROUND, Waiting.PAUSE, Waiting.SWAP, Waiting.FILL):
        return
    yield "round", order.round_number
    yield "rounds", order.terms.plan.rounds
    if waiting is Waiting.ROUND:
        yield "until", order.progress.next_fill_at
    elif waiting is Waiting.PAUSE:
        yield "until", order.progress.retry_at
    band = order.terms.plan.band
    if band is not None:
        price = price_of(band.mint)
        yield "mint", band.mint
        yield "priceUsd", _dollars(price)
        yield "minPriceUsd", _dollars(band.least)
        yield "maxPriceUsd", _dollars(band.most)
        yield "inBand", None if price is None else band.holds(price)


def book_waiting(order: BookOrder, market: Market, last: Ticks | None) -> WaitingData | None:
    waiting, terms = book.waits_for(order, last), order.terms
    if waiting is None:
        return None
    data: WaitingData = {"for": waiting.value, "side": terms.side.value}
    if waiting is book.BookWaiting.STOP_PRICE:
        data |= {"price": _ticks(terms.stop, market), "last": _ticks(last, market)}
    elif waiting is book.BookWaiting.COUNTERPARTY:
        data |= {"price": _ticks(terms.price, market)}
    return data


def _ticks(price: Ticks | None, market: Market) -> str | None:
    return None if price is None else ticks_text(price, market)


def _dollars(price: UsdPrice | None) -> str | None:
    return None if price is None else dollars(price)
