"""Any order of any family as it is shown: its terms, its timeline, and what it waits for."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from countermand.addresses import is_address
from countermand.dialects.tanx.accounts import account_of
from countermand.dialects.tanx.names import STATES as BOOK_STATES
from countermand.dialects.tanx.names import STATUSES as BOOK_STATUSES
from countermand.dialects.trigger_v2.states import DCA, RAW, DcaRawState, DisplayState, display_state
from countermand.inspection.on_chain import ChainOrders
from countermand.inspection.queries import QueryRefused, limit_in, refused_choice, shown
from countermand.inspection.timelines import shown_timeline
from countermand.inspection.waiting import book_waiting, dca_waiting, trigger_waiting
from countermand.inspection.wording import (
    FILL_FAILED,
    ROUND_POSTPONED,
    PriceOf,
    book_waits_for,
    dca_waits_for,
    ticks_text,
    trigger_waits_for,
)
from countermand.kernel.ports import Unavailable
from countermand.orders.book.inspection import BookInspection
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BookOrder
from countermand.orders.book.model.order import OrderId as BookOrderId
from countermand.orders.book.model.quantities import Ticks
from countermand.orders.chain.inspection import ChainInspection
from countermand.orders.chain.model.order import ChainFamily
from countermand.orders.chain.model.order import ChainOrderState as ChainState
from countermand.orders.dca.inspection import DcaInspection
from countermand.orders.dca.model import waiting as dca
from countermand.orders.dca.model.lifecycle import next_fill_at
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.order import State as DcaOrderState
from countermand.orders.trigger.inspection import TriggerInspection
from countermand.orders.trigger.model import waiting as trigger
from countermand.orders.trigger.model.order import Leg, OrderGroup
from countermand.orders.trigger.model.order import State as TriggerState
from countermand.orders.vaults.model.order import Phase
from countermand.orders.vaults.model.waiting import Waiting
from countermand.values.identity import Address, OrderId
from countermand.values.instant import Instant
from countermand.values.quantities import decimal_text, dollars
from countermand.values.timeline import TimelineEntry
from countermand.values.transactions import Attempt, UnsignedTransaction

TRIGGER: Final = "trigger"
DCA_FAMILY: Final = "dca"
BOOK: Final = "book"
STATES: Final[Mapping[str, Sequence[str]]] = {
    TRIGGER: tuple(state.value for state in DisplayState),
    DCA_FAMILY: tuple(state.value for state in DcaRawState),
    BOOK: tuple(BOOK_STATES.values()),
    **{family.value: tuple(state.value for state in ChainState) for family in ChainFamily},
}
"""Which states the orders of each family have."""
PARAMETERS: Final = ("family", "wallet", "state", "limit")
LIMIT: Final = 50
LIMIT_MAX: Final = 2_000
_BOOK_ID_DIGITS_MAX: Final = 18
_UNPAID: Final = (Phase.DEPOSITING, Phase.DEPOSIT_FAILED)

Shown = dict[str, Any]


class OrdersAsked(Struct, frozen=True):
    """None: any."""

    family: str | None
    owner: str | None
    state: str | None
    limit: int

    def wants(self, family: str) -> bool:
        """The family may hold an order that matches: a wallet has none in the book, an account has only those."""
        if self.family not in (None, family) or (self.state is not None and self.state not in STATES[family]):
            return False
        return self.owner is None or (account_of(self.owner) is not None) == (family == BOOK)


def asked(parameters: Mapping[str, str]) -> OrdersAsked:
    """Raises `QueryRefused`."""
    family, state, owner = parameters.get("family"), parameters.get("state"), parameters.get("wallet")
    if family is not None and family not in STATES:
        raise refused_choice("family", family, tuple(STATES))
    states = [each for name, each in STATES.items() if family in (None, name)]
    if state is not None and not any(state in each for each in states):
        raise refused_choice("state", state, tuple(dict.fromkeys(each for group in states for each in group)))
    if owner is not None:
        account = account_of(owner)
        if account is None and not is_address(owner):
            raise QueryRefused(f"wallet: {shown(owner)!r} is no wallet in base58, and no Ethereum address")
        owner = account or owner
    return OrdersAsked(family, owner, state, limit_in(parameters.get("limit", str(LIMIT)), LIMIT_MAX))


def is_book_id(name: str) -> bool:
    """What may be the id of an order at tanX."""
    return name.isascii() and name.isdigit() and len(name) <= _BOOK_ID_DIGITS_MAX


class OrderInspector:
    """Every method may raise `Unavailable`."""

    def __init__(
        self,
        trigger: TriggerInspection,
        dca: DcaInspection,
        book: BookInspection,
        chain: ChainInspection,
        chain_orders: ChainOrders,
        markets: Mapping[MarketSymbol, Market],
        price_of: PriceOf,
        now: Callable[[], Instant],
        flaw: Callable[[UnsignedTransaction], Awaitable[str | None]],
        *,
        owns_chain: bool,
    ) -> None:
        """`flaw`: why the chain would not take a transaction now; it may raise `Unavailable`.

        `owns_chain`: the orders on the chain are all of this venue; else those of one owner alone are looked for.
        """
        self._trigger = trigger
        self._dca = dca
        self._book = book
        self._chain = chain
        self._chain_orders = chain_orders
        self._owns_chain = owns_chain
        self._markets = markets
        self._price_of = price_of
        self._now = now
        self._flaw = flaw

    async def order(self, name: str) -> Shown | None:
        """By its id, or by its account on the chain."""
        if is_book_id(name):
            return await self._book_order(BookOrderId(int(name)))
        if is_address(name):
            found = await self._chain.order(Address(name))
            return None if found is None else self._chain_orders.shown(found)
        try:
            uuid = str(UUID(name))
        except ValueError:
            return None
        return (
            await self._trigger_order(OrderId(uuid))
            or await self._dca_order(OrderId(uuid))
            or await self._book_order(uuid)
        )

    async def orders(self, wanted: OrdersAsked) -> list[Shown]:
        """The newest first, without timelines. Orders on the chain are found while they are open."""
        found: list[Shown] = []
        for family in STATES:
            if wanted.wants(family):
                found += await self._orders_of(family, wanted, wanted.limit)
        found.sort(key=itemgetter("createdAt"), reverse=True)
        return found[: wanted.limit]

    async def _orders_of(self, family: str, wanted: OrdersAsked, limit: int) -> list[Shown]:
        if family == TRIGGER:
            return await self._trigger_orders(wanted, limit)
        if family == DCA_FAMILY:
            return await self._dca_orders(wanted, limit)
        if family == BOOK:
            return await self._book_orders(wanted, limit)
        if wanted.state not in (None, ChainState.OPEN.value) or (wanted.owner is None and not self._owns_chain):
            return []
        owner = None if wanted.owner is None else Address(wanted.owner)
        found = await self._chain.open_orders(ChainFamily(family), owner)
        return [self._chain_orders.shown(each) for each in found[:limit]]

    async def _trigger_order(self, order_id: OrderId) -> Shown | None:
        found = await self._trigger.order(order_id)
        if found is None:
            return None
        group, timeline = found.order, found.timeline
        lacks = await self._lacks(group.progress.attempt if group.state is TriggerState.DEPOSITING else None)
        return self._shown_trigger(group, timeline, self._now(), lacks) | {"timeline": shown_timeline(timeline)}

    async def _lacks(self, deposit: Attempt | None) -> str | None:
        """Why a deposit cannot land now. A chain that is silent says nothing."""
        if deposit is None:
            return None
        try:
            return await self._flaw(deposit.craft)
        except Unavailable:
            return None

    async def _trigger_orders(self, wanted: OrdersAsked, limit: int) -> list[Shown]:
        states = None
        if wanted.state is not None:
            states = [state for state in TriggerState if display_state(state).value == wanted.state]
        groups = await self._trigger.orders(wanted.owner, states, limit)
        pausing = [each for each in groups if trigger.waits_for(each) is Waiting.PAUSE]
        failures = await self._trigger.newest(pausing, FILL_FAILED)
        now = self._now()
        return [self._shown_trigger(each, _all_of(failures.get(each.id)), now) for each in groups]

    def _shown_trigger(
        self, group: OrderGroup, timeline: Sequence[TimelineEntry], now: Instant, lacks: str | None = None
    ) -> Shown:
        words = trigger_waits_for(group, timeline, self._price_of, now, lacks)
        waiting = trigger_waiting(group, timeline, self._price_of, lacks)
        return _trigger_order(group) | {"waitsFor": words, "waiting": waiting}

    async def _dca_order(self, order_id: OrderId) -> Shown | None:
        found = await self._dca.order(order_id)
        if found is None:
            return None
        order, timeline = found.order, found.timeline
        lacks = await self._lacks(order.progress.attempt if order.state is DcaOrderState.DEPOSITING else None)
        return self._shown_dca(order, timeline, self._now(), lacks) | {"timeline": shown_timeline(timeline)}

    def _shown_dca(
        self, order: DcaOrder, timeline: Sequence[TimelineEntry], now: Instant, lacks: str | None = None
    ) -> Shown:
        words = dca_waits_for(order, timeline, self._price_of, now, lacks)
        waiting = dca_waiting(order, timeline, self._price_of, lacks)
        return _dca_order(order) | {"waitsFor": words, "waiting": waiting}

    async def _dca_orders(self, wanted: OrdersAsked, limit: int) -> list[Shown]:
        states = None
        if wanted.state is not None:
            states = [state for state in DcaOrderState if DCA[state].value == wanted.state]
        orders = await self._dca.orders(wanted.owner, states, limit)
        pausing = [each for each in orders if dca.waits_for(each) is Waiting.PAUSE]
        failures = await self._dca.newest(pausing, ROUND_POSTPONED)
        now = self._now()
        return [self._shown_dca(each, _all_of(failures.get(each.id)), now) for each in orders]

    async def _book_order(self, which: BookOrderId | str) -> Shown | None:
        found = await self._book.order(which)
        if found is None:
            return None
        shown_order = self._of_book(found.order, await self._book.last_trades())
        return shown_order | {"timeline": shown_timeline(found.timeline)}

    async def _book_orders(self, wanted: OrdersAsked, limit: int) -> list[Shown]:
        states = None if wanted.state is None else [BOOK_STATUSES[wanted.state]]
        orders = await self._book.orders(wanted.owner, states, limit)
        lasts = await self._book.last_trades()  # Once: each look asks the database whose the books are.
        return [self._of_book(each, lasts) for each in orders]

    def _of_book(self, order: BookOrder, lasts: Mapping[MarketSymbol, Ticks | None]) -> Shown:
        market = self._markets[order.terms.market]
        last = lasts[market.symbol]
        words, waiting = book_waits_for(order, market, last), book_waiting(order, market, last)
        return _book_order(order, market) | {"waitsFor": words, "waiting": waiting}


def _all_of(newest: TimelineEntry | None) -> Sequence[TimelineEntry]:
    return () if newest is None else (newest,)


def _trigger_order(group: OrderGroup) -> Shown:
    terms, progress = group.terms, group.progress
    return {
        "id": group.id,
        "family": TRIGGER,
        "state": display_state(group.state).value,
        "rawState": RAW[group.state].value,
        "wallet": terms.wallet,
        "orderType": terms.family.value,
        "inputMint": terms.input_mint,
        "outputMint": terms.output_mint,
        "triggerMint": terms.trigger_mint,
        "inputAccount": terms.input_account,
        "outputAccount": terms.output_account,
        "amount": str(terms.deposited.units),
        "remaining": _remaining(group),
        "received": str(progress.received.units),
        "kept": None if progress.proceeds is None else str(progress.proceeds.left.units),
        "legs": [_leg(leg) for leg in group.legs],
        "armedLegs": [number for number, _ in group.armed()],
        "failedFills": progress.failed_fills,
        "retryAt": progress.retry_at,
        "expiresAt": group.expires_at,
        "createdAt": group.created_at,
        "updatedAt": group.updated_at,
    }


def _dca_order(order: DcaOrder) -> Shown:
    terms, progress, plan = order.terms, order.progress, order.terms.plan
    band = plan.band
    return {
        "id": order.id,
        "family": DCA_FAMILY,
        "state": DCA[order.state].value,
        "wallet": terms.wallet,
        "inputMint": terms.input_mint,
        "outputMint": terms.output_mint,
        "triggerMint": None if band is None else band.mint,
        "minPriceUsd": None if band is None or band.least is None else dollars(band.least),
        "maxPriceUsd": None if band is None or band.most is None else dollars(band.most),
        "inputAccount": terms.input_account,
        "amount": str(terms.deposited.units),
        "remaining": _remaining(order),
        "received": str(progress.received.units),
        "rounds": plan.rounds,
        "roundsFilled": progress.rounds_filled,
        "intervalSeconds": plan.interval_s,
        "nextFillAt": next_fill_at(order),
        "failedFills": progress.failures,
        "retryAt": progress.retry_at,
        "createdAt": order.created_at,
        "updatedAt": order.updated_at,
    }


def _remaining(order: OrderGroup | DcaOrder) -> str:
    """What it holds of its deposit: of one that failed, or has not landed yet, nothing came."""
    return "0" if order.state.phase in _UNPAID else str(order.remaining.units)


def _leg(leg: Leg) -> Shown:
    return {
        "role": leg.role.value,
        "triggerCondition": leg.condition.direction.value,
        "triggerPriceUsd": dollars(leg.condition.price),
        "slippageBps": None if leg.slippage is None else leg.slippage.bps,
        **_trail(leg),
    }


def _trail(leg: Leg) -> Shown:
    trail = leg.trail
    if trail is None:
        return {}
    return {
        "trailingBps": trail.distance.bps,
        "watermarkUsd": None if trail.watermark is None else dollars(trail.watermark),
    }


def _book_order(order: BookOrder, market: Market) -> Shown:
    terms = order.terms
    return {
        "id": order.id,
        "family": BOOK,
        "state": BOOK_STATES[order.state],
        "account": terms.account,
        "uuid": order.uuid,
        "market": terms.market,
        "side": terms.side.value,
        "kind": terms.kind.value,
        "price": None if terms.price is None else ticks_text(terms.price, market),
        "stopPrice": None if terms.stop is None else ticks_text(terms.stop, market),
        "volume": decimal_text(order.origin.lots, market.volume_decimals),
        "executed": decimal_text(order.executed.lots, market.volume_decimals),
        "average": None if order.average is None else ticks_text(order.average, market),
        "createdAt": order.created_at,
        "updatedAt": order.updated_at,
    }
