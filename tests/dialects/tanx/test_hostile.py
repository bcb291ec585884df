"""Whatever bytes come, the answer is a 400 of tanX's own shape or a good one, and nothing else."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.dialects.tanx.reading import FORM
from countermand.dialects.tanx.turns import in_turns
from tests.dialects.tanx.order_api import ALICE, OrderApi, an_order

PATHS = (
    "/sapi/v1/orders/nonce",
    "/sapi/v1/orders/create",
    "/sapi/v1/orders/cancel",
    "/sapi/v1/user/bulkcancel",
)
LISTS = ("/sapi/v1/orders", "/sapi/v1/trades", "/sapi/v1/user/balance", "/sapi/v1/market/kline")
NAMES = st.sampled_from(
    [
        *("market", "ord_type", "side", "volume", "price", "stop_price", "nonce", "msg_hash", "signature", "order_id"),
        *("limit", "page", "period", "start_time", "end_time", "timestamp", "currency", "params", "r", "s", "state"),
    ]
)
TEXTS = st.sampled_from(
    ["btcusdc", "ethusdc", "limit", "market", "buy", "asc", "0x1", "1e-05", "1e999", "-0", "٣", "\0", ""]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, 2**64, 10**30, -1, 0, 10**15, 10080])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8) | st.dictionaries(NAMES, VALUES, max_size=2).map(
    lambda fields: an_order() | fields
)
BODIES = (
    st.binary(max_size=40)
    | OBJECTS.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    | OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
)
API = OrderApi()
API.gives(ALICE, eth=10, usdc=10_000)


def is_well_behaved(status: int, body: Any) -> bool:
    if status == 200:
        return list(body) == ["status", "message", "payload"] and body["status"] == "success"
    return status in (400, 404) and list(body) == ["status", "message", "payload"] and body["status"] == "error"


@settings(max_examples=300)
@given(st.sampled_from(PATHS), BODIES, st.sampled_from(["application/json", FORM, "text/plain", ""]))
def test_any_body(path: str, body: bytes, content_type: str) -> None:
    got = API.ask("POST", path, body=body, headers={"content-type": content_type} if content_type else {})
    assert is_well_behaved(got.status, got.body), got.raw


@settings(max_examples=300)
@given(st.sampled_from(LISTS), st.dictionaries(NAMES, TEXTS | NUMBERS.map(str), max_size=5), BODIES | st.just(b""))
def test_any_query_with_any_body(path: str, query: dict[str, str], body: bytes) -> None:
    got = API.ask("GET", path, params=query, body=body)
    assert is_well_behaved(got.status, got.body), got.raw


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_any_name_of_an_order(name: str) -> None:
    path = "".join(f"%{byte:02x}" for byte in name.encode("utf-8", "replace")) or "x"
    got = API.ask("GET", f"/sapi/v1/orders/{path}")
    assert is_well_behaved(got.status, got.body) or (got.status, got.body) in (
        (404, {"code": 404, "message": "Not found"}),
        (405, {"code": 405, "message": "Method not allowed"}),  # `cancel` is no order, but a path.
    )


async def test_a_long_list_leaves_others_their_turn() -> None:
    turns = 0

    async def another_member() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(another_member())
    assert await in_turns(iter(range(1000))) == list(range(1000))
    other.cancel()
    assert turns >= 15
