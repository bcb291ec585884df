"""An audit of order books after a day's business, and of books that were damaged."""

from collections.abc import AsyncIterator

import pytest

from countermand.audit.run import audit
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Amount, Currency
from countermand.orders.book.model.order import BUY, SELL, Kind
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.migrations import migrate
from countermand.store.postgres import PostgresStore
from tests.audit.complete import completed, run
from tests.orders.book.house import book_house

ALICE, BOB = (Account("0x" + letter * 40) for letter in "ab")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresStore]:
    """One order filled in part and cancelled, one filled, one resting, one that waits for its stop."""
    await migrate(database_url)
    books = await PostgresBookStore.connect(database_url)
    async with book_house(books) as it:
        await it.rich(ALICE, BOB)
        bid = await it.place(ALICE, BUY, 50_000_00, 1_0000)
        await it.place(BOB, SELL, 49_000_00, 3000)
        await it.place(BOB, SELL, 51_000_00, 2000)
        await it.place(ALICE, BUY, 52_000_00, 1000, kind=Kind.STOP_LIMIT, stop=51_500_00)
        await it.venue.cancel(ALICE, bid.id)
    await books.close()
    await completed(database_url, root="venue")
    await run(database_url, "INSERT INTO members (account, registered_at) VALUES ($1, 1), ($2, 1)", ALICE, BOB)
    store = await PostgresStore.connect(database_url)
    yield store
    await store.close()


async def test_good_books_have_no_differences(store: PostgresStore) -> None:
    found = await audit(store)
    assert found.differences == []
    assert (found.entries, found.orders) == (8 + 5, 4)
    usdc, btc = found.currencies[Currency("usdc")], found.currencies[Currency("btc")]
    unit = 10**AMOUNT_SCALE
    assert usdc.deposited == btc.deposited == 2 * 10**6 * unit
    assert usdc.fees == Amount(unit * 15_000 * 4 // 10_000).quanta, "0.04 % of 0.3 BTC at 50,000"
    assert usdc.locked == 5_200 * unit, "0.1 BTC at 52,000 for the stop order"
    assert btc.locked == unit * 2 // 10


@pytest.mark.parametrize(
    ("damage", "finds"),
    [
        ("UPDATE book_orders SET state = 'done' WHERE live", "stored otherwise"),
        (
            "UPDATE book_orders SET body = replace(body::text, '77616974', '646f6e65')::bytea WHERE state = 'wait'",
            "stored otherwise",
        ),
        ("DELETE FROM book_orders WHERE live", "not stored"),
        ("UPDATE book_trades SET lots = lots + 1", "book_trades 1: it is stored otherwise"),
        ("DELETE FROM book_trades", "book_trades 1: it is in the journal, but not stored"),
        ("UPDATE book_balances SET available = available + 1 WHERE account LIKE '0xb%'", "another balance"),
        ("DELETE FROM book_balances WHERE currency = 'btc'", "but not stored"),
        (
            "UPDATE book_counters SET body = replace(body::text, '73223a31', '73223a32')::bytea",
            "counters",
        ),
        ("DELETE FROM book_counters", "counters"),
        ("DELETE FROM journal WHERE seq = 11", "lacks what lies between"),
    ],
)
async def test_damage_is_found(store: PostgresStore, database_url: str, damage: str, finds: str) -> None:
    await run(database_url, damage)
    found = await audit(store, patience_s=0)
    assert any(finds in sentence for sentence in found.differences), found.differences
