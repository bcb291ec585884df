"""The queue between the machine and the store: what is told, and when nothing is any more."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from countermand.solana.clockwork import SlotClock
from countermand.solana.group_commit import BATCHES_AHEAD_MAX, ExecutedTransaction, GroupCommit
from countermand.solana.ledger import Meta
from countermand.solana.ledger_store import LedgerUnavailable
from tests.solana.chain_support import FaultyStore, ManualClock

META = Meta(5_000, 150, [], [], [], [], [], [], None, [], [])
KEY, OTHER = Pubkey(b"k" * 32), Pubkey(b"o" * 32)


async def queue(store: FaultyStore) -> GroupCommit:
    clock = ManualClock()
    slots = SlotClock(SlotClock.beginning(1_000, clock), clock)
    return GroupCommit(store, await store.begin_epoch(None), 0, slots)


def landed(commits: GroupCommit) -> ExecutedTransaction:
    number = commits.position + 1
    signature = number.to_bytes(64, "little")
    return ExecutedTransaction(signature, signature[:32], number, 1_000, 0, b"raw", None, [KEY], [], META)


def lands(commits: GroupCommit) -> None:
    commits.land(landed(commits), {})


def puts(commits: GroupCommit) -> None:
    commits.put({KEY: Account(1, b"", Pubkey.default(), executable=False)})


def raises_the_ceiling(commits: GroupCommit) -> None:
    commits.raise_ceiling()


def nothing_told(_batch: object) -> None: ...


@pytest.mark.parametrize("enters", [lands, puts, raises_the_ceiling])
async def test_after_it_was_abandoned_every_entry_raises(enters: Callable[[GroupCommit], None]) -> None:
    """B15: what is queued then would wait for ever."""
    commits = await queue(FaultyStore())
    failure = LedgerUnavailable("the chain is being reset")
    commits.abandon(failure)
    with pytest.raises(LedgerUnavailable) as raised:
        enters(commits)
    assert raised.value is failure
    assert commits.idle


async def test_what_is_committed_is_told_while_the_chain_is_replaced() -> None:
    commits = await queue(FaultyStore())
    commits.abandon(LedgerUnavailable("the chain is being reset"))
    await commits.changes_of([KEY])


async def test_what_was_not_committed_is_not_told_then() -> None:
    """Which accounts it changed is not known any more."""
    commits = await queue(FaultyStore())
    puts(commits)
    failure = LedgerUnavailable("the chain is being reset")
    commits.abandon(failure)
    with pytest.raises(LedgerUnavailable) as raised:
        await commits.changes_of([OTHER])
    assert raised.value is failure


@pytest.mark.parametrize("enters", [lands, puts, raises_the_ceiling])
async def test_after_a_commit_failed_every_entry_raises(enters: Callable[[GroupCommit], None]) -> None:
    store = FaultyStore()
    commits = await queue(store)
    store.failing = ["before"]
    puts(commits)
    with pytest.raises(LedgerUnavailable, match="connection broke"):
        await commits.run(nothing_told)
    with pytest.raises(LedgerUnavailable, match="connection broke"):
        enters(commits)


async def room(commits: GroupCommit) -> None:
    await commits.room()


async def newest(commits: GroupCommit) -> None:
    await commits.up_to(commits.position)


@pytest.mark.parametrize("waits", [room, newest])
async def test_everybody_who_waits_is_told_that_it_was_abandoned(
    waits: Callable[[GroupCommit], Awaitable[None]],
) -> None:
    commits = await queue(FaultyStore())
    for _ in range(257 * (BATCHES_AHEAD_MAX + 1)):
        lands(commits)
    waiting = asyncio.ensure_future(waits(commits))
    await asyncio.sleep(0)
    assert not waiting.done()
    commits.abandon(LedgerUnavailable("the chain is being reset"))
    with pytest.raises(LedgerUnavailable, match="being reset"):
        await waiting


async def test_a_position_that_was_never_committed_is_not_told_after_it_was_abandoned() -> None:
    commits = await queue(FaultyStore())
    puts(commits)
    commits.abandon(LedgerUnavailable("the chain is being reset"))
    with pytest.raises(LedgerUnavailable, match="being reset"):
        await commits.up_to(commits.position)


async def test_what_was_committed_before_stays_told() -> None:
    commits = await queue(FaultyStore())
    puts(commits)
    writing = asyncio.create_task(commits.run(nothing_told))
    await commits.up_to(1)
    writing.cancel()
    commits.abandon(LedgerUnavailable("the chain is being reset"))
    await commits.up_to(1)


async def test_what_comes_while_a_batch_is_written_is_in_the_next_one() -> None:
    store = FaultyStore()
    commits = await queue(store)
    writing = asyncio.create_task(commits.run(nothing_told))
    store.gate.clear()
    lands(commits)
    await store.waiting.wait()
    lands(commits)
    lands(commits)
    second = asyncio.ensure_future(commits.up_to(2))
    store.gate.set()
    await second
    assert [[one.position for one in batch.transactions] for batch in store.batches] == [[1], [2, 3]]
    assert [(batch.seq_before, batch.seq) for batch in store.batches] == [(0, 1), (1, 3)]
    writing.cancel()


@pytest.mark.parametrize("enters", [lands, puts, raises_the_ceiling])
async def test_all_is_written_when_also_the_ceiling_is(enters: Callable[[GroupCommit], None]) -> None:
    """The store is closed next: a commit that is under way then would be cut."""
    commits = await queue(FaultyStore())
    enters(commits)
    writing = asyncio.create_task(commits.run(nothing_told))
    await commits.all_written()
    assert commits.idle
    writing.cancel()


async def test_what_comes_a_turn_later_is_in_the_same_batch() -> None:
    commits = await queue(FaultyStore())
    told: list[int] = []
    writing = asyncio.create_task(commits.run(lambda batch: told.append(batch.until)))
    await asyncio.sleep(0)
    puts(commits)
    await asyncio.sleep(0)
    puts(commits)
    await commits.all_written()
    assert told == [2]
    writing.cancel()
