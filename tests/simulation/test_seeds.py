"""The simulator's seeds bring about all that they are meant to."""

from collections import Counter
from pathlib import Path

from countermand_simulator.run import DEFAULT_CHAIN
from tests.simulation.seeds import CHUNKS, PARTS, occurred

SITUATIONS = """
a build is handed in under another name
a build is handed to the other family
a build is never signed
a cancel after a part was filled
a cancel after the parent
a cancel beats a crossing
a cancel is repeated
a cancel while expired
a cancel while open
a cancel without a withdrawal
a child fills
a dead transaction is executed
a deposit is dead
a deposit is rejected
a deposit lands with the trigger through the market
a fill is dead
a fill that failed is told of
a fill lands and gives a rest back
a parent is done
a part is filled
a fill is rejected with its close
a fill lands
a gift to what belongs to an on-chain order
a keeper ends a recurring order
a keeper fills a limit order
a keeper fills a limit order by a flash
a keeper makes a cycle
a keeper pays out
a keeper returns an expired order
a keeper returns dust
a keeper's transaction closes an order
a limit order is closed
a limit order is opened
a pause after a failed fill ends
a price crosses
a price crosses 0 ms before an order expires
a price crosses 1 ms before an order expires
a recurring order changes
a recurring order is closed
a recurring order is opened
a replaced writer wakes up
a stranger cancels an order that has expired
a stranger cancels an order that has not expired
a stranger closes an expired order
the rest of an order goes on
the rest of an order triggers
the second leg triggers
an order expired while a part was being filled
dust comes to an output account
a watermark moves
a swap is not worth a transaction
a swap would give less than the minimum
a sweep closes an account
a sweep starts
a transaction of an on-chain order is rejected
a withdrawal is dead
a withdrawal is rejected with its close
a withdrawal lands
a writer was replaced
amend: CommitUnknown
amend: amended
an address is prefunded
an order's id says another bucket than its row
an order is told of as cancelled
an order is told of as completed
an order expired while its deposit was under way
an order expired while its fill was under way
an order expires while open
an order expires while triggered
an update puts the trigger through the market
an owner closes its token account
answer lost
cancel: CommitUnknown
cancel: FILL_UNDER_WAY
cancel: Gone
chain down
chain: a commit never arrived
chain: the answer to a commit was lost
clock leaps
confirm: CommitUnknown
confirm: Gone
confirm: TRANSACTION_OTHER
confirm: TRANSACTION_UNREADABLE
confirm: TRANSACTION_UNSIGNED
confirm: TRANSACTION_WRONG_SIGNATURE
confirm: WITHDRAWAL_EXPIRED
confirm: WITHDRAWAL_REJECTED
confirm: WITHDRAWAL_SUPERSEDED
confirm: not landed
confirm: withdrawn
crash at chain.after-commit
crash at chain.after-send
crash at chain.before-commit
crash at chain.before-send
crash at ledger.after-commit
crash at ledger.before-commit
crash at store.after-commit
crash at store.after-epoch
crash at store.before-commit
crash at store.before-epoch
crash at store.before-read
create: CommitUnknown
create: DEPOSIT_DUPLICATE
create: DEPOSIT_FAILED_BEFORE
create: DEPOSIT_FLAWED
create: DEPOSIT_UNLIKE_CRAFT
create: Gone
create: not landed
create: placed
dust before a landing, 0 rejected so far
dust before a landing, 1 rejected so far
dust before a landing, 2 rejected so far
held commit comes through
held commit defeated
held commit waited for
foreign cancel: ORDER_FOREIGN
history: Gone
history: history
limit.cancel: CommitUnknown
limit.cancel: built
limit.create: CommitUnknown
limit.create: Gone
limit.execute: Gone
limit.execute: executed
limit.execute: not ours
limit.execute: unconfirmed
limit.opening: opened
limit.read: open
one signature is sent, and another executed
read: order
recurring.cancel: ORDER_UNREADABLE
recurring.cancel: built
recurring.create: CommitUnknown
recurring.create: built
recurring.execute: executed
recurring.execute: not ours
recurring.execute: unconfirmed
recurring.read: open
rpc.send: sent
send arrived twice
send dropped
send late
several orders are closed together
store: the answer to a commit was lost
store: the commit is inside the database
store: the commit never arrived
store: the store is down: nothing was sent
the address of an on-chain order is prefunded
the chain of a writer was replaced
the end of a pause triggers
the same instructions are signed for another blockhash
two valid signatures of one message are executed
a cancel before the first round
a cancel between two rounds
a cancel of rounds is repeated
a cancel of rounds without a withdrawal
a cancel overtakes a round
a cancel races a round
a recurring order is placed
a round begins
a round is filled
a round is given up for the next interval
a round is left out for its price
a round is tried again
a round of a price band begins
a round's swap fails
a round's swap is not worth a transaction
a round's swap is rejected with its close
a round's window ends while it waits
a sweep of a recurring order is tried again
a sweep of a recurring order starts
an address is prefunded while the deposit of a recurring order is on its way
dust on rounds before a landing, 0 rejected so far
dust on rounds before a landing, 1 rejected so far
dust on rounds before a landing, 2 rejected so far
rounds.cancel: CommitUnknown
rounds.cancel: Gone
rounds.cancel: ORDER_UNKNOWN
rounds.cancel: STATE_FORBIDS_CANCEL
rounds.cancel: cancelling
rounds.confirm: CommitUnknown
rounds.confirm: Gone
rounds.confirm: TRANSACTION_OTHER
rounds.confirm: TRANSACTION_UNREADABLE
rounds.confirm: TRANSACTION_UNSIGNED
rounds.confirm: TRANSACTION_WRONG_SIGNATURE
rounds.confirm: WITHDRAWAL_EXPIRED
rounds.confirm: WITHDRAWAL_REJECTED
rounds.confirm: WITHDRAWAL_SUPERSEDED
rounds.confirm: WITHDRAWAL_UNKNOWN
rounds.confirm: not landed
rounds.confirm: withdrawn
rounds.craft: CommitUnknown
rounds.craft: Gone
rounds.craft: crafted
rounds.create: BEGIN_PAST
rounds.create: BEGIN_TOO_LATE
rounds.create: CommitUnknown
rounds.create: DEPOSIT_DUPLICATE
rounds.create: DEPOSIT_FAILED_BEFORE
rounds.create: DEPOSIT_FLAWED
rounds.create: DEPOSIT_UNLIKE_CRAFT
rounds.create: Gone
rounds.create: ROUND_TOO_SMALL
rounds.create: TRANSACTION_UNREADABLE
rounds.create: TRANSACTION_UNSIGNED
rounds.create: TRANSACTION_WRONG_SIGNATURE
rounds.create: not landed
rounds.create: placed
rounds.events: events
rounds.foreign cancel: ORDER_UNKNOWN
rounds.history: page
rounds.read: Gone
rounds.read: order
rounds: fill_started
rounds: withdrawal_started
the account of a recurring order is swept
the address of a recurring order is prefunded
the deposit of a recurring order is rejected
the deposit of a recurring order lands
the first round begins when it was asked to
the last round is filled
the last round takes what does not divide
the rest of a recurring order is withdrawn
the swap of a round fails
the swap of a round is refused
the swap of a round would take a part
the withdrawal of a recurring order is rejected with its close
""".strip().splitlines()


def test_the_seeds_bring_about_all_that_they_are_meant_to(seen: Path) -> None:
    situations = Counter[str]()
    for chunk in CHUNKS:
        if chunk.chain == DEFAULT_CHAIN:
            situations += occurred(chunk, seen)
    for situation, times in sorted(situations.items()):
        print(f"{times:8d}  {situation}")
    assert [situation for situation in SITUATIONS if not situations[situation]] == []


def test_each_part_has_its_file() -> None:
    files = sorted((Path(__file__).parent / "parts").glob("test_*.py"))
    assert len(files) == PARTS
    for number, file in enumerate(files):
        assert f"part({number})" in file.read_text()
