"""Snapshots of the whole sandbox, and a return to one of them."""

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from countermand.inspection.queries import shown
from countermand.kernel.clock import ClockSetting
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.sandbox.pool import Liquidity
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.sandbox import (
    CLOCK,
    CUT_SHORT,
    LATEST,
    SEED,
    Sandbox,
    SandboxDependencies,
    stored_clock,
    stored_seed,
)
from countermand.sandbox.wire import FaultsWire
from countermand.settings import SEED_MAX
from countermand.solana.clockwork import CEILING_AHEAD_SLOTS
from countermand.solana.ledger_store import LedgerEpoch, StoredClock
from countermand.store.snapshots_postgres import (
    Beginning,
    PostgresSnapshots,
    SnapshotRefused,
    SnapshotRow,
    check_layout,
    damaged,
)
from countermand.stored_rows import UNREADABLE
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE, U64_MAX

SNAPSHOTS_MAX: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_NAME_WORDS: Final = "1 to 64 letters, digits, points, _ or -, a letter or a digit first"
_ENTROPY_BYTES: Final = 32
_AGAIN_S: Final = 0.25

_log: Final = structlog.get_logger("countermand")


class SnapshotBody(msgspec.Struct, frozen=True):
    """What a sandbox keeps in no table, or in settings of its own."""

    frozen: bool
    seed: int | None
    liquidity: dict[Mint, Liquidity]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(SnapshotBody).decode


def decode_body(body: bytes) -> SnapshotBody:
    """Raises `ValueError` for what no sandbox writes."""
    found = _decode(body)
    numbers = [("seed", found.seed, SEED_MAX)]
    for each in found.liquidity.values():
        numbers.append(("impact", each.impact.bps, BPS_ONE))
        numbers.append(("most of a pool", None if each.max_input is None else each.max_input.units, U64_MAX))
    for name, number, most in numbers:
        if number is not None and not 0 <= number <= most:
            raise ValueError(f"its {name} is not between 0 and {most}")
    return found


def read_row(taken: SnapshotRow) -> SnapshotBody:
    """Raises `SnapshotRefused` for a row that this version cannot restore."""
    check_layout(taken)
    if not 0 <= taken.taken_at <= LATEST:
        raise damaged(taken, "its instant is before 1970 or after the year 9000")
    try:
        return decode_body(taken.body)
    except UNREADABLE as problem:
        raise damaged(taken, str(problem)) from problem


class SnapshotNotHere(SandboxRefused):
    """No snapshot of this sandbox has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{shown(name)}: no snapshot of this sandbox; GET /sandbox/snapshots lists them")


class Snapshots:
    """`forget_members`: what was remembered of members and their sessions counts no more."""

    def __init__(
        self,
        sandbox: Sandbox,
        dependencies: SandboxDependencies,
        store: PostgresSnapshots,
        forget_members: Callable[[], None],
    ) -> None:
        self._sandbox = sandbox
        self._deps = dependencies
        self._store = store
        self._forget_members = forget_members

    async def all(self) -> Sequence[SnapshotRow]:
        """The oldest first."""
        return await self._store.all()

    async def take(self, name: str) -> SnapshotRow:
        """It takes the place of another one of this name: a repeated request does no harm."""
        if _NAME.fullmatch(name) is None:
            raise SandboxRefused(f"name: {shown(name)!r} is none; send {_NAME_WORDS}")
        async with self._sandbox.changes.of_everything():
            there = [row.name for row in await self._store.all()]
            if len(there) >= SNAPSHOTS_MAX and name not in there:
                raise SandboxRefused(f"name: there are {SNAPSHOTS_MAX} snapshots already; delete one first")
            deps = self._deps
            body = SnapshotBody(deps.clock.is_frozen, self._sandbox.seed, dict(deps.pool.liquidity))
            try:
                return await self._store.take(name, deps.clock.now(), _encode(body))
            except SnapshotRefused as refused:
                raise SandboxRefused(str(refused)) from refused

    async def delete(self, name: str) -> None:
        async with self._sandbox.changes.of_everything():
            if not await self._store.delete(name):
                raise SnapshotNotHere(name)

    async def restore(self, name: str) -> None:
        """The sandbox as it was, in a new incarnation. Faults are cleared; epochs, slots and positions go on rising."""
        async with self._sandbox.changes.replacing():
            found = [row for row in await self._store.all() if row.name == name]
            if not found:
                raise SnapshotNotHere(name)
            (taken,) = found
            try:
                await self._restore(taken, read_row(taken))
            except SnapshotRefused as refused:
                raise SandboxRefused(f"name: {refused}") from refused
            deps = self._deps
            # A restored seed does not give the ids again that were given after the snapshot.
            deps.ids.reseed(self._sandbox.seed, deps.shard.epoch or 0)
            await self._sandbox.begin()
            self._sandbox.changes.cut_short = None

    async def _restore(self, taken: SnapshotRow, body: SnapshotBody) -> None:
        self._sandbox.end_all()
        await self._deps.prices.settled()
        await self._sandbox.while_nothing_is_written(lambda: self._replace(taken, body))

    async def _replace(self, taken: SnapshotRow, body: SnapshotBody) -> None:
        self._deps.world.forget()

        async def replace(epoch: LedgerEpoch, slot: int) -> None:
            beginning = self._beginning(taken, body, epoch, slot)
            try:
                await self._stored(taken, beginning)
                await self._sandbox.set_faults(FaultsWire())
                self._deps.pool.liquidity.clear()
                self._deps.pool.liquidity.update(body.liquidity)
            finally:
                await self._adopt_what_is_stored()

        await self._deps.chain.replace(replace)

    async def _stored(self, taken: SnapshotRow, beginning: Beginning) -> None:
        """From here on, a failure leaves a half. Of one whose answer was lost it is unknown."""
        try:
            await self._store.restore(taken, beginning)
        except CommitUnknown:
            self._sandbox.changes.cut_short = CUT_SHORT.format("restore")
            raise
        self._sandbox.changes.cut_short = CUT_SHORT.format("restore")

    def _beginning(self, taken: SnapshotRow, body: SnapshotBody, epoch: LedgerEpoch, slot: int) -> Beginning:
        deps, now = self._deps, Instant(taken.taken_at)
        setting = deps.clock.frozen(now) if body.frozen else deps.clock.running(now)
        opened = {shard.number: shard.opened for shard in self._sandbox.shards()}
        return Beginning(
            shards={number: epoch for number, epoch in opened.items() if epoch is not None},
            chain=epoch.number,
            entropy=secrets.token_bytes(_ENTROPY_BYTES),
            clock=StoredClock(slot, deps.clock.wall_ms(), slot + CEILING_AHEAD_SLOTS + 1, now // 1000),
            settings={CLOCK: _encode(setting), SEED: _encode(body.seed)},
        )

    async def _adopt_what_is_stored(self) -> None:
        """Also after a restore whose answer was lost: it may have happened or not, and no shard is served meanwhile."""
        while True:
            try:
                clock = await stored_clock(self._deps.store)
                seed = await stored_seed(self._deps.store)
                tokens = await self._deps.added_tokens()
                await self._deps.incarnation.learn()
                break
            except (Unavailable, CommitUnknown) as lost:
                _log.warning("what was restored cannot be read, again in a moment", reason=str(lost))
                await asyncio.sleep(_AGAIN_S)
        self._set_clock(clock)
        self._sandbox.seed = seed
        self._deps.tokens.forget_added()
        for token in tokens:
            self._deps.tokens.add(token)
        self._forget_members()
        self._deps.invalidate()
        self._deps.forget_seen()
        self._deps.markets.forget()
        if self._deps.keeper is not None:
            self._deps.keeper.forget()

    def _set_clock(self, setting: ClockSetting) -> None:
        """It may go back: nothing that happened after the snapshot has happened."""
        self._deps.clock.begin_anew()
        self._deps.clock.setting = setting
