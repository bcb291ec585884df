"""The gate: every change of a shard's orders goes through here, one after the other.

A command is fetched for, sequenced, decided in memory, and committed together with whatever else happened meanwhile.
Nothing that was computed from memory leaves before what it saw is committed.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic

from countermand.domain.instant import Instant
from countermand.engine import telemetry
from countermand.engine.ports import Batch, CommitUnknown, Epoch, ShardClock, ShardStore, Unavailable
from countermand.engine.reloads import Reloads
from countermand.engine.term import M, Term, TermBroken

_TICK_MS: Final = 100
_PATIENCE_S: Final = 3


class _Interlude(Exception):
    """Not a bug: the term ends since somebody asked for it."""


class Gate(ABC, Generic[M]):
    """The life of a shard, whatever its orders are. A family adds its commands, and says how its memory is loaded."""

    def __init__(self, number: int, store: ShardStore[Any], clock: ShardClock) -> None:
        self.number = number
        self._fence = store
        self._clock = clock
        self._term: Term[M] | None = None
        self.opened: int | None = None
        """The epoch in which this process took the shard. None: the first load takes it."""
        self._reloads = Reloads()
        self._loaded = asyncio.Event()
        self._failure: BaseException | None = None
        self._broken_by_time = False
        self._interlude: tuple[Callable[[], Awaitable[None]], asyncio.Future[None]] | None = None

    # --- what a family adds

    @abstractmethod
    async def _load(self, epoch: Epoch) -> Term[M]:
        """A new term with what is stored."""

    def _served(self, term: Term[M]) -> None:
        """The term is served from here on."""

    @abstractmethod
    def _wrote(self, term: Term[M]) -> None:
        """What was cut is committed."""

    # --- commands

    async def run_due(self) -> None:
        """What time demands by now has happened when it returns."""
        term = await self._ready()
        self._turn(term, None)
        await term.committed()

    def _turn(self, term: Term[M], command: Any) -> Any:
        """One turn, or only what time demands. A bug in the middle of it leaves memory in doubt: the term ends."""
        try:
            now = self._clock.now()
            if command is not None:
                return term.turn(command, now)
            term.run_due(max(term.last_at, now))
            return ()
        except BaseException as bug:
            term.break_off(bug)
            raise

    # --- reads

    async def barrier(self) -> None:
        """Reads of the store that start after this see everything that memory shows now."""
        await (await self._ready()).committed()

    async def now(self) -> Instant:
        term = await self._ready()
        return max(term.last_at, self._clock.now())

    async def loaded(self) -> None:
        """Returns once the orders are in memory, however long that takes; `Unavailable` if they never will be."""
        while self._term is None:
            self._raise_if_ended()
            await self._loaded.wait()

    def is_ready(self) -> bool:
        return self._term is not None

    @property
    def epoch(self) -> int | None:
        """That in which the orders are served; None while they are not."""
        return None if self._term is None else self._term.epoch

    def is_settled(self) -> bool:
        return self._term is not None and self._term.is_settled()

    async def reload(self, between: Callable[[], Awaitable[None]]) -> None:
        """Commits what is pending, ends the term, does what it is told while nobody writes, and loads again."""
        term = await self._ready()
        await term.committed()
        done = asyncio.get_running_loop().create_future()
        self._interlude = (between, done)
        term.break_off(_Interlude())
        await done
        await self._ready()

    # --- the life of a shard

    async def drain(self) -> None:
        """Commits what is pending, if it can. For a stop: nothing is submitted any more."""
        if self._term is not None:
            with contextlib.suppress(CommitUnknown):
                await self._term.committed()

    async def run(self) -> None:
        """Loads, commits and loads again for ever. Raises what ends a venue: another process took over, a stored row
        cannot be read, a start fails for too long, or what time demands fails each time.
        """
        try:
            await self._run()
        except BaseException as ended:
            # Also when it is cancelled: nobody is to wait for a commit that nobody makes any more.
            self._failure = ended
            self._end(CommitUnknown(str(ended) or "the orders are served no more"))
            self._loaded.set()
            raise

    async def _run(self) -> None:
        while True:
            try:
                await self._serve(await self._begin())
            except (CommitUnknown, Unavailable, TermBroken) as lost:
                self._end(CommitUnknown(str(lost)))
                if self._interlude is None:
                    await self._pause(lost)
                else:
                    await self._play(*self._interlude)

    async def _pause(self, lost: Exception) -> None:
        by_time, self._broken_by_time = self._broken_by_time, False
        pause_ms = self._reloads.pause_ms(lost, self._clock.wall_ms(), by_time=by_time)
        telemetry.term_ended(self.number, lost, pause_ms)
        await self._clock.sleep(pause_ms)

    async def _play(self, between: Callable[[], Awaitable[None]], done: "asyncio.Future[None]") -> None:
        self._interlude = None
        try:
            await between()
        except Exception as problem:  # noqa: BLE001  Whoever asked is told; the shard loads again in any case.
            done.set_exception(problem)
        else:
            done.set_result(None)

    async def _begin(self) -> Term[M]:
        epoch = await self._fence.begin_epoch(self.number, self.opened)
        self.opened = self.opened or epoch.number
        self._clock.not_before(epoch.last_at)
        term = await self._load(epoch)
        telemetry.shard_loaded(self.number, epoch, term.memory.size())
        return term

    async def _serve(self, term: Term[M]) -> None:
        self._term = term
        self._reloads.served()
        self._loaded.set()
        self._served(term)
        ticking = asyncio.create_task(self._tick(term))
        try:
            while True:
                await term.wanted.wait()
                await self._commit(term, term.cut())
        finally:
            ticking.cancel()

    async def _commit(self, term: Term[M], batch: Batch[Any]) -> None:
        began = self._clock.wall_ms()
        await self._fence.commit(batch)
        self._reloads.committed()
        term.wrote(batch)
        telemetry.committed(self.number, len(batch.journal), self._clock.wall_ms() - began, term.memory.size())
        self._wrote(term)

    async def _tick(self, term: Term[M]) -> None:
        while True:
            try:
                self._turn(term, None)
            except BaseException:
                self._broken_by_time = True
                raise
            if not term.is_settled():
                term.wanted.set()
            await self._clock.sleep(_TICK_MS)

    def _end(self, reason: CommitUnknown) -> None:
        self._loaded.clear()
        if self._term is not None:
            self._term.end(reason)
            self._term = None

    async def _ready(self) -> Term[M]:
        if self._term is None:
            await self._patiently_loaded()
        assert self._term is not None
        return self._term

    async def _patiently_loaded(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self._term is None and self._failure is None:
                    await self._loaded.wait()
        except TimeoutError:
            raise Unavailable("the orders are being loaded") from None
        self._raise_if_ended()

    def _raise_if_ended(self) -> None:
        if self._term is None and self._failure is not None:
            raise Unavailable(f"the orders are served no more: {self._failure}")
