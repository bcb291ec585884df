"""The world of one run of the order books: the database, the processes, and everything that is seen of them."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from countermand.orders.book.ports import BookStore
from countermand.orders.book.state import BookState
from countermand.orders.shards import BOOK_SHARD
from countermand_simulator.book.checkers import Checkers, Claim
from countermand_simulator.book.options import Options, rules_of
from countermand_simulator.book.process import BookProcess, BookProcessParts
from countermand_simulator.book.rows import ExchangeSeen, Rows
from countermand_simulator.book.store import MemoryBookDatabase, MemoryBookStore
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.harness import Answer, Harness

Work = Callable[[BookProcess], Coroutine[Any, Any, Answer]]

_BY_NONCE: Final = ("create", "place")
"""What these are about was told when it was drafted."""


class World(Harness[BookProcess]):
    def __init__(self, seed: int, profile: FaultProfile, options: Options, parts: BookProcessParts) -> None:
        self.database = MemoryBookDatabase()
        super().__init__(seed, profile, self.database, BOOK_SHARD, Claim.NO_BUG)
        self.options = options
        rules = [rules_of(each) for each in options.markets]
        self.checkers = Checkers(Rows(self.database), rules, options.orders_per_turn, self.trace.count)
        self._parts = parts

    # --- what is claimed

    def look(self) -> None:
        self.judged(self.checkers.follow)

    def looked(self, process: BookProcess, memory: BookState, *, loaded: bool) -> None:
        """A writer shows its memory, all of which is committed, unless another one has written since."""
        if loaded and ExchangeSeen(memory.exchange).entering() is not None:
            self.trace.count("a load finds an order on its way through the book")
        if loaded and memory.exchange.reached is not None:
            self.trace.count("a load finds stops that are to be triggered")
        if not self.fence.was_replaced(process):
            self.judged(self.checkers.remembers, ExchangeSeen(memory.exchange), all_of_them=loaded)

    # --- processes

    def store_for(self, process: BookProcess) -> BookStore:
        return MemoryBookStore(self.database, self.faults_for(process))

    def new_process(self, name: str, seed: int) -> BookProcess:
        return BookProcess(name, self, self._parts, self.clock, seed, self.options.markets, self.options)

    # --- requests

    async def ask(self, who: str, kind: str, what: Any, work: Work) -> Answer:
        """A request to one of the processes, and what its client gets. Raises `Lost` when it learns nothing."""
        process = self.awake_process()
        asked = self.judged(self.checkers.asked, kind, who, what)

        def judge(answer: Answer) -> None:
            if asked is not None:
                self.checkers.answered(asked, answer)

        return await self.exchange(process, who, kind, what["nonce"] if kind in _BY_NONCE else str(what), work, judge)

    def told(self, kind: str, _what: str, answer: Answer, /) -> str:
        return f"{kind}: {_shown(answer)}"


def _shown(answer: Answer) -> str:
    body = answer.get("body")
    of = "" if not body else f" order {body['id']} {body['state']} {body['executed']['lots']}/{body['origin']['lots']}"
    return f"{answer.get('refusal') or answer['kind']}{of}"
