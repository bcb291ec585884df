"""Following an address: all that landed and all that lands, in order, each once, from any point."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from countermand.services.chain_index import follower as module
from countermand.services.chain_index.follower import Follower
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.port import AddressSignature, Chain, ChainRecords, ChainUnavailable, SignatureStatus
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


async def sends(chain: EmbeddedChain, many: int, lamports: int = SOL // 100) -> list[str]:
    raws = [await pays(chain, ALICE, address(BOB), lamports + n) for n in range(many)]
    for raw in raws:
        await chain.send(raw)
    await chain.settle()
    return [signature_of(raw) for raw in raws]


async def told(following: AsyncIterator[Sequence[object]], many: int) -> list[str]:
    """So many transactions; empty batches do not count."""
    found: list[str] = []
    async with asyncio.timeout(60):
        while len(found) < many:
            found += [each.signature for each in cast("Sequence[AddressSignature]", await anext(following))]
    return found


async def test_what_landed_before_and_what_lands_from_now_on(chain: EmbeddedChain) -> None:
    before = await sends(chain, 5)
    async with aclosing(Follower(chain, chain, address(BOB)).follow(None)) as following:
        assert await told(following, 5) == before
        assert await anext(following) == ()
        live = await sends(chain, 3, 2 * SOL // 100)
        assert await told(following, 3) == live


async def test_it_begins_after_the_last_that_is_known(chain: EmbeddedChain) -> None:
    before = await sends(chain, 5)
    async with aclosing(Follower(chain, chain, address(BOB)).follow(before[2])) as following:
        assert await told(following, 2) == before[3:]


async def test_a_long_past_is_told_by_pages(chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HISTORY_PAGE_MAX", 3)
    monkeypatch.setattr(module, "TRANSACTIONS_MAX", 2)
    list_signatures = chain.signatures_for_address

    async def by_threes(
        account: str, *, limit: int = 3, before: str | None = None, until: str | None = None
    ) -> Sequence[AddressSignature]:
        return await list_signatures(account, limit=min(3, limit), before=before, until=until)

    monkeypatch.setattr(chain, "signatures_for_address", by_threes)
    before = await sends(chain, 8)
    async with aclosing(Follower(chain, chain, address(BOB)).follow(None)) as following:
        assert await told(following, 8) == before


async def test_an_address_that_was_never_followed_is_told_the_newest_of(
    chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HISTORY_PAGE_MAX", 2)
    monkeypatch.setattr(module, "LISTED_MAX", 4)
    list_signatures = chain.signatures_for_address

    async def by_twos(
        account: str, *, limit: int = 2, before: str | None = None, until: str | None = None
    ) -> Sequence[AddressSignature]:
        return await list_signatures(account, limit=min(2, limit), before=before, until=until)

    monkeypatch.setattr(chain, "signatures_for_address", by_twos)
    before = await sends(chain, 8)
    async with aclosing(Follower(chain, chain, address(BOB)).follow(None)) as following:
        assert await told(following, 4) == before[-4:]


async def test_a_lost_subscription_is_told_after_what_came_before_it(chain: EmbeddedChain, store: FaultyStore) -> None:
    async with aclosing(Follower(chain, chain, address(BOB)).follow(None)) as following:
        assert await anext(following) == ()
        first = await sends(chain, 2)
        assert await told(following, 2) == first
        store.failing = ["before"]
        await chain.send(await pays(chain, ALICE, address(BOB), 1))
        with pytest.raises(ChainUnavailable):
            await told(following, 1)


class Forgetful:
    """A node without some of the transactions: as an `until` it passes over them, before one it tells nothing."""

    def __init__(self, chain: EmbeddedChain, forgotten: set[str]) -> None:
        self._chain = chain
        self.forgotten = forgotten

    async def signatures_for_address(
        self, account: str, *, limit: int = 3, before: str | None = None, until: str | None = None
    ) -> Sequence[AddressSignature]:
        if before in self.forgotten:
            return []
        until = None if until in self.forgotten else until
        page = await self._chain.signatures_for_address(account, limit=min(3, limit), before=before, until=until)
        return [each for each in page if each.signature not in self.forgotten]

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        return None if signature in self.forgotten else await self._chain.signature_status(signature)

    def __getattr__(self, name: str) -> object:
        return getattr(self._chain, name)


async def test_all_that_is_left_is_told_by_a_node_that_forgot_the_last_that_is_known(
    chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HISTORY_PAGE_MAX", 3)
    before = await sends(chain, 8)
    node = Forgetful(chain, set(before[:2]))
    follower = Follower(cast("Chain", node), cast("ChainRecords", node), address(BOB))
    with capture_logs() as logs:
        async with aclosing(follower.follow(before[1])) as following:
            assert await told(following, 6) == before[2:]
    assert [(each["log_level"], each["after"]) for each in logs] == [("warning", before[1])]


async def test_nothing_is_told_by_halves_where_another_node_answers_on_the_way(
    chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HISTORY_PAGE_MAX", 3)
    before = await sends(chain, 8)
    node = Forgetful(chain, set())
    list_signatures = node.signatures_for_address

    async def then_another(account: str, **bounds: Any) -> Sequence[AddressSignature]:
        page = await list_signatures(account, **bounds)
        node.forgotten = set(before[5:])
        return page

    monkeypatch.setattr(node, "signatures_for_address", then_another)
    follower = Follower(cast("Chain", node), cast("ChainRecords", node), address(BOB))
    async with aclosing(follower.follow(before[0])) as following:
        with pytest.raises(ChainUnavailable, match="does not know it"):
            await anext(following)


class Finality:
    """A node whose newest signatures are not final yet."""

    def __init__(self, final: int, known: int) -> None:
        self.listed = [AddressSignature(f"s{n}", n, None, n) for n in reversed(range(1, known + 1))]
        self.final = final
        self.asked: list[str] = []

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        self.asked.append(signature)
        return SignatureStatus(int(signature[1:]), int(signature[1:]) <= self.final, None)


@pytest.mark.parametrize("known", [0, 1, 2, 3, 8, 33])
async def test_only_what_is_final_is_told(known: int) -> None:
    for final in range(known + 1):
        node = Finality(final, known)
        follower = Follower(cast("Chain", node), cast("ChainRecords", node), "a")
        first = await follower._first_final(node.listed)
        assert [each.slot for each in node.listed[first:]] == list(range(final, 0, -1))
        assert len(node.asked) <= 8


async def test_the_newest_is_asked_for(chain: EmbeddedChain) -> None:
    following = Follower(chain, chain, address(BOB))
    assert await following.newest() is None
    sent = await sends(chain, 2)
    assert await following.newest() == sent[-1]
