"""What committed recurring orders are owed, and how it is done: see `kernel.outbox`."""

from typing import assert_never

from countermand.kernel import outbox, telemetry
from countermand.kernel.ports import Clock
from countermand.orders.dca.model.commands import AbandonFill, ResolveAttempt, StartFill, StartSweep
from countermand.orders.dca.model.lifecycle import Work, work_due
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.ports import Transactions
from countermand.orders.dca.shard import DcaShard
from countermand.values.transactions import Attempt, SwapRefused


class DcaOutbox(outbox.Outbox[DcaOrder]):
    def __init__(self, shard: DcaShard, transactions: Transactions, clock: Clock, confirm_timeout_ms: int) -> None:
        super().__init__(clock, confirm_timeout_ms)
        self._shard = shard
        self._transactions = transactions

    def _is_owed(self, order: DcaOrder) -> bool:
        return work_due(order) is not None

    async def _begin(self, order: DcaOrder) -> None:
        match work_due(order):
            case Work.FILL:
                await self._start_fill(order)
            case Work.SWEEP:
                craft = await self._transactions.build_sweep(order)
                await self._shard.submit(StartSweep(order.id, craft, order.version))
            case Work.RESOLVE | None:
                pass
            case never:
                assert_never(never)

    async def _send(self, order: DcaOrder, attempt: Attempt) -> None:
        await self._transactions.send(order, attempt)

    async def poll_outcome(self, order: DcaOrder) -> bool:
        attempt = order.progress.attempt
        assert attempt is not None, f"order {order.id} has no attempt"
        seen = await self._transactions.outcome(order, attempt)
        if seen is None:
            return False
        telemetry.attempt_resolved(order.id, attempt.kind, seen.outcome, seen.error)
        resolved = ResolveAttempt(
            order.id, attempt.number, seen.outcome, seen.signature, seen.error, seen.at_close, seen.swap
        )
        await self._shard.submit(resolved)
        return True

    async def _start_fill(self, order: DcaOrder) -> None:
        craft = await self._transactions.build_fill(order)
        if isinstance(craft, SwapRefused):
            await self._shard.submit(AbandonFill(order.id, craft.reason, order.version))
        else:
            await self._shard.submit(StartFill(order.id, craft, order.version))
