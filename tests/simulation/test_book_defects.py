"""The checkers are checked: each defect is put into the order books, and the claim that it breaks must be found broken.

Many of them happened to others: to exchanges, to matching engines, to bots. What is printed is the seed, as for any
failure; the same seed passes without the defect.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest

from countermand.kernel.ports import Batch, WriterReplaced
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.book.model import decide as rules
from countermand.orders.book.model import matching
from countermand.orders.book.model.book import resting
from countermand.orders.book.model.commands import CancelBookOrder, CancelByOperator
from countermand.orders.book.model.events import BookOrderCancelled, Event, StopTriggered
from countermand.orders.book.model.exchange import Changes, Exchange, MarketState
from countermand.orders.book.model.fast import FastBook
from countermand.orders.book.model.ledger.amount import Account, Amount
from countermand.orders.book.model.ledger.ledger import Balance
from countermand.orders.book.model.ledger.transfer import Deposit, HoldId
from countermand.orders.book.model.lifecycle import LIVE, is_resting
from countermand.orders.book.model.market import fee_of
from countermand.orders.book.model.order import BookOrder, CancelReason, Kind, Nonce, OrderId, OrderStatus
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.orders.book.model.settlement import spent_currency
from countermand.orders.book.ports import BookStore
from countermand.orders.book.rows import BookRows, decode_counters, decode_order
from countermand.orders.book.shard import BookEpoch
from countermand.orders.book.state import BookState
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.book.checkers import Claim
from countermand_simulator.book.process import BookProcessParts, CountedShard
from countermand_simulator.book.run import SOUND, again, simulate
from countermand_simulator.book.store import MemoryBookShard
from countermand_simulator.outcomes import Outcome, report
from countermand_simulator.violation import Violation

SEEDS = range(1_000, 1_060)
STEPS = 400


@dataclass(frozen=True)
class Defect:
    claim: Claim
    parts: BookProcessParts = SOUND
    patched: Callable[[], AbstractContextManager[Any]] = nullcontext
    says: str = ""
    """What the violation tells, besides its claim."""
    first: int = SEEDS.start
    """The seed that is tried before all others: it shows the defect soonest."""


# --- cancels that do not cancel


class OvertakenShard(CountedShard):
    """Peatio: a cancel that comes before its order is in the book is dropped, and the order rests."""

    async def cancel(self, command: CancelBookOrder | CancelByOperator) -> BookOrder | BookRefused:
        writer = await self._with(command.order_id)
        order = writer.state.exchange.orders.get(command.order_id)
        is_new = order is not None and order.id in writer.state._pending.orders and order.state in LIVE
        if order is None or not is_new or command != CancelBookOrder(order.terms.account, order.id):
            return await super().cancel(command)
        self.stepped("a cancel that is dropped")
        await writer.committed()
        return order


def keeps_waiting_stops(exchange: Exchange, order: BookOrder | None, reason: CancelReason) -> Any:
    """Liquibook 25: a stop order that nothing triggered cannot be cancelled."""
    return () if order is not None and order.state is OrderStatus.PENDING else REAL_END(exchange, order, reason)


def cancels_the_neighbour(exchange: Exchange, order: BookOrder | None, reason: CancelReason) -> Any:
    """Liquibook 12: the cancel of a cancelled order cancels another one."""
    if order is not None and order.state is OrderStatus.CANCELLED:
        for other in exchange.live(order.terms.account, order.terms.market):
            return (rules._cancelled(exchange, other, reason),)
    return REAL_END(exchange, order, reason)


def keeps_dust(exchange: Exchange, order: BookOrder | None, reason: CancelReason) -> Any:
    """Lightning's pool 157: what is less than the smallest volume can be neither matched nor cancelled."""
    is_dust = order is not None and order.remaining < exchange.markets[order.terms.market].market.volume_min
    if order is not None and is_dust and order.state is OrderStatus.OPEN:
        return BookRefused(BookRefusal.NOTHING_TO_DO)
    return REAL_END(exchange, order, reason)


REAL_END = rules._end


def leaves_it_in_the_book(exchange: Exchange, order: BookOrder) -> None:
    """The cancel is acknowledged, and the maker is still offered."""
    if not is_resting(order):
        REAL_CANCELLED(exchange, order)


REAL_CANCELLED = Exchange._cancelled


def comes_back(exchange: Exchange, event: Event, at: Instant) -> Changes:
    """CoW 2532, Coinbase 334: cancelled by the rows, and filled by a matcher that had not heard of it."""
    before, held = None, None
    if isinstance(event, BookOrderCancelled) and event.reason is CancelReason.USER:
        before, held = exchange.orders[event.order_id], exchange.ledger.holds[HoldId(event.order_id)]
    changes = REAL_APPLY(exchange, event, at)
    if before is not None and held is not None and is_resting(before):
        exchange.orders[before.id] = before
        exchange._index_live(before)
        exchange._add_to_book(before)
        exchange.ledger.holds[HoldId(before.id)] = held
    return changes


class ShyShard(CountedShard):
    """Its memory is not seen: what goes wrong there must be seen by what it does."""

    def _on_loaded(self, state: BookState) -> None:
        self.looked = lambda _memory, _loaded: None
        self.ended_kept = 10**6
        super()._on_loaded(state)


# --- money


def unlocks_twice(exchange: Exchange, event: Event, at: Instant) -> Changes:
    """Monaco 148: what a cancel gives back is given back again."""
    changes = REAL_APPLY(exchange, event, at)
    if isinstance(event, BookOrderCancelled) and event.unlocked:
        terms = exchange.orders[event.order_id].terms
        currency = spent_currency(terms, exchange.markets[terms.market].market)
        exchange.ledger.apply(Deposit(terms.account, currency, event.unlocked))
    return changes


def keeps_the_rest_locked(exchange: Exchange, event: Event, at: Instant) -> Changes:
    """Zenbot 397: the funds of a partly filled order stay on hold after its cancel."""
    changes = REAL_APPLY(exchange, event, at)
    if isinstance(event, BookOrderCancelled) and event.unlocked and exchange.orders[event.order_id].executed:
        terms, balances = exchange.orders[event.order_id].terms, exchange.ledger._balances
        key = terms.account, spent_currency(terms, exchange.markets[terms.market].market)
        has = balances[key]
        balances[key] = Balance(has.available - event.unlocked, has.locked + event.unlocked)
    return changes


REAL_APPLY = Exchange.apply


def rounded_fee(received: Amount, rate: Any) -> Amount:
    fee = REAL_FEE(received, rate)
    return Amount(fee.quanta - fee.quanta % 10**9)


REAL_FEE = fee_of


# --- slices


class ImpatientShard(CountedShard):
    """A command comes between two slices of a sweep."""

    async def _in_turn(self, fetched: Callable[[], Awaitable[BookEpoch]]) -> tuple[BookEpoch, Instant]:
        writer = await fetched()
        if writer.state.exchange._entering is not None:
            return writer, self._clock.now()
        return await super()._in_turn(fetched)


def forgets_who_was_on_the_way(exchange: Exchange, *stored: Any) -> None:
    """After a restart an order that was in the middle of its sweep stays there for ever."""
    REAL_LOAD(exchange, *stored)
    exchange._entering = None


def forgets_what_was_reached(exchange: Exchange, *stored: Any) -> None:
    """After a restart the stops that one turn left to the next are never triggered."""
    REAL_LOAD(exchange, *stored)
    exchange.reached = None


# --- restarts


class HastyLoad(CountedShard):
    """Reads first, and begins its epoch afterwards: a batch that was inside is missed, with its trades."""

    async def _begin(self) -> BookEpoch:
        memory = BookState(self.markets.values(), self._faults)
        stored = await self._store.counters(self.number)
        balances = await self._store.balances(self.number)
        orders = await self._store.live_orders(self.number)
        if stored is not None:
            counters = decode_counters(stored)
            memory.nonces = counters.nonces
            has = [(row.account, row.currency, Balance(Amount(row.available), Amount(row.locked))) for row in balances]
            memory.exchange.load(counters.counters, has, [decode_order(body) for _, body in orders])
        return WriterEpoch(self.number, await self._store.begin_epoch(self.number), memory, memory)


def forgets_who_came_first(exchange: Exchange, *stored: Any) -> None:
    """After a restart the newest stand first."""
    REAL_LOAD(exchange, *stored)
    _rest_again(exchange, lambda order: (-(order.rank or 0), order.remaining.lots))


def resurrects_liquidity(exchange: Exchange, *stored: Any) -> None:
    """OrderBook-rs 224: after a restart the whole volume is there again."""
    REAL_LOAD(exchange, *stored)
    _rest_again(exchange, lambda order: (order.rank or 0, order.origin.lots))


def _rest_again(exchange: Exchange, place_and_lots: Callable[[BookOrder], tuple[int, int]]) -> None:
    rests = [order for order in exchange.orders.values() if is_resting(order)]
    for market_state in exchange.markets.values():
        market_state.book = FastBook()
    for order in sorted(rests, key=place_and_lots):
        terms, (_, lots) = order.terms, place_and_lots(order)
        assert terms.price is not None
        exchange.markets[terms.market].book.add(order.id, terms.side, terms.price.ticks, lots)


REAL_LOAD = Exchange.load


def opens_it_again(exchange: Exchange, *stored: Any) -> None:
    """Freqtrade 2799: a stop order that rests already is restored as one that is still to be opened."""
    REAL_LOAD(exchange, *stored)
    rests = [order for order in exchange.orders.values() if is_resting(order)]
    exchange._triggered += [(order.triggered_at, order.id) for order in rests if order.triggered_at is not None]


def does_not_store_cancels(memory: BookState) -> BookRows:
    """Peatio 2843: a cancel that was acknowledged is lost at a restart."""
    rows = REAL_CUT(memory)
    return replace(rows, orders=[row for row in rows.orders if row.state != OrderStatus.CANCELLED.value])


REAL_CUT = BookState.take_rows


class Swapping:
    """PinnacleMM 13: the journal has another order than what happened."""

    def __init__(self, store: BookStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, batch: Batch[BookRows]) -> None:
        if len(batch.journal) > 1:
            one, other, *rest = batch.journal
            swapped = replace(one, seq=other.seq), replace(other, seq=one.seq)
            batch = replace(batch, journal=[*swapped, *rest])
        await self._store.commit(batch)


# --- stops, time and matching


def forgets_that_it_triggered(exchange: Exchange, event: Event, at: Instant) -> Changes:
    if isinstance(event, StopTriggered):
        order = exchange.orders.get(event.order_id)
        if order is None or order.triggered_at is not None:
            return Changes((), ())
    return REAL_APPLY(exchange, event, at)


def keeps_the_stop(_desk: Exchange, _order: BookOrder) -> None:
    pass


def drops_the_maker(exchange: Exchange, event: Event, at: Instant) -> Changes:
    """GoDCE 6: the match fails, and the maker that rested is offered no more."""
    changes = REAL_APPLY(exchange, event, at)
    if isinstance(event, BookOrderCancelled) and event.reason is CancelReason.FAILED:
        terms = exchange.orders[event.order_id].terms
        book = exchange.markets[terms.market].book
        for maker_id, _, _ in list(resting(book, terms.side.other))[:1]:
            book.remove(maker_id)
    return changes


def comes_late(exchange: Exchange, market_state: MarketState) -> tuple[Instant, OrderId]:
    due, order_id = REAL_EXPIRY(exchange, market_state)
    return Instant(due + 1), order_id


REAL_EXPIRY = Exchange._expiry


def takes_although_it_is_a_maker(taker: Any, price: int) -> CancelReason | None:
    return None if taker.order.terms.kind is Kind.LIMIT_MAKER else REAL_OBSTACLE(taker, price)


REAL_OBSTACLE = matching._Taker.obstacle


def always_ends_the_newest(taker: Any, _maker: BookOrder, _there: int) -> list[Event]:
    """Whatever the market's policy is."""
    return [taker.cancelled(CancelReason.SYSTEM)]


def newest_first(book: FastBook, keys: list[int], worst: int) -> Iterator[tuple[int, int, int]]:
    for key in reversed(keys):
        if key < worst:
            return
        for order_id, lots in reversed(book._levels[key].items()):
            yield order_id, abs(key), lots


def serves_the_newest_first(*of_a_desk: Any, **named: Any) -> Any:
    with patch.object(FastBook, "_walk", newest_first):
        return REAL_ENTER(*of_a_desk, **named)


REAL_ENTER = matching.enter


# --- answers


class HastyShard(CountedShard):
    async def _settled(self, writer: BookEpoch, happened: Any) -> None:
        writer.wanted.set()


class SilentShard(CountedShard):
    """A repeated request waits for ever."""

    async def _settled(self, writer: BookEpoch, happened: Any) -> None:
        await super()._settled(writer, happened)
        if happened == ():
            await asyncio.Event().wait()


class HastyReads(CountedShard):
    async def _is_true(self, writer: BookEpoch) -> bool:
        return True


class NostalgicReads(CountedShard):
    """A writer that was replaced shows what it remembers."""

    async def _is_true(self, writer: BookEpoch) -> bool:
        await writer.committed()
        return True


class Unfenced:
    """A store whose writer does not notice that it was replaced."""

    def __init__(self, store: BookStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, batch: Batch[BookRows]) -> None:
        try:
            await self._store.commit(batch)
        except WriterReplaced:
            await asyncio.sleep(0)


class ForgetfulShard(CountedShard):
    """Reya 55, Coinbase 9: what was placed and has ended is placed again when the request is repeated."""

    async def _with_nonce(self, account: Account, nonce: Nonce) -> BookEpoch:
        return await self._ready()


def forgetful_table() -> AbstractContextManager[Any]:
    """Without the unique index, too."""
    return patch.object(MemoryBookShard, "refuse_twice", lambda *_: None)


def patched(*patches: Any) -> Callable[[], AbstractContextManager[Any]]:
    def enter() -> AbstractContextManager[Any]:
        stack = ExitStack()
        for target, name, instead in patches:
            stack.enter_context(patch.object(target, name, instead))
        return stack

    return enter


DEFECTS = {
    "a cancel that overtakes its own order is dropped": Defect(
        Claim.ANSWER_IS_COMMITTED, BookProcessParts(shard=OvertakenShard), first=1_010
    ),
    "a stop that nothing triggered cannot be cancelled": Defect(
        Claim.ANSWER_IS_COMMITTED, patched=patched((rules, "_end", keeps_waiting_stops))
    ),
    "a cancel of a cancelled order cancels its neighbour": Defect(
        Claim.CANCEL_IS_MEANT, patched=patched((rules, "_end", cancels_the_neighbour))
    ),
    "dust that cannot be cancelled": Defect(Claim.REFUSALS_ARE_TRUE, patched=patched((rules, "_end", keeps_dust))),
    "a cancel answers ok, and the maker stays in the book": Defect(
        Claim.REPLAY_EQUALS_MEMORY,
        patched=patched((Exchange, "_cancelled", leaves_it_in_the_book)),
        says="the queue is",
    ),
    "a fill after a cancel": Defect(
        Claim.NOTHING_AFTER_THE_END,
        BookProcessParts(shard=ShyShard),
        patched((Exchange, "apply", comes_back), (Amount, "__post_init__", lambda _: None)),
        says="trade ",
    ),
    "funds are unlocked twice": Defect(Claim.CONSERVED, patched=patched((Exchange, "apply", unlocks_twice))),
    "the rest of a partly filled order stays locked after its cancel": Defect(
        Claim.REPLAY_EQUALS_ROWS,
        patched=patched((Exchange, "apply", keeps_the_rest_locked)),
        says="(available, locked)",
    ),
    "a fee is rounded": Defect(Claim.AMOUNTS_ARE_EXACT, patched=patched((matching, "fee_of", rounded_fee))),
    "a trade is lost at a restart": Defect(Claim.REPLAY_EQUALS_MEMORY, BookProcessParts(shard=HastyLoad)),
    "an order loses its place in the queue at a restart": Defect(
        Claim.REPLAY_EQUALS_MEMORY, patched=patched((Exchange, "load", forgets_who_came_first)), says="the queue is"
    ),
    "what was traded rests again after a restart": Defect(
        Claim.REPLAY_EQUALS_MEMORY, patched=patched((Exchange, "load", resurrects_liquidity)), says="the queue is"
    ),
    "an order is restored twice": Defect(
        Claim.REPLAY_EQUALS_MEMORY,
        patched=patched((Exchange, "load", opens_it_again)),
        says="are triggered",
        first=1_042,
    ),
    "a command comes between two slices": Defect(
        Claim.ENTERS_UNDISTURBED, BookProcessParts(shard=ImpatientShard), first=1_013
    ),
    "a sweep is forgotten at a restart": Defect(
        Claim.REPLAY_EQUALS_MEMORY,
        patched=patched((Exchange, "load", forgets_who_was_on_the_way)),
        says="on its way through the book",
        first=1_045,
    ),
    "a trade triggers as many stops as one turn allows, and no others": Defect(
        Claim.REPLAY_EQUALS_ROWS,
        patched=patched((Exchange, "_has_reached", lambda *_: False)),
        says="the counters are",
        first=128,
    ),
    "stops that are to be triggered are forgotten at a restart": Defect(
        Claim.REPLAY_EQUALS_MEMORY,
        patched=patched((Exchange, "load", forgets_what_was_reached)),
        says="the counters are",
        first=207,
    ),
    "a cancel is lost at a restart": Defect(
        Claim.REPLAY_EQUALS_ROWS, patched=patched((BookState, "take_rows", does_not_store_cancels))
    ),
    "the journal has another order": Defect(Claim.JOURNAL_INTACT, BookProcessParts(store=Swapping)),
    "a match that fails takes the maker with it": Defect(
        Claim.REPLAY_EQUALS_MEMORY, patched=patched((Exchange, "apply", drops_the_maker)), says="the queue is"
    ),
    "a stop triggers twice": Defect(
        Claim.STOPS_TRIGGER_ONCE,
        BookProcessParts(shard=ShyShard),
        patched((Exchange, "_forget_stop", keeps_the_stop), (Exchange, "apply", forgets_that_it_triggered)),
    ),
    "an order ends a millisecond late": Defect(
        Claim.EXPIRY_IS_PUNCTUAL, patched=patched((Exchange, "_expiry", comes_late))
    ),
    "a post-only order takes": Defect(
        Claim.REASON_IS_TRUE, patched=patched((matching._Taker, "obstacle", takes_although_it_is_a_maker))
    ),
    "the newest at a price is served first": Defect(
        Claim.PRICE_TIME_PRIORITY, patched=patched((rules, "enter", serves_the_newest_first))
    ),
    "a trade with oneself is prevented in another way": Defect(
        Claim.SELF_TRADE_IS_PREVENTED, patched=patched((matching, "_prevent", always_ends_the_newest))
    ),
    "a request that is never answered": Defect(Claim.EVERYTHING_ENDS, BookProcessParts(shard=SilentShard)),
    "an answer before its commit": Defect(Claim.ANSWER_IS_COMMITTED, BookProcessParts(shard=HastyShard)),
    "a read before the commit": Defect(Claim.READS_ARE_CURRENT, BookProcessParts(shard=HastyReads)),
    "a replaced writer shows what it remembers": Defect(
        Claim.READS_ARE_CURRENT, BookProcessParts(shard=NostalgicReads), first=1_008
    ),
    "a replaced writer answers": Defect(Claim.ANSWER_IS_COMMITTED, BookProcessParts(store=Unfenced), first=1_008),
    "a nonce makes two orders": Defect(
        Claim.NONCE_IS_ONE_ORDER, BookProcessParts(shard=ForgetfulShard), patched=forgetful_table
    ),
}


def run(seed: int, defect: Defect) -> Outcome:
    with defect.patched():
        return simulate(seed, STEPS, parts=defect.parts)


@cache
def violation_without(seed: int) -> Violation | None:
    """Of the sound engine. Many defects are found in the same run."""
    return simulate(seed, STEPS).violation


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_caught_by_the_claim_that_it_breaks(name: str) -> None:
    defect = DEFECTS[name]
    others = []
    for seed in dict.fromkeys((defect.first, *SEEDS)):
        violation = (outcome := run(seed, defect)).violation
        if violation is None:
            continue
        if violation.claim is defect.claim and defect.says in violation.what:
            print(f"{name}:")
            report(outcome, again(STEPS), print, last=12)
            sound = violation_without(seed)
            assert sound is None, f"seed {seed} fails without the defect too: {sound}"
            return
        others.append(f"{seed}: {violation}")
    pytest.fail(f"{name} was not caught by {defect.claim.name} in any of the seeds {SEEDS}: {others[:5]}")
