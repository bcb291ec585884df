"""A venue behind a proxy that speaks HTTP/1.0 to it (C1), and what of it the proxy's clients reach (C7)."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.member import Member
from tests.end_to_end.proxy import proxied
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A venue that lets a proxy's clients into its sandbox."""
    with running_venue(tmp_path_factory.mktemp("venue"), "--trust-proxy") as venue:
        yield venue


@pytest.fixture
def through_proxy(trusting: Venue) -> Iterator[tuple[Venue, list[str]]]:
    with proxied(trusting.host, trusting.port) as (url, seen):
        venue = Venue(url, trusting.process, trusting.log)
        yield venue, seen
        venue.hang_up()


def test_a_whole_trade_through_a_proxy_of_http_1_0(through_proxy: tuple[Venue, list[str]]) -> None:
    """C1: every family, the chain, the sandbox and the pages, and each request came through the proxy."""
    venue, seen = through_proxy
    alice = Trader(venue)
    alice.has(10 * SOL, 1_000 * USDC)
    alice.joins()
    order = alice.places(single(sell=1 * SOL, above=200))
    assert alice.amends(order, triggerPriceUsd=220).status == 200
    assert alice.confirms(order, alice.cancels(order)).status == 200
    assert alice.state_of(order) == "cancelled"

    limit = LimitTrader(venue, alice)
    placed = limit.places(10 * USDC, JUP)
    for transaction in limit.builds_cancels(placed):
        limit.executes(transaction).ok()
    assert limit.open_orders() == []

    bob = Member(venue).joins().has(btc="1", usdc="100000")
    number = bob.places("buy", 0.01, 60_000)
    assert bob.cancels(number).status == 200

    assert venue.ask("GET", "/health/ready").ok() == {"status": "ready"}
    assert venue.ask("HEAD", "/health/ready").status == 200
    assert b"countermand_http_answers_total" in venue.ask("GET", "/metrics").raw
    assert venue.ask("GET", "/docs").status == 200
    assert len(seen) >= 25


def test_a_proxy_does_not_open_the_sandbox_unless_it_is_trusted(house: Venue) -> None:
    """C7: every client that a proxy serves would be this machine."""
    with proxied(house.host, house.port) as (url, _):
        venue = Venue(url, house.process, house.log)
        refused = venue.ask("GET", "/sandbox")
        assert refused.status == 403
        assert "--trust-proxy" in refused.body["error"]
        assert venue.ask("GET", "/health/live").status == 200
        venue.hang_up()


def test_a_trusted_proxy_still_needs_a_loopback_host(trusting: Venue) -> None:
    """C7: names that were bound anew to this machine stay outside."""
    forwarded = {"x-forwarded-for": "192.0.2.7"}
    assert trusting.ask("GET", "/sandbox", headers=forwarded).status == 200
    assert trusting.ask("GET", "/sandbox", headers=forwarded | {"host": "evil.example.org"}).status == 403
