"""The outbox: what committed orders are owed by the world, and what the world answers, as commands again.

It keeps no list of its own that could lose an entry: what is owed is a function of the committed orders (`work_due`),
so a restart finds it again. It only ever acts on orders as they were committed.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from countermand.kernel.ports import Clock, CommitUnknown, Unavailable
from countermand.orders.trigger import telemetry
from countermand.orders.trigger.model.commands import AbandonFill, ResolveAttempt, ResumeOrder, StartFill, StartSweep
from countermand.orders.trigger.model.lifecycle import Work, work_due
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.ports import Transactions
from countermand.orders.trigger.shard import TriggerShard
from countermand.values.identity import OrderId
from countermand.values.transactions import AttemptKind, SwapRefused

URGENT_WORKERS: Final = 64
"""Deposits and withdrawals, for which a client waits."""
FILL_WORKERS: Final = 16
"""A fill waits for four commits, so some must wait together. How long they hold the loop is the chain's to bound."""
_POLL_MS: Final = 5
_POLL_MS_MAX: Final = 500


@dataclass(slots=True)
class _Entry:
    """An order that is owed something."""

    group: OrderGroup
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


class Outbox:
    def __init__(self, shard: TriggerShard, transactions: Transactions, clock: Clock, confirm_timeout_ms: int) -> None:
        self._shard = shard
        self._transactions = transactions
        self._clock = clock
        self._resend_ms = 2 * confirm_timeout_ms
        self._entries: dict[OrderId, _Entry] = {}
        self._urgent: deque[OrderId] = deque()
        self._unhurried: deque[OrderId] = deque()
        self._urgent_ready = asyncio.Semaphore(0)
        self._unhurried_ready = asyncio.Semaphore(0)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(URGENT_WORKERS):
                workers.create_task(self._work(self._urgent, self._urgent_ready))
            for _ in range(FILL_WORKERS):
                workers.create_task(self._work(self._unhurried, self._unhurried_ready))

    def on_committed(self, groups: Sequence[OrderGroup], loaded: bool) -> None:
        if loaded:
            self._entries.clear()
        for group in groups:
            self._consider(group, loaded)
        telemetry.outbox_pending(len(self._entries))

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

    # --- what is owed

    def _consider(self, group: OrderGroup, loaded: bool) -> None:
        if work_due(group) is None:
            self._entries.pop(group.id, None)
            return
        number = group.progress.attempts
        entry = self._entries.get(group.id)
        if entry is None:
            entry = self._entries[group.id] = _Entry(group, number, asked_first=loaded)
        elif entry.attempt_seen != number:
            entry.attempt_seen, entry.asked_first, entry.sent_at, entry.poll_ms = number, False, None, _POLL_MS
        entry.group = group
        self._enqueue(entry)

    def _enqueue(self, entry: _Entry) -> None:
        if entry.working:
            entry.again = True
        elif not entry.queued:
            entry.queued = True
            if _is_urgent(entry.group):
                self._urgent.append(entry.group.id)
                self._urgent_ready.release()
            else:
                # What is in flight goes before what only begins: its blockhash does not wait.
                place = self._unhurried.append if entry.group.progress.attempt is None else self._unhurried.appendleft
                place(entry.group.id)
                self._unhurried_ready.release()

    def _enqueue_later(self, entry: _Entry, ms: int) -> None:
        asyncio.get_running_loop().call_later(ms / 1000, self._enqueue_if_owed, entry)

    def _enqueue_if_owed(self, entry: _Entry) -> None:
        if self._entries.get(entry.group.id) is entry:
            self._enqueue(entry)

    # --- doing it

    async def _work(self, queue: deque[OrderId], ready: asyncio.Semaphore) -> None:
        while True:
            await ready.acquire()
            entry = self._entries.get(queue.popleft())
            if entry is None or entry.working:
                continue
            entry.queued, entry.working, entry.again = False, True, False
            try:
                wait_ms = await self._step(entry)
            except (Unavailable, CommitUnknown):
                wait_ms = self._patience(entry)
            except Exception as bug:  # noqa: BLE001  One order's bug must not stop the effects of the others.
                telemetry.effect_failed(entry.group.id, bug)
                wait_ms = _POLL_MS_MAX
            entry.working = False
            if entry.again:
                self._enqueue_if_owed(entry)
            elif wait_ms is not None:
                self._enqueue_later(entry, wait_ms)

    async def _step(self, entry: _Entry) -> int | None:
        """One step for an order. Returns after how many milliseconds to look again; None: a commit will say."""
        match work_due(entry.group):
            case Work.RESOLVE:
                return await self._resolve(entry)
            case Work.FILL:
                await self._start_fill(entry.group)
            case Work.RESUME:
                await self._shard.submit(ResumeOrder(entry.group.id))
            case Work.SWEEP:
                await self._start_sweep(entry.group)
            case None:
                pass
        return None

    async def _resolve(self, entry: _Entry) -> int | None:
        group = entry.group
        attempt = group.progress.attempt
        assert attempt is not None, f"order {group.id} has nothing to resolve"
        if entry.asked_first or entry.sent_at is not None:
            if await self.poll_outcome(group):
                return None
            if entry.group.progress.attempt != attempt:
                return None  # Another task learned it: that commit has asked for another step.
            entry.asked_first = False
        now = self._clock.elapsed_ms()
        if entry.sent_at is None or now - entry.sent_at >= self._resend_ms:
            entry.sent_at = now
            await self._transactions.send(group, attempt)
            if await self.poll_outcome(group):
                return None
        return self._patience(entry)

    async def poll_outcome(self, group: OrderGroup) -> bool:
        """Asks the chain what became of the order's unresolved attempt, and commits what it learns."""
        attempt = group.progress.attempt
        assert attempt is not None, f"order {group.id} has no attempt"
        seen = await self._transactions.outcome(group, attempt)
        if seen is None:
            return False
        telemetry.attempt_resolved(group.id, attempt.kind, seen.outcome, seen.error)
        resolved = ResolveAttempt(
            group.id, attempt.number, seen.outcome, seen.signature, seen.error, seen.at_close, seen.swap
        )
        await self._shard.submit(resolved)
        return True

    async def _start_fill(self, group: OrderGroup) -> None:
        craft = await self._transactions.build_fill(group)
        if isinstance(craft, SwapRefused):
            await self._shard.submit(AbandonFill(group.id, craft.reason, group.version))
        else:
            await self._shard.submit(StartFill(group.id, craft, group.version))

    async def _start_sweep(self, group: OrderGroup) -> None:
        craft = await self._transactions.build_sweep(group)
        await self._shard.submit(StartSweep(group.id, craft, group.version))

    def _patience(self, entry: _Entry) -> int:
        entry.poll_ms = min(2 * entry.poll_ms, _POLL_MS_MAX)
        return entry.poll_ms


def _is_urgent(group: OrderGroup) -> bool:
    attempt = group.progress.attempt
    return attempt is not None and attempt.kind in (AttemptKind.DEPOSIT, AttemptKind.WITHDRAWAL)
