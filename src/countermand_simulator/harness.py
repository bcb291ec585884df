"""Where a run takes place: its time, its chance, its trace, its processes, and what was found broken.

It knows no family of orders.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from random import Random
from typing import Any, Final, Generic, TypeVar

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ports import CommitUnknown, Epoch, Unavailable
from countermand_simulator import fault_profile
from countermand_simulator.chance import chance
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.faults import FaultContext, StoreFaults
from countermand_simulator.fenced import AFTER_EPOCH, FencedDatabase
from countermand_simulator.simulated_process import Gone, SimulatedProcess
from countermand_simulator.trace import Trace
from countermand_simulator.violation import AnyClaim, Violation

START_MS: Final = 1_700_000_000_000

Answer = dict[str, Any]

T = TypeVar("T")
P = TypeVar("P", bound=SimulatedProcess)


class Lost(Exception):
    """The client got no answer, or not the whole of it: it knows nothing."""


class Fence:
    """One shard's fence, as an observer of the database sees it: whose epoch stands."""

    def __init__(self, database: FencedDatabase[Any], shard: int) -> None:
        self.database = database
        self._shard = shard
        self._epochs: dict[str, int] = {}

    def epoch_begun(self, process: SimulatedProcess) -> None:
        self._epochs[process.name] = self._epoch()

    def was_replaced(self, process: SimulatedProcess) -> bool:
        return self._epochs.get(process.name) != self._epoch()

    def _epoch(self) -> int:
        stands: Epoch = self.database.shard(self._shard).stands
        return stands.number


class Harness(ABC, Generic[P]):
    patience_s: float | None = None
    """So long a client waits for an answer; None: for ever."""

    def __init__(
        self, seed: int, profile: FaultProfile, database: FencedDatabase[Any], shard: int, no_bug: AnyClaim
    ) -> None:
        """`shard`: the number of the first one that all processes write. `no_bug`: what is broken by any bug."""
        self.seed = seed
        self.profile = profile
        self.random = chance(seed, "faults")
        self.trace = Trace()
        self.steps = 0
        self.news = asyncio.Event()
        """A step was taken, or something is broken."""
        self.violation: Violation | None = None
        self.ended = asyncio.Event()
        """Something is broken."""
        self.died = asyncio.Event()
        """A process has, since its supervisor looked last."""
        self.is_calm = False
        self._loop = asyncio.get_running_loop()
        self.clock = VenueClock(ClockSetting(), self.wall_ms)
        self.processes: list[P] = []
        self.fence = Fence(database, shard)
        self._no_bug = no_bug
        self._started = 0
        self._later: dict[asyncio.Task[None], None] = {}

    @abstractmethod
    def new_process(self, name: str, seed: int) -> P: ...

    @abstractmethod
    def look(self) -> None:
        """Everything that can be seen now is judged."""

    @abstractmethod
    def told(self, kind: str, what: str, answer: Answer, /) -> str:
        """An answer, as the trace shows it."""

    # --- time and chance

    def wall_ms(self) -> int:
        return START_MS + int(self._loop.time() * 1000 + 1e-6)

    def strikes(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def between(self, low: int, high: int) -> int:
        return low + int(self.random.random() * (high - low + 1))

    def tell(self, who: str, what: str) -> None:
        self.trace.tell(self._loop.time(), who, what)

    def happened(self, what: str) -> None:
        self.tell("world", what)
        self.trace.count(what)

    def stepped(self, who: str, what: str) -> None:
        self.steps += 1
        self.news.set()
        self.tell(who, f"step {self.steps}: {what}")

    def later(self, ms: int, work: Callable[[], Awaitable[None]]) -> None:
        """It happens whatever becomes of the caller."""

        async def waits() -> None:
            await asyncio.sleep(ms / 1000)
            await self.guarded(work())

        task = self._loop.create_task(waits(), context=Context())
        self._later[task] = None
        task.add_done_callback(lambda done: self._later.pop(done, None))

    async def leap(self, ms: int) -> None:
        """The venue's clock is moved forward."""
        self.clock.setting = self.clock.advanced(ms)
        self.happened("clock leaps")

    def heal(self, random: Random) -> None:
        """No more faults from here on, and at most one process is left."""
        self.is_calm = True
        self.profile = fault_profile.calm(self.profile)
        self.release()
        self.happened("healed")
        kept = self.awake()[-1:] if random.random() < 0.5 else []
        for process in list(self.processes):
            if process not in kept:
                process.die("the end of the faults")

    # --- the database

    def fences(self) -> Sequence[Fence]:
        """Of all shards that the processes write."""
        return (self.fence,)

    def holds(self) -> bool:
        """Whether a commit is inside a database whose writer knows nothing of it."""
        return any(fence.database.held for fence in self.fences())

    def release(self) -> None:
        for fence in self.fences():
            fence.database.release()

    def faults_for(self, process: P) -> StoreFaults:
        return Watched(self, self, self.fence, process)

    # --- processes

    def start_process(self) -> P:
        self._started += 1
        process = self.new_process(f"process {self._started}", self.seed * 1_000 + self._started)
        self.processes.append(process)
        self.tell(process.name, "starts")
        process.start()
        return process

    def process_ended(self, process: P, why: str) -> None:
        self.processes.remove(process)
        self.died.set()
        if why.startswith("replaced"):
            self.happened("the chain of a writer was replaced" if "chain" in why else "a writer was replaced")
        else:
            self.happened(f"crash at {why}")

    def woke(self, _process: SimulatedProcess, /) -> None:
        """It was frozen, and finds that time has passed."""

    def awake(self) -> Sequence[P]:
        return [process for process in self.processes if not process.is_paused]

    def awake_process(self) -> P:
        """The process that a request reaches. Raises `Lost` if none is awake."""
        awake = self.awake()
        if not awake:
            raise Lost("no process is awake")
        return self.random.choice(awake) if self.strikes(self.profile.misrouted) else awake[-1]

    async def exchange(
        self,
        process: P,
        who: str,
        kind: str,
        what: str,
        work: Callable[[P], Coroutine[Any, Any, Answer]],
        judge: Callable[[Answer], None],
    ) -> Answer:
        """A request, and what its client gets. Raises `Lost` when it learns nothing."""
        self.tell(who, f"asks {process.name} to {kind} {what}")
        hang_up = self.between(0, 200) if self.strikes(self.profile.abandoned) else None
        try:
            answer = await process.handle(work, hang_up, self.patience_s)
        except (Unavailable, CommitUnknown, Gone, TimeoutError) as error:
            self.tell(who, f"learns nothing of {kind}: {error}")
            self.trace.count(f"{kind}: {type(error).__name__}")
            raise Lost(str(error)) from None
        self.judged(judge, answer)
        self.tell(who, self.told(kind, what, answer))
        self.trace.count(f"{kind}: {answer.get('refusal') or answer['kind']}")
        if self.strikes(self.profile.answer_lost):
            self.happened("answer lost")
            raise Lost("the answer was lost")
        return answer

    # --- what is broken

    async def guarded(self, work: Awaitable[T]) -> T | None:
        """What is outside of any process must not fail; what is found broken ends the run."""
        try:
            return await work
        except Violation as violation:
            self.found(violation)
        return None

    async def acts(self, actions: Callable[[], Awaitable[T]]) -> T | None:
        """Guarded, too, and not begun if it is cancelled before its turn."""
        return await self.guarded(actions())

    def found(self, violation: Violation) -> None:
        if self.violation is None:
            self.violation = violation
            self.tell("CHECKERS", str(violation))
        self.ended.set()
        self.news.set()

    def judged(self, judge: Callable[..., T], *args: Any, **named: Any) -> T | None:
        try:
            return judge(*args, **named)
        except Violation as violation:
            self.found(violation)
        return None

    def is_bug(self, who: str, error: BaseException) -> None:
        violation = Violation(self._no_bug, f"{who}: {error!r}")
        violation.__cause__ = error
        self.found(violation)


class Watched(StoreFaults):
    """The faults of a process's store, with an observer. `world` has the chance of them."""

    def __init__(self, stage: Harness[Any], world: FaultContext, fence: Fence, process: SimulatedProcess) -> None:
        super().__init__(world, process)
        self._stage = stage
        self._fence = fence
        self._mine = process

    async def at(self, point: str) -> None:
        if point == AFTER_EPOCH:
            self._fence.epoch_begun(self._mine)
        self._stage.look()
        await super().at(point)


async def first_of(*tasks: "asyncio.Task[Any]") -> None:
    """Returns when one is done; the others are cancelled."""
    done = asyncio.Event()
    for task in tasks:
        task.add_done_callback(lambda _: done.set())
    try:
        await done.wait()
    finally:
        for task in tasks:
            task.cancel()
