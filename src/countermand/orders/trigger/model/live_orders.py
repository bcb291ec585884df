"""All trigger orders of a shard that are in memory, and the indexes of those that a price or an instant concerns.

They change by events only (`apply`), so a fold of the same events gives the same orders.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from countermand.orders.trigger.model.commands import Command, EndPause, ExpireOrder, TriggerOrders
from countermand.orders.trigger.model.condition import Condition
from countermand.orders.trigger.model.decide import decide
from countermand.orders.trigger.model.events import Event, OrderPlaced
from countermand.orders.trigger.model.lifecycle import evolve, next_due, place
from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.trigger.model.refusals import Refused
from countermand.orders.trigger.model.trigger_index import TriggerIndex
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import UsdPrice
from countermand.values.timer_queue import TimerQueue

OrderEvent: TypeAlias = tuple[OrderId, Event]

ORDERS_PER_SLICE: Final = 128
"""So many orders at most are concerned by one turn."""


class LiveOrders:
    def __init__(self) -> None:
        self.groups: dict[OrderId, OrderGroup] = {}
        self._armed = TriggerIndex(self.groups, _armed)
        self._paused = TriggerIndex(self.groups, _paused)
        self._timers = TimerQueue(self.groups, next_due)

    def trigger_mint(self, command: Command) -> Mint | None:
        """By whose price the command is judged. None: by none."""
        if isinstance(command, TriggerOrders):
            return command.mint
        group = self.groups.get(command.order_id)
        return None if group is None else group.terms.trigger_mint

    def decide(self, command: Command, moment: Moment) -> tuple[OrderEvent, ...] | Refused:
        """What the command would do. `moment` has the newest price of `trigger_mint`."""
        if isinstance(command, TriggerOrders):
            return self._trigger(command, Moment(moment.at, command.price))
        decision = decide(self.groups.get(command.order_id), command, moment)
        if isinstance(decision, Refused):
            return decision
        return tuple((command.order_id, event) for event in decision)

    def _trigger(self, command: TriggerOrders, moment: Moment) -> tuple[OrderEvent, ...]:
        made: list[OrderEvent] = []
        for order_id in command.order_ids:
            decision = decide(self.groups.get(order_id), command, moment)
            if not isinstance(decision, Refused):
                made.extend((order_id, event) for event in decision)
        return tuple(made)

    def take_crossed(
        self, mint: Mint, price: UsdPrice, *, at_once: bool, most: int = ORDERS_PER_SLICE
    ) -> tuple[list[OrderId], bool]:
        """At most so many of the orders that the price concerns, and whether there may be more.

        Those that it does not trigger must be watched again.
        """
        concerned, more = self._armed.take_crossed(mint, price, most)
        if at_once and not more and len(concerned) < most:
            paused, more = self._paused.take_crossed(mint, price, most - len(concerned))
            concerned += paused
        elif at_once:
            more = True
        return concerned, more

    def watch_again(self, order_ids: Iterable[OrderId]) -> None:
        """After `take_crossed`, when those that are triggered are so."""
        for order_id in order_ids:
            if (group := self.groups.get(order_id)) is not None:
                self._watch(group)

    def apply(self, order_id: OrderId, event: Event, at: Instant) -> OrderGroup:
        """The order after the event, with the indexes adjusted."""
        before = self.groups.get(order_id)
        if before is None:
            assert isinstance(event, OrderPlaced), f"{type(event).__name__} for order {order_id}, which is not here"
            after = place(order_id, event, at)
        else:
            after = evolve(before, event, at)
        self._index(before, after)
        return after

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
        self._armed.arm(group.id, group.terms.trigger_mint)
        self._paused.arm(group.id, group.terms.trigger_mint)


def _command_of_time(group: OrderGroup, due: Instant) -> Command:
    expires = group.state in (State.OPEN, State.READY_EXECUTE) and group.expires_at <= due
    return ExpireOrder(group.id) if expires else EndPause(group.id)


def _watching(group: OrderGroup) -> tuple[object, ...]:
    """All that decides how an order is watched."""
    return (group.state is State.OPEN, group.progress.retry_at is None, group.parent_is_done, group.legs)


def _armed(group: OrderGroup) -> Sequence[Condition]:
    """What makes any price concern the order."""
    is_armed = group.state is State.OPEN and group.progress.retry_at is None
    return [leg.condition for _, leg in group.armed()] if is_armed else ()


def _paused(group: OrderGroup) -> Sequence[Condition]:
    """What makes only a price that acts at once concern the order."""
    is_paused = group.state is State.OPEN and group.progress.retry_at is not None
    return [leg.condition for _, leg in group.armed()] if is_paused else ()
