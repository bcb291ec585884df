"""Where a run takes place: its time, its chance, its trace, and what was found broken. It knows no family of orders."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Final, Generic, TypeVar

from countermand.engine.clock import ClockSetting, VenueClock
from countermand.simulation import swarm as swarms
from countermand.simulation.chance import chance
from countermand.simulation.swarm import Swarm
from countermand.simulation.trace import Trace

START_MS: Final = 1_700_000_000_000

T = TypeVar("T")
V = TypeVar("V", bound=AssertionError)


class Stage(Generic[V]):
    def __init__(self, seed: int, swarm: Swarm, breaks: type[V]) -> None:
        """`breaks`: what the checkers raise."""
        self.seed = seed
        self.swarm = swarm
        self.random = chance(seed, "faults")
        self.trace = Trace()
        self.steps = 0
        self.news = asyncio.Event()
        """A step was taken, or something is broken."""
        self.violation: V | None = None
        self.ended = asyncio.Event()
        """Something is broken."""
        self.is_calm = False
        self.clock = VenueClock(ClockSetting(), self.wall_ms)
        self._breaks = breaks
        self._later: dict[asyncio.Task[None], None] = {}

    # --- time and chance

    def wall_ms(self) -> int:
        return START_MS + int(asyncio.get_running_loop().time() * 1000 + 1e-6)

    def strikes(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def between(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def tell(self, who: str, what: str) -> None:
        self.trace.tell(asyncio.get_running_loop().time(), who, what)

    def happened(self, what: str) -> None:
        self.tell("world", what)
        self.trace.count(what)

    def stepped(self, who: str, what: str) -> None:
        self.steps += 1
        self.news.set()
        self.tell(who, f"step {self.steps}: {what}")

    def later(self, ms: int, work: Callable[[], Awaitable[None]]) -> None:
        """It happens whatever becomes of whoever wanted it."""

        async def waits() -> None:
            await asyncio.sleep(ms / 1000)
            await self.guarded(work())

        task = asyncio.get_running_loop().create_task(waits(), context=Context())
        self._later[task] = None
        task.add_done_callback(lambda done: self._later.pop(done, None))

    def calm(self) -> None:
        """No more faults from here on."""
        self.is_calm = True
        self.swarm = swarms.calm(self.swarm)
        self.happened("healed")

    # --- what is broken

    async def guarded(self, work: Awaitable[T]) -> T | None:
        """What is outside of any process must not fail; what is found broken ends the run."""
        try:
            return await work
        except self._breaks as violation:
            self.found(violation)
        return None

    def found(self, violation: V) -> None:
        if self.violation is None:
            self.violation = violation
            self.tell("CHECKERS", str(violation))
        self.ended.set()
        self.news.set()

    def judged(self, judge: Callable[..., T], *args: Any, **named: Any) -> T | None:
        try:
            return judge(*args, **named)
        except self._breaks as violation:
            self.found(violation)
        return None


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
