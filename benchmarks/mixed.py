"""Resting orders of all types in memory, without a server: what ticks and crossings cost, what an order weighs.

Of five orders two are single, one is an OCO, one an OTOCO, and one trails. In a child process:
`python -m benchmarks.mixed COUNT` prints its findings as JSON.
"""

import gc
import sys
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from benchmarks.children import last_line
from benchmarks.resting import CROSSED, address, resident
from countermand.kernel.ids import Ids
from countermand.kernel.journal import encode
from countermand.kernel.ports import Epoch
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model.commands import MoveWatermarks, TriggerOrders
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import AT_REST, Family, Leg, OrderGroup, Role, State, TriggerTerms
from countermand.orders.trigger.model.trailing import Trail, trigger_price
from countermand.orders.trigger.shard import TriggerEpoch
from countermand.orders.trigger.state import TriggerState
from countermand.services.tokens import SOL, USDC
from countermand.values.bucket import bucket_of
from countermand.values.identity import Address, Mint, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, Bps, UsdPrice

KINDS: Final = ("above", "below", "oco", "otoco", "trailing")
_TICKS: Final = 20_000
_EXTREMA: Final = 2_000
_WALLETS: Final = 2_000
_WATERMARKS: Final = 1_000
"""Prices at which trailing orders were placed while the market fell."""
_START: Final = Instant(1_800_000_000_000)
_YEAR_MS: Final = 365 * 24 * 3_600_000
_DOLLAR: Final = 10**USD_SCALE
_MINT: Final = Mint(SOL.mint)


class Mixed(msgspec.Struct, frozen=True, kw_only=True):
    """`extremum_*`: a price that crosses nothing, and moves the watermark of all that trail. Crossing: 10⁴ orders."""

    orders: int
    bytes_an_order: float
    tick_p50_us: float
    tick_p99_us: float
    extremum_p50_us: float
    extremum_p99_us: float
    crossing_ms: float


def measure(orders: int) -> Mixed:
    """In a child process."""
    return msgspec.json.decode(last_line("mixed", orders), type=Mixed)


def _below(number: int) -> UsdPrice:
    """Where the order triggers when SOL falls."""
    return UsdPrice(100 * _DOLLAR - number * _DOLLAR // 100_000_000)


def _above(number: int) -> UsdPrice:
    return UsdPrice(300 * _DOLLAR + number * _DOLLAR // 100_000)


def _trail(number: int) -> Trail:
    """Most of them trigger far below, and some where the others do."""
    watermark = UsdPrice(160 * _DOLLAR - number % _WATERMARKS * _DOLLAR // _WATERMARKS)
    return Trail(Bps(3_700 + number // len(KINDS) % 5_000), watermark)


def _legs(kind: str, number: int) -> tuple[Leg, ...]:
    above = Condition(Direction.ABOVE, _above(number))
    below = Condition(Direction.BELOW, _below(number))
    pair = (Leg(Role.TAKE_PROFIT, above, Bps(300)), Leg(Role.STOP_LOSS, below, Bps(300)))
    match kind:
        case "oco":
            return pair
        case "otoco":
            return (Leg(Role.TRIGGER, below, Bps(300)), *pair)
        case "trailing":
            trail = _trail(number)
            assert trail.watermark is not None
            condition = Condition(Direction.BELOW, trigger_price(Direction.BELOW, trail.watermark, trail.distance))
            return (Leg(Role.TRIGGER, condition, Bps(300), trail),)
    return (Leg(Role.TRIGGER, above if kind == "above" else below, Bps(300)),)


def _order(number: int, ids: Ids, wallet: Wallet) -> OrderGroup:
    kind = KINDS[number % len(KINDS)]
    sells, buys = (USDC, SOL) if kind in ("below", "otoco") else (SOL, USDC)
    family = Family(kind) if kind in ("oco", "otoco") else Family.SINGLE
    amount, at = BaseUnits(10**9 + number), Instant(_START + number)
    return OrderGroup(
        id=ids.order_id(at, bucket_of(wallet)),
        terms=TriggerTerms(
            wallet=wallet,
            family=family,
            input_mint=sells.mint,
            output_mint=buys.mint,
            trigger_mint=SOL.mint,
            input_account=Address(address()),
            deposited=amount,
            output_account=Address(address()) if family is Family.OTOCO else None,
        ),
        legs=_legs(kind, number),
        expires_at=Instant(at + _YEAR_MS),
        state=State.OPEN,
        version=2,
        created_at=at,
        updated_at=Instant(at + 200),
        progress=AT_REST,
    )


def _stored(count: int) -> Iterator[bytes]:
    """Bodies of the rows of open orders."""
    ids = Ids(1)
    wallets = [Wallet(address()) for _ in range(_WALLETS)]
    for number in range(count):
        yield encode(_order(number, ids, wallets[number % _WALLETS]))


def _falling_triggers(count: int) -> Iterator[int]:
    """Where the orders trigger that a falling price triggers."""
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        if kind == "trailing":
            trail = _trail(number)
            assert trail.watermark is not None
            yield trigger_price(Direction.BELOW, trail.watermark, trail.distance).picodollars
        elif kind != "above":
            yield _below(number).picodollars


def _tick(writer: TriggerEpoch, price: UsdPrice) -> int:
    """As a shard judges a price: its watermarks, then slice after slice. Returns how many orders it crosses."""
    live, count, more = writer.state.live, 0, True
    if live.moves_watermarks(_MINT, price):
        writer.turn(MoveWatermarks(_MINT, price), _START)
    while more:
        crossed, more = live.take_crossed(_MINT, price, at_once=False)
        if crossed:
            writer.turn(TriggerOrders(_MINT, price, at_once=False, order_ids=tuple(crossed)), _START)
        count += len(crossed)
    return count


def _ticks_us(writer: TriggerEpoch, prices: Iterator[UsdPrice]) -> tuple[float, float]:
    """p50 and p99 of what each costs."""
    took = []
    for price in prices:
        began = time.perf_counter_ns()
        crossed = _tick(writer, price)
        took.append(time.perf_counter_ns() - began)
        assert not crossed, "the tick was to cross nothing"
    took.sort()
    return took[len(took) // 2] / 1e3, took[len(took) * 99 // 100] / 1e3


def _crossing_ms(writer: TriggerEpoch, count: int) -> float:
    """A falling price that crosses 10⁴ orders of all types that it can cross."""
    reach = UsdPrice(sorted(_falling_triggers(count), reverse=True)[CROSSED - 1])
    began = time.perf_counter_ns()
    crossed = _tick(writer, reach)
    took = time.perf_counter_ns() - began
    assert CROSSED <= crossed <= CROSSED * 1.1, f"{crossed} orders crossed"
    return took / 1e6


def _measure_here(count: int) -> Mixed:
    state = TriggerState({_MINT: UsdPrice(150 * _DOLLAR)}.get)
    writer = WriterEpoch(0, Epoch(1, 0, b"", _START), state, state)
    gc.disable()  # As a start of the venue does.
    before = resident()
    for body in _stored(count):
        writer.state.adopt(decode_group(body))
    grown = resident() - before
    gc.freeze()
    gc.enable()
    quiet = _ticks_us(writer, (UsdPrice(150 * _DOLLAR + number) for number in range(_TICKS)))
    crossing = _crossing_ms(writer, count)
    extrema = _ticks_us(writer, (UsdPrice(200 * _DOLLAR + number) for number in range(_EXTREMA)))
    return Mixed(
        orders=count,
        bytes_an_order=grown / count,
        tick_p50_us=quiet[0],
        tick_p99_us=quiet[1],
        extremum_p50_us=extrema[0],
        extremum_p99_us=extrema[1],
        crossing_ms=crossing,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_measure_here(int(sys.argv[1]))))
