"""The shard of a venue with order books: all its markets and balances behind one gate."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Final, TypeAlias, TypeVar

from countermand.domain.book.commands import CancelByOperator, CancelOrder, CancelOrders, Credit, PlaceOrder
from countermand.domain.book.decide import Decision
from countermand.domain.book.lifecycle import LIVE
from countermand.domain.book.market import Market
from countermand.domain.book.order import Nonce, Order, OrderId, Terms
from countermand.domain.book.refusals import Refused
from countermand.domain.instant import Instant
from countermand.domain.ledger.amount import Account
from countermand.domain.ledger.ledger import Balance
from countermand.engine import book_loading
from countermand.engine.book_day import day_began
from countermand.engine.book_memory import BookMemory, MatchFaults
from countermand.engine.book_ports import BookStore
from countermand.engine.book_rows import Draft, decode_draft, decode_order
from countermand.engine.gate import Gate
from countermand.engine.ports import Epoch, ShardClock, Unavailable
from countermand.engine.shared_read import SharedRead
from countermand.engine.term import Term

ENDED_ORDERS_KEPT: Final = 10_000
DRAFTS_KEPT: Final = 10_000
DRAFT_LIFE_MS: Final = 24 * 3_600_000
"""How long an order may wait to be signed."""

T = TypeVar("T")
_Name: TypeAlias = OrderId | tuple[Account, Nonce]
"""By which an order is looked for."""


class BookShard(Gate[BookMemory]):
    def __init__(
        self, number: int, store: BookStore, clock: ShardClock, markets: Iterable[Market], faults: MatchFaults
    ) -> None:
        super().__init__(number, store, clock)
        self.markets = {market.symbol: market for market in markets}
        self._faults = faults
        self.ended_kept = ENDED_ORDERS_KEPT
        self.drafts_kept = DRAFTS_KEPT
        self._store = store
        self._fetching: dict[_Name, asyncio.Future[None]] = {}
        self._newest_epoch = SharedRead(lambda: store.epoch(number))

    # --- commands

    async def draft(self, terms: Terms, hash_of: Callable[[Nonce], str]) -> Draft:
        """Remembers what somebody is asked to sign. `hash_of` must be pure and quick."""
        term = await self._ready()
        memory = term.memory
        memory.nonces += 1
        nonce = Nonce(memory.nonces)
        draft = Draft(nonce, terms, hash_of(nonce), Instant(max(term.last_at, self._clock.now()) + DRAFT_LIFE_MS))
        memory.add_draft(draft)
        await term.committed()
        return draft

    async def place(self, command: PlaceOrder) -> Order | Refused:
        """The order as it is now; the same one if it was placed before."""
        account, nonce = command.terms.account, command.nonce
        term = await self._with_nonce(account, nonce)
        happened = self._turn(term, replace(command, match_fails=self._faults.failing()))
        order = term.memory.desk.placed(account, nonce)
        await self._settled(term, happened)
        if isinstance(happened, Refused):
            return happened
        assert order is not None, "an order that was accepted is there"
        return order

    async def cancel(self, command: CancelOrder | CancelByOperator) -> Order | Refused:
        """The order as it stood before."""
        term = await self._with(command.order_id)
        self._turn(term, None)
        before = term.memory.desk.orders.get(command.order_id)
        happened = self._turn(term, command)
        await self._settled(term, happened)
        if isinstance(happened, Refused):
            return happened
        assert before is not None, "an order that was cancelled is there"
        return before

    async def cancel_many(self, command: CancelOrders) -> int:
        """How many were cancelled."""
        term = await self._ready()
        happened = self._turn(term, command)
        await self._settled(term, happened)
        return len(happened)

    async def credit(self, command: Credit) -> Balance | Refused:
        """The balance after it."""
        term = await self._ready()
        happened = self._turn(term, command)
        balance = term.memory.desk.ledger.balance(command.account, command.currency)
        await self._settled(term, happened)
        return happened if isinstance(happened, Refused) else balance

    async def _settled(self, term: Term[BookMemory], happened: Decision | Refused) -> None:
        if happened and not isinstance(happened, Refused):
            await term.committed()
        else:
            await term.confirmed()

    # --- reads

    async def drafted(self, account: Account, nonce: Nonce) -> Draft | None:
        term = await self._ready()
        draft = term.memory.unused(account, nonce)
        if draft is not None:
            return draft
        body = await self._store.draft(account, nonce)
        return None if body is None else decode_draft(body)

    async def placed(self, account: Account, nonce: Nonce) -> Order | None:
        """What became of a nonce."""
        while True:
            term = await self._with_nonce(account, nonce)
            order = term.memory.desk.placed(account, nonce)
            if await self._is_true(term):
                return order

    async def look(self, at: Callable[[BookMemory], T]) -> T:
        """What memory shows now, once that is committed. `at` must return nothing that changes."""
        while True:
            term = await self._ready()
            seen = at(term.memory)
            if await self._is_true(term):
                return seen

    async def _is_true(self, term: Term[BookMemory]) -> bool:
        """What its memory showed is committed, and when it was looked at no other process had written. Else look again.

        Without this a writer that was replaced, and that writes nothing, would go on showing what it remembers.
        """
        await term.committed()
        if await self._newest_epoch.ask() == term.epoch:
            return True
        if term is self._term:
            raise _written_by_another()
        return False

    # --- the life of a shard

    async def _load(self, epoch: Epoch) -> Term[BookMemory]:
        memory = BookMemory(self.markets.values(), self._faults)
        stored = await self._store.counters(self.number)
        balances = await self._store.balances(self.number)
        orders = await self._store.live_orders(self.number)
        since = day_began(epoch.last_at)
        seconds = {symbol: await self._store.seconds(symbol, since) for symbol in memory.days}
        if await self._store.epoch(self.number) != epoch.number:
            # What was read may be partly its work.
            raise _written_by_another()
        book_loading.load_days(memory, seconds, epoch.last_at)
        book_loading.load_desk(self.number, epoch.seq, memory, stored, balances, orders)
        return Term(self.number, epoch, memory)

    def _wrote(self, term: Term[BookMemory]) -> None:
        term.memory.wrote()
        term.memory.evict(self.ended_kept, self.drafts_kept, self._is_wanted)

    # --- fetching: what has not ended is in memory, what has may have to be read

    async def _with(self, order_id: OrderId) -> Term[BookMemory]:
        """The term, with the order in memory if there is one. What follows without an `await` sees it there."""

        def is_here(memory: BookMemory) -> bool:
            return order_id in memory.desk.orders or not 0 < order_id <= memory.desk.orders_placed

        return await self._fetched(order_id, is_here, lambda: self._store.order(order_id))

    async def _with_nonce(self, account: Account, nonce: Nonce) -> Term[BookMemory]:
        def is_here(memory: BookMemory) -> bool:
            return memory.desk.placed(account, nonce) is not None or memory.unused(account, nonce) is not None

        return await self._fetched((account, nonce), is_here, lambda: self._store.order_of_nonce(account, nonce))

    async def _fetched(
        self, name: _Name, is_here: Callable[[BookMemory], bool], read: Callable[[], Awaitable[bytes | None]]
    ) -> Term[BookMemory]:
        while True:
            term = await self._ready()
            if is_here(term.memory):
                return term
            fetching = self._fetching.get(name)
            if fetching is not None:
                await asyncio.shield(fetching)
                continue
            body = await self._read(name, read)
            if term is self._term:
                if body is not None and not is_here(term.memory):
                    self._recall(term.memory, decode_order(body))
                return term

    async def _read(self, name: _Name, read: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """Only one such read of a name is under way."""
        fetching = self._fetching[name] = asyncio.get_running_loop().create_future()
        try:
            return await read()
        finally:
            del self._fetching[name]
            fetching.set_result(None)

    def _recall(self, memory: BookMemory, order: Order) -> None:
        """What lives is in the memory of whoever writes."""
        if order.state in LIVE:
            raise _written_by_another()
        memory.recall(order)

    def _is_wanted(self, order: Order) -> bool:
        return order.id in self._fetching or (order.terms.account, order.nonce) in self._fetching


def _written_by_another() -> Unavailable:
    return Unavailable("another process writes the order books now")
