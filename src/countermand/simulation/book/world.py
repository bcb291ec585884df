"""The world of one run of the order books: the database, the processes, and everything that is seen of them."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from countermand.engine.book_memory import BookMemory
from countermand.engine.book_ports import BookStore
from countermand.engine.ports import CommitUnknown, Unavailable
from countermand.engine.shards import BOOK_SHARD
from countermand.simulation.book.checkers import Checkers, Claim
from countermand.simulation.book.options import Options, rules_of
from countermand.simulation.book.process import BookProcess, Parts
from countermand.simulation.book.rows import DeskSeen, Rows
from countermand.simulation.book.store import MemoryBookDatabase, MemoryBookStore
from countermand.simulation.faults import StoreFaults
from countermand.simulation.fenced import AFTER_EPOCH
from countermand.simulation.stage import Stage
from countermand.simulation.swarm import Swarm
from countermand.simulation.vessel import Gone
from countermand.simulation.violation import Violation

Answer = dict[str, Any]
Work = Callable[[BookProcess], Coroutine[Any, Any, Answer]]


_BY_NONCE: Final = ("create", "place")
"""What these are about was told when it was drafted."""


class Lost(Exception):
    """The client got no answer, or not the whole of it: it knows nothing."""


class World(Stage[Violation]):
    def __init__(self, seed: int, swarm: Swarm, options: Options, parts: Parts) -> None:
        super().__init__(seed, swarm, Violation)
        self.options = options
        self.database = MemoryBookDatabase()
        self.checkers = Checkers(Rows(self.database), [rules_of(each) for each in options.markets], self.trace.count)
        self.processes: list[BookProcess] = []
        self._parts = parts
        self._started = 0
        self._epochs: dict[str, int] = {}

    def heal(self) -> None:
        self.calm()
        self.database.release()

    def is_bug(self, who: str, error: BaseException) -> None:
        violation = Violation(Claim.NO_BUG, f"{who}: {error!r}")
        violation.__cause__ = error
        self.found(violation)

    # --- processes

    def store_for(self, process: BookProcess) -> BookStore:
        return MemoryBookStore(self.database, _Watched(self, process))

    def start_process(self) -> BookProcess:
        self._started += 1
        name = f"process {self._started}"
        seed = self.seed * 1_000 + self._started
        process = BookProcess(name, self, self._parts, self.clock, seed, self.options.markets, self.options)
        self.processes.append(process)
        self.tell(name, "starts")
        process.start()
        return process

    def process_ended(self, process: BookProcess, why: str) -> None:
        self.processes.remove(process)
        self.happened("a writer was replaced" if why.startswith("replaced") else f"crash at {why}")

    def awake(self) -> Sequence[BookProcess]:
        return [process for process in self.processes if not process.is_paused]

    def epoch_begun(self, process: BookProcess) -> None:
        self._epochs[process.name] = self._epoch()

    def looked(self, process: BookProcess, memory: BookMemory, *, loaded: bool) -> None:
        """A writer shows its memory, all of which is committed, unless another one has written since."""
        if self._epochs.get(process.name) == self._epoch():
            self.judged(self.checkers.remembers, DeskSeen(memory.desk), all_of_them=loaded)

    def _epoch(self) -> int:
        return self.database.shard(BOOK_SHARD).stands.number

    async def meddle(self, transaction: bytes) -> None:
        """Books have no chain."""

    # --- requests

    async def ask(self, who: str, kind: str, what: Any, work: Work) -> Answer:
        """A request to one of the processes, and what its client gets. Raises `Lost` when it learns nothing."""
        awake = self.awake()
        if not awake:
            raise Lost("nobody is there")
        process = self.random.choice(awake) if self.strikes(self.swarm.misrouted) else awake[-1]
        asked = self.judged(self.checkers.asked, kind, who, what)
        self.tell(who, f"asks {process.name} to {kind} {what['nonce'] if kind in _BY_NONCE else what}")
        hang_up = self.between(0, 200) if self.strikes(self.swarm.abandoned) else None
        try:
            answer = await process.handle(work, hang_up)
        except (Unavailable, CommitUnknown, Gone) as error:
            self.tell(who, f"learns nothing of {kind}: {error}")
            self.trace.count(f"{kind}: {type(error).__name__}")
            raise Lost(str(error)) from None
        if asked is not None:
            self.judged(self.checkers.answered, asked, answer)
        self.tell(who, f"{kind}: {_shown(answer)}")
        self.trace.count(f"{kind}: {answer.get('refusal') or answer['kind']}")
        if self.strikes(self.swarm.answer_lost):
            self.happened("answer lost")
            raise Lost("the answer was lost")
        return answer


class _Watched(StoreFaults):
    """The faults of a process's store, with somebody who looks on."""

    def __init__(self, world: World, process: BookProcess) -> None:
        super().__init__(world, process)
        self._all = world
        self._mine = process

    async def at(self, point: str) -> None:
        if point == AFTER_EPOCH:
            self._all.epoch_begun(self._mine)
        self._all.judged(self._all.checkers.follow)
        await super().at(point)


def _shown(answer: Answer) -> str:
    body = answer.get("body")
    of = "" if not body else f" order {body['id']} {body['state']} {body['executed']['lots']}/{body['origin']['lots']}"
    return f"{answer.get('refusal') or answer['kind']}{of}"
