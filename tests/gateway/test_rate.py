"""The window of the rate-limit headers."""

from countermand.gateway.rate import RateWindow


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now


def shown(window: RateWindow) -> tuple[int, int, int]:
    (_, remaining), (_, current), (_, reset) = window.headers()
    return int(remaining), int(current), int(reset)


def test_requests_leave_the_window_after_a_minute() -> None:
    clock = Clock()
    window = RateWindow(clock)
    window.count()
    clock.now += 10
    window.count()
    window.count()
    assert shown(window) == (8_997, 3, 1_800_000_060)
    clock.now += 49.5
    assert shown(window) == (8_997, 3, 1_800_000_060)
    clock.now += 0.5
    assert shown(window) == (8_998, 2, 1_800_000_070)
    clock.now += 10
    assert shown(window) == (9_000, 0, 1_800_000_130)


def test_remaining_goes_below_zero_since_nothing_is_limited() -> None:
    window = RateWindow(Clock())
    for _ in range(9_001):
        window.count()
    assert shown(window)[:2] == (-1, 9_001)


def test_a_long_pause_empties_the_window() -> None:
    clock = Clock()
    window = RateWindow(clock)
    for _ in range(70):
        window.count()
        clock.now += 1
    clock.now += 1_000_000
    window.count()
    assert shown(window) == (8_999, 1, int(clock.now) + 60)


def test_a_clock_that_steps_back_loses_nothing() -> None:
    clock = Clock()
    window = RateWindow(clock)
    window.count()
    clock.now -= 3_600
    window.count()
    assert shown(window) == (8_998, 2, 1_800_000_060)
