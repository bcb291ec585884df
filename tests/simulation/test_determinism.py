"""One seed is one run: on any machine, in any process, whatever Python hashes strings with."""

import os
import subprocess
import sys
import warnings

import pytest

from countermand_simulator.run import SIDES, main, simulate

TRACES = """
from countermand_simulator.run import SIDES, simulate
for chain in SIDES:
    for seed in (3, 10):
        outcome = simulate(seed, 200, side=SIDES[chain])
        print(outcome.trace.digest(), outcome.steps, outcome.violation, chain, seed)
"""


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
    assert [len(trace.split()[0]) for trace in first] == [64] * 2 * len(SIDES)


def test_two_seeds_give_two_traces() -> None:
    assert simulate(3, 50).trace.digest() != simulate(4, 50).trace.digest()


@pytest.mark.parametrize(("seed", "steps"), [(46, 1), (19, 2), (132, 2), (273, 5)])
def test_a_run_that_is_over_before_it_has_begun_is_at_rest_only_when_its_first_commit_is_stored(
    seed: int, steps: int
) -> None:
    """Its only commit was on its way, so that there seemed to be no order, and then one that had not ended."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert simulate(seed, steps).violation is None
    assert [str(each.message) for each in told] == []


def test_a_run_says_how_far_it_got(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(range(2), 50) == 0
    assert capsys.readouterr().out.startswith("2 seeds, ")
