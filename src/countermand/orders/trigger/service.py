"""What can be done with trigger orders, as a dialect asks for it: prepare, pass the gate, wait for the world."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Final, ParamSpec, TypeAlias, TypeVar

from countermand.kernel import telemetry
from countermand.kernel.grouped_writes import GroupedWrites
from countermand.kernel.ids import Ids
from countermand.kernel.ports import Clock, CommitUnknown, Unavailable
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model.commands import (
    Amendment,
    AmendOrder,
    ConfirmCancel,
    PlaceOrder,
    RequestCancel,
    UnsignedDeposit,
)
from countermand.orders.trigger.model.order import Family, Leg, OrderGroup, State
from countermand.orders.trigger.model.refusals import Refusal, Refused
from countermand.orders.trigger.ports import HistoryQuery, Store, StoredOrder, Transactions, VaultStore
from countermand.orders.trigger.records import HistoryEntry, decode_told, history_of
from countermand.orders.trigger.rows import vault_row
from countermand.orders.trigger.shard import Answer, TriggerShard
from countermand.orders.trigger.work import Outbox
from countermand.services.transactions.telemetry import transaction_altered
from countermand.values.bucket import bucket_of
from countermand.values.identity import Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import AttemptKind, Submission, UnsignedTransaction

CRAFT_PATIENCE_MS: Final = 300
"""A cancel does not wait longer than this for its withdrawal to be built: stopping the fills comes first."""
_CRAFT_TRIES: Final = 16
_CRAFTABLE: Final = (
    State.OPEN,
    State.READY_EXECUTE,
    State.PARTLY_FILLED,
    State.EXPIRED,
    State.READY_TO_CANCEL,
)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as its owner asks for it."""

    deposit_request_id: RequestId
    transaction: str
    wallet: Wallet
    family: Family
    input_mint: Mint
    output_mint: Mint
    trigger_mint: Mint
    amount: BaseUnits
    legs: tuple[Leg, ...]
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class NotLanded:
    """The transaction has not landed in the time that a request waits. It may still."""


@dataclass(frozen=True, slots=True)
class DepositUnknown:
    """No deposit was crafted under that request id, or it died."""


@dataclass(frozen=True, slots=True)
class Placed:
    group: OrderGroup
    signature: Signature
    repeated: bool


@dataclass(frozen=True, slots=True)
class Cancelling:
    """Nothing fills any more. `transaction` None: the withdrawal could not be built now, a repetition will."""

    order_id: OrderId
    request_id: RequestId
    transaction: str | None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    order_id: OrderId
    signature: Signature


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order and what its owner is shown of its history, the newest first."""

    group: OrderGroup
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


class TriggerService:
    """Every method may raise `Unavailable` or `CommitUnknown`."""

    def __init__(
        self,
        shard: TriggerShard,
        outbox: Outbox,
        transactions: Transactions,
        store: Store,
        vaults: VaultStore,
        clock: Clock,
        ids: Ids,
        confirm_timeout_ms: int,
    ) -> None:
        self._shard = shard
        self._outbox = outbox
        self._transactions = transactions
        self._store = store
        self._vaults = vaults
        self._registered = GroupedWrites(vaults.add)
        self._clock = clock
        self._ids = ids
        self._confirm_timeout_ms = confirm_timeout_ms

    # --- vaults

    async def vault_registered_at(self, wallet: Wallet) -> Instant | None:
        return await self._vaults.find(wallet)

    async def register_vault(self, wallet: Wallet) -> bool:
        """False: it was registered before."""
        if await self.vault_registered_at(wallet) is not None:
            return False
        await self._registered.add([vault_row(wallet, await self._shard.now())])
        return True

    # --- orders

    async def build_deposit(
        self, wallet: Wallet, family: Family, input_mint: Mint, output_mint: Mint, amount: BaseUnits
    ) -> UnsignedDeposit:
        """A deposit for the wallet to sign. It names the order that it may become."""
        deposit = await self._transactions.build_deposit(
            request_id=self._ids.request_id(),
            order_id=self._ids.order_id(await self._shard.now(), bucket_of(wallet)),
            wallet=wallet,
            family=family,
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
        group = await self._settled(deposit.order_id, lambda group: group.state is not State.DEPOSITING)
        if group.state is State.DEPOSITING:
            return NotLanded()
        if group.state is State.DEPOSIT_FAILED:
            return Refused(Refusal.DEPOSIT_FAILED_BEFORE)
        return Placed(group, await self._deposit_signature(answer.group), repeated=not answer.changed)

    async def _deposit_signature(self, group: OrderGroup) -> Signature:
        """The one that was committed first, whatever a repeated request was signed with. `group` as it was answered."""
        attempt = group.progress.attempt
        if attempt is not None and attempt.user_signature is not None and attempt.kind is AttemptKind.DEPOSIT:
            return attempt.user_signature
        try:
            view = await self.order(group.id)
        except Unavailable as gone:  # But the order is committed: no answer may say that nothing happened.
            raise CommitUnknown(str(gone)) from gone
        lines = () if view is None else view.history
        signature = next((line.signature for line in lines if line.kind == "deposit"), None)
        if signature is None:
            raise CommitUnknown(f"order {group.id} is gone")
        return signature

    def _place_command(self, request: OrderRequest, deposit: UnsignedDeposit, flaw: str | None) -> PlaceOrder:
        return PlaceOrder(
            order_id=deposit.order_id,
            wallet=request.wallet,
            deposit=deposit,
            family=request.family,
            input_mint=request.input_mint,
            output_mint=request.output_mint,
            trigger_mint=request.trigger_mint,
            amount=request.amount,
            legs=request.legs,
            expires_at=request.expires_at,
            submission=self._transactions.read_submission(request.transaction, request.wallet),
            flaw=flaw,
        )

    @_told("amend")
    async def amend(
        self, order_id: OrderId, wallet: Wallet, amendment: Amendment, *, by_operator: bool = False
    ) -> Answer | Refused:
        return await self._shard.submit(AmendOrder(order_id, wallet, amendment, by_operator))

    # --- the two steps of a cancel

    @_told("cancel")
    async def cancel(self, order_id: OrderId, wallet: Wallet, *, by_operator: bool = False) -> Cancelling | Refused:
        """From its answer on nothing fills."""
        request_id = self._ids.request_id()
        for _ in range(_CRAFT_TRIES):
            group = await self._shard.peek(order_id)
            craft = None
            if group is not None and group.terms.wallet == wallet:
                group = await self._with_outcome_known(group)
                craft = await self._withdrawal(group)
            made_from = 0 if group is None else group.version
            command = RequestCancel(order_id, wallet, request_id, craft, made_from, by_operator)
            answer = await self._shard.submit(command)
            if not isinstance(answer, Refused):
                return self._cancelling(answer.group)
            if answer.refusal is not Refusal.CRAFT_STALE:
                return answer
        return await self._cancel_without_craft(RequestCancel(order_id, wallet, request_id, None, 0, by_operator))

    async def _cancel_without_craft(self, command: RequestCancel) -> Cancelling | Refused:
        answer = await self._shard.submit(command)
        return answer if isinstance(answer, Refused) else self._cancelling(answer.group)

    def _cancelling(self, group: OrderGroup) -> Cancelling:
        attempt, withdrawal = group.progress.attempt, group.progress.withdrawal
        assert withdrawal is not None, f"order {group.id} was cancelled without a withdrawal"
        craft = withdrawal.craft if attempt is None else attempt.craft
        transaction = None if craft is None else self._transactions.unsigned_transaction(craft)
        return Cancelling(group.id, withdrawal.request_id, transaction)

    async def _withdrawal(self, group: OrderGroup) -> UnsignedTransaction | None:
        if group.state not in _CRAFTABLE or group.progress.attempt is not None:
            return None
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                return await self._transactions.build_withdrawal(group)
        except (Unavailable, TimeoutError):
            return None

    @_told("confirm")
    async def confirm_cancel(
        self, order_id: OrderId, wallet: Wallet, request_id: RequestId, transaction: str
    ) -> ConfirmAnswer:
        """Commits the user's signature, lands the withdrawal, and waits for it."""
        group, flaw = await self._shard.peek(order_id), None
        if group is not None and group.terms.wallet == wallet:
            group = await self._with_outcome_known(group)
            flaw = await self._shortfall(group)
        submission = self._transactions.read_submission(transaction, wallet)
        command = ConfirmCancel(order_id, wallet, request_id, submission, await self._block_height(), flaw)
        answer = await self._shard.submit(command)
        if isinstance(answer, Refused):
            built = None if group is None else _withdrawal_of(group)
            return self._told_how_altered(answer, "withdrawal", order_id, built, submission)
        if not answer.changed:
            self._outbox.send_now(order_id)
        attempts = answer.group.progress.attempts
        final = await self._settled(
            order_id, lambda group: group.progress.attempt is None or group.progress.attempts != attempts
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

    async def _shortfall(self, group: OrderGroup) -> str | None:
        """Why the withdrawal that would be co-signed now cannot be paid for. A chain that is silent is no reason."""
        withdrawal = group.progress.withdrawal
        if withdrawal is None or withdrawal.craft is None or group.state is not State.READY_TO_CANCEL:
            return None
        if group.progress.attempt is not None:
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

    async def _with_outcome_known(self, group: OrderGroup) -> OrderGroup:
        """What the chain knows of an unresolved withdrawal is sequenced before the request that asks."""
        if group.state is not State.READY_TO_CANCEL or group.progress.attempt is None:
            return group
        try:
            async with asyncio.timeout(CRAFT_PATIENCE_MS / 1000):
                await self._outbox.poll_outcome(group)
        except (Unavailable, TimeoutError):
            return group
        return await self._shard.peek(group.id) or group

    async def _settled(self, order_id: OrderId, is_settled: Callable[[OrderGroup], bool]) -> OrderGroup:
        """The order as committed once `is_settled` holds for it, or as it is when patience ends."""
        deadline = self._clock.elapsed_ms() + self._confirm_timeout_ms
        while True:
            try:
                group = await self._shard.committed(order_id)
            except Unavailable as gone:  # But what was asked is committed: no answer may say that nothing happened.
                raise CommitUnknown(str(gone)) from gone
            if group is None:  # Only a reset of the venue takes a committed order away.
                raise CommitUnknown(f"order {order_id} is gone")
            left = deadline - self._clock.elapsed_ms()
            if is_settled(group) or left <= 0:
                return group
            try:
                async with asyncio.timeout(left / 1000):
                    await self._shard.changed(order_id)
            except TimeoutError:
                return group

    # --- reads

    async def history(self, query: HistoryQuery) -> HistoryPage:
        await self._shard.barrier()
        page = await self._store.history(query)
        return HistoryPage(page.total, [self._view(stored) for stored in page.orders])

    async def order(self, order_id: OrderId) -> OrderView | None:
        await self._shard.barrier()
        stored = await self._store.order_history(order_id)
        return None if stored is None else self._view(stored)

    def _view(self, stored: StoredOrder) -> OrderView:
        history = [entry for body in stored.history for entry in history_of(decode_told(body))]
        return OrderView(self._shard.as_committed(decode_group(stored.order)), history)


def _withdrawal_of(group: OrderGroup) -> UnsignedTransaction | None:
    """The withdrawal that is to be confirmed."""
    attempt, withdrawal = group.progress.attempt, group.progress.withdrawal
    if withdrawal is None:
        return None
    return withdrawal.craft if attempt is None else attempt.craft
