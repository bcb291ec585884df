"""Orders on the sandbox's chain that a keeper fills, runs to their end, and returns: over the APIs alone."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, PRICES, SOL, USDC, Venue, running_venue


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("kept"), "--keeper") as venue:
        yield venue


@pytest.fixture
def venue(kept: Venue) -> Iterator[Venue]:
    kept.prices(PRICES)
    yield kept
    kept.faults()
    kept.deepens_pools()
    kept.settles()
    assert kept.audit().get("differences", []) == []


@pytest.fixture
def alice(venue: Venue) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC, 1_000 * JUP)
    return LimitTrader(venue, trader)


@pytest.fixture
def saver(venue: Venue) -> Saver:
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)
    return saver


def test_an_order_fills_when_the_price_allows_it(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    venue.settles()
    assert alice.open_orders() == [order], "at 0.5 dollars the pool gives 199.8 JUP"
    venue.price(JUP, "0.4")
    venue.settles()
    assert alice.open_orders() == [order], "the pool's fee makes it 249.75"
    venue.price(JUP, "0.39")
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(alice.wallet, JUP) == 1_000_000_000 + 250_000_000 - 250_000
    assert venue.units(alice.wallet, USDC) == 900_000_000


def test_an_order_that_can_fill_does_so_at_once(venue: Venue, alice: LimitTrader) -> None:
    before = venue.lamports(alice.wallet)
    alice.places(100 * USDC, SOL, take=500_000_000)
    venue.settles()
    assert alice.open_orders() == []
    fee = before + 500_000_000 - 500_000 - venue.lamports(alice.wallet)
    assert 0 < fee < 20_000, "of the network: both rents have come back"


def test_sol_is_sold(venue: Venue, alice: LimitTrader) -> None:
    alice.places(1 * SOL, USDC, take=140_000_000)
    venue.settles()
    assert venue.units(alice.wallet, USDC) == 1_000_000_000 + 140_000_000 - 140_000


def test_as_much_as_the_pool_takes(venue: Venue, alice: LimitTrader) -> None:
    venue.pool(USDC, most=30_000_000)
    alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(alice.wallet, JUP) == 1_000_000_000 + 150_000_000 - 3 * 45_000 - 15_000


def test_an_order_that_is_cancelled_first_does_not_fill(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    (cancel,) = alice.builds_cancels(order)
    assert alice.executes(cancel).ok()["status"] == "Success"
    venue.price(JUP, "0.3")
    venue.settles()
    assert venue.units(alice.wallet, USDC) == 1_000_000_000


def test_a_cancel_after_the_fill_fails(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    (cancel,) = alice.builds_cancels(order)
    venue.price(JUP, "0.3")
    venue.settles()
    answer = alice.executes(cancel)
    assert (answer.status, answer.body["error"]) == (500, "custom program error code: 3012")


def test_an_expired_order_is_returned(venue: Venue, alice: LimitTrader) -> None:
    expires = venue.now() // 1000 + 60
    order = alice.places(100 * USDC, JUP, take=250_000_000, params={"expiredAt": str(expires)})
    venue.advances(30)
    venue.settles()
    assert alice.open_orders() == [order]
    venue.advances(32)
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(alice.wallet, USDC) == 1_000_000_000


def test_an_expired_order_stays_while_refunds_never_come(venue: Venue, alice: LimitTrader) -> None:
    """The weakness `noRefunds`. What was held is given back when the fault is cleared."""
    expires = venue.now() // 1000 + 60
    order = alice.places(100 * USDC, JUP, take=250_000_000, params={"expiredAt": str(expires)})
    venue.faults(strict=["noRefunds"])
    venue.advances(120)
    venue.settles()
    assert alice.open_orders() == [order]
    venue.faults()
    venue.settles()
    assert alice.open_orders() == []


def test_a_recurring_order_cycles_to_its_end(venue: Venue, saver: Saver) -> None:
    order, _ = saver.opens(104 * USDC, SOL)
    venue.settles()
    (row,) = saver.lists()["time"]
    assert (row["rawInUsed"], row["rawOutReceived"]) == ("52000000", row["rawOutWithdrawn"])
    before = venue.lamports(saver.wallet)
    venue.advances(86_000)
    venue.settles()
    assert venue.lamports(saver.wallet) == before
    venue.advances(401)
    venue.settles()
    assert saver.lists()["time"] == []
    assert not venue.exists(order)
    assert venue.lamports(saver.wallet) > before + 340_000_000
    assert venue.units(saver.wallet, USDC) == 896_000_000


def test_a_dropped_transaction_is_sent_again(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    venue.faults(dropTransactions=1)
    venue.price(JUP, "0.3")
    venue.settles()
    assert alice.open_orders() == [], order


def test_settle_tells_what_it_waits_for(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    venue.faults(landDelayMs=500)
    venue.price(JUP, "0.3")
    answer = venue.ask("POST", "/sandbox/settle", {"timeoutMs": 0}).ok()
    assert answer == {"settled": False, "waitingFor": [order]}
    venue.settles()
    assert alice.open_orders() == []


def test_a_reset_forgets_what_was_there(venue: Venue, alice: LimitTrader) -> None:
    alice.places(100 * USDC, JUP, take=250_000_000)
    venue.ask("POST", "/sandbox/reset", {}).ok()
    venue.settles()
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    bob = LimitTrader(venue, trader)
    bob.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert bob.open_orders() == []
