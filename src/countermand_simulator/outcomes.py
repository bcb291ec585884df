"""What became of a run, and how it is told."""

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from countermand_simulator.trace import Trace
from countermand_simulator.violation import Violation


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    steps: int
    trace: Trace
    violation: Violation | None


@dataclass(slots=True)
class Tally:
    """Of the runs so far. `violation`: the one that ended them."""

    seeds: int
    runs: int = 0
    steps: int = 0
    situations: Counter[str] = field(default_factory=Counter)
    violation: Violation | None = None
    seed: int | None = None

    def __str__(self) -> str:
        return f"{self.runs} of {self.seeds} seeds, {self.steps} steps"


def run_all(
    seeds: range,
    simulate: Callable[[int], Outcome],
    again: str,
    say: Callable[[str], None],
    tally: Tally | None = None,
) -> int:
    """Runs the seeds. Returns the exit status: 1 at the first that breaks a claim."""
    tally = Tally(len(seeds)) if tally is None else tally
    began = time.perf_counter()
    for seed in seeds:
        outcome = simulate(seed)
        tally.runs += 1
        tally.steps += outcome.steps
        tally.situations += outcome.trace.situations
        if outcome.violation is not None:
            tally.seed, tally.violation = seed, outcome.violation
            report(outcome, again, say)
            return 1
    took = time.perf_counter() - began
    say(f"{len(seeds)} seeds, {tally.steps} steps in {took:.1f} s: {tally.steps / max(took, 1e-9):.0f} steps/s")
    for situation, times in sorted(tally.situations.items()):
        say(f"{times:8d}  {situation}")
    say("No claim broke.")
    return 0


def report(outcome: Outcome, again: str, say: Callable[[str], None], last: int = 60) -> None:
    """`again`: what repeats the run, besides its seed."""
    for line in outcome.trace.lines(last):
        say(line)
    violation = outcome.violation
    assert violation is not None
    if violation.__cause__ is not None:
        say("".join(traceback.format_exception(violation.__cause__)))
    say(f"seed {outcome.seed} broke a claim after {outcome.steps} steps")
    say(str(violation))
    say(f"again: countermand simulate --seed {outcome.seed} {again}")
