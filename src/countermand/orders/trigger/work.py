"""What committed trigger orders are owed, and how it is done: see `kernel.outbox`."""

from typing import assert_never

from countermand.kernel import outbox, telemetry
from countermand.kernel.ports import Clock
from countermand.orders.trigger.model.commands import AbandonFill, ResolveAttempt, ResumeOrder, StartFill, StartSweep
from countermand.orders.trigger.model.lifecycle import Work, work_due
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.ports import Transactions
from countermand.orders.trigger.shard import TriggerShard
from countermand.values.transactions import Attempt, SwapRefused


class Outbox(outbox.Outbox[OrderGroup]):
    def __init__(self, shard: TriggerShard, transactions: Transactions, clock: Clock, confirm_timeout_ms: int) -> None:
        super().__init__(clock, confirm_timeout_ms)
        self._shard = shard
        self._transactions = transactions

    def _is_owed(self, order: OrderGroup) -> bool:
        return work_due(order) is not None

    async def _begin(self, order: OrderGroup) -> None:
        match work_due(order):
            case Work.FILL:
                await self._start_fill(order)
            case Work.RESUME:
                await self._shard.submit(ResumeOrder(order.id))
            case Work.SWEEP:
                await self._start_sweep(order)
            case Work.RESOLVE | None:
                pass
            case never:
                assert_never(never)

    async def _send(self, order: OrderGroup, attempt: Attempt) -> None:
        await self._transactions.send(order, attempt)

    async def poll_outcome(self, order: OrderGroup) -> bool:
        attempt = order.progress.attempt
        assert attempt is not None, f"order {order.id} has no attempt"
        seen = await self._transactions.outcome(order, attempt)
        if seen is None:
            return False
        telemetry.attempt_resolved(order.id, attempt.kind, seen.outcome, seen.error)
        resolved = ResolveAttempt(
            order.id,
            attempt.number,
            seen.outcome,
            seen.signature,
            seen.error,
            seen.at_close,
            at_output=seen.closing is not None and seen.closing == order.terms.output_account,
            swap=seen.swap,
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
