"""What trigger orders need of the world: their transactions and their stores."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol, TypeAlias

from countermand.kernel.ports import Batch
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup
from countermand.orders.vaults.ports import CraftRow, OrderStore, OrderTransactions, VaultOrderRow
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits
from countermand.values.structs import Struct


class Transactions(OrderTransactions[OrderGroup, UnsignedDeposit], Protocol):
    """The transactions of trigger orders. Every coroutine may raise `Unavailable`."""

    async def build_deposit(
        self,
        *,
        request_id: RequestId,
        order_id: OrderId,
        wallet: Wallet,
        family: Family,
        input_mint: Mint,
        output_mint: Mint,
        amount: BaseUnits,
    ) -> UnsignedDeposit: ...


class OrderRow(VaultOrderRow, frozen=True):
    expires_at: Instant


class WatermarkRow(Struct, frozen=True):
    """How far the market went, for the orders that trail a mint in one direction."""

    mint: Mint
    direction: str
    body: bytes


class TriggerRows(Struct, frozen=True):
    """What one commit writes of trigger orders, beside its journal entries."""

    orders: Sequence[OrderRow] = ()
    crafts: Sequence[CraftRow] = ()
    watermarks: Sequence[WatermarkRow] = ()


TriggerBatch: TypeAlias = Batch[TriggerRows]


class Sort(Enum):
    """What a history can be sorted by."""

    UPDATED_AT = "updated_at"
    CREATED_AT = "created_at"
    EXPIRES_AT = "expires_at"


class Store(OrderStore[TriggerRows], Protocol):
    """The memory of trigger orders. Every method may raise `Unavailable`."""

    async def watermarks(self, shard: int) -> Sequence[WatermarkRow]: ...
