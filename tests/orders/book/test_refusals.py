"""What the venue does not take, and that it is taken from no account."""

from typing import Any

import pytest

from countermand.orders.book.model.book import Book
from countermand.orders.book.model.commands import PlaceBookOrder
from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, Amount
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BUY, SELL, BookTerms, Kind, Nonce, Side
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.values.quantities import Bps, Inexact
from countermand.values.structs import replace
from tests.orders.book.venue import ALICE, BOB, BTC, BTCUSDC, MARKET, UNIT, USDC, Venue, btc, usdc

BOUNDED = replace(
    MARKET, volume_min=Lots(5), volume_max=Lots(50), price_min=Ticks(10), price_max=Ticks(1_000), price_band=Bps(1_000)
)


@pytest.mark.parametrize(
    ("side", "lots", "price", "kind", "more", "refusal"),
    [
        (
            BUY,
            5,
            100,
            Kind.LIMIT,
            {"market": MarketSymbol("dogecat")},
            BookRefused(BookRefusal.MARKET_UNKNOWN, None, "market"),
        ),
        (BUY, 5, None, Kind.LIMIT, {}, BookRefused(BookRefusal.PRICE_MISSING, None, "price")),
        (BUY, 5, None, Kind.LIMIT_MAKER, {}, BookRefused(BookRefusal.PRICE_MISSING, None, "price")),
        (BUY, 5, None, Kind.STOP_LIMIT, {"stop": 100}, BookRefused(BookRefusal.PRICE_MISSING, None, "price")),
        (BUY, 5, 100, Kind.STOP_LIMIT, {}, BookRefused(BookRefusal.STOP_MISSING, None, "stop_price")),
        (BUY, 0, 100, Kind.LIMIT, {}, BookRefused(BookRefusal.VOLUME_TOO_SMALL, None, "volume")),
        (SELL, 4, None, Kind.MARKET, {}, BookRefused(BookRefusal.VOLUME_TOO_SMALL, None, "volume")),
        (SELL, 51, None, Kind.MARKET, {}, BookRefused(BookRefusal.VOLUME_TOO_BIG, None, "volume")),
        (BUY, 5, 9, Kind.LIMIT, {}, BookRefused(BookRefusal.PRICE_TOO_LOW, None, "price")),
        (BUY, 5, 1_001, Kind.LIMIT, {}, BookRefused(BookRefusal.PRICE_TOO_HIGH, None, "price")),
        (BUY, 5, 100, Kind.STOP_LIMIT, {"stop": 1_001}, BookRefused(BookRefusal.PRICE_TOO_HIGH, None, "stop_price")),
        (BUY, 5, 111, Kind.LIMIT, {}, BookRefused(BookRefusal.PRICE_OUTSIDE_BAND, None, "price")),
        (SELL, 5, 89, Kind.LIMIT, {}, BookRefused(BookRefusal.PRICE_OUTSIDE_BAND, None, "price")),
    ],
)
def test_what_a_market_does_not_take(
    side: Side, lots: int, price: int | None, kind: Kind, more: dict[str, Any], refusal: BookRefused
) -> None:
    venue = Venue(markets=[BOUNDED])
    venue.sells(BOB, 5, 100)
    venue.buys(ALICE, 5, 100)
    assert venue.tries(ALICE, side, lots, price, kind, **more) == refusal
    assert venue.exchange.orders_placed == 2


@pytest.mark.parametrize(("side", "price"), [(BUY, 110), (SELL, 90)])
def test_the_edge_of_the_band_is_inside(side: Side, price: int) -> None:
    venue = Venue(markets=[BOUNDED])
    venue.sells(BOB, 5, 100)
    venue.buys(ALICE, 5, 100)
    assert not isinstance(venue.tries(ALICE, side, 5, price), BookRefused)


def test_no_account_spends_more_than_it_has(poor: Venue) -> None:
    poor.credits(ALICE, USDC, usdc(1_000))
    poor.credits(ALICE, BTC, btc(10))
    refused = BookRefused(BookRefusal.INSUFFICIENT_FUNDS)
    assert poor.tries(ALICE, BUY, 11, 91) == refused
    assert poor.tries(ALICE, SELL, 11, 1) == refused
    assert poor.tries(ALICE, SELL, 11, None, Kind.MARKET) == refused
    assert poor.tries(BOB, BUY, 1, None, Kind.MARKET) == refused
    poor.buys(ALICE, 10, 100)
    assert poor.tries(ALICE, BUY, 1, 1) == refused, "what is locked is not there twice"
    poor.sells(ALICE, 10, 200)
    assert poor.tries(ALICE, SELL, 1, 200) == refused


def test_a_nonce_becomes_one_order(venue: Venue) -> None:
    terms = BookTerms(ALICE, BTCUSDC, BUY, Kind.LIMIT, Lots(5), Ticks(100))
    place = PlaceBookOrder("uuid", Nonce(77), b"placement", terms)
    venue.does(place)
    assert venue.does(replace(place, uuid="another uuid")) == ()
    assert venue.does(replace(place, placement=b"other")) == BookRefused(BookRefusal.NONCE_USED)
    placed = venue.exchange.placed(ALICE, Nonce(77))
    assert placed is not None
    assert (placed.id, venue.exchange.orders_placed) == (1, 1)
    venue.cancels(ALICE, 1)
    assert venue.does(place) == (), "also when it has ended"
    assert not isinstance(venue.does(replace(place, terms=replace(terms, account=BOB))), BookRefused), (
        "it is another's nonce"
    )


def test_an_order_that_ended_can_be_forgotten_and_recalled(venue: Venue) -> None:
    order = venue.buys(ALICE, 5, 100)
    venue.cancels(ALICE, order)
    ended = venue.order(order)
    venue.exchange.evict(order)
    assert venue.cancels(ALICE, order) == BookRefused(BookRefusal.ORDER_UNKNOWN)
    venue.exchange.recall(ended)
    assert venue.cancels(ALICE, order) == BookRefused(BookRefusal.ORDER_CANCELLED, ended)
    assert venue.exchange.placed(ALICE, ended.nonce) == ended


def test_a_credit_that_no_amount_could_say_is_refused(poor: Venue) -> None:
    poor.credits(ALICE, USDC, Amount(AMOUNT_MAX - 5))
    assert poor.credits(BOB, USDC, Amount(6)) == BookRefused(BookRefusal.AMOUNT_TOO_BIG, None, "amount")
    assert poor.credits(BOB, USDC, Amount(5)) != BookRefused(BookRefusal.AMOUNT_TOO_BIG, None, "amount")


# --- the door


@pytest.mark.parametrize(
    ("text", "lots"),
    [
        ("0.0425", Lots(425)),
        ("1e-4", Lots(1)),
        ("0", Lots(0)),
        ("0.00001", Inexact.TOO_PRECISE),
        ("1e-05", Inexact.TOO_PRECISE),
        ("-1", Inexact.NEGATIVE),
        ("NaN", Inexact.NOT_A_NUMBER),
        ("1e9999", Inexact.TOO_BIG),
    ],
)
def test_a_volume_is_exact_or_refused(text: str, lots: Lots | Inexact) -> None:
    assert MARKET.read_volume(text) == lots


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("68733.81", Ticks(6_873_381)), ("0.001", Inexact.TOO_PRECISE), ("0", Inexact.NEGATIVE), ("1", Ticks(100))],
)
def test_a_price_is_exact_or_refused(text: str, ticks: Ticks | Inexact) -> None:
    assert MARKET.read_price(text) == ticks


@pytest.mark.parametrize(
    "broken",
    [
        {"price_decimals": 7},
        {"volume_min": Lots(0)},
        {"volume_max": Lots(0)},
        {"price_max": Ticks(1), "price_min": Ticks(2)},
        {"quote": BTC},
        {"volume_max": Lots(10**25)},
    ],
)
def test_a_market_in_which_an_amount_could_be_inexact_or_too_big_is_none(broken: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        replace(MARKET, **broken)


def test_a_fee_is_never_more_than_half() -> None:
    with pytest.raises(AssertionError):
        Rate(500_001)


def test_units_are_what_they_seem(book: Book) -> None:
    assert MARKET.cost(Ticks(100), Lots(10_000)) == Amount(UNIT)
    assert MARKET.volume(Lots(10_000)) == Amount(UNIT)
