"""All trigger orders of a shard that are in memory, and the indexes that tell whom a price or an instant concerns.

The desk changes by events only (`apply`), so whoever folds the same events has the same desk.
"""

from countermand.domain.identity import Mint, OrderId
from countermand.domain.instant import Instant, Moment
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command, EndPause, ExpireOrder, ObservePrice
from countermand.domain.trigger.decide import decide
from countermand.domain.trigger.events import Event, OrderPlaced
from countermand.domain.trigger.lifecycle import evolve, next_due, place
from countermand.domain.trigger.order import OrderGroup, State
from countermand.domain.trigger.refusals import Refused
from countermand.domain.trigger.timers import Timers
from countermand.domain.trigger.watch import Watch

Happened = tuple[tuple[OrderId, Event], ...]


class Desk:
    def __init__(self) -> None:
        self.groups: dict[OrderId, OrderGroup] = {}
        self.prices: dict[Mint, UsdPrice] = {}
        """The newest that was observed. Not the result of events: a price that crosses nothing is no event."""
        self._armed = Watch()
        self._paused = Watch()
        self._timers = Timers(self._due)

    def moment(self, command: Command, at: Instant) -> Moment:
        """The instant, and the price by which the command is judged."""
        if isinstance(command, ObservePrice):
            return Moment(at, command.price)
        group = self.groups.get(command.order_id)
        return Moment(at, None if group is None else self.prices.get(group.terms.trigger_mint))

    def decide(self, command: Command, moment: Moment) -> Happened | Refused:
        """What the command does. Whatever is returned must be applied, before anything else is decided."""
        if isinstance(command, ObservePrice):
            return self._observe(command, moment)
        decision = decide(self.groups.get(command.order_id), command, moment)
        if isinstance(decision, Refused):
            return decision
        return tuple((command.order_id, event) for event in decision)

    def _observe(self, command: ObservePrice, moment: Moment) -> Happened:
        concerned = self._armed.take_crossed(command.mint, command.price)
        if command.at_once:
            concerned += self._paused.take_crossed(command.mint, command.price)
        happened: list[tuple[OrderId, Event]] = []
        for order_id in concerned:
            decision = decide(self.groups[order_id], command, moment)
            if isinstance(decision, Refused):
                self._watch(self.groups[order_id])
            else:
                happened.extend((order_id, event) for event in decision)
        return tuple(happened)

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
        self._armed.disarm(order_id)
        self._paused.disarm(order_id)

    def next_due(self) -> Instant | None:
        due = self._timers.next_due()
        return None if due is None else due[0]

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        """What time demands first, if it is due at `at`, and since when."""
        due = self._timers.due(at)
        if due is None:
            return None
        group = self.groups[due[1]]
        expires = group.state in (State.OPEN, State.READY_EXECUTE) and group.expires_at <= due[0]
        return due[0], ExpireOrder(group.id) if expires else EndPause(group.id)

    def _due(self, order_id: OrderId) -> Instant | None:
        group = self.groups.get(order_id)
        return None if group is None else next_due(group)

    def _index(self, before: OrderGroup | None, after: OrderGroup) -> None:
        self.groups[after.id] = after
        due = next_due(after)
        if due is not None and (before is None or next_due(before) != due):
            self._timers.set(after.id, due)
        if before is None or _watched(before) != _watched(after):
            self._watch(after)

    def _watch(self, group: OrderGroup) -> None:
        self._armed.disarm(group.id)
        self._paused.disarm(group.id)
        if group.state is State.OPEN:
            watch = self._armed if group.retry_at is None else self._paused
            watch.arm(group.id, group.terms.trigger_mint, (leg.condition for leg in group.legs))


def _watched(group: OrderGroup) -> tuple[object, ...]:
    """All that decides how an order is watched."""
    return (group.state is State.OPEN, group.retry_at is None, group.legs)
