"""How long the loop is held while a price crosses very many orders, or very many expire, and what a cancel waits.

In a child process: the shard of trigger orders on PostgreSQL, without outbox and HTTP. What is measured is the time of
the loop's thread between two of its turns, garbage collection included.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from benchmarks.children import last_line
from benchmarks.loader import Open, filling, resting
from countermand.app.database import database_of
from countermand.app.garbage import begin_collecting, collect_garbage
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.shards import TRIGGER_SHARD
from countermand.orders.trigger.model.commands import RequestCancel
from countermand.orders.trigger.shard import TriggerShard
from countermand.services.prices import Prices
from countermand.services.tokens import SOL
from countermand.settings import Settings
from countermand.store.postgres import PostgresStore
from countermand.store.prices_postgres import PostgresPrices
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice

ORDERS: Final = 100_000
KINDS: Final = {"price": "a price crosses them", "time": "their hour comes, and they expire"}
_YEAR_MS: Final = 366 * 24 * 3_600_000
_SOMETHING_NS: Final = 100_000
_CANCEL_EVERY_S: Final = 0.01
_DOLLAR: Final = 10**12


@dataclass(frozen=True, slots=True)
class Slices:
    """Milliseconds. `held` is the thread's time between two turns of the loop, `cancel` what a cancel waited."""

    what: str
    orders: int
    seconds: float
    held_p99: float
    held_p999: float
    held_max: float
    cancels: int
    cancel_p50: float
    cancel_p99: float


def measure(what: str, data: Path, orders: int = ORDERS) -> Slices:
    """`what` is one of `KINDS`."""
    return msgspec.json.decode(last_line("slices", what, data, orders), type=Slices)


class Held:
    """The thread's time between two turns of the loop, for as long as it is on."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self._is_on = True
        self._last = time.thread_time_ns()
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        now = time.thread_time_ns()
        self.times.append(now - self._last)
        self._last = time.thread_time_ns()
        if self._is_on:
            asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> Sequence[float]:
        """Of the turns that did something: most only look whether there is anything to do."""
        self._is_on = False
        return sorted(each / 1e6 for each in self.times if each > _SOMETHING_NS)


async def _measure_here(what: str, data: Path, count: int) -> Slices:
    async with filling(data) as it:
        await it.enrich()
        # Half of them wait above, so a high price crosses these; in a year all of them expire.
        orders = await it.add(resting(2 * count if what == "price" else count))
    async with database_of(Settings(data=data)) as database:
        store, clock = await PostgresStore.connect(database.dsn), VenueClock()
        prices = Prices(PostgresPrices(store.readers, TRIGGER_SHARD))
        shard = TriggerShard(TRIGGER_SHARD, store, clock, prices, lambda _groups, _loaded: None)
        prices.add_observer(shard.observe_prices)
        running = [asyncio.create_task(shard.run()), asyncio.create_task(collect_garbage())]
        await shard.loaded()
        gc.collect()
        begin_collecting()
        works: dict[str, Callable[[], Awaitable[None]]] = {
            "price": lambda: prices.set({Mint(SOL.mint): UsdPrice(10_000_000 * _DOLLAR)}, at_once=True),
            "time": lambda: _pass(clock, shard),
        }
        cancelled = [order for number, order in enumerate(orders) if number % 2]
        found = await _beside(works[what], shard, cancelled, what, count)
        for task in running:
            task.cancel()
        await store.close()
    return found


async def _pass(clock: VenueClock, shard: TriggerShard) -> None:
    clock.setting = clock.advanced(_YEAR_MS)
    await shard.run_due()


async def _beside(
    work: Callable[[], Awaitable[None]], shard: TriggerShard, orders: Sequence[Open], what: str, count: int
) -> Slices:
    held, waited, began = Held(), list[float](), time.perf_counter()
    working = asyncio.ensure_future(work())
    ids, left = Ids(), iter(orders)
    while not working.done():
        if (order := next(left, None)) is not None:
            asked = time.perf_counter()
            await shard.submit(RequestCancel(order.id, order.owner.wallet, ids.request_id(), None, 0))
            waited.append((time.perf_counter() - asked) * 1e3)
        await asyncio.sleep(_CANCEL_EVERY_S)
    await working
    seconds, times = time.perf_counter() - began, held.stop()
    waited.sort()
    return Slices(
        what,
        count,
        seconds,
        at_share(times, 0.99),
        at_share(times, 0.999),
        times[-1],
        len(waited),
        at_share(waited, 0.5),
        at_share(waited, 0.99),
    )


def at_share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main(arguments: Sequence[str]) -> None:
    what, data, orders = arguments
    found: Any = uvloop.run(_measure_here(what, Path(data), int(orders)))
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
