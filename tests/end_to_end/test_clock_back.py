"""B7: the machine's clock goes back two days, over a restart and under a running venue: one instant everywhere."""

import json
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.member import Member
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import SOL, USDC, Venue, running_venue

DAY_S: Final = 86_400
HOUR_MS: Final = 3_600_000
SLOT_MS: Final = 400
BACK_S: Final = -2 * DAY_S
STEPPED: Final = """
import pathlib, time
def stepped(path, real=time.time_ns):
    return real() + int(path.read_text() or 0) * 10**9
path = pathlib.Path({path!r})
time.time_ns = lambda: stepped(path)
time.time = lambda: stepped(path) / 10**9
from countermand.cli import main
main()
"""
"""A machine whose clock is off by the seconds in a file."""


class Machine:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "seconds"
        self.sets_clock(0)
        self.program = STEPPED.format(path=str(self._path))
        self.launch = (sys.executable, "-c", self.program, "serve")
        """In a new interpreter, whose modules take the clock at their import."""

    def sets_clock(self, seconds: int) -> None:
        other = self._path.with_suffix(".new")
        other.write_text(str(seconds))
        other.replace(self._path)


def block_time(venue: Venue) -> int:
    seconds: int = venue.rpc("getBlockTime", venue.rpc("getSlot"))
    return seconds


def behind_s(venue: Venue) -> float:
    found = re.search(
        r"^countermand_clock_behind_seconds (\S+)$", venue.ask("GET", "/metrics").raw.decode(), re.MULTILINE
    )
    assert found is not None
    return float(found[1])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def warnings(venue: Venue) -> list[str]:
    lines = [json.loads(line) for line in venue.log.read_text().splitlines()]
    return [line["event"].partition(":")[0] for line in lines if "machine's clock" in line["event"]]


IS_BEHIND, HAS_CAUGHT_UP = "the machine's clock is behind", "the machine's clock has caught up"


def trades(venue: Venue, since_ms: int, until_ms: int) -> None:
    """Everything that happens is at one instant or after it, whatever shows it."""
    alice, member = with_funds(Trader(venue)), Member(venue).joins().has(usdc="1000")
    order = alice.places(single(sell=1 * SOL, above=200, lives_ms=HOUR_MS))
    row = alice.sees(order)
    assert row["expiresAt"] - HOUR_MS == pytest.approx(row["createdAt"], abs=60_000)
    times = [row["createdAt"], row["updatedAt"], *(event["timestamp"] for event in row["events"])]
    bought = member.sees(member.places("buy", 0.01, 1_000))
    times += [
        int(datetime.fromisoformat(bought[name]).timestamp() * 1000) + 999 for name in ("created_at", "updated_at")
    ]
    times.append(venue.now())
    assert since_ms - SLOT_MS <= block_time(venue) * 1000 + 999  # As it was when the slot began.
    assert block_time(venue) * 1000 <= until_ms
    assert all(since_ms <= each <= until_ms for each in times), (since_ms, times, until_ms)
    assert alice.confirms(order, alice.cancels(order)).status == 200


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_over_a_restart(tmp_path: Path, machine: Machine) -> None:
    with running_venue(tmp_path, program=machine.program) as venue:
        alice = with_funds(Trader(venue))
        order = alice.places(single(sell=200 * USDC, buy=SOL, below=100, lives_ms=HOUR_MS))
        last = max(block_time(venue) * 1000, alice.sees(order)["updatedAt"])
        shown = venue.now()
    machine.sets_clock(BACK_S)
    with running_venue(tmp_path, program=machine.program) as venue:
        assert last <= venue.now() <= shown + 1_000
        trades(venue, last, shown + 60_000)
        until(lambda: behind_s(venue) > 1.99 * DAY_S)
        assert warnings(venue) == [IS_BEHIND]
        alice.venue = venue
        alice.signs_in()
        assert alice.state_of(order) == "open"
        now = venue.now()
        venue.advances(HOUR_MS / 1000 + 60)  # From what is shown, not from two days ago.
        assert venue.now() >= now + HOUR_MS + 60_000
        assert alice.state_of(order) == "expired"
        until(lambda: behind_s(venue) == 0)
        assert warnings(venue) == [IS_BEHIND, HAS_CAUGHT_UP]


def test_under_a_venue_that_runs(tmp_path: Path, machine: Machine) -> None:
    with running_venue(tmp_path, launch=machine.launch) as venue:
        shown, seconds = venue.now(), block_time(venue)
        machine.sets_clock(BACK_S)
        assert venue.now() >= shown
        assert block_time(venue) >= seconds
        trades(venue, shown, shown + 60_000)
        until(lambda: behind_s(venue) > 1.99 * DAY_S)
        machine.sets_clock(DAY_S)  # A step forward is believed.
        assert venue.now() >= shown + DAY_S * 1000
        trades(venue, shown + DAY_S * 1000, shown + DAY_S * 1000 + 60_000)
        until(lambda: behind_s(venue) == 0)
        assert warnings(venue) == [IS_BEHIND, HAS_CAUGHT_UP]
        venue.runs()


def test_a_frozen_venue_stays_where_it_is(tmp_path: Path, machine: Machine) -> None:
    with running_venue(tmp_path, program=machine.program) as venue:
        venue.freezes()
        frozen_at = venue.now()
        machine.sets_clock(BACK_S)
        assert venue.now() == frozen_at
        trades(venue, frozen_at, frozen_at + 999)  # Some show seconds alone.
        assert behind_s(venue) == 0
        venue.runs()
        assert frozen_at <= venue.now() <= frozen_at + 60_000


def test_an_empty_venue_begins_at_the_machines_present(tmp_path: Path, machine: Machine) -> None:
    with running_venue(tmp_path, program=machine.program) as venue:
        shown = venue.now()
        machine.sets_clock(BACK_S)
        venue.resets()
        assert venue.now() < shown - DAY_S * 1000
        assert abs(venue.now() - block_time(venue) * 1000) < 10_000
