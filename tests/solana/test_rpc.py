"""What the adapter of a node asks, and what it makes of answers that nodes of different age give."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import Any

import base58
import pytest
from solders.pubkey import Pubkey

from countermand.solana.port import AccountInfo, ChainUnavailable, QuestionRefused, SignatureStatus
from countermand.solana.rpc import RpcChain
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_PROGRAM
from tests.solana.chain_support import address, another_signature, payment, signature_of, wallet
from tests.solana.rpc_node import Asked, ScriptedNode, http, scripted

BLOCKHASH = str(Pubkey(b"b" * 32))
RAW = payment(wallet(1), address(wallet(2)), 7, BLOCKHASH)
SIGNATURE = signature_of(RAW)
BEHIND = {"code": -32016, "message": "Minimum context slot has not been reached"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.solana.rpc.node.BEHIND_PAUSES_MS", (1, 1, 1))


def at(slot: int, value: object) -> dict[str, object]:
    return {"context": {"slot": slot, "apiVersion": "4.1.2"}, "value": value}


def epoch(slot: int, height: int) -> dict[str, object]:
    return {"absoluteSlot": slot, "blockHeight": height, "epoch": 1, "slotIndex": 0, "slotsInEpoch": 432_000}


def status(slot: int, confirmation: str | None = "finalized", error: object = None) -> dict[str, object]:
    told = {"slot": slot, "confirmations": None, "err": error, "status": {"Ok": None}}
    return told | {"confirmationStatus": confirmation}


def in_turn(*answers: object) -> Callable[..., object]:
    left = list(answers)
    return lambda *_: left.pop(0) if len(left) > 1 else left[0]


async def test_only_what_is_finalized_is_final() -> None:
    told = [status(5), status(6, "confirmed"), status(7, "processed"), status(8, None), status(9, error="Why"), None]
    node = ScriptedNode({"getSignatureStatuses": at(9, told)})
    signatures = [base58.b58encode(bytes([number]) * 64).decode() for number in range(1, 7)]
    async with scripted(node) as chain:
        found = await asyncio.gather(*map(chain.signature_status, signatures))
    assert found == [
        SignatureStatus(5, finalized=True, error=None),
        SignatureStatus(6, finalized=False, error=None),
        SignatureStatus(7, finalized=False, error=None),
        SignatureStatus(8, finalized=False, error=None),
        SignatureStatus(9, finalized=True, error="Why"),
        None,
    ]
    assert node.questions("getSignatureStatuses") == [[signatures, {"searchTransactionHistory": True}]]


async def test_a_status_comes_from_a_node_that_is_as_far_as_the_height() -> None:
    statuses = in_turn(at(1_999, [None]), at(1_999, [None]), at(2_000, [None]))
    node = ScriptedNode({"getEpochInfo": epoch(2_000, 1_800), "getSignatureStatuses": statuses})
    async with scripted(node) as chain:
        assert await chain.finalized_block_height() == 1_800
        assert await chain.signature_status(SIGNATURE) is None
    assert len(node.questions("getSignatureStatuses")) == 3
    assert node.questions("getEpochInfo") == [[{"commitment": "finalized", "minContextSlot": 0}]]


async def test_a_node_that_stays_behind_knows_nothing_of_a_status() -> None:
    node = ScriptedNode({"getEpochInfo": epoch(2_000, 1_800), "getSignatureStatuses": at(1_999, [None])})
    async with scripted(node) as chain:
        await chain.finalized_block_height()
        with pytest.raises(ChainUnavailable, match="statuses of slot 1999, behind 2000"):
            await chain.signature_status(SIGNATURE)


async def test_heights_come_from_a_node_that_is_as_far_as_the_last() -> None:
    node = ScriptedNode({"getEpochInfo": in_turn(epoch(2_000, 1_800), BEHIND, epoch(2_001, 1_801))})
    async with scripted(node) as chain:
        assert [await chain.finalized_block_height() for _ in range(2)] == [1_800, 1_801]
    asked = [config["minContextSlot"] for (config,) in node.questions("getEpochInfo")]
    assert asked == [0, 2_000, 2_000]


async def test_reads_come_from_a_node_that_has_seen_what_was_told_as_final() -> None:
    node = ScriptedNode(
        {
            "getSignatureStatuses": at(3_000, [status(2_500)]),
            "getMultipleAccounts": in_turn(BEHIND, at(2_500, [None])),
            "getProgramAccounts": at(2_500, []),
            "getSignaturesForAddress": [],
            "getLatestBlockhash": at(2_600, {"blockhash": BLOCKHASH, "lastValidBlockHeight": 2_750}),
            "simulateTransaction": at(2_600, {"err": None, "logs": ["a"], "unitsConsumed": 150}),
            "sendTransaction": SIGNATURE,
        }
    )
    async with scripted(node) as chain:
        await chain.signature_status(SIGNATURE)
        assert await chain.accounts([SYSTEM_PROGRAM]) == [None]
        await chain.program_accounts(TOKEN_PROGRAM)
        await chain.signatures_for_address(SYSTEM_PROGRAM)
        assert (await chain.latest_blockhash()).last_valid_block_height == 2_750
        assert (await chain.simulate(RAW)).units_consumed == 150
        await chain.send(RAW)
    config = {asked.method: asked.params[-1] for asked in node.asked}
    for method in ("getMultipleAccounts", "getProgramAccounts", "getSignaturesForAddress", "getLatestBlockhash"):
        assert (config[method]["commitment"], config[method]["minContextSlot"]) == ("confirmed", 2_500), method
    # A node that has not seen the blockhash would call it unknown.
    assert config["simulateTransaction"] == {
        "commitment": "confirmed",
        "encoding": "base64",
        "sigVerify": False,
        "minContextSlot": 2_600,
    }
    assert config["sendTransaction"] == {
        "encoding": "base64",
        "skipPreflight": True,
        "preflightCommitment": "confirmed",
        "minContextSlot": 2_600,
    }
    assert node.questions("sendTransaction")[0][0] == base64.b64encode(RAW).decode()


@pytest.mark.parametrize(("unknown", "found"), [({"before"}, 0), ({"until"}, 1), ({"before", "until"}, 0), (set(), 1)])
async def test_a_history_bounded_by_what_the_node_does_not_know(unknown: set[str], found: int) -> None:
    """Agave answers with an error from 4.0 on, also for what it has pruned."""

    def history(_: str, config: dict[str, Any]) -> object:
        if unknown & config.keys():
            return {"code": -32020, "message": f"Transaction {SIGNATURE} not found"}
        return [{"signature": SIGNATURE, "slot": 5, "err": None, "memo": None, "blockTime": 1}]

    async with scripted(ScriptedNode({"getSignaturesForAddress": history})) as chain:
        listed = await chain.signatures_for_address(SYSTEM_PROGRAM, before=SIGNATURE, until=SIGNATURE)
        assert len(listed) == found


async def test_questions_of_one_turn_travel_together() -> None:
    node = ScriptedNode(
        {"getEpochInfo": epoch(9, 9), "getSignatureStatuses": lambda asked, _: at(9, [None] * len(asked))}
    )
    signatures = [base58.b58encode(hashlib.sha512(bytes([n % 256, n // 256])).digest()).decode() for n in range(600)]

    async def fate(chain: RpcChain, signature: str) -> SignatureStatus | None:
        await chain.finalized_block_height()
        return await chain.signature_status(signature)

    async with scripted(node) as chain:
        await asyncio.gather(*(fate(chain, signature) for signature in signatures))
        assert [len(asked) for asked, _ in node.questions("getSignatureStatuses")] == [256, 256, 88]
        assert len(node.questions("getEpochInfo")) == 1
        await fate(chain, signatures[0])
    assert len(node.questions("getEpochInfo")) == 2


async def test_a_question_does_not_join_one_that_is_on_its_way() -> None:
    """Its answer may be older than a height that was told in between."""
    node = ScriptedNode({"getSignatureStatuses": in_turn(at(9, [None]), at(9, [status(9)]))})
    async with scripted(node) as chain:
        first = asyncio.create_task(chain.signature_status(SIGNATURE))
        while not node.asked:
            await asyncio.sleep(0)
        second = asyncio.create_task(chain.signature_status(SIGNATURE))
        assert await first is None
        assert await second == SignatureStatus(9, finalized=True, error=None)


async def test_a_caller_that_gives_up_takes_the_answer_from_no_other() -> None:
    node = ScriptedNode({"getSignatureStatuses": at(9, [None])})
    async with scripted(node) as chain:
        impatient = asyncio.create_task(chain.signature_status(SIGNATURE))
        patient = asyncio.create_task(chain.signature_status(SIGNATURE))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient is None
        assert len(node.asked) == 1


async def test_a_failed_question_fails_for_all_who_asked_it() -> None:
    node = ScriptedNode({"getSignatureStatuses": {"code": -32011, "message": "Transaction history is not available"}})
    async with scripted(node) as chain:
        asked = (
            chain.signature_status(signature)
            for signature in (SIGNATURE, signature_of(another_signature(RAW, wallet(1))))
        )
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, ChainUnavailable)
            assert "history is not available" in str(answer)


async def test_many_accounts_are_asked_by_the_hundred_and_keep_their_order() -> None:
    def accounts(asked: list[str], _: object) -> Any:
        data = ["", "base64"]
        shown = [
            {"lamports": len(key), "owner": key, "data": data, "executable": False, "rentEpoch": 2**64 - 1}
            for key in asked
        ]
        return at(1, shown)

    keys = [str(Pubkey(number.to_bytes(32, "big"))) for number in range(250)]
    node = ScriptedNode({"getMultipleAccounts": accounts})
    async with scripted(node) as chain:
        found = await chain.accounts(keys)
        assert await chain.accounts([]) == []
    assert [info.owner for info in found if info is not None] == keys
    assert [len(asked) for asked, _ in node.questions("getMultipleAccounts")] == [100, 100, 50]


async def test_filters_are_written_as_every_node_reads_them() -> None:
    owned = {"lamports": 1, "owner": TOKEN_PROGRAM, "data": ["AQ==", "base64"], "executable": False, "space": 1}
    entries = [{"pubkey": key, "account": owned} for key in (BLOCKHASH, SYSTEM_PROGRAM)]
    node = ScriptedNode({"getProgramAccounts": at(1, entries)})
    async with scripted(node) as chain:
        found = await chain.program_accounts(TOKEN_PROGRAM, data_size=372, memcmp=[(8, b"b" * 32)])
    info = AccountInfo(1, TOKEN_PROGRAM, b"\1", executable=False)
    assert found == [(SYSTEM_PROGRAM, info), (BLOCKHASH, info)]
    ((program, config),) = node.questions("getProgramAccounts")
    assert (program, config["withContext"], config["encoding"]) == (TOKEN_PROGRAM, True, "base64")
    assert config["filters"] == [{"dataSize": 372}, {"memcmp": {"offset": 8, "bytes": BLOCKHASH}}]


async def test_fees_come_oldest_first() -> None:
    fees = [
        {"slot": 3, "prioritizationFee": 30},
        {"slot": 1, "prioritizationFee": 10},
        {"slot": 2, "prioritizationFee": 0},
    ]
    node = ScriptedNode({"getRecentPrioritizationFees": fees})
    async with scripted(node) as chain:
        assert await chain.recent_prioritization_fees([SYSTEM_PROGRAM]) == [10, 0, 30]
        with pytest.raises(ValueError, match="129 addresses"):
            await chain.recent_prioritization_fees([SYSTEM_PROGRAM] * 129)
    assert node.questions("getRecentPrioritizationFees") == [[[SYSTEM_PROGRAM]]]


@pytest.mark.parametrize(("code", "stays"), [(-32601, True), (-32000, True), (-32005, False), (429, False)])
async def test_fees_that_a_node_never_tells_are_told_apart(code: int, stays: bool) -> None:
    node = ScriptedNode({"getRecentPrioritizationFees": {"code": code, "message": "not available on this plan"}})
    async with scripted(node) as chain:
        with pytest.raises(ChainUnavailable, match="not available") as refused:
            await chain.recent_prioritization_fees([])
    assert isinstance(refused.value, QuestionRefused) is stays


@pytest.mark.parametrize(("status", "answers"), [("403 Forbidden", True), ("503 Service Unavailable", False)])
async def test_a_node_whose_plan_has_no_fees_is_there(status: str, answers: bool) -> None:
    async def refuses(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"not available on this plan", status))

    async with scripted(ScriptedNode(behaviour=refuses)) as chain:
        with pytest.raises(ChainUnavailable) as refused:
            await chain.recent_prioritization_fees([])
        assert (chain.answers, isinstance(refused.value, QuestionRefused)) == (answers, answers)


@pytest.mark.parametrize("code", [-32002, -32003])
async def test_what_a_node_says_against_a_transaction_is_not_heard(code: int) -> None:
    """Sending says nothing about landing; some providers run a preflight although it is to be skipped."""
    node = ScriptedNode({"sendTransaction": {"code": code, "message": "Transaction simulation failed"}})
    async with scripted(node) as chain:
        await chain.send(RAW)


async def test_a_connection_that_was_kept_and_ended_is_opened_again() -> None:
    node = ScriptedNode({"getEpochInfo": epoch(9, 9)})
    async with scripted(node) as chain:
        for _ in range(3):
            await chain.finalized_block_height()
        assert node.connections == 1
        node.hang_up()
        assert await chain.finalized_block_height() == 9
        assert node.connections == 2


async def test_a_closed_chain_says_so() -> None:
    node = ScriptedNode({"getEpochInfo": epoch(9, 9)})
    async with scripted(node) as chain:
        await chain.finalized_block_height()
        await chain.close()
        with pytest.raises(ChainUnavailable, match="closed"):
            await chain.finalized_block_height()


@pytest.mark.parametrize("url", ["", "localhost:8899", "ftp://localhost", "http://", "http://[", "http://a:b"])
async def test_an_address_of_no_node_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="give one like https://host:8899"):
        RpcChain(url)


async def test_what_a_node_does_not_answer_is_told_by_its_method() -> None:
    told: list[tuple[str, str]] = []
    node = ScriptedNode(
        {
            "getRecentPrioritizationFees": {"code": -32601, "message": "Method not found"},
            "sendTransaction": {"code": -32003, "message": "Transaction signature verification failure"},
            "getEpochInfo": epoch(2_000, 1_800),
        }
    )
    async with scripted(node, on_unanswered=lambda method, problem: told.append((method, str(problem)))) as chain:
        await chain.finalized_block_height()
        await chain.send(RAW)
        assert told == []
        with pytest.raises(ChainUnavailable):
            await chain.recent_prioritization_fees([])
    ((method, reason),) = told
    assert (method, reason.partition(" refused ")[2]) == (
        "getRecentPrioritizationFees",
        "getRecentPrioritizationFees: 'Method not found' (-32601)",
    )
