"""What recurring orders need of the world: their transactions and their store."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol, TypeAlias

from countermand.orders.dca.model.commands import UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.vaults.ports import CraftRow, OrderStore, OrderTransactions, VaultOrderRow
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits
from countermand.values.structs import Struct


class Transactions(OrderTransactions[DcaOrder, UnsignedDeposit], Protocol):
    """The transactions of recurring orders. Every coroutine may raise `Unavailable`."""

    async def build_deposit(
        self,
        *,
        request_id: RequestId,
        order_id: OrderId,
        wallet: Wallet,
        input_mint: Mint,
        output_mint: Mint,
        amount: BaseUnits,
    ) -> UnsignedDeposit: ...

    def worth_cents(self, mint: Mint, amount: BaseUnits) -> int | None:
        """In whole cents of a US dollar, at the price of now. None: there is none."""


class OrderRow(VaultOrderRow, frozen=True):
    next_fill_at: Instant | None
    """None: no round will begin any more."""


class DcaRows(Struct, frozen=True):
    """What one commit writes of recurring orders, beside its journal entries."""

    orders: Sequence[OrderRow] = ()
    crafts: Sequence[CraftRow] = ()


class Sort(Enum):
    """What a history can be sorted by."""

    UPDATED_AT = "updated_at"
    CREATED_AT = "created_at"
    NEXT_FILL_AT = "next_fill_at"


Store: TypeAlias = OrderStore[DcaRows]
