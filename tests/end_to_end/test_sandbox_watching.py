"""What the sandbox shows of its venue: requests, a live stream, prices, books, wallets; and what an operator may do."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from countermand.inspection.stream import READERS_MAX
from tests.altering import altered, budgeted
from tests.end_to_end.dca_trader import DcaTrader, dca
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.member import Member
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.test_sandbox_orders import inspected, told
from tests.end_to_end.told import Reader
from tests.end_to_end.trader import ROOT, Trader, oco, otoco, single, trailing
from tests.end_to_end.venue import SOL, STOP_S, USDC, LostAnswer, Venue, running_venue

SELL = single(sell=1 * SOL, above=260)


@pytest.fixture
def reads(venue: Venue) -> Iterator[Callable[..., Reader]]:
    with ExitStack() as readers:

        def read(query: str, last: str | None = None) -> Reader:
            reader = Reader(venue, query, headers={} if last is None else {"last-event-id": last})
            readers.callback(reader.ends)
            return reader

        yield read


def of_order(seen: list[dict[str, Any]], order: str) -> list[tuple[int, str]]:
    return [
        (each["data"]["seq"], each["data"]["event"])
        for each in seen
        if each["event"] == "order" and each["data"]["orderId"] == order
    ]


def requests(venue: Venue, limit: int = 50) -> list[Any]:
    """The newest first."""
    found: list[Any] = venue.ask("GET", f"/sandbox/requests?limit={limit}").ok()["requests"]
    return found


# --- the stream


def test_a_reader_is_told_all_of_an_order_and_comes_back_to_where_it_was(
    venue: Venue, alice: Trader, reads: Callable[..., Reader]
) -> None:
    reader = reads("from=now")
    order = alice.places(SELL)
    seen = reader.until(order, "deposit_landed")
    last = seen[-1]["id"]
    reader.ends()
    venue.price(SOL, "260")
    venue.settles()
    again = reads("from=now", last=last)
    later = [each for each in again.until(order, "fill_landed") if each["data"]["orderId"] == order]
    whole = reads(f"from={reader.cursor}")
    assert of_order(seen, order) + of_order(later, order) == of_order(whole.until(order, "fill_landed"), order)
    timeline = inspected(venue, order)["timeline"]
    assert of_order(seen + later, order) == [(entry["seq"], entry["event"]) for entry in timeline]
    (triggered,) = (each["data"]["told"] for each in later if each["data"].get("event") == "order_triggered")
    assert triggered["reason"] == "the price is 260, it triggers at ≥ 260"


def test_a_reader_that_was_told_nothing_yet_comes_back_to_where_it_was(
    alice: Trader, reads: Callable[..., Reader]
) -> None:
    reader = reads("from=now")
    reader.ends()
    order = alice.places(SELL)
    again = reads("from=now&limit=1", last=reader.last_id)
    assert again.last_id == reader.last_id
    assert next(again)["data"]["orderId"] == order


@pytest.mark.parametrize("late", [False, True], ids=["at once", "with an old cursor"])
def test_one_reset_is_told_before_all_that_a_restore_brings_back(
    venue: Venue, alice: Trader, reads: Callable[..., Reader], late: bool
) -> None:
    kept = [alice.places(SELL), alice.places(SELL)]
    venue.ask("POST", "/sandbox/snapshots", {"name": "watched"}).ok()
    reader = reads("from=now")
    venue.ask("POST", "/sandbox/snapshots/watched/restore").ok()
    alice.signs_in()
    order = alice.places(SELL)
    reader = reads(f"from={reader.cursor}") if late else reader
    seen = reader.until(order, "deposit_landed")
    seen += reader.until(alice.places(SELL), "deposit_landed")
    assert [each["event"] for each in seen].count("reset") == 1
    after = seen[[each["event"] for each in seen].index("reset") :]
    for each in (*kept, order):
        assert [event for _, event in of_order(after, each)] == ["order_placed", "deposit_landed"]


def test_a_stream_with_a_limit_ends(alice: Trader, reads: Callable[..., Reader]) -> None:
    alice.places(SELL)
    events = list(reads("from=recent&limit=2"))
    assert [each["event"] for each in events] == ["order", "order"]


def test_a_stream_with_a_limit_ends_without_waiting_for_more(venue: Venue, alice: Trader) -> None:
    """Nor for the silence that brings a comment."""
    alice.places(SELL)
    venue.settles()
    raw = venue.ask("GET", "/sandbox/events?from=recent&limit=2").raw
    assert raw.count(b"event: order\n") == 2
    assert raw.endswith(b"}\n\n"), raw[-100:]


def test_head_of_a_stream_ends(venue: Venue) -> None:
    answer = venue.ask("HEAD", "/sandbox/events")
    assert (answer.status, answer.headers["content-type"], answer.raw) == (200, "text/event-stream", b"")
    assert venue.ask("GET", "/sandbox").status == 200


def test_requests_prices_and_the_sandbox_are_told_too(
    venue: Venue, alice: Trader, reads: Callable[..., Reader]
) -> None:
    reader = reads("include=requests,prices,sandbox")
    assert next(reader)["data"]["clock"] == {"mode": "running"}
    alice.history()
    venue.price(SOL, "151.25")
    venue.faults(failSwaps=2)
    kinds: dict[str, Any] = {}
    while len(kinds) < 3 or kinds["sandbox"]["faults"]["failSwaps"] != 2:
        each = next(reader)
        kinds[each["event"]] = each["data"]
    assert (kinds["request"]["method"], kinds["request"]["status"]) == ("GET", 200)
    assert (kinds["price"]["mint"], kinds["price"]["price"]) == (SOL.mint, "151.25")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=1:0:1:0", "from: '1:0:1:0' is no cursor"),
        ("from=yesterday", "from: 'yesterday' is no cursor"),
        ("include=order", "include: expected orders, requests, prices or sandbox"),
        ("limit=0", "limit: '0' is no whole number"),
        ("limit=000000001" + "1" * 5_000, "limit: '000000001111"),
        ("from=1:0:0:2147483648,1:1:0:0,1:2:0:0", "from: '1:0:0:2147483648,1:1:0:0,1:2:0:0' is no cursor"),
        ("limt=1", "limt: unknown query parameter; did you mean limit?"),
    ],
)
def test_a_stream_that_is_not_possible(venue: Venue, query: str, words: str) -> None:
    status, error = venue.ask("GET", f"/sandbox/events?{query}").error
    assert status == 400
    assert error.startswith(words)


def test_a_reader_that_left_is_none(tmp_path: Path) -> None:
    """While nothing happens that it would be sent."""
    with running_venue(tmp_path) as venue, ExitStack() as readers:

        def is_served() -> bool:
            reader = readers.enter_context(socket.create_connection((venue.host, venue.port), timeout=15))
            reader.sendall(b"GET /sandbox/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return reader.recv(65_536).startswith(b"HTTP/1.1 200")

        assert [is_served() for _ in range(READERS_MAX + 1)] == READERS_MAX * [True] + [False]
        readers.close()
        ended_by = time.monotonic() + 30
        while not is_served():
            assert time.monotonic() < ended_by
            time.sleep(0.1)


def test_an_open_stream_ends_when_the_venue_stops(tmp_path: Path) -> None:
    with running_venue(tmp_path) as venue:
        reader = Reader(venue, "include=orders,sandbox")
        assert next(reader)["event"] == "sandbox"
        venue.process.send_signal(signal.SIGTERM)
        assert list(reader) == [], "it ends in good order"
        assert venue.process.wait(STOP_S) == 0
        reader.ends()


def test_a_reader_that_does_not_read_misses_nothing(venue: Venue, alice: Trader, reads: Callable[..., Reader]) -> None:
    """Some hundred events wait in the log, and not for it."""
    order = alice.places(SELL)
    reader = reads("from=now")
    for step in range(300):
        alice.amends(order, triggerPriceUsd=260 + step / 100).ok()
    venue.ask("DELETE", f"/sandbox/orders/{order}").ok()
    seen = of_order(reader.until(order, "cancel_requested"), order)
    assert [event for _, event in seen] == ["order_amended"] * 300 + ["cancel_requested"]
    assert [seq for seq, _ in seen] == sorted(seq for seq, _ in seen)


# --- requests


def test_a_request_is_shown_without_its_secrets(venue: Venue, alice: Trader) -> None:
    order = alice.places(SELL)
    create = next(each for each in requests(venue) if each["path"] == f"{ROOT}/orders/price")
    assert (create["method"], create["status"], create["orderId"]) == ("POST", 200, order)
    assert create["headers"]["authorization"] == "Bearer $TOKEN"
    assert create["body"]["depositSignedTx"] == "(hidden)"
    assert create["body"]["triggerPriceUsd"] == 260
    assert create["answer"]["id"] == order
    assert (create["cut"], create["altered"]) == (False, None)
    assert create["curl"].startswith(f"curl -X POST '{venue.url}{ROOT}/orders/price' \\\n")
    login = next(each for each in requests(venue) if each["path"].endswith("/auth/verify"))
    assert (login["body"]["signature"], login["answer"]["token"]) == ("(hidden)", "(hidden)")
    assert alice.token not in venue.ask("GET", "/sandbox/requests?limit=1000").raw.decode()
    assert venue.ask("GET", f"/sandbox/requests/{create['number']}").ok() == create


def test_a_request_says_how_a_wallet_altered_its_transaction(venue: Venue, alice: Trader) -> None:
    craft = alice.crafts(SELL)
    other = altered(craft["transaction"], budgeted, alice.key)
    assert alice.creates(alice.body_for(SELL, craft) | {"depositSignedTx": other}).status == 400
    create = requests(venue, 1)[0]
    assert create["altered"]["instructions_added"]


BUDGET = {"instructions_added": ["Compute budget: an offer of 7 micro-lamports for each compute unit"]}


@pytest.mark.parametrize("form", [("requestId",), ("id",), ()])
@pytest.mark.parametrize("root", ["/trigger/v1", "/limit/v2"])
def test_an_altered_transaction_of_an_order_on_the_chain_is_found_by_any_id_or_none(
    venue: Venue, alice: Trader, root: str, form: tuple[str, ...]
) -> None:
    limits = LimitTrader(venue, alice)
    built = limits.builds(1 * SOL, USDC)
    limits.builds(2 * SOL, USDC)
    other = altered(built["transaction"], budgeted, alice.key)
    named = dict.fromkeys(form, built["requestId"])
    body = {"signedTransaction": other, **named}
    assert venue.ask("POST", f"{root}/execute", body).status == 400
    assert requests(venue, 1)[0]["altered"] == BUDGET
    assert limits.executes(built["transaction"], **named).status == 200
    assert requests(venue, 1)[0]["altered"] is None


def test_an_altered_transaction_without_an_id_of_its_own_is_found(venue: Venue, alice: Trader) -> None:
    limits = LimitTrader(venue, alice, "/limit/v2")
    transaction = limits.builds(1 * SOL, USDC)["tx"]
    assert limits.post("execute", signedTransaction=altered(transaction, budgeted, alice.key)).status == 400
    assert requests(venue, 1)[0]["altered"] == BUDGET


def test_an_altered_transaction_of_the_older_cancel_of_a_recurring_order_is_found(venue: Venue, alice: Trader) -> None:
    saver = Saver(venue, alice.key)
    order, _ = saver.opens(2 * SOL, USDC)
    cancelling = saver.asks_to_cancel(order, older=True).ok()
    body = {"signedTransaction": altered(cancelling["tx"], budgeted, alice.key), "id": cancelling["id"]}
    assert venue.ask("POST", "/recurring/v1/execute", body).status == 400
    assert requests(venue, 1)[0]["altered"] == BUDGET


def test_each_transaction_of_a_cancel_of_many_is_compared_with_itself(venue: Venue, alice: Trader) -> None:
    limits = LimitTrader(venue, alice)
    for take in range(7):
        limits.places(10 * USDC, SOL, 10**12 + take)
    cancelling = limits.post("cancelOrders", maker=limits.wallet).ok()
    assert len(cancelling["transactions"]) == 2
    for transaction in cancelling["transactions"]:
        other = altered(transaction, budgeted, alice.key)
        assert limits.post("execute", signedTransaction=other, requestId=cancelling["requestId"]).status == 400
        assert requests(venue, 1)[0]["altered"] == BUDGET


def test_a_lost_answer_is_shown_as_cut(venue: Venue, alice: Trader) -> None:
    order = alice.places(SELL)
    venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        alice.cancels(order)
    cancel = next(each for each in requests(venue) if "/cancel/" in each["path"])
    assert (cancel["cut"], cancel["status"], cancel["orderId"]) == (True, 200, order)


def test_what_the_gateway_refuses_is_shown_too(venue: Venue, alice: Trader) -> None:
    broken = b'{"walletPubkey": "' + b"x" * 60
    assert venue.ask("POST", f"{ROOT}/auth/challenge", broken).status == 400
    shown = requests(venue, 1)[0]
    assert (shown["status"], shown["body"]) == (400, '{"walletPubkey": "(hidden)')


def test_at_most_the_newest_thousand_requests(venue: Venue) -> None:
    assert venue.ask("GET", "/sandbox/requests?limit=1001").status == 400
    assert venue.ask("GET", "/sandbox/requests/999999999").status == 404


# --- prices, books, wallets


def test_the_prices_that_were(venue: Venue) -> None:
    for price in ("150.5", "151"):
        venue.price(SOL, price)
    shown = venue.ask("GET", "/sandbox/prices?mint=SOL&limit=2").ok()
    assert [each["price"] for each in shown["prices"]] == ["150.5", "151"]
    assert venue.ask("GET", "/sandbox/prices").status == 400


def test_the_books_have_depth_and_trades(venue: Venue) -> None:
    member, other = Member(venue).joins().has(btc="1", usdc="100000"), Member(venue).joins().has(btc="1", usdc="100000")
    member.places("sell", 0.01, 41_000)
    member.places("sell", 0.02, 41_000)
    other.places("buy", 0.005, 41_000)
    books = venue.ask("GET", "/sandbox/books").ok()["books"]
    (book,) = [each for each in books if each["trades"] and each["trades"][0]["price"] == "41000"]
    assert {"price": "41000", "volume": "0.025", "orders": 2} in book["asks"]
    assert (book["trades"][0]["volume"], book["trades"][0]["taker"]) == ("0.005", "buy")


def test_a_book_and_its_trades_are_of_one_instant(venue: Venue) -> None:
    """Half of the reads of a busy market had newer trades than their `last` and their depth."""
    quoting = {"market": "ethusdt", "price": "2000", "volume": "0.1", "levels": 2, "everyMs": 10}
    venue.ask("POST", "/sandbox/tanx/market-maker", quoting).ok()
    odd = []
    for _ in range(150):
        books = venue.ask("GET", "/sandbox/books").ok()["books"]
        (book,) = [each for each in books if each["market"] == "ethusdt"]
        newest = book["trades"][0]["price"] if book["trades"] else None
        odd += [(book["last"], newest)] if book["last"] != newest else []
    venue.ask("DELETE", "/sandbox/tanx/market-maker").ok()
    assert book["trades"]
    assert odd == []


def test_no_stop_waits_for_a_price_at_which_the_last_trade_was(venue: Venue) -> None:
    """The last trade was read after the orders: meanwhile it could trigger a stop that was still shown as waiting."""
    member, other = Member(venue).joins().has(usdc="1000"), Member(venue).joins().has(eth="1", usdc="1000")
    prices = range(2_001, 2_051)
    for price in prices:
        other.places("sell", "0.0001", price, market="ethusdc")
        member.places("buy", "0.0001", 1, market="ethusdc", ord_type="stop_limit", stop_price=price)
    buyer = Member(venue).joins().has(usdc="1000")
    orders = [buyer.signs(buyer.draft("buy", "0.0001", price, market="ethusdc")) for price in prices]
    path, odd = f"/sandbox/orders?family=book&wallet={member.address}&state=pending", []
    with ThreadPoolExecutor(1) as threads:
        bought = threads.submit(lambda: [buyer.post("/sapi/v1/orders/create/", each) for each in orders])
        while not bought.done():
            for order in venue.ask("GET", path).ok()["orders"]:
                waiting = order["waiting"]
                if waiting["for"] == "stop_price" and float(waiting["last"] or 0) >= float(waiting["price"]):
                    odd.append(order["waitsFor"])
    assert venue.ask("GET", path).ok()["orders"] == []
    assert odd == []


def test_a_wallet_shows_what_its_orders_hold(venue: Venue, alice: Trader) -> None:
    alice.places(single(sell=100 * USDC, buy=SOL, below=100))
    wallets = venue.ask("GET", "/sandbox/wallets").ok()["wallets"]
    (own,) = [each for each in wallets if each["wallet"] == alice.wallet]
    assert {"mint": USDC.mint, "amount": "900000000"} in own["holds"]
    assert own["inVault"] == [{"mint": USDC.mint, "amount": "100000000"}]


# --- an operator


def test_an_operator_amends_an_order_and_the_event_says_so(venue: Venue, alice: Trader) -> None:
    order = alice.places(SELL)
    shown = venue.ask("PATCH", f"/sandbox/orders/{order}", {"triggerPriceUsd": "270.25"}).ok()
    assert shown["legs"][0]["triggerPriceUsd"] == "270.25"
    assert (shown["timeline"][-1]["event"], shown["timeline"][-1]["reason"]) == (
        "order_amended",
        "the operator asked for it",
    )
    assert alice.sees(order)["triggerPriceUsd"] == 270.25


def test_an_operator_s_price_that_a_program_computed_is_the_nearest(venue: Venue, alice: Trader) -> None:
    order = alice.places(SELL)
    shown = venue.ask("PATCH", f"/sandbox/orders/{order}", {"triggerPriceUsd": 200 * 1.1}).ok()
    assert shown["legs"][0]["triggerPriceUsd"] == "220"


def test_an_operator_s_cancel_leaves_the_withdrawal_to_the_wallet(venue: Venue, alice: Trader) -> None:
    order = alice.places(oco(sell=1 * SOL, take_profit=300, stop_loss=100))
    shown = venue.ask("DELETE", f"/sandbox/orders/{order}").ok()
    assert (shown["rawState"], shown["waiting"]) == ("ready_to_cancel", {"for": "signature"})
    assert shown["timeline"][-1]["reason"] == "the operator asked for it"
    venue.price(SOL, "300")
    venue.settles()
    assert told(inspected(venue, order)) == told(shown), "nothing fills any more"
    alice.withdraws(order, alice.cancels(order))
    assert inspected(venue, order)["state"] == "cancelled"


def test_an_operator_moves_the_legs_of_each_family(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "150")
    pair = alice.places(oco(sell=1 * SOL, take_profit=300, stop_loss=100))
    entry = alice.places(otoco(sell=100 * USDC, buy=SOL, below=120, take_profit=300, stop_loss=100))
    trail = alice.places(trailing(sell=1 * SOL, bps=1_000))
    for order, change in (
        (pair, {"slPriceUsd": "110"}),
        (entry, {"triggerPriceUsd": "125", "tpPriceUsd": "310"}),
        (trail, {"trailingBps": 500}),
    ):
        venue.ask("PATCH", f"/sandbox/orders/{order}", change).ok()
    assert [leg["triggerPriceUsd"] for leg in inspected(venue, pair)["legs"]] == ["300", "110"]
    assert [leg["triggerPriceUsd"] for leg in inspected(venue, entry)["legs"]] == ["125", "310", "100"]
    assert inspected(venue, trail)["legs"][0]["triggerPriceUsd"] == "142.5"
    assert "it follows 5 % behind the high of 150" in inspected(venue, trail)["waitsFor"]


def test_an_operator_cancels_recurring_orders_and_those_of_the_book(venue: Venue, alice: Trader) -> None:
    plan = DcaTrader(alice).places(dca(sell=100 * USDC))
    venue.settles()
    shown = venue.ask("DELETE", f"/sandbox/orders/{plan}").ok()
    assert shown["timeline"][-1]["reason"] == "the operator asked for it"
    assert venue.ask("PATCH", f"/sandbox/orders/{plan}", {"slippageBps": 1}).status == 400
    booked = Member(venue).joins().has(btc="1").places("sell", 0.01, 90_000)
    assert venue.ask("DELETE", f"/sandbox/orders/{booked}").ok()["state"] == "cancel"


def test_an_order_of_the_book_goes_by_its_uuid_too(venue: Venue) -> None:
    order = Member(venue).joins().has(btc="1").places("sell", 0.01, 90_000)
    path = f"/sandbox/orders/{inspected(venue, order)['uuid']}"
    status, error = venue.ask("PATCH", path, {"slippageBps": 1}).error
    assert (status, error.partition("; ")[2]) == (400, "cancel it, and place another")
    shown = venue.ask("DELETE", path).ok()
    assert (shown["id"], shown["state"]) == (order, "cancel")
    assert venue.ask("PATCH", "/sandbox/orders/987654321", {"slippageBps": 1}).status == 404


def test_what_an_operator_cannot_do(venue: Venue, alice: Trader) -> None:
    order = alice.places(SELL)
    for body, words in (
        ({}, "body: changes nothing; send triggerPriceUsd, slippageBps, trailingBps or expiresAt"),
        ({"tpPriceUsd": "1"}, "tpPriceUsd: not a field of single orders"),
        ({"triggerPriceUsd": "0"}, "triggerPriceUsd: a price must be more than nothing"),
        ({"trailingBps": 500}, "Cannot convert to trailing stop loss order"),
    ):
        status, error = venue.ask("PATCH", f"/sandbox/orders/{order}", body).error
        assert status == 400
        assert error.startswith(words)
    stranger = str(Keypair().pubkey())
    assert "only its owner's signature" in venue.ask("DELETE", f"/sandbox/orders/{stranger}").error[1]
    unknown = "00000000-0000-4000-8000-000000000000"
    assert venue.ask("DELETE", f"/sandbox/orders/{unknown}").status == 404


def test_an_operator_is_told_what_the_owner_would_be(venue: Venue, alice: Trader) -> None:
    venue.price(SOL, "150")
    order = alice.places(single(sell=1 * SOL, below=120))
    plan = DcaTrader(alice).places(dca(sell=100 * USDC, rounds=2))
    venue.price(SOL, "119")
    venue.settles()
    venue.ask("POST", "/sandbox/clock/advance", {"seconds": 90_000}).ok()
    venue.settles()
    for method, path, words in (
        ("DELETE", order, "Cannot cancel order in 'filled' state"),
        ("PATCH", order, "Cannot update order in 'filled' state"),
        ("DELETE", plan, "Cannot cancel DCA order in 'completed' state"),
    ):
        body = {"triggerPriceUsd": "110"} if method == "PATCH" else None
        assert venue.ask(method, f"/sandbox/orders/{path}", body).error == (400, words)


# --- the log


def test_with_debug_every_request_is_a_line(tmp_path: Path) -> None:
    with running_venue(tmp_path, "--log-level", "debug") as venue:
        venue.ask("GET", "/price/v3?ids=secret", headers={"x-api-key": "secret"})
        lines = [json.loads(line) for line in venue.log.read_text().splitlines() if line.startswith("{")]
        (line,) = [each for each in lines if each.get("path") == "/price/v3"]
        assert (line["event"], line["level"], line["method"], line["status"]) == (
            "request answered",
            "debug",
            "GET",
            200,
        )
        assert "secret" not in json.dumps(line)
