"""The gate: every change of a shard's orders goes through here, one after the other.

A command is fetched for, sequenced, decided in memory, and committed together with whatever else happened meanwhile.
Nothing that was computed from memory leaves before what it saw is committed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from countermand.domain.identity import Mint, OrderId, Wallet
from countermand.domain.instant import Instant
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command, ObservePrice
from countermand.domain.trigger.desk import Happened
from countermand.domain.trigger.order import OrderGroup
from countermand.domain.trigger.refusals import Refused
from countermand.engine import telemetry
from countermand.engine.journal import decode_group
from countermand.engine.ports import Batch, BuildRow, Clock, CommitUnknown, CraftRow, Store, Unavailable
from countermand.engine.term import Term, TermBroken

DORMANT_ORDERS_KEPT: Final = 1_000
_TICK_MS: Final = 100
_RELOAD_PAUSE_MS: Final = 200
_PATIENCE_S: Final = 3


class _Interlude(Exception):
    """Not a bug: the term ends since somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command that was not refused: the order as it is now. `changed` false: it had been so before."""

    group: OrderGroup
    changed: bool


class Shard:
    """`on_committed` is told of every order that a commit changed, and after a load of every order in memory."""

    def __init__(
        self, number: int, store: Store, clock: Clock, on_committed: Callable[[Sequence[OrderGroup], bool], None]
    ) -> None:
        self.number = number
        self.dormant_kept = DORMANT_ORDERS_KEPT
        self._store = store
        self._clock = clock
        self._on_committed = on_committed
        self._term: Term | None = None
        self._prices: dict[Mint, UsdPrice] = {}
        self._opened: int | None = None
        self._loaded = asyncio.Event()
        self._fetching: dict[OrderId, asyncio.Future[None]] = {}
        self._watching: dict[OrderId, list[asyncio.Future[None]]] = {}
        self._failure: BaseException | None = None
        self._interlude: tuple[Callable[[], Awaitable[None]], asyncio.Future[None]] | None = None

    # --- commands

    async def submit(self, command: Command) -> Answer | Refused:
        """One turn. Raises `CommitUnknown` when its outcome is unknown, `Unavailable` when it did not happen."""
        assert not isinstance(command, ObservePrice), "prices are observed, see observe_price"
        term = await self._with(command.order_id)
        happened = self._turn(term, command)
        group = term.desk.groups.get(command.order_id)
        await (term.committed() if _changed(happened) else term.confirmed())
        if isinstance(happened, Refused):
            return happened
        assert group is not None, "a decision is about an order"
        return Answer(group, bool(happened))

    async def observe_price(self, mint: Mint, price: UsdPrice, *, at_once: bool) -> None:
        """Stores the price. Once it returns, every order that the price crosses has left `open`."""
        term = await self._ready()
        term.add_price(mint, price)
        self._turn(term, ObservePrice(mint, price, at_once))
        await term.committed()

    async def run_due(self) -> None:
        """What time demands by now has happened when it returns."""
        term = await self._ready()
        self._turn(term, None)
        await term.committed()

    async def add_craft(self, row: CraftRow) -> None:
        term = await self._ready()
        term.add_craft(row)
        await term.committed()

    async def add_builds(self, rows: Sequence[BuildRow]) -> None:
        term = await self._ready()
        for row in rows:
            term.add_build(row)
        await term.committed()

    async def add_vault(self, wallet: Wallet, at: Instant) -> None:
        term = await self._ready()
        term.add_vault(wallet, at)
        await term.committed()

    def _turn(self, term: Term, command: Command | None) -> Happened | Refused:
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

    async def peek(self, order_id: OrderId) -> OrderGroup | None:
        """The order as memory has it now, committed or not: to prepare a command, never to answer anybody."""
        term = await self._with(order_id)
        return term.desk.groups.get(order_id)

    async def committed(self, order_id: OrderId) -> OrderGroup | None:
        """The order as it is, once that is committed."""
        while True:
            term = await self._with(order_id)
            group = term.desk.groups.get(order_id)
            await term.committed()
            if term.desk.groups.get(order_id) is group:
                return group

    async def barrier(self) -> None:
        """Reads of the store that start after this see everything that memory shows now."""
        await (await self._ready()).committed()

    async def now(self) -> Instant:
        term = await self._ready()
        return max(term.last_at, self._clock.now())

    async def changed(self, order_id: OrderId) -> None:
        """Returns after the next commit that changes the order, or the next load: a lost commit may have changed it."""
        future = asyncio.get_running_loop().create_future()
        watching = self._watching.setdefault(order_id, [])
        watching.append(future)
        try:
            await future
        except asyncio.CancelledError:
            watching.remove(future)
            if not watching and self._watching.get(order_id) is watching:
                del self._watching[order_id]
            raise

    def price_of(self, mint: Mint) -> UsdPrice | None:
        """The newest price that was observed, also while the orders are loaded again."""
        return self._prices.get(mint)

    async def loaded(self) -> None:
        """Returns once the orders are in memory, however long that takes."""
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
        """Loads, commits and loads again for ever. Raises what the store raises when another process took over."""
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
                term, loaded = await self._load()
                await self._serve_term(term, loaded)
            except (CommitUnknown, Unavailable, TermBroken) as lost:
                self._end(CommitUnknown(str(lost)))
                if self._interlude is None:
                    telemetry.term_ended(self.number, lost)
                    await self._clock.sleep(_RELOAD_PAUSE_MS)
                else:
                    await self._play(*self._interlude)

    async def _play(self, between: Callable[[], Awaitable[None]], done: "asyncio.Future[None]") -> None:
        self._interlude = None
        try:
            await between()
        except Exception as problem:  # noqa: BLE001  Whoever asked is told; the shard loads again in any case.
            done.set_exception(problem)
        else:
            done.set_result(None)

    async def _load(self) -> tuple[Term, Sequence[OrderGroup]]:
        """A new term, and the orders as they are stored: the ticks at the end may have moved some already."""
        epoch = await self._store.begin_epoch(self.number, self._opened)
        self._opened = self._opened or epoch.number
        term = Term(self.number, epoch)
        for body in await self._store.live_orders(self.number):
            term.adopt(decode_group(body))
        loaded = tuple(term.desk.groups.values())
        for mint, price in await self._store.prices(self.number):
            term.turn(ObservePrice(mint, price, at_once=False), self._clock.now())
        telemetry.shard_loaded(self.number, epoch, len(loaded))
        return term, loaded

    async def _serve_term(self, term: Term, loaded: Sequence[OrderGroup]) -> None:
        self._term = term
        self._prices = term.desk.prices
        self._loaded.set()
        self._on_committed(loaded, True)
        self._wake(tuple(self._watching))
        ticking = asyncio.create_task(self._tick(term))
        try:
            while True:
                await term.wanted.wait()
                await self._commit(term, term.cut())
        finally:
            ticking.cancel()

    async def _commit(self, term: Term, batch: Batch) -> None:
        began = self._clock.wall_ms()
        await self._store.commit(batch)
        groups = term.wrote(batch)
        telemetry.committed(len(batch.journal), self._clock.wall_ms() - began, len(term.desk.groups))
        self._on_committed(groups, False)
        self._wake([group.id for group in groups])
        term.evict(self.dormant_kept, self._is_wanted)

    def _wake(self, order_ids: Sequence[OrderId]) -> None:
        for order_id in order_ids:
            for future in self._watching.pop(order_id, ()):
                if not future.done():
                    future.set_result(None)

    async def _tick(self, term: Term) -> None:
        while True:
            self._turn(term, None)
            if not term.is_settled():
                term.wanted.set()
            await self._clock.sleep(_TICK_MS)

    def _end(self, reason: CommitUnknown) -> None:
        self._loaded.clear()
        if self._term is not None:
            self._term.end(reason)
            self._term = None

    # --- fetching

    async def _ready(self) -> Term:
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
        if self._term is None:
            raise Unavailable(f"the orders are served no more: {self._failure}")

    async def _with(self, order_id: OrderId) -> Term:
        """The term, with the order in memory if there is one. What follows without an `await` sees it there."""
        while True:
            term = await self._ready()
            if order_id in term.desk.groups:
                return term
            fetching = self._fetching.get(order_id)
            if fetching is not None:
                await asyncio.shield(fetching)
                continue
            found = await self._fetch(order_id)
            if term is self._term:
                if found is not None:
                    term.adopt(found)
                return term

    async def _fetch(self, order_id: OrderId) -> OrderGroup | None:
        """Reads an order from the store. Only one such read of an order is under way, so that no old one overtakes."""
        fetching = self._fetching[order_id] = asyncio.get_running_loop().create_future()
        try:
            body = await self._store.order(order_id)
        finally:
            del self._fetching[order_id]
            fetching.set_result(None)
        return None if body is None else decode_group(body)

    def _is_wanted(self, order_id: OrderId) -> bool:
        return order_id in self._fetching or order_id in self._watching


def _changed(happened: Happened | Refused) -> bool:
    return bool(happened) and not isinstance(happened, Refused)
