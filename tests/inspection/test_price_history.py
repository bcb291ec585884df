"""The prices that a chart is drawn of."""

from countermand.inspection.bell import Bell
from countermand.inspection.price_history import KEPT, PriceHistory
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice

SOL, JUP = Mint("SOL"), Mint("JUP")


def a_history() -> PriceHistory:
    return PriceHistory(lambda: {SOL: UsdPrice(5)}, lambda: Instant(7), Bell())


async def test_a_price_that_stood_before_is_the_first_point() -> None:
    history = a_history()
    assert [(point.at, point.price) for point in history.of(SOL, 10)] == [(7, UsdPrice(5))]
    assert history.of(JUP, 10) == []


async def test_a_reader_sees_every_point_once_and_in_order() -> None:
    history = a_history()
    await history.observe({SOL: UsdPrice(1), JUP: UsdPrice(2)}, at_once=True)
    seen = history.number
    await history.observe({JUP: UsdPrice(3)}, at_once=True)
    await history.observe({SOL: UsdPrice(4)}, at_once=True)
    assert [(mint, point.price) for mint, point in history.after(seen)] == [(JUP, UsdPrice(3)), (SOL, UsdPrice(4))]
    assert history.after(history.number) == []


async def test_the_oldest_points_are_forgotten() -> None:
    history = a_history()
    for price in range(1, KEPT + 11):
        await history.observe({SOL: UsdPrice(price)}, at_once=False)
    points = history.of(SOL, KEPT * 2)
    assert (len(points), points[0].price, points[-1].price) == (KEPT, UsdPrice(11), UsdPrice(KEPT + 10))
    assert [point.price for point in history.of(SOL, 2)] == [UsdPrice(KEPT + 9), UsdPrice(KEPT + 10)]
