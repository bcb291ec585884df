"""How requests are read: JSON, forms, queries, and a GET with a body, as the clients of tanX send them."""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from falcon import testing
from falcon.asgi import Request

from countermand.answering import Declined
from countermand.dialects.tanx import wire
from countermand.dialects.tanx.reading import FORM, BodyReader, decimal_text

ORDER = BodyReader(wire.OrderNonceRequest)
CANCEL = BodyReader(wire.CancelRequest)
BULK = BodyReader(wire.BulkCancelRequest)
CREATE = BodyReader(wire.CreateRequest)
TRADES = BodyReader(wire.TradesParams)
ORDERS = BodyReader(wire.OrdersParams)


def message(declined: Declined) -> str:
    """Of a 400 in tanX's own shape."""
    body = json.loads(declined.answer.body)
    assert (declined.answer.status, body["status"], body["payload"]) == (400, "error", "")
    words: str = body["message"]
    return words


def refused(reader: BodyReader[Any], body: bytes, content_type: str | None = "application/json") -> str:
    with pytest.raises(Declined) as declined:
        reader.read(body, content_type)
    return message(declined.value)


def listed(reader: BodyReader[Any], query: str = "", body: bytes = b"", content_type: str = "application/json") -> Any:
    headers = {"content-type": content_type}
    scope = testing.create_scope(path="/", query_string=query, headers=headers)

    async def nothing() -> Any:
        raise AssertionError("the body is given")

    return reader.listing(Request(scope, nothing), body)


def an_order(**changes: Any) -> dict[str, Any]:
    return {"market": "btcusdt", "ord_type": "limit", "side": "buy", "volume": 0.0001, "price": 29580.51} | changes


@pytest.mark.parametrize(
    ("number", "text"),
    [("1e-05", "1e-05"), ("0.1", "0.1"), ('"0.30"', "0.30"), ("2000", "2000"), ("1E400", "1E400"), ("-1", "-1")],
)
def test_numbers_are_kept_as_they_were_written(number: str, text: str) -> None:
    body = json.dumps(an_order()).replace("0.0001", number).encode()
    assert decimal_text("volume", ORDER.read(body).volume) == text


@pytest.mark.parametrize("number", ["[1]", "{}", "true"])
def test_what_is_no_number_is_refused(number: str) -> None:
    body = json.dumps(an_order()).replace("0.0001", number).encode()
    with pytest.raises(Declined) as declined:
        decimal_text("volume", ORDER.read(body).volume)
    assert message(declined.value) == "volume: A valid number is required."


def test_a_price_that_is_null_is_none() -> None:
    asked = ORDER.read(json.dumps(an_order(price=None)).encode())
    assert (decimal_text("price", asked.price), decimal_text("stop_price", asked.stop_price)) == (None, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "please provide market, market is a mandatory field"),
        (b"{}", "please provide market, market is a mandatory field"),
        (b'{"market": null}', "please provide market, market is a mandatory field"),
        (b"[]", "body: Expected an object."),
        (b"3", "body: Expected an object."),
        (b"{", "Malformed JSON in the request body"),
        (b"\xff", "Malformed JSON in the request body"),
        (b'{"market": NaN}', "Malformed JSON in the request body"),
        (b'{"market": "\\ud800"}', "Malformed JSON in the request body"),
        (b'{"x":' + b"[" * 100_000, "Malformed JSON in the request body"),
        (b'{"market": "btcusdt", "market": "x"}', "market: duplicate key"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "?: duplicate key"),
        (b'{"market": "btcusdt"}', "ord_type: This field is required."),
        (
            b'{"market": "btcusdt", "ord_type": "stop"}',
            "ord_type: Not a valid choice; it is one of limit, market, stop_limit, limit_maker.",
        ),
        (
            b'{"market": "btcusdt", "ord_type": 3}',
            "ord_type: Not a valid choice; it is one of limit, market, stop_limit, limit_maker.",
        ),
    ],
)
def test_what_is_wrong_is_said_by_field(body: bytes, words: str) -> None:
    assert refused(ORDER, body) == words


def test_the_fields_of_a_signature_are_named_with_it() -> None:
    assert refused(CREATE, b'{"nonce":1,"msg_hash":"0x1"}') == "signature: This field is required."
    assert refused(CREATE, b'{"nonce":1,"msg_hash":"0x1","signature":"0x"}') == "signature: Expected an object."
    assert refused(CREATE, b'{"nonce":1,"msg_hash":"0x1","signature":{"r":1}}') == "signature.r: Not a valid string."
    assert refused(CREATE, b'{"nonce":"x","msg_hash":"0x1"}') == "nonce: A valid integer is required."


@pytest.mark.parametrize("body", [b'{"order_id": 3}', b'{"order_id" : 3, "more": "order_id"}'])
def test_an_order_s_number_is_kept_as_it_was_written(body: bytes) -> None:
    assert bytes(CANCEL.read(body).order_id) == b"3"


def test_a_form_says_digits_or_text() -> None:
    assert bytes(CANCEL.read(b"order_id=3", FORM).order_id) == b"3"
    assert bytes(CANCEL.read(b"order_id=3.0", f"{FORM}; charset=utf-8").order_id) == b'"3.0"'
    assert refused(CANCEL, b"order_id=", FORM) == "order_id: A valid integer is required."
    assert refused(CANCEL, b"order_id=3&order_id=4", FORM) == "order_id: duplicate key"
    assert refused(CANCEL, b"order_id=%ff", FORM) == "Malformed form in the request body"
    assert refused(CANCEL, b"a=1" + b"&a=1" * 100, FORM) == "Malformed form in the request body"
    form = urlencode(an_order(market="123", price="1e3")).encode()
    asked = ORDER.read(form, FORM)
    assert (asked.market, decimal_text("volume", asked.volume), decimal_text("price", asked.price)) == (
        *("123", "0.0001"),
        "1e3",
    )
    assert BULK.read(b"market=btcusdt&limit=5", FORM) == wire.BulkCancelRequest(market="btcusdt", limit=5)


def test_json_that_is_called_a_form_is_json() -> None:
    assert bytes(CANCEL.read(b' {"order_id": 3}', FORM).order_id) == b"3"


def test_whole_numbers_may_come_as_digits() -> None:
    assert BULK.read(b'{"market":"btcusdt","limit":"5"}').limit == 5
    assert refused(BULK, b'{"market":"btcusdt","limit":"five"}') == "limit: A valid integer is required."
    assert refused(BULK, b'{"market":"btcusdt","limit":0}') == "limit: Ensure this value is greater than or equal to 1."
    assert refused(BULK, b'{"market":"btcusdt","limit":1001}') == (
        "limit: Ensure this value is less than or equal to 1000."
    )
    assert refused(BULK, b'{"market":"btcusdt","limit":' + b"9" * 5000 + b"}") == "limit: Not valid."


@pytest.mark.parametrize("number", ["10.0", "1e1", "100E-1", "1.0e+1"])
def test_a_whole_number_is_that_number_however_it_is_written(number: str) -> None:
    """D4, in JSON, in a query, in a form. Only the id of an order must be written as an integer."""
    wanted = wire.TradesParams(limit=10)
    assert listed(TRADES, urlencode({"limit": number})) == wanted
    assert listed(TRADES, body=f'{{"limit": {number}}}'.encode()) == wanted
    assert listed(TRADES, body=f'{{"params": {{"limit": {number}}}}}'.encode()) == wanted
    assert listed(TRADES, body=urlencode({"limit": number}).encode(), content_type=FORM) == wanted
    assert BULK.read(f'{{"market":"btcusdt","limit":{number}}}'.encode()).limit == 10
    assert bytes(CANCEL.read(f'{{"order_id":{number}}}'.encode()).order_id) == number.encode()
    asked = ORDER.read(f'{{"market":"x","ord_type":"limit","side":"buy","volume":{number}}}'.encode())
    assert decimal_text("volume", asked.volume) == "10"


def test_a_large_whole_number_is_not_rounded_by_a_float() -> None:
    wanted = 9_007_199_254_740_993
    create = BodyReader(wire.CreateRequest)
    read = create.read(b'{"nonce":9007199254740993.0,"msg_hash":"0x1","signature":{"r":"0x1","s":"0x1"}}')
    assert read.nonce == wanted
    assert refused(create, b'{"nonce":1e9999999,"msg_hash":"0x1","signature":{"r":"0x1","s":"0x1"}}') == (
        "nonce: Not valid."
    )


def test_a_list_is_asked_by_query_by_body_or_by_params_in_the_body() -> None:
    wanted = wire.TradesParams(limit=10, market="ethusdc")
    assert listed(TRADES, "limit=10&market=ethusdc&unknown=1&btcusdc=btcusdc") == wanted
    assert listed(TRADES, body=b'{"limit": 10, "market": "ethusdc", "unknown": [1]}') == wanted
    assert listed(TRADES, body=b'{"params": {"limit": 10, "market": "ethusdc"}}') == wanted
    assert listed(TRADES, body=b"limit=10&market=ethusdc", content_type=FORM) == wanted
    assert listed(TRADES, "limit=10", b'{"limit": 5, "params": {"market": "ethusdc", "limit": 1}}') == wanted
    assert listed(TRADES, body=b'{"limit": 10, "params": {"market": "ethusdc", "limit": 1}}') == wanted
    assert listed(TRADES, "limit=&market=", b'{"params": null}') == wire.TradesParams()
    assert listed(TRADES, "limit=10&market=ethusdc", b"{}") == wanted


@pytest.mark.parametrize(
    ("query", "body", "words"),
    [
        ("limit=ten", b"", "limit: A valid integer is required."),
        ("limit=1&limit=2", b"", "limit: duplicate key"),
        ("state=reject", b"", "state: Not a valid choice; it is one of pending, wait, done, cancel."),
        ("start_time=-1", b"", "start_time: Ensure this value is greater than or equal to 0."),
        ("page=0", b"", "page: Ensure this value is greater than or equal to 1."),
        ("", b'{"page": 2147483648}', "page: Ensure this value is less than or equal to 2147483647."),
        ("", b"[]", "body: Expected an object."),
        ("", b'{"params": 3}', "params: Expected an object."),
        ("", b'{"params": {"page": 1, "page": 2}}', "page: duplicate key"),
        ("", b"{", "Malformed JSON in the request body"),
        ("", b'{"market": 1}', "market: Not a valid string."),
    ],
)
def test_what_is_wrong_with_a_list_is_said_by_field(query: str, body: bytes, words: str) -> None:
    with pytest.raises(Declined) as declined:
        listed(ORDERS, query, body)
    assert message(declined.value) == words


def test_every_request_has_a_schema() -> None:
    shapes = [shape for shape in vars(wire).values() if isinstance(shape, type) and issubclass(shape, wire.Shape)]
    _, schemas = msgspec.json.schema_components(shapes)
    assert schemas["CancelRequest"]["properties"]["order_id"]["type"] == "integer"
