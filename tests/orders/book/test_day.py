"""The last 24 hours of a market, against a sum over all of them."""

import random

import pytest

from countermand.orders.book.day import DAY_S, Day, day_began
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.ports import Period, Turnover
from countermand.values.instant import Instant

BTCUSDC = MarketSymbol("btcusdc")
NOON = 1_795_176_000_000


def test_it_begins_with_the_second_of_a_day_ago() -> None:
    day = Day(BTCUSDC)
    day.add(Instant(NOON - 1), 90, 1)
    day.add(Instant(NOON), 100, 2)
    day.add(Instant(NOON + 999), 80, 3)
    day.add(Instant(NOON + 1_000), 70, 4)
    later = NOON + DAY_S * 1_000
    assert day.turnover(Instant(later - 1)) == Turnover(BTCUSDC, 90, 70, 100, 70, 10, 90 + 200 + 240 + 280)
    assert day.turnover(Instant(later)) == Turnover(BTCUSDC, 100, 70, 100, 70, 9, 200 + 240 + 280)
    assert day.turnover(Instant(later + 999)) == Turnover(BTCUSDC, 100, 70, 100, 70, 9, 200 + 240 + 280)
    assert day.turnover(Instant(later + 1_000)) == Turnover(BTCUSDC, 70, 70, 70, 70, 4, 280)
    assert day.turnover(Instant(later + 2_000)) is None
    day.add(Instant(later + 2_000), 60, 1)
    assert day.turnover(Instant(later + 2_000)) == Turnover(BTCUSDC, 60, 60, 60, 60, 1, 60)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_adding_up_all_trades_gives(seed: int) -> None:
    chance = random.Random(seed)
    day, trades, now = Day(BTCUSDC), list[tuple[int, int, int]](), NOON
    for _ in range(2_000):
        now += chance.choice((0, 0, 3, 400, 60_000, 3_600_000))
        trade = now, chance.randint(1, 30), chance.randint(1, 9)
        trades.append(trade)
        day.add(Instant(now), *trade[1:])
        if chance.random() < 0.3:
            now += chance.choice((0, 500, 40_000_000))
            assert day.turnover(Instant(now)) == summed([each for each in trades if each[0] >= day_began(Instant(now))])


def test_it_goes_on_from_what_is_stored_of_a_second() -> None:
    day = Day(BTCUSDC)
    day.add_period(Period(Instant(NOON), 100, 90, 110, 80, 6, 570))
    day.add(Instant(NOON + 500), 105, 2)
    assert day.turnover(Instant(NOON + 500)) == Turnover(BTCUSDC, 100, 105, 110, 80, 8, 780)


def summed(trades: list[tuple[int, int, int]]) -> Turnover | None:
    if not trades:
        return None
    prices, lots = [ticks for _, ticks, _ in trades], [lots for _, _, lots in trades]
    turnover = sum(ticks * lots for _, ticks, lots in trades)
    return Turnover(BTCUSDC, prices[0], prices[-1], max(prices), min(prices), sum(lots), turnover)
