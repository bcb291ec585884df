"""What moves by itself: prices that are played, and market makers of tanX."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.member import Member
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, SOL, Token, Venue, running_venue

PLAYBACK = "/sandbox/playback"
MAKER = "/sandbox/tanx/market-maker"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("playback"), "--throwaway") as venue:
        yield venue


@pytest.fixture
def venue(other: Venue) -> Iterator[Venue]:
    other.resets()
    yield other
    other.ask("DELETE", PLAYBACK).ok()
    other.ask("DELETE", MAKER).ok()
    assert other.audit()["ok"], other.audit()


def price_of(venue: Venue, token: Token) -> str:
    return next(str(each["price"]) for each in venue.sandbox()["tokens"] if each["mint"] == token.mint)


def until(condition: Callable[[], bool], seconds: int = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def playing(venue: Venue) -> Any:
    return venue.ask("GET", PLAYBACK).ok()["playbacks"]


def walked(venue: Venue, seed: int, moves: int) -> list[str]:
    """The first prices of a walk, as they are remembered."""
    venue.price(SOL, "150")
    before = len(history_of(venue, SOL))
    body = {"mint": "SOL", "walk": {"seed": seed, "bps": 100, "everyMs": 50}}
    venue.ask("POST", PLAYBACK, body).ok()
    until(lambda: playing(venue)[0]["moves"] >= moves)
    venue.ask("DELETE", f"{PLAYBACK}?mint=SOL").ok()
    return history_of(venue, SOL)[before:][:moves]


def history_of(venue: Venue, token: Token) -> list[str]:
    told = venue.ask("GET", f"/sandbox/prices?mint={token.mint}&limit=5000").ok()["prices"]
    return [each["price"] for each in told]


def test_a_walk_moves_the_price_and_a_seed_repeats_it(venue: Venue) -> None:
    first = walked(venue, 3, 4)
    assert walked(venue, 3, 4) == first
    assert walked(venue, 4, 4) != first
    before = 150 * 10**12
    for each in first:
        whole, _, part = each.partition(".")
        now = int(whole + part.ljust(12, "0"))
        assert abs(now - before) * 100 <= before
        before = now


def test_a_table_is_played_to_its_end_and_orders_follow_it(venue: Venue) -> None:
    alice = with_funds(Trader(venue))
    order = alice.places(single(1 * SOL, above=170))
    table = "time,price\n1000,160\n61000,171.5\n121000,155.25\n"
    answer = venue.ask("POST", PLAYBACK, {"mint": SOL.mint, "csv": table, "speed": "1000"}).ok()
    (shown,) = answer["playbacks"]
    assert shown | {"moves": 0} == {"mint": SOL.mint, "symbol": "SOL", "speed": "1000", "moves": 0, "rows": 3}
    until(lambda: playing(venue) == [])
    assert price_of(venue, SOL) == "155.25"
    assert alice.state_of(order) != "open"
    venue.settles()


@pytest.mark.parametrize("before", ["", "t0,p0\n", "\ufeff", '\ufeff"time","price"\n'])
def test_no_row_of_a_table_is_taken_for_names(venue: Venue, before: str) -> None:
    (shown,) = venue.ask("POST", PLAYBACK, {"mint": "SOL", "csv": before + "0,160\n60000,161"}).ok()["playbacks"]
    assert shown["rows"] == 2


def test_each_token_has_its_own_and_both_stop_when_they_are_told_to(venue: Venue) -> None:
    slow = {"walk": {"seed": 1, "bps": 5, "everyMs": 60_000}}
    for token in ("SOL", "JUP", "SOL"):
        venue.ask("POST", PLAYBACK, {"mint": token} | slow).ok()
    assert [each["symbol"] for each in playing(venue)] == ["JUP", "SOL"]
    assert playing(venue)[0]["walk"] == slow["walk"]
    venue.ask("DELETE", f"{PLAYBACK}?mint={JUP.mint}").ok()
    assert [each["symbol"] for each in playing(venue)] == ["SOL"]
    assert venue.ask("DELETE", PLAYBACK).ok() == {"playbacks": []}


@pytest.mark.parametrize("how", ["reset", "restore"])
def test_a_new_incarnation_stands_still(venue: Venue, how: str) -> None:
    venue.ask("POST", "/sandbox/snapshots", {"name": "calm"}).ok()
    venue.ask("POST", PLAYBACK, {"mint": "SOL", "walk": {"seed": 1, "bps": 500, "everyMs": 20}}).ok()
    venue.ask("POST", MAKER, {"market": "btcusdc", "price": "50000", "everyMs": 50}).ok()
    until(lambda: playing(venue)[0]["moves"] > 2)
    path = "/sandbox/reset" if how == "reset" else "/sandbox/snapshots/calm/restore"
    venue.ask("POST", path, {}).ok()
    assert (playing(venue), venue.ask("GET", MAKER).ok()) == ([], {"marketMakers": []})
    time.sleep(0.2)
    assert price_of(venue, SOL) == "150"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"mint": "SOL"}, "body: send csv or walk, and not both"),
        ({"mint": "SOL", "csv": "1,2", "walk": {"seed": 1, "bps": 1, "everyMs": 1}}, "and not both"),
        ({"mint": "SOL", "walk": {"seed": 1, "bps": 1}}, "walk.everyMs: missing"),
        ({"mint": "SOL", "walk": {"seed": 1, "bps": 0, "everyMs": 1}}, "walk.bps: 0 is not between"),
        ({"mint": "SOL", "walk": {"seed": 1, "bps": 1, "everyms": 1}}, "did you mean everyMs?"),
        ({"mint": "SOLX", "csv": "0,1"}, "did you mean SOL?"),
        ({"mint": "SOL", "csv": ""}, "csv: has no row; send rows like 1500,149.25"),
        ({"mint": "SOL", "csv": "0,1\n5,-2"}, "csv: line 2: '-2'"),
        ({"mint": "SOL", "csv": "0,1\n5,0"}, "csv: line 2: a price must be more than nothing"),
        ({"mint": "SOL", "csv": "7,1\n5,2"}, "csv: line 2: its time 5 is before that of the line above"),
        ({"mint": "SOL", "csv": "1,2,3"}, "has 3 cells"),
        ({"mint": "SOL", "csv": "-1,1\n5,2"}, "csv: line 1: '-1' must not be negative"),
        ({"mint": "SOL", "csv": '"0","1"\n5,2'}, "csv: line 1: '\"0\"' must be a finite decimal number"),
        ({"mint": "SOL", "csv": "1,2", "speed": 0}, "speed: 0 is not between 0.001 and 1000"),
        ({"mint": "SOL", "csv": "1,2", "speed": "1000.5"}, "speed: 1000.5 is not between 0.001 and 1000"),
    ],
)
def test_what_cannot_be_played_is_refused(venue: Venue, body: object, words: str) -> None:
    refused = venue.ask("POST", PLAYBACK, body)
    assert refused.status == 400
    assert words in refused.body["error"]
    assert playing(venue) == []


# --- market makers


def depth(venue: Venue) -> Any:
    return venue.ask("GET", "/sapi/v1/market/orderbook/?market=btcusdc").ok()["payload"]


def test_a_market_maker_quotes_both_sides_and_trades(venue: Venue) -> None:
    asked = {"market": "btcusdc", "price": "50000", "volume": "0.5", "seed": 7, "levels": 3, "everyMs": 30}
    (shown,) = venue.ask("POST", MAKER, asked).ok()["marketMakers"]
    assert shown | {"rounds": 1, "price": "50000"} == asked | {
        "spreadBps": 20,
        "moveBps": 10,
        "rounds": 1,
        "price": "50000",
        "accounts": shown["accounts"],
    }
    member = Member(venue).joins().has(usdc="100000")
    order = member.places("buy", "0.1", "60000")
    until(lambda: member.state(order)[0] == "done")
    until(lambda: bool(venue.ask("GET", "/sapi/v1/market/trades/?market=btcusdc").ok()["payload"]))
    until(lambda: venue.ask("GET", MAKER).ok()["marketMakers"][0]["rounds"] > 5)
    assert venue.ask("DELETE", f"{MAKER}?market=btcusdc").ok() == {"marketMakers": []}
    book = depth(venue)
    assert (book["asks"], book["bids"]) == ([], [])


def test_a_market_maker_never_moves_its_price_further_than_it_was_told_to(venue: Venue) -> None:
    """Moves were rounded down: a price of a few ticks went down by one every second time, and never up."""
    body = {"market": "btcusdc", "price": "0.5", "moveBps": 10, "levels": 1, "everyMs": 10}
    venue.ask("POST", MAKER, body).ok()
    until(lambda: venue.ask("GET", MAKER).ok()["marketMakers"][0]["rounds"] > 10)
    assert venue.ask("GET", MAKER).ok()["marketMakers"][0]["price"] == "0.5"
    venue.ask("DELETE", MAKER).ok()


def test_a_book_that_is_quoted_is_never_seen_between_two_rounds(venue: Venue) -> None:
    """A seventh of the reads found a side of it empty, or half of its levels."""
    body = {"market": "btcusdc", "price": "50000", "levels": 3, "spreadBps": 100, "everyMs": 10}
    venue.ask("POST", MAKER, body).ok()
    seen = Counter((len(book["asks"]), len(book["bids"])) for book in (depth(venue) for _ in range(300)))
    assert venue.ask("DELETE", MAKER).ok() == {"marketMakers": []}
    assert set(seen) == {(3, 3)}, seen


def test_what_the_taker_could_not_buy_never_rests(venue: Venue) -> None:
    """A stop between its order and the cancel of the rest would leave that in the book."""
    member = Member(venue).joins().has(btc="1", usdc="1000")
    for _ in range(20):
        member.places("buy", "0.01", "100")
        member.places("sell", "0.01", "100.1")
    body = {"market": "btcusdc", "price": "100.05", "levels": 1, "everyMs": 10}
    (shown,) = venue.ask("POST", MAKER, body).ok()["marketMakers"]
    path = f"/sandbox/orders?family=book&wallet={shown['accounts'][1]}"
    until(lambda: len(venue.ask("GET", path).ok()["orders"]) > 2)
    venue.ask("DELETE", MAKER).ok()
    for order in venue.ask("GET", path).ok()["orders"]:
        told = venue.ask("GET", f"/sandbox/orders/{order['id']}").ok()["timeline"]
        assert "order_rested" not in [each["event"] for each in told], told


def test_of_two_that_begin_at_once_one_quotes_and_it_stops(venue: Venue) -> None:
    """A1: the other would go on for ever, and no request could name it."""
    body = {"market": "btcusdc", "price": "50000", "volume": "0.1", "levels": 2, "everyMs": 20}
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: venue.ask("POST", MAKER, body).status, range(4)))
    assert answers == [200] * 4
    assert venue.ask("DELETE", MAKER).ok() == {"marketMakers": []}
    before = newest_nonce(venue)
    time.sleep(0.2)
    assert newest_nonce(venue) == before


def newest_nonce(venue: Venue) -> int:
    """Rises with each order."""
    rows = venue.ask("GET", "/sandbox/orders?family=book&limit=1").ok()["orders"]
    return 0 if not rows else int(rows[0]["id"])


def test_a_reset_ends_also_one_that_just_begins(venue: Venue) -> None:
    """It would trade in the new sandbox, for members that it does not know."""
    body = {"market": "btcusdc", "price": "50000", "volume": "0.1", "levels": 5, "everyMs": 20}
    with ThreadPoolExecutor(2) as threads:
        begins = threads.submit(venue.ask, "POST", MAKER, body)
        threads.submit(venue.resets).result()
        assert begins.result().status == 200
    venue.ask("DELETE", MAKER).ok()
    assert venue.audit()["ok"] is True


def test_the_first_quotes_are_in_the_book_when_it_answers(venue: Venue) -> None:
    body = {"market": "btcusdc", "price": "50000", "levels": 2, "spreadBps": 100, "everyMs": 600_000}
    venue.ask("POST", MAKER, body).ok()
    book = depth(venue)
    prices = {side: sorted(each["price"] for each in book[side]) for side in ("asks", "bids")}
    assert [int(price.split(".")[0]) for price in prices["asks"]] == [50_250, 50_750]
    assert [int(price.split(".")[0]) for price in prices["bids"]] == [49_250, 49_750]
    venue.ask("POST", MAKER, body | {"price": "40000"}).ok()
    assert len(depth(venue)["asks"]) == 2, "the second takes the place of the first"


def test_quotes_that_a_restore_brings_back_do_not_stand_in_the_way(venue: Venue) -> None:
    """As after a restart. The new bids would have met the old asks of the same account, and been cancelled."""
    body = {"market": "btcusdc", "price": "50000", "levels": 2, "spreadBps": 100, "everyMs": 600_000}
    venue.ask("POST", MAKER, body).ok()
    venue.ask("POST", "/sandbox/snapshots", {"name": "quoted"}).ok()
    venue.ask("POST", "/sandbox/snapshots/quoted/restore", {}).ok()
    assert (venue.ask("GET", MAKER).ok(), len(depth(venue)["asks"])) == ({"marketMakers": []}, 2)
    venue.ask("POST", MAKER, body | {"price": "60000"}).ok()
    prices = {side: sorted(each["price"] for each in depth(venue)[side]) for side in ("asks", "bids")}
    assert prices == {"asks": ["60300.0", "60900.0"], "bids": ["59100.0", "59700.0"]}
    venue.ask("DELETE", "/sandbox/snapshots/quoted").ok()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"market": "solusdc", "price": "1"}, "market: 'solusdc' is none of this venue's: btcusdc"),
        ({"market": "btcusdc", "price": "0"}, "price: 0 is not between 0.01 and "),
        ({"market": "btcusdc", "price": "0.001"}, "price: '0.001'"),
        ({"market": "btcusdc", "price": "1", "volume": "0"}, "volume: 0 is not between 0.0001 and "),
        ({"market": "btcusdc", "price": "1", "levels": 51}, "levels: 51 is not between 1 and 50"),
        ({"market": "btcusdc", "price": "1", "spread": 3}, "did you mean spreadBps?"),
    ],
)
def test_what_cannot_be_quoted_is_refused(venue: Venue, body: object, words: str) -> None:
    refused = venue.ask("POST", MAKER, body)
    assert refused.status == 400
    assert words in refused.body["error"]
