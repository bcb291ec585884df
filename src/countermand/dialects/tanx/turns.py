"""Long lists, made without keeping others waiting."""

import asyncio
from collections.abc import Iterable
from typing import Final, TypeVar

_T = TypeVar("_T")

_AT_ONCE: Final = 64
"""About a millisecond's work."""


async def in_turns(items: Iterable[_T]) -> list[_T]:
    """All that the iterable makes; between some of them, others have their turn."""
    made: list[_T] = []
    for item in items:
        made.append(item)
        if len(made) % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return made
