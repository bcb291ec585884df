"""One definition of each method, for both clients.

`@operation` takes a flow. On an API of the blocking client the method runs it and returns its value; on one of the
async client the method returns a coroutine. `@listing` does the same for what comes in pages.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeAlias, TypeVar, get_args, overload

from countermand.client.effects import Flow
from countermand.client.runners import Async, Sync
from countermand.client.session import Session

A = TypeVar("A", bound="Api[Any]")
P = ParamSpec("P")
R = TypeVar("R", bound=Sync | Async)
T = TypeVar("T")

Page: TypeAlias = tuple[Sequence[tuple[object, T]], bool]
"""The rows of a page, each with what it is known by, and whether there are more pages."""
Pages: TypeAlias = Callable[[int], Flow[Page[T]]]
"""A page by its number, from 0 on."""


_READS_MAX: Final = 10
"""Of a list that changes all the time."""


def at_once(pages: Pages[T]) -> Pages[T]:
    """All pages as one: of a list that rows leave, such as that of open orders.

    If each order is cancelled as it comes, the rows behind it move up, past the page that would be asked for next. They
    also do when others leave while the pages are read: so what has several is read again until nothing new is seen.
    """

    def all_of_them(_: int) -> Flow[Page[T]]:
        seen: dict[object, T] = {}
        for _ in range(_READS_MAX):
            known, number, more = len(seen), 0, True
            while more:
                page, more = yield from pages(number)
                seen.update((key, row) for key, row in page if key not in seen)
                number += 1
            if number == 1 or len(seen) == known:
                break
        return list(seen.items()), False

    return all_of_them


class Api(Generic[R]):
    """The methods of one API, on the runner of a client."""

    def __init__(self, runner: R, session: Session) -> None:
        self._runner = runner
        self._session = session


class operation(Generic[A, P, T]):  # noqa: N801 — a decorator
    """A method of both clients. `flow` is what it does, for other flows."""

    def __init__(self, flow: Callable[Concatenate[A, P], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__
        self._signature = _shown(flow)

    @overload
    def __get__(self, api: None, owner: type) -> "operation[A, P, T]": ...
    @overload
    def __get__(self, api: Api[Sync], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, api: Api[Async], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, api: Any, owner: type) -> Any:
        if api is None:
            return self
        runner = api._runner  # noqa: SLF001 — of the class that stands above

        @wraps(self.flow)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return runner.run(self.flow(api, *args, **kwargs))

        return _with_signature(method, self._signature)


class listing(Generic[A, P, T]):  # noqa: N801 — a decorator
    """A method of both clients that iterates over all rows, and asks for a page when it is needed (see `at_once`).

    What came while the pages were read may move rows from one page to the next: none is given twice.
    """

    def __init__(self, pages: Callable[Concatenate[A, P], Pages[T]]) -> None:
        self.pages = pages
        self.__doc__ = pages.__doc__
        self._signature = _shown(pages)

    @overload
    def __get__(self, api: None, owner: type) -> "listing[A, P, T]": ...
    @overload
    def __get__(self, api: Api[Sync], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, api: Api[Async], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, api: Any, owner: type) -> Any:
        if api is None:
            return self
        runner = api._runner  # noqa: SLF001 — of the class that stands above
        over: Any = _rows_of if isinstance(runner, Sync) else _rows_to_await

        @wraps(self.pages)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return over(runner, self.pages(api, *args, **kwargs))

        return _with_signature(method, self._signature)


def _shown(flow: Callable[..., Any]) -> inspect.Signature:
    """What `help` shows of a method: without `self`, and with the value that it returns."""
    whole = inspect.signature(flow)
    returned = get_args(whole.return_annotation)[-1:]
    is_flow = bool(returned) and getattr(whole.return_annotation, "__origin__", None) is Generator
    annotation = returned[0] if is_flow else inspect.Signature.empty
    return whole.replace(parameters=list(whole.parameters.values())[1:], return_annotation=annotation)


def _with_signature(method: Any, signature: inspect.Signature) -> Any:
    method.__signature__ = signature
    return method


def _rows_of(runner: Sync, pages: Pages[T]) -> Iterator[T]:
    seen: set[object] = set()
    number, more = 0, True
    while more:
        rows, more = runner.run(pages(number))
        yield from _new(rows, seen)
        number += 1


async def _rows_to_await(runner: Async, pages: Pages[T]) -> AsyncIterator[T]:
    seen: set[object] = set()
    number, more = 0, True
    while more:
        rows, more = await runner.run(pages(number))
        for row in _new(rows, seen):
            yield row
        number += 1


def _new(rows: Sequence[tuple[object, T]], seen: set[object]) -> Iterator[T]:
    for key, row in rows:
        if key not in seen:
            seen.add(key)
            yield row
