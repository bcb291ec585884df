"""Prices and owners at the same time: who comes first to the shard wins, and nothing is both filled and withdrawn."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.end_to_end.trader import Cancelling, Trader, single
from tests.end_to_end.venue import SOL, USDC, Answer, Venue

ORDERS = 24
DID_NOT_LAND = "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId."
WHILE_FILLING = "Cannot cancel order in 'executing' state: a fill is under way"


@pytest.mark.parametrize("moves_the_price", [lambda venue: venue.price(SOL, "200"), lambda venue: venue.settles()])
def test_a_cancel_and_a_crossing_price(venue: Venue, alice: Trader, moves_the_price: Callable[[Venue], None]) -> None:
    orders = [alice.places(single(sell=0.1 * SOL, above=199)) for _ in range(ORDERS)]
    usdc = alice.holds(USDC)
    with ThreadPoolExecutor(8) as threads:
        cancels = [threads.submit(alice.asks_to_cancel, order) for order in orders[: ORDERS // 2]]
        price = threads.submit(moves_the_price, venue)
        cancels += [threads.submit(alice.asks_to_cancel, order) for order in orders[ORDERS // 2 :]]
        price.result()
    venue.price(SOL, "200")
    venue.settles()
    fills = 0
    for order, cancel in zip(orders, cancels, strict=True):
        fills += ended_well(alice, order, cancel.result())
    assert alice.holds(USDC) - usdc == fills * 19_980_000


def ended_well(alice: Trader, order: str, cancel: Answer) -> bool:
    """Whether it was filled; else it was cancelled, and its funds come back."""
    if cancel.status == 200:
        assert alice.state_of(order) == "pending_withdraw"
        cancelling = alice.cancels(order)
        assert alice.confirms(order, cancelling).status == 200
        assert alice.events_of(order) == [("withdrawal", "success"), ("cancelled", "success"), ("deposit", "success")]
        return False
    assert cancel.error in ((400, WHILE_FILLING), (400, "Cannot cancel order in 'filled' state"))
    assert alice.events_of(order) == [("fill", "success"), ("deposit", "success")]
    return True


def test_updates_and_a_crossing_price(venue: Venue, alice: Trader) -> None:
    orders = [alice.places(single(sell=0.1 * SOL, above=199)) for _ in range(ORDERS)]
    with ThreadPoolExecutor(8) as threads:
        updates = [threads.submit(alice.amends, order, triggerPriceUsd=300) for order in orders[: ORDERS // 2]]
        price = threads.submit(venue.price, SOL, "200")
        updates += [threads.submit(alice.amends, order, triggerPriceUsd=300) for order in orders[ORDERS // 2 :]]
        price.result()
    venue.settles()
    for order, update in zip(orders, updates, strict=True):
        updated = update.result().status == 200
        row = alice.sees(order)
        assert (row["orderState"], row["triggerPriceUsd"]) == (("open", 300) if updated else ("filled", 199))


def test_confirms_while_the_market_moves(venue: Venue, alice: Trader, bob: Trader) -> None:
    """The fills of one wallet and the withdrawals of another, under way together."""
    selling = [alice.places(single(sell=0.1 * SOL, above=199)) for _ in range(ORDERS)]
    leaving = [bob.places(single(sell=0.1 * SOL, above=199)) for _ in range(ORDERS)]
    cancels = [bob.cancels(order) for order in leaving]
    usdc = alice.holds(USDC), bob.holds(USDC)
    with ThreadPoolExecutor(8) as threads:
        price = threads.submit(venue.price, SOL, "200")
        confirms = list(threads.map(partial(confirmed, bob), leaving, cancels))
        price.result()
    venue.settles()
    assert {answer.status for answer in confirms} == {200}
    assert {alice.state_of(order) for order in selling} == {"filled"}
    assert {bob.state_of(order) for order in leaving} == {"cancelled"}
    assert (alice.holds(USDC) - usdc[0], bob.holds(USDC) - usdc[1]) == (ORDERS * 19_980_000, 0)


def confirmed(owner: Trader, order: str, cancelling: Cancelling) -> Answer:
    """As often as the answer asks for it: a venue under load lands it later than it waits."""
    while (answer := owner.confirms(order, cancelling)).status == 500:
        assert answer.error == (500, DID_NOT_LAND)
    return answer
