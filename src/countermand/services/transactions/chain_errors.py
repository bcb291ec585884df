"""A chain that does not answer, in the word that all services have for it."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import ParamSpec, TypeVar

from countermand.kernel.ports import Unavailable
from countermand.solana.port import ChainUnavailable

_P = ParamSpec("_P")
_T = TypeVar("_T")


def asks_the_chain(method: Callable[_P, Coroutine[None, None, _T]]) -> Callable[_P, Coroutine[None, None, _T]]:
    """Raises `Unavailable` when the chain does not answer."""

    @wraps(method)
    async def asking(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await method(*args, **kwargs)
        except ChainUnavailable as error:
            raise Unavailable(str(error) or "the chain does not answer") from error

    return asking
