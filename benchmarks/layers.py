"""Where a cancel's time goes: the loop thread's own processor time, layer by layer, without a socket or a profiler.

Each layer is called by 256 tasks at a time, in a process of its own with a venue of its own (`python -m
benchmarks.layers LAYER DATA` prints microseconds of processor time for one cancel). A layer contains those below it, so
what it costs by itself is a difference.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.children import last_line
from benchmarks.loader import Open, filling, resting
from countermand.app.database import database_of
from countermand.app.families import Families
from countermand.app.garbage import begin_collecting, collect_garbage
from countermand.app.sandbox import sandbox_app
from countermand.app.seeds import keys_of, seed_of
from countermand.orders.trigger.model.commands import RequestCancel
from countermand.settings import Settings

TASKS: Final = 256
_WARM_UP: Final = 2_000
_TIMED: Final = 10_000

LAYERS: Final = {
    "craft": "the withdrawal is crafted, from the chain's account and a cached blockhash",
    "turn": "a bare cancel passes the shard: decided, encoded, hashed, committed by PostgreSQL in groups",
    "engine": "both, as `TriggerService.cancel` does them",
    "dialect": "Falcon finds the resource, the token is looked up, the answer is written",
    "gateway": "limits, keys, CORS, the gateway's headers",
}
"""What is called, the innermost first. `craft` and `turn` are parts of `engine`; from there on each contains the one
before."""

Work = Callable[[Iterator[Open]], Coroutine[Any, Any, None]]


def measure(layer: str, data: Path) -> float:
    """Microseconds of the loop thread for one cancel. In a child process, with a new venue under `data`."""
    return float(last_line("layers", layer, data))


async def _measure_here(layer: str, data: Path) -> float:
    async with filling(data) as filled:
        await filled.enrich()
        orders = await filled.add(resting(_WARM_UP + _TIMED))
    settings = Settings(data=data)
    async with (
        database_of(settings) as database,
        sandbox_app(settings, await keys_of(settings, seed_of(settings), database.dsn), database.dsn) as venue,
    ):
        families, gateway = venue.families, venue.app.gateway
        running = [
            asyncio.create_task(each())
            for each in (families.trigger.shard.run, families.book.shard.run, collect_garbage)
        ]
        await venue.sandbox.begin()
        for order in orders:
            families.trigger.sessions.wallet_of(f"Bearer {order.owner.token}")
        begin_collecting()
        work = {
            "craft": lambda some: _crafts(families, some),
            "turn": lambda some: _turns(families, some),
            "engine": lambda some: _cancels(families, some),
            "dialect": lambda some: _requests(gateway._app, some),
            "gateway": lambda some: _requests(gateway, some),
        }[layer]
        queue = iter(orders)
        await _all(work, queue, _WARM_UP)
        began = time.thread_time_ns()
        await _all(work, queue, _TIMED)
        took = time.thread_time_ns() - began
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return took / _TIMED / 1_000


async def _all(work: Work, queue: Iterator[Open], count: int) -> None:
    some = (order for _, order in zip(range(count), queue, strict=False))
    await asyncio.gather(*(work(some) for _ in range(TASKS)))


async def _crafts(families: Families, orders: Iterator[Open]) -> None:
    for order in orders:
        group = await families.trigger.shard.peek(order.id)
        assert group is not None
        await families.trigger.transactions.build_withdrawal(group)


async def _turns(families: Families, orders: Iterator[Open]) -> None:
    for order in orders:
        request_id = families.trigger.orders._ids.request_id()
        await families.trigger.shard.submit(RequestCancel(order.id, order.owner.wallet, request_id, None, 0))


async def _cancels(families: Families, orders: Iterator[Open]) -> None:
    for order in orders:
        await families.trigger.orders.cancel(order.id, order.owner.wallet)


async def _requests(app: Any, orders: Iterator[Open]) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        assert event.get("status", 200) == 200, event

    for order in orders:
        await app(_scope(order), receive, send)


def _scope(order: Open) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": f"/trigger/v2/orders/price/cancel/{order.id}",
        "query_string": b"",
        "root_path": "",
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 8_080),
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"connection", b"keep-alive"),
            (b"x-api-key", b"your-api-key"),
            (b"authorization", b"Bearer " + order.owner.token.encode()),
            (b"accept", b"*/*"),
            (b"accept-language", b"*"),
            (b"sec-fetch-mode", b"cors"),
            (b"user-agent", b"node"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"content-length", b"0"),
        ],
    }


if __name__ == "__main__":
    print(uvloop.run(_measure_here(sys.argv[1], Path(sys.argv[2]))))
