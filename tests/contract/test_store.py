"""What every store does, whatever it keeps its rows in."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import pytest
import pytest_asyncio

from countermand.kernel.ports import Batch, CommitUnknown, Epoch, EventRecord, EventRow, JournalRow, WriterReplaced
from countermand.orders.shards import BucketOwners
from countermand.orders.trigger.ports import OrderRow, Sort, Store, TriggerBatch, TriggerRows
from countermand.orders.vaults.ports import CraftRow, HistoryQuery, StoredHistory, StoredOrder
from countermand.orders.vaults.registry import VaultRow
from countermand.values.bucket import ALL_BUCKETS, Bucket, BucketRange, bucket_hinted_by, bucket_of
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.structs import replace
from tests.contract.store_worlds import AnyStore, InMemory, InPostgres, World, bodies

ALICE: Final = Wallet("ALiceyDVfcAhGRkbVhxjrSmRbxdd4uCrKwRSMYCGRVEb")
BOB: Final = Wallet("BobHYtvZd1DYUwqgMUcPTwrQZBcRu4Bd5m9zQ5kC9Wtv")
SOL: Final = Mint("So11111111111111111111111111111111111111112")
USDC: Final = Mint("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
JUP: Final = Mint("JUPyiwrYJFskUPiHa7hkeR8VUtAAVxWLyZX8hmVYGHhj")
TODAY: Final = 1_790_000_000_000


@pytest.fixture(params=["memory", "postgres"])
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    if request.param == "memory":
        return InMemory()
    return InPostgres(request.getfixturevalue("database_url"), monkeypatch)


@pytest_asyncio.fixture
async def world(home: World) -> AsyncIterator[World]:
    yield home
    await home.close()


@pytest_asyncio.fixture
async def store(world: World) -> AnyStore:
    return await world.open()


def order_id(number: int) -> OrderId:
    return OrderId(f"01900000-0000-7000-8000-{number:012x}")


def request_id(number: int) -> RequestId:
    return RequestId(f"00000000-0000-4000-8000-{number:012x}")


def order_row(number: int, **changes: Any) -> OrderRow:
    row = OrderRow(
        id=order_id(number),
        bucket=bucket_of(ALICE),
        wallet=ALICE,
        live=True,
        active=True,
        input_mint=SOL,
        output_mint=USDC,
        created_at=Instant(TODAY + number),
        updated_at=Instant(TODAY + number),
        expires_at=Instant(TODAY + 1_000_000),
        body=b'{"order":%d}' % number,
    )
    return replace(row, **changes)


def journal_row(seq: int) -> JournalRow:
    return JournalRow(seq, Instant(TODAY + seq), "place_order", b'{"seq":%d}' % seq, b"hash %d" % seq)


def event_row(order: int, seq: int, *, passing: bool = False) -> EventRow:
    kind = "fill_failed" if passing else "fill_landed"
    return EventRow(seq, 0, EventRecord(ALICE, order_id(order), kind, b'{"happened":%d}' % seq))


def craft_row(number: int, last_valid_height: int) -> CraftRow:
    return CraftRow(request_id(number), bucket_of(ALICE), order_id(number), last_valid_height, b'{"craft":%d}' % number)


def vault_row(wallet: Wallet, at: int) -> VaultRow:
    return VaultRow(wallet, bucket_of(wallet), Instant(at))


def batch(
    epoch: Epoch,
    seq_before: int = 0,
    commands: int = 1,
    *,
    shard: int = 0,
    journal: Sequence[JournalRow] | None = None,
    events: Sequence[EventRow] = (),
    **rows: Any,
) -> TriggerBatch:
    seq_after = seq_before + commands
    if journal is None:
        journal = [journal_row(seq) for seq in range(seq_before + 1, seq_after + 1)]
    return Batch(
        shard, epoch.number, seq_before, seq_after, b"hash %d" % seq_after, journal, events, TriggerRows(**rows)
    )


def everything(epoch: Epoch, seq_before: int = 0) -> TriggerBatch:
    """A batch with a row of each kind."""
    return batch(
        epoch,
        seq_before,
        orders=[order_row(1)],
        events=[event_row(1, 2)],
        crafts=[craft_row(1, 500)],
    )


async def rows_of(store: AnyStore) -> list[object]:
    """All that can be read of shard 0, but for its epoch."""
    async with store.snapshot() as view:
        stands = dict(await view.shards())[0]
        return [
            stands.seq,
            stands.head,
            stands.last_at,
            [row async for row in view.journal(0)],
            [row async for row in view.orders(0)],
            [row async for row in view.events(0)],
            (await store.crafts([request_id(1)])).get(request_id(1)),
        ]


# --- epochs and the fence


async def test_a_shard_begins_with_nothing(store: Store) -> None:
    assert await store.begin_epoch(0) == Epoch(1, 0, b"", Instant(0))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == []
    assert (await store.orders([order_id(1)])).get(order_id(1)) is None
    assert await store.order_history(order_id(1)) is None
    assert (await store.crafts([request_id(1)])).get(request_id(1)) is None


async def test_a_new_epoch_knows_where_the_shard_stands(store: Store) -> None:
    first = await store.begin_epoch(0)
    await store.commit(batch(first, commands=3))
    await store.commit(batch(first, seq_before=3))
    assert await store.begin_epoch(0) == Epoch(2, 4, b"hash 4", Instant(TODAY + 4))


async def test_shards_do_not_share_anything(store: Store) -> None:
    mine, other = await store.begin_epoch(0), await store.begin_epoch(1)
    await store.commit(replace(everything(mine), shard=0))
    assert await bodies(store.live_orders(1, ALL_BUCKETS)) == []
    await store.commit(batch(other, shard=1, orders=[order_row(2)]))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":1}']


async def test_a_commit_stores_every_kind_of_row(store: AnyStore) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(everything(epoch))
    assert await rows_of(store) == [
        1,
        b"hash 1",
        TODAY + 1,
        [journal_row(1)],
        [order_row(1)],
        [event_row(1, 2)],
        b'{"craft":1}',
    ]
    assert (await store.orders([order_id(1)]))[order_id(1)].body == b'{"order":1}'


async def test_where_the_fence_fails_nothing_at_all_is_written(store: AnyStore) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    before = await rows_of(store)
    wrongs: list[dict[str, Any]] = [{"epoch": 0}, {"epoch": 2}, {"seq_before": 0}, {"seq_before": 2}, {"shard": 7}]
    for wrong in wrongs:
        with pytest.raises(WriterReplaced):
            await store.commit(replace(everything(epoch, seq_before=1), **wrong))
        assert await rows_of(store) == before
        assert (await store.orders([order_id(1)])).get(order_id(1)) is None


async def test_side_rows_alone_are_fenced_too(store: AnyStore) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    side: dict[str, Any] = {
        "crafts": [craft_row(1, 500)],
    }
    await store.commit(batch(epoch, 1, commands=0, **side))
    stored = await rows_of(store)
    assert stored[:3] == [1, b"hash 1", TODAY + 1]
    assert stored[6:] == [b'{"craft":1}']
    successor = await store.begin_epoch(0)
    with pytest.raises(WriterReplaced):
        await store.commit(batch(epoch, 1, commands=0, crafts=[craft_row(2, 500)]))
    await store.commit(batch(successor, 1, commands=0, crafts=[craft_row(3, 500)]))
    assert [(await store.crafts([request_id(n)])).get(request_id(n)) for n in (2, 3)] == [None, b'{"craft":3}']


async def test_of_two_writers_the_older_is_replaced(world: World, store: AnyStore) -> None:
    old = await store.begin_epoch(0)
    successor = await world.open()
    new = await successor.begin_epoch(0)
    with pytest.raises(WriterReplaced):
        await store.commit(everything(old))
    await successor.commit(everything(new))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":1}']


@pytest.mark.parametrize("lands", [True, False])
async def test_a_new_epoch_waits_for_a_batch_that_is_inside_or_defeats_it(
    world: World, store: AnyStore, lands: bool
) -> None:
    old = await store.begin_epoch(0)
    new = await world.begin_epoch_while_inside(everything(old), lands=lands)
    assert new == (Epoch(2, 1, b"hash 1", Instant(TODAY + 1)) if lands else Epoch(2, 0, b"", Instant(0)))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == ([b'{"order":1}'] if lands else [])
    successor = await world.open()
    await successor.commit(batch(new, new.seq, orders=[order_row(2)]))
    assert b'{"order":2}' in await bodies(store.live_orders(0, ALL_BUCKETS))


@pytest.mark.parametrize("applied", [True, False])
async def test_a_lost_answer_leaves_the_outcome_unknown(world: World, applied: bool) -> None:
    store, strike = await world.open_unlucky(applied=applied)
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch))
    await strike()
    with pytest.raises(CommitUnknown):
        await store.commit(everything(epoch, seq_before=1))
    successor = await world.open()
    assert (await successor.begin_epoch(0)).seq == (2 if applied else 1)
    assert await bodies(successor.live_orders(0, ALL_BUCKETS)) == ([b'{"order":1}'] if applied else [])


# --- rows


async def test_an_order_is_stored_as_it_is_now(store: Store) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch, orders=[order_row(1), order_row(2)]))
    changed = order_row(1, updated_at=Instant(TODAY + 9), body=b"changed")
    await store.commit(batch(epoch, 1, orders=[changed, order_row(3)]))
    assert (await store.orders([order_id(1)]))[order_id(1)].body == b"changed"
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b"changed", b'{"order":2}', b'{"order":3}']


async def test_only_live_orders_are_loaded_but_all_can_be_read(store: Store) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch, orders=[order_row(n) for n in (3, 1, 2)]))
    await store.commit(batch(epoch, 1, orders=[order_row(2, live=False, active=False, body=b"ended")]))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":1}', b'{"order":3}']
    assert (await store.orders([order_id(2)]))[order_id(2)].body == b"ended"
    await store.commit(batch(epoch, 2, orders=[order_row(2, body=b"revived")]))
    assert await bodies(store.live_orders(0, ALL_BUCKETS)) == [b'{"order":1}', b"revived", b'{"order":3}']


async def test_a_load_reads_only_rows_in_the_buckets_that_are_asked_for(store: AnyStore) -> None:
    """The last byte of an id is no bucket: what counts is the row's."""
    epoch = await store.begin_epoch(0)
    buckets = {1: 0, 2: 127, 3: 128, 255: 200, 200: 255}
    await store.commit(batch(epoch, orders=[order_row(n, bucket=Bucket(bucket)) for n, bucket in buckets.items()]))
    low, high = BucketRange(Bucket(0), Bucket(127)), BucketRange(Bucket(128), Bucket(255))
    assert await bodies(store.live_orders(0, low)) == [b'{"order":1}', b'{"order":2}']
    assert await bodies(store.live_orders(0, high)) == [b'{"order":3}', b'{"order":200}', b'{"order":255}']
    assert await bodies(store.live_orders(0, BucketRange(Bucket(128), Bucket(128)))) == [b'{"order":3}']
    assert await bodies(store.live_orders(1, ALL_BUCKETS)) == []


async def test_the_owner_of_an_order_follows_from_its_row_whatever_its_id_says(store: AnyStore) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(
        batch(epoch, orders=[order_row(0xA0, bucket=Bucket(0x0A)), order_row(0x0A, bucket=Bucket(0xA0))])
    )
    owners = BucketOwners({0: BucketRange(Bucket(0), Bucket(127)), 2: BucketRange(Bucket(128), Bucket(255))})
    rows = await store.orders([order_id(0xA0), order_id(0x0A)])
    assert [owners.owner_of(rows[order_id(n)].bucket) for n in (0xA0, 0x0A)] == [0, 2]
    assert [owners.owner_of(bucket_hinted_by(order_id(n))) for n in (0xA0, 0x0A)] == [2, 0], "the ids say the opposite"
    assert await store.order_history(order_id(0xA0)) is not None


async def test_a_craft_stays_what_it_was_first(store: Store) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch, crafts=[craft_row(1, 5)]))
    again = replace(craft_row(1, 9), body=b"another")
    await store.commit(batch(epoch, 1, crafts=[again, again]))
    assert (await store.crafts([request_id(1)])).get(request_id(1)) == b'{"craft":1}'


async def crafts_left(store: Store) -> list[bool]:
    left = await store.crafts([request_id(n) for n in range(1, 6)])
    return [request_id(n) in left for n in range(1, 6)]


async def test_dead_crafts_are_forgotten_unless_they_became_orders(store: Store) -> None:
    epoch = await store.begin_epoch(0)
    await store.commit(batch(epoch, crafts=[craft_row(n, 100 + n) for n in range(1, 6)], orders=[order_row(2)]))
    await store.delete_dead_crafts(104)
    assert await crafts_left(store) == [
        False,
        True,
        False,
        True,
        True,
    ]
    await store.commit(batch(epoch, 1, orders=[order_row(4)]))
    await store.delete_dead_crafts(1_000)
    assert await crafts_left(store) == [
        False,
        True,
        False,
        True,
        False,
    ]


# --- history


ASKED: Final = HistoryQuery(ALICE, None, None, Sort.UPDATED_AT, True, 20, 0)


def numbers(found: StoredHistory) -> list[int]:
    return [int(stored.order.split(b":")[1][:-1]) for stored in found.orders]


async def commit_orders(store: Store, orders: Sequence[OrderRow], events: Sequence[EventRow] = ()) -> None:
    await store.commit(batch(await store.begin_epoch(0), orders=orders, events=events))


async def test_a_history_is_filtered(store: Store) -> None:
    await commit_orders(
        store,
        [
            order_row(1),
            order_row(2, input_mint=JUP),
            order_row(3, active=False, live=False),
            order_row(4, output_mint=JUP),
            order_row(5, wallet=BOB),
        ],
    )
    filters: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [4, 3, 2, 1]),
        ({"wallet": BOB}, [5]),
        ({"wallet": Wallet("stranger")}, []),
        ({"active": True}, [4, 2, 1]),
        ({"active": False}, [3]),
        ({"mint": JUP}, [4, 2]),
        ({"mint": USDC}, [3, 2, 1]),
        ({"mint": JUP, "active": False}, []),
    ]
    for changes, expected in filters:
        found = await store.history(replace(ASKED, **changes))
        assert (changes, found.total, numbers(found)) == (changes, len(expected), expected)


async def test_a_history_is_sorted_with_the_id_breaking_ties(store: Store) -> None:
    at = [Instant(TODAY + 1_000_000 + n) for n in range(4)]
    await commit_orders(
        store,
        [
            order_row(4, updated_at=at[2], expires_at=at[1]),
            order_row(1, updated_at=at[2], expires_at=at[2]),
            order_row(3, updated_at=at[1], expires_at=at[2]),
            order_row(2, updated_at=at[0], expires_at=at[2]),
        ],
    )
    orders = {Sort.UPDATED_AT: [2, 3, 1, 4], Sort.CREATED_AT: [1, 2, 3, 4], Sort.EXPIRES_AT: [4, 1, 2, 3]}
    assert list(orders) == list(Sort)
    for sort, ascending in orders.items():
        for limit in (4, 2):
            page = replace(ASKED, sort=sort, limit=limit)
            assert numbers(await store.history(replace(page, descending=False))) == ascending[:limit]
            assert numbers(await store.history(replace(page, descending=True))) == ascending[::-1][:limit]


async def test_a_page_says_how_many_match_in_all(store: Store) -> None:
    await commit_orders(store, [order_row(n) for n in range(1, 6)])
    pages = {(2, 0): [1, 2], (2, 2): [3, 4], (2, 4): [5], (2, 5): [], (0, 0): [], (100, 1): [2, 3, 4, 5]}
    for (limit, offset), expected in pages.items():
        found = await store.history(replace(ASKED, descending=False, limit=limit, offset=offset))
        assert (found.total, numbers(found)) == (5, expected)


async def test_what_happened_comes_with_each_order_the_newest_first(store: Store) -> None:
    rows = [event_row(1, 4), event_row(1, 2), event_row(1, 10), event_row(3, 1)]
    await commit_orders(store, [order_row(1), order_row(2)], rows)
    first = StoredOrder(b'{"order":1}', [b'{"happened":10}', b'{"happened":4}', b'{"happened":2}'])
    second = StoredOrder(b'{"order":2}', [])
    assert await store.history(replace(ASKED, descending=False)) == StoredHistory(2, [first, second])
    assert await store.order_history(order_id(1)) == first
    assert await store.order_history(order_id(2)) == second
    assert await store.order_history(order_id(3)) is None


async def test_of_a_long_history_the_newest_two_hundred_are_shown(store: Store) -> None:
    await commit_orders(store, [order_row(1)], [event_row(1, n) for n in range(250)])
    newest = [b'{"happened":%d}' % n for n in range(249, 49, -1)]
    shown = await store.order_history(order_id(1))
    assert shown is not None
    assert shown.history == newest
    assert (await store.history(ASKED)).orders[0].history == newest


async def test_a_writer_may_begin_again_until_another_took_the_shard(world: World, store: AnyStore) -> None:
    mine = await store.begin_epoch(0)
    again = await store.begin_epoch(0, mine.number)
    assert again.number > mine.number
    assert (await store.begin_epoch(0, mine.number)).number > again.number
    successor = await world.open()
    theirs = await successor.begin_epoch(0)
    with pytest.raises(WriterReplaced):
        await store.begin_epoch(0, mine.number)
    await successor.commit(batch(theirs))


async def test_of_what_passes_only_the_newest_few_are_shown_and_hide_nothing_else(store: Store) -> None:
    rows = [event_row(1, 0), *(event_row(1, n, passing=True) for n in range(1, 300)), event_row(1, 300)]
    await commit_orders(store, [order_row(1)], rows)
    newest = [b'{"happened":%d}' % n for n in (300, 299, 298, 297, 296, 295, 0)]
    shown = await store.order_history(order_id(1))
    assert shown is not None
    assert shown.history == newest
    assert (await store.history(ASKED)).orders[0].history == newest


# --- reset and snapshots


async def test_a_reset_empties_the_shard_and_ends_its_writer(store: AnyStore) -> None:
    old, other = await store.begin_epoch(0), await store.begin_epoch(1)
    await store.commit(everything(old))
    await store.commit(batch(other, shard=1, orders=[order_row(2)]))
    await store.reset(0)
    with pytest.raises(WriterReplaced):
        await store.commit(batch(old, 1))
    with pytest.raises(WriterReplaced):
        await store.commit(batch(old, 0))
    new = await store.begin_epoch(0)
    assert new.number > old.number
    assert (new.seq, new.began, new.head, new.last_at) == (1, 1, b"", 0), "sequence numbers go on rising"
    assert new.incarnation == old.incarnation + 1
    assert await rows_of(store) == [1, b"", 0, [], [], [], None]
    assert await bodies(store.live_orders(1, ALL_BUCKETS)) == [b'{"order":2}']
    await store.commit(everything(new, 1))
    assert (await store.orders([order_id(1)])).get(order_id(1)) is not None


async def test_a_snapshot_stays_what_it_was_while_commits_go_on(world: World, store: AnyStore) -> None:
    epoch = await store.begin_epoch(0)
    orders = [order_row(n) for n in range(1, 1_501)]
    events = [event_row(n, n) for n in range(1, 1_501)]
    await store.commit(batch(epoch, commands=1_500, orders=orders, events=events))
    reader = await world.open()
    async with reader.snapshot() as view:
        seen = [order async for order in reading_while(store, epoch, view.orders(0))]
        assert seen == orders
        assert [row async for row in view.journal(0)] == [journal_row(n) for n in range(1, 1_501)]
        assert [row async for row in view.events(0)] == events
        assert await view.shards() == [(0, Epoch(1, 1_500, b"hash 1500", Instant(TODAY + 1_500)))]
    async with reader.snapshot() as view:
        assert dict(await view.shards())[0].seq == 1_502
        assert [row.body async for row in view.orders(0)][-1] == b"changed"


async def reading_while(store: Store, epoch: Epoch, orders: AsyncIterator[OrderRow]) -> AsyncIterator[OrderRow]:
    """Commits after the first row, and again half way."""
    position = 0
    async for order in orders:
        if position in (0, 750):
            seq_before = 1_500 + position // 750
            changed = order_row(1_500, body=b"changed")
            await store.commit(batch(epoch, seq_before, orders=[changed], events=[event_row(1, seq_before + 1)]))
        position += 1
        yield order
