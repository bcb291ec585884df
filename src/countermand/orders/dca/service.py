"""What can be done with recurring orders, as a dialect asks for it: prepare, pass the gate, wait for the world."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Final, ParamSpec, TypeAlias, TypeVar

from countermand.kernel import telemetry
from countermand.kernel.ids import Ids
from countermand.kernel.ports import Clock, CommitUnknown, Unavailable
from countermand.orders.dca.bodies import decode_order
from countermand.orders.dca.model.commands import ConfirmCancel, PlaceOrder, RequestCancel, UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder, Plan, State
from countermand.orders.dca.model.refusals import Refusal, Refused
from countermand.orders.dca.ports import HistoryQuery, Store, StoredOrder, Transactions
from countermand.orders.dca.records import HistoryEntry, decode_told, history_of
from countermand.orders.dca.shard import DcaShard
from countermand.orders.dca.work import DcaOutbox
from countermand.services.transactions.telemetry import transaction_altered
from countermand.values.bucket import bucket_of
from countermand.values.identity import Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import AttemptKind, Submission, UnsignedTransaction

CRAFT_PATIENCE_MS: Final = 300
"""A cancel does not wait longer than this for its withdrawal to be built: stopping the rounds comes first."""
_CRAFT_TRIES: Final = 16
_CRAFTABLE: Final = (State.ACTIVE, State.ROUND_DUE, State.WITHDRAWING)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as its owner asks for it."""

    deposit_request_id: RequestId
    transaction: str
    wallet: Wallet
    input_mint: Mint
    output_mint: Mint
    amount: BaseUnits
    plan: Plan


@dataclass(frozen=True, slots=True)
class NotLanded:
    """The transaction has not landed in the time that a request waits. It may still."""


@dataclass(frozen=True, slots=True)
class DepositUnknown:
    """No deposit was crafted under that request id, or it died."""


@dataclass(frozen=True, slots=True)
class Placed:
    order: DcaOrder
    signature: Signature
    repeated: bool


@dataclass(frozen=True, slots=True)
class Cancelling:
    """No round begins any more. `transaction` None: the withdrawal could not be built now, a repetition will."""

    order: DcaOrder
    request_id: RequestId
    transaction: str | None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    order_id: OrderId
    signature: Signature


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order and what its owner is shown of its history, the newest first."""

    order: DcaOrder
    history: Sequence[HistoryEntry]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    total: int
    orders: Sequence[OrderView]


PlaceAnswer: TypeAlias = Placed | Refused | DepositUnknown | NotLanded
ConfirmAnswer: TypeAlias = Withdrawn | Refused | NotLanded

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _told(request: str) -> Callable[[Callable[_P, Awaitable[_T]]], Callable[_P, Awaitable[_T]]]:
    """Tells an operator what a request was answered."""

    def telling(method: Callable[_P, Awaitable[_T]]) -> Callable[_P, Awaitable[_T]]:
        @wraps(method)
        async def told(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            answer = await method(*args, **kwargs)
            telemetry.answered(request, answer.refusal.name if isinstance(answer, Refused) else type(answer).__name__)
            return answer

        return told

    return telling


class DcaService:
    """Every method may raise `Unavailable` or `CommitUnknown`."""

    def __init__(
        self,
        shard: DcaShard,
        outbox: DcaOutbox,
        transactions: Transactions,
        store: Store,
        clock: Clock,
        ids: Ids,
        confirm_timeout_ms: int,
    ) -> None:
        self._shard = shard
        self._outbox = outbox
        self._transactions = transactions
        self._store = store
        self._clock = clock
        self._ids = ids
        self._confirm_timeout_ms = confirm_timeout_ms

    # --- orders

    async def build_deposit(
        self, wallet: Wallet, input_mint: Mint, output_mint: Mint, amount: BaseUnits
    ) -> UnsignedDeposit:
        """A deposit for the wallet to sign. It names the order that it may become."""
        deposit = await self._transactions.build_deposit(
            request_id=self._ids.request_id(),
            order_id=self._ids.order_id(await self._shard.now(), bucket_of(wallet)),
            wallet=wallet,
            input_mint=input_mint,
            output_mint=output_mint,
            amount=amount,
        )
        await self._shard.add_craft(deposit)
        return deposit

    @_told("place")
    async def place(self, request: OrderRequest) -> PlaceAnswer:
        """Commits the order with the user's signature, lands the deposit, and waits for it."""
        deposit = await self._shard.craft(request.deposit_request_id)
        if deposit is None:
            return DepositUnknown()
        known = await self._shard.peek(deposit.order_id) is not None
        flaw = None if known else await self._transactions.simulate_deposit(deposit)
        command = self._place_command(request, deposit, flaw)
        answer = await self._shard.submit(command)
        if isinstance(answer, Refused):
            return self._told_how_altered(answer, "deposit", deposit.order_id, deposit.craft, command.submission)
        if not answer.changed:
            self._outbox.send_now(deposit.order_id)
        order = await self._settled(deposit.order_id, lambda order: order.state is not State.DEPOSITING)
        if order.state is State.DEPOSITING:
            return NotLanded()
        if order.state is State.DEPOSIT_FAILED:
            return Refused(Refusal.DEPOSIT_FAILED_BEFORE)
        return Placed(order, await self._deposit_signature(answer.order), repeated=not answer.changed)

    async def _deposit_signature(self, order: DcaOrder) -> Signature:
        """The one that was committed first, whatever a repeated request was signed with. `order` as it was answered."""
        attempt = order.progress.attempt
        if attempt is not None and attempt.user_signature is not None and attempt.kind is AttemptKind.DEPOSIT:
            return attempt.user_signature
        try:
            view = await self.order(order.id)
        except Unavailable as gone:  # But the order is committed: no answer may say that nothing happened.
            raise CommitUnknown(str(gone)) from gone
        lines = () if view is None else view.history
        signature = next((line.signature for line in lines if line.kind == "deposit"), None)
        if signature is None:
            raise CommitUnknown(f"order {order.id} is gone")
        return signature

    def _place_command(self, request: OrderRequest, deposit: UnsignedDeposit, flaw: str | None) -> PlaceOrder:
        per_round = BaseUnits(request.amount.units // request.plan.rounds)
        return PlaceOrder(
            order_id=deposit.order_id,
            wallet=request.wallet,
            deposit=deposit,
            input_mint=request.input_mint,
            output_mint=request.output_mint,
            amount=request.amount,
            plan=request.plan,
            round_cents=self._transactions.worth_cents(request.input_mint, per_round),
            submission=self._transactions.read_submission(request.transaction, request.wallet),
            flaw=flaw,
        )

    # --- the two steps of a cancel

    @_told("cancel")
    async def cancel(self, order_id: OrderId, wallet: Wallet, *, by_operator: bool = False) -> Cancelling | Refused:
        """From its answer on no round begins."""
        request_id = self._ids.request_id()
        for _ in range(_CRAFT_TRIES):
            order = await self._shard.peek(order_id)
            craft = None
            if order is not None and order.terms.wallet == wallet:
                order = await self._with_outcome_known(order)
                craft = await self._withdrawal(order)
            made_from = 0 if order is None else order.version
            command = RequestCancel(order_id, wallet, request_id, craft, made_from, by_operator)
            answer = await self._shard.submit(command)
            if not isinstance(answer, Refused):
                return self._cancelling(answer.order)
            if answer.refusal is not Refusal.CRAFT_STALE:
                return answer
        return await self._cancel_without_craft(RequestCancel(order_id, wallet, request_id, None, 0, by_operator))

    async def _cancel_without_craft(self, command: RequestCancel) -> Cancelling | Refused:
        answer = await self._shard.submit(command)
        return answer if isinstance(answer, Refused) else self._cancelling(answer.order)

    def _cancelling(self, order: DcaOrder) -> Cancelling:
        withdrawal, craft = order.progress.withdrawal, _withdrawal_of(order)
        assert withdrawal is not None, f"order {order.id} was cancelled without a withdrawal"
        transaction = None if craft is None else self._transactions.unsigned_transaction(craft)
        return Cancelling(order, withdrawal.request_id, transaction)

    async def _withdrawal(self, order: DcaOrder) -> UnsignedTransaction | None:
        if order.state not in _CRAFTABLE or order.progress.attempt is not None:
            return None
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                return await self._transactions.build_withdrawal(order)
        except (Unavailable, TimeoutError):
            return None

    @_told("confirm")
    async def confirm_cancel(
        self, order_id: OrderId, wallet: Wallet, request_id: RequestId, transaction: str
    ) -> ConfirmAnswer:
        """Commits the user's signature, lands the withdrawal, and waits for it."""
        order, flaw = await self._shard.peek(order_id), None
        if order is not None and order.terms.wallet == wallet:
            order = await self._with_outcome_known(order)
            flaw = await self._shortfall(order)
        submission = self._transactions.read_submission(transaction, wallet)
        command = ConfirmCancel(order_id, wallet, request_id, submission, await self._block_height(), flaw)
        answer = await self._shard.submit(command)
        if isinstance(answer, Refused):
            built = None if order is None else _withdrawal_of(order)
            return self._told_how_altered(answer, "withdrawal", order_id, built, submission)
        if not answer.changed:
            self._outbox.send_now(order_id)
        attempts = answer.order.progress.attempts
        final = await self._settled(
            order_id, lambda order: order.progress.attempt is None or order.progress.attempts != attempts
        )
        attempt, withdrawal = final.progress.attempt, final.progress.withdrawal
        if final.state is State.CANCELLED:
            signature = None if withdrawal is None else withdrawal.signature
            assert signature is not None, f"order {order_id} is cancelled without a signature"
            return Withdrawn(order_id, signature)
        if attempt is not None:
            return NotLanded()
        again = await self._shard.submit(command)  # It failed: the gate knows how to say it.
        return again if isinstance(again, Refused) else NotLanded()

    async def _shortfall(self, order: DcaOrder) -> str | None:
        """Why the withdrawal that would be co-signed now cannot be paid for. A chain that is silent is no reason."""
        withdrawal = order.progress.withdrawal
        if withdrawal is None or withdrawal.craft is None or order.state is not State.WITHDRAWING:
            return None
        if order.progress.attempt is not None:
            return None  # It may have taken the fee already.
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                return await self._transactions.shortfall(withdrawal.craft)
        except (Unavailable, TimeoutError):
            return None

    def _told_how_altered(
        self, refused: Refused, kind: str, order_id: OrderId, built: UnsignedTransaction | None, submission: Submission
    ) -> Refused:
        """The refusal of another message than the built one says what of it was modified, and the log says how."""
        if refused.refusal is not Refusal.TRANSACTION_OTHER or built is None or built.message == submission.message:
            return refused
        found = self._transactions.alteration(built, submission)
        transaction_altered(kind, order_id, found.differences)
        # Who signs a deposit is among its accounts: so the original service says it.
        signers = found.signers and kind == "withdrawal"
        return replace(refused, detail="signers" if signers else refused.detail)

    async def _block_height(self) -> int:
        """0, when the chain does not answer: then the attempt is made, and the chain judges its age."""
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                return await self._transactions.block_height()
        except (Unavailable, TimeoutError):
            return 0

    async def _with_outcome_known(self, order: DcaOrder) -> DcaOrder:
        """What the chain knows of an unresolved withdrawal is sequenced before the request that asks."""
        if order.state is not State.WITHDRAWING or order.progress.attempt is None:
            return order
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                await self._outbox.poll_outcome(order)
        except (Unavailable, TimeoutError):
            return order
        return await self._shard.peek(order.id) or order

    async def _settled(self, order_id: OrderId, is_settled: Callable[[DcaOrder], bool]) -> DcaOrder:
        """The order as committed once `is_settled` holds for it, or as it is when patience ends."""
        deadline = self._clock.elapsed_ms() + self._confirm_timeout_ms
        while True:
            try:
                order = await self._shard.committed(order_id)
            except Unavailable as gone:  # But what was asked is committed: no answer may say that nothing happened.
                raise CommitUnknown(str(gone)) from gone
            if order is None:  # Only a reset of the venue takes a committed order away.
                raise CommitUnknown(f"order {order_id} is gone")
            left = deadline - self._clock.elapsed_ms()
            if is_settled(order) or left <= 0:
                return order
            try:
                async with asyncio.timeout(left / 1000):
                    await self._shard.changed(order_id)
            except TimeoutError:
                return order

    # --- reads

    async def history(self, query: HistoryQuery) -> HistoryPage:
        await self._shard.barrier()
        page = await self._store.history(query)
        return HistoryPage(page.total, [_view(stored) for stored in page.orders])

    async def order(self, order_id: OrderId) -> OrderView | None:
        await self._shard.barrier()
        stored = await self._store.order_history(order_id)
        return None if stored is None else _view(stored)


def _withdrawal_of(order: DcaOrder) -> UnsignedTransaction | None:
    """The withdrawal that is to be confirmed."""
    attempt, withdrawal = order.progress.attempt, order.progress.withdrawal
    if withdrawal is None:
        return None
    return withdrawal.craft if attempt is None else attempt.craft


def _view(stored: StoredOrder) -> OrderView:
    entries = tuple(entry for body in stored.history for entry in history_of(decode_told(body)))
    return OrderView(decode_order(stored.order), entries)
