"""Any commands in any order: the fast book and the naive one give the same history, and it withstands an audit."""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.orders.book.model.events import Traded
from countermand.orders.book.model.exchange import ORDERS_PER_TURN
from countermand.orders.book.model.fast import FastBook
from countermand.orders.book.model.ledger.amount import Amount
from countermand.orders.book.model.market import SelfTrade
from countermand.orders.book.model.naive import NaiveBook
from countermand.orders.book.model.order import Kind, OrderId, Side
from countermand.values.structs import replace
from tests.orders.book.auditor import audited
from tests.orders.book.venue import ALICE, BOB, BTC, BTCUSDC, CAROL, ETHUSDC, MARKETS, UNIT, USDC, Venue, picture

Step: TypeAlias = Callable[[Venue], object]

ACCOUNTS = (ALICE, BOB, CAROL)
DAYS_8 = 8 * 24 * 3_600_000


def placement(random: Random) -> Step:
    account, side, lots = random.choice(ACCOUNTS), random.choice(list(Side)), random.randint(1, 20)
    kind = random.choices([Kind.LIMIT, Kind.MARKET, Kind.STOP_LIMIT, Kind.LIMIT_MAKER], [6, 2, 2, 1])[0]
    price = random.choices([random.randint(95, 105), 50, 150], [9, 1, 1])[0]
    worst = price if random.random() < 0.2 else None
    stop = random.randint(96, 104) if kind is Kind.STOP_LIMIT else None
    more = {
        "stop": stop,
        "market": random.choices([BTCUSDC, ETHUSDC], [9, 1])[0],
        "match_fails": random.random() < 0.05,
    }
    return lambda venue: venue.tries(account, side, lots, worst if kind is Kind.MARKET else price, kind, **more)


def step(random: Random) -> Step:
    account, order_id = random.choice(ACCOUNTS), OrderId(random.randint(1, 80))
    side, few, pause = random.choice([None, *Side]), random.randint(0, 3), random.choice([1, 999, DAYS_8])
    others: list[Step] = [
        lambda venue: venue.cancels(account, order_id),
        lambda venue: venue.ends(order_id),
        lambda venue: venue.cancels_all(account, side, few),
        lambda venue: venue.passes(pause),
        lambda venue: venue.credits(account, USDC, Amount(few * UNIT)),
    ]
    return random.choices([placement(random), *others], [30, 6, 2, 1, 1, 1])[0]


@pytest.mark.parametrize("policy", SelfTrade)
@given(random=st.randoms(use_true_random=True))
@settings(max_examples=10)
def test_both_books_tell_the_same_sound_history(policy: SelfTrade, random: Random) -> None:
    fast, naive = (with_little(policy, book) for book in (FastBook, NaiveBook))
    for _ in range(100):
        does = step(random)
        assert does(fast) == does(naive)
        assert picture(fast.exchange) == picture(naive.exchange)
    assert fast.journal == naive.journal
    audited(fast)
    fast.replays()
    _can_be_written(fast)


def _can_be_written(venue: Venue) -> None:
    """As JSON, as a journal and rows do it: what is read back is what was written."""
    written: list[object] = [venue.exchange.counters(), *venue.exchange.orders.values()]
    for entry in venue.journal:
        written += [entry.command, *entry.events]
    for one in written:
        assert msgspec.json.decode(msgspec.json.encode(one), type=type(one)) == one


def with_little(
    policy: SelfTrade, book: type[FastBook] | type[NaiveBook] = FastBook, orders_per_turn: int = ORDERS_PER_TURN
) -> Venue:
    """Everybody has enough for a few orders only, so that money runs out too."""
    markets = [replace(market, self_trade=policy) for market in MARKETS]
    venue = Venue(book, markets=markets, rich=False, orders_per_turn=orders_per_turn)
    for account in (ALICE, BOB, CAROL):
        venue.credits(account, BTC, Amount(150 * UNIT // 10**4))
        venue.credits(account, USDC, Amount(15_000 * UNIT // 10**6))
    return venue


def test_the_audit_sees_what_an_order_book_must_not_do() -> None:
    """An auditor that never finds anything is none."""
    venue = Venue()
    for account in (BOB, CAROL):
        venue.sells(account, 5, 100)
    venue.buys(ALICE, 5, 100)
    audited(venue)
    entry = venue.journal[-1]
    *before, trade = entry.events
    assert isinstance(trade, Traded)
    jumped = replace(trade, sell=replace(trade.sell, order_id=OrderId(2), account=CAROL))
    venue.journal[-1] = replace(entry, events=(*before, jumped))
    with pytest.raises(AssertionError, match="came first"):
        audited(venue)


def test_an_account_without_eth_cannot_sell_it() -> None:
    venue = with_little(SelfTrade.CANCEL_NEWEST, FastBook)
    assert "Refused" in repr(venue.tries(ALICE, Side.SELL, 1, 100, market=ETHUSDC))
