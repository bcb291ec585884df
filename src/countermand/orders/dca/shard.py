"""The shard of recurring orders: what of it is not common to all orders in vaults."""

from collections.abc import Callable, Sequence

from countermand.kernel.ports import Epoch, ShardClock
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.dca.bodies import decode_craft, decode_order, decode_stored
from countermand.orders.dca.model.commands import Command, PlaceOrder, UnsignedDeposit
from countermand.orders.dca.model.live_orders import OrderEvent
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.refusals import DcaRefused
from countermand.orders.dca.ports import DcaRows, Store
from countermand.orders.dca.state import DcaState
from countermand.orders.shards import ONE_DCA_SHARD, BucketOwners
from countermand.orders.vaults.shard import Decided, VaultShard
from countermand.services.prices import Prices
from countermand.values.bucket import bucket_of
from countermand.values.identity import OrderId


class DcaShard(VaultShard[DcaState, Command, OrderEvent, DcaRefused, DcaRows, DcaOrder, UnsignedDeposit]):
    _table = "dca_orders"

    def __init__(
        self,
        number: int,
        store: Store,
        clock: ShardClock,
        prices: Prices,
        on_committed: Callable[[Sequence[DcaOrder], bool], None],
        owners: BucketOwners = ONE_DCA_SHARD,
    ) -> None:
        super().__init__(number, store, clock, prices, on_committed, owners)

    async def submit(self, command: Command) -> Decided[DcaOrder] | DcaRefused:
        """One turn. Raises `CommitUnknown` when its outcome is unknown, `Unavailable` when it did not happen."""
        if isinstance(command, PlaceOrder):
            self._must_own(f"order {command.order_id}", bucket_of(command.wallet))
        return await self._submit(command.order_id, command)

    async def _begin_load(self, epoch: Epoch) -> WriterEpoch[DcaState, Command, OrderEvent, DcaRefused, DcaRows]:
        state = DcaState(self._prices.price_of)
        return WriterEpoch(self.number, epoch, state, state)

    def _decode_deposit(self, body: bytes) -> UnsignedDeposit:
        return decode_craft(body)

    def _decode_order(self, body: bytes) -> DcaOrder:
        return decode_order(body)

    def _decode_stored(self, order_id: OrderId, body: bytes) -> DcaOrder:
        return decode_stored(order_id, body)
