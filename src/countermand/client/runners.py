"""The two runners of flows: one blocks, one awaits. Only they know HTTP, sleep, and call signers."""

import asyncio
import inspect
import os
import time
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import httpx2

from countermand.client.effects import AnswerLost, Effect, Flow, NotSent, Pause, Request, Response, Sign, T

_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


H = TypeVar("H")


def server_address(url: str) -> httpx2.URL:
    """Raises `ValueError` for what is none."""
    try:
        address = httpx2.URL(url)
    except httpx2.InvalidURL as problem:
        raise ValueError(f"{url!r} cannot be read: {problem}") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"{url!r} is no address that begins with http:// or https://")
    if address.query or address.fragment:
        raise ValueError(f"{url!r} ends in a query; give the address that paths are added to")
    return address


class _Connections(Generic[H]):
    """Those of one process, and of one event loop: in a fork, or in the next loop, `make` gives others.

    What is read from a connection of another process is what that process was answered. Without `make` they stay.
    """

    def __init__(self, http: H, make: Callable[[], H] | None) -> None:
        self.http = http
        self._make = make
        self._home: object = None

    def of(self, home: object) -> H:
        if self._make is not None and self._home not in (None, home):
            self.http = self._make()
        self._home = home
        return self.http


class Sync:
    """Runs a flow in the thread that calls it. `make`: how `http` was made."""

    def __init__(self, http: httpx2.Client, make: Callable[[], httpx2.Client] | None = None) -> None:
        self._connections = _Connections(http, make)

    def close(self) -> None:
        self._connections.http.close()

    def run(self, flow: Flow[T]) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    result = self._perform(effect)
                except (NotSent, AnswerLost) as problem:
                    effect = flow.throw(problem)
                else:
                    effect = flow.send(result)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Request():
                return self._send(effect)
            case Pause():
                time.sleep(effect.seconds)
                return None
            case Sign():
                signed = effect.signer(effect.payload)
                if inspect.isawaitable(signed):
                    if inspect.iscoroutine(signed):
                        signed.close()
                    raise TypeError("a signer that must be awaited needs the async client")
                return signed

    def _send(self, request: Request) -> Response:
        try:
            return _response(self._connections.of(os.getpid()).request(**_arguments(request)))
        except httpx2.RequestError as problem:
            raise _told(problem) from problem


class Async:
    """Runs a flow on the event loop. Signers may be plain functions or coroutines. `make`: how `http` was made."""

    def __init__(self, http: httpx2.AsyncClient, make: Callable[[], httpx2.AsyncClient] | None = None) -> None:
        self._connections = _Connections(http, make)

    async def close(self) -> None:
        await self._connections.http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    result = await self._perform(effect)
                except (NotSent, AnswerLost) as problem:
                    effect = flow.throw(problem)
                else:
                    effect = flow.send(result)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    async def _perform(self, effect: Effect) -> Any:
        match effect:
            case Request():
                return await self._send(effect)
            case Pause():
                await asyncio.sleep(effect.seconds)
                return None
            case Sign():
                signed = effect.signer(effect.payload)
                return await signed if inspect.isawaitable(signed) else signed

    async def _send(self, request: Request) -> Response:
        http = self._connections.of((os.getpid(), asyncio.get_running_loop()))
        try:
            return _response(await http.request(**_arguments(request)))
        except httpx2.RequestError as problem:
            raise _told(problem) from problem


def _arguments(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.query),
        "content": request.body,
        "headers": dict(request.headers),
    }


def _response(answer: httpx2.Response) -> Response:
    return Response(answer.status_code, {name.lower(): text for name, text in answer.headers.items()}, answer.content)


def _told(problem: httpx2.RequestError) -> NotSent | AnswerLost:
    words = f"{type(problem).__name__}: {problem}"
    return NotSent(words) if isinstance(problem, _NOT_SENT) else AnswerLost(words)
