"""E6: blocks, one a slot, as `getBlock` and `blockSubscribe` show them, and what is counted block by block."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rpc.responses import (
    BlockNotification,
    GetBlockResp,
    GetBlocksResp,
    GetRecentPerformanceSamplesResp,
    parse_websocket_message,
)

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade import blocks, transactions
from countermand.solana.facade.dispatch import AnswerLimits, Dispatcher
from countermand.solana.facade.methods import RpcMethods
from countermand.solana.ledger import LedgerTransaction
from countermand.solana.tokens import USDC_MINT
from countermand.values.structs import replace
from tests.gifts import faucet_of
from tests.solana.chain_support import GENESIS, FaultyStore, ManualClock, open_chain
from tests.solana.facade_venue import Facade, Node, base64_of, funded, opened_chain, served, signed, transfer_of
from tests.solana.test_facade_sockets import Listener, listening

VERSIONS = {"maxSupportedTransactionVersion": 0}
SENT = {"encoding": "base64", "skipPreflight": True}


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
def rpc(chain: EmbeddedChain) -> Facade:
    return Facade(chain)


@pytest.fixture
async def node(chain: EmbeddedChain) -> AsyncIterator[Node]:
    async with served(chain) as running:
        yield running


async def lands(rpc: Facade, wallet: Keypair, lamports: int = 10**6, *, legacy: bool = False) -> tuple[str, int]:
    """A payment: its signature, and the slot in which it landed."""
    raw = await signed(rpc.chain, wallet, transfer_of(wallet, lamports), legacy=legacy)
    signature = await rpc.call("sendTransaction", base64_of(raw), SENT)
    (status,) = await rpc.value("getSignatureStatuses", [signature])
    return signature, status["slot"]


async def body(rpc: Facade, method: str, *params: object) -> str:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return (await rpc.dispatcher.answer(msgspec.json.encode(request))).body.decode()


async def test_a_block_has_what_landed_in_its_slot(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    signature, slot = await lands(rpc, wallet)
    await chain.expire_blockhashes()  # So the slot has passed.
    block = await rpc.call("getBlock", slot, VERSIONS)
    alone = await rpc.call("getTransaction", signature, VERSIONS)
    entry = {name: value for name, value in alone.items() if name not in ("slot", "blockTime")}
    assert entry in block["transactions"]
    assert set(entry) == {"meta", "transaction", "version"}
    for told in block["transactions"]:
        (status,) = await rpc.value("getSignatureStatuses", told["transaction"]["signatures"])
        assert status["slot"] == slot
    head = {name: value for name, value in block.items() if name != "transactions"}
    assert head == {
        "blockHeight": slot,
        "blockTime": await rpc.call("getBlockTime", slot),
        "blockhash": chain.blockhash_at(slot),
        "parentSlot": slot - 1,
        "previousBlockhash": chain.blockhash_at(slot - 1),
        "rewards": [],
    }


async def test_blocks_are_a_chain_from_the_first(rpc: Facade, chain: EmbeddedChain) -> None:
    slot = await rpc.call("getSlot")
    none = {"transactionDetails": "none", "rewards": False}
    before, after = [await rpc.call("getBlock", slot + n, none) for n in (-5, -4)]
    assert after["previousBlockhash"] == before["blockhash"]
    assert set(after) == {"blockHeight", "blockTime", "blockhash", "parentSlot", "previousBlockhash"}
    assert await rpc.value("isBlockhashValid", after["blockhash"]) is True
    first = await rpc.call("getBlock", await rpc.call("getFirstAvailableBlock"), none)
    assert (first["blockHeight"], first["parentSlot"], first["blockhash"]) == (0, 0, chain.genesis_hash)
    assert first["previousBlockhash"] == "11111111111111111111111111111111"
    assert await rpc.call("minimumLedgerSlot") == 0


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64", "base58"])
async def test_a_block_in_each_encoding(rpc: Facade, chain: EmbeddedChain, encoding: str) -> None:
    wallet = await funded(chain)
    signature, slot = await lands(rpc, wallet)
    await chain.expire_blockhashes()
    config = {**VERSIONS, "encoding": encoding}
    alone = await rpc.call("getTransaction", signature, config)
    block = await rpc.call("getBlock", slot, config)
    assert alone["transaction"] in [entry["transaction"] for entry in block["transactions"]]


async def test_a_block_in_less_detail(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    sent = [await lands(rpc, wallet, lamports) for lamports in (10**6, 10**15)]
    slot = sent[-1][1]
    await chain.expire_blockhashes()
    expected = [signature for signature, landed in sent if landed == slot]
    told = await rpc.call("getBlock", slot, {"transactionDetails": "signatures", "rewards": False})
    assert told["signatures"][-len(expected) :] == expected
    assert not {"transactions", "rewards"} & set(told)
    told = await rpc.call("getBlock", slot, {**VERSIONS, "transactionDetails": "accounts"})
    failed = told["transactions"][-1]
    assert failed["transaction"]["signatures"] == expected[-1:]
    assert failed["transaction"]["accountKeys"][0] == {
        "pubkey": str(wallet.pubkey()),
        "signer": True,
        "source": "transaction",
        "writable": True,
    }
    assert failed["meta"]["err"] == {"InstructionError": [0, {"Custom": 1}]}
    balances = {"preBalances", "postBalances", "preTokenBalances", "postTokenBalances"}
    assert set(failed["meta"]) == {"err", "status", "fee", "rewards", *balances}
    bare = await rpc.call("getBlock", slot, {**VERSIONS, "rewards": False})
    assert bare["transactions"][-1]["meta"]["rewards"] is None


async def test_a_block_for_a_client_that_knows_no_versions(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    signature, slot = await lands(rpc, wallet)
    await chain.expire_blockhashes()
    for config in ({}, "base64", {"transactionDetails": "accounts"}):
        assert (await rpc.fails("getBlock", slot, config))["code"] == -32015
    assert signature in (await rpc.call("getBlock", slot, {"transactionDetails": "signatures"}))["signatures"]
    _, slot = await lands(rpc, wallet, legacy=True)
    await chain.expire_blockhashes()
    (entry,) = (await rpc.call("getBlock", slot))["transactions"]
    assert "version" not in entry


async def test_a_block_does_not_change_once_it_is_told(rpc: Facade, chain: EmbeddedChain) -> None:
    """That of the present slot waits until the slot has passed."""
    wallet = await funded(chain)
    slot = await rpc.call("getSlot")
    asked = asyncio.create_task(rpc.call("getBlock", slot, VERSIONS))
    while await rpc.call("getSlot") == slot and not asked.done():
        await lands(rpc, wallet)
    first = await asked
    assert await rpc.call("getSlot") > slot
    assert await rpc.call("getBlock", slot, VERSIONS) == first


async def test_a_slot_that_has_not_come_has_no_block(rpc: Facade) -> None:
    slot = await rpc.call("getSlot") + 100
    refused = {"code": -32004, "message": f"Block not available for slot {slot}"}
    for method in ("getBlock", "getBlockTime"):
        assert await rpc.fails(method, slot) == refused
    assert (await rpc.fails("getBlock", 0, {"minContextSlot": slot}))["code"] == -32016


async def test_the_block_of_a_slot_that_does_not_pass_is_not_waited_for_for_ever() -> None:
    """A simulated clock stands still."""
    chain = await open_chain(clock=ManualClock())
    rpc = Facade(chain)
    slot = await rpc.call("getSlot")
    assert (await rpc.fails("getBlock", slot))["code"] == -32004
    assert await rpc.call("getBlock", slot - 1)
    await chain.close()


async def test_lists_of_blocks(rpc: Facade) -> None:
    slot = await rpc.call("getSlot")
    assert await rpc.call("getBlocks", slot - 3, slot - 1) == [slot - 3, slot - 2, slot - 1]
    assert await rpc.call("getBlocks", slot - 1, None, {"commitment": "confirmed"}) >= [slot - 1, slot]
    assert await rpc.call("getBlocks", slot - 1, {"commitment": "finalized"}) >= [slot - 1, slot]
    assert await rpc.call("getBlocks", slot, slot - 1) == []
    assert await rpc.call("getBlocks", slot + 500, slot + 600) == []
    assert await rpc.call("getBlocksWithLimit", slot - 3, 2) == [slot - 3, slot - 2]
    assert await rpc.call("getBlocksWithLimit", slot + 500, 9) == []
    assert await rpc.call("getBlocksWithLimit", 0, 0) == []


async def test_the_range_of_a_list_is_limited() -> None:
    clock = ManualClock()
    chain = await open_chain(clock=clock)
    clock.wall += 400 * 600_000
    rpc = Facade(chain)
    slot = await rpc.call("getSlot")
    assert len(await rpc.call("getBlocks", 0)) == 500_001
    assert len(await rpc.call("getBlocksWithLimit", 0, 500_000)) == 500_000
    refused = {"code": -32602, "message": "Slot range too large; max 500000"}
    assert await rpc.fails("getBlocks", 0, slot) == refused
    await chain.close()


async def test_a_block_time_is_that_of_its_transactions_after_a_restart() -> None:
    store, clock = FaultyStore(), ManualClock()
    chain = await open_chain(store, clock)
    clock.now -= 10**9  # The venue's clock is moved; an estimate by slots would not know.
    signature = await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    rpc = Facade(chain)
    shown = await rpc.call("getTransaction", signature, VERSIONS)
    clock.wall += 4_000_000
    clock.now += 10**10
    await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    await chain.close()
    rpc = Facade(chain := await open_chain(store, clock))
    assert await rpc.call("getBlockTime", shown["slot"]) == shown["blockTime"]
    assert (await rpc.call("getBlock", shown["slot"], VERSIONS))["blockTime"] == shown["blockTime"]
    await chain.close()


async def test_a_block_time_stays_when_the_clock_moves_within_its_slot() -> None:
    clock = ManualClock()
    chain = await open_chain(clock=clock)
    rpc = Facade(chain)
    signature = await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    slot, before = await rpc.call("getSlot"), clock.now // 1000
    clock.now += 3_600_000
    assert await rpc.call("getBlockTime", slot) == before + 3_600, "it is under way"
    await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    clock.wall += 400
    block = await rpc.call("getBlock", slot, VERSIONS)
    shown = await rpc.call("getTransaction", signature, VERSIONS)
    assert (block["blockTime"], await rpc.call("getBlockTime", slot)) == (shown["blockTime"],) * 2
    assert await rpc.call("getBlockTime", slot + 1) == before + 3_600
    await chain.close()


async def test_transactions_are_counted(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    before = await rpc.call("getTransactionCount")
    for lamports in (10**6, 10**15):
        await lands(rpc, wallet, lamports)
    assert await rpc.call("getTransactionCount", {"commitment": "processed"}) == before + 2
    assert (await rpc.fails("getTransactionCount", {"minContextSlot": 10**9}))["code"] == -32016


async def test_transactions_of_a_new_ledger_are_counted_anew() -> None:
    """A reset empties it."""
    chain = await open_chain()
    rpc = Facade(chain)
    for _ in range(3):
        await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    assert await rpc.call("getTransactionCount") == await rpc.call("getTransactionCount") == 3
    await chain.reset(replace(GENESIS, entropy=b"n" * 32))
    assert await rpc.call("getTransactionCount") == 0
    await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    assert await rpc.call("getTransactionCount") == 1
    await chain.close()


async def test_samples_count_minutes_that_have_passed() -> None:
    clock = ManualClock()
    chain = await open_chain(clock=clock)
    rpc = Facade(chain)
    landed = []
    for number in (2, 0, 3):
        for _ in range(number):
            await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
        landed.append(await rpc.call("getSlot") // 150)
        clock.wall += 60_000
    samples = await rpc.call("getRecentPerformanceSamples", 4)
    counted = {sample["slot"] // 150: sample for sample in samples}
    assert [counted[run]["numTransactions"] for run in landed] == [2, 0, 3]
    assert samples[0] == {
        "slot": landed[2] * 150 + 149,
        "numNonVoteTransactions": 3,
        "numSlots": 150,
        "numTransactions": 3,
        "samplePeriodSecs": 60,
    }
    assert len(samples) == 4
    assert [sample["slot"] for sample in samples] == sorted(counted[run]["slot"] for run in counted)[::-1]
    assert await rpc.call("getRecentPerformanceSamples", 0) == []
    assert len(await rpc.call("getRecentPerformanceSamples")) == samples[0]["slot"] // 150 + 1
    await chain.close()


async def test_a_large_block_is_refused_before_it_is_whole(
    rpc: Facade, chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C6: the error costs no more memory than the limit, and others get their turn."""
    wallet = await funded(chain)
    sent = [await lands(rpc, wallet) for _ in range(30)]
    slot = sent[-1][1]
    await chain.expire_blockhashes()
    whole = len((await rpc.call("getBlock", slot, VERSIONS))["transactions"])
    written: list[object] = []
    entry_json = transactions.entry_json

    def counted(*details: Any, **more: Any) -> dict[str, Any]:
        written.append(details)
        return entry_json(*details, **more)

    monkeypatch.setattr(blocks, "entry_json", counted)
    tight = Dispatcher(RpcMethods(chain, chain.send, answer_bytes_max=1_500).by_name(), limits=AnswerLimits())
    request = {"jsonrpc": "2.0", "id": 1, "method": "getBlock", "params": [slot, VERSIONS]}
    refused = msgspec.json.decode((await tight.answer(msgspec.json.encode(request))).body)
    assert refused["error"]["code"] == -32012
    assert len(written) < whole or whole <= 2


async def test_what_rust_reads_of_a_block(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    _, slot = await lands(rpc, wallet)
    await chain.expire_blockhashes()
    for details in ("full", "accounts", "signatures", "none"):
        for encoding in ("json", "jsonParsed", "base64"):
            config = {**VERSIONS, "transactionDetails": details, "encoding": encoding}
            block = GetBlockResp.from_json(await body(rpc, "getBlock", slot, config))
            assert isinstance(block, GetBlockResp), block
            assert block.value is not None
            assert block.value.block_height == slot
    assert isinstance(GetBlocksResp.from_json(await body(rpc, "getBlocks", slot - 3)), GetBlocksResp)
    samples = GetRecentPerformanceSamplesResp.from_json(await body(rpc, "getRecentPerformanceSamples", 2))
    assert isinstance(samples, GetRecentPerformanceSamplesResp)


# On a socket.


async def block_with(listener: Listener, subscription: int, signature: str) -> dict[str, Any]:
    """The first block of a subscription that has this transaction. The ones before have none of it."""
    async with asyncio.timeout(30):
        while True:
            told = await listener.hears("blockNotification", subscription)
            value = told["value"]
            assert told["context"]["slot"] == value["slot"]
            if signature in str(value):
                return dict(value)


async def test_blocks_are_told_one_by_one(node: Node, chain: EmbeddedChain) -> None:
    async with listening(node) as listener:
        subscription = await listener.gets("blockSubscribe", "all", {"transactionDetails": "signatures"})
        slots = [(await listener.hears("blockNotification", subscription))["value"]["slot"] for _ in range(2)]
        assert slots[1] == slots[0] + 1
        rpc = Facade(chain)
        signature, slot = await lands(rpc, await funded(chain))
        told = await block_with(listener, subscription, signature)
        assert told["slot"] == slot
        assert told["err"] is None
        config = {"transactionDetails": "signatures", "rewards": False}
        assert told["block"] == await rpc.call("getBlock", slot, config)
        assert await listener.gets("blockUnsubscribe", subscription) is True


async def test_blocks_of_those_that_mention_an_account(node: Node, chain: EmbeddedChain) -> None:
    alice, bob = await funded(chain), await funded(chain)
    rpc = Facade(chain)
    async with listening(node) as listener:
        mentions = {"mentionsAccountOrProgram": str(alice.pubkey())}
        config = {**VERSIONS, "encoding": "json", "showRewards": True, "commitment": "confirmed"}
        subscription = await listener.gets("blockSubscribe", mentions, config)
        await lands(rpc, bob)
        signature, slot = await lands(rpc, alice)
        told = await block_with(listener, subscription, signature)
        assert told["slot"] == slot
        (entry,) = [each for each in told["block"]["transactions"] if each["transaction"]["signatures"] == [signature]]
        for each in told["block"]["transactions"]:
            assert str(alice.pubkey()) in each["transaction"]["message"]["accountKeys"]
        assert told["block"]["rewards"] == entry["meta"]["rewards"] == []


async def test_a_block_is_read_once_for_all_who_subscribed(
    node: Node, chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C6: a thousand wallets that each listen for themselves cost one reading."""
    read: list[int] = []
    landed_in = chain.blocks.landed_in

    def counted(slot: int) -> AsyncIterator[LedgerTransaction]:
        read.append(slot)
        return landed_in(slot)

    monkeypatch.setattr(chain.blocks, "landed_in", counted)
    wallet = await funded(chain)
    async with listening(node) as listener:
        config = {"transactionDetails": "signatures"}
        mine, *_ = [
            await listener.gets("blockSubscribe", {"mentionsAccountOrProgram": str(key)}, config)
            for key in [wallet.pubkey(), *(Pubkey.new_unique() for _ in range(200))]
        ]
        signature, slot = await lands(Facade(chain), wallet)
        told = await block_with(listener, mine, signature)
        assert told["slot"] == slot
        assert read.count(slot) == 1
        await listener.hears_nothing()


async def test_what_landed_before_the_subscription_in_its_slot_is_told(node: Node, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    async with listening(node) as listener:
        slot = -1
        while slot != await Facade(chain).call("getSlot"):
            signature, slot = await lands(Facade(chain), wallet)
            mentions = {"mentionsAccountOrProgram": str(wallet.pubkey())}
            subscription = await listener.gets("blockSubscribe", mentions, {"transactionDetails": "signatures"})
        assert (await block_with(listener, subscription, signature))["slot"] == slot


async def test_a_block_that_a_client_cannot_read_is_told_as_an_error(node: Node, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    async with listening(node) as listener:
        mentions = {"mentionsAccountOrProgram": str(wallet.pubkey())}
        subscription = await listener.gets("blockSubscribe", mentions)
        _, slot = await lands(Facade(chain), wallet)
        told = (await listener.hears("blockNotification", subscription))["value"]
        while told["slot"] < slot:  # The wallet was funded in the slot in which it subscribed.
            told = (await listener.hears("blockNotification", subscription))["value"]
        assert told == {"slot": slot, "block": None, "err": {"UnsupportedTransactionVersion": 0}}


async def test_of_empty_blocks_that_pass_together_the_last_are_told(node: Node, chain: EmbeddedChain) -> None:
    """As when the machine slept: those with transactions are told all."""
    async with listening(node) as listener:
        config = {"transactionDetails": "signatures"}
        subscription = await listener.gets("blockSubscribe", "all", config)
        await listener.hears("blockNotification", subscription)
        signature, slot = await lands(Facade(chain), await funded(chain))
        await chain.expire_blockhashes()
        await chain.expire_blockhashes()
        told = await block_with(listener, subscription, signature)
        assert told["slot"] == slot
        after = [(await listener.hears("blockNotification", subscription))["value"]["slot"] for _ in range(150)]
        assert after[0] - slot > 100
        assert after == list(range(after[0], after[0] + 150))


async def test_what_rust_reads_of_a_block_on_a_socket(node: Node, chain: EmbeddedChain) -> None:
    async with listening(node) as listener:
        details = ("full", "accounts", "signatures", "none")
        for each in details:
            await listener.gets("blockSubscribe", "all", {**VERSIONS, "transactionDetails": each})
        await faucet_of(chain).mint_to(str(Pubkey.new_unique()), USDC_MINT, 1)
        for _ in details:
            (read,) = parse_websocket_message(msgspec.json.encode(await listener.next()).decode())
            assert isinstance(read, BlockNotification)


async def test_wrong_wishes_for_blocks(node: Node) -> None:
    async with listening(node) as listener:
        wrongs: list[tuple[Any, ...]] = [
            ("some",),
            ({"mentionsAccountOrProgram": "x"},),
            ({},),
            ("all", {"commitment": "processed"}),
            ("all", {"transactionDetails": "some"}),
            ("all", {"encoding": "base64+zstd"}),
        ]
        for wrong in wrongs:
            assert (await listener.asks("blockSubscribe", *wrong))["error"]["code"] == -32602
