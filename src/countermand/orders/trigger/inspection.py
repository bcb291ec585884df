"""Trigger orders as an operator looks at them: see `orders.vaults.inspection`."""

from collections.abc import Sequence
from typing import Protocol

from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.records import TriggerRecord, decode_trigger_record
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.vaults.inspection import Stories, VaultInspection


class TriggerRecords(Stories, Protocol):
    async def trigger_orders(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        """The newest first. None: any."""


class TriggerInspection(VaultInspection[OrderGroup]):
    def __init__(self, shard: TriggerShard, records: TriggerRecords) -> None:
        super().__init__(shard, records)
        self._trails = shard.as_committed
        self._records = records

    def _decode_record(self, body: bytes) -> TriggerRecord:
        return decode_trigger_record(body)

    def _decode_order(self, body: bytes) -> OrderGroup:
        return decode_group(body)

    async def _stored(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        return await self._records.trigger_orders(wallet, states, limit)

    def _as_committed(self, order: OrderGroup) -> OrderGroup:
        return self._trails(order)
