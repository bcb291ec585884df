"""The seeds of the order books, and that they bring about all that they are meant to.

`COUNTERMAND_SIMULATE_SEEDS=5000` runs so many instead of 24.
"""

import os
import subprocess
import sys
from collections import Counter

import pytest

from countermand_simulator.book.run import again, main, simulate
from countermand_simulator.outcomes import report

STEPS = 500
SEEDS = int(os.environ.get("COUNTERMAND_SIMULATE_SEEDS", "24"))
RARE = (25, 132, 207)
"""Each brings about what only a few of a hundred do."""

SITUATIONS = """
cancel_by_operator ends a partly filled order
cancel_by_operator ends a resting order
cancel_by_operator ends a waiting stop
cancel_order ends a partly filled order
cancel_order ends a partly filled order, of which dust is left
cancel_order ends a resting order
cancel_order ends a waiting stop
cancel_orders: ends by user before any trade
expire_order ends a partly filled order
expire_order ends a resting order
expire_order ends a waiting stop
open_order: ends by failed before any trade
open_order: ends by slippage before any trade
open_order: ends by system before any trade
place_order: ends by failed before any trade
place_order: ends by slippage after trades
place_order: ends by slippage before any trade
place_order: ends by system after trades
place_order: ends by system before any trade
a bulk cancel
a cancel finds that its order traded meanwhile
a cancel loses a race: ORDER_CANCELLED
a cancel loses a race: ORDER_DONE
a cancel overtakes the answer to its order
a limit order, no trade
a limit order, one trade
a limit order, several trades
a limit_maker order, no trade
a market order, no trade
a market order, one trade
a market order, several trades
a replaced writer wakes up
a stop order enters, no trade
a stop order enters, one trade
a stop order enters, several trades
a stop triggers at once
a stop_limit order, no trade
a trade triggers a stop
a writer was replaced
a load finds an order on its way through the book
a load finds stops that are to be triggered
an order goes on through the book, no trade
an order goes on through the book, one trade
an order rests with what the book left of it
answer lost
balances: balances
became: became
cancel many: CommitUnknown
cancel many: cancelled many
cancel: CommitUnknown
cancel: Gone
cancel: ORDER_CANCELLED
cancel: ORDER_DONE
cancel: ORDER_UNKNOWN
cancel: cancelled
clock leaps
clock leaps to an end
crash at store.after-commit
crash at store.after-epoch
crash at store.before-commit
crash at store.before-epoch
crash at store.before-read
create: CommitUnknown
create: INSUFFICIENT_FUNDS
create: NONCE_UNKNOWN
create: NONCE_USED
create: placed
credit: AMOUNT_TOO_BIG
credit: CommitUnknown
credit: credited
draft: CommitUnknown
draft: MARKET_UNKNOWN
draft: PRICE_MISSING
draft: PRICE_OUTSIDE_BAND
draft: PRICE_TOO_HIGH
draft: PRICE_TOO_LOW
draft: STOP_MISSING
draft: VOLUME_TOO_BIG
draft: VOLUME_TOO_SMALL
draft: drafted
forget: forgotten
front: Unavailable
front: resting
held commit comes through
held commit defeated
held commit waited for
list: orders
operator: ORDER_CANCELLED
operator: ORDER_DONE
operator: cancelled
periods: periods
place: CommitUnknown
place: INSUFFICIENT_FUNDS
place: NONCE_USED
place: placed
recall: draft
self-trade takes off a part
stops trigger in a turn of their own
store: the answer to a commit was lost
store: the commit is inside the database
store: the commit never arrived
store: the store is down: nothing was sent
tickers: tickers
trades: trades
view: view
""".strip().splitlines()

TRACES = """
from countermand_simulator.book.run import simulate
for seed in (3, 8):
    outcome = simulate(seed, 200)
    print(outcome.trace.digest(), outcome.steps, outcome.violation, seed)
"""


def test_no_seed_breaks_a_claim_and_they_bring_about_all_that_they_are_meant_to() -> None:
    occurred = Counter[str]()
    for seed in (*range(SEEDS), *RARE):
        outcome = simulate(seed, STEPS)
        occurred += outcome.trace.situations
        if outcome.violation is not None:
            report(outcome, again(STEPS), print)
            pytest.fail(f"seed {seed}: {outcome.violation}")
    for situation, times in sorted(occurred.items()):
        print(f"{times:8d}  {situation}")
    assert [situation for situation in SITUATIONS if not occurred[situation]] == []


def test_one_seed_gives_one_trace_under_two_hash_seeds() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TRACES],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    first, second = (process.communicate()[0].splitlines() for process in processes)
    assert first == second
    assert [len(trace.split()[0]) for trace in first] == [64, 64]


def test_two_seeds_give_two_traces() -> None:
    assert simulate(3, 50).trace.digest() != simulate(4, 50).trace.digest()


def test_a_run_says_how_far_it_got(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(range(2), 50) == 0
    assert capsys.readouterr().out.startswith("2 seeds, ")
