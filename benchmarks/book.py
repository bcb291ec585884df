"""The core of the order book, without any I/O, beside the pure-Python books of PyPI: `python -m benchmarks.book`.

Every book gets the same operations, in a process of its own: `COUNT` of them from a fixed seed, 40 % cancels of a
random live order, the rest limit orders. Four fifths of those rest near a wandering mid (an exponential distance, 20
ticks on average), one fifth goes 40 ticks through it; quantities are 1 to 100. Such a flow takes about as much out of
a book as it puts in, so that a book that begins empty stays nearly so. The second table therefore begins with
`DEEP` orders that rest; those are not timed.

"Ours" takes the path of the venue: it first looks which makers an order meets, then takes that off and adds the rest.
"Ours, with money" is the venue's whole turn: a command is decided and its events are applied, with holds, fees and
balances, which no peer has. "Ours, in one step" is a shorter path that the venue does not take. A book that is slow is
stopped after its time, and its rate is that of what it did; one after which another quantity rests than after ours is
marked.

The machine may be shared: rates are per second of processor time, medians of several runs, and per second of the clock
beside it.
"""

import argparse
import json
import marshal
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.book_driver import BOOKS, CANCEL, Operation, Run
from countermand.orders.book.model.book import Book
from countermand.orders.book.model.fast import FastBook
from countermand.orders.book.model.order import BUY, SELL

COUNT: Final = 200_000
DEEP: Final = 50_000
SEED: Final = 4
RUNS: Final = 5
PEERS: Final = ("pyorderbook==0.4.9", "order-matching[polars]==0.12.0", "lightmatchingengine==2019.1.4")
_DRIVER: Final = Path(__file__).with_name("book_driver.py")
_OURS: Final = "ours"
_NAIVE: Final = "ours, naive"
WITH_MONEY: Final = "ours, with money"


@dataclass
class Workload:
    before: int
    """So many operations only fill the book."""
    operations: list[Operation]
    resting: list[int]
    """The quantity that rests after each operation, as our book has it."""
    depth: int
    """How many orders rest, on average over the operations that are timed."""


class _Maker:
    """Makes operations, and keeps a book to know which orders live."""

    def __init__(self, seed: int) -> None:
        self.chance, self.book, self.mid = random.Random(seed), FastBook(), 100_000
        self.operations: list[Operation] = []
        self.resting: list[int] = []
        self._live: list[int] = []
        self._quantities: dict[int, int] = {}

    def place(self, order_id: int, *, rests: bool) -> None:
        buys, quantity = self.chance.randrange(2), self.chance.randint(1, 100)
        away = 1 + int(self.chance.expovariate(1 / 20)) if rests else -40
        price = self.mid - away if buys else self.mid + away
        hit = self.book.submit(order_id, BUY if buys else SELL, price, quantity)
        self._live.append(order_id)
        self._quantities[order_id] = quantity
        for maker_id, _, taken in hit:
            self._quantities[maker_id] -= taken
            self._quantities[order_id] -= taken
        self._made((order_id, buys, price, quantity), quantity - 2 * sum(taken for _, _, taken in hit))

    def cancel(self) -> bool:
        target = _any_live(self._live, self.book, self.chance)
        if target:
            self.book.remove(target)
            self._made((target, CANCEL, 0, 0), -self._quantities[target])
        return bool(target)

    def _made(self, operation: Operation, change: int) -> None:
        self.operations.append(operation)
        self.resting.append((self.resting[-1] if self.resting else 0) + change)


def workload(count: int = COUNT, before: int = 0, seed: int = SEED) -> Workload:
    maker, depths = _Maker(seed), 0
    for order_id in range(1, before + 1):
        maker.place(order_id, rests=True)
    for order_id in range(before + 1, before + count + 1):
        maker.mid += maker.chance.choice((-1, 0, 1))
        if maker.chance.random() >= 0.4 or not maker.cancel():
            maker.place(order_id, rests=maker.chance.random() < 0.8)
        depths += len(maker.book)
    return Workload(before, maker.operations, maker.resting, depths // count)


def _any_live(live: list[int], book: Book, chance: random.Random) -> int:
    """A random live order, or 0 if there is none. Takes it, and those that filled meanwhile, out of the list."""
    while live:
        place = chance.randrange(len(live))
        live[place], live[-1] = live[-1], live[place]
        order_id = live.pop()
        if order_id in book:
            return order_id
    return 0


# --- all of them, in one run


@dataclass
class Score:
    """`cpu_rate` and `clock_rate`: operations per second, medians. `agrees`: the same rests as with ours."""

    name: str
    done: int
    cpu_rate: float
    clock_rate: float
    agrees: bool


def measure(made: Workload, python: str, runs: int = RUNS) -> list[Score]:
    """Ours first. `python` has the peers installed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "operations"
        path.write_bytes(marshal.dumps(made.operations))
        results: dict[str, list[Run]] = {name: [] for name in BOOKS}
        for number in range(runs):
            for name, of_it in results.items():
                # What takes its whole time, or is not in the race, runs once.
                if number and (name == _NAIVE or of_it[0].done < COUNT):
                    continue
                of_it.append(_run_apart(sys.executable if name.startswith(_OURS) else python, name, made.before, path))
    return [_score(name, of_it, made) for name, of_it in results.items()]


def _run_apart(python: str, name: str, before: int, path: Path) -> Run:
    command = [python, str(_DRIVER), name, str(before), str(path)]
    return Run(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def _score(name: str, runs: list[Run], made: Workload) -> Score:
    return Score(
        name,
        runs[0].done,
        statistics.median(run.done / run.cpu_s for run in runs),
        statistics.median(run.done / run.clock_s for run in runs),
        all(run.resting == made.resting[made.before + run.done - 1] for run in runs if run.done),
    )


@contextmanager
def peers() -> Iterator[str]:
    """An interpreter with the peers, for this once."""
    with tempfile.TemporaryDirectory() as home:
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        python = str(Path(home) / "bin" / "python")
        # The versions that the venue is pinned to do not bind its peers.
        environment = {key: value for key, value in os.environ.items() if not key.endswith("_CONSTRAINT")}
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS]
        subprocess.run(install, check=True, env=environment)
        yield python


def table(scores: list[Score]) -> str:
    lines = ["| book | operations | per second of processor | of the clock | ours is |", "|---|---|---|---|---|"]
    for score in scores:
        name = score.name if score.agrees else f"{score.name} (something else rests)"
        times = f"{scores[0].cpu_rate / score.cpu_rate:.1f} ×" if score.done else "not done in time"
        lines.append(f"| {name} | {score.done:,} | {score.cpu_rate:,.0f} | {score.clock_rate:,.0f} | {times} |")
    return "\n".join(lines)


@dataclass
class Race:
    """One workload. `scores` has ours first."""

    before: int
    depth: int
    scores: list[Score]


def races(runs: int = RUNS, python: str | None = None) -> list[Race]:
    """Both workloads. `python` None: an interpreter with the peers is made, for this once."""
    with nullcontext(python) if python else peers() as interpreter:
        found = []
        for before in (0, DEEP):
            made = workload(before=before)
            found.append(Race(before, made.depth, measure(made, interpreter, runs)))
        return found


def report(found: list[Race]) -> str:
    """The tables, in Markdown."""
    parts = []
    for race in found:
        parts.append(f"A book that begins with {race.before:,} orders; {race.depth:,} rest on average:")
        parts.append(table(race.scores))
    return "\n\n".join(parts)


def _main() -> None:
    parser = argparse.ArgumentParser(description="The order book beside the pure-Python books of PyPI.")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has the peers installed")
    given = parser.parse_args()
    print(report(races(given.runs, given.peers)))


if __name__ == "__main__":
    _main()
