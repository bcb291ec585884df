"""The rows of a table as columns, and the statement part that inserts them: see `store.writer.FamilyStatements`."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any


def inserted(table: str, columns: Mapping[str, str], first: int) -> str:
    """`columns`: names and types, whose parameters are numbered from `first`."""
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), first))
    return f"""
INSERT INTO {table} (shard, {", ".join(columns)})
SELECT fence.shard, added.* FROM fence CROSS JOIN unnest({arrays}) AS added
"""  # noqa: S608


def as_columns(columns: Mapping[str, str]) -> Callable[[Sequence[object]], tuple[list[Any], ...]]:
    """Turns rows into the values of each column, which are attributes of the columns' names."""
    getters = [attrgetter(name) for name in columns]
    return lambda rows: tuple(list(map(get, rows)) for get in getters)
