"""What committed orders in vaults are owed, and how it is done: see `kernel.outbox`."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, Never, TypeAlias, TypeVar, assert_never

from countermand.kernel import telemetry
from countermand.kernel.outbox import Outbox
from countermand.kernel.ports import Clock
from countermand.orders.vaults.model.commands import AbandonFill, ResolveAttempt, StartFill, StartSweep
from countermand.orders.vaults.model.order import VaultOrder
from countermand.orders.vaults.model.work import Work
from countermand.orders.vaults.ports import OrderTransactions
from countermand.values.identity import Address
from countermand.values.transactions import Attempt, SwapRefused

Order = TypeVar("Order", bound=VaultOrder)

WorkCommand: TypeAlias = StartFill | AbandonFill | StartSweep | ResolveAttempt
Submit: TypeAlias = Callable[[WorkCommand], Awaitable[object]]
"""Passes a command to the shard. What it answers is seen when it is committed."""


class VaultOutbox(Outbox[Order], Generic[Order]):
    def __init__(
        self, submit: Submit, transactions: OrderTransactions[Order, Never], clock: Clock, confirm_timeout_ms: int
    ) -> None:
        super().__init__(clock, confirm_timeout_ms)
        self._submit = submit
        self._transactions = transactions

    # --- what a family adds

    @abstractmethod
    def _work_due(self, order: Order) -> Work | None: ...

    async def _resume(self, order: Order) -> None:
        """Of a family that fills in parts."""
        raise AssertionError(f"order {order.id} is not filled in parts")

    def _output_account(self, order: Order) -> Address | None:  # noqa: ARG002
        """Of a family whose orders have one."""
        return None

    # --- the work

    def _is_owed(self, order: Order) -> bool:
        return self._work_due(order) is not None

    async def _begin(self, order: Order) -> None:
        work = self._work_due(order)
        match work:
            case Work.FILL:
                await self._start_fill(order)
            case Work.RESUME:
                await self._resume(order)
            case Work.SWEEP:
                built = await self._transactions.build_sweep(order)
                await self._submit(StartSweep(order.id, built, order.version))
            case Work.RESOLVE | None:
                pass
            case _:
                assert_never(work)

    async def _send(self, order: Order, attempt: Attempt) -> None:
        await self._transactions.send(order, attempt)

    async def poll_outcome(self, order: Order) -> bool:
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
            at_output=seen.closing is not None and seen.closing == self._output_account(order),
            swap=seen.swap,
        )
        await self._submit(resolved)
        return True

    async def _start_fill(self, order: Order) -> None:
        built = await self._transactions.build_fill(order)
        if isinstance(built, SwapRefused):
            await self._submit(AbandonFill(order.id, built.reason, order.version))
        else:
            await self._submit(StartFill(order.id, built, order.version))
