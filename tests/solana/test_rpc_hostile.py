"""Whatever a node does instead of answering is `ChainUnavailable`: in one line, in bounded time and memory."""

import asyncio
import base64
import gzip
import json
import resource
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from countermand.solana.port import ChainUnavailable
from countermand.solana.rpc import RpcChain
from countermand.solana.rpc.node import BadStatus, NodeBehind, NodeBusy, NodeRefused, stays
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_PROGRAM
from tests.solana.chain_support import address, payment, signature_of, transaction_of, wallet
from tests.solana.rpc_node import Asked, Behaviour, ScriptedNode, http, saying, scripted
from tests.solana.test_rpc import BLOCKHASH, RAW, SIGNATURE, at, epoch, status

HTML = b"<html>\n<head><title>502 Bad Gateway</title></head>\n" + b"<p>nginx</p>\n" * 100
MEGABYTE = 1024 * 1024


async def complaint(
    node: ScriptedNode, ask: Callable[[RpcChain], Awaitable[object]], *, timeout_ms: int = 2_000
) -> str:
    """What is said when the node behaves like this: one line, short, with no secret in it."""
    async with scripted(node, timeout_ms=timeout_ms) as chain:
        with pytest.raises(ChainUnavailable) as raised:
            await asyncio.wait_for(ask(chain), 10)
    text = str(raised.value)
    assert node.url in text
    assert "secret" not in text
    assert "\n" not in text
    assert len(text) < 400
    return text


def height(chain: RpcChain) -> Awaitable[object]:
    return chain.finalized_block_height()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (http(HTML), "no JSON-RPC: '<html>"),
        (http(HTML, "502 Bad Gateway"), "HTTP status 502: '<html>"),
        (http(b"", "503 Service Unavailable"), "HTTP status 503"),
        (http(b"slow down", "429 Too Many Requests"), "HTTP status 429"),
        (http(b"", "301 Moved", "location: http://127.0.0.1:1/elsewhere"), "HTTP status 301"),
        (http(b'{"error":{"code":-1,"message":"no such project"}}', "401 Unauthorized"), "401: 'no such project'"),
        (http(b""), "no JSON-RPC: ''"),
        (http(b"[]"), "no JSON-RPC"),
        (http(b'{"jsonrpc":"2.0","id":1}'), "no result of our question"),
        (http(b'{"jsonrpc":"2.0","id":2,"result":{"absoluteSlot":1,"blockHeight":1}}'), "no result of our question"),
        (http(b'{"jsonrpc":"2.0","id":1,"result":{"absoluteSlot":1,"blockHeight":1}'), "no JSON-RPC"),
        (http(b"\xff\xfe"), "no JSON-RPC"),
        (http(b'{"id":1,"result":' + b"[" * 10_000), "no JSON-RPC"),
        (http(b'{"id":1,"error":"' + b"x" * 10_000 + b'"}'), "no JSON-RPC"),
        (
            http(json.dumps({"id": 1, "error": {"code": -32005, "message": "behind\nby " + "9" * 9_999}}).encode()),
            "-32005",
        ),
        (http(gzip.compress(bytes(10 * MEGABYTE)), "200 OK", "content-encoding: gzip"), "a packed body"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "cannot be asked"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", "cannot be asked"),
        # Older versions of aiohttp wait for the end of the headers, until the time is over.
        (b"HTTP/1.1 200 OK\r\n" + b"x-padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 50_000, "the node at"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * MEGABYTE, "cannot be asked"),
    ],
)
async def test_what_is_no_answer_is_unavailability(raw: bytes, said: str) -> None:
    assert said in await complaint(ScriptedNode(behaviour=saying(raw)), height)


@pytest.mark.parametrize(
    "result", [None, 7, "x", [], {}, epoch(-1, 5), epoch(5, 2**63), {"absoluteSlot": "5", "blockHeight": 5}]
)
async def test_a_height_of_another_shape_is_none(result: object) -> None:
    assert "a result of another shape" in await complaint(ScriptedNode({"getEpochInfo": result}), height)


OWNED = {"lamports": 1, "owner": TOKEN_PROGRAM, "data": ["AQ==", "base64"], "executable": False}


@pytest.mark.parametrize(
    ("ask", "method", "result"),
    [
        (lambda chain: chain.signature_status(SIGNATURE), "getSignatureStatuses", at(9, [])),
        (lambda chain: chain.signature_status(SIGNATURE), "getSignatureStatuses", at(9, [None, None])),
        (lambda chain: chain.signature_status(SIGNATURE), "getSignatureStatuses", at(9, [{}])),
        (lambda chain: chain.signature_status(SIGNATURE), "getSignatureStatuses", at(9, [status(5, error=[1])])),
        (lambda chain: chain.signature_status(SIGNATURE), "getSignatureStatuses", [None]),
        (
            lambda chain: chain.latest_blockhash(),
            "getLatestBlockhash",
            at(9, {"blockhash": "0", "lastValidBlockHeight": 9}),
        ),
        (lambda chain: chain.latest_blockhash(), "getLatestBlockhash", at(9, {"blockhash": BLOCKHASH})),
        (lambda chain: chain.accounts([SYSTEM_PROGRAM]), "getMultipleAccounts", at(9, [])),
        (lambda chain: chain.accounts([SYSTEM_PROGRAM]), "getMultipleAccounts", at(9, [OWNED | {"lamports": -1}])),
        (lambda chain: chain.accounts([SYSTEM_PROGRAM]), "getMultipleAccounts", at(9, [OWNED | {"owner": "x" * 999}])),
        (
            lambda chain: chain.accounts([SYSTEM_PROGRAM]),
            "getMultipleAccounts",
            at(9, [OWNED | {"data": ["AQ", "base64"]}]),
        ),
        (
            lambda chain: chain.accounts([SYSTEM_PROGRAM]),
            "getMultipleAccounts",
            at(9, [OWNED | {"data": ["AQ==", "z\n" * 9_999]}]),
        ),
        (lambda chain: chain.program_accounts(TOKEN_PROGRAM), "getProgramAccounts", []),
        (
            lambda chain: chain.program_accounts(TOKEN_PROGRAM),
            "getProgramAccounts",
            at(9, [{"pubkey": "x", "account": OWNED}]),
        ),
        (
            lambda chain: chain.program_accounts(SYSTEM_PROGRAM),
            "getProgramAccounts",
            at(9, [{"pubkey": BLOCKHASH, "account": OWNED}]),
        ),
        (lambda chain: chain.simulate(RAW), "simulateTransaction", at(9, {"err": 7})),
        (lambda chain: chain.send(RAW), "sendTransaction", BLOCKHASH),
        (lambda chain: chain.send(RAW), "sendTransaction", {"code": -32602, "message": "invalid"}),
        (
            lambda chain: chain.recent_prioritization_fees([]),
            "getRecentPrioritizationFees",
            [{"slot": 1, "prioritizationFee": -1}],
        ),
        (
            lambda chain: chain.signatures_for_address(SYSTEM_PROGRAM),
            "getSignaturesForAddress",
            [{"signature": "x", "slot": 1, "blockTime": 1}],
        ),
    ],
)
async def test_an_answer_that_cannot_be_true_is_none(
    ask: Callable[[RpcChain], Awaitable[object]], method: str, result: object
) -> None:
    assert method in await complaint(ScriptedNode({method: result}), ask)


def told(raw: bytes = RAW, **changes: Any) -> dict[str, Any]:
    """What a node tells of a landed payment."""
    meta = {
        "err": None,
        "fee": 5_000,
        "preBalances": [10, 0, 1],
        "postBalances": [3, 7, 1],
        "preTokenBalances": None,
        "innerInstructions": None,
        "logMessages": None,
    }
    whole = {"slot": 5, "blockTime": 7, "transaction": [base64.b64encode(raw).decode(), "base64"], "version": 0}
    top = {key: value for key, value in changes.items() if key in whole}
    return whole | top | {"meta": meta | {key: value for key, value in changes.items() if key not in whole}}


TOKENS = {"accountIndex": 1, "mint": BLOCKHASH, "owner": BLOCKHASH, "programId": TOKEN_PROGRAM}


def inner(**call: object) -> list[object]:
    return [{"index": 0, "instructions": [{"programIdIndex": 2, "accounts": [0], "data": "1"} | call]}]


async def test_a_sparse_transaction_is_read() -> None:
    """Older nodes leave out what newer ones tell."""
    node = ScriptedNode({"getTransaction": told(innerInstructions=inner())})
    async with scripted(node) as chain:
        landed = await transaction_of(chain, SIGNATURE)
    assert landed is not None
    assert (landed.raw, landed.logs, landed.units_consumed, landed.pre_token_balances) == (RAW, (), 0, ())
    ((calls),) = landed.inner_instructions
    assert (calls.instructions[0].data, calls.instructions[0].accounts) == (b"\0", b"\0")
    ((_, config),) = node.questions("getTransaction")
    assert config == {"commitment": "confirmed", "encoding": "base64", "maxSupportedTransactionVersion": 0}


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction": ["AQ==", "base64"]},
        {"transaction": ["", "base58"]},
        {"blockTime": None},
        {"preBalances": [1]},
        {"postBalances": [1, 2, 3, 4]},
        {"loadedAddresses": {"writable": [BLOCKHASH], "readonly": []}},
        {"preTokenBalances": [TOKENS | {"uiTokenAmount": {"amount": "1e9", "decimals": 6}}]},
        {"preTokenBalances": [TOKENS | {"uiTokenAmount": {"amount": "9" * 9_999, "decimals": 6}}]},
        {"preTokenBalances": [TOKENS | {"uiTokenAmount": {"amount": str(2**64), "decimals": 6}}]},
        {"postTokenBalances": [TOKENS | {"accountIndex": 3, "uiTokenAmount": {"amount": "1", "decimals": 6}}]},
        {"innerInstructions": inner(programIdIndex=3)},
        {"innerInstructions": inner(accounts=[3])},
        {"innerInstructions": inner(accounts=[256])},
        {"innerInstructions": inner(data="0")},
        {"innerInstructions": inner(data="z" * 16_385)},
        {"returnData": {"programId": "x", "data": ["", "base64"]}},
    ],
)
async def test_a_transaction_that_cannot_be_is_none(changes: dict[str, Any]) -> None:
    await complaint(ScriptedNode({"getTransaction": told(**changes)}), lambda chain: transaction_of(chain, SIGNATURE))


async def test_another_transaction_than_the_one_asked_for_is_none() -> None:
    other = SIGNATURE[:-1] + ("1" if SIGNATURE[-1] != "1" else "2")
    node = ScriptedNode({"getTransaction": told()})
    assert "another transaction" in await complaint(node, lambda chain: transaction_of(chain, other))


OTHERS = [payment(wallet(1), address(wallet(2)), lamports, BLOCKHASH) for lamports in range(1, 20)]
BY_SIGNATURE = {signature_of(raw): told(raw) for raw in OTHERS}


def known(signature: str, _: object) -> object:
    return BY_SIGNATURE.get(signature)


async def test_transactions_are_asked_in_one_batch() -> None:
    node = ScriptedNode({"getTransaction": known})
    async with scripted(node) as chain:
        found = await chain.transactions([SIGNATURE, *BY_SIGNATURE])
        assert await chain.transactions([]) == []
        await transaction_of(chain, SIGNATURE)
    assert [landed and landed.raw for landed in found] == [RAW, *OTHERS]
    assert node.batches == 1
    assert [asked.batch for asked in node.asked] == [1] * 20 + [None]


@pytest.mark.parametrize(
    "refusal",
    [
        http(b'{"error":{"code":-32600,"message":"batch requests are not supported"}}', "400 Bad Request"),
        http(b"batches are for paid plans", "403 Forbidden"),
        http(b'{"jsonrpc":"2.0","error":{"code":-32600,"message":"no batches"},"id":null}'),
        http(b'[{"jsonrpc":"2.0","error":{"code":-32600,"message":"no batches"},"id":null}]'),
        http(b"[]"),
    ],
)
async def test_a_node_that_takes_no_batches_is_asked_one_by_one(refusal: bytes) -> None:
    node = ScriptedNode({"getTransaction": known}, batch_refusal=refusal)
    async with scripted(node) as chain:
        for _ in range(2):
            found = await chain.transactions(list(BY_SIGNATURE))
            assert [landed and landed.raw for landed in found] == OTHERS
    assert (node.batches, len(node.asked), node.connections <= 8) == (1, 38, True)


async def test_a_batch_that_fails_is_unavailability_and_no_refusal() -> None:
    several = list(BY_SIGNATURE)[:2]
    for broken in (http(b"", "503 Service Unavailable"), http(b"slow down", "429 Too Many Requests")):
        node = ScriptedNode({"getTransaction": known}, batch_refusal=broken)
        await complaint(node, lambda chain: chain.transactions(several))
        assert node.asked == []
    node = ScriptedNode({"getTransaction": {"code": -32011, "message": "history is not available"}})
    assert "history is not available" in await complaint(node, lambda chain: chain.transactions(several))
    node = ScriptedNode({"getTransaction": 7})
    assert "a result of another shape" in await complaint(node, lambda chain: chain.transactions(several))
    node = ScriptedNode({"getTransaction": told()})
    assert "another transaction" in await complaint(node, lambda chain: chain.transactions(several))


async def test_who_does_not_answer_is_not_waited_for() -> None:
    async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def half(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"{" * 100)[:-50])
        writer.close()

    async def gone(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.close()

    behaviours: list[tuple[Behaviour, str]]
    behaviours = [(silent, "in time"), (endless, "in time"), (half, "cannot be asked"), (gone, "cannot be asked")]
    for behaviour, said in behaviours:
        timeout_ms = 200 if said == "in time" else 10_000
        assert said in await complaint(ScriptedNode(behaviour=behaviour), height, timeout_ms=timeout_ms)


async def test_an_absent_node_is_unavailability() -> None:
    async with scripted(ScriptedNode()) as there:
        del there
    chain = RpcChain("http://127.0.0.1:1/?key=secret")
    with pytest.raises(
        ChainUnavailable, match=r"^the node at http://127.0.0.1:1 cannot be asked getEpochInfo: Connect"
    ):
        await chain.finalized_block_height()
    await chain.close()


@pytest.mark.parametrize("head", [b"content-length: 99999999999", b"transfer-encoding: chunked"])
async def test_an_answer_without_end_does_not_fill_the_memory(head: bytes) -> None:
    sent = 0

    async def flood(_: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        piece = b" " * MEGABYTE if head.startswith(b"content") else b"100000\r\n" + b" " * MEGABYTE + b"\r\n"
        while not writer.is_closing() and sent < 1_000:
            writer.write(piece)
            sent += 1
            await writer.drain()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "more than 65536 bytes" in await complaint(ScriptedNode(behaviour=flood), height)
    assert sent < 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


async def test_a_node_that_is_busy_is_asked_again_as_slowly_as_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.solana.rpc.chain.BUSY_PAUSE_MS_MAX", 7)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    answers = [http(b"slow down", "429 Too Many Requests", f"retry-after: {after}") for after in ("0", "3", "soon")]
    answers.append(http(b'{"jsonrpc":"2.0","id":4,"result":{"absoluteSlot":2,"blockHeight":1}}'))

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))

    node = ScriptedNode(behaviour=answer)
    async with scripted(node, busy_pauses_ms=(1, 2, 3)) as chain:
        with monkeypatch.context() as patched:
            patched.setattr("countermand.solana.rpc.chain.asyncio.sleep", sleep)
            assert await chain.finalized_block_height() == 1
    assert slept == [0.001, 0.007, 0.003]


async def test_a_node_that_stays_busy_is_told_apart() -> None:
    node = ScriptedNode(behaviour=saying(http(b"slow down", "429 Too Many Requests")))
    async with scripted(node, busy_pauses_ms=(1, 1)) as chain:
        with pytest.raises(NodeBusy, match="HTTP status 429"):
            await chain.finalized_block_height()
    assert len(node.asked) == 3


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        *((NodeRefused("node is read-only", code), True) for code in (-32000, -32002, -32010, -32600, -32601, -32603)),
        (NodeRefused("Node is behind by 150 slots", -32005), False),
        (NodeRefused("Transaction simulation failed: Blockhash not found", -32002), False),
        (NodeRefused("Too many requests", -32429), False),
        *((BadStatus("forbidden", status), True) for status in (400, 401, 403, 404, 405, 413)),
        *((BadStatus("for now", status), False) for status in (408, 425, 500, 502, 503)),
        (NodeBusy("429", None), False),
        (NodeBehind("slot"), False),
        (ChainUnavailable("in time"), False),
    ],
)
def test_what_a_node_refuses_for_good_is_told_from_what_passes(problem: ChainUnavailable, expected: bool) -> None:
    assert stays(problem) is expected
