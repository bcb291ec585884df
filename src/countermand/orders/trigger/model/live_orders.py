"""All trigger orders of a shard that are in memory, and the indexes of those that a price or an instant concerns.

They change by events only (`apply`), so a fold of the same events gives the same orders.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeAlias

from countermand.orders.trigger.model.commands import (
    Command,
    EndPause,
    ExpireOrder,
    MoveWatermarks,
    PlaceOrder,
    TriggerOrders,
)
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.decide import decide
from countermand.orders.trigger.model.events import Event, OrderPlaced, WatermarkMoved
from countermand.orders.trigger.model.lifecycle import evolve, next_due, place
from countermand.orders.trigger.model.order import OrderGroup, State, following
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.orders.trigger.model.trailing import Trail, TrailingIndex, Watermarks
from countermand.orders.trigger.model.trigger_index import TriggerIndex
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice
from countermand.values.structs import replace
from countermand.values.timer_queue import TimerQueue

OrderEvent: TypeAlias = tuple[OrderId, Event]

Take: TypeAlias = Callable[[UsdPrice, int], tuple[list[OrderId], bool]]
NO_ORDER: Final = OrderId("")
"""Whose event it is, if it is that of many."""
ORDERS_PER_SLICE: Final = 48
"""So many orders at most are concerned by one turn: what then holds the loop is below 5 ms at p99."""


class LiveOrders:
    def __init__(self) -> None:
        self.groups: dict[OrderId, OrderGroup] = {}
        self._armed = TriggerIndex(self.groups, _armed)
        self._paused = TriggerIndex(self.groups, _paused)
        self._timers = TimerQueue(self.groups, next_due)
        self._trailing: dict[tuple[Mint, Direction], _Trailing] = {}

    def trigger_mint(self, command: Command) -> Mint | None:
        """By whose price the command is judged. None: by none."""
        if isinstance(command, TriggerOrders | MoveWatermarks):
            return command.mint
        if isinstance(command, PlaceOrder) and any(leg.trail is not None for leg in command.legs):
            return command.trigger_mint
        group = self.groups.get(command.order_id)
        return None if group is None else group.terms.trigger_mint

    def decide(self, command: Command, moment: Moment) -> tuple[OrderEvent, ...] | TriggerRefused:
        """What the command would do. `moment` has the newest price of `trigger_mint`."""
        if isinstance(command, TriggerOrders):
            return self._trigger(command, Moment(moment.at, command.price))
        if isinstance(command, MoveWatermarks):
            return self._move(command)
        decision = decide(self._now(command.order_id), command, moment)
        if isinstance(decision, TriggerRefused):
            return decision
        return tuple((command.order_id, event) for event in decision)

    def _trigger(self, command: TriggerOrders, moment: Moment) -> tuple[OrderEvent, ...]:
        made: list[OrderEvent] = []
        for order_id in command.order_ids:
            decision = decide(self._now(order_id), command, moment)
            if not isinstance(decision, TriggerRefused):
                made.extend((order_id, event) for event in decision)
        return tuple(made)

    def _move(self, command: MoveWatermarks) -> tuple[OrderEvent, ...] | TriggerRefused:
        moved = [direction for direction in Direction if self._is_moved(command.mint, direction, command.price)]
        events = tuple((NO_ORDER, WatermarkMoved(command.mint, direction, command.price)) for direction in moved)
        return events or TriggerRefused(TriggerRefusal.NOTHING_TO_DO)

    def _is_moved(self, mint: Mint, direction: Direction, price: UsdPrice) -> bool:
        trailing = self._trailing.get((mint, direction))
        return trailing is not None and trailing.living.is_moved_by(price)

    def moves_watermarks(self, mint: Mint, price: UsdPrice) -> bool:
        return bool(self._trailing) and any(self._is_moved(mint, direction, price) for direction in Direction)

    def watermarks(self) -> Iterable[tuple[Mint, Watermarks]]:
        return [(mint, trailing.watermarks) for (mint, _), trailing in self._trailing.items()]

    def adopt_watermarks(self, mint: Mint, watermarks: Watermarks) -> None:
        """From storage, before the orders."""
        self._trailing[mint, watermarks.direction] = _Trailing(self, watermarks)

    def _now(self, order_id: OrderId) -> OrderGroup | None:
        group = self.groups.get(order_id)
        return None if group is None else followed(group, self._marks)

    def _marks(self, mint: Mint, direction: Direction) -> Watermarks:
        trailing = self._trailing.get((mint, direction))
        return Watermarks(direction) if trailing is None else trailing.watermarks

    def trail(self, group: OrderGroup) -> Trail | None:
        """How the order trails now, if it does."""
        if not group.is_trailing():
            return None
        (leg,) = group.legs
        trail = leg.trail
        assert trail is not None
        watermark = self._marks(group.terms.trigger_mint, leg.condition.direction).of(trail)
        return Trail(trail.distance, watermark)

    def take_crossed(
        self, mint: Mint, price: UsdPrice, *, at_once: bool, most: int = ORDERS_PER_SLICE
    ) -> tuple[list[OrderId], bool]:
        """At most so many of the orders that the price concerns, and whether there may be more.

        Those that it does not trigger must be watched again.
        """
        concerned, more = self._armed.take_crossed(mint, price, most)
        for take in self._further(mint, at_once=at_once):
            if more or len(concerned) == most:
                return concerned, True
            some, more = take(price, most - len(concerned))
            concerned += some
        return concerned, more

    def _further(self, mint: Mint, *, at_once: bool) -> Sequence[Take]:
        """Where else there may be orders that the price concerns."""
        paused: Sequence[Take] = [partial(self._paused.take_crossed, mint)] if at_once else []
        if not self._trailing:
            return paused
        trailing = [self._trailing.get((mint, direction)) for direction in Direction]
        armed = [each.armed.take_crossed for each in trailing if each is not None]
        return [*armed, *paused, *(each.paused.take_crossed for each in trailing if each is not None and at_once)]

    def watch_again(self, order_ids: Iterable[OrderId]) -> None:
        """After `take_crossed`, when those that are triggered are so."""
        for order_id in order_ids:
            if (group := self.groups.get(order_id)) is not None:
                self._watch(group)

    def apply(self, order_id: OrderId, event: Event, at: Instant) -> OrderGroup:
        """The order after the event, with the indexes adjusted."""
        before = self._now(order_id)
        if before is None:
            assert isinstance(event, OrderPlaced), f"{type(event).__name__} for order {order_id}, which is not here"
            after = self._marked(place(order_id, event, at))
        else:
            after = evolve(before, event, at)
        self._index(before, after)
        return after

    def _marked(self, group: OrderGroup) -> OrderGroup:
        """A new order knows all moves until now."""
        if not group.is_following():
            return group
        (leg,) = group.legs
        assert leg.trail is not None
        mark = self._marks(group.terms.trigger_mint, leg.condition.direction).mark
        return replace(group, legs=(replace(leg, trail=replace(leg.trail, mark=mark)),))

    def apply_move(self, event: WatermarkMoved) -> Watermarks:
        trailing = self._trailing[event.mint, event.direction]
        trailing.watermarks.moved(event.price)
        for index in (trailing.living, trailing.armed, trailing.paused):
            index.move(event.price)
        trailing.watermarks.keep(trailing.living.watermarks())
        return trailing.watermarks

    def adopt(self, group: OrderGroup) -> None:
        """Takes an order in from storage."""
        assert group.id not in self.groups, f"order {group.id} is here already"
        self._index(None, group)

    def evict(self, order_id: OrderId) -> None:
        del self.groups[order_id]

    def begin_due(self, at: Instant, most: int) -> bool:
        """A bounded step towards knowing what is due at `at`. False: another one is needed."""
        return self._timers.begin(at, most)

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        """What time demands of the orders that the command names, before it."""
        if isinstance(command, MoveWatermarks):
            return None
        named = command.order_ids if isinstance(command, TriggerOrders) else (command.order_id,)
        for order_id in named:
            group = self.groups.get(order_id)
            due = None if group is None else next_due(group)
            if group is not None and due is not None and due <= at:
                return due, _command_of_time(group, due)
        return None

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        """What time demands first, if it is due at `at`, and since when."""
        due = self._timers.due(at)
        if due is None:
            return None
        return due[0], _command_of_time(self.groups[due[1]], due[0])

    def _index(self, before: OrderGroup | None, after: OrderGroup) -> None:
        self.groups[after.id] = after
        due = next_due(after)
        if due is not None and (before is None or next_due(before) != due):
            self._timers.set(after.id, due)
        if before is None or _watching(before) != _watching(after):
            self._watch(after)

    def _watch(self, group: OrderGroup) -> None:
        trail = self.trail(group)
        if trail is None:
            self._armed.arm(group.id, group.terms.trigger_mint)
            self._paused.arm(group.id, group.terms.trigger_mint)
            return
        (leg,) = group.legs
        name = group.terms.trigger_mint, leg.condition.direction
        trailing = self._trailing.get(name)
        if trailing is None:
            trailing = self._trailing[name] = _Trailing(self, Watermarks(leg.condition.direction))
        trailing.living.arm(group.id, trail)
        if group.state is State.OPEN:
            (trailing.armed if group.progress.retry_at is None else trailing.paused).arm(group.id, trail)


def followed(group: OrderGroup, marks_of: Callable[[Mint, Direction], Watermarks]) -> OrderGroup:
    """The order, with its trigger where these watermarks say, if it trails."""
    if not group.is_following():
        return group
    (leg,) = group.legs
    assert leg.trail is not None
    marks = marks_of(group.terms.trigger_mint, leg.condition.direction)
    moved = following(leg, marks.of(leg.trail), marks.mark)
    return group if moved == leg else replace(group, legs=(moved,))


class _Trailing:
    """All that trail one mint in one direction: where their watermarks are, and which orders a price concerns."""

    __slots__ = ("armed", "living", "paused", "watermarks")

    def __init__(self, live: LiveOrders, watermarks: Watermarks) -> None:
        self.watermarks = watermarks
        self.living = TrailingIndex(watermarks.direction, live.groups, live.trail)
        self.armed = TrailingIndex(watermarks.direction, live.groups, _if(live.trail, _is_armed))
        self.paused = TrailingIndex(watermarks.direction, live.groups, _if(live.trail, _is_paused))


def _if(
    trail: Callable[[OrderGroup], Trail | None], holds: Callable[[OrderGroup], bool]
) -> Callable[[OrderGroup], Trail | None]:
    return lambda group: trail(group) if holds(group) else None


def _command_of_time(group: OrderGroup, due: Instant) -> Command:
    expires = group.state in (State.OPEN, State.TRIGGERED) and group.expires_at <= due
    return ExpireOrder(group.id) if expires else EndPause(group.id)


def _watching(group: OrderGroup) -> tuple[object, ...]:
    """All that decides how an order is watched."""
    return (group.state is State.OPEN, group.progress.retry_at is None, group.parent_is_done, group.legs)


def _armed(group: OrderGroup) -> Sequence[Condition]:
    """What makes any price concern the order."""
    return [leg.condition for _, leg in group.armed() if leg.trail is None] if _is_armed(group) else ()


def _paused(group: OrderGroup) -> Sequence[Condition]:
    """What makes only a price that acts at once concern the order."""
    return [leg.condition for _, leg in group.armed() if leg.trail is None] if _is_paused(group) else ()


def _is_armed(group: OrderGroup) -> bool:
    return group.state is State.OPEN and group.progress.retry_at is None


def _is_paused(group: OrderGroup) -> bool:
    return group.state is State.OPEN and group.progress.retry_at is not None
