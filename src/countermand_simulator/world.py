"""The world of one run: the database, the chain, the processes, and everything that is seen of them."""

import base64
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from countermand.kernel.journal import encode
from countermand.kernel.ports import Epoch, JournalRow
from countermand.orders.chain.ports import ChainIndexStore
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.ports import OrderRow as RoundsRow
from countermand.orders.shards import CHAIN_SHARD, DCA_SHARD, TRIGGER_SHARD, BucketOwners, OwnedElsewhere
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.ports import OrderRow, Store, Transactions
from countermand.orders.vaults.ports import CraftRow
from countermand.orders.vaults.ports import CraftRow as RoundsCraftRow
from countermand.orders.vaults.registry import VaultRow, VaultStore
from countermand.services.prices import PriceStore
from countermand.services.transactions.client_transactions import BuildStore
from countermand.solana.port import Node
from countermand.values.bucket import BUCKETS, Bucket, BucketRange, bucket_of
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand_simulator.chance import chance
from countermand_simulator.checkers import ChainOrders, Checkers, Claim, Ledger, RoundCheckers
from countermand_simulator.checkers.family import FamilyCheckers
from countermand_simulator.checkers.histories import Histories
from countermand_simulator.checkers.on_chain import LANDINGS, Moment
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.faults import FaultyChain, FaultyNode, ProcessHandle
from countermand_simulator.fenced import FencedDatabase
from countermand_simulator.harness import Answer, Fence, Harness, Lost, Watched
from countermand_simulator.memory_dca import MemoryDcaShard, MemoryDcaStore
from countermand_simulator.memory_index import MemoryIndexShard, MemoryIndexStore
from countermand_simulator.memory_store import (
    MemoryBuilds,
    MemoryDatabase,
    MemoryPrices,
    MemoryShard,
    MemoryStore,
    MemoryVaults,
)
from countermand_simulator.process import Process, ProcessParts
from countermand_simulator.rounds_process import RoundsOutside
from countermand_simulator.sides import ChainSide, OrdersSide
from countermand_simulator.simulated_process import SimulatedProcess

Work = Callable[[Process], Coroutine[Any, Any, Answer]]

_LONG: Final = ("body", "orders", "message", "built", "events", "after")
"""What of an answer the trace does not show."""

LONG_LEAP_MS: Final = 60_000


@dataclass(slots=True)
class Rows:
    """The database of trigger orders as the checkers read it."""

    database: MemoryDatabase

    def epoch(self) -> int:
        return self._shard().stands.number

    def seq(self) -> int:
        return self._shard().stands.seq

    def journal_row(self, seq: int) -> JournalRow | None:
        return self._shard().journal.get(seq)

    def event(self, seq: int, n: int) -> tuple[str, str] | None:
        row = self._shard().events.get((seq, n))
        return None if row is None else (row.record.order_id, row.record.kind)

    def order_row(self, order_id: str) -> OrderRow | RoundsRow | None:
        return self._shard().orders.get(OrderId(order_id))

    def craft_row(self, request_id: str) -> CraftRow | RoundsCraftRow | None:
        return self._shard().crafts.get(RequestId(request_id))

    def vault_row(self, wallet: str) -> VaultRow | None:
        return self.database.vaults.get(Wallet(wallet))

    def prices_stored(self, mint: str) -> Sequence[int]:
        return self.database.prices_stored.get(Mint(mint), ())

    def has_build(self, digest: bytes) -> bool:
        return digest in self.database.builds

    def live_orders(self) -> Sequence[str]:
        return [order_id for order_id, row in self._shard().orders.items() if row.live]

    def _shard(self) -> MemoryShard | MemoryDcaShard:
        return self.database.shard(TRIGGER_SHARD)


@dataclass(slots=True)
class RoundRows(Rows):
    """That of recurring orders. `database` has the prices and the vaults."""

    rounds: FencedDatabase[MemoryDcaShard]

    def _shard(self) -> MemoryDcaShard:
        return self.rounds.shard(DCA_SHARD)


@dataclass(slots=True)
class IndexRows:
    """That of the chain's index."""

    database: FencedDatabase[MemoryIndexShard]

    def index_seq(self) -> tuple[int, int]:
        stands = self._shard().stands
        return stands.number, stands.seq

    def index_cursors(self) -> Mapping[str, bytes]:
        return {program: row.body for program, row in self._shard().cursors.items()}

    def index_orders(self) -> Mapping[tuple[str, str, int], tuple[bool, bytes]]:
        return {name: (row.live, row.body) for name, row in self._shard().orders.items()}

    def index_trades(self, order: tuple[str, str, int]) -> Mapping[int, bytes]:
        return {n: row.body for n, row in self._shard().trades.get(order, {}).items()}

    def _shard(self) -> MemoryIndexShard:
        return self.database.shard(CHAIN_SHARD)


_BOTH: Final = 0.5
_NO_SHARD: Final = 10
"""From this number on."""


class Apart:
    """The same world with a chance of its own: `faults.Strangers`."""

    def __init__(self, world: "World", random: Random, inject_dust: Callable[[bytes], Awaitable[None]]) -> None:
        self._world = world
        self._random = random
        self._inject_dust = inject_dust

    @property
    def profile(self) -> FaultProfile:
        return self._world.profile

    def strikes(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability

    def between(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))

    def happened(self, what: str) -> None:
        self._world.happened(what)

    def later(self, ms: int, work: Callable[[], Awaitable[None]]) -> None:
        self._world.later(ms, work)

    async def inject_dust(self, transaction: bytes) -> None:
        await self._inject_dust(transaction)

    def mood(self) -> str:
        """What the next swap of a round meets."""
        if self.strikes(self.profile.swap_refused):
            self.happened("the swap of a round is refused")
            return "refused"
        if self.strikes(self.profile.swap_fails):
            self.happened("the swap of a round fails")
            return "fails"
        if self.strikes(self.profile.swap_parts):
            self.happened("the swap of a round would take a part")
            return self._random.choice(("part", "crumbs"))
        return "fine"


class World(Harness[Process]):
    patience_s = 60

    def __init__(
        self, seed: int, profile: FaultProfile, side: Callable[["World"], ChainSide], parts: ProcessParts
    ) -> None:
        self.database = MemoryDatabase()
        super().__init__(seed, profile, self.database, TRIGGER_SHARD, Claim.NO_BUG)
        self.side = side(self)
        self.owners = _owners_of(self.side.wallets, TRIGGER_SHARD)
        self.older_ids = profile.older_ids
        self.prices: dict[str, int] = {}
        rows, orders = Rows(self.database), self.side.orders
        ledger, decimals = Ledger(self.side), self.side.decimals
        self.checkers = Checkers(rows, ledger, decimals, self.trace.count)
        self.rounds_database = FencedDatabase(MemoryDcaShard)
        self.rounds_fence = Fence(self.rounds_database, DCA_SHARD)
        self.rounds = RoundCheckers(RoundRows(self.database, self.rounds_database), ledger, decimals, self.trace.count)
        self._rounds_context = Apart(self, chance(seed, "faults of rounds"), self._inject_dust_into_rounds)
        self.index_database = FencedDatabase(MemoryIndexShard)
        self.index_fence = Fence(self.index_database, CHAIN_SHARD)
        self._index_context = Apart(self, chance(seed, "faults of the index"), self.inject_dust)
        self._on_chain = orders
        people = (
            ()
            if orders is None
            else (*orders.limit_clients, *orders.dca_clients, *orders.keepers, orders.trespasser, orders.sponsor)
        )
        self._chain_orders = (
            None
            if orders is None
            else ChainOrders(orders, self.side, rows, people, self._histories_seen(), self._saw_on_chain)
        )
        self._moves = 0
        """How often a price moved."""
        self._seen: tuple[Epoch, Epoch, Epoch, int, int] | None = None
        """What there was to see when it was looked at last."""
        self._parts = parts
        self._bits = chance(seed, "parts of swaps")

    def _histories_seen(self) -> Histories:
        return Histories(IndexRows(self.index_database), self.trace.count)

    # --- what is claimed

    def fences(self) -> Sequence[Fence]:
        return (self.fence, self.rounds_fence, self.index_fence)

    def look(self) -> None:
        trigger, rounds = self.database.shard(TRIGGER_SHARD), self.rounds_database.shard(DCA_SHARD)
        index = self.index_database.shard(CHAIN_SHARD)
        seen = trigger.stands, rounds.stands, index.stands, self.side.landed(), self._moves
        if seen == self._seen:
            return
        self._seen = seen
        self.judged(self.checkers.follow)
        self.judged(self.rounds.follow)
        if self._chain_orders is not None:
            self.judged(self._chain_orders.follow)

    def judge_at_rest(self) -> None:
        self.judged(self.checkers.at_rest)
        self.judged(self.rounds.at_rest)
        if self._chain_orders is not None:
            self.judged(self._chain_orders.at_rest)

    def is_all_told(self) -> bool:
        """The index knows all that landed, or there are no orders on the chain."""
        return self._chain_orders is None or bool(self.judged(self._chain_orders.histories.knows_all))

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
        return MemoryStore(self.database, self.faults_for(process))

    def prices_for(self, process: Process, opened: Callable[[], int | None]) -> PriceStore:
        return MemoryPrices(self.database, self.faults_for(process), opened)

    def builds_for(self, process: Process) -> BuildStore:
        return MemoryBuilds(self.database, self.faults_for(process))

    def vaults_for(self, process: Process) -> VaultStore:
        return MemoryVaults(self.database, self.faults_for(process))

    def transactions_for(self, process: Process) -> Transactions:
        chain = FaultyChain(self, process, self.side.chain(process), self.watch_send)
        return self.side.transactions(chain, self.prices.__getitem__, self._mood)

    def rounds_for(self, process: Process) -> RoundsOutside | None:
        """What a process needs of the world for recurring orders; None if there are none."""
        if not self.side.planners:
            return None
        context = self._rounds_context
        faults = Watched(self, context, self.rounds_fence, process)
        chain = FaultyChain(context, process, self.side.chain(process), self.watch_round)
        transactions = self.side.rounds(chain, self.prices.__getitem__, context.mood)
        return RoundsOutside(
            store=MemoryDcaStore(self.rounds_database, faults),
            transactions=transactions,
            owners=_owners_of(self.side.planners, DCA_SHARD),
            committed=lambda orders, loaded: self._rounds_committed(process, orders, loaded),
            stepped=lambda what: self.stepped(process.name, what),
            confirm_ms=self.profile.confirm_timeout_ms,
            kept=self.profile.dormant_kept,
        )

    def nodes_for(self, process: Process) -> tuple[Node, Node] | None:
        if self._on_chain is None:
            return None
        node = self._on_chain.node(process)
        return FaultyNode(self, process, node, self.watch_build), FaultyNode(self, process, node, self.watch_own)

    def index_for(self, process: Process) -> tuple[ChainIndexStore, Node] | None:
        if self._on_chain is None or not (*self._on_chain.limit_clients, *self._on_chain.dca_clients):
            return None
        context = self._index_context
        faults = Watched(self, context, self.index_fence, process)
        node = FaultyNode(context, process, self._on_chain.node(process), lambda *_: None)
        return MemoryIndexStore(self.index_database, faults), node

    def price_of(self, mint: Mint) -> UsdPrice | None:
        price = self.prices.get(mint)
        return None if price is None else UsdPrice(price)

    async def boot(self, process: Process) -> None:
        await self.side.boot(process)

    async def stopped(self, process: Process) -> None:
        await self.side.stopped(process)

    def _mood(self) -> str:
        if self.strikes(self.profile.swap_refused):
            self.happened("swap refused")
            return "refused"
        if self.strikes(self.profile.swap_fails):
            self.happened("swap fails")
            return "fails"
        if self._bits.random() < self.profile.swap_parts:
            self.happened("swap takes a part")
            return self._bits.choice(("part", "crumbs"))
        return "fine"

    def new_process(self, name: str, seed: int) -> Process:
        profile = self.profile
        return Process(name, self, self._parts, self.clock, seed, profile.confirm_timeout_ms, profile.dormant_kept)

    def stepped_on_chain(self, what: str) -> None:
        """A build is remembered, or a transaction of an on-chain order has landed."""
        self.stepped("chain", what)

    def _saw_on_chain(self, what: str) -> None:
        self.trace.count(what)
        if what in LANDINGS:
            self.stepped_on_chain(what)

    def committed(self, process: Process, groups: Sequence[OrderGroup], loaded: bool) -> None:
        if self.fence.was_replaced(process):
            return
        bodies = {group.id: encode(group) for group in groups}
        self.judged(self.checkers.remembers, bodies, all_of_them=loaded)

    def _rounds_committed(self, process: Process, orders: Sequence[DcaOrder], loaded: bool) -> None:
        if self.rounds_fence.was_replaced(process):
            return
        bodies = {order.id: encode(order) for order in orders}
        self.judged(self.rounds.remembers, bodies, all_of_them=loaded)

    def woke(self, _process: SimulatedProcess) -> None:
        self.rounds.jumped(self.clock.now())

    def watch_send(self, process: ProcessHandle, transaction: bytes) -> None:
        self._watch(self.checkers, process, transaction)

    def watch_round(self, process: ProcessHandle, transaction: bytes) -> None:
        self._watch(self.rounds, process, transaction)

    def _watch(self, checkers: FamilyCheckers, process: ProcessHandle, transaction: bytes) -> None:
        message = self.side.message_of(transaction)
        self.judged(checkers.sent, message)
        self.tell(process.name, f"sends {_shown(message)}")

    def watch_build(self, process: ProcessHandle, transaction: bytes) -> None:
        message = self.side.message_of(transaction)
        self.judged(self.chain_orders.sent, message)
        self.tell(process.name, f"lands {_shown(message)}")

    def watch_own(self, process: ProcessHandle, transaction: bytes) -> None:
        message = self.side.message_of(transaction)
        self.tell(process.name, f"passes on {_shown(message)}")

    async def inject_dust(self, transaction: bytes) -> None:
        """Before a transaction lands, a stranger sends something to the account that it makes or closes."""
        dusts, prefunds = self.strikes(self.profile.dust), self.strikes(self.profile.prefund)
        if not (dusts or prefunds):
            return
        message = base64.b64encode(self.side.message_of(transaction)).decode()
        if message not in self.checkers.attempts:
            return
        order = self.checkers.orders[self.checkers.attempts[message][0]]
        if order["state"] != "depositing" and dusts:
            self.happened(f"dust before a landing, {order['close_rejections']} rejected so far")
            await self.side.dust(order["terms"]["input_account"], self.between(1, 1_000))
            if order["terms"]["output_account"] and self._bits.random() < _BOTH:
                self.happened("dust comes to an output account")
                await self.side.dust(order["terms"]["output_account"], self._bits.randint(1, 1_000))
        elif order["state"] == "depositing" and prefunds:
            self.happened("an address is prefunded while its deposit is on its way")
            await self.side.prefund(order["terms"]["input_account"])

    async def _inject_dust_into_rounds(self, transaction: bytes) -> None:
        """The same with an account of a recurring order."""
        context = self._rounds_context
        dusts, prefunds = context.strikes(self.profile.dust), context.strikes(self.profile.prefund)
        if not (dusts or prefunds):
            return
        message = base64.b64encode(self.side.message_of(transaction)).decode()
        if message not in self.rounds.attempts:
            return
        order = self.rounds.orders[self.rounds.attempts[message][0]]
        if order["state"] != "depositing" and dusts:
            self.happened(f"dust on rounds before a landing, {order['close_rejections']} rejected so far")
            await self.side.dust(order["terms"]["input_account"], context.between(1, 1_000))
        elif order["state"] == "depositing" and prefunds:
            self.happened("an address is prefunded while the deposit of a recurring order is on its way")
            await self.side.prefund(order["terms"]["input_account"])

    # --- requests

    async def ask(
        self,
        wallet: str,
        kind: str,
        order_id: str | None,
        key: str,
        work: Work,
        checkers: FamilyCheckers | None = None,
    ) -> Answer:
        """A request to one of the processes, and what its client gets. Raises `Lost` when it learns nothing.

        `checkers` None: it is about trigger orders.
        """
        process, judges = self.awake_process(), checkers or self.checkers
        asked = self.judged(judges.asked, kind, wallet, order_id, key)

        def judge(answer: Answer) -> None:
            if asked is not None:
                judges.answered(asked, answer)

        async def works(process: Process) -> Answer:
            try:
                return await work(process)
            except OwnedElsewhere as elsewhere:
                return {"kind": "elsewhere", "owner": elsewhere.owner}

        answer = await self.exchange(process, wallet, kind, order_id or key, works, judge)
        if answer["kind"] == "elsewhere":
            raise Lost(f"shard {answer['owner']} does not run here")
        return answer

    async def ask_on_chain(
        self, wallet: str, kind: str, what: str, work: Work, judge: Callable[[Moment, Answer, bool], None] | None = None
    ) -> Answer:
        """The same about orders that live on the chain."""
        process = self.awake_process()
        moment = self.judged(self.chain_orders.asked)

        def judges(answer: Answer) -> None:
            if judge is not None and moment is not None:
                judge(moment, answer, self._on_chain is None or not self._on_chain.is_replaced(process))

        return await self.exchange(process, wallet, kind, what, work, judges)

    def told(self, kind: str, what: str, answer: Answer, /) -> str:
        shown = (f"{key}={str(value)[-24:]}" for key, value in answer.items() if key not in _LONG)
        return f"{kind} {what}: {' '.join(shown)}"

    def moves(self, mint: str, price: int) -> None:
        """What swaps are made at from now on."""
        self.prices[mint] = price
        self._moves += 1
        self.checkers.priced(mint, price)
        self.rounds.priced(mint, price)

    async def price(self, mint: str, price: int, *, at_once: bool) -> None:
        """The venue's price moves, if a process is there to hear it."""
        self.moves(mint, price)

        async def hears(process: Process) -> dict[str, Any]:
            await process.prices.set({Mint(mint): UsdPrice(price)}, at_once=at_once)
            return {"kind": "priced", "mint": mint, "price": price, "at_once": at_once, "at": self.clock.now()}

        try:
            await self.ask("the market", "price", None, f"{mint} {price}", hears)
        except Lost:
            self.trace.count("price lost")

    async def leap(self, ms: int) -> None:
        """The venue's clock is moved forward. With a long leap comes the fault that lets every blockhash die."""
        await super().leap(ms)
        self.rounds.jumped(self.clock.now())
        if ms >= LONG_LEAP_MS:
            await self.side.expire_blockhashes()

        async def runs(process: Process) -> dict[str, Any]:
            await process.run_due()
            return {"kind": "leapt"}

        try:
            await self.ask("the operator", "leap", None, str(ms), runs)
        except Lost:
            self.trace.count("leap lost")

    def now(self) -> Instant:
        return self.clock.now()


def _shown(message: bytes) -> str:
    return base64.b64encode(message[-18:]).decode()


def _owners_of(wallets: Sequence[str], shard: int) -> BucketOwners:
    """The shard owns no more than a range with all of these; shards that do not run own what is left."""
    buckets = [bucket_of(Wallet(wallet)) for wallet in wallets]
    first, last = min(buckets), max(buckets)
    below, above = range(first), range(last + 1, BUCKETS)
    left = [BucketRange(Bucket(each[0]), Bucket(each[-1])) for each in (below, above) if each]
    return BucketOwners({shard: BucketRange(first, last), **dict(enumerate(left, start=_NO_SHARD))})
