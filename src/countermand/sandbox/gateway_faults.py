"""What a sandbox does on the way of a request, its two faults among it: an app around the dialects."""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from countermand.gateway.areas import ELSEWHERE, area_of, changes_something
from countermand.gateway.asgi import App, Event, Receive, Scope, Send
from countermand.gateway.shapes import refused_before, shaped

LIMITED: Final = "[API Gateway] Too many requests"


class GatewayFaults(Struct):
    """Counts down as it acts; 0 is off.

    `lose_answers`: so many answers of the dialects to requests that change something are cut after their commit.
    `rate_limit`: so many requests of the dialects are answered with 429.
    """

    lose_answers: int = 0
    rate_limit: int = 0

    def loses_this_answer(self) -> bool:
        if self.lose_answers <= 0:
            return False
        self.lose_answers -= 1
        return True

    def limits_this_request(self) -> bool:
        if self.rate_limit <= 0:
            return False
        self.rate_limit -= 1
        return True


async def at_once() -> str | None:
    """Of a sandbox that is never replaced."""
    return None


class FaultyApp:
    """An ASGI app around another, which stands behind the gateway: a request came in whole, and its key was good.

    `begins` returns when the sandbox is whole: while it is replaced, a request would find a half of it. If that was cut
    short, it returns why, and only the sandbox's own endpoints answer.
    """

    def __init__(self, app: App, faults: GatewayFaults, begins: Callable[[], Awaitable[str | None]] = at_once) -> None:
        self._app = app
        self._faults = faults
        self._begins = begins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        area = area_of(scope["path"]) if scope["type"] == "http" else ELSEWHERE
        not_whole = None if area is ELSEWHERE else await self._begins()
        if not_whole is not None and not area.sandbox:
            await shaped(scope["path"], 503, not_whole).send(send)
        elif not area.dialect:
            await self._app(scope, receive, send)
        elif self._faults.limits_this_request():
            await refused_before(scope["path"], 429, LIMITED).send(send)
        elif changes_something(scope["method"], scope["path"]):
            await self._app(scope, receive, self._cutting(send))
        else:
            await self._app(scope, receive, send)

    def _cutting(self, send: Send) -> Send:
        """Decides when the answer begins, which is after its commit."""

        def answer(event: Event) -> Awaitable[None]:
            nonlocal send
            if event["type"] == "http.response.start" and self._faults.loses_this_answer():
                send = _cut(send)
            return send(event)

        return answer


def _cut(send: Send) -> Send:
    """Lets half of the body out. Since the answer never ends, the server closes the connection."""
    cut = False

    async def half(event: Event) -> None:
        nonlocal cut
        if event["type"] == "http.response.start":
            await send(event)
        elif not cut:
            cut = True
            body: bytes = event.get("body", b"")
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    return half
