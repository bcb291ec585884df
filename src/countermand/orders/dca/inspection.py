"""Recurring orders as an operator looks at them: see `orders.vaults.inspection`."""

from collections.abc import Sequence
from typing import Protocol

from countermand.orders.dca.bodies import decode_order
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.records import DcaRecord, decode_dca_record
from countermand.orders.dca.shard import DcaShard
from countermand.orders.vaults.inspection import Stories, VaultInspection


class DcaRecords(Stories, Protocol):
    async def dca_orders(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        """The newest first. None: any."""


class DcaInspection(VaultInspection[DcaOrder]):
    def __init__(self, shard: DcaShard, records: DcaRecords) -> None:
        super().__init__(shard, records)
        self._records = records

    def _decode_record(self, body: bytes) -> DcaRecord:
        return decode_dca_record(body)

    def _decode_order(self, body: bytes) -> DcaOrder:
        return decode_order(body)

    async def _stored(self, wallet: str | None, states: Sequence[str] | None, limit: int) -> Sequence[bytes]:
        return await self._records.dca_orders(wallet, states, limit)
