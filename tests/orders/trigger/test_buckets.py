"""Which shard owns an order: its row says so, and its id's last byte says nothing that counts."""

from collections.abc import Iterator

import pytest

from countermand.orders.shards import ONE_TRIGGER_SHARD, TRIGGER_SHARD, BucketOwners, OwnedElsewhere
from countermand.orders.trigger.model.commands import PlaceOrder, RequestCancel
from countermand.orders.vaults.registry import vault_row
from countermand.orders.vaults.shard import Decided
from countermand.values.bucket import ALL_BUCKETS, Bucket, BucketRange, bucket_of
from countermand.values.identity import OrderId, RequestId
from countermand.values.structs import replace
from countermand_simulator.memory_store import MemoryDatabase
from tests.orders.trigger.samples import ALICE, MALLORY, PLACED_AT, REQUEST, deposit, place
from tests.orders.trigger.stubs import under_virtual_time, workbench

LOW, HIGH = BucketRange(Bucket(0), Bucket(127)), BucketRange(Bucket(128), Bucket(255))
MINE, OTHERS = (LOW, HIGH) if bucket_of(ALICE) in LOW else (HIGH, LOW)
OTHER_SHARD = 2
HALVES = BucketOwners({TRIGGER_SHARD: MINE, OTHER_SHARD: OTHERS})
SWAPPED = BucketOwners({TRIGGER_SHARD: OTHERS, OTHER_SHARD: MINE})


def an_id(hint: Bucket) -> OrderId:
    return OrderId(f"01900000-0000-7000-8000-0000000000{hint:02x}")


MISLEADING = an_id(OTHERS.first)
"""Its last byte is in a bucket that another shard owns."""


def placing(order_id: OrderId) -> PlaceOrder:
    return replace(place(), order_id=order_id, deposit=replace(deposit(), order_id=order_id))


def every_owner(owners: BucketOwners) -> Iterator[int]:
    return (owners.owner_of(Bucket(bucket)) for bucket in range(256))


def test_today_one_shard_owns_all_buckets() -> None:
    assert list(every_owner(ONE_TRIGGER_SHARD)) == [TRIGGER_SHARD] * 256
    assert ONE_TRIGGER_SHARD.range_of(TRIGGER_SHARD) == ALL_BUCKETS


def test_each_bucket_has_the_owner_whose_range_it_is_in() -> None:
    owners = BucketOwners({0: LOW, 2: HIGH})
    assert list(every_owner(owners)) == [0] * 128 + [2] * 128


@pytest.mark.parametrize(
    "ranges",
    [{0: LOW}, {0: ALL_BUCKETS, 2: HIGH}, {0: LOW, 2: BucketRange(Bucket(129), Bucket(255))}, {}],
)
def test_a_bucket_without_an_owner_or_with_two_is_refused(ranges: dict[int, BucketRange]) -> None:
    with pytest.raises(AssertionError, match="one owner"):
        BucketOwners(ranges)


@under_virtual_time
async def test_an_order_is_found_by_its_row_whatever_its_id_says() -> None:
    async with workbench(MemoryDatabase(), owners=HALVES) as it:
        placed = await it.shard.submit(placing(MISLEADING))
        assert isinstance(placed, Decided)
    async with workbench(it.store.database, owners=HALVES) as again:
        loaded = await again.shard.committed(MISLEADING)
        assert loaded is not None
        assert loaded.id == MISLEADING
        assert [row.bucket for row in again.store.database.shard(0).orders.values()] == [bucket_of(ALICE)]


@under_virtual_time
async def test_an_order_that_is_not_in_memory_is_read_by_its_row_whatever_its_id_says() -> None:
    async with workbench(MemoryDatabase(), owners=HALVES) as it:
        await it.shard.submit(placing(MISLEADING))
        row = it.store.database.shard(0).orders[MISLEADING]
    it.store.database.shard(0).orders[MISLEADING] = replace(row, live=False)
    async with workbench(it.store.database, owners=HALVES) as again:
        await again.shard.loaded()
        assert not again.has(MISLEADING), "a load reads what lives"
        assert await again.shard.peek(MISLEADING) is not None


@under_virtual_time
async def test_a_shard_neither_loads_nor_changes_what_another_owns_and_names_the_owner() -> None:
    mine = an_id(OTHERS.first)
    async with workbench(MemoryDatabase()) as it:
        await it.shard.submit(placing(mine))
    async with workbench(it.store.database, owners=SWAPPED) as again:
        await again.shard.loaded()
        assert not again.has(mine)
        for asked in (
            again.shard.peek(mine),
            again.shard.committed(mine),
            again.shard.submit(RequestCancel(mine, ALICE, REQUEST, None, 0)),
            again.shard.submit(placing(an_id(OTHERS.last))),
            again.shard.add_craft(replace(deposit(), request_id=RequestId("new"))),
        ):
            with pytest.raises(OwnedElsewhere, match=f"which shard {OTHER_SHARD} owns") as told:
                await asked
            assert told.value.owner == OTHER_SHARD


@under_virtual_time
async def test_the_row_of_an_order_a_deposit_and_a_vault_has_the_bucket_of_the_wallet() -> None:
    async with workbench() as it:
        await it.shard.add_craft(replace(deposit(), wallet=MALLORY))
        rows = it.store.database.shard(0)
        assert [row.bucket for row in rows.crafts.values()] == [bucket_of(MALLORY)]
        assert vault_row(MALLORY, PLACED_AT).bucket == bucket_of(MALLORY)


@under_virtual_time
async def test_an_order_that_has_no_row_is_unknown_to_whichever_shard_is_asked() -> None:
    async with workbench(owners=HALVES) as it:
        assert await it.shard.peek(MISLEADING) is None
