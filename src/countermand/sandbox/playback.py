"""Prices that move by themselves: played from a table, or a seeded random walk.

What is played follows the wall clock, whatever the venue's clock shows. Nothing of it is stored: a restart, a reset and
a restore end it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random
from typing import Final

import structlog
from msgspec import Struct

from countermand.inspection.queries import shown
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.sandbox import Sandbox
from countermand.services.prices import Prices
from countermand.values.identity import Mint
from countermand.values.quantities import USD_PRICE_MAX, USD_SCALE, Bps, Inexact, UsdPrice, exact, moved

SPEED_ONE: Final = 1_000
"""A speed is counted in thousandths."""
ROWS_MAX: Final = 100_000
_TIME_MAX: Final = 10**15
_ROW: Final = "send rows like 1500,149.25: milliseconds and dollars"

_BYTE_ORDER_MARK: Final = "\ufeff"
_BEFORE_DIGITS: Final = "+-.\"' "
"""A first line that begins like a number is a row, and refused if it is a bad one: a row must not get lost as names."""

_log: Final = structlog.get_logger("countermand")

Move = Callable[[UsdPrice], UsdPrice]
"""The next price, by the one of the moment."""


class Table(Struct, frozen=True):
    """Prices, each with the milliseconds after the first at which it is set."""

    rows: Sequence[tuple[int, UsdPrice]]

    def moves(self) -> Iterator[tuple[int, Move]]:
        for at, price in self.rows:
            yield at, _set_to(price)


class Walk(Struct, frozen=True):
    """From the price of the moment, up or down by at most so much each time. A seed always takes the same steps."""

    seed: int
    most: Bps
    every_ms: int

    def moves(self) -> Iterator[tuple[int, Move]]:
        random = Random(f"walk {self.seed}")  # noqa: S311  A repetition is to be the same.
        for number in count(1):
            yield number * self.every_ms, _moved_by(random.randint(-self.most.bps, self.most.bps))


def _set_to(price: UsdPrice) -> Move:
    return lambda _: price


def _moved_by(bps: int) -> Move:
    def move(price: UsdPrice) -> UsdPrice:
        return UsdPrice(min(max(1, moved(price.picodollars, bps)), USD_PRICE_MAX))

    return move


class Playback(Struct):
    """`moves`: how many prices were set."""

    mint: Mint
    source: Table | Walk
    speed: int
    moves: int = 0
    task: "asyncio.Task[None] | None" = None


class Playbacks:
    """At most one for each token."""

    def __init__(self, sandbox: Sandbox, prices: Prices) -> None:
        self._sandbox = sandbox
        self._prices = prices
        self._playing: dict[Mint, Playback] = {}

    def all(self) -> Sequence[Playback]:
        return list(self._playing.values())

    def start(self, mint: Mint, source: Table | Walk, speed: int) -> None:
        """In the place of what was played of this token."""
        self.stop([mint])
        playback = self._playing[mint] = Playback(mint, source, speed)
        playback.task = asyncio.create_task(self._play(playback), name=f"playback of {mint}")

    def stop(self, mints: Sequence[Mint] | None = None) -> None:
        """None: of every token."""
        for mint in list(self._playing) if mints is None else mints:
            playback = self._playing.pop(mint, None)
            if playback is not None and playback.task is not None:
                playback.task.cancel()

    async def _play(self, playback: Playback) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for at_ms, move in playback.source.moves():
            # Counted from the beginning, so that what one move takes does not delay all that follow.
            await asyncio.sleep(max(0, began + at_ms / playback.speed - loop.time()))
            before = self._prices.price_of(playback.mint)
            if before is not None:
                await self._set(playback, move(before))
        del self._playing[playback.mint]

    async def _set(self, playback: Playback, price: UsdPrice) -> None:
        try:
            await self._sandbox.set_prices({playback.mint: price})
        except (Unavailable, CommitUnknown) as lost:
            _log.warning("a price that is played could not be set", mint=playback.mint, reason=str(lost))
        else:
            playback.moves += 1


def read_table(text: str) -> Table:
    """Of lines with a time and a price, and a first one with names if it likes. Raises `SandboxRefused`."""
    rows: list[tuple[int, UsdPrice]] = []
    first = 0
    text = text.removeprefix(_BYTE_ORDER_MARK)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if lines and not lines[0][1].lstrip(_BEFORE_DIGITS)[:1].isdigit():
        lines = lines[1:]
    if len(lines) > ROWS_MAX:
        raise SandboxRefused(f"csv: has {len(lines)} rows; send at most {ROWS_MAX}")
    for number, line in lines:
        at, price = _read_row(number, line)
        first = at if not rows else first
        if rows and at - first < rows[-1][0]:
            raise SandboxRefused(f"csv: line {number}: its time {at} is before that of the line above")
        rows.append((at - first, price))
    if not rows:
        raise SandboxRefused(f"csv: has no row; {_ROW}")
    return Table(rows)


def _read_row(number: int, line: str) -> tuple[int, UsdPrice]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 2:
        raise SandboxRefused(f"csv: line {number}: {shown(line)!r} has {len(cells)} cells; {_ROW}")
    at, price = exact(cells[0], scale=0, bound=_TIME_MAX), exact(cells[1], scale=USD_SCALE, bound=USD_PRICE_MAX)
    for cell, read in zip(cells, (at, price), strict=True):
        if isinstance(read, Inexact):
            raise SandboxRefused(f"csv: line {number}: {shown(cell)!r} {read.value}; {_ROW}")
    assert not isinstance(at, Inexact)
    assert not isinstance(price, Inexact)
    if not price:
        raise SandboxRefused(f"csv: line {number}: a price must be more than nothing")
    return at, UsdPrice(price)
