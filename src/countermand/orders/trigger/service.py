"""What can be done with trigger orders, as a dialect asks for it. Most of it is common to all orders in vaults."""

from functools import partial
from typing import TypeAlias

from msgspec import Struct

from countermand.kernel.ids import Ids
from countermand.kernel.ports import Clock
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model.commands import Amendment, AmendOrder, PlaceOrder, UnsignedDeposit
from countermand.orders.trigger.model.order import Family, Leg, OrderGroup
from countermand.orders.trigger.model.refusals import TriggerRefused, refused
from countermand.orders.trigger.ports import Store, Transactions
from countermand.orders.trigger.records import HistoryEntry, decode_trigger_record, history_of
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.trigger.work import TriggerOutbox
from countermand.orders.vaults.model.refusals import Objection, VaultRefusal
from countermand.orders.vaults.ports import StoredOrder
from countermand.orders.vaults.service import DepositUnknown, OrderView, PlaceAnswer, VaultService, counts_answers
from countermand.orders.vaults.shard import Decided
from countermand.values.bucket import bucket_of
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import Submission

TriggerView: TypeAlias = OrderView[OrderGroup, HistoryEntry]


class OrderRequest(Struct, frozen=True):
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


class TriggerService(VaultService[OrderGroup, UnsignedDeposit, TriggerRefused, HistoryEntry, PlaceOrder]):
    """Every method may raise `Unavailable` or `CommitUnknown`."""

    def __init__(
        self,
        shard: TriggerShard,
        outbox: TriggerOutbox,
        transactions: Transactions,
        store: Store,
        clock: Clock,
        ids: Ids,
        confirm_timeout_ms: int,
    ) -> None:
        super().__init__(shard, outbox, transactions, store, clock, ids, confirm_timeout_ms)
        self._shard = shard
        self._transactions = transactions

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

    @counts_answers("place")
    async def place(self, request: OrderRequest) -> PlaceAnswer[OrderGroup, TriggerRefused]:
        """Commits the order with the user's signature, lands the deposit, and waits for it."""
        deposit = await self._shard.craft(request.deposit_request_id)
        if deposit is None:
            return DepositUnknown()
        submission = self._transactions.read_submission(request.transaction, request.wallet)
        return await self._place(deposit, submission, partial(_place_order, request, deposit, submission))

    @counts_answers("amend")
    async def amend(
        self, order_id: OrderId, wallet: Wallet, amendment: Amendment, *, by_operator: bool = False
    ) -> Decided[OrderGroup] | TriggerRefused:
        return await self._shard.submit(AmendOrder(order_id, wallet, amendment, by_operator))

    def _refused(self, refusal: VaultRefusal) -> TriggerRefused:
        return refused(Objection(refusal))

    def _view(self, stored: StoredOrder) -> TriggerView:
        history = [entry for body in stored.history for entry in history_of(decode_trigger_record(body))]
        return OrderView(self._shard.as_committed(decode_group(stored.order)), history)


def _place_order(
    request: OrderRequest, deposit: UnsignedDeposit, submission: Submission, flaw: str | None
) -> PlaceOrder:
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
        submission=submission,
        flaw=flaw,
    )
