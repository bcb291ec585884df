"""What every store of order books does, whatever it keeps its rows in."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, cast

import pytest
import pytest_asyncio

from countermand.kernel.journal import encode
from countermand.kernel.ports import Batch, CommitUnknown, Epoch, JournalRow, WriterReplaced
from countermand.orders.book.model.events import Traded, TradeLeg
from countermand.orders.book.model.exchange import Counters
from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, ZERO, Account, Amount, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import BUY, Kind, Nonce, OrderId, OrderStatus, Side, TradeId
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from countermand.orders.book.ports import BookStore, OrdersQuery, Period, StoredBookOrder, StoredTrade, TradesQuery
from countermand.orders.book.rows import (
    BookBalanceRow,
    BookDraftRow,
    BookOrderRow,
    BookRows,
    StoredCounters,
    decode_counters,
    trade_row,
)
from countermand.store.book_postgres import PostgresBookStore
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.book.store import MemoryBookDatabase, MemoryBookStore
from tests.contract.store_worlds import InMemory, InPostgres, World, bodies

ALICE: Final = Account("0xa11ce")
BOB: Final = Account("0xb0b")
BTCUSDC, ETHUSDC, ETHUSDT = (MarketSymbol(symbol) for symbol in ("btcusdc", "ethusdc", "ethusdt"))
TODAY: Final = 1_790_000_000_000
BOOKS: Final = 1
"""The shard."""


@pytest.fixture(params=["memory", "postgres"])
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    if request.param == "memory":
        return InMemory(MemoryBookDatabase(), cast(Any, MemoryBookStore))
    return InPostgres(request.getfixturevalue("database_url"), monkeypatch, PostgresBookStore)


@pytest_asyncio.fixture
async def world(home: World) -> AsyncIterator[World]:
    yield home
    await home.close()


@pytest_asyncio.fixture
async def store(world: World) -> BookStore:
    return await opened(world)


async def opened(world: World) -> BookStore:
    return cast(BookStore, await world.open())


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def order_row(number: int, **changes: Any) -> BookOrderRow:
    row = BookOrderRow(
        id=OrderId(number),
        account=ALICE,
        nonce=Nonce(100 + number),
        uuid=uuid(number),
        market=BTCUSDC,
        base=Currency("btc"),
        quote=Currency("usdc"),
        kind="limit",
        side="buy",
        state="wait",
        live=True,
        created_at=Instant(TODAY + number),
        body=b'{"order":%d}' % number,
    )
    return replace(row, **changes)


def trade(
    number: int, buy: int = 1, sell: int = 2, ticks: int = 100, lots: int = 5, market: MarketSymbol = BTCUSDC
) -> Traded:
    legs = [
        TradeLeg(OrderId(order_id), account, Amount(1), Amount(1), Rate(0), ZERO, ZERO)
        for order_id, account in ((buy, ALICE), (sell, BOB))
    ]
    return Traded(TradeId(number), market, Ticks(ticks), Lots(lots), BUY, *legs)


def draft_row(number: int, account: Account = ALICE, expires_at: int = TODAY) -> BookDraftRow:
    return BookDraftRow(Nonce(number), account, Instant(expires_at), b'{"draft":%d}' % number)


def balance_row(available: int, locked: int = 0, account: Account = ALICE, currency: str = "usdc") -> BookBalanceRow:
    return BookBalanceRow(account, Currency(currency), available, locked)


def counters(orders: int) -> bytes:
    return encode(StoredCounters(Counters(orders=orders), nonces=orders + 1))


def batch(epoch: Epoch, seq_before: int = 0, commands: int = 1, **rows: Any) -> Batch[BookRows]:
    after = seq_before + commands
    journal = [
        JournalRow(n, Instant(TODAY + n), "credit", b"%d" % n, b"hash %d" % n) for n in range(seq_before + 1, after + 1)
    ]
    return Batch(BOOKS, epoch.number, seq_before, after, b"hash %d" % after, journal, (), BookRows(**rows))


def everything(epoch: Epoch, seq_before: int = 0) -> Batch[BookRows]:
    return batch(
        epoch,
        seq_before,
        orders=[order_row(1)],
        trades=[trade_row(trade(1), Instant(TODAY))],
        balances=[balance_row(7, 5)],
        drafts=[draft_row(101)],
        counters=counters(1),
    )


async def rows_of(store: BookStore) -> list[object]:
    return [
        await store.counters(BOOKS),
        await store.balances(BOOKS),
        await bodies(store.live_orders(BOOKS)),
        await store.trades(TradesQuery()),
        await store.draft(ALICE, Nonce(101)),
    ]


NOTHING: Final[list[object]] = [None, [], [], [], None]


async def stored(store: BookStore, **rows: Any) -> Epoch:
    epoch = await store.begin_epoch(BOOKS)
    await store.commit(batch(epoch, epoch.seq, **rows))
    return epoch


# --- epochs and the fence


async def test_a_shard_begins_with_nothing(store: BookStore) -> None:
    assert await store.epoch(BOOKS) == 0
    assert await store.begin_epoch(BOOKS) == Epoch(1, 0, b"", Instant(0))
    assert await rows_of(store) == NOTHING
    assert await store.order(OrderId(1)) is None
    assert await store.order_of_nonce(ALICE, Nonce(101)) is None
    assert await store.order_with_trades(ALICE, OrderId(1)) is None
    assert await store.orders(OrdersQuery(ALICE)) == []
    assert await store.periods(BTCUSDC, 60_000, Instant(0), Instant(TODAY)) == []


async def test_a_commit_stores_every_kind_of_row(store: BookStore) -> None:
    epoch = await store.begin_epoch(BOOKS)
    await store.commit(everything(epoch))
    body = encode(trade(1))
    assert await rows_of(store) == [
        counters(1),
        [balance_row(7, 5)],
        [b'{"order":1}'],
        [StoredTrade(Instant(TODAY), body)],
        b'{"draft":101}',
    ]
    assert await store.begin_epoch(BOOKS) == Epoch(2, 1, b"hash 1", Instant(TODAY + 1))
    assert await store.epoch(BOOKS) == 2


async def test_where_the_fence_fails_nothing_at_all_is_written(store: BookStore) -> None:
    epoch = await store.begin_epoch(BOOKS)
    wrongs: list[dict[str, Any]] = [{"epoch": 0}, {"epoch": 2}, {"seq_before": 1}, {"shard": 7}]
    for wrong in wrongs:
        with pytest.raises(WriterReplaced):
            await store.commit(replace(everything(epoch), **wrong))
        assert await rows_of(store) == NOTHING
    await store.begin_epoch(BOOKS)
    with pytest.raises(WriterReplaced):
        await store.commit(everything(epoch))
    assert await rows_of(store) == NOTHING


async def test_an_empty_commit_only_passes_the_fence(store: BookStore) -> None:
    epoch = await stored(store, counters=counters(1))
    await store.commit(batch(epoch, 1, commands=0))
    assert await store.counters(BOOKS) == counters(1)
    await store.begin_epoch(BOOKS)
    with pytest.raises(WriterReplaced):
        await store.commit(batch(epoch, 1, commands=0))


@pytest.mark.parametrize("lands", [True, False])
async def test_a_new_epoch_waits_for_a_batch_that_is_inside_or_defeats_it(
    world: World, store: BookStore, lands: bool
) -> None:
    old = await store.begin_epoch(BOOKS)
    new = await world.begin_epoch_while_inside(everything(old), lands=lands)
    assert new.seq == (1 if lands else 0)
    assert (await rows_of(store) == NOTHING) == (not lands)
    successor = await opened(world)
    await successor.commit(batch(new, new.seq, orders=[order_row(2)]))


@pytest.mark.parametrize("applied", [True, False])
async def test_a_lost_answer_leaves_the_outcome_unknown(world: World, applied: bool) -> None:
    unlucky, strike = await world.open_unlucky(applied=applied)
    store = cast(BookStore, unlucky)
    epoch = await store.begin_epoch(BOOKS)
    await store.commit(batch(epoch))
    await strike()
    with pytest.raises(CommitUnknown):
        await store.commit(everything(epoch, seq_before=1))
    successor = await opened(world)
    assert (await successor.begin_epoch(BOOKS)).seq == (2 if applied else 1)
    assert (await rows_of(successor) == NOTHING) == (not applied)


async def test_a_reset_shard_is_empty_and_its_epochs_go_on(store: BookStore) -> None:
    epoch = await store.begin_epoch(BOOKS)
    await store.commit(everything(epoch))
    await cast(MemoryBookStore, store).reset(BOOKS)
    assert await rows_of(store) == NOTHING
    with pytest.raises(WriterReplaced):
        await store.commit(everything(epoch, 1))
    again = await store.begin_epoch(BOOKS)
    assert (again.number, again.seq, again.began, again.incarnation) == (3, 1, 1, 2)
    await store.commit(everything(again, 1))


# --- rows


async def test_an_order_is_stored_as_it_is_now_and_those_that_live_are_loaded(store: BookStore) -> None:
    epoch = await stored(store, orders=[order_row(n) for n in (10, 9, 2)])
    ended = order_row(9, state="cancel", live=False, body=b"ended")
    await store.commit(batch(epoch, 1, orders=[ended, order_row(2, body=b"changed")]))
    assert await bodies(store.live_orders(BOOKS)) == [b"changed", b'{"order":10}']
    assert await store.order(OrderId(9)) == b"ended"
    assert await store.orders(OrdersQuery(ALICE, state=OrderStatus.CANCELLED)) == [b"ended"]


async def test_what_an_order_is_searched_by_stays_what_it_was_first(store: BookStore) -> None:
    epoch = await stored(store, orders=[order_row(1)])
    await store.commit(batch(epoch, 1, orders=[order_row(1, created_at=Instant(0), body=b"again")]))
    assert await store.orders(OrdersQuery(ALICE, since=Instant(TODAY))) == [b"again"]


async def test_an_order_is_found_by_its_account_and_nonce(store: BookStore) -> None:
    await stored(store, orders=[order_row(1), order_row(2, account=BOB, nonce=Nonce(101))])
    assert await store.order_of_nonce(ALICE, Nonce(101)) == b'{"order":1}'
    assert await store.order_of_nonce(BOB, Nonce(101)) == b'{"order":2}'
    assert await store.order_of_nonce(BOB, Nonce(102)) is None


@pytest.mark.parametrize(
    "twice",
    [
        {"trades": [trade_row(trade(1), Instant(TODAY))]},
        {"drafts": [draft_row(101, BOB)]},
        {"orders": [order_row(7, nonce=Nonce(101))]},
        {"orders": [order_row(7, uuid=uuid(1))]},
        {"orders": [order_row(7), order_row(7)]},
    ],
    ids=["trade", "draft", "nonce", "uuid", "order"],
)
async def test_a_key_that_comes_twice_is_never_written(store: BookStore, twice: dict[str, Any]) -> None:
    """Only our own mistake asks for it."""
    epoch = await store.begin_epoch(BOOKS)
    await store.commit(everything(epoch))
    before = await rows_of(store)
    with pytest.raises((CommitUnknown, AssertionError)):
        await store.commit(batch(epoch, 1, counters=counters(9), **twice))
    assert await rows_of(store) == before


async def test_balances_are_exact_up_to_the_greatest_and_the_newest_count(store: BookStore) -> None:
    epoch = await stored(store, balances=[balance_row(AMOUNT_MAX, 0), balance_row(1, 2, BOB, "btc")])
    await store.commit(batch(epoch, 1, balances=[balance_row(0, AMOUNT_MAX), balance_row(3, 4, ALICE, "btc")]))
    assert await store.balances(BOOKS) == [
        balance_row(3, 4, ALICE, "btc"),
        balance_row(0, AMOUNT_MAX),
        balance_row(1, 2, BOB, "btc"),
    ]


async def test_the_counters_stay_unless_they_are_written(store: BookStore) -> None:
    epoch = await stored(store, counters=counters(4))
    await store.commit(batch(epoch, 1, orders=[order_row(1)]))
    body = await store.counters(BOOKS)
    assert body is not None
    assert decode_counters(body) == StoredCounters(Counters(orders=4), 5)


async def test_a_draft_is_its_account_s_and_is_forgotten_in_time(store: BookStore) -> None:
    await stored(store, drafts=[draft_row(1, expires_at=TODAY), draft_row(2, expires_at=TODAY + 1)])
    assert await store.draft(ALICE, Nonce(1)) == b'{"draft":1}'
    assert await store.draft(BOB, Nonce(1)) is None
    await store.delete_drafts(Instant(TODAY + 1))
    assert await store.draft(ALICE, Nonce(1)) is None
    assert await store.draft(ALICE, Nonce(2)) == b'{"draft":2}'


# --- what is asked


async def test_an_order_comes_with_its_trades_the_oldest_first(store: BookStore) -> None:
    orders = [order_row(1), order_row(2, account=BOB, side="sell"), order_row(3, account=BOB, side="sell")]
    trades = [trade(1, 1, 2), trade(2, 9, 2), trade(3, 1, 3)]
    await stored(store, orders=orders, trades=[trade_row(each, Instant(TODAY + each.trade_id)) for each in trades])
    mine = StoredBookOrder(
        b'{"order":1}', [StoredTrade(Instant(TODAY + each.trade_id), encode(each)) for each in (trades[0], trades[2])]
    )
    assert await store.order_with_trades(ALICE, OrderId(1)) == mine
    assert await store.order_with_trades(ALICE, uuid(1)) == mine
    assert await store.order_with_trades(BOB, OrderId(1)) is None, "it is another's"
    assert await store.order_with_trades(ALICE, uuid(9)) is None
    theirs = await store.order_with_trades(BOB, OrderId(2))
    assert theirs is not None
    assert len(theirs.trades) == 2


def numbers(bodies: Sequence[bytes]) -> list[int]:
    return [int(body.split(b":")[1][:-1]) for body in bodies]


async def test_orders_are_filtered(store: BookStore) -> None:
    eth = {"market": ETHUSDT, "base": Currency("eth"), "quote": Currency("usdt")}
    rows = [
        order_row(1),
        order_row(2, side="sell"),
        order_row(3, state="done", live=False),
        order_row(4, **eth),
        order_row(5, kind="stop_limit", state="pending"),
        order_row(6, account=BOB),
    ]
    await stored(store, orders=rows)
    filters: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [5, 4, 3, 2, 1]),
        ({"account": BOB}, [6]),
        ({"market": ETHUSDT}, [4]),
        ({"base": Currency("btc")}, [5, 3, 2, 1]),
        ({"quote": Currency("usdt")}, [4]),
        ({"kind": Kind.STOP_LIMIT}, [5]),
        ({"side": Side.SELL}, [2]),
        ({"state": OrderStatus.FILLED}, [3]),
        ({"state": OrderStatus.OPEN, "side": Side.BUY}, [4, 1]),
        ({"since": Instant(TODAY + 4)}, [5, 4]),
        ({"until": Instant(TODAY + 4)}, [3, 2, 1]),
    ]
    for changes, expected in filters:
        found = await store.orders(replace(OrdersQuery(ALICE), **changes))
        assert (changes, numbers(found)) == (changes, expected)


async def test_orders_come_in_pages_by_their_numbers(store: BookStore) -> None:
    await stored(store, orders=[order_row(n) for n in (3, 1, 10, 2)])
    pages = {(2, 0): [1, 2], (2, 2): [3, 10], (2, 4): [], (0, 0): [], (9, 1): [2, 3, 10]}
    for (limit, offset), expected in pages.items():
        query = OrdersQuery(ALICE, ascending=True, limit=limit, offset=offset)
        assert numbers(await store.orders(query)) == expected
    assert numbers(await store.orders(OrdersQuery(ALICE, limit=3))) == [10, 3, 2]


async def trades_stored(store: BookStore, *trades: tuple[int, Traded]) -> None:
    await stored(store, trades=[trade_row(each, Instant(TODAY + after)) for after, each in trades])


async def test_trades_are_filtered_and_come_in_pages(store: BookStore) -> None:
    await trades_stored(store, (0, trade(1)), (1, trade(2, market=ETHUSDC)), (2, trade(10)))
    filters: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [10, 2, 1]),
        ({"account": ALICE}, [10, 2, 1]),
        ({"account": BOB}, [10, 2, 1]),
        ({"account": Account("0x0")}, []),
        ({"market": ETHUSDC}, [2]),
        ({"since": Instant(TODAY + 1)}, [10, 2]),
        ({"until": Instant(TODAY + 1)}, [1]),
        ({"newest": TradeId(2)}, [2, 1]),
        ({"ascending": True, "limit": 2}, [1, 2]),
        ({"limit": 1, "offset": 1}, [2]),
    ]
    for changes, expected in filters:
        found = await store.trades(replace(TradesQuery(), **changes))
        assert (changes, [int(each.body.split(b'"trade_id":')[1].split(b",")[0]) for each in found]) == (
            changes,
            expected,
        )


async def test_trades_of_an_account_are_bought_and_sold_ones_in_one_order(store: BookStore) -> None:
    def sold(number: int, market: MarketSymbol = BTCUSDC) -> Traded:
        made = trade(number, market=market)
        return replace(made, buy=made.sell, sell=made.buy)

    every = (trade(1), sold(2), sold(3, ETHUSDC), trade(4), sold(5), trade(6, market=ETHUSDC))
    await trades_stored(store, *enumerate(every))
    pages: list[tuple[dict[str, Any], list[int]]] = [
        ({"limit": 2}, [6, 5]),
        ({"limit": 2, "offset": 2}, [4, 3]),
        ({"limit": 3, "offset": 4}, [2, 1]),
        ({"limit": 3, "ascending": True, "offset": 1}, [2, 3, 4]),
        ({"market": BTCUSDC, "limit": 3}, [5, 4, 2]),
        ({"market": BTCUSDC, "limit": 9, "until": Instant(TODAY + 4)}, [4, 2, 1]),
        ({"market": ETHUSDC, "since": Instant(TODAY + 3)}, [6]),
        ({"newest": TradeId(4), "limit": 2}, [4, 3]),
        ({"market": BTCUSDC, "newest": TradeId(4), "limit": 2}, [4, 2]),
    ]
    for account in (ALICE, BOB):
        for changes, expected in pages:
            assert await numbers_of(store, replace(TradesQuery(account), **changes)) == expected
    market = TradesQuery(None, BTCUSDC)
    assert await numbers_of(store, replace(market, limit=2, offset=1)) == [4, 2]
    assert await numbers_of(store, replace(market, limit=3, ascending=True)) == [1, 2, 4]
    assert await numbers_of(store, replace(market, newest=TradeId(4), limit=2)) == [4, 2]


async def numbers_of(store: BookStore, query: TradesQuery) -> list[int]:
    """The first one is of today, and each is a millisecond after the one before it."""
    return [found.at - TODAY + 1 for found in await store.trades(query)]


async def test_periods_begin_where_it_is_said_and_those_without_trades_are_left_out(store: BookStore) -> None:
    minute = 60_000
    await trades_stored(
        store,
        (0, trade(1)),
        (minute - 1, trade(2, ticks=90)),
        (3 * minute, trade(3, ticks=80)),
        (3 * minute, trade(10, ticks=130)),
        (4 * minute, trade(4)),
        (0, trade(5, market=ETHUSDC)),
        (0, trade(6, market=ETHUSDC, ticks=100, lots=10**15)),
    )
    since, until = Instant(TODAY), Instant(TODAY + 4 * minute)
    assert await store.periods(BTCUSDC, minute, since, until) == [
        Period(since, 100, 90, 100, 90, 10, 950),
        Period(Instant(TODAY + 3 * minute), 80, 130, 130, 80, 10, 1_050),
    ]
    assert await store.seconds(BTCUSDC, Instant(TODAY + 60_000)) == [
        Period(Instant(TODAY + 3 * minute), 80, 130, 130, 80, 10, 1_050),
        Period(until, 100, 100, 100, 100, 5, 500),
    ]
    assert await store.seconds(BTCUSDC, Instant(TODAY + 59_000)) == [
        Period(Instant(TODAY + 59_000), 90, 90, 90, 90, 5, 450),
        *await store.seconds(BTCUSDC, Instant(TODAY + 60_000)),
    ]
    (huge,) = await store.periods(ETHUSDC, minute, since, until)
    assert (huge.lots, huge.turnover) == (10**15 + 5, 10**17 + 500)
