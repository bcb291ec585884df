"""What recurring orders need of the world: their transactions and their store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from countermand.kernel.ports import Batch, ShardStore
from countermand.orders.dca.model.commands import UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder
from countermand.values.bucket import Bucket, BucketRange
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import (
    Alteration,
    Attempt,
    ObservedOutcome,
    Submission,
    SwapRefused,
    UnsignedTransaction,
)


class Transactions(Protocol):
    """The transactions of recurring orders, and their way to the chain. Every coroutine may raise `Unavailable`."""

    async def block_height(self) -> int:
        """The finalized height."""

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

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        """Why the chain would not take it, in words; None if it would."""

    async def build_withdrawal(self, order: DcaOrder) -> UnsignedTransaction:
        """Takes all that is in the order's account now back to the user, and closes it unless that failed twice."""

    async def shortfall(self, craft: UnsignedTransaction) -> str | None:
        """Why its payer cannot pay for it, with the lamports held and needed; None if it can."""

    async def build_fill(self, order: DcaOrder) -> UnsignedTransaction | SwapRefused:
        """A swap of the present round, simulated. The last also closes the account, unless that was rejected twice."""

    async def build_sweep(self, order: DcaOrder) -> UnsignedTransaction | None:
        """Closes the account of an ended order. None: the account is gone already."""

    def worth_cents(self, mint: Mint, amount: BaseUnits) -> int | None:
        """In whole cents of a US dollar, at the price of now. None: there is none."""

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        """Reads a signed transaction (base64) and verifies the wallet's signature on its message. Never raises."""

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        """How a signed message, which is not the built one, differs from it."""

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str:
        """The transaction with all signature slots empty, base64."""

    async def outcome(self, order: DcaOrder, attempt: Attempt) -> ObservedOutcome | None:
        """What became of it. None: unresolved."""

    async def send(self, order: DcaOrder, attempt: Attempt) -> None:
        """Signs the committed bytes and sends them. Doing it twice is doing it once."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it is stored: its whole state as `body`, beside what it is searched by."""

    id: OrderId
    bucket: Bucket
    """That of the wallet, whatever the id's last byte is."""
    wallet: Wallet
    live: bool
    """It belongs in memory."""
    active: bool
    input_mint: Mint
    output_mint: Mint
    created_at: Instant
    updated_at: Instant
    next_fill_at: Instant
    """Of an order without a further round: when that would have been."""
    body: bytes


@dataclass(frozen=True, slots=True)
class CraftRow:
    """A deposit that we built. `order_id` is the order that it may become."""

    request_id: RequestId
    bucket: Bucket
    order_id: OrderId
    last_valid_height: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DcaRows:
    """What one commit writes of recurring orders, beside its journal entries."""

    orders: Sequence[OrderRow] = ()
    crafts: Sequence[CraftRow] = ()


DcaBatch: TypeAlias = Batch[DcaRows]


class Sort(Enum):
    """What a history can be sorted by."""

    UPDATED_AT = "updated_at"
    CREATED_AT = "created_at"
    NEXT_FILL_AT = "next_fill_at"


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    wallet: Wallet
    active: bool | None
    mint: Mint | None
    sort: Sort
    descending: bool
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class OrderBody:
    """The body of an order's row, with the bucket that says which shard owns it."""

    bucket: Bucket
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """`order` is the body of its row, `history` the bodies of its events that its owner is shown, the newest first."""

    order: bytes
    history: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """One page, and how many orders match in all."""

    total: int
    orders: Sequence[StoredOrder]


class Store(ShardStore[DcaRows], Protocol):
    """The memory of recurring orders. Every method may raise `Unavailable`."""

    async def live_orders(self, shard: int, buckets: BucketRange) -> Sequence[tuple[OrderId, bytes]]:
        """The bodies of the shard's rows in these buckets, with the ids that their rows go by."""

    async def orders(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, OrderBody]:
        """Those that there are, in whatever bucket."""

    async def crafts(self, request_ids: Sequence[RequestId]) -> Mapping[RequestId, bytes]: ...

    async def history(self, query: HistoryQuery) -> StoredHistory: ...

    async def order_history(self, order_id: OrderId) -> StoredOrder | None: ...

    async def delete_dead_crafts(self, below_height: int) -> None:
        """Forgets crafts that can no longer land and became no order."""
