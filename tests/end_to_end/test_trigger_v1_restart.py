"""What was built before a restart lands after it; after a reset the venue begins anew, with its programs."""

from pathlib import Path

from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue


def funded(venue: Venue) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    return LimitTrader(venue, trader)


def test_builds_outlive_the_venue_that_made_them(tmp_path: Path) -> None:
    with running_venue(tmp_path) as venue:
        alice = funded(venue)
        order = alice.places(10 * USDC, JUP)
        created = alice.builds(10 * USDC, SOL)
        cancelling = alice.post("cancelOrder", maker=alice.wallet, order=order).ok()
    with running_venue(tmp_path) as venue:
        alice.venue = alice.trader.venue = venue
        assert alice.open_orders() == [order]
        assert alice.executes(cancelling["transaction"], requestId=cancelling["requestId"]).status == 200
        assert alice.executes(created["transaction"], requestId=created["requestId"]).status == 200
        assert alice.open_orders() == [created["order"]]

        venue.resets()
        assert alice.open_orders() == []
        bob = funded(venue)
        order = bob.places(1 * SOL, USDC)
        (cancel,) = bob.builds_cancels(order)
        assert bob.executes(cancel).status == 200
        assert bob.open_orders() == []
