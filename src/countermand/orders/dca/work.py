"""What committed recurring orders are owed: see `orders.vaults.work`."""

from countermand.kernel.ports import Clock
from countermand.orders.dca.model.lifecycle import work_due
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.ports import Transactions
from countermand.orders.dca.shard import DcaShard
from countermand.orders.vaults.model.work import Work
from countermand.orders.vaults.work import VaultOutbox


class DcaOutbox(VaultOutbox[DcaOrder]):
    def __init__(self, shard: DcaShard, transactions: Transactions, clock: Clock, confirm_timeout_ms: int) -> None:
        super().__init__(shard.submit, transactions, clock, confirm_timeout_ms)

    def _work_due(self, order: DcaOrder) -> Work | None:
        return work_due(order)
