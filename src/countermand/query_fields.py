"""One rule for the fields of a query: an empty one is none."""

from collections.abc import Mapping
from typing import TypeVar

Given = TypeVar("Given")


def with_values(params: Mapping[str, Given]) -> dict[str, Given]:
    """The fields of a query that have a value. httpx writes a null as an empty one."""
    return {name: value for name, value in params.items() if value}
