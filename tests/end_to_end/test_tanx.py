"""tanX over HTTP: the seed's cancel, and every line of what the documentation leaves open."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.end_to_end.member import Member
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import LostAnswer, Venue

MARKETS = ("btcusdc", "ethusdc", "btcusdt", "ethusdt", "usdcusdt")
FORM = {"content-type": "application/x-www-form-urlencoded"}
NOT_FOUND = b'{"status":"error","message":"Order not found","payload":{}}'
NUL = "The body holds the character NUL, which cannot be stored"
NO_INTEGER = b'{"status":"error","message":"order_id: A valid integer is required.","payload":""}'


def new(venue: Venue) -> Iterator[Member]:
    """With 10 bitcoin and 10⁶ dollars."""
    member = Member(venue).joins().has(btc="10", usdc="1000000")
    yield member
    member.leaves()


@pytest.fixture(scope="module", autouse=True)
def empty_books(house: Venue) -> None:
    """Nothing rests in them that the tests of another file have left."""
    house.resets()


@pytest.fixture
def alice(venue: Venue) -> Iterator[Member]:
    yield from new(venue)


@pytest.fixture
def bob(venue: Venue) -> Iterator[Member]:
    yield from new(venue)


@pytest.fixture
def carol(venue: Venue) -> Iterator[Member]:
    yield from new(venue)


def problem(answer: Any) -> tuple[int, str]:
    body = answer.body
    assert list(body) == ["status", "message", "payload"]
    assert body["status"] == "error"
    return answer.status, body["message"]


# --- the cancel


def test_the_seed_s_answer_and_then_the_order_is_cancelled(alice: Member, bob: Member) -> None:
    """Partly executed, in two trades at its own price."""
    order = alice.places("buy", 0.0425, 68733.81)
    uuid, created_at = alice.sees(order)["uuid"], alice.sees(order)["created_at"]
    for volume in (0.005, 0.004):
        bob.places("sell", volume, 68733.81)
    updated_at = alice.sees(order)["updated_at"]
    answer = alice.cancels(order)
    assert answer.raw.decode() == (
        '{"status":"success","message":"Order is successfully queued for cancellation","payload":{'
        f'"id":{order},"uuid":"{uuid}","side":"buy","ord_type":"limit","price":"68733.81","stop_price":null,'
        f'"avg_price":"68733.81","state":"wait","market":"btcusdc","created_at":"{created_at}",'
        f'"updated_at":"{updated_at}","origin_volume":"0.0425","remaining_volume":"0.0335","executed_volume":"0.009",'
        '"maker_fee":"0.0004","taker_fee":"0.0004","trades_count":2,"cancel_reason":null}}'
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", created_at)
    after = alice.sees(order)
    assert (after["state"], after["cancel_reason"]) == ("cancel", "Order cancelled by user")
    assert (after["remaining_volume"], after["executed_volume"], len(after["trades"])) == ("0.0335", "0.009", 2)
    assert alice.balance("usdc") == ("999381.39571", "0.0")
    assert alice.balance("btc") == ("10.0089964", "0.0")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("scheme", ["JWT", "Bearer", "jwt"])
def test_a_cancel_with_and_without_a_slash_by_either_scheme(alice: Member, slash: str, scheme: str) -> None:
    order = alice.places("buy", 0.01, 1000)
    body = {"order_id": order}
    answer = alice.ask("POST", f"/sapi/v1/orders/cancel{slash}", body, authorization=f"{scheme} {alice.access}")
    assert answer.ok()["payload"]["id"] == order
    for path in (f"/sapi/v1/orders/{order}", "/sapi/v1/orders", "/sapi/v1/user/balance", "/sapi/v1/health"):
        assert alice.ask("GET", f"{path}{slash}").status == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b'{"order_id":null}', b'{"order_id":"1"}', b'{"order_id":3.0}', b'{"order_id":true}'),
        *(b'{"order_id":0}', b'{"order_id":-1}', b'{"order_id":[1]}', b'{"order_id":1e2}'),
    ],
)
def test_an_order_id_that_is_no_positive_integer(alice: Member, body: bytes) -> None:
    answer = alice.ask("POST", "/sapi/v1/orders/cancel/", body)
    assert (answer.status, answer.raw) == (400, NO_INTEGER)


def test_an_order_that_is_unknown_or_another_s(alice: Member, bob: Member) -> None:
    order = bob.places("buy", 0.01, 1000)
    for order_id in (order, 10**9, 2**63 - 1, 2**63, 10**30):
        answer = alice.cancels(order_id)
        assert (answer.status, answer.raw) == (404, NOT_FOUND), order_id
    for name in (str(order), bob.sees(order)["uuid"], "0", "x", str(2**63), "%00"):
        answer = alice.ask("GET", f"/sapi/v1/orders/{name}")
        assert (answer.status, answer.raw) == (404, NOT_FOUND), name
    assert bob.state(order) == ("wait", None)


def test_an_order_that_has_ended_says_how_and_shows_itself(alice: Member, bob: Member) -> None:
    cancelled, done = alice.places("buy", 0.01, 1000), alice.places("buy", 0.01, 2000)
    bob.places("sell", 0.01, 2000)
    alice.cancels(cancelled).ok()
    for order, words in ((cancelled, "Order is already cancelled"), (done, "Order is already executed")):
        for _ in range(2):
            answer = alice.cancels(order)
            assert problem(answer) == (400, words)
            shown = alice.sees(order)
            del shown["trades"]
            assert answer.body["payload"] == shown
            assert len(shown) == 18


def test_forms_are_read_like_json(alice: Member) -> None:
    order = alice.places("buy", 0.01, 1000)
    for digits, status in (("3.0", 400), ("%2B1", 400), ("", 400), ("9" * 30, 404), (str(order), 200)):
        answer = alice.ask("POST", "/sapi/v1/orders/cancel/", f"order_id={digits}".encode(), **FORM)
        assert answer.status == status, digits
    form = b"market=btcusdc&ord_type=limit&side=buy&volume=1e-04&price=1000.50"
    draft = alice.ask("POST", "/sapi/v1/orders/nonce/", form, **FORM).ok()["payload"]
    created = alice.post("/sapi/v1/orders/create/", alice.signs(draft))
    assert (created["origin_volume"], created["price"]) == ("0.0001", "1000.5")
    assert alice.ask("POST", "/sapi/v1/user/bulkcancel", b"market=btcusdc&limit=5", **FORM).status == 200
    assert alice.state(created["id"]) == ("cancel", "Order cancelled by user")


# --- the reasons


USER = ("cancel", "Order cancelled by user")
SLIPPAGE = ("cancel", "Slippage greater than 30%. Order cancelled to prevent loss of funds")
SYSTEM = ("cancel", "Order cancellation was initiated by system")
FAILED = ("cancel", "Something went wrong, order was cancelled to prevent loss of funds")


def test_by_user_one_and_many(alice: Member) -> None:
    orders = [alice.places("buy", 0.01, price) for price in (1000, 1001, 1002)]
    alice.cancels(orders[1]).ok()
    assert [alice.state(order) for order in orders] == [("wait", None), USER, ("wait", None)]
    many = alice.ask("POST", "/sapi/v1/user/bulkcancel/", {"market": "btcusdc", "side": "buy"})
    assert many.raw == (
        b'{"status":"success","message":"Orders are successfully queued for cancellation","payload":{}}'
    )
    assert [alice.state(order) for order in orders] == [USER] * 3
    assert alice.balance("usdc") == ("1000000.0", "0.0")


def test_by_user_an_untriggered_stop_and_a_post_only_order(alice: Member) -> None:
    stop = alice.places("buy", 0.01, 1000, ord_type="stop_limit", stop_price=900_000)
    maker = alice.places("buy", 0.01, 1000, ord_type="limit_maker")
    assert alice.cancels(stop).ok()["payload"]["state"] == "pending"
    assert alice.cancels(maker).ok()["payload"]["state"] == "wait"
    assert alice.state(stop) == alice.state(maker) == USER


def test_slippage_of_a_market_order(alice: Member, bob: Member) -> None:
    """It stops before the first match more than 30 % away from the best price at placement."""
    for price in (1000, 1300, 1300.01):
        bob.places("sell", 0.01, price)
    order = alice.places("buy", 0.03, ord_type="market")
    assert alice.state(order) == SLIPPAGE
    shown = alice.sees(order)
    assert (shown["executed_volume"], shown["avg_price"], shown["price"]) == ("0.02", "1150.0", None)
    assert alice.balance("usdc") == ("999977.0", "0.0")


def test_slippage_of_a_triggered_stop_order(alice: Member, bob: Member, carol: Member) -> None:
    """The reference is of its placement: by the trigger the book has moved away."""
    ether: dict[str, Any] = {"market": "ethusdt"}
    for member in (alice, bob, carol):
        member.has(eth="1", usdt="100")
    bob.places("sell", 0.01, 500, **ether)
    carol.places("buy", 0.01, 500, **ether)
    best = bob.places("sell", 0.01, 1000, **ether)
    stop = alice.places("buy", 0.02, 2000, ord_type="stop_limit", stop_price=1000, **ether)
    near = alice.places("buy", 0.02, 1300, ord_type="stop_limit", stop_price=1000, **ether)
    bob.places("sell", 0.01, 1300.01, **ether)
    assert alice.state(stop) == ("pending", None)
    carol.places("buy", 0.01, 1000, **ether)
    assert bob.sees(best)["state"] == "done"
    assert (alice.state(stop), alice.state(near)) == (SLIPPAGE, ("wait", None))
    assert alice.sees(stop)["executed_volume"] == "0.0"


def test_system_post_only_that_would_cross(alice: Member, bob: Member) -> None:
    bob.places("sell", 0.01, 1000)
    assert alice.state(alice.places("buy", 0.01, 1000, ord_type="limit_maker")) == SYSTEM


def test_system_self_trade_prevention(alice: Member) -> None:
    resting = alice.places("sell", 0.01, 1000)
    assert alice.state(alice.places("buy", 0.01, 1000)) == SYSTEM
    assert alice.state(resting) == ("wait", None)


def test_system_what_is_left_of_a_market_order(alice: Member, bob: Member) -> None:
    bob.places("sell", 0.01, 1000)
    order = alice.places("buy", 0.03, ord_type="market")
    assert alice.state(order) == SYSTEM
    assert alice.sees(order)["executed_volume"] == "0.01"
    assert alice.state(alice.places("sell", 0.03, ord_type="market")) == SYSTEM


def test_system_an_operator(alice: Member) -> None:
    venue, order = alice.venue, alice.places("buy", 0.01, 1000)
    assert venue.ask("POST", "/sandbox/tanx/cancel", {"order_id": order}).ok()["clock"]["mode"] == "running"
    assert alice.state(order) == SYSTEM
    again = venue.ask("POST", "/sandbox/tanx/cancel", {"order_id": order})
    assert again.error == (400, "Order is already cancelled")
    assert venue.ask("POST", "/sandbox/tanx/cancel", {"order_id": 10**9}).error == (
        404,
        "1000000000: no order of this venue; GET /sandbox/orders lists them",
    )


def test_system_an_order_that_is_thirty_days_old(alice: Member) -> None:
    alice.venue.freezes()
    order = alice.places("buy", 0.01, 1000)
    stop = alice.places("buy", 0.01, 1000, ord_type="stop_limit", stop_price=900_000)
    alice.venue.advances(30 * 24 * 3600 - 1)
    assert (alice.state(order), alice.state(stop)) == (("wait", None), ("pending", None))
    alice.venue.advances(1)
    assert alice.state(order) == alice.state(stop) == SYSTEM
    assert alice.balance("usdc") == ("1000000.0", "0.0")


def test_something_went_wrong(alice: Member, bob: Member) -> None:
    venue, resting = alice.venue, bob.places("sell", 0.01, 1000)
    venue.faults(failMatches=1)
    waiting = alice.places("buy", 0.01, 900)
    assert venue.remaining_faults() == {"failMatches": 1}
    order = alice.places("buy", 0.01, 1000)
    assert alice.state(order) == FAILED
    assert (alice.state(waiting), bob.state(resting)) == (("wait", None), ("wait", None))
    assert venue.remaining_faults() == {}
    assert alice.sees(alice.places("buy", 0.01, 1000))["state"] == "done"


# --- creation


def test_the_same_nonce_and_signature_are_the_same_order(alice: Member, bob: Member) -> None:
    request = alice.signs(alice.draft("buy", 0.01, 1000))
    first = alice.ask("POST", "/sapi/v1/orders/create/", request)
    order = first.ok()["payload"]["id"]
    bob.places("sell", 0.01, 1000)
    assert alice.sees(order)["state"] == "done"
    assert alice.ask("POST", "/sapi/v1/orders/create", request).raw == first.raw
    other = alice.ask("POST", "/sapi/v1/orders/create/", request | {"signature": {"r": "0x1", "s": "0x1"}})
    assert problem(other) == (400, "Invalid nonce: it was used with another signature")
    assert problem(bob.ask("POST", "/sapi/v1/orders/create/", bob.signs(request))) == (400, "Invalid nonce")
    for nonce in (0, 2**63 - 1, 2**63, 10**30):
        assert problem(alice.ask("POST", "/sapi/v1/orders/create/", request | {"nonce": nonce}))[0] == 400
    assert [each["id"] for each in alice.get("/sapi/v1/orders?limit=50")] == [order]


def test_a_lost_answer_is_asked_for_again(alice: Member) -> None:
    request = alice.signs(alice.draft("buy", 0.01, 1000))
    alice.venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        alice.ask("POST", "/sapi/v1/orders/create/", request)
    order = alice.post("/sapi/v1/orders/create/", request)["id"]
    assert [each["id"] for each in alice.get("/sapi/v1/orders")] == [order]
    alice.venue.faults(loseAnswers=1)
    with pytest.raises(LostAnswer):
        alice.cancels(order)
    assert problem(alice.cancels(order)) == (400, "Order is already cancelled")


def test_only_a_registered_key_signs(alice: Member, bob: Member) -> None:
    draft = alice.draft("buy", 0.01, 1000)
    assert problem(alice.ask("POST", "/sapi/v1/orders/create/", bob.signs(draft))) == (
        400,
        "Signature verification failed",
    )
    for half in ("0x0", "0x" + "f" * 64, hex(2**251), hex(2**251 - 1), "0x1"):
        request = draft | {"signature": {"r": half, "s": half}}
        assert problem(alice.ask("POST", "/sapi/v1/orders/create/", request))[0] == 400
    other = draft | {"msg_hash": "0x1"}
    assert problem(alice.ask("POST", "/sapi/v1/orders/create/", alice.signs(other))) == (400, "msg_hash mismatch")
    assert alice.post("/sapi/v1/orders/create/", alice.signs(draft))["state"] == "pending"
    dave = Member(alice.venue)
    status, words = problem(dave.ask("POST", "/sapi/v1/orders/create/", dave.signs(dave.draft("buy", 1, 1))))
    assert status == 400
    assert "/sapi/v1/user/stark_key" in words


def test_a_nonce_lives_for_a_day(alice: Member) -> None:
    request = alice.signs(alice.draft("buy", 0.01, 1000))
    alice.venue.freezes()
    alice.venue.advances(24 * 3600)
    assert problem(alice.ask("POST", "/sapi/v1/orders/create/", request)) == (400, "Invalid nonce")


def test_what_is_not_there_cannot_be_spent(alice: Member) -> None:
    request = alice.signs(alice.draft("buy", 1000.0001, 1000))
    assert problem(alice.ask("POST", "/sapi/v1/orders/create/", request)) == (400, "Insufficient balance")
    alice.has(usdc="0.1")
    assert alice.post("/sapi/v1/orders/create/", request)["state"] == "pending"
    assert alice.balance("usdc") == ("0.0", "1000000.1")


# --- who may


def test_an_unauthenticated_client(alice: Member) -> None:
    asked = ("POST", "/sapi/v1/orders/cancel/", {"order_id": 1})
    none = alice.venue.ask(*asked)
    assert (none.status, none.raw) == (
        401,
        b'{"status":"error","message":"Authentication credentials were not provided.","payload":{}}',
    )
    alice.logs_in()
    for bare in (f"{alice.access}", "JWT"):
        answer = alice.ask(*asked, authorization=bare)
        assert answer.status == 401
        assert isinstance(answer.body["payload"], dict)
    for given in ("JWT x", f"JWT {alice.access}x", f"JWT {alice.refresh}"):
        assert alice.ask(*asked, authorization=given).body["payload"]["token_type"] == "access"


def test_each_dialect_s_tokens_are_its_own(alice: Member) -> None:
    alice.logs_in()
    trader = Trader(alice.venue).joins()
    answer = alice.venue.ask("GET", "/sapi/v1/user/balance", token=trader.token)
    assert (answer.status, answer.body["payload"]["code"]) == (401, "token_not_valid")
    assert alice.venue.ask("GET", "/trigger/v2/vault", token=alice.access).error == (401, "Unauthorized")


def test_a_token_that_is_no_good_is_renewed_as_the_python_client_does(alice: Member) -> None:
    alice.logs_in()
    alice.access = f"{alice.access}x"
    ended = alice.ask("GET", "/sapi/v1/user/balance")
    assert (ended.status, ended.body["payload"]["token_type"]) == (401, "access")
    form = f"refresh={alice.refresh}".encode()
    renewed = alice.venue.ask("POST", "/sapi/v1/auth/token/refresh/", form, headers=FORM).ok()["payload"]
    alice.access = renewed["access"]
    assert alice.ask("GET", "/sapi/v1/user/balance").status == 200


def test_when_all_tokens_end_a_member_logs_in_again(alice: Member) -> None:
    """A5: refresh tokens end as well."""
    alice.logs_in()
    alice.venue.faults(expireTokens=True)
    assert alice.ask("GET", "/sapi/v1/user/balance").status == 401
    form = f"refresh={alice.refresh}".encode()
    assert alice.venue.ask("POST", "/sapi/v1/auth/token/refresh/", form, headers=FORM).status == 401
    alice.logs_in()
    assert alice.ask("GET", "/sapi/v1/user/balance").status == 200


# --- reading


def test_own_trades_as_either_client_asks(alice: Member, bob: Member) -> None:
    order = alice.places("buy", 0.01, 1000)
    bob.places("sell", 0.004, 990)
    trades = alice.gets_with_body("/sapi/v1/trades/", {"limit": 10, "market": "btcusdc"})
    assert alice.get("/sapi/v1/trades?limit=10&market=btcusdc") == trades
    (trade,) = trades
    del trade["created_at"], trade["id"]
    assert trade == {
        "price": "1000.0",
        "amount": "0.004",
        "total": "4.0",
        "fee_currency": "btc",
        "fee": "0.0004",
        "fee_amount": "0.0000016",
        "market": "btcusdc",
        "taker_type": "sell",
        "side": "buy",
        "order_id": order,
    }
    assert bob.get("/sapi/v1/trades/")[0]["fee_amount"] == "0.0016"
    assert alice.get("/sapi/v1/trades/?market=ethusdc") == []


def test_lists_are_filtered_and_paged(alice: Member) -> None:
    orders = [alice.places("buy", 0.01, 1000 + number) for number in range(3)]
    orders.append(alice.has(eth="1").places("sell", 0.01, 9000, market="ethusdc"))
    alice.cancels(orders[0]).ok()

    def listed(query: str) -> list[int]:
        return [order["id"] for order in alice.get(f"/sapi/v1/orders?{query}")]

    assert listed("") == orders[::-1]
    assert listed("order_by=asc&limit=2") == orders[:2]
    assert listed("limit=3&page=2") == orders[:1]
    assert listed("state=wait&side=buy") == [orders[2], orders[1]]
    assert listed("state=cancel") == orders[:1]
    assert listed("base_unit=eth") == listed("market=ethusdc") == orders[3:]
    assert listed("quote_unit=usdt") == listed("ord_type=market") == listed("limit=0") == []
    assert listed("start_time=1&end_time=2") == []
    now = alice.venue.now() // 1000
    assert listed(f"start_time={now - 600}&end_time={now + 600}") == orders[::-1]


def test_the_markets_at_start_and_what_is_public(alice: Member, bob: Member) -> None:
    venue = alice.venue
    markets = venue.ask("POST", "/main/stat/v2/app-and-markets/").ok()["payload"]["markets"]
    shown = [(each["id"], each["price_precision"], each["amount_precision"], each["maker_fee"]) for each in markets]
    assert shown == [
        *((name, 2, 4, "0.0004") for name in MARKETS[:4]),
        ("usdcusdt", 4, 2, "0.0004"),
    ]
    resting = alice.has(usdt="10").places("buy", 2, 1.0001, market="usdcusdt")
    bob.places("sell", 0.5, 0.9, market="usdcusdt")
    book = venue.ask("GET", "/sapi/v1/market/orderbook?market=usdcusdt").ok()["payload"]
    assert [(order["id"], order["remaining_volume"]) for order in book["bids"]] == [(resting, "1.5")]
    (trade,) = venue.ask("GET", "/sapi/v1/market/trades/?market=usdcusdt&limit=1").ok()["payload"]
    assert (trade["price"], trade["amount"], trade["total"], trade["taker_type"]) == (1.0001, 0.5, 0.50005, "sell")
    ticker = venue.ask("GET", "/sapi/v1/market/tickers/?market=usdcusdt").ok()["payload"]["usdcusdt"]["ticker"]
    assert (ticker["last"], ticker["high"]) == ("1.0001", "1.0001")
    candles = venue.ask("GET", "/sapi/v1/market/kline/?market=usdcusdt&period=60&limit=2").ok()["payload"]
    assert candles[-1][1:5] == [1.0001] * 4
    assert venue.ask("POST", "/main/stat/v2/coins/").ok()["payload"]["usdc"]["symbol"] == "usdc"


def test_money_is_conserved(alice: Member, bob: Member) -> None:
    alice.places("buy", 0.03, 1000.01)
    bob.places("sell", 0.01, 999)
    audit = alice.venue.audit()
    assert audit["ok"] is True
    for there in audit["currencies"].values():
        column = {name: Decimal(amount) for name, amount in there.items()}
        assert list(column) == ["deposited", "available", "locked", "fees"]
        assert column["deposited"] == column["available"] + column["locked"] + column["fees"]
    usdc = audit["currencies"]["usdc"]
    assert Decimal(usdc["fees"]) >= Decimal("0.00400004")
    assert Decimal(usdc["locked"]) >= Decimal("20.0002")


# --- at the same time


def test_a_cancel_and_a_fill_at_the_same_time(alice: Member, bob: Member) -> None:
    """The one that comes first wins, and the cancel's answer says the truth: what it shows is all that ever traded."""
    bob.logs_in()
    outcomes: dict[str, int] = {}
    with ThreadPoolExecutor(2) as hands:
        for round_ in range(12):
            order = alice.places("buy", 0.02, 1000)
            sale = bob.signs(bob.draft("sell", 0.01 if round_ % 2 else 0.02, 1000))
            selling = hands.submit(bob.ask, "POST", "/sapi/v1/orders/create/", sale)
            answer = hands.submit(alice.cancels, order).result()
            selling.result().ok()
            after = alice.sees(order)
            outcomes[after["state"]] = outcomes.get(after["state"], 0) + 1
            shown = answer.body["payload"]
            assert answer.status == (200 if after["state"] == "cancel" else 400)
            assert (shown["executed_volume"], shown["trades_count"]) == (after["executed_volume"], len(after["trades"]))
            bob.post("/sapi/v1/user/bulkcancel/", {"market": "btcusdc"})
    assert alice.balance("usdc")[1] == "0.0"
    assert sum(outcomes.values()) == 12


def test_one_order_is_created_by_many_at_once(alice: Member) -> None:
    request = alice.signs(alice.draft("buy", 0.01, 1000))
    with ThreadPoolExecutor(8) as hands:
        answers = [hands.submit(alice.ask, "POST", "/sapi/v1/orders/create/", request) for _ in range(16)]
        assert len({answer.result().raw for answer in answers}) == 1
    assert len(alice.get("/sapi/v1/orders")) == 1


def test_one_cancel_of_many_at_once_succeeds(alice: Member) -> None:
    order = alice.places("buy", 0.01, 1000)
    with ThreadPoolExecutor(8) as hands:
        answers = [hands.submit(alice.cancels, order).result for _ in range(8)]
        statuses = sorted(answer().status for answer in answers)
    assert statuses == [200] + [400] * 7


# --- what makes no sense


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("orders/cancel/", b"{", "Malformed JSON in the request body"),
        ("orders/cancel/", b'{"order_id":1,"order_id":2}', "order_id: duplicate key"),
        ("orders/cancel/", b"[1]", "body: Expected an object."),
        ("orders/cancel/", b"\xff\xfe", "Malformed JSON in the request body"),
        ("orders/nonce/", b"", "please provide market, market is a mandatory field"),
        ("orders/nonce/", b'{"market":"btcusdc\\u0000"}', NUL),
        ("orders/create/", b"{}", "nonce: This field is required."),
        ("orders/create/", b'{"nonce":1.5}', "nonce: A valid integer is required."),
        ("orders/create/", b'{"nonce":1e400}', "nonce: Not valid."),
        ("user/bulkcancel/", b"{}", "please provide market, market is a mandatory field"),
        ("user/bulkcancel/", b'{"market":"btcusdc\\u0000"}', NUL),
        (
            "user/bulkcancel/",
            b'{"market":"btcusdc","limit":-1}',
            "limit: Ensure this value is greater than or equal to 1.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(alice: Member, path: str, body: bytes, words: str) -> None:
    assert problem(alice.ask("POST", f"/sapi/v1/{path}", body)) == (400, words)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (
            "credit",
            {"eth_address": "0x1", "currency": "usdc", "amount": "1"},
            "eth_address: '0x1' is no Ethereum address",
        ),
        ("credit", {"eth_address": "0x" + "1" * 40, "currency": "doge", "amount": "1"}, "currency: 'doge' is none of"),
        ("credit", {"eth_address": "0x" + "1" * 40, "currency": "usdc", "amount": "-1"}, "amount: '-1' must not be"),
        ("credit", {"eth_address": "0x" + "1" * 40, "currency": "usdc", "amount": "1e-17"}, "amount: '1e-17' has more"),
        ("credit", {"eth_address": "0x" + "1" * 40, "currency": "usdc", "amount": "9999999999999999"}, "amount: There"),
        ("credit", {"eth_address": "0x" + "1" * 40, "currency": "usdc", "amount": "0"}, "amount: must be more than"),
        ("credit", {}, "eth_address: missing; expected a text"),
        ("stark-key", {"eth_address": "0x" + "1" * 40, "stark_key": "0x0"}, "stark_key: send 0x"),
        ("stark-key", {"eth_address": "", "stark_key": "0x1"}, "eth_address: '' is no"),
        ("cancel", {"order_id": 0}, "order_id: 0 is not between 1 and 9223372036854775807"),
        ("cancel", {"order_id": "1"}, 'order_id: expected a whole number, got the text "1"'),
    ],
)
def test_what_makes_no_sense_to_the_sandbox(alice: Member, path: str, body: object, words: str) -> None:
    answer = alice.venue.ask("POST", f"/sandbox/tanx/{path}", body)
    assert answer.status == 400
    assert answer.body["error"].startswith(words), answer.body["error"]
