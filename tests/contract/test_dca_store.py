"""What every store of recurring orders does, whatever it keeps its rows in."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import pytest
import pytest_asyncio

from countermand.kernel.ports import Batch, CommitUnknown, Epoch, EventRecord, EventRow, JournalRow, WriterReplaced
from countermand.orders.dca.ports import DcaRows, OrderRow, Sort, Store
from countermand.orders.dca.records import SHOWN
from countermand.orders.shards import DCA_SHARD
from countermand.orders.vaults.ports import CraftRow, HistoryQuery, StoredHistory, StoredOrder
from countermand.store.dca_postgres import PostgresDcaStore
from countermand.values.bucket import ALL_BUCKETS, Bucket, BucketRange, bucket_of
from countermand.values.identity import Mint, Wallet
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.fenced import FencedDatabase
from countermand_simulator.memory_dca import MemoryDcaShard, MemoryDcaStore
from tests.contract.store_worlds import InMemory, InPostgres, World, bodies
from tests.contract.test_store import ALICE, BOB, JUP, SOL, TODAY, USDC, order_id, request_id

SHARD: Final = DCA_SHARD


@pytest.fixture(params=["memory", "postgres"])
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    if request.param == "memory":
        opens: Any = MemoryDcaStore
        return InMemory(FencedDatabase(MemoryDcaShard), opens)
    return InPostgres(request.getfixturevalue("database_url"), monkeypatch, PostgresDcaStore)


@pytest_asyncio.fixture
async def world(home: World) -> AsyncIterator[World]:
    yield home
    await home.close()


@pytest_asyncio.fixture
async def store(world: World) -> Any:
    return await world.open()


def order_row(number: int, **changes: Any) -> OrderRow:
    row = OrderRow(
        id=order_id(number),
        bucket=bucket_of(ALICE),
        wallet=ALICE,
        live=True,
        active=True,
        input_mint=USDC,
        output_mint=SOL,
        created_at=Instant(TODAY + number),
        updated_at=Instant(TODAY + number),
        next_fill_at=Instant(TODAY + 1_000_000),
        body=b'{"order":%d}' % number,
    )
    return replace(row, **changes)


def craft_row(number: int, last_valid_height: int) -> CraftRow:
    return CraftRow(request_id(number), bucket_of(ALICE), order_id(number), last_valid_height, b'{"craft":%d}' % number)


def event_row(order: int, seq: int, kind: str = "fill_landed") -> EventRow:
    return EventRow(seq, 0, EventRecord(ALICE, order_id(order), kind, b'{"happened":%d}' % seq))


def batch(
    epoch: Epoch, seq_before: int = 0, commands: int = 1, *, events: Sequence[EventRow] = (), **rows: Any
) -> Batch[DcaRows]:
    seq_after = seq_before + commands
    journal = [
        JournalRow(seq, Instant(TODAY + seq), "begin_round", b"{}", b"hash %d" % seq)
        for seq in range(seq_before + 1, seq_after + 1)
    ]
    head = b"hash %d" % seq_after
    return Batch(SHARD, epoch.number, seq_before, seq_after, head, journal, events, DcaRows(**rows))


async def test_a_shard_begins_with_nothing(store: Store) -> None:
    assert await store.begin_epoch(SHARD) == Epoch(1, 0, b"", Instant(0))
    assert await bodies(store.live_orders(SHARD, ALL_BUCKETS)) == []
    assert await store.orders([order_id(1)]) == {}
    assert await store.order_history(order_id(1)) is None
    assert await store.crafts([request_id(1)]) == {}


async def test_a_commit_stores_every_kind_of_row(store: Store) -> None:
    epoch = await store.begin_epoch(SHARD)
    await store.commit(batch(epoch, orders=[order_row(1)], crafts=[craft_row(1, 500)], events=[event_row(1, 1)]))
    assert (await store.orders([order_id(1)]))[order_id(1)].body == b'{"order":1}'
    assert await store.crafts([request_id(1)]) == {request_id(1): b'{"craft":1}'}
    assert await store.events(SHARD, (0, 0), 1, 10) == [event_row(1, 1)]
    assert await store.begin_epoch(SHARD) == Epoch(2, 1, b"hash 1", Instant(TODAY + 1))


async def test_where_the_fence_fails_nothing_at_all_is_written(store: Store) -> None:
    epoch = await store.begin_epoch(SHARD)
    await store.commit(batch(epoch))
    wrongs: list[dict[str, Any]] = [{"epoch": 0}, {"epoch": 2}, {"seq_before": 0}, {"seq_before": 2}, {"shard": 7}]
    for wrong in wrongs:
        with pytest.raises(WriterReplaced):
            await store.commit(replace(batch(epoch, 1, orders=[order_row(1)], crafts=[craft_row(1, 5)]), **wrong))
        assert await store.orders([order_id(1)]) == {}
        assert await store.crafts([request_id(1)]) == {}


async def test_of_two_writers_the_older_is_replaced(world: World, store: Store) -> None:
    old = await store.begin_epoch(SHARD)
    successor: Any = await world.open()
    new = await successor.begin_epoch(SHARD)
    with pytest.raises(WriterReplaced):
        await store.commit(batch(old, orders=[order_row(1)]))
    await successor.commit(batch(new, orders=[order_row(2)]))
    assert await bodies(store.live_orders(SHARD, ALL_BUCKETS)) == [b'{"order":2}']


@pytest.mark.parametrize("lands", [True, False])
async def test_a_new_epoch_waits_for_a_batch_that_is_inside_or_defeats_it(
    world: World, store: Store, lands: bool
) -> None:
    old = await store.begin_epoch(SHARD)
    new = await world.begin_epoch_while_inside(batch(old, orders=[order_row(1)]), lands=lands)
    assert new.seq == (1 if lands else 0)
    assert await bodies(store.live_orders(SHARD, ALL_BUCKETS)) == ([b'{"order":1}'] if lands else [])


@pytest.mark.parametrize("applied", [True, False])
async def test_a_lost_answer_leaves_the_outcome_unknown(world: World, applied: bool) -> None:
    opened, strike = await world.open_unlucky(applied=applied)
    unlucky: Any = opened
    epoch = await unlucky.begin_epoch(SHARD)
    await unlucky.commit(batch(epoch))
    await strike()
    with pytest.raises(CommitUnknown):
        await unlucky.commit(batch(epoch, 1, orders=[order_row(1)]))
    successor: Any = await world.open()
    assert (await successor.begin_epoch(SHARD)).seq == (2 if applied else 1)
    assert await bodies(successor.live_orders(SHARD, ALL_BUCKETS)) == ([b'{"order":1}'] if applied else [])


async def test_an_order_is_stored_as_it_is_now_and_only_live_ones_are_loaded(store: Store) -> None:
    epoch = await store.begin_epoch(SHARD)
    await store.commit(batch(epoch, orders=[order_row(n) for n in (3, 1, 2)]))
    await store.commit(batch(epoch, 1, orders=[order_row(2, live=False, active=False, body=b"ended")]))
    assert await bodies(store.live_orders(SHARD, ALL_BUCKETS)) == [b'{"order":1}', b'{"order":3}']
    assert (await store.orders([order_id(2)]))[order_id(2)].body == b"ended"
    low, high = BucketRange(Bucket(0), Bucket(127)), BucketRange(Bucket(128), Bucket(255))
    await store.commit(batch(epoch, 2, orders=[order_row(n, bucket=Bucket(n * 64)) for n in (1, 2, 3)]))
    assert await bodies(store.live_orders(SHARD, low)) == [b'{"order":1}']
    assert await bodies(store.live_orders(SHARD, high)) == [b'{"order":2}', b'{"order":3}']


async def test_dead_crafts_are_forgotten_unless_they_became_orders(store: Store) -> None:
    epoch = await store.begin_epoch(SHARD)
    crafts = [craft_row(n, 100 + n) for n in range(1, 6)]
    await store.commit(batch(epoch, crafts=[*crafts, replace(crafts[0], body=b"another")], orders=[order_row(2)]))
    assert (await store.crafts([request_id(1)]))[request_id(1)] == b'{"craft":1}', "it stays what it was first"
    every = [request_id(n) for n in range(1, 6)]
    await store.delete_dead_crafts(104)
    assert sorted(await store.crafts(every)) == [request_id(n) for n in (2, 4, 5)]
    await store.commit(batch(epoch, 1, orders=[order_row(4)]))
    await store.delete_dead_crafts(1_000)
    assert sorted(await store.crafts(every)) == [request_id(n) for n in (2, 4)]


# --- history


ASKED: Final = HistoryQuery(ALICE, None, None, Sort.UPDATED_AT, True, 20, 0)


def numbers(found: StoredHistory) -> list[int]:
    return [int(stored.order.split(b":")[1][:-1]) for stored in found.orders]


async def commit_orders(store: Store, orders: Sequence[OrderRow], events: Sequence[EventRow] = ()) -> None:
    await store.commit(batch(await store.begin_epoch(SHARD), orders=orders, events=events))


async def test_a_history_is_filtered(store: Store) -> None:
    ended = order_row(3, active=False, live=False)
    others = [order_row(2, input_mint=JUP), order_row(4, output_mint=JUP), order_row(5, wallet=BOB)]
    await commit_orders(store, [order_row(1), ended, *others])
    filters: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [4, 3, 2, 1]),
        ({"wallet": BOB}, [5]),
        ({"wallet": Wallet("stranger")}, []),
        ({"active": True}, [4, 2, 1]),
        ({"active": False}, [3]),
        ({"mint": JUP}, [4, 2]),
        ({"mint": Mint("none")}, []),
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
            order_row(4, updated_at=at[2], next_fill_at=at[1]),
            order_row(1, updated_at=at[2], next_fill_at=at[2]),
            order_row(3, updated_at=at[1], next_fill_at=at[2]),
            order_row(2, updated_at=at[0], next_fill_at=at[2]),
        ],
    )
    orders = {Sort.UPDATED_AT: [2, 3, 1, 4], Sort.CREATED_AT: [1, 2, 3, 4], Sort.NEXT_FILL_AT: [4, 1, 2, 3]}
    assert list(orders) == list(Sort)
    for sort, ascending in orders.items():
        for limit in (4, 2):
            page = replace(ASKED, sort=sort, limit=limit)
            assert numbers(await store.history(replace(page, descending=False))) == ascending[:limit]
            assert numbers(await store.history(replace(page, descending=True))) == ascending[::-1][:limit]


async def test_without_a_next_round_an_order_is_last_in_either_direction(store: Store) -> None:
    rounds = {1: None, 2: Instant(TODAY + 2), 3: None, 4: Instant(TODAY + 1)}
    await commit_orders(store, [order_row(number, next_fill_at=due) for number, due in rounds.items()])
    page = replace(ASKED, sort=Sort.NEXT_FILL_AT, limit=4)
    assert numbers(await store.history(replace(page, descending=False))) == [4, 2, 1, 3]
    assert numbers(await store.history(replace(page, descending=True))) == [2, 4, 3, 1]
    assert numbers(await store.history(replace(page, descending=True, limit=2, offset=1))) == [4, 3]


async def test_a_page_says_how_many_match_in_all(store: Store) -> None:
    await commit_orders(store, [order_row(n) for n in range(1, 6)])
    for (limit, offset), expected in {(2, 0): [1, 2], (2, 4): [5], (2, 5): [], (100, 1): [2, 3, 4, 5]}.items():
        found = await store.history(replace(ASKED, descending=False, limit=limit, offset=offset))
        assert (found.total, numbers(found)) == (5, expected)


async def test_what_happened_comes_with_each_order_and_of_what_passes_only_the_newest(store: Store) -> None:
    postponed = [event_row(1, seq, SHOWN.passing) for seq in range(2, 42)]
    unseen = event_row(1, 43, "round_began")
    await commit_orders(store, [order_row(1), order_row(2)], [event_row(1, 1), *postponed, event_row(1, 42), unseen])
    newest = [b'{"happened":%d}' % seq for seq in (42, *range(41, 41 - SHOWN.passing_most, -1), 1)]
    assert await store.order_history(order_id(1)) == StoredOrder(b'{"order":1}', newest)
    assert (await store.history(replace(ASKED, descending=False))).orders[0].history == newest
    assert await store.order_history(order_id(3)) is None


async def test_a_reset_empties_the_shard_and_ends_its_writer(store: Any) -> None:
    old = await store.begin_epoch(SHARD)
    await store.commit(batch(old, orders=[order_row(1)], crafts=[craft_row(1, 5)]))
    await store.reset(SHARD)
    with pytest.raises(WriterReplaced):
        await store.commit(batch(old, 1))
    new = await store.begin_epoch(SHARD)
    assert (new.seq, new.began, new.incarnation) == (1, 1, old.incarnation + 1)
    assert await store.orders([order_id(1)]) == {}
    assert await store.crafts([request_id(1)]) == {}
