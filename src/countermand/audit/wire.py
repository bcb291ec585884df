"""The findings of an audit as JSON shows them. Numbers of units are text."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import astuple

from countermand.audit.findings import Audit, Currency
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE
from countermand.values.quantities import decimal_text


class ColumnWire(msgspec.Struct):
    deposited: str
    filled: str
    withdrawn: str
    remaining: str


class ColumnWithGiftsWire(ColumnWire, rename="camel"):
    gifts_returned: str
    gifts_held: str


class CurrencyWire(msgspec.Struct):
    """In units, as decimals."""

    deposited: str
    available: str
    locked: str
    fees: str


class ReportWire(msgspec.Struct, rename="camel"):
    """`count`: of all differences. Of a table that is lost, only the first are among `differences`."""

    ok: bool
    entries: int
    orders: int
    mints: dict[str, ColumnWithGiftsWire]
    currencies: dict[str, CurrencyWire]
    rent_held_lamports: str
    network_fees_lamports: str
    unresolved: list[str]
    differences: list[str]
    count: int
    not_checked: list[str]


def currencies_as_wire(currencies: Mapping[str, Currency]) -> dict[str, CurrencyWire]:
    return {
        name: CurrencyWire(*(decimal_text(quanta, AMOUNT_SCALE) for quanta in astuple(there)))
        for name, there in sorted(currencies.items())
    }


def as_wire(found: Audit) -> ReportWire:
    return ReportWire(
        found.ok,
        found.entries,
        found.orders,
        {mint: ColumnWithGiftsWire(*map(str, astuple(column))) for mint, column in sorted(found.columns.items())},
        currencies_as_wire(found.currencies),
        str(found.rent_held_lamports),
        str(found.network_fees_lamports),
        found.unresolved,
        found.differences,
        found.count,
        found.not_checked,
    )
