"""The facade on HTTP: `POST /rpc` for requests, `GET /rpc` for the WebSocket."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import falcon
from falcon.asgi import Request, Response, WebSocket

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.dispatch import Dispatcher
from countermand.solana.facade.methods import Airdrop, RpcMethods
from countermand.solana.facade.session import GOING_AWAY, TRY_AGAIN_LATER, Backlog, Session, SocketLimits
from countermand.solana.facade.subscriptions import Subscriptions

BODY_BYTES_MAX: Final = 256 * 1024
SOCKETS_MAX: Final = 10_000
_USAGE: Final = "Solana JSON-RPC 2.0: POST requests here, or open a WebSocket.\n"


class SocketHub:
    """All sockets of the facade. After `close` it takes no more.

    While `is_up` is false, requests are answered as by a node that is down; so is it with HTTP, where that is a 503.
    """

    def __init__(
        self,
        chain: EmbeddedChain,
        *,
        limits: SocketLimits | None = None,
        sockets_max: int = SOCKETS_MAX,
        is_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self._subscriptions = Subscriptions(chain)
        self._is_up = is_up
        self._limits = limits or SocketLimits()
        self._max = sockets_max
        self._backlog = Backlog()
        self._sessions: dict[int, Session] = {}
        self._closing = False

    def __len__(self) -> int:
        """How many sockets are open."""
        return len(self._sessions)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions they have together."""
        return len(self._subscriptions)

    async def serve(self, socket: WebSocket) -> None:
        """Speaks with one socket until it ends."""
        if self._closing or len(self._sessions) >= self._max:
            await socket.close(GOING_AWAY if self._closing else TRY_AGAIN_LATER)
            return
        session = Session(socket, self._subscriptions, self._limits, self._is_up, self._backlog)
        self._sessions[id(session)] = session
        try:
            await session.run()
        finally:
            del self._sessions[id(session)]

    async def close(self) -> None:
        """Says goodbye (1001) to every socket, and returns when all have ended: within about a second."""
        self._closing = True
        sessions = list(self._sessions.values())
        for session in sessions:
            session.end(GOING_AWAY)
        for session in sessions:
            await session.ended.wait()
        await self._subscriptions.close()


class RpcResource:
    """What a Falcon app routes at `/rpc`. Without `send`, transactions go to the chain directly."""

    def __init__(
        self,
        chain: EmbeddedChain,
        hub: SocketHub,
        *,
        send: Callable[[bytes], Awaitable[None]] | None = None,
        airdrop: Airdrop | None = None,
        is_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self._dispatcher = Dispatcher(RpcMethods(chain, send or chain.send, airdrop).by_name(), is_up)
        self._hub = hub

    async def on_post(self, req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_JSON
        body = await req.stream.read(BODY_BYTES_MAX + 1)
        if len(body) > BODY_BYTES_MAX:
            resp.status = falcon.HTTP_413
            return
        answer = await self._dispatcher.answer(body)
        resp.data = answer.body
        resp.status = answer.status

    async def on_get(self, _req: Request, resp: Response) -> None:
        """For people who look; a node answers 405 too."""
        resp.status = HTTPStatus.METHOD_NOT_ALLOWED
        resp.set_header("allow", "POST")
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = _USAGE

    async def on_websocket(self, _req: Request, ws: WebSocket) -> None:
        await self._hub.serve(ws)
