"""When a shard loads again, and when it gives up: no loop is without a pause, a bound and a line in the log."""

import pytest

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.kernel.reload_pauses import BUGS_MAX, PAUSES_MS, START_MS_MAX, ReloadPauses
from countermand.kernel.writer_epoch import StateInDoubt

GONE = Unavailable("the database is gone")


def test_pauses_grow_and_begin_anew_after_a_commit() -> None:
    reloads = ReloadPauses()
    reloads.served()
    assert [reloads.pause_ms(GONE, 0, by_time=False) for _ in PAUSES_MS] == list(PAUSES_MS)
    assert reloads.pause_ms(GONE, 0, by_time=False) == PAUSES_MS[-1]
    reloads.committed()
    assert reloads.pause_ms(GONE, 0, by_time=False) == PAUSES_MS[0]


def test_a_start_that_fails_for_too_long_gives_up() -> None:
    reloads = ReloadPauses()
    reloads.pause_ms(GONE, 1_000, by_time=False)
    reloads.pause_ms(GONE, 999 + START_MS_MAX, by_time=False)
    with pytest.raises(Unavailable, match="the database is gone"):
        reloads.pause_ms(GONE, 1_000 + START_MS_MAX, by_time=False)


def test_a_venue_that_has_served_waits_for_as_long_as_it_takes() -> None:
    reloads = ReloadPauses()
    reloads.served()
    for now_ms in range(0, 10 * START_MS_MAX, 1_000):
        reloads.pause_ms(CommitUnknown("lost"), now_ms, by_time=False)


def broken() -> StateInDoubt:
    problem = StateInDoubt("a turn failed half way")
    problem.__cause__ = ZeroDivisionError("a bug")
    return problem


def test_what_time_demands_and_fails_each_time_ends_the_shard_with_the_bug() -> None:
    reloads = ReloadPauses()
    reloads.served()
    for _ in range(BUGS_MAX - 1):
        reloads.pause_ms(broken(), 0, by_time=True)
    with pytest.raises(ZeroDivisionError):
        reloads.pause_ms(broken(), 0, by_time=True)


def test_a_bug_that_requests_run_into_does_not_end_the_shard() -> None:
    reloads = ReloadPauses()
    reloads.served()
    for _ in range(10 * BUGS_MAX):
        reloads.pause_ms(broken(), 0, by_time=False)
