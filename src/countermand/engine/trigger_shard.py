"""The shard of trigger orders: its commands, its reads, and what it keeps in memory."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from countermand.domain.identity import Mint, OrderId, Wallet
from countermand.domain.instant import Instant
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command, ObservePrice
from countermand.domain.trigger.desk import Happened
from countermand.domain.trigger.order import OrderGroup
from countermand.domain.trigger.refusals import Refused
from countermand.engine.gate import Gate
from countermand.engine.ports import BuildRow, CraftRow, Epoch, ShardClock, Store
from countermand.engine.term import Term
from countermand.engine.trigger_bodies import decode_group, decode_stored
from countermand.engine.trigger_memory import TriggerMemory
from countermand.stored_rows import UNREADABLE, unreadable

DORMANT_ORDERS_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A command that was not refused: the order as it is now. `changed` false: it had been so before."""

    group: OrderGroup
    changed: bool


class TriggerShard(Gate[TriggerMemory]):
    """`on_committed` is told of every order that a commit changed, and after a load of every order in memory."""

    def __init__(
        self, number: int, store: Store, clock: ShardClock, on_committed: Callable[[Sequence[OrderGroup], bool], None]
    ) -> None:
        super().__init__(number, store, clock)
        self.dormant_kept = DORMANT_ORDERS_KEPT
        self._store = store
        self._on_committed = on_committed
        self._prices: dict[Mint, UsdPrice] = {}
        self._fetching: dict[OrderId, asyncio.Future[None]] = {}
        self._watching: dict[OrderId, list[asyncio.Future[None]]] = {}
        self._as_stored: Sequence[OrderGroup] = ()

    # --- commands

    async def submit(self, command: Command) -> Answer | Refused:
        """One turn. Raises `CommitUnknown` when its outcome is unknown, `Unavailable` when it did not happen."""
        assert not isinstance(command, ObservePrice), "prices are observed, see observe_price"
        term = await self._with(command.order_id)
        happened = self._turn(term, command)
        group = term.memory.desk.groups.get(command.order_id)
        await (term.committed() if _changed(happened) else term.confirmed())
        if isinstance(happened, Refused):
            return happened
        assert group is not None, "a decision is about an order"
        return Answer(group, bool(happened))

    async def observe_price(self, mint: Mint, price: UsdPrice, *, at_once: bool) -> None:
        """Stores the price. Once it returns, every order that the price crosses has left `open`."""
        await self.observe_prices({mint: price}, at_once=at_once)

    async def observe_prices(self, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        """The same for several prices, in one commit: all of them are stored, or none is."""
        term = await self._ready()
        for mint, price in prices.items():
            term.memory.add_price(mint, price)
            self._turn(term, ObservePrice(mint, price, at_once))
        await term.committed()

    async def add_craft(self, row: CraftRow) -> None:
        term = await self._ready()
        term.memory.add_craft(row)
        await term.committed()

    async def add_builds(self, rows: Sequence[BuildRow]) -> None:
        term = await self._ready()
        for row in rows:
            term.memory.add_build(row)
        await term.committed()

    async def add_vault(self, wallet: Wallet, at: Instant) -> None:
        term = await self._ready()
        term.memory.add_vault(wallet, at)
        await term.committed()

    # --- reads

    async def peek(self, order_id: OrderId) -> OrderGroup | None:
        """The order as memory has it now, committed or not: to prepare a command, never to answer anybody."""
        term = await self._with(order_id)
        return term.memory.desk.groups.get(order_id)

    async def committed(self, order_id: OrderId) -> OrderGroup | None:
        """The order as it is, once that is committed."""
        while True:
            term = await self._with(order_id)
            group = term.memory.desk.groups.get(order_id)
            await term.committed()
            if term.memory.desk.groups.get(order_id) is group:
                return group

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

    # --- the life of a shard

    async def _load(self, epoch: Epoch) -> Term[TriggerMemory]:
        """Keeps the orders as they are stored, too: the ticks at the end may move some already."""
        memory = TriggerMemory()
        for order_id, body in await self._store.live_orders(self.number):
            try:
                memory.adopt(decode_stored(order_id, body))
            except UNREADABLE as problem:
                raise unreadable("orders", order_id, problem) from problem
        self._as_stored = tuple(memory.desk.groups.values())
        term = Term(self.number, epoch, memory)
        for mint, price in await self._store.prices(self.number):
            term.turn(ObservePrice(mint, price, at_once=False), self._clock.now())
        return term

    def _served(self, term: Term[TriggerMemory]) -> None:
        self._prices = term.memory.desk.prices
        loaded, self._as_stored = self._as_stored, ()
        self._on_committed(loaded, True)
        self._wake(tuple(self._watching))

    def _wrote(self, term: Term[TriggerMemory]) -> None:
        groups = term.memory.wrote()
        self._on_committed(groups, False)
        self._wake([group.id for group in groups])
        term.memory.evict(self.dormant_kept, self._is_wanted)

    def _wake(self, order_ids: Sequence[OrderId]) -> None:
        for order_id in order_ids:
            for future in self._watching.pop(order_id, ()):
                if not future.done():
                    future.set_result(None)

    # --- fetching

    async def _with(self, order_id: OrderId) -> Term[TriggerMemory]:
        """The term, with the order in memory if there is one. What follows without an `await` sees it there."""
        while True:
            term = await self._ready()
            if order_id in term.memory.desk.groups:
                return term
            fetching = self._fetching.get(order_id)
            if fetching is not None:
                await asyncio.shield(fetching)
                continue
            found = await self._fetch(order_id)
            if term is self._term:
                if found is not None:
                    term.memory.adopt(found)
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
