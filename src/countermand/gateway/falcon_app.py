"""The Falcon app that the dialects are mounted on, with the answers for what none of them took."""

from typing import TypeAlias

import falcon
import falcon.asgi
import msgspec
from falcon import media
from falcon.asgi import Request, Response, WebSocket

from countermand.gateway import telemetry
from countermand.gateway.handshakes import CLOSED_BY_STATUS
from countermand.gateway.shapes import refused_before

FalconApp: TypeAlias = "falcon.asgi.App[Request, Response]"


def new_app() -> FalconApp:
    """Unknown paths, wrong methods and bugs are answered here. JSON is msgspec's."""
    app = falcon.asgi.App()
    json = media.JSONHandler(dumps=_encode, loads=msgspec.json.decode)
    app.req_options.media_handlers = media.Handlers({falcon.MEDIA_JSON: json})
    app.resp_options.media_handlers = media.Handlers({falcon.MEDIA_JSON: json})
    app.add_error_handler(Exception, _on_bug)
    app.add_error_handler(falcon.HTTPError, _on_http_error)
    return app


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def _on_http_error(
    req: Request, resp: Response | None, error: falcon.HTTPError, _params: object, ws: WebSocket | None = None
) -> None:
    if resp is None:
        await _hang_up(ws, error.status_code)
        return
    message = _MESSAGES.get(error.status_code) or error.description or error.title or "Error"
    _answer(req, resp, error.status_code, message)
    if error.headers:
        resp.set_headers(error.headers)


async def _on_bug(
    req: Request, resp: Response | None, error: Exception, _params: object, ws: WebSocket | None = None
) -> None:
    telemetry.handler_failed(req.method, req.path, error)
    if resp is None:
        await _hang_up(ws, 500)
        return
    _answer(req, resp, 500, "Internal server error")


async def _hang_up(ws: WebSocket | None, status: int) -> None:
    """A WebSocket has no answer but its closing code; one that was not accepted yet is refused."""
    assert ws is not None, "either an answer or a WebSocket"
    await ws.close(CLOSED_BY_STATUS + status)


def _answer(req: Request, resp: Response, status: int, message: str) -> None:
    """What no handler took."""
    shape = refused_before(req.path, status, message)
    resp.status = status
    resp.content_type = falcon.MEDIA_JSON
    resp.data = shape.body


_MESSAGES = {404: "Not found", 405: "Method not allowed"}
