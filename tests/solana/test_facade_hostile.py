"""Whatever arrives, the answer is a JSON-RPC error: quickly, and never an internal one."""

import asyncio
import base64
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import base58
import msgspec
import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.dispatch import Dispatcher
from tests.solana.facade_venue import Facade, funded, opened_chain, signed, transfer_of

BASE64 = {"encoding": "base64"}
ADDRESS = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
def rpc(chain: EmbeddedChain) -> Facade:
    return Facade(chain)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"getSlot"',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"jsonrpc":"2.0","id":NaN,"method":"getSlot"}',
        b'{"jsonrpc":"2.0","id":1e999,"method":"getSlot"}',
        b'"\\ud800"',
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_what_is_no_json_is_a_parse_error(rpc: Facade, body: bytes) -> None:
    answer = await rpc.answer(body)
    assert answer["error"]["code"] == -32700
    assert answer["id"] is None


@pytest.mark.parametrize(
    ("body", "answered_id"),
    [
        (b"1", None),
        (b"null", None),
        (b'"getSlot"', None),
        (b"{}", None),
        (b"[]", None),
        (b'{"id":1,"method":"getSlot"}', 1),
        (b'{"jsonrpc":"1.0","id":"x","method":"getSlot"}', "x"),
        (b'{"jsonrpc":"2.0","id":1}', 1),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', 1),
        (b'{"jsonrpc":"2.0","id":{},"method":"getSlot"}', None),
        (b'{"jsonrpc":"2.0","id":true,"method":"getSlot"}', None),
        (b"[" + b",".join([b"{}"] * 1_001) + b"]", None),
        (b'{"jsonrpc":"2.0","id":1,"method":"getSlot","method":"getHealth"}', None),
    ],
)
async def test_what_is_no_request_is_invalid(rpc: Facade, body: bytes, answered_id: object) -> None:
    answer = await rpc.answer(body)
    assert answer["error"]["code"] == -32600
    assert answer["id"] == answered_id


async def test_a_batch_answers_each_in_order_and_notifications_not_at_all(rpc: Facade) -> None:
    body = (
        b'[{"jsonrpc":"2.0","id":"a","method":"getHealth"},7,{"jsonrpc":"2.0","method":"getHealth"},'
        b'{"jsonrpc":"2.0","id":null,"method":"getHealth"},{"jsonrpc":"2.0","id":2,"method":"getNothing"}]'
    )
    assert await rpc.answer(body) == [
        {"jsonrpc": "2.0", "result": "ok", "id": "a"},
        {
            "jsonrpc": "2.0",
            "error": {"code": -32600, "message": "Invalid request: an object is expected, got 7"},
            "id": None,
        },
        {"jsonrpc": "2.0", "result": "ok", "id": None},
        {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": 2},
    ]
    assert await rpc.answer(b'{"jsonrpc":"2.0","method":"getHealth"}') is None
    assert (
        len(await rpc.answer(b"[" + b",".join([b'{"jsonrpc":"2.0","id":1,"method":"getHealth"}'] * 100) + b"]")) == 100
    )


async def test_what_is_not_offered_is_not_found(rpc: Facade) -> None:
    for method in ("getNothing", "", "get_slot", "byName", "shown", "keyed", "__init__", "_slot", "getConfirmedBlock"):
        assert (await rpc.fails(method))["code"] == -32601


@pytest.mark.parametrize(
    ("method", "params", "named"),
    [
        ("getBalance", [], "account is missing"),
        ("getBalance", [None], "account is missing"),
        ("getBalance", [7], "`account`"),
        ("getBalance", ["0OIl"], "'0OIl' is not an address"),
        ("getBalance", ["1" * 5000], "is not an address"),
        ("getBalance", [ADDRESS + "1"], "is not an address"),
        ("getBalance", ["é" * 40], "is not an address"),
        ("getBalance", [ADDRESS, {}, {}], "at most 2 are expected, got 3"),
        ("getBalance", {"account": ADDRESS}, "an array is expected"),
        ("getBalance", [ADDRESS, {"commitment": "max"}], "'max'"),
        ("getBalance", [ADDRESS, {"commitment": 7}], "`config.commitment`"),
        ("getBalance", [ADDRESS, {"commitment": "`$"}], "value '`$' - at `config.commitment`"),
        ("getBalance", [ADDRESS, {"minContextSlot": -1}], "`config.minContextSlot`"),
        ("getBalance", [ADDRESS, {"minContextSlot": 10**30}], "`config.minContextSlot`"),
        ("getBalance", [ADDRESS, {"minContextSlot": 1.5}], "`config.minContextSlot`"),
        ("getBalance", [ADDRESS, []], "`config`"),
        ("getAccountInfo", [ADDRESS, {"dataSlice": {"offset": 0}}], "length"),
        ("getAccountInfo", [ADDRESS, {"encoding": "json"}], "'json'"),
        ("getMultipleAccounts", [[ADDRESS] * 101], "`accounts`"),
        ("getMultipleAccounts", [ADDRESS], "`accounts`"),
        ("getSignatureStatuses", [["1" * 64] * 257], "`signatures`"),
        ("getSignatureStatuses", [[ADDRESS]], "is not a signature"),
        ("getTransaction", ["x" * 88], "is not a signature"),
        ("getTransaction", [str(Signature.default()), {"maxSupportedTransactionVersion": "0"}], "maxSupported"),
        ("requestAirdrop", [ADDRESS, 0], "`lamports`"),
        ("requestAirdrop", [ADDRESS, "5"], "`lamports`"),
        ("requestAirdrop", [ADDRESS, 1e300], "`lamports`"),
        ("getMinimumBalanceForRentExemption", [10**15], str(10**15)),
        ("getBlockTime", ["1"], "`slot`"),
        ("getBlock", [-1], "`slot`"),
        ("getBlock", [0, {"transactionDetails": "some"}], "'some'"),
        ("getBlock", [0, {"commitment": "processed"}], "below `confirmed`"),
        ("getBlocks", [0, 10, {"commitment": "processed"}], "below `confirmed`"),
        ("getTransaction", [str(Signature.default()), {"commitment": "processed"}], "below `confirmed`"),
        ("getSignaturesForAddress", [ADDRESS, {"commitment": "processed"}], "below `confirmed`"),
        ("getInflationReward", [[ADDRESS], {"commitment": "processed"}], "below `confirmed`"),
        ("getBlocksWithLimit", [0, 500_001], "Limit too large; max 500000"),
        ("getSlotLeaders", [0, 5_001], "Invalid limit; max 5000"),
        ("getRecentPerformanceSamples", [721], "Invalid limit; max 720"),
        ("getTokenLargestAccounts", ["1" * 32], "could not find mint"),
        ("getLargestAccounts", [{"filter": "all"}], "'all'"),
        ("getProgramAccounts", [ADDRESS, {"filters": [{"memcmp": {"offset": 0, "bytes": "0"}}]}], "base58"),
        ("getProgramAccounts", [ADDRESS, {"filters": [{"memcmp": {"offset": 0, "bytes": [256]}}]}], "filters"),
        ("isBlockhashValid", ["x"], "'x'"),
        ("getFeeForMessage", ["!"], "base64"),
        ("getFeeForMessage", ["AAAA" * 500], "too large"),
        ("getFeeForMessage", ["AAAA"], "deserialize"),
        ("sendTransaction", ["0"], "base58"),
        ("sendTransaction", ["AA AA", BASE64], "base64"),
        ("sendTransaction", ["", BASE64], "deserialize"),
        ("sendTransaction", ["AQ==", {"encoding": "base32"}], "'base32'"),
        ("simulateTransaction", ["", BASE64], "deserialize"),
    ],
)
async def test_wrong_parameters_are_named(rpc: Facade, method: str, params: Any, named: str) -> None:
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    began = time.perf_counter()
    error = (await rpc.answer(body))["error"]
    assert time.perf_counter() - began < 2
    assert error["code"] == -32602
    assert named in error["message"]
    assert len(error["message"]) < 300


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        (
            "A" * 1648,
            "base64",
            "base64 encoded {} too large: 1648 bytes (max: encoded/raw 1644/1232)",
        ),
        (
            "2" * 1684,
            "base58",
            "base58 encoded {} too large: 1684 bytes (max: encoded/raw 1683/1232)",
        ),
        (
            base64.b64encode(bytes(1233)).decode(),
            "base64",
            "decoded {} too large: 1233 bytes (max: 1232 bytes)",
        ),
    ],
)
async def test_a_transaction_that_fits_no_packet(rpc: Facade, text: str, encoding: str, message: str) -> None:
    error = await rpc.fails("sendTransaction", text, {"encoding": encoding})
    assert error == {"code": -32602, "message": message.format("solana_transaction::versioned::VersionedTransaction")}


async def test_random_bytes_and_damaged_transactions(rpc: Facade, chain: EmbeddedChain) -> None:
    dice = random.Random(1)
    wallet = await funded(chain)
    good = [await signed(chain, wallet, transfer_of(wallet, 10**6), legacy=legacy) for legacy in (False, True)]
    for number in range(1_500):
        if number % 3 == 0:
            raw = dice.randbytes(dice.randrange(1233))
        else:
            damaged = bytearray(dice.choice(good))
            for _ in range(dice.randint(1, 3)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            raw = bytes(damaged) + dice.randbytes(dice.choice([0, 0, 1]))
        method = dice.choice(["sendTransaction", "simulateTransaction"])
        skip = {"skipPreflight": True} if method == "sendTransaction" and number % 2 else {}
        answer = await rpc.request(method, base64.b64encode(raw).decode(), {**BASE64, **skip})
        assert answer.get("error", {"code": 0})["code"] in (0, -32602, -32003, -32002), answer
    message = good[0][65:]
    answer = await rpc.request("getFeeForMessage", base64.b64encode(message[:-3] + b"\xff\x00\x01").decode())
    assert answer.get("error", {"code": -32602})["code"] == -32602
    assert await rpc.call("getHealth") == "ok"


async def test_every_method_survives_values_of_every_kind(rpc: Facade) -> None:
    """The same table of values in each position of each method."""
    values: list[Any] = [None, True, 0, -1, 2**64, 1.5, "", "x", ADDRESS, [], [ADDRESS], [None], {}, {"mint": ADDRESS}]
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    values.append(deep)
    for method in rpc.dispatcher.names:
        for first in values:
            for second in values:
                answer = await rpc.request(method, first, second)
                assert answer.get("error", {"code": 0})["code"] not in (-32603, -32700), (method, first, second)


async def test_a_defect_shows_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks() -> None:
        raise KeyError("secret")

    answer = await Dispatcher({"breaks": breaks}).answer(b'{"jsonrpc":"2.0","id":1,"method":"breaks"}')
    assert answer.body == b'{"jsonrpc":"2.0","error":{"code":-32603,"message":"Internal error"},"id":1}'
    assert "breaks" in caplog.text


async def test_others_get_their_turn_within_a_batch(rpc: Facade, chain: EmbeddedChain) -> None:
    """A batch of a hundred does not hold the loop from its first request to its last."""
    call = msgspec.json.encode(
        {"jsonrpc": "2.0", "id": 1, "method": "getBalance", "params": [str(Pubkey.new_unique())]}
    )
    asking = asyncio.create_task(rpc.answer(b"[" + b",".join([call] * 100) + b"]"))
    turns = 0
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 100
    assert base58.b58decode(chain.genesis_hash)


async def test_a_key_that_stands_twice_is_a_bad_request(rpc: Facade) -> None:
    answer = await rpc.dispatcher.answer(b'{"jsonrpc":"2.0","id":1,"method":"getSlot","params":[{"a":1,"a":2}]}')
    assert answer.status == 400
    assert "'a' stands twice" in msgspec.json.decode(answer.body)["error"]["message"]
