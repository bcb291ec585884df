"""All recurring orders of a shard that are in memory, with the timers of those that an instant concerns.

They change by events only (`apply`), so a fold of the same events gives the same orders.
"""

from typing import TypeAlias

from countermand.orders.dca.model.commands import BeginRound, Command, EndPause, PlaceOrder
from countermand.orders.dca.model.decide import decide
from countermand.orders.dca.model.events import Event, OrderPlaced
from countermand.orders.dca.model.lifecycle import ACTIVE, evolve, next_due, place
from countermand.orders.dca.model.order import DcaOrder, State
from countermand.orders.dca.model.refusals import DcaRefused
from countermand.values.identity import Mint, OrderId, Wallet
from countermand.values.instant import Instant, Moment
from countermand.values.timer_queue import TimerQueue

OrderEvent: TypeAlias = tuple[OrderId, Event]


class LiveOrders:
    def __init__(self) -> None:
        self.orders: dict[OrderId, DcaOrder] = {}
        self._timers = TimerQueue(self.orders, next_due)
        self._active: dict[Wallet, int] = {}
        """How many active orders each wallet has."""

    def active(self, wallet: Wallet) -> int:
        return self._active.get(wallet, 0)

    def judged_by(self, command: Command) -> Mint | None:
        """By whose price the command is judged. None: by none."""
        order = self.orders.get(command.order_id) if isinstance(command, BeginRound) else None
        band = None if order is None else order.terms.plan.band
        return None if band is None else band.mint

    def decide(self, command: Command, moment: Moment) -> tuple[OrderEvent, ...] | DcaRefused:
        """What the command would do. `moment` has the newest price of `judged_by`."""
        active = self.active(command.wallet) if isinstance(command, PlaceOrder) else 0
        decision = decide(self.orders.get(command.order_id), command, moment, active=active)
        if isinstance(decision, DcaRefused):
            return decision
        return tuple((command.order_id, event) for event in decision)

    def apply(self, order_id: OrderId, event: Event, at: Instant) -> DcaOrder:
        """The order after the event, with the timers adjusted."""
        before = self.orders.get(order_id)
        if before is None:
            assert isinstance(event, OrderPlaced), f"{type(event).__name__} for order {order_id}, which is not here"
            after = place(order_id, event, at)
        else:
            after = evolve(before, event, at)
        self._index(before, after)
        return after

    def adopt(self, order: DcaOrder) -> None:
        """Takes an order in from storage."""
        assert order.id not in self.orders, f"order {order.id} is here already"
        self._index(None, order)

    def evict(self, order_id: OrderId) -> None:
        """Of an order that is not active."""
        del self.orders[order_id]

    def begin_due(self, at: Instant, most: int) -> bool:
        """A bounded step towards knowing what is due at `at`. False: another one is needed."""
        return self._timers.begin(at, most)

    def due_before(self, command: Command, at: Instant) -> tuple[Instant, Command] | None:
        """What time demands of the order that the command names, before it.

        A round happens now, by the price of now, also when it was due long ago: so it is due since now.
        """
        order = self.orders.get(command.order_id)
        due = None if order is None else next_due(order)
        if order is None or due is None or due > at:
            return None
        return at, _command_of_time(order)

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        """What time demands first, if it is due at `at`; since now, as above."""
        due = self._timers.due(at)
        return None if due is None else (at, _command_of_time(self.orders[due[1]]))

    def _index(self, before: DcaOrder | None, after: DcaOrder) -> None:
        self.orders[after.id] = after
        due = next_due(after)
        if due is not None and (before is None or next_due(before) != due):
            self._timers.set(after.id, due)
        self._count(after.terms.wallet, _is_active(after) - (before is not None and _is_active(before)))

    def _count(self, wallet: Wallet, more: int) -> None:
        active = self._active.get(wallet, 0) + more
        if active:
            self._active[wallet] = active
        else:
            self._active.pop(wallet, None)


def _is_active(order: DcaOrder) -> bool:
    return order.state in ACTIVE


def _command_of_time(order: DcaOrder) -> Command:
    return BeginRound(order.id) if order.state is State.ACTIVE else EndPause(order.id)
