"""The examples that the documentation shows run as they are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.node import run_node
from tests.end_to_end.venue import Venue

EXAMPLES = Path(__file__).parents[2] / "examples"

TOLD = (
    "the wallet has 5(.0)? SOL and 0 USDC",
    "Signed in. The vault [1-9A-Za-z]{32,44} will keep what is deposited",
    "Placed [0-9a-f-]{36}: sell 1 SOL at 210 dollars",
    "Changed it to 180 dollars",
    "SOL costs 185 dollars now, and the order is filled",
    "After the fill: the wallet has 3.9999895 SOL and 184.815 USDC",  # 185 dollars less 0.1 %.
    "Placed [0-9a-f-]{36}: the wallet has 1.99793972 SOL and 184.815 USDC",
    "Asked to cancel it: nothing fills any more",
    "Confirmed by [1-9A-Za-z]{86,88}: the order is cancelled",
    "With the funds back: the wallet has 3.999963852 SOL and 184.815 USDC",
)


def run_python(script: Path, *args: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, script, *args], env=env, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("name", ["first_order.mjs", "first_order.py"])
@pytest.mark.parametrize("url_by", ["argument", "variable"])
def test_a_first_order(venue: Venue, name: str, url_by: str) -> None:
    args = [f"{venue.url}/"] if url_by == "argument" else []  # As an address bar has it.
    env = {} if url_by == "argument" else {"COUNTERMAND_URL": venue.url}
    run = run_node if name.endswith(".mjs") else run_python
    done = run(EXAMPLES / name, *args, env=env)
    assert done.returncode == 0, done.stderr[-4_000:]
    told = done.stdout.splitlines()
    assert len(told) == len(TOLD)
    for expected, line in zip(TOLD, told, strict=True):
        assert re.search(expected, line), (expected, line)


TOLD_BY_THE_CLIENT = (
    "Hello, [1-9A-Za-z]{32,44}. SOL costs 1[0-9.]+ dollars",
    "Placed [0-9a-f-]{36}: sell 1 SOL at 210 dollars",
    "Changed it to 180; SOL costs 185 dollars now, and the order is filled",
    "It sold 1000000000 lamports for 184815000 base units of USDC",
    "Asked to cancel [0-9a-f-]{36}: nothing trades any more, whatever the price does",
    "The funds came back by [1-9A-Za-z]{86,88}",
    "[0-9a-f-]{36} oco cancelled",
    "[0-9a-f-]{36} single filled",
)


def test_a_first_order_by_the_client(venue: Venue) -> None:
    done = run_python(EXAMPLES / "first_order_client.py", venue.url, env={})
    assert done.returncode == 0, done.stderr[-4_000:]
    for expected, line in zip(TOLD_BY_THE_CLIENT, done.stdout.splitlines(), strict=True):
        assert re.fullmatch(expected, line), (expected, line)


def test_a_race_by_the_client(venue: Venue) -> None:
    done = run_python(EXAMPLES / "race_client.py", venue.url, env={})
    assert done.returncode == 0, done.stderr[-4_000:]
    told = re.fullmatch(r"(\d+) filled, (\d+) cancelled, of 10\n", done.stdout)
    assert told is not None, done.stdout
    assert int(told[1]) + int(told[2]) == 10
