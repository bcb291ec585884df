"""`countermand simulate`."""

import re
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from countermand.cli.endings import FAILED
from countermand.cli.interrupts import ended_at_once
from countermand.cli.options import Whole
from countermand.cli.progress import progress
from countermand.cli.reasons import examined
from countermand.settings import StartRefused
from countermand_simulator import run
from countermand_simulator.book import run as books
from countermand_simulator.outcomes import Tally

_RANGE: Final = re.compile(r"(\d{1,20})\.\.(\d{1,20})")


def simulate(
    *,
    seed: Annotated[Whole | None, Parameter(help="the seed to run")] = None,
    steps: Annotated[Whole, Parameter(help="commands and results of effects to apply, for each seed")] = 500,
    seeds: Annotated[str | None, Parameter(help="a range A..B of seeds, both included")] = None,
    chain: Annotated[
        Literal["svm", "model"] | None,
        Parameter(help="svm, the default: the real virtual machine; model: a quicker model of it"),
    ] = None,
    book: Annotated[bool, Parameter(help="the order books, instead of the orders of wallets", negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON", negative="")] = False,
) -> int:
    """Run the whole engine under virtual time and faults, and check every promise. Exit status 1 on a failure."""
    chosen = seed_range(seed, seeds)
    if steps < 1:
        raise StartRefused(f"--steps {steps} is too few; give 1 or more")
    if book and chain is not None:
        raise StartRefused(f"--book and --chain {chain} exclude each other: the order books have no chain")
    tally, told = Tally(len(chosen)), list[str]()
    say = told.append if as_json else print
    with progress(lambda: str(tally)), ended_at_once():
        if book:
            status = examined(lambda: books.main(chosen, steps, say=say, tally=tally), bug=FAILED)
        else:
            chain = chain or run.DEFAULT_CHAIN
            status = examined(lambda: run.main(chosen, steps, chain=chain, say=say, tally=tally), bug=FAILED)
    if as_json:
        broken = None if tally.violation is None else str(tally.violation)
        again = None if broken is None else told[-1].removeprefix("again: ")
        report = SimulatedWire(
            broken is None, tally.runs, tally.steps, dict(sorted(tally.situations.items())), tally.seed, broken, again
        )
        print(msgspec.json.encode(report).decode())
    return status


class SimulatedWire(msgspec.Struct, omit_defaults=True):
    """`seed` broke a claim, which `violation` tells of, and `again` is the command that repeats it."""

    ok: bool
    seeds: int
    steps: int
    situations: dict[str, int]
    seed: int | None = None
    violation: str | None = None
    again: str | None = None


def seed_range(seed: int | None, seeds: str | None) -> range:
    """The seeds that `--seed` or `--seeds` names; 0 if neither."""
    if seed is not None and seeds is not None:
        raise StartRefused("--seed and --seeds exclude each other; give one of them")
    if seeds is None:
        first = last = 0 if seed is None else seed
    else:
        match = _RANGE.fullmatch(seeds)
        if match is None:
            raise StartRefused(f"--seeds {seeds!r} is no range; give one like 1..200")
        first, last = int(match[1]), int(match[2])
    if first < 0 or last < first:
        raise StartRefused(f"seeds {first}..{last} are no range; give a first one from 0 and a last one not below it")
    return range(first, last + 1)
