"""The simulator's seeds in chunks, which the tests of `parts` run, each in a file of its own.

xdist gives whole files to its workers. What occurred in a chunk is left for the test that asks whether the seeds bring
about all that they are meant to: it waits for the chunks that are being run, and runs those that no other test took.

`COUNTERMAND_SIMULATE_SEEDS=5000` runs so many instead of 60.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from countermand_simulator.outcomes import report
from countermand_simulator.run import SIDES, again, simulate

STEPS = {"svm": 1_000, "model": 500}
PARTS = 10
SEEDS = int(os.environ.get("COUNTERMAND_SIMULATE_SEEDS", "60"))
MODEL_SEEDS = SEEDS // 4
_CHUNK = 3
_PATIENCE_S = 1_800
_FAILED = "failed"


@dataclass(frozen=True)
class Chunk:
    chain: str
    first: int

    def __str__(self) -> str:
        return f"{self.chain} from {self.first} on"


CHUNKS = [Chunk("svm", first) for first in range(0, SEEDS, _CHUNK)]
CHUNKS += [Chunk("model", first) for first in range(0, MODEL_SEEDS, _CHUNK)]


def part(number: int) -> Callable[[Chunk, Path], None]:
    """The test of one of the `PARTS` parts."""

    @pytest.mark.parametrize("chunk", CHUNKS[number::PARTS], ids=str)
    def test_no_seed_breaks_a_claim(chunk: Chunk, seen: Path) -> None:
        if _takes(chunk, seen):
            situations_of(chunk, seen)
        # Else another test runs it, and tells what it finds.

    return test_no_seed_breaks_a_claim


def occurred(chunk: Chunk, seen: Path) -> Counter[str]:
    """What occurred in the chunk, once it has run."""
    if _takes(chunk, seen):
        return situations_of(chunk, seen)
    note, until = _note(chunk, seen), time.monotonic() + _PATIENCE_S
    while not note.exists():
        assert time.monotonic() < until, f"{chunk} has not ended"
        time.sleep(0.2)
    noted = json.loads(note.read_text())
    assert noted != _FAILED, f"{chunk} failed"
    return Counter(noted)


def situations_of(chunk: Chunk, seen: Path) -> Counter[str]:
    """Runs the chunk. Fails with the first seed that breaks a claim."""
    try:
        situations = _situations_of(chunk)
    except BaseException:
        _leave(chunk, seen, _FAILED)
        raise
    _leave(chunk, seen, situations)
    return situations


def _situations_of(chunk: Chunk) -> Counter[str]:
    situations, steps = Counter[str](), STEPS[chunk.chain]
    for seed in range(chunk.first, chunk.first + _CHUNK):
        outcome = simulate(seed, steps, side=SIDES[chunk.chain])
        situations += outcome.trace.situations
        if outcome.violation is not None:
            report(outcome, again(steps, chunk.chain), print)
            pytest.fail(f"seed {seed} on {chunk.chain}: {outcome.violation}")
    return situations


def _takes(chunk: Chunk, seen: Path) -> bool:
    """Whether no other test has taken it."""
    try:
        _note(chunk, seen).with_suffix(".taken").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _leave(chunk: Chunk, seen: Path, what: object) -> None:
    note = _note(chunk, seen)
    draft = note.with_suffix(".draft")
    draft.write_text(json.dumps(what))
    draft.rename(note)


def _note(chunk: Chunk, seen: Path) -> Path:
    return seen / f"{chunk.chain}-{chunk.first}.json"
