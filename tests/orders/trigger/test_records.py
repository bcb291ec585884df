"""What is told of orders, and when: one line an event, once it is committed (case A4)."""

import asyncio
from collections.abc import Sequence

import pytest

from countermand.kernel import telemetry
from countermand.kernel.ports import CommitUnknown, EventRow
from countermand.orders.trigger.records import decode_trigger_record
from countermand_simulator.memory_store import AFTER_COMMIT, BEFORE_COMMIT
from tests.orders.trigger.stubs import Trouble, quiet, under_virtual_time, workbench

Told = list[EventRow]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    heard: Told = []

    def hear(events: Sequence[EventRow]) -> None:
        heard.extend(events)

    monkeypatch.setattr(telemetry, "orders_changed", hear)
    return heard


def names(told: Told) -> list[tuple[int, str, str]]:
    return [(row.seq, row.record.kind, decode_trigger_record(row.record.body).cause) for row in told]


def test_an_event_is_told_with_its_entry_and_its_cause_once_it_is_committed(told: Told) -> None:
    @under_virtual_time
    async def run() -> None:
        trouble = Trouble()
        async with workbench(trouble=trouble) as it:
            await it.shard.barrier()
            trouble.hold(BEFORE_COMMIT)
            placing = asyncio.create_task(it.place())
            await quiet()
            assert told == []
            trouble.release(BEFORE_COMMIT)
            await placing
            assert names(told) == [(1, "order_placed", "place_order")]
            assert told[0].record.order_id == "order"

    run()


@pytest.mark.parametrize(("point", "known"), [(BEFORE_COMMIT, 1), (AFTER_COMMIT, 0)])
def test_what_may_not_have_happened_is_not_told(told: Told, point: str, known: int) -> None:
    """The journal knows what happened when the answer to a commit was lost; the log claims nothing."""

    @under_virtual_time
    async def run() -> None:
        trouble = Trouble()
        async with workbench(trouble=trouble) as it:
            await it.shard.barrier()
            trouble.raises[point] = [CommitUnknown("lost")]
            with pytest.raises(CommitUnknown):
                await it.place()
            assert told == []
            await it.place()
            assert len(told) == known

    run()
