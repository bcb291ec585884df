"""What can be done with recurring orders, as a dialect asks for it. Most of it is common to all orders in vaults."""

from typing import TypeAlias

from msgspec import Struct

from countermand.kernel.ids import Ids
from countermand.kernel.ports import Clock
from countermand.orders.dca.bodies import decode_order
from countermand.orders.dca.model.commands import PlaceOrder, UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder, DcaPlan
from countermand.orders.dca.model.refusals import DcaRefused, refused
from countermand.orders.dca.ports import Store, Transactions
from countermand.orders.dca.records import HistoryEntry, decode_dca_record, history_of
from countermand.orders.dca.shard import DcaShard
from countermand.orders.dca.work import DcaOutbox
from countermand.orders.vaults.model.refusals import Objection, VaultRefusal
from countermand.orders.vaults.ports import StoredOrder
from countermand.orders.vaults.service import DepositUnknown, OrderView, PlaceAnswer, VaultService, counts_answers
from countermand.values.bucket import bucket_of
from countermand.values.identity import Mint, RequestId, Wallet
from countermand.values.quantities import BaseUnits

DcaView: TypeAlias = OrderView[DcaOrder, HistoryEntry]


class OrderRequest(Struct, frozen=True):
    """An order as its owner asks for it."""

    deposit_request_id: RequestId
    transaction: str
    wallet: Wallet
    input_mint: Mint
    output_mint: Mint
    amount: BaseUnits
    plan: DcaPlan


class DcaService(VaultService[DcaOrder, UnsignedDeposit, DcaRefused, HistoryEntry, PlaceOrder]):
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
        super().__init__(shard, outbox, transactions, store, clock, ids, confirm_timeout_ms)
        self._shard = shard
        self._transactions = transactions

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

    @counts_answers("place")
    async def place(self, request: OrderRequest) -> PlaceAnswer[DcaOrder, DcaRefused]:
        """Commits the order with the user's signature, lands the deposit, and waits for it."""
        deposit = await self._shard.craft(request.deposit_request_id)
        if deposit is None:
            return DepositUnknown()
        submission = self._transactions.read_submission(request.transaction, request.wallet)

        def command_of(flaw: str | None) -> PlaceOrder:
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
                submission=submission,
                flaw=flaw,
            )

        return await self._place(deposit, submission, command_of)

    def _refused(self, refusal: VaultRefusal) -> DcaRefused:
        return refused(Objection(refusal))

    def _view(self, stored: StoredOrder) -> DcaView:
        entries = tuple(entry for body in stored.history for entry in history_of(decode_dca_record(body)))
        return OrderView(decode_order(stored.order), entries)
