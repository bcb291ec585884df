"""The findings of an audit."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

NOT_STORED: Final = "it is in the journal, but not stored"
STORED_OTHERWISE: Final = "it is stored otherwise than the journal says"
NOT_IN_JOURNAL: Final = "it is stored, but no journal entry placed it"

NAMED_MAX: Final = 100
"""Differences of one table that are named; the others are only counted."""


class Column(Struct):
    """One mint's units: what came in, and where it is. `gifts` are what strangers sent to orders' accounts."""

    deposited: int = 0
    filled: int = 0
    withdrawn: int = 0
    remaining: int = 0
    gifts_returned: int = 0
    gifts_held: int = 0

    def balances(self) -> bool:
        return self.deposited == self.filled + self.withdrawn + self.remaining


class Currency(Struct, frozen=True):
    """One currency of the order books, in quanta: what came in, and where it is. `fees` are the venue's own."""

    deposited: int
    available: int
    locked: int
    fees: int

    def balances(self) -> bool:
        return self.deposited == self.available + self.locked + self.fees


class Audit(Struct):
    """`differences` are one sentence each, which begins with a table and a key; an audit without one is good."""

    entries: int = 0
    orders: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    currencies: dict[str, Currency] = field(default_factory=dict)
    rent_held_lamports: int = 0
    network_fees_lamports: int = 0
    unresolved: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    is_cut_short: bool = False
    """In the middle of a reset, which is no single commit: nothing can be compared before a start has completed it."""
    not_checked: list[str] = field(default_factory=list)
    """What this audit left out, with the reasons: columns, and what it could not look at today."""
    _found: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.differences

    @property
    def count(self) -> int:
        return sum(self._found.values())

    def column(self, mint: str) -> Column:
        return self.columns.setdefault(mint, Column())

    def differs(self, table: str, key: object, what: str) -> None:
        """`key` None: it is about the whole table. Of a table that is lost, only the first rows are named."""
        found = self._found[table] = self._found.get(table, 0) + 1
        if found <= NAMED_MAX:
            self.differences.append(_on_one_line(f"{table}: {what}" if key is None else f"{table} {key}: {what}"))

    def unnamed(self) -> Mapping[str, int]:
        """How many more differences each table has than are named."""
        return {table: found - NAMED_MAX for table, found in self._found.items() if found > NAMED_MAX}


def _on_one_line(sentence: str) -> str:
    """What is stored, and damaged, may hold any character."""
    if sentence.isprintable():
        return sentence
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in sentence)
