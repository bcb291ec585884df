"""What is told of orders, and when: one line an event, once it is committed (case A4)."""

import asyncio
from collections.abc import Iterable
from typing import Any, get_args

import pytest

from countermand.domain.book import events as book
from countermand.domain.trigger import events as trigger
from countermand.domain.trigger.waiting import Waiting
from countermand.engine import telemetry
from countermand.engine.order_news import OrderNews, name_of
from countermand.engine.ports import CommitUnknown
from countermand.sandbox.wording import IN_OTHER_WORDS, TRIGGER_WORDS
from countermand.simulation.memory_store import AFTER_COMMIT, BEFORE_COMMIT
from tests.engine.stubs import Trouble, cancelling, desk, quiet, under_virtual_time

Told = list[tuple[int, OrderNews]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    heard: Told = []

    def hear(news: Iterable[tuple[int, OrderNews]]) -> None:
        heard.extend(news)

    monkeypatch.setattr(telemetry, "orders_changed", hear)
    return heard


def names(told: Told) -> list[tuple[int, str, str]]:
    return [(seq, news.event, news.cause) for seq, news in told]


def test_an_event_is_told_with_its_entry_and_its_cause_once_it_is_committed(told: Told) -> None:
    @under_virtual_time
    async def run() -> None:
        trouble = Trouble()
        async with desk(trouble=trouble) as it:
            await it.shard.barrier()
            trouble.hold(BEFORE_COMMIT)
            placing = asyncio.create_task(it.place())
            await quiet()
            assert told == []
            trouble.release(BEFORE_COMMIT)
            await placing
            assert names(told) == [(1, "order_placed", "place_order")]
            assert told[0][1].order == "order"

    run()


@pytest.mark.parametrize(("point", "known"), [(BEFORE_COMMIT, 1), (AFTER_COMMIT, 0)])
def test_what_may_not_have_happened_is_not_told(told: Told, point: str, known: int) -> None:
    """The journal knows what happened when the answer to a commit was lost; the log claims nothing."""

    @under_virtual_time
    async def run() -> None:
        trouble = Trouble()
        async with desk(trouble=trouble) as it:
            await it.shard.barrier()
            trouble.raises[point] = [CommitUnknown("lost")]
            with pytest.raises(CommitUnknown):
                await it.place()
            assert told == []
            await it.place()
            assert len(told) == known

    run()


def test_nothing_is_gathered_if_nobody_reads_it(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "tells_of_orders", lambda: False)

    @under_virtual_time
    async def run() -> None:
        async with desk() as it:
            await it.opens()
            await it.shard.submit(cancelling())
            assert told == []

    run()


def test_every_event_has_a_name_of_its_own() -> None:
    for union in (trigger.Event, book.Event):
        kinds: tuple[type[Any], ...] = get_args(union)
        assert len({name_of(kind) for kind in kinds}) == len(kinds)
        assert all(name_of(kind).replace("_", "").isalpha() and name_of(kind).islower() for kind in kinds)


def test_every_wait_has_words() -> None:
    assert {*TRIGGER_WORDS, *IN_OTHER_WORDS} == set(Waiting)
