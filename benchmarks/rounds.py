"""How long the loop is held when very many recurring orders are due within one minute, and how quickly it decides them.

In a child process: the shard of recurring orders and its outbox on PostgreSQL, without HTTP, and with a liquidity that
refuses every swap, so that no chain is asked: each round begins, is refused and pauses, which are two entries of the
journal. `python -m benchmarks.rounds DATA COUNT` prints its findings as JSON.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import uvloop

from benchmarks.children import last_line
from benchmarks.loader import filling
from benchmarks.resting import address
from benchmarks.slices import Held, at_share
from countermand.app.database import database_of
from countermand.app.garbage import begin_collecting, collect_garbage
from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ids import Ids
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.dca.model.commands import PlaceOrder, ResolveAttempt, UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder, DcaPlan
from countermand.orders.dca.model.refusals import DcaRefused
from countermand.orders.dca.ports import Transactions
from countermand.orders.dca.shard import DcaShard
from countermand.orders.dca.state import DcaState
from countermand.orders.dca.work import DcaOutbox
from countermand.orders.shards import DCA_SHARD, TRIGGER_SHARD
from countermand.services.prices import Prices
from countermand.services.tokens import SOL, USDC
from countermand.settings import Settings
from countermand.store.dca_postgres import PostgresDcaStore
from countermand.store.prices_postgres import PostgresPrices
from countermand.values.bucket import bucket_of
from countermand.values.identity import Address, Mint, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import Submission, SwapRefused, TransactionOutcome, UnsignedTransaction

ORDERS: Final = 100_000
_OF_A_WALLET: Final = 10
"""More are not allowed."""
_A_BATCH: Final = 1_000
_LATER_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_LOOK_EVERY_S: Final = 0.02
_SECONDS_MAX: Final = 20.0
"""A machine that has not decided all of them by then is measured by those that it has."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """`held` is the thread's time between two turns of the loop, in milliseconds."""

    orders: int
    decided: int
    seconds: float
    held_p99: float
    held_p999: float
    held_max: float

    @property
    def per_second(self) -> float:
        return self.decided / self.seconds


class _Refusing:
    """The transactions of orders that no liquidity swaps. Nothing else is asked of it."""

    def __init__(self) -> None:
        self.refused = 0

    async def build_fill(self, _order: DcaOrder) -> SwapRefused:
        self.refused += 1
        return SwapRefused("the liquidity of this benchmark refuses everything")


def measure(data: Path, orders: int = ORDERS) -> Rounds:
    return msgspec.json.decode(last_line("rounds", data, orders), type=Rounds)


async def _filled(dsn: str, count: int, now: Instant) -> None:
    """Orders whose first round is due an hour from now, within one minute."""
    store = await PostgresDcaStore.connect(dsn)
    state = DcaState(lambda _mint: None)
    writer = WriterEpoch(DCA_SHARD, await store.begin_epoch(DCA_SHARD), state, state)
    placements = _placements(count, now)
    while some := list(islice(placements, _A_BATCH)):
        for place in some:
            landed = ResolveAttempt(place.order_id, 1, TransactionOutcome.LANDED, Signature("deposit"), None)
            for command in (place, landed):
                happened = writer.turn(command, now)
                assert not isinstance(happened, DcaRefused), happened
        batch = writer.take_batch()
        await store.commit(batch)
        writer.on_committed(batch)
        state.take_committed()
    await store.close()


def _placements(count: int, now: Instant) -> Iterator[PlaceOrder]:
    ids, sold, bought, amount = Ids(), Mint(USDC.mint), Mint(SOL.mint), BaseUnits(100 * 10**6)
    for number in range(count):
        if number % _OF_A_WALLET == 0:
            wallet = Wallet(address())
        request_id, order_id = ids.request_id(), ids.order_id(now, bucket_of(wallet))
        craft = UnsignedTransaction(b"%d" % number, last_valid_height=1 << 40, moves=amount)
        account = Address(address())
        yield PlaceOrder(
            order_id=order_id,
            wallet=wallet,
            deposit=UnsignedDeposit(request_id, order_id, wallet, sold, bought, account, craft),
            input_mint=sold,
            output_mint=bought,
            amount=amount,
            plan=DcaPlan(10, 3_600, Instant(now + _LATER_MS + number * _MINUTE_MS // count), None),
            round_cents=1_000,
            submission=Submission(craft.message, Signature("user"), None),
            flaw=None,
        )


async def _measure_here(data: Path, count: int) -> Rounds:
    async with filling(data):
        pass
    clock = VenueClock()
    now = clock.now()
    async with database_of(Settings(data=data)) as database:
        await _filled(database.dsn, count, now)
        store = await PostgresDcaStore.connect(database.dsn)
        refusing = _Refusing()
        prices = Prices(PostgresPrices(store.readers, TRIGGER_SHARD))

        def on_committed(orders: Sequence[DcaOrder], loaded: bool) -> None:
            outbox.on_committed(orders, loaded)

        shard = DcaShard(DCA_SHARD, store, clock, prices, on_committed)
        outbox = DcaOutbox(shard, cast(Transactions, refusing), clock, 3_000)
        clock.setting = ClockSetting(frozen_at=now)
        running = [asyncio.create_task(each()) for each in (shard.run, outbox.run, collect_garbage)]
        await shard.loaded()
        gc.collect()
        begin_collecting()
        held, began = Held(), time.perf_counter()
        # It stands then, so that no pause after a refusal ends.
        clock.setting = ClockSetting(frozen_at=Instant(now + _LATER_MS + _MINUTE_MS))
        await shard.run_due()
        while refusing.refused < count and time.perf_counter() - began < _SECONDS_MAX:
            await asyncio.sleep(_LOOK_EVERY_S)
        seconds, decided, times = time.perf_counter() - began, refusing.refused, held.stop()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await store.close()
    return Rounds(count, decided, seconds, at_share(times, 0.99), at_share(times, 0.999), times[-1])


def main(arguments: Sequence[str]) -> None:
    data, count = arguments
    found: Any = uvloop.run(_measure_here(Path(data), int(count)))
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
