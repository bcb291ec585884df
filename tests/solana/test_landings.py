"""The embedded chain tells of landings after their commit, in bounded memory, and ends where it may miss one."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from countermand.sandbox.faults import FaultyChain, WorldFaults
from countermand.solana.embedded import EmbeddedChain, Genesis
from countermand.solana.port import ChainUnavailable, LandedSignature
from tests.gifts import faucet_of
from tests.solana.chain_support import SOL, FaultyStore, address, open_chain, pays, signature_of, wallet

ALICE, BOB = wallet(1), wallet(2)


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
async def chain(store: FaultyStore) -> AsyncIterator[EmbeddedChain]:
    chain = await open_chain(store)
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    yield chain
    await chain.close()


async def sends(chain: EmbeddedChain, *lamports: int) -> list[str]:
    raws = [await pays(chain, ALICE, address(BOB), amount) for amount in lamports]
    for raw in raws:
        await chain.send(raw)
    return [signature_of(raw) for raw in raws]


async def heard(feed: AsyncIterator[LandedSignature], many: int) -> list[str]:
    async with asyncio.timeout(30):
        return [(await anext(feed)).signature for _ in range(many)]


async def test_nothing_is_told_before_its_commit(chain: EmbeddedChain, store: FaultyStore) -> None:
    async with chain.landings([address(BOB)]) as feed:
        store.gate.clear()
        sent = await sends(chain, SOL, 2 * SOL)
        first = asyncio.ensure_future(anext(feed))
        await asyncio.wait_for(store.waiting.wait(), 30)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not first.done()
        store.gate.set()
        assert [(await first).signature, *await heard(feed, 1)] == sent


async def test_what_was_executed_and_waits_for_its_commit_is_told_to_who_begins(
    chain: EmbeddedChain, store: FaultyStore
) -> None:
    store.gate.clear()
    sent = await sends(chain, SOL)
    async with chain.landings([address(BOB)]) as feed:
        store.gate.set()
        assert await heard(feed, 1) == sent


@pytest.mark.parametrize("failure", ["before", "after"])
async def test_a_commit_of_unknown_end_ends_the_subscription(
    chain: EmbeddedChain, store: FaultyStore, failure: str
) -> None:
    async with chain.landings([address(BOB)]) as feed:
        told = await sends(chain, SOL)
        await chain.settle()
        store.failing = [failure]
        unknown = await sends(chain, 2 * SOL)
        assert await heard(feed, 1) == told
        with pytest.raises(ChainUnavailable):
            await heard(feed, 1)
    await asyncio.wait_for(chain.ready(), 30)
    async with chain.landings([address(BOB)]) as feed:
        listed = [each.signature for each in await chain.signatures_for_address(address(BOB), until=told[0])]
        assert listed == (unknown if failure == "after" else [])
        later = await sends(chain, 3 * SOL)
        assert await heard(feed, 1) == later


async def test_a_slow_reader_costs_bounded_memory(chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.solana.landed.LANDED_WAITING_MAX", 3)
    async with chain.landings([address(BOB)]) as slow, chain.landings([address(BOB)]) as quick:
        reads = asyncio.ensure_future(heard(quick, 6))
        await asyncio.sleep(0)
        sent = []
        for lamports in range(SOL, SOL + 6):
            sent += await sends(chain, lamports)
            await chain.settle()
            await asyncio.sleep(0)
        assert await reads == sent
        assert await heard(slow, 3) == sent[:3]
        with pytest.raises(ChainUnavailable, match="3 landed transactions wait to be read"):
            await heard(slow, 1)


async def test_who_leaves_is_told_no_more(chain: EmbeddedChain) -> None:
    async with chain.landings([address(BOB)]) as feed:
        pass
    await sends(chain, SOL)
    await chain.settle()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(feed)


async def test_a_reset_and_the_end_of_the_chain_end_it(chain: EmbeddedChain) -> None:
    async with chain.landings([address(BOB)]) as feed:
        await chain.reset(Genesis(b"1" * 32, b"2" * 32, b"3" * 32))
        with pytest.raises(ChainUnavailable, match="begins anew"):
            await heard(feed, 1)
    async with chain.landings([address(BOB)]) as feed:
        await chain.close()
        with pytest.raises(ChainUnavailable, match="closed"):
            await heard(feed, 1)
        with pytest.raises(ChainUnavailable, match="closed"):
            await chain.landings([address(BOB)]).__aenter__()


async def test_the_fault_rpc_down_ends_it(chain: EmbeddedChain) -> None:
    faults = WorldFaults()
    faulty = FaultyChain(chain, faults)
    async with faulty.landings([address(BOB)]) as feed:
        sent = await sends(chain, SOL)
        assert await heard(feed, 1) == sent
        faults.rpc_down = True
        await sends(chain, 2 * SOL)
        with pytest.raises(ChainUnavailable, match="rpcDown"):
            await heard(feed, 1)
    with pytest.raises(ChainUnavailable, match="rpcDown"):
        await faulty.landings([address(BOB)]).__aenter__()
