"""A shard: one writer for all that it keeps, whatever its orders are.

A command is fetched for, sequenced, decided in memory, and committed together with whatever else happened meanwhile.
Nothing that was computed from memory leaves before what it saw is committed.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic

from countermand.gathering import gathered
from countermand.kernel import telemetry
from countermand.kernel.event_log import EventLog, Position
from countermand.kernel.ports import CommitUnknown, Epoch, EventRow, ShardClock, ShardStore, Unavailable
from countermand.kernel.reload_pauses import ReloadPauses
from countermand.kernel.writer_epoch import (
    Command,
    Event,
    Refusal,
    ReloadRequested,
    Rows,
    State,
    StateInDoubt,
    WriterEpoch,
)
from countermand.values.instant import Instant
from countermand.values.refusal import CommandRefused

_TICK_MS: Final = 100
_PATIENCE_S: Final = 3
PER_SLICE: Final = 48
"""So many commands or events are one slice of what time demands, and so many events may wait for a commit before what
concerns many orders waits for it.
"""


class Shard(ABC, Generic[State, Command, Event, Refusal, Rows]):
    """The life of a shard. A family adds its commands, and says how its state is loaded."""

    def __init__(self, number: int, store: ShardStore[Rows], clock: ShardClock) -> None:
        self.number = number
        self.events = EventLog(number, store)
        self._fence = store
        self._clock = clock
        self._epoch: WriterEpoch[State, Command, Event, Refusal, Rows] | None = None
        self.opened: int | None = None
        """The epoch in which this process took the shard. None: the first load takes it."""
        self._pauses = ReloadPauses()
        self._loaded = asyncio.Event()
        self._failure: BaseException | None = None
        self._held_up_by: Exception | None = None
        self._broken_by_time = False
        self._running_due = asyncio.Lock()
        self._between_slices = 0
        """So many tasks let others run, and go on with a slice of their own."""
        self.per_slice = PER_SLICE
        self._between: tuple[Callable[[], Awaitable[None]], asyncio.Future[None]] | None = None

    # --- what a family adds

    @abstractmethod
    async def _load(self, epoch: Epoch) -> WriterEpoch[State, Command, Event, Refusal, Rows]:
        """What is stored, in memory."""

    def _on_loaded(self, state: State) -> None:
        """The state is as it is stored."""

    async def _catch_up(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows]) -> None:
        """What must have happened before the state is served. Commits go on meanwhile."""

    @abstractmethod
    def _on_committed(self, state: State) -> None:
        """What was taken of the state is committed."""

    # --- commands

    async def run_due(self) -> None:
        """What time demands by now has happened when it returns."""
        writer = await self._ready()
        await self._run_all_due(writer)
        await writer.committed()

    async def _run_all_due(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows]) -> None:
        """Slice after slice, by one task at a time: two would leave others half as many turns."""
        until = self._clock.now()
        async with self._running_due:
            while not self._run_due(writer, until):
                await self._let_others_run(writer)

    def _turn(
        self,
        writer: WriterEpoch[State, Command, Event, Refusal, Rows],
        command: Command,
        now: Instant | None = None,
    ) -> tuple[Event, ...] | Refusal:
        """One turn, after what time demands before it."""
        try:
            return writer.turn(command, self._clock.now() if now is None else now)
        except BaseException as bug:
            writer.abort(bug)  # A turn that ended half way leaves the state in doubt.
            raise

    def _run_due(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows], until: Instant) -> bool:
        """A slice of what time demands. False: there may be more."""
        try:
            return writer.run_due(until, self.per_slice)
        except BaseException as bug:
            writer.abort(bug)
            raise

    async def _let_others_run(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows]) -> None:
        """Between two slices of what concerns many orders. Also the commit must not grow without a bound."""
        self._between_slices += 1
        try:
            if writer.unwritten() >= self.per_slice:
                await writer.committed()
            else:
                writer.wanted.set()
                await asyncio.sleep(0)
        finally:
            self._between_slices -= 1

    async def _settled(
        self,
        writer: WriterEpoch[State, Command, Event, Refusal, Rows],
        decided: tuple[Event, ...] | Refusal,
    ) -> None:
        """The answer may leave: what was decided is committed, or, if that changes nothing, the fence was passed."""
        changed = decided and not isinstance(decided, CommandRefused)
        await (writer.committed() if changed else writer.confirmed())

    # --- reads

    async def barrier(self) -> None:
        """Reads of the store that start after this see everything that memory shows now."""
        await (await self._ready()).committed()

    async def read_events(self, after: Position | None, limit: int) -> tuple[Sequence[EventRow], Position]:
        """The first events after a position, None for the start, and the position after them: see `EventLog.read`."""
        await self._ready()
        return await self.events.read(self.events.start() if after is None else after, limit)

    async def now(self) -> Instant:
        writer = await self._ready()
        return max(writer.last_at, self._clock.now())

    async def loaded(self) -> None:
        """Returns once the orders are in memory, however long that takes; `Unavailable` if they never will be."""
        while self._epoch is None:
            self._raise_if_ended()
            await self._loaded.wait()

    def is_ready(self) -> bool:
        return self._epoch is not None

    @property
    def held_up_by(self) -> Exception | None:
        """What ended the last epoch, or the last try to begin one, while the orders are not served."""
        return self._held_up_by if self._epoch is None else None

    @property
    def epoch(self) -> int | None:
        """That in which the orders are served; None while they are not."""
        return None if self._epoch is None else self._epoch.number

    def is_settled(self) -> bool:
        """All is committed, and nothing that goes slice by slice is under way."""
        return self._epoch is not None and not self._between_slices and self._epoch.is_settled()

    async def reload(self, between: Callable[[], Awaitable[None]]) -> None:
        """Commits what is pending, ends the epoch, does what it is told while nothing is written, and loads again."""
        writer = await self._ready()
        await writer.committed()
        done = asyncio.get_running_loop().create_future()
        self._between = (between, done)
        writer.abort(ReloadRequested())
        await done
        if self._epoch is None:
            await self._patiently_loaded()

    # --- the life of a shard

    async def drain(self) -> None:
        """Commits what is pending, if it can. For a stop: nothing is submitted any more."""
        if self._epoch is not None:
            with contextlib.suppress(CommitUnknown):
                await self._epoch.committed()

    async def run(self) -> None:
        """Loads, commits and loads again for ever. Raises what ends a venue: another process took over, a stored row
        cannot be read, a start fails for too long, or what time demands fails each time.
        """
        try:
            await self._run()
        except BaseException as ended:
            # Also when it is cancelled: no caller may wait for a commit that is not made any more.
            self._failure = ended
            self._end(CommitUnknown(str(ended) or "the orders are served no more"))
            self._loaded.set()
            if self._between is not None and not (done := self._between[1]).done():
                done.set_exception(Unavailable("the orders are served no more"))
            raise

    async def _run(self) -> None:
        while True:
            try:
                await self._serve(await self._begin())
            except (CommitUnknown, Unavailable, StateInDoubt) as lost:
                self._end(CommitUnknown(str(lost)))
                if self._between is None:
                    await self._pause(lost)
                else:
                    await self._do_between(*self._between)

    async def _pause(self, lost: Exception) -> None:
        self._held_up_by = lost
        by_time, self._broken_by_time = self._broken_by_time, False
        pause_ms = self._pauses.pause_ms(lost, self._clock.wall_ms(), by_time=by_time)
        telemetry.epoch_ended(self.number, lost, pause_ms)
        await self._clock.sleep(pause_ms)

    async def _do_between(self, between: Callable[[], Awaitable[None]], done: "asyncio.Future[None]") -> None:
        problem: Exception | None = None
        try:
            await between()
        except Exception as failure:  # noqa: BLE001  The caller is told; the shard loads again in any case.
            problem = failure
        self._between = None
        if done.cancelled():
            return  # The caller has left.
        if problem is None:
            done.set_result(None)
        else:
            done.set_exception(problem)

    async def _begin(self) -> WriterEpoch[State, Command, Event, Refusal, Rows]:
        epoch = await self._fence.begin_epoch(self.number, self.opened)
        self.opened = self.opened or epoch.number
        self._clock.not_before(epoch.last_at)
        writer = await self._load(epoch)
        self.events.on_loaded(epoch)
        telemetry.shard_loaded(self.number, epoch, writer.size(), again=self._pauses.has_served)
        return writer

    async def _serve(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows]) -> None:
        self._pauses.served()
        self._on_loaded(writer.state)
        living = asyncio.create_task(self._live(writer))
        try:
            while True:
                await writer.wanted.wait()
                await gathered(writer.unwritten)
                await self._commit(writer)
        finally:
            living.cancel()

    async def _live(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows]) -> None:
        try:
            await self._catch_up(writer)
            self._epoch = writer
            self._loaded.set()
            await self._tick(writer)
        except CommitUnknown:
            return  # The epoch has ended.
        except Exception as bug:  # noqa: BLE001  The reload tells it.
            self._broken_by_time = True
            writer.abort(bug)

    async def _commit(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows]) -> None:
        batch = writer.take_batch()
        began = self._clock.wall_ms()
        await self._fence.commit(batch)
        self._pauses.committed()
        writer.on_committed(batch)
        telemetry.committed(self.number, len(batch.journal), self._clock.wall_ms() - began, writer.size())
        telemetry.orders_changed(batch.events)
        self.events.on_committed(batch.seq_after, batch.events)
        self._on_committed(writer.state)

    async def _tick(self, writer: WriterEpoch[State, Command, Event, Refusal, Rows]) -> None:
        while True:
            await self._run_all_due(writer)
            if not writer.is_settled():
                writer.wanted.set()
            await self._clock.sleep(_TICK_MS)

    def _end(self, reason: CommitUnknown) -> None:
        self._loaded.clear()
        if self._epoch is not None:
            self._epoch.end(reason)
            self._epoch = None

    async def _ready(self) -> WriterEpoch[State, Command, Event, Refusal, Rows]:
        """Raises `Unavailable`, also if the venue began anew meanwhile: who asks was let in by what it was before."""
        if self._epoch is None:
            before = self.events.start().incarnation
            await self._patiently_loaded()
            if before not in (0, self.events.start().incarnation):
                raise Unavailable("the venue began anew meanwhile")
        assert self._epoch is not None
        return self._epoch

    async def _patiently_loaded(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self._epoch is None and self._failure is None:
                    await self._loaded.wait()
        except TimeoutError:
            raise Unavailable("the orders are being loaded") from None
        self._raise_if_ended()

    def _raise_if_ended(self) -> None:
        if self._epoch is None and self._failure is not None:
            raise Unavailable(f"the orders are served no more: {self._failure}")
