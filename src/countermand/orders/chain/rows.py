"""Orders on the chain, their fills and the index's cursors, as they are stored."""

from collections.abc import Sequence
from typing import Final

import msgspec
from solders.signature import Signature as SignatureKey

from countermand.kernel.journal import encode
from countermand.orders.chain.model.decide import Cursor
from countermand.orders.chain.model.order import (
    ChainFamily,
    IndexedLimitOrder,
    IndexedOrder,
    IndexedRecurringOrder,
    Trade,
)
from countermand.values.identity import Address

_LIMIT: Final = msgspec.json.Decoder(IndexedLimitOrder)
_RECURRING: Final = msgspec.json.Decoder(IndexedRecurringOrder)
_CURSOR: Final = msgspec.json.Decoder(Cursor)

NO_PLACE: Final = -1
"""The `ended_nth` of rows that were stored before there was one."""

decode_trade: Final = msgspec.json.Decoder(Trade).decode


class ChainOrderRow(msgspec.Struct, frozen=True):
    """`live`: it is open, and loaded at a start. Times are in seconds. While it is open, where it ended is 0."""

    address: str
    opened_by: str
    nth: int
    family: str
    owner: str
    live: bool
    input_mint: str
    output_mint: str
    created_at: int
    updated_at: int
    ended_slot: int
    ended_nth: int
    body: bytes


class ChainTradeRow(msgspec.Struct, frozen=True):
    address: str
    opened_by: str
    nth: int
    n: int
    failed: bool
    body: bytes


class ChainCursorRow(msgspec.Struct, frozen=True):
    program: str
    body: bytes


class ChainRows(msgspec.Struct, frozen=True):
    """What one commit writes of orders on the chain, beside its journal entries."""

    orders: Sequence[ChainOrderRow] = ()
    trades: Sequence[ChainTradeRow] = ()
    cursors: Sequence[ChainCursorRow] = ()


def order_row(order: IndexedOrder, slot: int, nth: int) -> ChainOrderRow:
    """`slot`: of the last transaction that changed it. `nth`: where in that slot, so that what came later has more."""
    live, fields = order.is_open, msgspec.to_builtins(order)
    if not order.nth:  # Bodies that were stored before there was a number have none.
        del fields["nth"]
    return ChainOrderRow(
        address=order.address,
        opened_by=order.opened_by,
        nth=order.nth,
        family=family_of(order).value,
        owner=order.owner,
        live=live,
        input_mint=order.input_mint,
        output_mint=order.output_mint,
        created_at=order.created_at_s,
        updated_at=order.updated_at_s,
        ended_slot=0 if live else slot,
        ended_nth=0 if live else nth,
        body=encode(fields),
    )


def trade_row(order: IndexedOrder, trade: Trade) -> ChainTradeRow:
    return ChainTradeRow(order.address, order.opened_by, order.nth, trade.n, trade.failed, encode(trade))


def cursor_row(program: Address, cursor: Cursor) -> ChainCursorRow:
    return ChainCursorRow(program, encode(cursor))


def family_of(order: IndexedOrder) -> ChainFamily:
    return ChainFamily.LIMIT if isinstance(order, IndexedLimitOrder) else ChainFamily.RECURRING


def decode_order(family: str, body: bytes) -> IndexedOrder:
    """Raises `ValueError`."""
    return _LIMIT.decode(body) if ChainFamily(family) is ChainFamily.LIMIT else _RECURRING.decode(body)


def decode_cursor(body: bytes) -> Cursor:
    """Raises `ValueError`, also without a transaction, after which the chain is asked for what is new."""
    cursor = _CURSOR.decode(body)
    if not cursor.signatures:
        raise ValueError("it names no transaction")
    for signature in cursor.signatures:
        SignatureKey.from_string(signature)
    return cursor
