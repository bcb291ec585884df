"""How long the loop is held while one order of the book meets very many makers, or one trade triggers very many stops.

In a child process: the shard of the order books on PostgreSQL, without HTTP.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from benchmarks.children import last_line
from benchmarks.slices import Held, at_share
from countermand.app.database import database_of
from countermand.app.garbage import begin_collecting, collect_garbage
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Amount
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import BUY, SELL, BookTerms, Kind, Side
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.service import BookService
from countermand.orders.book.shard import BookShard
from countermand.orders.book.state import MATCHES_SUCCEED
from countermand.orders.shards import BOOK_SHARD
from countermand.settings import Settings
from countermand.store.book_postgres import PostgresBookStore

ORDERS: Final = 2_000
KINDS: Final = {"makers": "one order meets them", "stops": "one trade triggers them"}
_MARKET: Final = next(market for market in MARKETS if market.symbol == "btcusdc")
_MAKER, _TAKER = Account("0xa1"), Account("0xb2")
_WEALTH: Final = Amount(10**9 * 10**AMOUNT_SCALE)
_LOTS: Final = 100
_NEAR, _FAR = 4_000_000, 5_000_000
"""In ticks."""
_AT_ONCE: Final = 64


class Sweep(msgspec.Struct, frozen=True):
    """Milliseconds. `held` is the thread's time between two turns of the loop."""

    what: str
    orders: int
    seconds: float
    held_p99: float
    held_max: float


def measure(what: str, data: Path, orders: int = ORDERS) -> Sweep:
    """`what` is one of `KINDS`."""
    return msgspec.json.decode(last_line("sweeps", what, data, orders), type=Sweep)


async def _measure_here(what: str, data: Path, count: int) -> Sweep:
    async with database_of(Settings(data=data)) as database:
        store = await PostgresBookStore.connect(database.dsn)
        shard = BookShard(BOOK_SHARD, store, VenueClock(), MARKETS, MATCHES_SUCCEED)
        running = [asyncio.create_task(shard.run()), asyncio.create_task(collect_garbage())]
        await shard.loaded()
        venue = BookService(shard, store, Ids())
        await _fill(venue, what, count)
        gc.collect()
        begin_collecting()
        held, began = Held(), time.perf_counter()
        await _place(venue, _TAKER, BUY, _FAR, _LOTS * (count if what == "makers" else 1))
        seconds, times = time.perf_counter() - began, held.stop()
        for task in running:
            task.cancel()
        await store.close()
    return Sweep(what, count, seconds, at_share(times, 0.99), times[-1])


async def _fill(venue: BookService, what: str, count: int) -> None:
    for account in (_MAKER, _TAKER):
        for currency in (_MARKET.base, _MARKET.quote):
            await venue.credit(account, currency, _WEALTH)
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(count, first + _AT_ONCE))
        if what == "makers":
            placing = [_place(venue, _MAKER, SELL, _NEAR + number // 4) for number in numbers]
        else:
            placing = [_place(venue, _MAKER, BUY, _NEAR - 1, stop=_NEAR) for _ in numbers]
        await asyncio.gather(*placing)
    if what == "stops":
        await _place(venue, _MAKER, SELL, _NEAR)


async def _place(
    venue: BookService, account: Account, side: Side, price: int, lots: int = _LOTS, *, stop: int | None = None
) -> None:
    kind, ticks = (Kind.LIMIT, None) if stop is None else (Kind.STOP_LIMIT, Ticks(stop))
    terms = BookTerms(account, _MARKET.symbol, side, kind, Lots(lots), Ticks(price), ticks)
    draft = await venue.draft(terms, lambda _: "0x0")
    assert not isinstance(draft, BookRefused), draft
    placed = await venue.place(draft, b"signed")
    assert not isinstance(placed, BookRefused), placed


def main(arguments: Sequence[str]) -> None:
    what, data, orders = arguments
    found: Any = uvloop.run(_measure_here(what, Path(data), int(orders)))
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
