"""B7: the venue's clock never goes back, whatever the machine's does."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.values.instant import Instant

DAY_MS = 86_400_000
START = 1_790_000_000_000


class Machine:
    """Its clock is set by tests."""

    def __init__(self) -> None:
        self.ms = START
        self.clock = VenueClock(wall=lambda: self.ms)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_clock_that_is_set_back_stands_until_it_has_caught_up(machine: Machine) -> None:
    clock = machine.clock
    assert clock.now() == START
    machine.ms -= 2 * DAY_MS
    assert (clock.now(), clock.behind_ms()) == (START, 2 * DAY_MS)
    machine.ms += DAY_MS
    assert (clock.now(), clock.behind_ms()) == (START, DAY_MS)
    machine.ms += DAY_MS + 5
    assert (clock.now(), clock.behind_ms()) == (START + 5, 0)


def test_a_step_forward_is_believed(machine: Machine) -> None:
    assert machine.clock.now() == START
    machine.ms += 3 * DAY_MS
    assert machine.clock.now() == START + 3 * DAY_MS


def test_it_is_not_before_what_is_stored(machine: Machine) -> None:
    machine.clock.not_before(Instant(START + DAY_MS))
    assert (machine.clock.now(), machine.clock.behind_ms()) == (START + DAY_MS, DAY_MS)
    machine.clock.not_before(Instant(START))
    assert machine.clock.now() == START + DAY_MS


def test_a_frozen_one_is_not_before_what_is_stored_either(machine: Machine) -> None:
    clock = VenueClock(ClockSetting(frozen_at=START), wall=lambda: machine.ms)
    clock.not_before(Instant(START + 7))
    assert clock.now() == START + 7
    clock.setting = clock.advanced(3)
    assert clock.now() == START + 10


def test_advancing_counts_from_what_is_shown(machine: Machine) -> None:
    clock = machine.clock
    shown = clock.now()
    machine.ms -= 2 * DAY_MS
    clock.setting = clock.advanced(3_600_000)
    assert (clock.now(), clock.behind_ms()) == (shown + 3_600_000, 0)
    machine.ms += 4
    assert clock.now() == shown + 3_600_004


def test_running_on_is_a_remedy(machine: Machine) -> None:
    clock = machine.clock
    shown = clock.now()
    machine.ms -= 2 * DAY_MS
    clock.setting = clock.running(clock.now())
    machine.ms += 4
    assert clock.now() == shown + 4


def test_an_empty_venue_begins_at_the_machines_present(machine: Machine) -> None:
    clock = machine.clock
    clock.setting = clock.advanced(DAY_MS)
    assert clock.now() == START + DAY_MS
    clock.begin_anew()
    assert clock.now() == START


async def test_how_far_it_is_behind_is_said_once_and_shown_all_the_time(machine: Machine) -> None:
    told: list[float | None] = []

    class Watched(VenueClock):
        async def sleep(self, _ms: int) -> None:
            told.append(REGISTRY.get_sample_value("countermand_clock_behind_seconds"))
            machine.ms = next(readings)

    clock = Watched(wall=lambda: machine.ms)
    clock.now()
    readings = iter([START - 900, START - 1_001, START - 900_000, START - 500, START + 1])
    with capture_logs() as logs, pytest.raises(RuntimeError):
        await clock.watch()
    assert told == [0, 0.9, 1.001, 900, 0.5, 0]
    assert [(line["log_level"], line.get("seconds")) for line in logs] == [("warning", 1.001), ("info", None)]


async def test_patience_is_not_set_back(machine: Machine) -> None:
    before = machine.clock.elapsed_ms()
    machine.ms -= 2 * DAY_MS
    await asyncio.sleep(0.01)
    assert 10 <= machine.clock.elapsed_ms() - before < 10_000


def test_settings_are_what_is_stored(machine: Machine) -> None:
    settings: list[Any] = [machine.clock.running(Instant(START + 5)), machine.clock.frozen(Instant(START + 5))]
    assert settings == [ClockSetting(5), ClockSetting(0, START + 5)]
