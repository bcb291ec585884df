"""The world of one run: time, chance, the database, the chain, the processes, and everything that is seen of them."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from countermand.domain.identity import Mint, OrderId, RequestId, Wallet
from countermand.domain.instant import Instant
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command
from countermand.domain.trigger.order import OrderGroup
from countermand.engine.clock import ClockSetting, VenueClock
from countermand.engine.journal import encode
from countermand.engine.ports import CommitUnknown, Custody, JournalRow, OrderRow, Store, Unavailable
from countermand.simulation import swarm as swarms
from countermand.simulation.chance import chance
from countermand.simulation.checkers import ChainOrders, Checkers, Claim
from countermand.simulation.checkers.on_chain import LANDINGS, Moment
from countermand.simulation.faults import FaultyChain, FaultyNode, Mortal, StoreFaults
from countermand.simulation.memory_store import MemoryDatabase, MemoryStore
from countermand.simulation.process import Gone, Parts, Process
from countermand.simulation.sides import ChainSide, OrdersSide
from countermand.simulation.swarm import Swarm
from countermand.simulation.trace import Trace
from countermand.simulation.violation import Violation
from countermand.solana.port import Node

Answer = dict[str, Any]
Work = Callable[[Process], Coroutine[Any, Any, Answer]]
Judge = Callable[[Answer, bool], None]
"""Is given an answer that left the server, and whether who answered had not been replaced."""

T = TypeVar("T")

START_MS: Final = 1_700_000_000_000
_PATIENCE_MS: Final = 60_000


class Lost(Exception):
    """The client got no answer, or not the whole of it: it knows nothing."""


@dataclass(slots=True)
class Rows:
    """The database as the checkers read it."""

    database: MemoryDatabase

    def seq(self) -> int:
        return self.database.shard(0).stands.seq

    def journal_row(self, seq: int) -> JournalRow | None:
        return self.database.shard(0).journal.get(seq)

    def order_row(self, order_id: str) -> OrderRow | None:
        return self.database.shard(0).orders.get(OrderId(order_id))

    def has_craft(self, request_id: str) -> bool:
        return RequestId(request_id) in self.database.shard(0).crafts

    def has_vault(self, wallet: str) -> bool:
        return Wallet(wallet) in self.database.shard(0).vaults

    def has_build(self, digest: bytes) -> bool:
        return digest in self.database.shard(0).builds

    def live_orders(self) -> Sequence[str]:
        return [order_id for order_id, row in self.database.shard(0).orders.items() if row.live]


class World:
    def __init__(self, seed: int, swarm: Swarm, side: Callable[["World"], ChainSide], parts: Parts) -> None:
        self.seed = seed
        self.swarm = swarm
        self.random = chance(seed, "faults")
        self.trace = Trace()
        self.steps = 0
        self.step_taken = asyncio.Event()
        self.violation: Violation | None = None
        self.ended = asyncio.Event()
        """Something is broken."""
        self.is_calm = False
        self.clock = VenueClock(ClockSetting(), self.wall_ms)
        self.database = MemoryDatabase()
        self.side = side(self)
        self.prices: dict[str, int] = {}
        rows, orders = Rows(self.database), self.side.orders
        self.checkers = Checkers(rows, self.side, self.trace.count)
        self._on_chain = orders
        people = () if orders is None else (*orders.makers, *orders.savers, orders.sponsor)
        self._chain_orders = (
            None if orders is None else ChainOrders(orders, self.side, rows, people, self._saw_on_chain)
        )
        self.processes: list[Process] = []
        self._parts = parts
        self._started = 0
        self._epochs: dict[str, int] = {}
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

    def later(self, ms: int, work: Callable[[], Awaitable[None]]) -> None:
        """It happens whatever becomes of whoever wanted it."""

        async def waits() -> None:
            await asyncio.sleep(ms / 1000)
            await self.guarded(work())

        task = asyncio.get_running_loop().create_task(waits(), context=Context())
        self._later[task] = None
        task.add_done_callback(lambda done: self._later.pop(done, None))

    def heal(self) -> None:
        """No more faults from here on."""
        self.is_calm = True
        self.swarm = swarms.calm(self.swarm)
        self.database.release()
        self.happened("healed")

    # --- what is broken

    async def guarded(self, work: Awaitable[T]) -> T | None:
        """What is outside of any process must not fail; what is found broken ends the run."""
        try:
            return await work
        except Violation as violation:
            self.found(violation)
        return None

    def found(self, violation: Violation) -> None:
        if self.violation is None:
            self.violation = violation
            self.tell("CHECKERS", str(violation))
        self.ended.set()

    def judged(self, judge: Callable[..., T], *args: Any, **named: Any) -> T | None:
        try:
            return judge(*args, **named)
        except Violation as violation:
            self.found(violation)
        return None

    def is_bug(self, who: str, error: BaseException) -> None:
        self.found(Violation(Claim.NO_BUG, f"{who}: {error!r}"))
        if self.violation is not None and self.violation.__cause__ is None:
            self.violation.__cause__ = error

    def look(self) -> None:
        """Everything that can be seen now is judged."""
        self.judged(self.checkers.follow)
        if self._chain_orders is not None:
            self.judged(self._chain_orders.follow)

    def judge_at_rest(self) -> None:
        self.judged(self.checkers.at_rest)
        if self._chain_orders is not None:
            self.judged(self._chain_orders.at_rest)

    @property
    def on_chain(self) -> OrdersSide:
        assert self._on_chain is not None, "this chain has no order programs"
        return self._on_chain

    @property
    def chain_orders(self) -> ChainOrders:
        """What is claimed of the orders that live on the chain."""
        assert self._chain_orders is not None, "this chain has no order programs"
        return self._chain_orders

    # --- processes

    def store_for(self, process: Process) -> Store:
        return MemoryStore(self.database, _Watched(self, process))

    def custody_for(self, process: Process) -> Custody:
        chain = FaultyChain(self, process, self.side.chain(process), self.watch_send)
        return self.side.custody(chain, self.prices.__getitem__, self._mood)

    def nodes_for(self, process: Process) -> tuple[Node, Node] | None:
        if self._on_chain is None:
            return None
        node = self._on_chain.node(process)
        return FaultyNode(self, process, node, self.watch_build), FaultyNode(self, process, node, self.watch_own)

    def price_of(self, mint: Mint) -> UsdPrice | None:
        price = self.prices.get(mint)
        return None if price is None else UsdPrice(price)

    async def boot(self, process: Process) -> None:
        await self.side.boot(process)

    async def stopped(self, process: Process) -> None:
        await self.side.stopped(process)

    def _mood(self) -> str:
        if self.strikes(self.swarm.swap_refused):
            self.happened("swap refused")
            return "refused"
        if self.strikes(self.swarm.swap_fails):
            self.happened("swap fails")
            return "fails"
        return "fine"

    def start_process(self) -> Process:
        self._started += 1
        name = f"process {self._started}"
        swarm = self.swarm
        seed = self.seed * 1_000 + self._started
        process = Process(name, self, self._parts, self.clock, seed, swarm.confirm_timeout_ms, swarm.dormant_kept)
        self.processes.append(process)
        self.tell(name, "starts")
        process.start()
        return process

    def process_ended(self, process: Process, why: str) -> None:
        self.processes.remove(process)
        if why.startswith("replaced"):
            self.happened("the chain of a writer was replaced" if "chain" in why else "a writer was replaced")
        else:
            self.happened(f"crash at {why}")

    def awake(self) -> Sequence[Process]:
        return [process for process in self.processes if not process.is_paused]

    def stepped(self, process: Process, command: Command | None) -> None:
        self.steps += 1
        self.step_taken.set()
        self.tell(process.name, f"step {self.steps}: {_brief(command)}")

    def stepped_on_chain(self, what: str) -> None:
        """A build is remembered, or a transaction of an on-chain order has landed."""
        self.steps += 1
        self.step_taken.set()
        self.tell("chain", f"step {self.steps}: {what}")

    def _saw_on_chain(self, what: str) -> None:
        self.trace.count(what)
        if what in LANDINGS:
            self.stepped_on_chain(what)

    def epoch_begun(self, process: Process) -> None:
        self._epochs[process.name] = self.database.shard(0).stands.number

    def _was_replaced(self, process: Process) -> bool:
        return self._epochs.get(process.name) != self.database.shard(0).stands.number

    def committed(self, process: Process, groups: Sequence[OrderGroup], loaded: bool) -> None:
        if self._was_replaced(process):
            return
        bodies = {group.id: encode(group) for group in groups}
        self.judged(self.checkers.remembers, bodies, all_of_them=loaded)

    def watch_send(self, process: Mortal, transaction: bytes) -> None:
        message = self.side.message_of(transaction)
        self.judged(self.checkers.sent, message)
        self.tell(process.name, f"sends {base64.b64encode(message).decode()[-24:]}")

    def watch_build(self, process: Mortal, transaction: bytes) -> None:
        message = self.side.message_of(transaction)
        self.judged(self.chain_orders.sent, message)
        self.tell(process.name, f"lands {base64.b64encode(message).decode()[-24:]}")

    def watch_own(self, process: Mortal, transaction: bytes) -> None:
        message = self.side.message_of(transaction)
        self.tell(process.name, f"passes on {base64.b64encode(message).decode()[-24:]}")

    async def meddle(self, transaction: bytes) -> None:
        """Before a transaction lands, a stranger sends something to the account that it makes or closes."""
        dusts, prefunds = self.strikes(self.swarm.dust), self.strikes(self.swarm.prefund)
        message = base64.b64encode(self.side.message_of(transaction)).decode()
        if not (dusts or prefunds) or message not in self.checkers.attempts:
            return
        order = self.checkers.orders[self.checkers.attempts[message][0]]
        if order["state"] != "depositing" and dusts:
            self.happened(f"dust before a landing, {order['close_rejections']} rejected so far")
            await self.side.dust(order["terms"]["input_account"], self.between(1, 1_000))
        elif order["state"] == "depositing" and prefunds:
            self.happened("an address is prefunded while its deposit is on its way")
            await self.side.prefund(order["terms"]["input_account"])

    # --- requests

    async def ask(self, wallet: str, kind: str, order_id: str | None, key: str, work: Work) -> Answer:
        """A request to one of the processes, and what its client gets. Raises `Lost` when it learns nothing."""
        process = self._somebody()
        asked = self.judged(self.checkers.asked, kind, wallet, order_id, key)

        def judge(answer: Answer, _lately: bool) -> None:
            if asked is not None:
                self.checkers.answered(asked, answer)

        return await self._exchange(process, wallet, kind, order_id or key, work, judge)

    async def ask_on_chain(
        self, wallet: str, kind: str, what: str, work: Work, judge: Callable[[Moment, Answer, bool], None] | None = None
    ) -> Answer:
        """The same about orders that live on the chain."""
        process = self._somebody()
        moment = self.judged(self.chain_orders.asked)

        def judges(answer: Answer, lately: bool) -> None:
            if judge is not None and moment is not None:
                judge(moment, answer, lately)

        return await self._exchange(process, wallet, kind, what, work, judges)

    def _somebody(self) -> Process:
        awake = self.awake()
        if not awake:
            raise Lost("nobody is there")
        return self.random.choice(awake) if self.strikes(self.swarm.misrouted) else awake[-1]

    async def _exchange(self, process: Process, wallet: str, kind: str, what: str, work: Work, judge: Judge) -> Answer:
        self.tell(wallet, f"asks {process.name} to {kind} {what}")
        hang_up = self.between(0, 200) if self.strikes(self.swarm.abandoned) else None
        try:
            async with asyncio.timeout(_PATIENCE_MS / 1000):
                answer = await process.handle(work, hang_up)
        except (Unavailable, CommitUnknown, Gone, TimeoutError) as error:
            self.tell(wallet, f"learns nothing of {kind}: {error}")
            self.trace.count(f"{kind}: {type(error).__name__}")
            raise Lost(str(error)) from None
        lately = self._on_chain is None or not self._on_chain.is_replaced(process)
        self.judged(judge, answer, lately)
        self.tell(wallet, f"{kind} {what}: {_shown(answer)}")
        self.trace.count(_counted(kind, answer))
        if self.strikes(self.swarm.answer_lost):
            self.happened("answer lost")
            raise Lost("the answer was lost")
        return answer

    async def price(self, mint: str, price: int, *, at_once: bool) -> None:
        """The venue's price moves, if a process is there to hear it."""
        self.prices[mint] = price

        async def hears(process: Process) -> dict[str, Any]:
            await process.shard.observe_price(Mint(mint), UsdPrice(price), at_once=at_once)
            return {"kind": "priced", "mint": mint, "price": price, "at_once": at_once, "at": self.clock.now()}

        try:
            await self.ask("the market", "price", None, f"{mint} {price}", hears)
        except Lost:
            self.trace.count("price lost")

    async def leap(self, ms: int) -> None:
        """The venue's clock is moved forward, and the chain's with it."""
        self.clock.setting = self.clock.advanced(ms)
        self.side.skip_ms(ms)
        self.happened("clock leaps")

        async def runs(process: Process) -> dict[str, Any]:
            await process.shard.run_due()
            return {"kind": "leapt"}

        try:
            await self.ask("the operator", "leap", None, str(ms), runs)
        except Lost:
            self.trace.count("leap lost")

    def now(self) -> Instant:
        return self.clock.now()


class _Watched(StoreFaults):
    """The faults of a process's store, with somebody who looks on."""

    def __init__(self, world: World, process: Process) -> None:
        super().__init__(world, process)
        self._all = world
        self._mine = process

    async def at(self, point: str) -> None:
        if point == "store.after-epoch":
            self._all.epoch_begun(self._mine)
        self._all.look()
        await super().at(point)


def _brief(command: Command | None) -> str:
    if command is None:
        return "ObservePrice"
    order_id = getattr(command, "order_id", "")
    return f"{type(command).__name__} {order_id}"


def _shown(answer: dict[str, Any]) -> str:
    return " ".join(
        f"{key}={str(value)[-24:]}"
        for key, value in answer.items()
        if key not in ("body", "orders", "message", "built")
    )


def _counted(kind: str, answer: dict[str, Any]) -> str:
    return f"{kind}: {answer.get('refusal') or answer['kind']}"
