"""What committed trigger orders are owed: see `orders.vaults.work`."""

from countermand.kernel.ports import Clock
from countermand.orders.trigger.model.commands import ResumeOrder
from countermand.orders.trigger.model.lifecycle import work_due
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.ports import Transactions
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.vaults.model.work import Work
from countermand.orders.vaults.work import VaultOutbox
from countermand.values.identity import Address


class TriggerOutbox(VaultOutbox[OrderGroup]):
    def __init__(self, shard: TriggerShard, transactions: Transactions, clock: Clock, confirm_timeout_ms: int) -> None:
        super().__init__(shard.submit, transactions, clock, confirm_timeout_ms)
        self._shard = shard

    def _work_due(self, order: OrderGroup) -> Work | None:
        return work_due(order)

    async def _resume(self, order: OrderGroup) -> None:
        await self._shard.submit(ResumeOrder(order.id))

    def _output_account(self, order: OrderGroup) -> Address | None:
        return order.terms.output_account
