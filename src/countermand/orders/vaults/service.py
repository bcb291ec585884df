"""What can be done with any order in a vault, as a dialect asks for it: prepare, pass the shard, wait for the world."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum
from functools import wraps
from typing import Final, Generic, ParamSpec, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from countermand.kernel import telemetry
from countermand.kernel.ids import Ids
from countermand.kernel.ports import Clock, CommitUnknown, Unavailable
from countermand.orders.vaults.model.commands import ConfirmCancel, RequestCancel
from countermand.orders.vaults.model.order import CANCELLABLE, Phase, VaultOrder, withdrawal_of
from countermand.orders.vaults.model.refusals import VaultRefusal, VaultRefused
from countermand.orders.vaults.ports import HistoryQuery, OrderHistories, OrderTransactions, StoredOrder
from countermand.orders.vaults.shard import Decided
from countermand.orders.vaults.state import VaultDeposit
from countermand.orders.vaults.work import VaultOutbox
from countermand.services.transactions.telemetry import transaction_altered
from countermand.values.identity import OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind, Submission, UnsignedTransaction

CRAFT_PATIENCE_MS: Final = 300
"""A cancel does not wait longer than this for its withdrawal to be built: stopping the fills comes first."""
_BUILT_LATE_MS: Final = 3_000
"""Once nothing fills any more, its answer waits so long for the withdrawal."""
_CRAFT_TRIES: Final = 16

Order = TypeVar("Order", bound=VaultOrder)
Deposit = TypeVar("Deposit", bound=VaultDeposit)
Placing = TypeVar("Placing")
Placing_contra = TypeVar("Placing_contra", contravariant=True)
Refused = TypeVar("Refused", bound=VaultRefused[Enum, Enum])
Refused_co = TypeVar("Refused_co", bound=VaultRefused[Enum, Enum], covariant=True)


class NotLanded(Struct, frozen=True):
    """The transaction has not landed in the time that a request waits. It may still."""


class DepositUnknown(Struct, frozen=True):
    """No deposit was crafted under that request id, or it died."""


class Placed(Struct, Generic[Order], frozen=True):
    order: Order
    signature: Signature
    repeated: bool


class Cancelling(Struct, Generic[Order], frozen=True):
    """Nothing fills any more. `transaction` None: the withdrawal could not be built now, a repetition will."""

    order: Order
    request_id: RequestId
    transaction: str | None


class Withdrawn(Struct, frozen=True):
    order_id: OrderId
    signature: Signature


class EventShown(Protocol):
    """A line of an order's history."""

    @property
    def kind(self) -> str: ...

    @property
    def signature(self) -> Signature | None: ...


Entry = TypeVar("Entry", bound=EventShown)


class OrderView(Struct, Generic[Order, Entry], frozen=True):
    """An order and what its owner is shown of its history, the newest first."""

    order: Order
    history: Sequence[Entry]


class HistoryPage(Struct, Generic[Order, Entry], frozen=True):
    total: int
    orders: Sequence[OrderView[Order, Entry]]


PlaceAnswer: TypeAlias = Placed[Order] | Refused | DepositUnknown | NotLanded
CancelAnswer: TypeAlias = Cancelling[Order] | Refused
ConfirmAnswer: TypeAlias = Withdrawn | Refused | NotLanded


class OrderShard(Protocol[Order, Deposit, Refused_co, Placing_contra]):
    """What the service needs of a family's shard. `Placing` is the command that places an order."""

    async def submit(self, command: Placing_contra | RequestCancel | ConfirmCancel) -> Decided[Order] | Refused_co: ...

    async def now(self) -> Instant: ...

    async def barrier(self) -> None: ...

    async def add_craft(self, deposit: Deposit) -> None: ...

    async def craft(self, request_id: RequestId) -> Deposit | None: ...

    async def peek(self, order_id: OrderId) -> Order | None: ...

    async def committed(self, order_id: OrderId) -> Order | None: ...

    async def changed(self, order_id: OrderId) -> None: ...


_KINDS: Final[dict[type, str]] = {
    Placed: "placed",
    Cancelling: "cancelling",
    Withdrawn: "withdrawn",
    Decided: "answer",
    NotLanded: "notlanded",
    DepositUnknown: "depositunknown",
}
"""Of answers that are no refusals, as the metric has them."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def counts_answers(request: str) -> Callable[[Callable[_P, Awaitable[_T]]], Callable[_P, Awaitable[_T]]]:
    """Counts what a request was answered, for an operator."""

    def counting(method: Callable[_P, Awaitable[_T]]) -> Callable[_P, Awaitable[_T]]:
        @wraps(method)
        async def answered(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            answer = await method(*args, **kwargs)
            kind = answer.refusal.name if isinstance(answer, VaultRefused) else _KINDS[type(answer)]
            telemetry.answered(request, kind)
            return answer

        return answered

    return counting


class VaultService(ABC, Generic[Order, Deposit, Refused, Entry, Placing]):
    """Every method may raise `Unavailable` or `CommitUnknown`."""

    def __init__(
        self,
        shard: OrderShard[Order, Deposit, Refused, Placing],
        outbox: VaultOutbox[Order],
        transactions: OrderTransactions[Order, Deposit],
        store: OrderHistories,
        clock: Clock,
        ids: Ids,
        confirm_timeout_ms: int,
    ) -> None:
        self._orders = shard
        self._outbox = outbox
        self._built = transactions
        self._store = store
        self._clock = clock
        self._ids = ids
        self._confirm_timeout_ms = confirm_timeout_ms

    # --- what a family adds

    @abstractmethod
    def _refused(self, refusal: VaultRefusal) -> Refused: ...

    @abstractmethod
    def _view(self, stored: StoredOrder) -> OrderView[Order, Entry]: ...

    # --- placing

    async def _place(
        self, deposit: Deposit, submission: Submission, command_of: Callable[[str | None], Placing]
    ) -> PlaceAnswer[Order, Refused]:
        """Commits the order with the user's signature, lands the deposit, and waits for it.

        `command_of` makes the command, given why the chain would not take the deposit.
        """
        known = await self._orders.peek(deposit.order_id) is not None
        flaw = None if known else await self._built.simulate_deposit(deposit)
        answer = await self._orders.submit(command_of(flaw))
        if not isinstance(answer, Decided):
            return self._told_how_altered(answer, "deposit", deposit.order_id, deposit.craft, submission)
        if not answer.changed:
            self._outbox.send_now(deposit.order_id)
        order = await self._settled(deposit.order_id, lambda order: order.state.phase is not Phase.DEPOSITING)
        if order.state.phase is Phase.DEPOSITING:
            return NotLanded()
        if order.state.phase is Phase.DEPOSIT_FAILED:
            return self._refused(VaultRefusal.DEPOSIT_FAILED_BEFORE)
        return Placed(order, await self._deposit_signature(answer.order), repeated=not answer.changed)

    async def _deposit_signature(self, order: Order) -> Signature:
        """The one that was committed first, whatever a repeated request was signed with. `order` as it was answered."""
        attempt = order.progress.attempt
        if attempt is not None and attempt.user_signature is not None and attempt.kind is AttemptKind.DEPOSIT:
            return attempt.user_signature
        try:
            view = await self.order(order.id)
        except Unavailable as gone:  # But the order is committed: no answer may say that nothing happened.
            raise CommitUnknown(str(gone)) from gone
        lines: Sequence[Entry] = () if view is None else view.history
        signature = next((line.signature for line in lines if line.kind == "deposit"), None)
        if signature is None:
            raise CommitUnknown(f"order {order.id} is gone")
        return signature

    # --- the two steps of a cancel

    @counts_answers("cancel")
    async def cancel(
        self, order_id: OrderId, wallet: Wallet, *, by_operator: bool = False
    ) -> CancelAnswer[Order, Refused]:
        """From its answer on nothing fills."""
        stopped, is_late = await self._cancel(order_id, wallet, CRAFT_PATIENCE_MS, by_operator=by_operator)
        if is_late and isinstance(stopped, Cancelling) and stopped.transaction is None:
            patience_ms = min(_BUILT_LATE_MS, self._confirm_timeout_ms)
            with suppress(Unavailable, CommitUnknown):  # The first answer is true whatever becomes of this.
                built, _ = await self._cancel(order_id, wallet, patience_ms, by_operator=by_operator)
                return built if isinstance(built, Cancelling) else stopped
        return stopped

    async def _cancel(
        self, order_id: OrderId, wallet: Wallet, patience_ms: int, *, by_operator: bool
    ) -> tuple[CancelAnswer[Order, Refused], bool]:
        """And whether the withdrawal was not built in time."""
        request_id = self._ids.request_id()
        is_late = False
        for _ in range(_CRAFT_TRIES):
            order = await self._orders.peek(order_id)
            craft = None
            if order is not None and order.terms.wallet == wallet:
                order = await self._with_outcome_known(order)
                try:
                    craft = await self._withdrawal(order, patience_ms)
                except TimeoutError:
                    is_late = True
            made_from = 0 if order is None else order.version
            command = RequestCancel(order_id, wallet, request_id, craft, made_from, by_operator)
            answer = await self._orders.submit(command)
            if isinstance(answer, Decided):
                return self._cancelling(answer.order), is_late
            if not answer.is_for(VaultRefusal.CRAFT_STALE):
                return answer, is_late
        command = RequestCancel(order_id, wallet, request_id, None, 0, by_operator)
        return await self._cancel_without_craft(command), is_late

    async def _cancel_without_craft(self, command: RequestCancel) -> CancelAnswer[Order, Refused]:
        answer = await self._orders.submit(command)
        return self._cancelling(answer.order) if isinstance(answer, Decided) else answer

    def _cancelling(self, order: Order) -> Cancelling[Order]:
        withdrawal, craft = order.progress.withdrawal, withdrawal_of(order)
        assert withdrawal is not None, f"order {order.id} was cancelled without a withdrawal"
        transaction = None if craft is None else self._built.unsigned_transaction(craft)
        return Cancelling(order, withdrawal.request_id, transaction)

    async def _withdrawal(self, order: Order, patience_ms: int) -> UnsignedTransaction | None:
        """Raises `TimeoutError`."""
        if order.state.phase not in CANCELLABLE or order.progress.attempt is not None:
            return None
        try:
            async with asyncio.timeout(patience_ms / 1000):
                return await self._built.build_withdrawal(order)
        except Unavailable:
            return None

    @counts_answers("confirm")
    async def confirm_cancel(
        self, order_id: OrderId, wallet: Wallet, request_id: RequestId, transaction: str
    ) -> ConfirmAnswer[Refused]:
        """Commits the user's signature, lands the withdrawal, and waits for it."""
        order, flaw = await self._orders.peek(order_id), None
        if order is not None and order.terms.wallet == wallet:
            order = await self._with_outcome_known(order)
            flaw = await self._shortfall(order)
        submission = self._built.read_submission(transaction, wallet)
        command = ConfirmCancel(order_id, wallet, request_id, submission, await self._block_height(), flaw)
        answer = await self._orders.submit(command)
        if not isinstance(answer, Decided):
            built = None if order is None else withdrawal_of(order)
            return self._told_how_altered(answer, "withdrawal", order_id, built, submission)
        if not answer.changed:
            self._outbox.send_now(order_id)
        attempts = answer.order.progress.attempts
        final = await self._settled(
            order_id, lambda order: order.progress.attempt is None or order.progress.attempts != attempts
        )
        attempt, withdrawal = final.progress.attempt, final.progress.withdrawal
        if final.state.phase is Phase.CANCELLED:
            signature = None if withdrawal is None else withdrawal.signature
            assert signature is not None, f"order {order_id} is cancelled without a signature"
            return Withdrawn(order_id, signature)
        if attempt is not None:
            return NotLanded()
        again = await self._orders.submit(command)  # It failed: the shard knows how to say it.
        return NotLanded() if isinstance(again, Decided) else again

    async def _shortfall(self, order: Order) -> str | None:
        """Why the withdrawal that would be co-signed now cannot be paid for. A chain that is silent is no reason."""
        withdrawal = order.progress.withdrawal
        if withdrawal is None or withdrawal.craft is None or order.state.phase is not Phase.WITHDRAWING:
            return None
        if order.progress.attempt is not None:
            return None  # It may have taken the fee already.
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                return await self._built.shortfall(withdrawal.craft)
        except (Unavailable, TimeoutError):
            return None

    def _told_how_altered(
        self, refused: Refused, kind: str, order_id: OrderId, built: UnsignedTransaction | None, submission: Submission
    ) -> Refused:
        """The refusal of another message than the built one says what of it was modified, and the log says how."""
        if not refused.is_for(VaultRefusal.TRANSACTION_OTHER) or built is None or built.message == submission.message:
            return refused
        found = self._built.alteration(built, submission)
        transaction_altered(kind, order_id, found.differences)
        # Who signs a deposit is among its accounts: so the original service says it.
        signers = found.signers and kind == "withdrawal"
        return replace(refused, detail="signers" if signers else refused.detail)

    async def _block_height(self) -> int:
        """0, when the chain does not answer: then the attempt is made, and the chain judges its age."""
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                return await self._built.block_height()
        except (Unavailable, TimeoutError):
            return 0

    async def _with_outcome_known(self, order: Order) -> Order:
        """What the chain knows of an unresolved withdrawal is sequenced before the request that asks."""
        if order.state.phase is not Phase.WITHDRAWING or order.progress.attempt is None:
            return order
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                await self._outbox.poll_outcome(order)
        except (Unavailable, TimeoutError):
            return order
        return await self._orders.peek(order.id) or order

    async def _settled(self, order_id: OrderId, is_settled: Callable[[Order], bool]) -> Order:
        """The order as committed once `is_settled` holds for it, or as it is when patience ends."""
        deadline = self._clock.elapsed_ms() + self._confirm_timeout_ms
        while True:
            try:
                order = await self._orders.committed(order_id)
            except Unavailable as gone:  # But what was asked is committed: no answer may say that nothing happened.
                raise CommitUnknown(str(gone)) from gone
            if order is None:  # Only a reset of the venue takes a committed order away.
                raise CommitUnknown(f"order {order_id} is gone")
            left = deadline - self._clock.elapsed_ms()
            if is_settled(order) or left <= 0:
                return order
            try:
                async with asyncio.timeout(left / 1000):
                    await self._orders.changed(order_id)
            except TimeoutError:
                return order

    # --- reads

    async def history(self, query: HistoryQuery) -> HistoryPage[Order, Entry]:
        await self._orders.barrier()
        page = await self._store.history(query)
        return HistoryPage(page.total, [self._view(stored) for stored in page.orders])

    async def order(self, order_id: OrderId) -> OrderView[Order, Entry] | None:
        await self._orders.barrier()
        stored = await self._store.order_history(order_id)
        return None if stored is None else self._view(stored)
