"""Puts a defect into the engine, and looks for the seed in which the claim that it breaks is found broken."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from countermand.values.structs import replace
from countermand_simulator import fault_profile
from countermand_simulator.chance import chance
from countermand_simulator.checkers import Claim
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.outcomes import Outcome, report
from countermand_simulator.process import ProcessParts
from countermand_simulator.run import SOUND, again, simulate
from countermand_simulator.violation import Violation

SEEDS = range(1_000, 1_060)
STEPS = 400

Drawn = Callable[[FaultProfile], FaultProfile]


@dataclass(frozen=True)
class Defect:
    claim: Claim
    parts: ProcessParts = SOUND
    patched: Callable[[], AbstractContextManager[Any]] = nullcontext
    drawn: dict[str, Any] = field(default_factory=dict)
    """What of each seed's draws is changed, so that the defect shows soon."""
    first: int = SEEDS.start
    """The seed that is tried before all others: it shows the defect soonest."""


def patched(*patches: AbstractContextManager[Any]) -> AbstractContextManager[Any]:
    stack = ExitStack()
    for each in patches:
        stack.enter_context(each)
    return stack


def must_be_caught(name: str, defect: Defect, drawn: Drawn = lambda options: options) -> None:
    """The first seed that breaks the defect's claim is sound without it. `drawn` changes what each seed draws."""
    for seed in dict.fromkeys((defect.first, *SEEDS)):
        outcome = _run(seed, defect, _options(seed, defect, drawn))
        if outcome.violation is not None and outcome.violation.claim is defect.claim:
            print(f"{name}:")
            report(outcome, again(STEPS), print, last=12)
            sound = _violation_without(seed, _options(seed, defect, drawn))
            assert sound is None, f"seed {seed} fails without the defect too: {sound}"
            return
    pytest.fail(f"{name} was not caught by {defect.claim.name} in any of the seeds {SEEDS}")


def _options(seed: int, defect: Defect, drawn: Drawn) -> FaultProfile:
    return replace(drawn(fault_profile.drawn(chance(seed, "swarm"))), **defect.drawn)


def _run(seed: int, defect: Defect, options: FaultProfile) -> Outcome:
    with defect.patched():
        return simulate(seed, STEPS, parts=defect.parts, options=options)


@cache
def _violation_without(seed: int, options: FaultProfile) -> Violation | None:
    """Of the sound engine. Many defects are found in the same run."""
    return simulate(seed, STEPS, options=options).violation
