"""The outbox: what committed orders are owed by the world, and what the world answers, as commands again.

It keeps no list of its own that could lose an entry: what is owed is a function of the committed orders, so a restart
finds it again. It only ever acts on orders as they were committed.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct, field

from countermand.kernel import telemetry
from countermand.kernel.ports import Clock, CommitUnknown, Unavailable
from countermand.values.identity import OrderId
from countermand.values.transactions import Attempt, AttemptKind

URGENT_WORKERS: Final = 64
"""Deposits and withdrawals, for which a client waits."""
FILL_WORKERS: Final = 16
"""A fill waits for four commits, so some must wait together. How long they hold the loop is the chain's to bound."""
_POLL_MS: Final = 5
_POLL_MS_MAX: Final = 500
_RESEND_MS_MAX: Final = 10_000
"""A blockhash lives for about a minute, and a node that is started anew has forgotten what it was to send."""


class _Progress(Protocol):
    @property
    def attempts(self) -> int:
        """How many there were."""

    @property
    def attempt(self) -> Attempt | None:
        """The unresolved one."""


class OwedOrder(Protocol):
    """What an outbox needs to know of an order."""

    @property
    def id(self) -> OrderId: ...

    @property
    def progress(self) -> _Progress: ...


Order = TypeVar("Order", bound=OwedOrder)


class Owed(Struct, Generic[Order], gc=False):
    """An order that is owed something."""

    order: Order
    """As it was committed last."""
    attempt_seen: int
    """The attempt that `sent_at` is about."""
    asked_first: bool
    """Its attempt may have been sent before we started: ask for its outcome before sending."""
    sent_at: int | None = None
    poll_ms: int = _POLL_MS
    queued: bool = False
    working: bool = False
    again: bool = False


class _Queue(Struct):
    """Orders that wait for one of so many workers. A worker is there while it has work."""

    workers_max: int
    waiting: deque[OrderId] = field(default_factory=deque)
    workers: int = 0


class Outbox(ABC, Generic[Order]):
    """A family says what its orders are owed, and does it."""

    def __init__(self, clock: Clock, confirm_timeout_ms: int) -> None:
        self._clock = clock
        self._resend_ms = min(2 * confirm_timeout_ms, _RESEND_MS_MAX)
        self._entries: dict[OrderId, Owed[Order]] = {}
        self._told = 0
        self._urgent = _Queue(URGENT_WORKERS)
        self._unhurried = _Queue(FILL_WORKERS)
        self._workers: asyncio.TaskGroup | None = None
        """While it runs."""
        self._context = Context()

    # --- what a family adds

    @abstractmethod
    def _is_owed(self, order: Order) -> bool:
        """Something, if only the outcome of its attempt."""

    @abstractmethod
    async def _begin(self, order: Order) -> None:
        """What it is owed while no attempt of it is unresolved. A commit will say what came of it."""

    @abstractmethod
    async def _send(self, order: Order, attempt: Attempt) -> None:
        """Doing it twice is doing it once."""

    @abstractmethod
    async def poll_outcome(self, order: Order) -> bool:
        """Asks the chain what became of the order's unresolved attempt, and commits what it learns."""

    # --- what is owed

    async def run(self) -> None:
        async with asyncio.TaskGroup() as workers:
            # What a worker does belongs to no request, whichever brought it about.
            self._workers, self._context = workers, copy_context()
            try:
                for queue in (self._urgent, self._unhurried):
                    for _ in queue.waiting:
                        self._hire(queue)
                await asyncio.Event().wait()
            finally:
                self._workers = None

    def on_committed(self, orders: Sequence[Order], loaded: bool) -> None:
        if loaded:
            self._entries.clear()
        for order in orders:
            self._consider(order, loaded)
        telemetry.outbox_pending(len(self._entries) - self._told)
        self._told = len(self._entries)

    def is_idle(self) -> bool:
        return not self._entries

    def owed(self) -> Sequence[OrderId]:
        return tuple(self._entries)

    def send_now(self, order_id: OrderId) -> None:
        """A request was repeated, and waits: send the unresolved attempt at once, and look soon whether it landed."""
        entry = self._entries.get(order_id)
        if entry is not None:
            entry.sent_at, entry.poll_ms = None, _POLL_MS
            self._enqueue(entry)

    def _consider(self, order: Order, loaded: bool) -> None:
        if not self._is_owed(order):
            self._entries.pop(order.id, None)
            return
        number = order.progress.attempts
        entry = self._entries.get(order.id)
        if entry is None:
            entry = self._entries[order.id] = Owed(order, number, asked_first=loaded)
        elif entry.attempt_seen != number:
            entry.attempt_seen, entry.asked_first, entry.sent_at, entry.poll_ms = number, False, None, _POLL_MS
        entry.order = order
        self._enqueue(entry)

    def _enqueue(self, entry: Owed[Order]) -> None:
        if entry.working:
            entry.again = True
        elif not entry.queued:
            entry.queued = True
            if _is_urgent(entry.order):
                self._urgent.waiting.append(entry.order.id)
                self._hire(self._urgent)
            else:
                # What is in flight goes before what only begins: its blockhash does not wait.
                waiting = self._unhurried.waiting
                place = waiting.append if entry.order.progress.attempt is None else waiting.appendleft
                place(entry.order.id)
                self._hire(self._unhurried)

    def _enqueue_later(self, entry: Owed[Order], ms: int) -> None:
        asyncio.get_running_loop().call_later(ms / 1000, self._enqueue_if_owed, entry)

    def _enqueue_if_owed(self, entry: Owed[Order]) -> None:
        if self._entries.get(entry.order.id) is entry:
            self._enqueue(entry)

    # --- doing it

    def _hire(self, queue: _Queue) -> None:
        """One worker more, unless there are enough."""
        if self._workers is not None and queue.workers < queue.workers_max:
            queue.workers += 1
            self._workers.create_task(self._work(queue), context=self._context)

    async def _work(self, queue: _Queue) -> None:
        try:
            await self._work_off(queue)
        finally:
            queue.workers -= 1

    async def _work_off(self, queue: _Queue) -> None:
        while queue.waiting:
            entry = self._entries.get(queue.waiting.popleft())
            if entry is None or entry.working:
                continue
            entry.queued, entry.working, entry.again = False, True, False
            try:
                wait_ms = await self._step(entry)
            except (Unavailable, CommitUnknown):
                wait_ms = self._patience(entry)
            except Exception as bug:  # noqa: BLE001  One order's bug must not stop the effects of the others.
                telemetry.effect_failed(entry.order.id, bug)
                wait_ms = _POLL_MS_MAX
            entry.working = False
            if entry.again:
                self._enqueue_if_owed(entry)
            elif wait_ms is not None:
                self._enqueue_later(entry, wait_ms)

    async def _step(self, entry: Owed[Order]) -> int | None:
        """One step for an order. Returns after how many milliseconds to look again; None: a commit will say."""
        if entry.order.progress.attempt is not None:
            return await self._resolve(entry)
        await self._begin(entry.order)
        return None

    async def _resolve(self, entry: Owed[Order]) -> int | None:
        order = entry.order
        attempt = order.progress.attempt
        assert attempt is not None, f"order {order.id} has nothing to resolve"
        if entry.asked_first or entry.sent_at is not None:
            if await self.poll_outcome(order):
                return None
            if entry.order.progress.attempt != attempt:
                return None  # Another task learned it: that commit has asked for another step.
            entry.asked_first = False
        now = self._clock.elapsed_ms()
        if entry.sent_at is None or now - entry.sent_at >= self._resend_ms:
            entry.sent_at = now
            try:
                await self._send(order, attempt)
            except (Unavailable, CommitUnknown):  # It may have arrived: that is asked first, and soon.
                entry.sent_at, entry.asked_first = None, True
                raise
            if await self.poll_outcome(order):
                return None
        return self._patience(entry)

    def _patience(self, entry: Owed[Order]) -> int:
        entry.poll_ms = min(2 * entry.poll_ms, _POLL_MS_MAX)
        return entry.poll_ms


def _is_urgent(order: OwedOrder) -> bool:
    attempt = order.progress.attempt
    return attempt is not None and attempt.kind in (AttemptKind.DEPOSIT, AttemptKind.WITHDRAWAL)
