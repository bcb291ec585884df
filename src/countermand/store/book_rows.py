"""How a venue with order books is written, see `store.writer.Family`."""

from typing import Any, Final

from countermand.orders.book.rows import BookRows
from countermand.store.writer import FamilyStatements

_ORDERS: Final = """
INSERT INTO book_orders (shard, id, account, nonce, uuid, market, base, quote, kind, side, state, live, created_at,
                         body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($18::bigint[], $19::text[], $20::bigint[], $21::uuid[], $22::text[], $23::text[], $24::text[], $25::text[],
           $26::text[], $27::text[], $28::boolean[], $29::bigint[], $30::bytea[]) AS added
ON CONFLICT (id) DO UPDATE SET state = excluded.state, live = excluded.live, body = excluded.body
"""
_TRADES: Final = """
INSERT INTO book_trades (shard, id, market, at, ticks, lots, buyer, seller, buy_order, sell_order, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($31::bigint[], $32::text[], $33::bigint[], $34::bigint[], $35::bigint[], $36::text[], $37::text[],
           $38::bigint[], $39::bigint[], $40::bytea[]) AS added
"""
_BALANCES: Final = """
INSERT INTO book_balances (shard, account, currency, available, locked)
SELECT fence.shard, added.account, added.currency, added.available::numeric, added.locked::numeric
FROM fence CROSS JOIN
    unnest($41::text[], $42::text[], $43::text[], $44::text[]) AS added (account, currency, available, locked)
ON CONFLICT (shard, account, currency) DO UPDATE SET available = excluded.available, locked = excluded.locked
"""
_DRAFTS: Final = """
INSERT INTO book_drafts (shard, nonce, account, expires_at, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($45::bigint[], $46::text[], $47::bigint[], $48::bytea[]) AS added
"""
_STANDING: Final = """
INSERT INTO book_counters (shard, body)
SELECT fence.shard, $49::bytea FROM fence WHERE $49::bytea IS NOT NULL
ON CONFLICT (shard) DO UPDATE SET body = excluded.body
"""


def _arguments(rows: BookRows) -> tuple[Any, ...]:
    orders, trades, balances, drafts = rows.orders, rows.trades, rows.balances, rows.drafts
    return (
        [row.id for row in orders],
        [row.account for row in orders],
        [row.nonce for row in orders],
        [row.uuid for row in orders],
        [row.market for row in orders],
        [row.base for row in orders],
        [row.quote for row in orders],
        [row.kind for row in orders],
        [row.side for row in orders],
        [row.state for row in orders],
        [row.live for row in orders],
        [row.created_at for row in orders],
        [row.body for row in orders],
        [row.id for row in trades],
        [row.market for row in trades],
        [row.at for row in trades],
        [row.ticks for row in trades],
        [row.lots for row in trades],
        [row.buyer for row in trades],
        [row.seller for row in trades],
        [row.buy_order for row in trades],
        [row.sell_order for row in trades],
        [row.body for row in trades],
        [row.account for row in balances],
        [row.currency for row in balances],
        [str(row.available) for row in balances],
        [str(row.locked) for row in balances],
        [row.nonce for row in drafts],
        [row.account for row in drafts],
        [row.expires_at for row in drafts],
        [row.body for row in drafts],
        rows.counters,
    )


BOOK_FAMILY: Final = FamilyStatements(
    {
        "order_rows": _ORDERS,
        "trade_rows": _TRADES,
        "balance_rows": _BALANCES,
        "draft_rows": _DRAFTS,
        "standing_rows": _STANDING,
    },
    (
        "DELETE FROM book_orders WHERE shard = $1",
        "DELETE FROM book_trades WHERE shard = $1",
        "DELETE FROM book_balances WHERE shard = $1",
        "DELETE FROM book_counters WHERE shard = $1",
        "DELETE FROM book_drafts WHERE shard = $1",
    ),
    _arguments,
)
