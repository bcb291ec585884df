"""What one request, and one batch, may ask of the chain's door (C6, E7)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from solders.pubkey import Pubkey

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade import accounts
from countermand.solana.facade.dispatch import AnswerLimits, Dispatcher
from countermand.solana.facade.methods import RpcMethods
from countermand.solana.port import AccountInfo
from countermand.solana.tokens import TOKEN_PROGRAM, USDC_MINT
from tests.gifts import faucet_of
from tests.solana.facade_venue import Facade, opened_chain

BASE64 = {"encoding": "base64"}
LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
"""Owns what is large: programs."""


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


def call(method: str, *params: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def facade(chain: EmbeddedChain, **limits: Any) -> Dispatcher:
    rpc = RpcMethods(chain, chain.send, answer_bytes_max=limits.get("answer_bytes", 1 << 24))
    return Dispatcher(rpc.by_name(), limits=AnswerLimits(**limits))


async def answers(dispatcher: Dispatcher, *calls: dict[str, object]) -> Any:
    return msgspec.json.decode((await dispatcher.answer(msgspec.json.encode(calls))).body)


async def test_a_batch_may_have_a_thousand_requests(chain: EmbeddedChain) -> None:
    """E7: a node limits only the bytes of a batch. Beyond ours there is one error for all, and nothing is run."""
    rpc = Facade(chain)
    batch = [call("getHealth", number=i) for i in range(1_001)]
    answered = await rpc.answer(msgspec.json.encode(batch[:1_000]))
    assert [answer["id"] for answer in answered] == list(range(1_000))
    refused = await rpc.answer(msgspec.json.encode(batch))
    assert refused["error"] == {"code": -32600, "message": "Invalid request: a batch of 1001 requests (max: 1000)"}
    assert refused["id"] is None


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getProgramAccounts", [LOADER, BASE64]),
        ("getProgramAccounts", [TOKEN_PROGRAM, BASE64]),
        ("getProgramAccounts", [TOKEN_PROGRAM, {"encoding": "jsonParsed"}]),
        ("getMultipleAccounts", [[USDC_MINT] * 100, BASE64]),
        ("getTokenAccountsByOwner", ["owner", {"programId": TOKEN_PROGRAM}, BASE64]),
    ],
)
async def test_an_answer_beyond_the_limit_is_an_error_of_a_node(
    chain: EmbeddedChain, method: str, params: list[Any]
) -> None:
    owner = str(Pubkey.new_unique())
    await faucet_of(chain).mint_to(owner, USDC_MINT, 1)
    params = [owner if each == "owner" else each for each in params]
    ample, tight = facade(chain), facade(chain, answer_bytes=400)
    (whole,) = await answers(ample, call(method, *params))
    assert "result" in whole
    (refused,) = await answers(tight, call(method, *params))
    assert refused["error"]["code"] == -32012
    assert "(400 bytes)" in refused["error"]["message"]


async def test_what_is_too_much_is_not_even_written(chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6: the error costs no more memory than the question."""
    written: list[str] = []

    def account_json(_: str, info: AccountInfo, *__: object) -> dict[str, object]:
        written.append(info.owner)
        return {"data": "x" * 100}

    monkeypatch.setattr(accounts, "account_json", account_json)
    monkeypatch.setattr(accounts, "_ACCOUNTS_PER_TURN", 1)
    tight = facade(chain, answer_bytes=5_000)
    (refused,) = await answers(tight, call("getMultipleAccounts", [USDC_MINT] * 100, BASE64))
    assert (refused["error"]["code"], written) == (-32012, [])
    for _ in range(60):
        await faucet_of(chain).mint_to(str(Pubkey.new_unique()), USDC_MINT, 1)
    (refused,) = await answers(tight, call("getProgramAccounts", TOKEN_PROGRAM, BASE64))
    assert refused["error"]["code"] == -32012
    assert 0 < len(written) < 40


async def test_less_is_asked_for_with_a_slice_or_a_filter(chain: EmbeddedChain) -> None:
    tight = facade(chain, answer_bytes=3_000)
    (refused,) = await answers(tight, call("getProgramAccounts", LOADER, BASE64))
    assert refused["error"]["code"] == -32012
    sliced = {**BASE64, "dataSlice": {"offset": 0, "length": 0}}
    (found,) = await answers(tight, call("getProgramAccounts", LOADER, sliced))
    assert len(found["result"]) > 0
    filtered = {**BASE64, "filters": [{"dataSize": 1}]}
    assert (await answers(tight, call("getProgramAccounts", LOADER, filtered)))[0]["result"] == []


async def test_a_batch_ends_where_its_answers_are_too_many_bytes(chain: EmbeddedChain) -> None:
    """Each request gets an answer, and what was not run says so."""
    wallet = str(Pubkey.new_unique())
    scan = call("getAccountInfo", USDC_MINT, BASE64)
    one = len(msgspec.json.encode(await answers(facade(chain), scan)))
    tight = facade(chain, answer_bytes=3 * one)
    said = await answers(tight, *[scan] * 6, call("requestAirdrop", wallet, 10**9, number="late"))
    assert [("result" in answer) for answer in said] == [True] * 3 + [False] * 4
    assert {answer["error"]["code"] for answer in said[3:]} == {-32012}
    assert said[-1]["id"] == "late"
    assert f"its answers are more than {3 * one} bytes" in said[-1]["error"]["message"]
    assert await Facade(chain).value("getBalance", wallet) == 0, "not run"


async def test_notifications_of_an_exhausted_batch_stay_without_answers(chain: EmbeddedChain) -> None:
    scan = call("getAccountInfo", USDC_MINT, BASE64)
    silent = {name: value for name, value in scan.items() if name != "id"}
    said = await answers(facade(chain, answer_bytes=10), scan, silent, {"jsonrpc": "2.0"}, scan)
    assert len(said) == 3


async def test_a_batch_ends_where_its_time_is_up(chain: EmbeddedChain) -> None:
    async def slow() -> str:
        await asyncio.sleep(0.05)
        return "done"

    dispatcher = Dispatcher({"slow": slow}, limits=AnswerLimits(batch_seconds=0.12))
    said = await answers(dispatcher, *[call("slow")] * 10)
    ran = sum("result" in answer for answer in said)
    assert 0 < ran < 10
    assert len(said) == 10
    assert "it took more than 0.12 seconds" in said[-1]["error"]["message"]


async def test_the_batches_under_way_share_a_bound(chain: EmbeddedChain) -> None:
    """And what one of them held is free when it is answered."""
    scan = call("getAccountInfo", USDC_MINT, BASE64)
    one = len(msgspec.json.encode((await answers(facade(chain), scan))[0]))
    tight = facade(chain, held_bytes=5 * one)
    said = await asyncio.gather(*(answers(tight, *[scan] * 4) for _ in range(3)))
    refused = [answer for batch in said for answer in batch if "error" in answer]
    assert len(refused) > 0
    assert {"too many large batches" in answer["error"]["message"] for answer in refused} == {True}
    assert all("result" in answer for answer in await answers(tight, *[scan] * 5))
