"""One connection that speaks WebSocket: uvicorn's protocol, with bounds on what it holds."""

from http import HTTPStatus
from typing import Any, Final

from uvicorn._types import ASGIReceiveEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request

from countermand.gateway import telemetry
from countermand.gateway.areas import ELSEWHERE, area_of
from countermand.gateway.shapes import shaped
from countermand.gateway.traffic import PIECE_BYTES, Traffic

MESSAGE_BYTES_MAX: Final = 256 * 1024
"""Of a message that comes in; its frames are not buffered beyond."""

PING_SECONDS: Final = 30
"""A peer that answers no ping for so long is gone."""

_QUEUED_EVENTS_MAX: Final = 32
_UNREADABLE: Final = "The WebSocket's handshake is malformed, or a line of it is longer than 8192 bytes"


class SocketConnection(WebSocketsSansIOProtocol):
    """Takes over a connection of HTTP, with its place among the peer's connections."""

    def __init__(
        self, config: Config, state: ServerState, app_state: dict[str, Any], traffic: Traffic, peer: str
    ) -> None:
        super().__init__(config, state, app_state)
        self._traffic = traffic
        self._peer = peer
        self._unfed = b""
        self._discarding = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._traffic.leaves(self._peer)
        self._traffic.reads_again(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """A peer that sends without reading the answers is not read either."""
        super().pause_writing()
        self._traffic.stops_reading(self)
        self._pause_reading()

    def resume_writing(self) -> None:
        self._traffic.reads_again(self)
        super().resume_writing()
        self._read_on()

    def unsent_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        self._unfed = self._unfed + data if self._unfed else data
        self._feed()

    def _feed(self) -> None:
        while self._unfed and not self._discarding and not self._is_full():
            piece, self._unfed = self._unfed[:PIECE_BYTES], self._unfed[PIECE_BYTES:]
            super().data_received(piece)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._refuse()
        if self._unfed and not self._discarding:
            self._pause_reading()

    def _is_full(self) -> bool:
        return self.queue.qsize() >= _QUEUED_EVENTS_MAX or not self.writable.is_set()

    def _pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if self.disconnected:
            return
        self._feed()
        if self.read_paused and not self._unfed and self.queue.empty() and self.writable.is_set():
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        self._read_on()
        return message

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            telemetry.answered(area_of(event.path.partition("?")[0]), self.response.status_code)

    def send_500_response(self) -> None:
        """Unless the handshake was answered before."""
        if not (self.initial_response or self.handshake_complete):
            telemetry.answered(area_of(self.scope["path"]), HTTPStatus.INTERNAL_SERVER_ERROR.value)
        super().send_500_response()

    def _refuse(self) -> None:
        """A handshake that cannot be read."""
        telemetry.answered(ELSEWHERE, HTTPStatus.BAD_REQUEST.value)
        answer = shaped("/", 400, _UNREADABLE)
        head = f"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: {len(answer.body)}\r\n\r\n"
        self.transport.write(head.encode() + answer.body)
        self._linger()

    def handle_parser_exception(self) -> None:
        """Says why (1002, 1007, 1009), and reads away what still comes, so that the peer can read it."""
        if self.conn.close_sent is None:
            self._refuse()
            return
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._linger()

    def _linger(self) -> None:
        self._discarding, self._unfed = True, b""
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self._traffic.limits.linger_seconds, self.transport.abort)

    def eof_received(self) -> None:
        """The transport closes."""

    async def run_asgi(self) -> None:
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception as bug:  # noqa: BLE001 - a bug becomes a log line
            telemetry.handler_failed("GET", self.scope["path"], bug)
            self.send_500_response()
        finally:
            if self.close_timer is None:
                self.transport.close()
                self.close_timer = self.loop.call_later(self._traffic.limits.linger_seconds, self.transport.abort)
