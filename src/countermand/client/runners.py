"""The two runners of flows: one blocks, one awaits. Only they know HTTP, sleep, and call signers."""

import asyncio
import inspect
import time
from typing import Any, Final

import httpx2

from countermand.client.effects import AnswerLost, Effect, Flow, NotSent, Pause, Request, Response, Sign, T

_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Sync:
    """Runs a flow in the thread that calls it."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http

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
            return _response(self.http.request(**_arguments(request)))
        except httpx2.RequestError as problem:
            raise _told(problem) from problem


class Async:
    """Runs a flow on the event loop. Signers may be plain functions or coroutines."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

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
        try:
            return _response(await self.http.request(**_arguments(request)))
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
