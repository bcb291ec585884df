"""What is stored and cannot be read: one sentence that names the row, and shows nothing of what is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_REASON_CHARS_MAX: Final = 200

UNREADABLE: Final = (ValueError, TypeError, LookupError, AssertionError, ArithmeticError, RecursionError)
"""What a decoder, a check or an index raises for a row that makes no sense."""


class StoredRowUnreadable(Exception):
    """A row that a start needs is damaged. To load again is no use: the process must end, and an operator must look.

    `key` None: it is not known which row.
    """

    def __init__(self, table: str, key: object, reason: str) -> None:
        where = f"table {table}" if key is None else f"row {str(key) or repr(key)} of table {table}"
        super().__init__(f"{where} cannot be read: {reason}; restore the database from a backup")
        self.table = table
        self.key = key


def unreadable(table: str, key: object, problem: BaseException) -> StoredRowUnreadable:
    """For the exception that the row led to."""
    text = " ".join(str(problem).split())
    named = isinstance(problem, LookupError) or not text
    reason = f"{type(problem).__name__} {text}".strip() if named else text
    return StoredRowUnreadable(table, key, reason[:_REASON_CHARS_MAX])


@contextmanager
def reading_row(table: str, key: object) -> Iterator[None]:
    """What the row leads to is raised as `StoredRowUnreadable`."""
    try:
        yield
    except UNREADABLE as problem:
        raise unreadable(table, key, problem) from problem


def check(table: str, key: object, *, that: bool, otherwise: str) -> None:
    """Raises `StoredRowUnreadable` with the reason `otherwise`."""
    if not that:
        raise StoredRowUnreadable(table, key, otherwise)
