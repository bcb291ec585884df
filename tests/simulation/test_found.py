"""Bugs that the simulator found, each as the smallest test that shows it."""

from collections.abc import Callable
from typing import cast

from countermand.kernel.clock import VenueClock
from countermand.orders.trigger.model.commands import Command, ResolveAttempt
from countermand.orders.trigger.model.decide import decide
from countermand.orders.trigger.model.events import OrderPlaced
from countermand.orders.trigger.model.lifecycle import place as begin
from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.orders.trigger.ports import Transactions
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.trigger.work import TriggerOutbox
from countermand.services.transactions.client_transactions import (
    Build,
    ClientTransactions,
    Executed,
    Landing,
    NotOurs,
    SignedTransaction,
)
from countermand.values.identity import Address, RequestId, Signature, Wallet
from countermand.values.instant import Moment
from countermand.values.structs import replace
from countermand.values.transactions import Attempt, ObservedOutcome, Submission, SubmissionFault, TransactionOutcome
from tests.orders.recurring.stage import Drawer
from tests.orders.trigger.samples import ID, PLACED_AT, TXID, order, place


def test_who_creates_an_order_again_without_a_signature_is_not_told_that_it_was_placed() -> None:
    """It crashed: the answer was made of the signature in the request."""
    again = place()
    unsigned = replace(again, submission=Submission(again.deposit.craft.message, None, SubmissionFault.UNSIGNED))
    assert decide(order(), unsigned, Moment(PLACED_AT)) == TriggerRefused(TriggerRefusal.TRANSACTION_UNSIGNED)


def test_the_first_signature_of_a_deposit_is_the_one_that_everybody_is_told() -> None:
    """A client that repeated the request with another signature was told that one, which never landed."""
    first, again = place(), place()
    again = replace(again, submission=replace(again.submission, user_signature=Signature("another")))
    decision = decide(None, first, Moment(PLACED_AT))
    assert isinstance(decision, tuple)
    [event] = decision
    assert isinstance(event, OrderPlaced)
    group = begin(ID, event, PLACED_AT)
    assert decide(group, again, Moment(PLACED_AT)) == ()
    assert group.progress.attempt is not None
    assert group.progress.attempt.user_signature == first.submission.user_signature


class _NoGate:
    """A shard that takes everything."""

    async def submit(self, command: Command) -> None:
        assert isinstance(command, ResolveAttempt)


class _Sends:
    """A custody whose send takes so long that another worker learns the fate meanwhile."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def send(self, group: OrderGroup, sent: Attempt) -> None:
        self.meanwhile()

    async def outcome(self, group: OrderGroup, asked: Attempt) -> ObservedOutcome | None:
        self.asked.append(asked.number)
        return ObservedOutcome(TransactionOutcome.LANDED, TXID)


async def test_an_attempt_whose_fate_others_learn_while_it_is_sent_does_not_upset_the_outbox() -> None:
    """It asked for the fate of the order's attempt as it was by then, and there was none."""
    custody, filled = _Sends(), order(State.FILLED, sweep_due=True)
    outbox = TriggerOutbox(cast(TriggerShard, _NoGate()), cast(Transactions, custody), VenueClock(), 300)
    custody.meanwhile = lambda: outbox.on_committed([filled], loaded=False)
    outbox.on_committed([order(State.EXECUTING)], loaded=False)
    entry = outbox._entries[ID]
    entry.working = True
    assert await outbox._resolve(entry) is None
    assert custody.asked == [2]


class _Lands:
    """Whatever is handed in has landed. A transaction is its message."""

    def read(self, transaction: str) -> SignedTransaction:
        return SignedTransaction(b"", transaction.encode(), TXID)

    async def outcome(self, signature: Signature, _last_valid_height: int) -> ObservedOutcome:
        return ObservedOutcome(TransactionOutcome.LANDED, signature)


async def test_each_name_of_a_cancel_is_known_after_a_restart() -> None:
    """One that was asked for with others and alone had two; only the first was stored, and a crash forgot the other."""
    shelf = Drawer()

    def starts() -> ClientTransactions:
        return ClientTransactions(shelf, cast(Landing, _Lands()), VenueClock(), 100)

    def build(request_id: str, message: str) -> Build:
        return Build(RequestId(request_id), Wallet("w"), "", Address("o"), False, message.encode(), 1)

    before = starts()
    await before.remember([build("both", "one"), build("both", "two")], repeatable=True)
    await before.remember([build("alone", "two")], repeatable=True)
    after = starts()
    for message, name in (("one", "both"), ("two", "both"), ("two", "alone")):
        assert isinstance(await after.execute(message, RequestId(name)), Executed)
    assert await after.execute("one", RequestId("alone")) == NotOurs()
