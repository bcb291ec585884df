"""Lists that take more than one read."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

_READS_MAX: Final = 4


async def as_of_one_moment(read: Callable[[], Awaitable[tuple[T, bool]]]) -> T:
    """What `read` finds. It also says whether something of it ended meanwhile: then what began then is missing, too.

    So it is read again, a few times while that goes on.
    """
    for _ in range(_READS_MAX):
        found, has_changed = await read()
        if not has_changed:
            break
    return found
