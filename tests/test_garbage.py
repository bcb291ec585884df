"""When garbage is looked for: by the clock, and all of it once memory has grown."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from countermand.app import garbage
from countermand.values.identity import OrderId
from tests.orders.trigger.samples import order

PERIODS = 5


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """As it was, afterwards; what was there before is not walked through meanwhile."""
    thresholds = gc.get_threshold()
    garbage.begin_collecting()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


async def looking(monkeypatch: pytest.MonkeyPatch, memory: list[int]) -> None:
    """So many bytes at each look, the last for ever."""
    monkeypatch.setattr(garbage, "_PERIOD_S", 0.001)
    monkeypatch.setattr(garbage, "_memory", lambda: memory.pop(0) if len(memory) > 1 else memory[0])
    task = asyncio.create_task(garbage.collect_garbage())
    await asyncio.sleep(0.001 * PERIODS * 4)
    task.cancel()


async def test_what_is_young_is_looked_through_each_period(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = weakref.ref(Ring())
    assert gone() is not None, "of itself it never would be"
    await looking(monkeypatch, [100])
    assert gone() is None


@pytest.mark.parametrize(("memory", "is_found"), [([100, 124], False), ([100, 125], True)])
async def test_what_is_old_once_memory_has_grown(
    monkeypatch: pytest.MonkeyPatch, memory: list[int], is_found: bool
) -> None:
    ring = Ring()
    gc.collect(1)
    gone = weakref.ref(ring)
    del ring
    await looking(monkeypatch, memory)
    assert (gone() is None) is is_found
    gc.collect()


async def test_nothing_is_walked_through_while_a_venue_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = weakref.ref(Ring())
    gc.disable()
    await looking(monkeypatch, [100, 1_000])
    assert gone() is not None


def test_a_wave_of_requests_is_no_reason_to_look() -> None:
    """256 in flight are some 25,000 objects."""
    looks: list[str] = []

    def note(phase: str, _: object) -> None:
        looks.append(phase)

    gc.callbacks.append(note)
    try:
        for _ in range(3):
            wave = [[number] for number in range(30_000)]
            del wave
    finally:
        gc.callbacks.remove(note)
    assert not looks


def test_orders_are_nothing_to_look_at() -> None:
    """A walk through 10⁵ of them took 0.16 s."""
    before = len(gc.get_objects())
    orders = {number: order(id=OrderId(str(number))) for number in range(1_000)}
    gc.collect()  # The dictionary, and the tuples in orders, are seen to hold nothing that could hold them.
    assert len(orders) == 1_000
    assert len(gc.get_objects()) - before < 100


def test_what_memory_takes_is_what_is_there_now() -> None:
    before = garbage._memory()
    held = bytearray(b"1" * 50_000_000)
    most = garbage._memory()
    del held
    assert before < most
    assert garbage._memory() < most, "not the peak"
