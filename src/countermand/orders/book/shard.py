"""The shard of the order books: all markets and balances have one writer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias, TypeVar

from countermand.kernel.ports import Epoch, ShardClock, Unavailable, WriterReplaced
from countermand.kernel.shard import Shard
from countermand.kernel.shared_read import SharedRead
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.book import loading as book_loading
from countermand.orders.book.day import day_began
from countermand.orders.book.model.commands import (
    CancelBookOrder,
    CancelBookOrders,
    CancelByOperator,
    Command,
    Credit,
    PlaceBookOrder,
)
from countermand.orders.book.model.events import Event
from countermand.orders.book.model.exchange import ORDERS_PER_TURN
from countermand.orders.book.model.ledger.amount import Account
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.lifecycle import LIVE
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import BookOrder, BookTerms, Nonce, OrderId
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.ports import BookStore
from countermand.orders.book.rows import BookRows, Draft, decode_draft, decode_order
from countermand.orders.book.state import BookState, MatchFaults
from countermand.values.instant import Instant
from countermand.values.structs import replace

ENDED_ORDERS_KEPT: Final = 10_000
DRAFTS_KEPT: Final = 10_000
DRAFT_LIFE_MS: Final = 24 * 3_600_000
"""How long an order may wait to be signed."""

T = TypeVar("T")
_Name: TypeAlias = OrderId | tuple[Account, Nonce]
"""By which an order is looked for."""
BookEpoch: TypeAlias = WriterEpoch[BookState, Command, Event, BookRefused, BookRows]


class BookShard(Shard[BookState, Command, Event, BookRefused, BookRows]):
    def __init__(
        self,
        number: int,
        store: BookStore,
        clock: ShardClock,
        markets: Iterable[Market],
        faults: MatchFaults,
        orders_per_turn: int = ORDERS_PER_TURN,
    ) -> None:
        super().__init__(number, store, clock)
        self.orders_per_turn = orders_per_turn
        self.markets = {market.symbol: market for market in markets}
        self._faults = faults
        self.ended_kept = ENDED_ORDERS_KEPT
        self.drafts_kept = DRAFTS_KEPT
        self._store = store
        self._fetching: dict[_Name, asyncio.Future[None]] = {}
        self._placing: dict[tuple[Account, Nonce], None] = {}
        """Orders that are being placed, in more than one turn."""
        self._newest_epoch = SharedRead(lambda: store.epoch(number))

    # --- commands

    async def draft(self, terms: BookTerms, hash_of: Callable[[Nonce], str]) -> Draft:
        """Remembers what an owner is asked to sign. `hash_of` must be pure and quick."""
        writer = await self._ready()
        state = writer.state
        state.nonces += 1
        nonce = Nonce(state.nonces)
        draft = Draft(nonce, terms, hash_of(nonce), Instant(max(writer.last_at, self._clock.now()) + DRAFT_LIFE_MS))
        state.add_draft(draft)
        await writer.committed()
        return draft

    async def place(self, command: PlaceBookOrder) -> BookOrder | BookRefused:
        """The order as it is now; the same one if it was placed before."""
        account, nonce = command.terms.account, command.nonce
        writer, now = await self._in_turn(lambda: self._with_nonce(account, nonce))
        decided = self._turn(writer, replace(command, match_fails=self._faults.failing()), now)
        if writer.is_due(now):
            self._placing[account, nonce] = None
            try:
                await self._run_all_due(writer)
            finally:
                del self._placing[account, nonce]
        order = writer.state.exchange.placed(account, nonce)
        await self._settled(writer, decided)
        if isinstance(decided, BookRefused):
            return decided
        assert order is not None, "an order that was accepted is there"
        return order

    async def cancel(self, command: CancelBookOrder | CancelByOperator) -> BookOrder | BookRefused:
        """The order as it stood before."""
        writer, now = await self._in_turn(lambda: self._with(command.order_id))
        before = writer.state.exchange.orders.get(command.order_id)
        decided = self._turn(writer, command, now)
        await self._settled(writer, decided)
        if isinstance(decided, BookRefused):
            return decided
        assert before is not None, "an order that was cancelled is there"
        return before

    async def cancel_many(self, command: CancelBookOrders) -> int:
        """How many were cancelled."""
        writer, now = await self._in_turn(self._ready)
        decided = self._turn(writer, command, now)
        await self._settled(writer, decided)
        return 0 if isinstance(decided, BookRefused) else len(decided)

    async def credit(self, command: Credit) -> Balance | BookRefused:
        """The balance after it."""
        writer, now = await self._in_turn(self._ready)
        decided = self._turn(writer, command, now)
        balance = writer.state.exchange.ledger.balance(command.account, command.currency)
        await self._settled(writer, decided)
        return decided if isinstance(decided, BookRefused) else balance

    async def _in_turn(self, fetched: Callable[[], Awaitable[BookEpoch]]) -> tuple[BookEpoch, Instant]:
        """The writer and the instant, once nothing is due before a command at that instant.

        What was triggered, an order on its way through the book, and what is too old go first, slice by slice.
        """
        while True:
            writer, now = await fetched(), self._clock.now()
            if not writer.is_due(now):
                return writer, now
            await self._run_all_due(writer)

    # --- reads

    async def drafted(self, account: Account, nonce: Nonce) -> Draft | None:
        writer = await self._ready()
        draft = writer.state.unused(account, nonce)
        if draft is not None:
            return draft
        body = await self._store.draft(account, nonce)
        return None if body is None else decode_draft(body)

    async def placed(self, account: Account, nonce: Nonce) -> BookOrder | None:
        """What became of a nonce."""
        while True:
            writer = await self._with_nonce(account, nonce)
            order = writer.state.exchange.placed(account, nonce)
            if await self._is_true(writer):
                return order

    async def look(self, at: Callable[[BookState], T]) -> T:
        """What memory shows now, once that is committed. `at` must return an immutable value."""
        while True:
            writer = await self._ready()
            seen = at(writer.state)
            if await self._is_true(writer):
                return seen

    async def _is_true(self, writer: BookEpoch) -> bool:
        """What its memory showed is committed, and when it was looked at no other process had written. Else look again.

        Without this a writer that was replaced, and that writes nothing, would go on showing what it remembers.
        """
        await writer.committed()
        if await self._newest_epoch.ask() == writer.number:
            return True
        if writer is self._epoch:
            raise _written_by_another()
        return False

    # --- the life of a shard

    async def _load(self, epoch: Epoch) -> BookEpoch:
        memory = BookState(self.markets.values(), self._faults, self.orders_per_turn)
        stored = await self._store.counters(self.number)
        balances = await self._store.balances(self.number)
        orders = await self._store.live_orders(self.number)
        since = day_began(epoch.last_at)
        seconds = {symbol: await self._store.seconds(symbol, since) for symbol in memory.days}
        if await self._store.epoch(self.number) != epoch.number:
            raise WriterReplaced(f"shard {self.number} was taken since epoch {epoch.number}: another process writes it")
        book_loading.load_days(memory, seconds, epoch.last_at)
        book_loading.load_exchange(self.number, memory, stored, balances, orders, is_new=epoch.seq == epoch.began)
        return WriterEpoch(self.number, epoch, memory, memory)

    def _on_committed(self, state: BookState) -> None:
        state.on_committed()
        state.evict(self.ended_kept, self.drafts_kept, self._is_wanted)

    # --- fetching: orders that have not ended are in memory; others may have to be read

    async def _with(self, order_id: OrderId) -> BookEpoch:
        """The writer, with the order in memory if there is one. What follows without an `await` sees it there."""

        def is_here(memory: BookState) -> bool:
            return order_id in memory.exchange.orders or not 0 < order_id <= memory.exchange.orders_placed

        return await self._fetched(order_id, is_here, lambda: self._store.order(order_id))

    async def _with_nonce(self, account: Account, nonce: Nonce) -> BookEpoch:
        def is_here(memory: BookState) -> bool:
            return memory.exchange.placed(account, nonce) is not None or memory.unused(account, nonce) is not None

        return await self._fetched((account, nonce), is_here, lambda: self._store.order_of_nonce(account, nonce))

    async def _fetched(
        self, name: _Name, is_here: Callable[[BookState], bool], read: Callable[[], Awaitable[bytes | None]]
    ) -> BookEpoch:
        while True:
            writer = await self._ready()
            if is_here(writer.state):
                return writer
            fetching = self._fetching.get(name)
            if fetching is not None:
                await asyncio.shield(fetching)
                continue
            body = await self._read(name, read)
            if writer is self._epoch:
                if body is not None and not is_here(writer.state):
                    self._recall(writer.state, decode_order(body))
                return writer

    async def _read(self, name: _Name, read: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """Only one such read of a name is under way."""
        fetching = self._fetching[name] = asyncio.get_running_loop().create_future()
        try:
            return await read()
        finally:
            del self._fetching[name]
            fetching.set_result(None)

    def _recall(self, memory: BookState, order: BookOrder) -> None:
        """The present writer has in memory what has not ended, and no other order under the same number."""
        if order.state in LIVE or order.id in memory.exchange.orders:
            raise _written_by_another()
        memory.recall(order)

    def _is_wanted(self, order: BookOrder) -> bool:
        name = order.terms.account, order.nonce
        return order.id in self._fetching or name in self._fetching or name in self._placing


def _written_by_another() -> Unavailable:
    return Unavailable("another process writes the order books now")
