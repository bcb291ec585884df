"""How a venue with order books is written, see `store.writer.FamilyStatements`."""

from typing import Any, Final

from countermand.orders.book.rows import BookRows
from countermand.store.rows_inserted import as_columns, inserted
from countermand.store.writer import FIRST_PARAMETER, FamilyStatements

_ORDER: Final = {
    "id": "bigint",
    "account": "text",
    "nonce": "bigint",
    "uuid": "uuid",
    "market": "text",
    "base": "text",
    "quote": "text",
    "kind": "text",
    "side": "text",
    "state": "text",
    "live": "boolean",
    "created_at": "bigint",
    "body": "bytea",
}
_TRADE: Final = {
    "id": "bigint",
    "market": "text",
    "at": "bigint",
    "ticks": "bigint",
    "lots": "bigint",
    "buyer": "text",
    "seller": "text",
    "buy_order": "bigint",
    "sell_order": "bigint",
    "body": "bytea",
}
_BALANCE: Final = {"account": "text", "currency": "text", "available": "numeric", "locked": "numeric"}
_DRAFT: Final = {"nonce": "bigint", "account": "text", "expires_at": "bigint", "body": "bytea"}

_OF_ORDERS, _OF_TRADES, _OF_BALANCES, _OF_DRAFTS = map(as_columns, (_ORDER, _TRADE, _BALANCE, _DRAFT))
_TRADES_AT: Final = FIRST_PARAMETER + len(_ORDER)
_BALANCES_AT: Final = _TRADES_AT + len(_TRADE)
_DRAFTS_AT: Final = _BALANCES_AT + len(_BALANCE)
_COUNTERS_AT: Final = _DRAFTS_AT + len(_DRAFT)
_COUNTERS: Final = f"""
INSERT INTO book_counters (shard, body)
SELECT fence.shard, ${_COUNTERS_AT}::bytea FROM fence WHERE ${_COUNTERS_AT}::bytea IS NOT NULL
ON CONFLICT (shard) DO UPDATE SET body = excluded.body
"""  # noqa: S608


def _arguments(rows: BookRows) -> tuple[Any, ...]:
    return (
        *_OF_ORDERS(rows.orders),
        *_OF_TRADES(rows.trades),
        *_OF_BALANCES(rows.balances),
        *_OF_DRAFTS(rows.drafts),
        rows.counters,
    )


BOOK_FAMILY: Final = FamilyStatements(
    {
        "order_rows": inserted("book_orders", _ORDER, FIRST_PARAMETER)
        + " ON CONFLICT (id) DO UPDATE SET state = excluded.state, live = excluded.live, body = excluded.body",
        "trade_rows": inserted("book_trades", _TRADE, _TRADES_AT),
        "balance_rows": inserted("book_balances", _BALANCE, _BALANCES_AT) + " ON CONFLICT (shard, account, currency)"
        " DO UPDATE SET available = excluded.available, locked = excluded.locked",
        "draft_rows": inserted("book_drafts", _DRAFT, _DRAFTS_AT),
        "counters_row": _COUNTERS,
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
