"""How PostgreSQL reads orders and trades: along an index of what was asked for, whatever else there is."""

import asyncpg
import pytest

from countermand.orders.book.model.ledger.amount import Account
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.order import OrderStatus
from countermand.orders.book.ports import OrdersQuery, TradesQuery
from countermand.store.book_postgres import orders_statement, trades_statement
from countermand.store.records_postgres import BY_ID, BY_UUID

ALICE, BTCUSDC = Account("0xa11ce"), MarketSymbol("btcusdc")
FILL = """
INSERT INTO book_trades (shard, id, market, at, ticks, lots, buyer, seller, buy_order, sell_order, body)
SELECT 1, n, 'm' || n % 4, n, 1, 1, 'b' || n % 50, 's' || n % 50, n, n, '' FROM generate_series(1, 20000) AS n
"""
FILL_ORDERS = """
INSERT INTO book_orders
    (shard, id, account, nonce, uuid, market, base, quote, kind, side, state, live, created_at, body)
SELECT 1, n, '0xa11ce', n, gen_random_uuid(), 'btcusdc', 'btc', 'usdc', 'limit', 'buy',
    CASE WHEN n % 1000 = 0 THEN 'wait' ELSE 'cancel' END, n % 1000 = 0, n, '' FROM generate_series(1, 20000) AS n
"""

FILL_EVENTS = """
INSERT INTO events (shard, seq, n, wallet, order_id, kind, body)
SELECT 1, n, 0, '0xa11ce', (n % 5000)::text, 'traded', '' FROM generate_series(1, 20000) AS n
"""


@pytest.mark.parametrize("ascending", [False, True])
async def test_no_list_of_trades_walks_over_what_others_traded(database_url: str, *, ascending: bool) -> None:
    """Also when the plan is one for all arguments, which it is when PostgreSQL thinks that nothing is lost by that."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(FILL)
        await connection.execute("ANALYZE book_trades")
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET plan_cache_mode = {mode}")
            mine = await plan(connection, TradesQuery(ALICE, ascending=ascending))
            assert "book_trades_buyer" in mine
            assert "book_trades_seller" in mine
            assert "book_trades_pkey" not in mine
            market = await plan(connection, TradesQuery(None, BTCUSDC, ascending=ascending))
            assert "book_trades_market" in market
            assert "Sort" not in market
    finally:
        await connection.close()


@pytest.mark.parametrize("state", [OrderStatus.PENDING, OrderStatus.OPEN])
async def test_orders_that_live_are_found_beside_all_that_ended(database_url: str, state: OrderStatus) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(FILL_ORDERS)
        await connection.execute("ANALYZE book_orders")
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET plan_cache_mode = {mode}")
            query = OrdersQuery(ALICE, state=state)
            arguments = (ALICE, None, None, None, None, None, state.value, None, None, query.limit, query.offset)
            types = "text, text, text, text, text, text, text, bigint, bigint, bigint, bigint"
            assert "book_orders_live_account" in await explained(connection, types, orders_statement(query), arguments)
    finally:
        await connection.close()


@pytest.mark.parametrize(("statement", "named"), [(BY_ID, "bigint"), (BY_UUID, "uuid")])
async def test_the_events_of_an_order_are_found_beside_all_others(
    database_url: str, statement: str, named: str
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(FILL_ORDERS)
        await connection.execute(FILL_EVENTS)
        await connection.execute("ANALYZE book_orders, events")
        which = await connection.fetchval(
            f"SELECT {'id' if named == 'bigint' else 'uuid'} FROM book_orders WHERE id = 7"
        )
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET plan_cache_mode = {mode}")
            assert "events_order" in await explained(connection, f"{named}, bigint", statement, (which, 1_000))
    finally:
        await connection.close()


async def plan(connection: asyncpg.Connection, query: TradesQuery) -> str:
    arguments = query.account, query.market, query.since, query.until, query.newest, query.limit, query.offset
    types = "text, text, bigint, bigint, bigint, bigint, bigint"
    return await explained(connection, types, trades_statement(query), arguments)


async def explained(connection: asyncpg.Connection, types: str, statement: str, arguments: tuple[object, ...]) -> str:
    literals = ", ".join("NULL" if each is None else f"'{each}'" for each in arguments)
    await connection.execute(f"PREPARE listed ({types}) AS {statement}")
    rows = await connection.fetch(f"EXPLAIN EXECUTE listed ({literals})")
    await connection.execute("DEALLOCATE listed")
    return "\n".join(row[0] for row in rows)
