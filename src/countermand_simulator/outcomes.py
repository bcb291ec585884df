"""What became of a run, and how it is told."""

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from countermand_simulator.trace import Trace
from countermand_simulator.violation import Violation


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    steps: int
    trace: Trace
    violation: Violation | None


def run_all(seeds: range, simulate: Callable[[int], Outcome], again: str, say: Callable[[str], None]) -> int:
    """Runs the seeds. Returns the exit status: 1 at the first that breaks a claim."""
    began, done, situations = time.perf_counter(), 0, Counter[str]()
    for seed in seeds:
        outcome = simulate(seed)
        done += outcome.steps
        situations += outcome.trace.situations
        if outcome.violation is not None:
            report(outcome, again, say)
            return 1
    took = time.perf_counter() - began
    say(f"{len(seeds)} seeds, {done} steps in {took:.1f} s: {done / max(took, 1e-9):.0f} steps/s")
    for situation, times in sorted(situations.items()):
        say(f"{times:8d}  {situation}")
    say("No claim broke.")
    return 0


def report(outcome: Outcome, again: str, say: Callable[[str], None], last: int = 60) -> None:
    """`again`: what repeats the run, besides its seed."""
    for line in list(outcome.trace.lines)[-last:]:
        say(line)
    violation = outcome.violation
    assert violation is not None
    if violation.__cause__ is not None:
        say("".join(traceback.format_exception(violation.__cause__)))
    say(f"seed {outcome.seed} broke a claim after {outcome.steps} steps")
    say(str(violation))
    say(f"again: countermand simulate --seed {outcome.seed} {again}")
