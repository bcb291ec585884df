"""The page says what was measured."""

from benchmarks.figures import Lifecycles
from benchmarks.mixed import KINDS, Mixed
from benchmarks.report import Measured, written
from benchmarks.rounds import Rounds
from benchmarks.slices import Slices
from benchmarks.sweeps import Sweep

DESK = Mixed(
    orders=10**6,
    bytes_an_order=1_187.4,
    tick_p50_us=6.2,
    tick_p99_us=13.8,
    extremum_p50_us=32.2,
    extremum_p99_us=310.3,
    crossing_ms=613.6,
)


def test_orders_of_all_types_have_their_table() -> None:
    page = written(Measured(mixed=[DESK]))
    assert "| 10⁶ | 6.2 µs | 13.8 µs | 32 µs | 310 µs | 614 ms | 1187 bytes |" in page
    assert "| a tick that crosses none of 10⁶ orders of all types | < 20 µs | 6.2 µs | yes |" in page
    assert all(kind in page for kind in KINDS)


def test_rounds_that_were_not_all_decided_are_counted_by_those_that_were() -> None:
    page = written(Measured(rounds=Rounds(10**5, 25_000, 20.0, 4.44, 6.2, 22.7)))
    assert "| 10⁵ | 1,250 | 25,000 in 20.0 s | 4.4 ms | 6.2 ms | 22.7 ms |" in page


def test_slices_are_judged_by_how_long_they_hold_the_loop_and_a_cancel() -> None:
    page = written(Measured(slices=[Slices("time", 10**5, 5.2, 4.9, 10.1, 22.0, 400, 6.0, 30.4)]))
    assert "| 10⁵: their hour comes, and they expire | 5.2 s | 4.9 ms | 10.1 ms | 22.0 ms | 6 ms | 30 ms |" in page
    assert "they expire, p99 | ≤ 5 ms | 4.9 ms | yes |" in page
    assert "| the same, p99.9 | ≤ 10 ms | 10.1 ms | **no** |" in page
    assert "| a cancel meanwhile, p99 | ≤ 30 ms | 30.4 ms | **no** |" in page


def test_sweeps_are_judged_by_how_long_they_hold_the_loop() -> None:
    page = written(Measured(sweeps=[Sweep("makers", 2_000, 0.94, 2.1, 3.35), Sweep("stops", 2_000, 1.0, 10.6, 20.9)]))
    assert "| 2,000: one order meets them | 0.94 s | 2.1 ms | 3.4 ms |" in page
    assert "held by 2,000 makers: one order meets them, p99 | ≤ 10 ms | 2.1 ms | yes |" in page
    assert "held by 2,000 stops: one trade triggers them, p99 | ≤ 10 ms | 10.6 ms | **no** |" in page


def test_whole_lives_stand_beside_those_of_a_bare_machine() -> None:
    page = written(Measured(lives=[Lifecycles("all", 32, 600, 2.0, 2_500.0), Lifecycles("other", 32, 90, 1.0)]))
    assert "| all | 32 | 300 | 600 | 2,500/s | 0.120 |" in page
    assert "| other | 32 | 90 | 90 |  |  |" in page
    assert "| all, of a bare LiteSVM | ≥ 0.15 | 0.12 | **no** |" in page


def test_what_was_not_measured_is_not_on_the_page() -> None:
    page = written(Measured())
    assert "### Orders of all types" not in page
    assert "## Recurring orders that are due" not in page
