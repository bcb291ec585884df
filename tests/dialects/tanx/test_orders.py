"""An order from its nonce to its cancel, over HTTP, byte for byte where the documentation says how."""

import re
from typing import Any

import pytest

from countermand.curves import stark
from countermand.dialects.tanx.reading import FORM
from tests.dialects.tanx.order_api import ALICE, BOB, DAY_MS, OrderApi, an_order, signed


@pytest.fixture
def api() -> OrderApi:
    """Both have 10 ether, a bitcoin, and a thousand times as many dollars."""
    api = OrderApi()
    for who in (ALICE, BOB):
        api.gives(who, eth=10, btc=1, usdc=10_000, usdt=10_000)
    return api


def test_the_nonce_s_answer(api: OrderApi) -> None:
    got = api.post("/sapi/v1/orders/nonce", an_order())
    message = "order nonce created successfully, please sign the msg_hash to place the order"
    assert re.fullmatch(
        rf'{{"status":"success","message":"{message}","payload":{{"nonce":931,"msg_hash":"0x[1-9a-f][0-9a-f]*"}}}}',
        got.raw,
    )
    assert 0 < int(got.ok()["msg_hash"], 16) < 2**251


def test_the_same_order_has_another_hash_for_another_nonce_price_volume_side_or_user(api: OrderApi) -> None:
    drafts = [api.drafts(), api.drafts(), api.drafts(price=2000.01), api.drafts(volume=0.5001)]
    drafts += [api.drafts(side="sell"), api.drafts(BOB), api.drafts(market="ethusdt")]
    assert len({draft["msg_hash"] for draft in drafts}) == len(drafts)


def test_a_created_order_is_answered_as_pending_and_rests_at_once(api: OrderApi) -> None:
    draft = signed(api.drafts())
    got = api.post("/sapi/v1/orders/create", draft)
    uuid = got.ok()["uuid"]
    assert got.raw == (
        '{"status":"success","message":"Created Order Successfully","payload":'
        f'{{"id":1,"uuid":"{uuid}","side":"buy","ord_type":"limit","price":"2000.0","stop_price":null,'
        '"avg_price":"0.0","state":"pending","market":"ethusdc","created_at":"2024-05-31T07:02:00+00:00",'
        '"updated_at":"2024-05-31T07:02:00+00:00","origin_volume":"0.5","remaining_volume":"0.5",'
        '"executed_volume":"0.0","maker_fee":"0.0004","taker_fee":"0.0004","trades_count":0,"cancel_reason":null}}'
    )
    assert api.sees(1)["state"] == "wait"
    assert api.balance("usdc") == ("9000.0", "1000.0")


NO_IDS = "Not supported yet. An order is found by the id and the uuid that its creation answers."
GTC_ONLY = "Only GTC is supported yet. A limit order is GTC without being asked."
IOC_ONLY = "Only IOC is supported yet. A market order is IOC without being asked."
NO_POST_ONLY = "Not supported. Ask for ord_type limit_maker."
MARKET = {"ord_type": "market", "price": None}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"time_in_force": "IOC"}, f"time_in_force: {GTC_ONLY}"),
        ({"time_in_force": "FOK"}, f"time_in_force: {GTC_ONLY}"),
        ({"timeInForce": "ioc"}, f"timeInForce: {GTC_ONLY}"),
        ({"tif": 1e300}, f"tif: {GTC_ONLY}"),
        ({"time_in_force": ["GTC"]}, f"time_in_force: {GTC_ONLY}"),
        (MARKET | {"time_in_force": "GTC"}, f"time_in_force: {IOC_ONLY}"),
        (MARKET | {"time_in_force": "FOK"}, f"time_in_force: {IOC_ONLY}"),
        ({"client_order_id": "mine"}, f"client_order_id: {NO_IDS}"),
        ({"clientOrderId": 7}, f"clientOrderId: {NO_IDS}"),
        ({"client_oid": 0}, f"client_oid: {NO_IDS}"),
        ({"newClientOrderId": "mine"}, f"newClientOrderId: {NO_IDS}"),
        ({"post_only": True}, f"post_only: {NO_POST_ONLY}"),
        ({"postOnly": "true"}, f"postOnly: {NO_POST_ONLY}"),
    ],
)
def test_what_an_order_does_not_do_is_refused_and_not_ignored(
    api: OrderApi, fields: dict[str, Any], words: str
) -> None:
    """D9, at the nonce, and at the creation."""
    terms = {name: value for name, value in fields.items() if name in ("ord_type", "price")}
    asked = {name: value for name, value in fields.items() if name not in terms}
    refused = (400, {"status": "error", "message": words, "payload": ""})
    got = api.post("/sapi/v1/orders/nonce", an_order(**fields))
    assert (got.status, got.body) == refused
    draft = signed(api.drafts(**terms))
    got = api.post("/sapi/v1/orders/create", draft | asked)
    assert (got.status, got.body) == refused
    assert not api.venue.exchange.orders
    assert api.post("/sapi/v1/orders/create", draft).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"time_in_force": "GTC", "timeInForce": "gtc", "tif": None},
        {"time_in_force": "", "client_order_id": None, "clientOrderId": ""},
        {"post_only": False, "postOnly": None},
        MARKET | {"time_in_force": "IOC"},
        {"ord_type": "limit_maker", "post_only": True, "time_in_force": "GTC"},
        {"time_in_hand": "IOC", "colour": [1e300]},
    ],
)
def test_what_an_order_does_anyhow_may_be_asked_for(api: OrderApi, fields: dict[str, Any]) -> None:
    terms = {name: value for name, value in fields.items() if name in ("ord_type", "price")}
    api.post("/sapi/v1/orders/nonce", an_order(**fields)).ok()
    api.post("/sapi/v1/orders/create", signed(api.drafts(**terms)) | fields).ok()


def test_an_unknown_nonce_is_told_before_what_is_not_supported(api: OrderApi) -> None:
    got = api.post("/sapi/v1/orders/create", signed(api.drafts()) | {"nonce": 7, "time_in_force": "IOC"})
    assert (got.status, got.body["message"]) == (400, "Invalid nonce")


def test_hostile_values_under_those_names_are_refused(api: OrderApi) -> None:
    for raw in (b"1e9999999", b'"\xff"', b'"\\ud800"', b"[" * 40 + b"]" * 40):
        body = (
            b'{"market":"ethusdc","ord_type":"limit","side":"buy","price":1,"volume":1,"client_order_id":' + raw + b"}"
        )
        assert api.post("/sapi/v1/orders/nonce", body).status == 400


def test_a_form_is_judged_like_json(api: OrderApi) -> None:
    form = b"market=ethusdc&ord_type=limit&side=buy&price=2000&volume=0.5&time_in_force=IOC"
    got = api.ask("POST", "/sapi/v1/orders/nonce", body=form, headers={"content-type": FORM})
    assert (got.status, got.body["message"]) == (400, f"time_in_force: {GTC_ONLY}")


def test_a_repeated_creation_is_the_same_order_and_the_same_answer_for_ever(api: OrderApi) -> None:
    request = signed(api.drafts())
    first = api.post("/sapi/v1/orders/create", request)
    assert api.post("/sapi/v1/orders/create", request) == first
    api.creates(BOB, side="sell")
    assert api.sees(1)["state"] == "done"
    api.advances(2 * DAY_MS)
    assert api.post("/sapi/v1/orders/create", request) == first
    padded = request | {"msg_hash": "0x" + request["msg_hash"][2:].rjust(64, "0").upper()}
    assert api.post("/sapi/v1/orders/create", padded) == first
    assert len(api.venue.exchange.orders) == 2
    assert len(api.verified) == 2


def test_a_repeated_creation_of_a_cancelled_order_is_that_order(api: OrderApi) -> None:
    request = signed(api.drafts())
    first = api.post("/sapi/v1/orders/create", request)
    api.post("/sapi/v1/orders/cancel", {"order_id": 1}).ok()
    assert api.post("/sapi/v1/orders/create", request) == first
    assert api.sees(1)["state"] == "cancel"


def test_a_nonce_is_one_order_s_and_one_user_s(api: OrderApi) -> None:
    request = signed(api.drafts())
    api.post("/sapi/v1/orders/create", request).ok()
    r, s = (int(request["signature"][half], 16) for half in "rs")
    for signature in ((1, s), (r, stark.CURVE.order - s)):  # The second one is as good as the first.
        other = request | {"signature": dict(zip("rs", map(hex, signature), strict=True))}
        got = api.post("/sapi/v1/orders/create", other)
        assert got.problem == (400, "Invalid nonce: it was used with another signature")
    assert api.post("/sapi/v1/orders/create", signed(request, BOB), BOB).problem == (400, "Invalid nonce")
    for nonce in (0, -1, 2**63, 10**30, 12345):
        got = api.post("/sapi/v1/orders/create", request | {"nonce": nonce})
        assert got.problem == (400, "Invalid nonce")
    assert len(api.venue.exchange.orders) == 1


def test_a_nonce_ends_when_its_day_is_over(api: OrderApi) -> None:
    request = signed(api.drafts())
    api.advances(DAY_MS)
    assert api.post("/sapi/v1/orders/create", request).problem == (400, "Invalid nonce")


def test_only_the_owner_s_signature_of_this_hash_places_an_order(api: OrderApi) -> None:
    draft = api.drafts()
    wrong = (
        (signed(draft, BOB), "Signature verification failed"),
        (signed(draft | {"msg_hash": "0x5f1"}), "msg_hash mismatch"),
        (signed(draft) | {"msg_hash": "5f1"}, "msg_hash: 0x and up to 64 hexadecimal digits are required."),
        (signed(draft) | {"msg_hash": "0x" + "f" * 65}, "msg_hash: 0x and up to 64 hexadecimal digits are required."),
        (draft | {"signature": {"r": "0x0", "s": "0x0"}}, "Signature verification failed"),
        (draft | {"signature": {"r": f"{2**255:#x}", "s": f"{2**251:#x}"}}, "Signature verification failed"),
        (
            draft | {"signature": {"r": "-0x1", "s": "0x0"}},
            "signature.r: 0x and up to 64 hexadecimal digits are required.",
        ),
    )
    for request, words in wrong:
        assert api.post("/sapi/v1/orders/create", request).problem == (400, words)
    assert not api.venue.exchange.orders
    assert api.post("/sapi/v1/orders/create", signed(draft)).status == 200


def test_who_has_no_stark_key_is_told_how_to_register_one(api: OrderApi) -> None:
    del api.keys[ALICE]
    status, words = api.post("/sapi/v1/orders/create", signed(api.drafts())).problem
    assert status == 400
    assert "POST /sapi/v1/user/stark_key" in words


def test_what_is_not_there_cannot_be_spent(api: OrderApi) -> None:
    request = signed(api.drafts(volume=5.0001))
    assert api.post("/sapi/v1/orders/create", request).problem == (400, "Insufficient balance")
    assert api.balance("usdc") == ("10000.0", "0.0")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"market": "x"}, "please enter a valid market"),
        ({"market": None}, "please provide market, market is a mandatory field"),
        ({"volume": 0.00001}, "Maximum decimals allowed for volume is 4 in ethusdc market"),
        ({"volume": "1e-05"}, "Maximum decimals allowed for volume is 4 in ethusdc market"),
        ({"price": 2000.001}, "Maximum decimals allowed for price is 2 in ethusdc market"),
        (
            {"ord_type": "stop_limit", "stop_price": 0.001},
            "Maximum decimals allowed for stop_price is 2 in ethusdc market",
        ),
        ({"volume": 0}, "Minimum volume allowed is 0.0001 in ethusdc market"),
        ({"volume": -1}, "volume: Ensure this value is greater than 0."),
        ({"volume": 1000000.1}, "Maximum volume allowed is 1000000.0 in ethusdc market"),
        ({"volume": 10**400}, "volume: A valid number is required."),
        ({"volume": "1e400"}, "Maximum volume allowed is 1000000.0 in ethusdc market"),
        ({"volume": "NaN"}, "volume: A valid number is required."),
        ({"volume": " 1"}, "volume: A valid number is required."),
        ({"volume": ""}, "volume: A valid number is required."),
        ({"volume": True}, "volume: A valid number is required."),
        ({"volume": None}, "volume: A valid number is required."),
        ({"price": 0}, "price: Ensure this value is greater than 0."),
        ({"price": None}, "price: This field is required."),
        ({"price": 10_000_000.01}, "Maximum price allowed is 10000000.0 in ethusdc market"),
        ({"price": 10**40}, "Maximum price allowed is 10000000.0 in ethusdc market"),
        ({"ord_type": "stop_limit"}, "stop_price: This field is required."),
        ({"ord_type": "limit_maker", "price": None}, "price: This field is required."),
        ({"stop_price": 1990}, "stop_price: Only a stop_limit order has one."),
        ({"side": "bid"}, "side: Not a valid choice; it is one of buy, sell."),
    ],
)
def test_an_order_that_is_wrong_by_itself_gets_no_nonce(api: OrderApi, fields: dict[str, Any], words: str) -> None:
    assert api.post("/sapi/v1/orders/nonce", an_order(**fields)).problem == (400, words)
    assert not api.venue.drafts


@pytest.mark.parametrize(
    "fields",
    [
        {"price": "2000.00", "volume": "0.5"},
        {"ord_type": "market", "price": None},
        {"ord_type": "market", "price": 2000},
        {"ord_type": "market", "price": 10**29},
        {"ord_type": "market", "side": "sell", "price": 10**29},
        {"ord_type": "stop_limit", "stop_price": "2100.10"},
        {"ord_type": "limit_maker"},
        {"price": None, "ord_type": "market", "side": "sell", "volume": 1e-4},
        {"price": 10_000_000, "volume": 1_000_000, "organization_key": "x", "api_key": 3},
    ],
)
def test_every_kind_of_order_can_be_signed(api: OrderApi, fields: dict[str, Any]) -> None:
    assert api.post("/sapi/v1/orders/nonce", an_order(**fields)).status == 200


def test_forms_are_orders_too(api: OrderApi) -> None:
    form = b"market=ethusdc&ord_type=limit&side=buy&volume=0.5&price=2000"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    draft = api.ask("POST", "/sapi/v1/orders/nonce", body=form, headers=headers).ok()
    created = api.post("/sapi/v1/orders/create", signed(draft)).ok()
    assert (created["price"], created["origin_volume"]) == ("2000.0", "0.5")
    cancelled = api.ask("POST", "/sapi/v1/orders/cancel", body=b"order_id=1", headers=headers).ok()
    assert cancelled["state"] == "wait"
    for digits in (b"3.0", b"%201", b"-1", b"0", b"+1", b"", b"01", b"\xd9\xa1"):
        got = api.ask("POST", "/sapi/v1/orders/cancel", body=b"order_id=" + digits, headers=headers)
        assert got.status == 400, digits


# --- the cancel


def test_the_cancel_s_answer_is_the_seed_s(api: OrderApi) -> None:
    """The order as it stood, partly executed; from the next read on it is cancelled, and its money is free."""
    for volume in (0.05, 0.04):
        api.creates(BOB, side="sell", volume=volume, price=1990)
    created = api.creates(volume=0.425)
    api.advances(3_000)
    got = api.post("/sapi/v1/orders/cancel", {"order_id": created["id"]})
    assert got.raw == (
        '{"status":"success","message":"Order is successfully queued for cancellation","payload":'
        f'{{"id":3,"uuid":"{created["uuid"]}","side":"buy","ord_type":"limit","price":"2000.0","stop_price":null,'
        '"avg_price":"1990.0","state":"wait","market":"ethusdc","created_at":"2024-05-31T07:02:00+00:00",'
        '"updated_at":"2024-05-31T07:02:00+00:00","origin_volume":"0.425","remaining_volume":"0.335",'
        '"executed_volume":"0.09","maker_fee":"0.0004","taker_fee":"0.0004","trades_count":2,"cancel_reason":null}}'
    )
    after = api.sees(3)
    assert (after["state"], after["cancel_reason"]) == ("cancel", "Order cancelled by user")
    assert (after["updated_at"], after["remaining_volume"]) == ("2024-05-31T07:02:03+00:00", "0.335")
    assert api.balance("usdc") == ("9820.9", "0.0")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b'{"order_id":null}', b'{"order_id":"3"}', b'{"order_id":3.0}', b'{"order_id":true}'),
        *(b'{"order_id":0}', b'{"order_id":-3}', b'{"order_id":-9999999999999999999999}', b'{"order_id":1e0}'),
        *(b'{"order_id":[3]}', b'{"order_id":{}}'),
    ],
)
def test_an_order_id_is_a_positive_whole_number_of_json(api: OrderApi, body: bytes) -> None:
    api.creates()
    got = api.post("/sapi/v1/orders/cancel", body)
    assert got.raw == '{"status":"error","message":"order_id: A valid integer is required.","payload":""}'
    assert got.status == 400
    assert api.sees(1)["state"] == "wait"


def test_an_order_that_is_unknown_or_another_s_is_not_found(api: OrderApi) -> None:
    api.creates(BOB)
    for order_id in (1, 2, 2**63 - 1, 2**63, 10**30, 10**4000):
        got = api.post("/sapi/v1/orders/cancel", b'{"order_id": %s}' % str(order_id).encode())
        assert got.raw == '{"status":"error","message":"Order not found","payload":{}}', order_id
        assert got.status == 404
    assert api.sees(1, BOB)["state"] == "wait"


def test_an_order_that_has_ended_says_how(api: OrderApi) -> None:
    api.creates()
    api.post("/sapi/v1/orders/cancel", {"order_id": 1}).ok()
    api.creates()
    api.creates(BOB, side="sell")
    cancelled = api.post("/sapi/v1/orders/cancel", {"order_id": 1})
    assert cancelled.problem == (400, "Order is already cancelled")
    done = api.post("/sapi/v1/orders/cancel", {"order_id": 2})
    assert done.problem == (400, "Order is already executed")
    for got in (cancelled, done):
        seen = api.sees(got.body["payload"]["id"])
        del seen["trades"]
        assert got.body["payload"] == seen
        assert len(seen) == 18


@pytest.mark.parametrize("fields", [{"ord_type": "limit_maker"}, {"ord_type": "stop_limit", "stop_price": 2100}])
def test_orders_of_every_kind_that_waits_can_be_cancelled(api: OrderApi, fields: dict[str, Any]) -> None:
    api.creates(**fields)
    before = api.post("/sapi/v1/orders/cancel", {"order_id": 1}).ok()
    assert before["state"] == ("pending" if "stop_price" in fields else "wait")
    assert api.sees(1)["cancel_reason"] == "Order cancelled by user"
    assert api.balance("usdc") == ("10000.0", "0.0")


def test_a_bulk_cancel_takes_the_oldest_of_a_market_and_a_side(api: OrderApi) -> None:
    for side, price in (("buy", 1000), ("sell", 3000), ("buy", 1001), ("buy", 1002)):
        api.creates(side=side, price=price, volume=0.01)
    api.creates(market="ethusdt", price=1000, volume=0.01)
    api.creates(BOB, price=1000, volume=0.01)

    def waiting() -> list[int]:
        return [order["id"] for order in api.get("/sapi/v1/orders", state="wait", order_by="asc").ok()]

    got = api.post("/sapi/v1/user/bulkcancel", {"market": "ethusdc", "limit": "1", "side": "buy"})
    assert got.raw == '{"status":"success","message":"Orders are successfully queued for cancellation","payload":{}}'
    assert waiting() == [2, 3, 4, 5]
    api.post("/sapi/v1/user/bulkcancel", {"market": "ethusdc", "side": "sell"}).ok()
    assert waiting() == [3, 4, 5]
    api.post("/sapi/v1/user/bulkcancel", {"market": "ethusdc"}).ok()
    assert waiting() == [5]
    api.post("/sapi/v1/user/bulkcancel", {"market": "ethusdc"}).ok()
    assert [api.sees(1)["cancel_reason"], api.sees(6, BOB)["state"]] == ["Order cancelled by user", "wait"]
    assert api.post("/sapi/v1/user/bulkcancel", {}).problem == (
        400,
        "please provide market, market is a mandatory field",
    )
    assert api.post("/sapi/v1/user/bulkcancel", {"market": "x"}).problem == (400, "please enter a valid market")


# --- reading


def test_an_order_is_found_by_its_number_and_by_its_uuid_with_its_trades(api: OrderApi) -> None:
    api.creates(BOB, side="sell", price=1990)
    created = api.creates(ord_type="market", volume=0.25, price=None)
    by_number, by_uuid = (api.get(f"/sapi/v1/orders/{name}") for name in (2, created["uuid"].upper()))
    assert by_number == by_uuid
    assert by_number.body["message"] == "Order Retrieved Successfully"
    order = by_number.ok()
    assert (order["state"], order["price"], order["avg_price"]) == ("done", None, "1990.0")
    assert order["trades"] == [
        {
            "id": 1,
            "price": "1990.0",
            "amount": "0.25",
            "total": "497.5",
            "fee_currency": "eth",
            "fee": "0.0004",
            "fee_amount": "0.0001",
            "market": "ethusdc",
            "created_at": "2024-05-31T07:02:00+00:00",
            "taker_type": "buy",
            "side": "buy",
            "order_id": 2,
        }
    ]
    for name in ("1", "3", "0", "x", "1.0", str(2**63), "9" * 400, created["uuid"][:-1], api.sees(1, BOB)["uuid"]):
        assert api.get(f"/sapi/v1/orders/{name}").problem == (404, "Order not found")


def test_orders_are_listed_the_newest_first_by_page(api: OrderApi) -> None:
    for price in (1000, 1001, 1002):
        api.creates(price=price, volume=0.01)
    assert [order["id"] for order in api.get("/sapi/v1/orders").ok()] == [3, 2, 1]
    assert [order["id"] for order in api.get("/sapi/v1/orders", limit=2, page=2).ok()] == [1]
    assert api.get("/sapi/v1/orders", limit=0).ok() == []
    assert len(api.get("/sapi/v1/orders").ok()[0]) == 18
    assert api.get("/sapi/v1/orders", page=2**31 - 1, limit=1000).ok() == []


def test_every_filter_of_a_list_reaches_the_venue(api: OrderApi) -> None:
    api.get(
        "/sapi/v1/orders",
        market="ethusdc",
        ord_type="stop_limit",
        state="pending",
        base_unit="eth",
        quote_unit="usdc",
        start_time=1717138920,
        end_time=1717138920_001,
        side="sell",
        order_by="asc",
        limit=7,
        page=3,
    ).ok()
    asked = api.venue.asked
    assert (asked.account, asked.market, asked.base, asked.quote) == (ALICE, "ethusdc", "eth", "usdc")
    assert asked.kind is not None
    assert asked.state is not None
    assert asked.side is not None
    assert (asked.kind.value, asked.state.name, asked.side.value) == ("stop_limit", "PENDING", "sell")
    assert (asked.since, asked.until, asked.ascending) == (1717138920_000, 1717138920_001, True)
    assert (asked.limit, asked.offset) == (7, 14)
    for field, words in (("market", "market"), ("base_unit", "currency"), ("quote_unit", "currency")):
        got = api.ask("GET", "/sapi/v1/orders", params={field: "x"})
        assert got.problem == (400, f"please enter a valid {words}")


@pytest.mark.parametrize(("said", "since"), [(10**11 - 1, 10**14 - 1000), (10**11, 10**11), (10**11 + 1, 10**11 + 1)])
def test_a_time_is_in_seconds_and_from_a_hundred_billion_on_in_milliseconds(
    api: OrderApi, said: int, since: int
) -> None:
    api.get("/sapi/v1/orders", start_time=said).ok()
    assert api.venue.asked.since == since


def test_own_trades_are_asked_by_query_or_by_a_body(api: OrderApi) -> None:
    api.creates(BOB, side="sell", price=1990)
    api.creates(volume=0.25)
    api.creates(volume=0.1)
    by_query = api.get("/sapi/v1/trades", limit=1, market="ethusdc")
    by_body = api.ask("GET", "/sapi/v1/trades", json={"limit": 1, "market": "ethusdc"})
    by_params = api.ask("GET", "/sapi/v1/trades", json={"params": {"limit": 1, "market": "ethusdc"}})
    assert by_query == by_body == by_params
    assert by_query.body["message"] == "Trades Retrieved Successfully"
    (trade,) = by_query.ok()
    assert (trade["id"], trade["order_id"], trade["side"]) == (2, 3, "buy")
    assert [trade["side"] for trade in api.get("/sapi/v1/trades", BOB).ok()] == ["sell", "sell"]
    api.get("/sapi/v1/trades", start_time=1, end_time=2, order_by="asc", limit=5, page=2).ok()
    asked = api.venue.asked_trades
    assert (asked.since, asked.until, asked.ascending, asked.limit, asked.offset) == (1000, 2000, True, 5, 5)


def test_a_balance_is_an_object_and_balances_are_a_list(api: OrderApi) -> None:
    api.creates()
    one = api.get("/sapi/v1/user/balance", currency="usdc")
    assert one.raw == (
        '{"status":"success","message":"Retrieved Successfully","payload":'
        '{"currency":"usdc","balance":"9000.0","locked":"1000.0","deposit_address":null}}'
    )
    rows = api.get("/sapi/v1/user/balance").ok()
    assert {"currency": "usdc", "balance": "9000.0", "locked": "1000.0"} in rows
    assert sorted(row["currency"] for row in rows) == ["btc", "eth", "usdc", "usdt"]
    assert api.get("/sapi/v1/user/balance", currency="x").problem == (400, "please enter a valid currency")


# --- who may


PRIVATE = (
    ("POST", "/sapi/v1/orders/nonce"),
    ("POST", "/sapi/v1/orders/create"),
    ("POST", "/sapi/v1/orders/cancel"),
    ("POST", "/sapi/v1/user/bulkcancel"),
    ("GET", "/sapi/v1/orders/1"),
    ("GET", "/sapi/v1/orders"),
    ("GET", "/sapi/v1/trades"),
    ("GET", "/sapi/v1/user/balance"),
)


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_an_unauthenticated_client_learns_nothing(api: OrderApi, method: str, path: str) -> None:
    """Before anything else of the request is looked at."""
    api.creates()
    stranger = api.ask(method, path, None, body=b"{")
    assert stranger.problem == (401, "Authentication credentials were not provided.")
    assert stranger.body["payload"] == {}
    expired = api.ask(method, path, body=b"{", headers={"authorization": "JWT x"})
    assert expired.raw == (
        '{"status":"error","message":"Given token not valid for any token type","payload":'
        '{"token_class":"AccessToken","token_type":"access","message":"Token is invalid or expired",'
        '"code":"token_not_valid"}}'
    )
    assert expired.status == 401
