"""The newest transactions are told from memory: what the store would tell, and nothing before it is committed."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from countermand.solana import group_commit
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.ledger_store import StoredTransaction
from countermand.solana.port import ChainUnavailable
from tests.gifts import faucet_of
from tests.solana.chain_support import SOL, FaultyStore, address, open_chain, pays, signature_of, transaction_of, wallet

ALICE, BOB = wallet(1), wallet(2)


class CountingStore(FaultyStore):
    """Which transactions it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []

    async def transactions(self, signatures: Sequence[bytes]) -> list[StoredTransaction | None]:
        self.asked += signatures
        return await super().transactions(signatures)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
async def chain(store: CountingStore) -> AsyncIterator[EmbeddedChain]:
    chain = await open_chain(store)
    await faucet_of(chain).airdrop(address(ALICE), 100 * SOL)
    yield chain
    store.gate.set()
    await chain.close()


async def test_it_is_what_the_store_tells(chain: EmbeddedChain, store: CountingStore) -> None:
    good, bad = await pays(chain, ALICE, address(BOB), SOL), await pays(chain, ALICE, address(BOB), 100 * SOL)
    for raw in (good, bad):
        assert (await chain.submit(raw)).landed
    signatures = [signature_of(good), signature_of(bad), signature_of(good)]
    told = await chain.transactions(signatures)
    assert not store.asked
    assert [None if each is None else each.error is None for each in told] == [True, False, True]
    await chain.close()
    again = await open_chain(store)
    assert await again.transactions(signatures) == told
    assert len(store.asked) == 2, "each once, by a chain that remembers neither"
    await again.close()


async def test_an_older_one_is_asked_for(
    chain: EmbeddedChain, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "NEWEST_KEPT", 2)
    sent = [await pays(chain, ALICE, address(BOB), SOL + number) for number in range(3)]
    for raw in sent:
        await chain.submit(raw)
    told = await chain.transactions([signature_of(raw) for raw in sent])
    assert [None if each is None else each.raw for each in told] == sent
    assert len(store.asked) == 1


async def test_nothing_is_told_before_its_commit(chain: EmbeddedChain, store: CountingStore) -> None:
    store.gate.clear()
    raw = await pays(chain, ALICE, address(BOB), SOL)
    await chain.send(raw)
    asking = asyncio.create_task(transaction_of(chain, signature_of(raw)))
    await asyncio.wait([asking], timeout=0.05)
    assert not asking.done()
    store.gate.set()
    assert await asking is not None


@pytest.mark.parametrize(("failure", "is_told"), [("before", False), ("after", True)])
async def test_what_a_failed_commit_did_is_asked_for(
    chain: EmbeddedChain, store: CountingStore, failure: str, is_told: bool
) -> None:
    store.failing = [failure]
    raw = await pays(chain, ALICE, address(BOB), SOL)
    with pytest.raises(ChainUnavailable):
        await chain.submit(raw)
    await chain.ready()
    assert (await transaction_of(chain, signature_of(raw)) is not None) is is_told
    assert len(store.asked) == 1
