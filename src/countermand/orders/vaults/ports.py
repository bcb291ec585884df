"""What orders in vaults need of the world, whatever they wait for: their transactions and their store."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from countermand.kernel.ports import ShardStore
from countermand.orders.vaults.fresh_deposits import BuiltDeposit
from countermand.orders.vaults.model.order import VaultOrder
from countermand.values.bucket import Bucket, BucketRange
from countermand.values.identity import Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.structs import Struct
from countermand.values.transactions import (
    Alteration,
    Attempt,
    ObservedOutcome,
    Submission,
    SwapRefused,
    UnsignedTransaction,
)

Order_contra = TypeVar("Order_contra", bound=VaultOrder, contravariant=True)
Deposit_contra = TypeVar("Deposit_contra", bound=BuiltDeposit, contravariant=True)
Rows_contra = TypeVar("Rows_contra", contravariant=True)


class OrderTransactions(Protocol[Order_contra, Deposit_contra]):
    """The transactions of orders, and their way to the chain. Every coroutine may raise `Unavailable`."""

    async def block_height(self) -> int:
        """The finalized height."""

    async def simulate_deposit(self, deposit: Deposit_contra) -> str | None:
        """Why the chain would not take it, in words; None if it would."""

    async def build_withdrawal(self, order: Order_contra) -> UnsignedTransaction:
        """Takes all that is in the order's accounts now back to the user.

        Closes each of them, unless that failed twice.
        """

    async def shortfall(self, built: UnsignedTransaction) -> str | None:
        """Why its payer cannot pay for it, with the lamports held and needed; None if it can."""

    async def build_fill(self, order: Order_contra) -> UnsignedTransaction | SwapRefused:
        """A swap of what is to be sold now, simulated. The last one also closes the account, unless that failed twice.

        A refusal says why a swap is not worth a transaction.
        """

    async def build_sweep(self, order: Order_contra) -> UnsignedTransaction | None:
        """Closes what an ended order left open. None: it is gone already."""

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        """Reads a signed transaction (base64) and verifies the wallet's signature on its message. Never raises."""

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        """How a signed message, which is not the built one, differs from it."""

    def unsigned_transaction(self, built: UnsignedTransaction) -> str:
        """The transaction with all signature slots empty, base64."""

    def signature_of(self, order: Order_contra, attempt: Attempt) -> Signature:
        """The id of the attempt's transaction. Signs the committed bytes if a key of ours pays."""

    async def outcome(self, order: Order_contra, attempt: Attempt) -> ObservedOutcome | None:
        """What became of it. None: unresolved."""

    async def send(self, order: Order_contra, attempt: Attempt) -> None:
        """Signs the committed bytes and sends them. Doing it twice is doing it once."""


class VaultOrderRow(Struct, frozen=True):
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
    body: bytes


class CraftRow(Struct, frozen=True):
    """A deposit that we built. `order_id` is the order that it may become."""

    request_id: RequestId
    bucket: Bucket
    order_id: OrderId
    last_valid_height: int
    body: bytes


class HistoryQuery(Struct, frozen=True):
    wallet: Wallet
    active: bool | None
    mint: Mint | None
    sort: Enum
    """One of the family's. Its value names the column."""
    descending: bool
    limit: int
    offset: int


class OrderBody(Struct, frozen=True):
    """The body of an order's row, with the bucket that says which shard owns it."""

    bucket: Bucket
    body: bytes


class ShownEvents(Struct, frozen=True):
    """What an owner is shown of an order's events."""

    kinds: tuple[str, ...]
    passing: str
    """A kind of which there may be many: only the newest `passing_most` are shown."""
    passing_most: int
    most: int = 200
    """Of all kinds together, the newest."""


class StoredOrder(Struct, frozen=True):
    """`order` is the body of its row, `history` the bodies of its events that its owner is shown, the newest first."""

    order: bytes
    history: Sequence[bytes]


class StoredHistory(Struct, frozen=True):
    """One page, and how many orders match in all."""

    total: int
    orders: Sequence[StoredOrder]


class OrderHistories(Protocol):
    """What is stored of orders and their events. Every method may raise `Unavailable`."""

    async def history(self, query: HistoryQuery) -> StoredHistory: ...

    async def order_history(self, order_id: OrderId) -> StoredOrder | None: ...


class OrderStore(OrderHistories, ShardStore[Rows_contra], Protocol[Rows_contra]):
    """The memory of orders in vaults. Every method may raise `Unavailable`."""

    async def live_orders(self, shard: int, buckets: BucketRange) -> Sequence[tuple[OrderId, bytes]]:
        """The bodies of the shard's rows in these buckets, with the ids that their rows go by."""

    async def orders(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, OrderBody]:
        """Those that there are, in whatever bucket."""

    async def crafts(self, request_ids: Sequence[RequestId]) -> Mapping[RequestId, bytes]: ...

    async def delete_dead_crafts(self, below_height: int) -> None:
        """Forgets crafts that can no longer land and became no order."""
