"""A WebSocket that is refused is told why, as a request is. The server would say 403, whatever the reason."""

from http import HTTPStatus
from typing import Final

from countermand.gateway import telemetry
from countermand.gateway.areas import area_of
from countermand.gateway.asgi import Event, Scope, Send
from countermand.gateway.shapes import refused_before

CLOSED_BY_STATUS: Final = 3_000
"""Closing codes from here on are an application's own; ours add the status of HTTP."""

_ERRORS: Final = range(CLOSED_BY_STATUS + 400, CLOSED_BY_STATUS + 600)
_EXTENSION: Final = "websocket.http.response"


def refusing_by_status(scope: Scope, send: Send) -> Send:
    """Makes an answer of HTTP of a close by a status that comes before the handshake is accepted."""
    if _EXTENSION not in scope.get("extensions", {}):
        return send
    began = False

    async def answer(event: Event) -> None:
        nonlocal began
        refused = not began and event["type"] == "websocket.close" and event.get("code") in _ERRORS
        began = True
        if not refused:
            await send(event)
            return
        status = HTTPStatus(event["code"] - CLOSED_BY_STATUS)
        telemetry.answered(area_of(scope["path"]), status.value)
        await refused_before(scope["path"], status, status.phrase.capitalize()).send(_as_of_a_handshake(send))

    return answer


def _as_of_a_handshake(send: Send) -> Send:
    async def renamed(event: Event) -> None:
        await send({**event, "type": f"websocket.{event['type']}"})

    return renamed
