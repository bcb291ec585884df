"""Resting orders in memory, without a server: what a tick costs, and what an order weighs.

Each measurement runs in a child process, so that one does not weigh upon the next:
`python -m benchmarks.resting COUNT` prints its findings as JSON.
"""

import gc
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import base58
import msgspec

from benchmarks.children import last_line
from countermand.kernel.ids import Ids
from countermand.kernel.journal import encode
from countermand.kernel.ports import Epoch
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model.commands import TriggerOrders
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import AT_REST, Family, Leg, OrderGroup, Role, State, TriggerTerms
from countermand.orders.trigger.shard import TriggerEpoch
from countermand.orders.trigger.state import TriggerState
from countermand.services.tokens import SOL, USDC
from countermand.values.bucket import bucket_of
from countermand.values.identity import Address, Mint, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, Bps, UsdPrice

CROSSED: Final = 10_000
_TICKS: Final = 20_000
_WALLETS: Final = 2_000
_START: Final = Instant(1_800_000_000_000)
_YEAR_MS: Final = 365 * 24 * 3_600_000
_DOLLAR: Final = 10**USD_SCALE
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """`crossing_ms` None: too few orders to cross 10⁴."""

    orders: int
    bytes_an_order: float
    tick_p50_us: float
    tick_p99_us: float
    crossing_ms: float | None


def measure(orders: int) -> Resting:
    """In a child process."""
    return msgspec.json.decode(last_line("resting", orders), type=Resting)


def _stored(count: int) -> Iterator[bytes]:
    """Bodies of the rows of open orders: half sell SOL above 300 dollars, half buy it below 100."""
    ids = Ids(1)
    wallets = [Wallet(address()) for _ in range(_WALLETS)]
    for number in range(count):
        yield encode(_order(number, ids, wallets[number % _WALLETS]))


def _order(number: int, ids: Ids, wallet: Wallet) -> OrderGroup:
    rises = number % 2 == 0
    sells, buys = (SOL, USDC) if rises else (USDC, SOL)
    distance = number * _DOLLAR // 100_000
    price = 300 * _DOLLAR + distance if rises else 100 * _DOLLAR - distance // 1_000
    amount, at = BaseUnits(10**9 + number), Instant(_START + number)
    return OrderGroup(
        id=ids.order_id(at, bucket_of(wallet)),
        terms=TriggerTerms(
            wallet=wallet,
            family=Family.SINGLE,
            input_mint=sells.mint,
            output_mint=buys.mint,
            trigger_mint=SOL.mint,
            input_account=Address(address()),
            deposited=amount,
        ),
        legs=(Leg(Role.TRIGGER, Condition(Direction.ABOVE if rises else Direction.BELOW, UsdPrice(price)), Bps(300)),),
        expires_at=Instant(at + _YEAR_MS),
        state=State.OPEN,
        version=2,
        created_at=at,
        updated_at=Instant(at + 200),
        progress=AT_REST,
    )


def address() -> str:
    return base58.b58encode(secrets.token_bytes(32)).decode()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _ticks_ns(writer: TriggerEpoch) -> list[int]:
    """Each is what a price costs that crosses nothing."""
    took = []
    for number in range(_TICKS):
        price = UsdPrice(150 * _DOLLAR + number)
        began = time.perf_counter_ns()
        crossed, _ = writer.state.live.take_crossed(Mint(SOL.mint), price, at_once=False)
        took.append(time.perf_counter_ns() - began)
        assert not crossed, "the tick was to cross nothing"
    return sorted(took)


def _crossing_ms(writer: TriggerEpoch) -> float:
    """10⁴ orders leave `open`, slice after slice, and their events are written into the journal."""
    reach = UsdPrice(300 * _DOLLAR + 2 * (CROSSED - 1) * _DOLLAR // 100_000)
    began = time.perf_counter_ns()
    count, more = 0, True
    while more:
        crossed, more = writer.state.live.take_crossed(Mint(SOL.mint), reach, at_once=False)
        writer.turn(TriggerOrders(Mint(SOL.mint), reach, at_once=False, order_ids=tuple(crossed)), _START)
        count += len(crossed)
    took = time.perf_counter_ns() - began
    assert count == CROSSED, f"{count} orders crossed"
    return took / 1e6


def _measure_here(count: int) -> Resting:
    state = TriggerState({Mint(SOL.mint): UsdPrice(150 * _DOLLAR)}.get)
    writer = WriterEpoch(0, Epoch(1, 0, b"", _START), state, state)
    gc.disable()  # As a start of the venue does.
    before = resident()
    for body in _stored(count):
        writer.state.adopt(decode_group(body))
    grown = resident() - before
    gc.freeze()
    gc.enable()
    ticks = _ticks_ns(writer)
    return Resting(
        orders=count,
        bytes_an_order=grown / count,
        tick_p50_us=ticks[len(ticks) // 2] / 1e3,
        tick_p99_us=ticks[len(ticks) * 99 // 100] / 1e3,
        crossing_ms=_crossing_ms(writer) if count == 10 * CROSSED else None,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_measure_here(int(sys.argv[1]))))
