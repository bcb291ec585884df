"""What the audit cannot check by one row alone. Every audit prints it, and a test compares it.

A column that is not named here is checked so that any other value of it is found. One that is named may be checked in
part: the reason says what is left.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

MISSING_ROWS: Final = "(missing rows)"
"""Stands for a column: a row that is gone need not be noticed."""
ADDED_ROWS: Final = "(added rows)"
"""Stands for a column: a row in good form that is one too many need not be noticed."""

_LONE: Final = "nothing else refers to it"
_ANY: Final = "any number from 0 on is possible"

_OF_CRAFTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "body": "of deposits that became no order: what they were to buy, beyond that it is a token of the venue",
        "last_valid_height": "of deposits that became an order: whether the row says so already",
        MISSING_ROWS: "of deposits that became no order: nothing else refers to them",
        ADDED_ROWS: "deposits that became no order leave no trace elsewhere",
    }
)

NOT_CHECKED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "shards": {
            "epoch": "it rises with each load; only that it is not below `opened` is checked",
            "opened": "any epoch up to the present one is possible",
            "incarnation": "any number of resets and restores is possible",
        },
        "journal": {},
        "orders": {},
        "events": {},
        "crafts": _OF_CRAFTS,
        "watermarks": {},
        "dca_orders": {},
        "dca_crafts": _OF_CRAFTS,
        "builds": {
            "body": "its order and its purpose: only that they are possible for its message",
            MISSING_ROWS: "nothing else refers to a transaction that was built; they are forgotten after a day",
            ADDED_ROWS: "a transaction that was built leaves no trace elsewhere",
        },
        "vaults": {
            "registered_at": "nothing else says when; only that it is an instant is checked",
            MISSING_ROWS: "of a wallet without orders and deposits",
            ADDED_ROWS: "a wallet may have registered and done nothing else",
        },
        "prices": {
            "picodollars": "a price is no journal entry; only its form is checked (an open order that it crosses is "
            "triggered by it at the next start)",
            MISSING_ROWS: "of an added token: a sandbox that is served as a venue forgets its prices",
            ADDED_ROWS: "any token of the venue may have a price",
        },
        "chain_ledger": {
            "one": "the database allows one value",
            "epoch": "it rises with each load; only that it is not below `opened` is checked",
            "opened": "any epoch up to the present one is possible",
            "seq": "changes without a transaction count too; only that no transaction is beyond it is checked",
            "slot": "of a chain without transactions: to within one slot",
            "wall_ms": "nothing else says when the last commit was",
            "ceiling": "of a chain without transactions: to within one slot",
            "block_time": "only that no transaction has a later one is checked",
        },
        "chain_accounts": {
            "owner": "of an account without data: any program that its transactions name is possible",
            "data": "of lookup tables and of programs of strangers; what extensions add to a token account; how much a "
            "delegate may take; whether a closer was taken away; of recurring orders that traded, the next cycle; of "
            "markets for swaps, price and depth",
            ADDED_ROWS: "a mint without tokens may be left from the addition of a token that a crash cut short",
        },
        "chain_transactions": {
            "slot": "only that it is between its neighbours', and not 150 after its blockhash's, is checked",
            "block_time": "only that it is between its neighbours' is checked",
            "error": "of a transaction that failed: the words; that it failed is checked",
            "meta": "logs, compute units, inner instructions and return data: only that they can be read",
        },
        "chain_mentions": {},
        "sandbox_settings": {
            "body": "any state of the clock, and any seed, is possible; only the form is checked",
            MISSING_ROWS: "a setting that was never changed has no row",
            ADDED_ROWS: "any setting may have been changed",
        },
        "sandbox_tokens": {
            "position": "any order of the tokens is possible",
            "symbol": "any name is possible; only the form is checked",
            MISSING_ROWS: "of a token that has no price",
        },
        "sandbox_snapshots": {
            "name": "any name is possible",
            "layout": "what an earlier version has kept is not looked at",
            "taken_at": "nothing else says when; only that it is an instant is checked",
            "body": "any state of the clock, any seed and any liquidity is possible; only the form is checked. The "
            "copied tables are checked once they are restored",
        },
        "venue": {
            "one": "the database allows one value",
            "token_incarnation": "any number from 1 on is possible",
            "founded_as": "a database may have begun either way; only that no venue became a sandbox is checked",
            "served_as": "a database may be served either way; only that no venue became a sandbox is checked",
        },
        "book_orders": {},
        "book_trades": {},
        "book_balances": {},
        "book_counters": {"body": "the last nonce: only that none beyond it is in use is checked"},
        "book_drafts": {
            "body": "an order that is no order yet may have any terms that its hash is of",
            MISSING_ROWS: "nothing else refers to a draft; they are forgotten after a day",
        },
        "onchain_orders": {"ended_nth": "that there is one: what an earlier version stored has none"},
        "onchain_trades": {},
        "onchain_cursors": {},
        "members": {
            "customer_id": "of a member without sessions: any number that was given out",
            "logins": "only that it is not below a session's number is checked",
            "stark_key": "signatures are not stored; only that it is the key of a point on the curve is checked",
            "registered_at": "nothing else says when; only that it is an instant is checked",
            MISSING_ROWS: "of a member without sessions, orders and drafts",
            ADDED_ROWS: "a member may have registered and done nothing else",
        },
        "member_sessions": {
            "login": "any login of the member's last hundred is possible",
            "generation": _ANY,
            MISSING_ROWS: "a session that was ended has no row",
            ADDED_ROWS: "any login of the member's last hundred may have a session",
        },
        "api_keys": {
            "digest": "the key itself is stored nowhere",
            "scopes": "any set of scopes is possible; only the form is checked",
            "tier": "any word is possible",
            "owner": "any wallet or account is possible; only the form is checked",
            "created_at": "nothing else says when; only that it is an instant is checked",
            MISSING_ROWS: _LONE,
            ADDED_ROWS: _LONE,
        },
        "migrations": {"applied_at": "nothing else says when"},
    }
)
"""By table: the columns that are not checked, or only in part, each with the reason."""

TABLES: Final = tuple(NOT_CHECKED)


def sentences() -> Iterator[str]:
    for table, columns in NOT_CHECKED.items():
        for column, reason in columns.items():
            yield f"{table}.{column}: {reason}" if column.isidentifier() else f"{table} {column}: {reason}"
