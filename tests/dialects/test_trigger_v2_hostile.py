"""Bodies that no client sends by accident. The answer is 400, it names the field, and it comes quickly."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dialects.fakes import FakeVenue, User

NOWHERE = "019f053d-3f0c-70ad-bb5e-76d633291f80"
BODIES = [
    ("POST", "/trigger/v2/auth/challenge"),
    ("POST", "/trigger/v2/auth/verify"),
    ("POST", "/trigger/v2/deposit/craft"),
    ("POST", "/trigger/v2/orders/price"),
    ("PATCH", f"/trigger/v2/orders/price/{NOWHERE}"),
    ("POST", f"/trigger/v2/orders/price/confirm-cancel/{NOWHERE}"),
]


@pytest.fixture(scope="module")
def alice() -> User:
    return FakeVenue().user()


def ask(user: User, method: str, path: str, raw: bytes) -> tuple[int, dict[str, Any]]:
    started = time.perf_counter()
    answer = user.ask(method, path, raw=raw)
    assert time.perf_counter() - started < 5
    return answer.status_code, answer.json


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"orderType":"single",}',
        b"{'orderType':'single'}",
        b'{"orderType":"single"} x',
        b'{"slippageBps":NaN}',
        b'{"slippageBps":Infinity}',
        b'{"slippageBps":01}',
        b'{"slippageBps":.5}',
        b'{"a":"\xff"}{',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a":' * 40_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\x00" * 1_000,
    ],
)
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_what_is_not_json(alice: User, method: str, path: str, raw: bytes) -> None:
    assert ask(alice, method, path, raw) == (400, {"error": "Malformed JSON in request body"})


@pytest.mark.parametrize(("jl_enabled", "received"), [("true", "string"), (1, "number"), ([], "array")])
def test_a_flag_that_is_none(alice: User, jl_enabled: object, received: str) -> None:
    raw = json.dumps({"jlEnabled": jl_enabled}).encode()
    status, answer = ask(alice, "POST", "/trigger/v2/orders/dca", raw)
    assert (status, answer["details"]["jlEnabled"]) == (400, f"Invalid input: expected boolean, received {received}")


def test_a_parameter_that_is_given_twice(alice: User) -> None:
    status, answer = ask(alice, "GET", "/trigger/v2/orders/history?limit=1&limit=2", b"")
    assert (status, answer["details"]) == (400, {"limit": "Invalid input: expected number, received array"})


@pytest.mark.parametrize(
    ("raw", "received"),
    [
        (b"[]", "array"),
        (b"[" * 100_000, "array"),
        (b'"text"', "string"),
        (b"7", "number"),
        (b"null", "null"),
        (b" true", "boolean"),
    ],
)
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_what_is_no_object(alice: User, method: str, path: str, raw: bytes, received: str) -> None:
    details = {"body": f"Invalid input: expected object, received {received}"}
    assert ask(alice, method, path, raw) == (400, {"error": "Request validation failed", "details": details})


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (b'{"orderType":"single","slippageBps":1,"slippageBps":1}', "slippageBps"),
        (b'{"orderType":"single","slippageBps":1,"slippage\\u0042ps":2}', "slippageBps"),
        (b'{"orderType" : "single", "slippageBps" :1, "orderType": "oco"}', "orderType"),
        (b'{"orderType":"single","slippageBps":1,"x":{"y":1,"y":2}}', "y"),
        (b'{"orderType":"single","slippageBps":1,"":1,"":2}', ""),
        (b'{"a":1e9999999,"a":' + b"9" * 100_000 + b"}", "a"),
    ],
)
def test_a_key_that_stands_twice(alice: User, raw: bytes, key: str) -> None:
    answer = ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw)
    assert answer == (400, {"error": "Request validation failed", "details": {key: "Duplicate key"}})


def test_a_colon_in_a_value_is_no_key(alice: User) -> None:
    raw = b'{"orderType":"single","slippageBps":1,"note":"a:b:c","nested":{"slippageBps":{"slippageBps":2}}}'
    answer = ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw)
    assert answer == (404, {"error": "Order not found"})


@pytest.mark.parametrize(
    "price",
    [
        "1e9999999",
        "1e999999999999",
        "1e400",
        "-1e9999999",
        "1e-9999999",
        "0e9999999",
        "1E+99",
        "0",
        "0.0",
        "-0",
        "1e-13",
        "0.0000000000001",
        "1000000000000.000000000001",
        "1e13",
        "9" * 250_000,
        "0." + "9" * 250_000,
        '"NaN"',
        '"Infinity"',
        '" 1"',
        '"1 "',
        '"1_000"',
        '"+1"',
        '"0x10"',
        '"1,5"',
        '""',
        '"١"',
        "null",
        "true",
        "[]",
        "{}",
        "[1]",
    ],
)
def test_a_price_without_an_exact_meaning(alice: User, price: str) -> None:
    raw = f'{{"orderType":"single","triggerPriceUsd":{price}}}'.encode()
    status, said = ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw)
    assert (status, said["error"], list(said["details"])) == (400, "Request validation failed", ["triggerPriceUsd"])


def test_a_price_in_a_text_that_is_not_utf_8(alice: User) -> None:
    raw = b'{"orderType":"single","triggerPriceUsd":"\xff"}'
    status, said = ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw)
    assert (status, said["details"]) == (400, {"triggerPriceUsd": "Invalid input: must be a finite decimal number"})


@pytest.mark.parametrize(
    "price", ["1e-12", "1E12", "210.00", '"210.00"', "2.1e2", "210.000000000000000000", "0.000000000001e12"]
)
def test_a_price_that_is_exact_however_it_is_written(alice: User, price: str) -> None:
    raw = f'{{"orderType":"single","triggerPriceUsd":{price}}}'.encode()
    assert ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw) == (404, {"error": "Order not found"})


@pytest.mark.parametrize(
    "bps", ["1.5", "1e-2", "1e400", "1e9999999", "9" * 100_000, '"1"', "true", "[]", "-1", "10001"]
)
def test_basis_points_are_whole(alice: User, bps: str) -> None:
    raw = f'{{"orderType":"single","slippageBps":{bps}}}'.encode()
    status, said = ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw)
    assert (status, list(said["details"])) == (400, ["slippageBps"])


@pytest.mark.parametrize("bps", ["50.0", "5e1", "0.5E2", "0.0", "1e4", "-0.0"])
def test_basis_points_are_a_number_however_it_is_written(alice: User, bps: str) -> None:
    """D4."""
    raw = f'{{"orderType":"single","slippageBps":{bps},"expiresAt":1.9e12}}'.encode()
    assert ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw) == (404, {"error": "Order not found"})


@pytest.mark.parametrize("bps", ["-1.0", "-5e1", "10001.0", "1e5", "1e40"])
def test_a_whole_number_out_of_bounds_is_told_as_such(alice: User, bps: str) -> None:
    raw = f'{{"orderType":"single","slippageBps":{bps}}}'.encode()
    status, said = ask(alice, "PATCH", f"/trigger/v2/orders/price/{NOWHERE}", raw)
    bound = "small: expected number to be >=0" if bps.startswith("-") else "big: expected number to be <=10000"
    assert (status, said["details"]) == (400, {"slippageBps": f"Too {bound}"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "amount", "cancelRequestId", "depositRequestId", "depositSignedTx", "expiresAt", "inputAmount", "inputMint",
        "orderSubType", "orderType", "outputMint", "signature", "signedTransaction", "slippageBps", "trailingBps",
        "triggerCondition", "triggerMint", "triggerPriceUsd", "type", "userAddress", "userPubkey", "walletPubkey",
    ]
)  # fmt: skip


UNFIT = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
"""One venue is right for all examples, and the machine may be busy."""


@given(changes=st.dictionaries(FIELDS, JSON, max_size=4), endpoint=st.sampled_from(BODIES))
@settings(max_examples=300, suppress_health_check=UNFIT)
def test_nothing_that_is_json_breaks_an_endpoint(
    alice: User, changes: dict[str, Any], endpoint: tuple[str, str]
) -> None:
    sound = {
        "type": "message",
        "walletPubkey": alice.wallet,
        "signature": "1" * 64,
        "orderSubType": "single",
        "signedTransaction": "AA==",
        "cancelRequestId": NOWHERE,
        "userAddress": alice.wallet,
        "amount": "1000000000",
        "slippageBps": 1,
    }
    crafted = {"requestId": NOWHERE, "transaction": "A" * 200, "amount": "1000000000"}
    body = alice.order_body(crafted) | sound | changes
    status, said = ask(alice, *endpoint, json.dumps(body).encode())
    assert status in (200, 400, 401, 403, 404), said


@given(raw=st.binary(max_size=200), endpoint=st.sampled_from(BODIES))
@settings(max_examples=200, suppress_health_check=UNFIT)
def test_no_bytes_break_an_endpoint(alice: User, raw: bytes, endpoint: tuple[str, str]) -> None:
    assert ask(alice, *endpoint, raw)[0] == 400
