"""One connection that speaks HTTP: uvicorn's protocol, with the limits that it lacks and with errors in our shapes.

uvicorn parses with llhttp, which refuses what could be read in two ways: a `Content-Length` beside a
`Transfer-Encoding`, lengths that are no numbers, chunks without a size.
"""

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from countermand.gateway import telemetry
from countermand.gateway.areas import area_of
from countermand.gateway.asgi import GONE, AsgiAnswer
from countermand.gateway.shapes import shaped
from countermand.gateway.traffic import HEAD_BYTES_MAX, HEADERS_MAX, PIECE_BYTES, Traffic
from countermand.gateway.websocket import SocketConnection

_VERSIONS: Final = ("1.0", "1.1")
_REQUEST_LINE: Final = re.compile(rb"\r?\n?(?P<method>[!#-'*+.^-z|~A-Z-]{1,32}) (?P<target>/[!-~]*) HTTP/1\.[01]\r?\n")
_NO_BODY: Final = frozenset({204, 304})


class HttpConnection(HttpToolsProtocol):
    """Serves the requests of one peer, one after the other."""

    def __init__(self, config: Config, state: ServerState, app_state: dict[str, Any], traffic: Traffic) -> None:
        super().__init__(config, state, app_state)
        self._state = state
        self._traffic = traffic
        self._peer = ""
        self._unfed = b""
        self._in_head = True
        self._head_bytes = 0
        self._head_flaw: tuple[int, str] | None = None
        """Why a head that the parser took is refused all the same."""
        self._ended = False
        """Nothing that still comes is parsed."""
        self._afterwards: bytes | None = None
        """What is said when all answers that are due are out."""

    @property
    def _exchange(self) -> "HttpExchange | None":
        """The newest one. (uvicorn's hint forgets that there is none at first.)"""
        return cast("HttpExchange | None", self.cycle)

    # The connection's life.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self)
        self._wire = _Wire(self)
        self._peer = self.client[0] if self.client else ""
        admitted = self._traffic.admits(self._peer)
        if self.client is None:  # It left before it was accepted: what it sent is not served.
            self._ended = True
            self.abort()
        elif admitted:
            self._traffic.awaits_head(self)
        else:
            self._say(_refused("/", 503, "Too many connections of this peer; close some before opening more"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._traffic.leaves(self._peer)
        self._traffic.has_head(self)
        self._traffic.reads_again(self)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self._lets_go()

    def _lets_go(self) -> None:
        """Of all that knows it. Else each that ended is left to the garbage collector, which holds the loop.

        Thousands of them did for a quarter of a second.
        """
        del self._wire
        self.flow = FlowControl(self.transport)
        self.cycle = None  # type: ignore[assignment]

    def eof_received(self) -> None:
        """The peer sends no more. What it asked for is answered; a request that is cut short never will be."""
        if (due := self._exchange) is not None and not due.response_complete and not due.more_body:
            due.keep_alive = False
            if due.is_stream:
                self._sound()
                self.loop.call_later(_SOUNDED_AGAIN_S, self._sound)
            return True  # type: ignore[return-value]  # uvicorn's hint forgets that this keeps the connection open.
        self.loop.call_later(self._traffic.limits.linger_seconds, self._leave_lingering)
        return None

    def _sound(self) -> None:
        """A peer that only sends no more reads a comment; one that has left refuses it, which the next one finds."""
        if (due := self._exchange) is not None and due.is_stream and not self.transport.is_closing():
            due.tell_nothing()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._traffic.stops_reading(self)

    def resume_writing(self) -> None:
        self._traffic.reads_again(self)
        super().resume_writing()

    def unsent_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        self.transport.abort()

    def close(self) -> None:
        """Closes it once all is sent; a peer that still sends is listened to for a little, so that it reads why."""
        if self.transport.is_closing():
            return
        self._ended, self._unfed = True, b""
        if (answered := self._exchange) is not None and answered.more_body and self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()
        # Also one that is closing waits for its peer to read.
        self.loop.call_later(self._traffic.limits.linger_seconds, self._leave_lingering)

    def _leave_lingering(self) -> None:
        if not self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.flow.write_paused:  # Else the traffic's own limit of what is not read counts.
            self._traffic.stops_reading(self)

    # What comes in.

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._unfed = self._unfed + data if self._unfed else data
        self._feed()

    def is_full(self) -> bool:
        """Another request waits already: no more is read."""
        return bool(self.pipeline)

    def _feed(self) -> None:
        while self._unfed and not self.pipeline and not self._ended:
            piece, self._unfed = self._unfed[:PIECE_BYTES], self._unfed[PIECE_BYTES:]
            self._parse(piece)

    def _parse(self, piece: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(piece[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self._malformed(error, piece)
            return
        if not self._in_head:
            self._head_bytes = 0
            return
        self._head_bytes += len(piece)
        if self._head_bytes > HEAD_BYTES_MAX or len(self.headers or ()) > HEADERS_MAX:
            self._refuse_head(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_MANY_HEADERS)
        else:
            self._traffic.awaits_head(self)

    def _malformed(self, error: httptools.HttpParserError, piece: bytes) -> None:
        if not self._in_head:
            self._ended, self._unfed = True, b""
            if self._exchange is not None:
                self._exchange.end_malformed()
        elif isinstance(error, httptools.HttpParserInvalidMethodError) and not self._owes_answers():
            self._answer_unknown_method(piece)
        else:
            self._refuse_head(*(self._head_flaw or (HTTPStatus.BAD_REQUEST, _MALFORMED)))

    def _owes_answers(self) -> bool:
        return self._exchange is not None and not self._exchange.response_complete

    def _refuse_head(self, status: int, message: str) -> None:
        self._ended, self._unfed = True, b""
        path = self._url_so_far().partition(b"?")[0].decode("latin-1")
        refusal = _refused(path, status, message)
        if self._owes_answers():
            self._afterwards = _written(refusal)
        else:
            self._say(refusal)

    def _url_so_far(self) -> bytes:
        return getattr(self, "url", b"/")

    def _say(self, refusal: AsgiAnswer) -> None:
        self._ended = True
        self._traffic.has_head(self)
        self.transport.write(_written(refusal))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(self._traffic.limits.linger_seconds, self.transport.abort)

    def _answer_unknown_method(self, piece: bytes) -> None:
        """llhttp knows the methods that are registered; any other is a request all the same, for a 405."""
        line = _REQUEST_LINE.match(piece)
        if line is None:
            self._refuse_head(HTTPStatus.BAD_REQUEST, _MALFORMED)
            return
        self._ended, self._unfed = True, b""
        self._traffic.has_head(self)
        head = piece[line.end() :].partition(b"\r\n\r\n")[0]
        fields = [field.partition(b":") for field in head.split(b"\r\n")]
        self.headers[:] = [
            (name.lower(), value.strip()) for name, _, value in fields if name.lower() in {b"host", b"origin"}
        ]
        self.url = line["target"]
        self.scope["method"] = line["method"].decode()
        self._locate()
        self.cycle = self._begun(keep_alive=False)
        self._start_asgi_task(self.cycle, self.app)

    # What the parser tells.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0  # requests sent ahead may each end inside a piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's own, without the blanks that llhttp leaves behind a value, and the zeros before a length."""
        name, value = name.lower(), value.rstrip(b" \t")
        if name == b"content-length" and value.isdigit():
            value = value.lstrip(b"0") or b"0"  # Else it may have more digits than Python reads.
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """As uvicorn's own, but HTTP/1.0 may keep its connection, and a target may be absolute."""
        version = self.parser.get_http_version()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        if version not in _VERSIONS or (version == "1.0" and any(name == _CODED for name, _ in self.headers)):
            raise ValueError(version)  # The parser makes it an error of its own.
        self._head_flaw = self._found_flaw()
        if self._head_flaw is not None:
            raise ValueError(self._head_flaw)
        self._traffic.has_head(self)
        if self.parser.should_upgrade() and self._should_upgrade():
            self._in_head = False
            return
        self._locate()
        self._in_head = False
        before, self.cycle = self._exchange, self._begun(keep_alive=self.parser.should_keep_alive())
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _found_flaw(self) -> tuple[int, str] | None:
        if len(self.headers) > HEADERS_MAX or (
            self._head_bytes > HEAD_BYTES_MAX - PIECE_BYTES  # It ends inside a piece.
            and len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES_MAX
        ):
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_MANY_HEADERS
        codings = b",".join(value.lower() for name, value in self.headers if name == _CODED).split(b",")
        # Where chunked is not the last coding, the body has no length: the parser refuses that.
        if len(codings) > 1 and codings[-1].strip() == b"chunked":
            return HTTPStatus.NOT_IMPLEMENTED, _NO_CODING
        return None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._afterwards is not None and not self._owes_answers() and not self.transport.is_closing():
            said, self._afterwards = self._afterwards, None
            self._wire.write(said)
            self.close()
        elif self._unfed:
            self.loop.call_soon(self._feed)

    def _locate(self) -> None:
        """The path and the query of the target."""
        if self.url == b"*":
            raw_path, query = b"*", b""
        else:
            target = httptools.parse_url(self.url)
            raw_path, query = target.path or b"/", target.query or b""
            if not self.url.startswith(b"/"):
                self._name_authority(target.host or b"", target.port)
        path = raw_path.decode("ascii")
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = query

    def _name_authority(self, host: bytes, port: int | None) -> None:
        """An absolute target says by itself which host it is for: a `Host` that says something else is a second one."""
        authority = host if port is None else b"%s:%d" % (host, port)
        if (b"host", authority) not in self.headers:
            self.headers.append((b"host", authority))

    def _begun(self, *, keep_alive: bool) -> "HttpExchange":
        return HttpExchange(
            scope=self.scope,
            transport=cast(asyncio.Transport, self._wire),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self._state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and self.scope["http_version"] != "1.0",
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    # WebSockets.

    def _should_upgrade(self) -> bool:
        return (
            self.scope["method"] == "GET"
            and self.scope["http_version"] == "1.1"
            and self.url.startswith(b"/")
            and self.url.isascii()
            and not self._owes_answers()
            and self._get_upgrade() == b"websocket"
        )

    def _upgrade(self, rest: bytes) -> None:
        if not self._should_upgrade():
            # Its parser is at an end: the request is answered as any other, and the connection closes.
            self._ended, self._unfed = True, b""
            self.cycle.keep_alive = False
            return
        self.connections.discard(self)
        socket = SocketConnection(self.config, self._state, self.app_state, self._traffic, self._peer)
        lines = [b"GET %s HTTP/1.1" % self.url, *(b"%s: %s" % header for header in self.headers)]
        rest, self._unfed = rest + self._unfed, b""
        socket.connection_made(self.transport)
        self.transport.set_protocol(socket)
        socket.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)
        self._lets_go()


_SOUNDED_AGAIN_S: Final = 0.5
_COMMENT: Final = b":\n\n"
_CODED: Final = b"transfer-encoding"
_MALFORMED: Final = "This is not HTTP/1.1: the request line, a header or the length of the body is malformed"
_NO_CODING: Final = "A body is sent as it is, or chunked: no other transfer coding is understood"
_TOO_MANY_HEADERS: Final = f"The headers are more than {HEADERS_MAX} or larger than {HEAD_BYTES_MAX} bytes"


def _refused(path: str, status: int, message: str) -> AsgiAnswer:
    """An answer that does not come from the gateway, which counts its own."""
    telemetry.answered(area_of(path), status)
    return shaped(path, status, message)


class HttpExchange(RequestResponseCycle):
    """One request and its answer."""

    _malformed = False
    _until_close = False

    def end_malformed(self) -> None:
        """The rest of the body cannot be read: its bytes are no chunks."""
        self._malformed, self.keep_alive = True, False
        self.message_event.set()

    @property
    def is_stream(self) -> bool:
        """It has begun, and goes on until its peer leaves."""
        return self.response_started and not self.response_complete and GONE in self.scope["state"]

    def tell_nothing(self) -> None:
        self.wire.write(b"%x\r\n%b\r\n" % (len(_COMMENT), _COMMENT) if self.chunked_encoding else _COMMENT)

    @property
    def wire(self) -> "_Wire":
        return cast(_Wire, self.transport)

    async def run_asgi(self, app: ASGI3Application) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as bug:  # noqa: BLE001 - a bug becomes a log line and a 500
            telemetry.handler_failed(self.scope["method"], self.scope["path"], bug)
            if not self.response_started:
                await _refused(self.scope["path"], 500, "Internal server error").send(self._send_event)
        finally:
            if not self.response_complete and not self.disconnected:
                self.transport.close()  # Cut on purpose, or its outcome is unknown.
            self.on_response = _nothing

    async def receive(self) -> ASGIReceiveEvent:
        event = await super().receive()
        if self.disconnected and (gone := self.scope["state"].get(GONE)) is not None:
            gone.set()
        if self._malformed:
            return cast(ASGIReceiveEvent, {"type": "http.disconnect", "malformed": True})
        return event

    async def send(self, message: ASGISendEvent) -> None:
        if self.more_body and not self.response_started:
            self.keep_alive = False  # It was refused before its body came; the rest of the body is not read.
        if self.scope["http_version"] == "1.0":
            self._make_plain(message)
        if message["type"] == "http.response.start" and not self.flow.write_paused:
            self.wire.hold_head()
        await super().send(message)

    async def _send_event(self, event: dict[str, Any]) -> None:
        await self.send(event)  # type: ignore[arg-type]

    def _make_plain(self, message: Any) -> None:
        """HTTP/1.0 knows no chunks, and keeps a connection only when it is told so."""
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            if b"content-length" not in names and message["status"] not in _NO_BODY:
                self._until_close, self.keep_alive, self.chunked_encoding = True, False, False
            elif self.keep_alive and b"connection" not in names:
                message["headers"] = [*message["headers"], (b"connection", b"keep-alive")]
        elif self._until_close:
            self.expected_content_length = len(message.get("body", b""))


def _nothing() -> None:
    """In the place of a callback that would keep the connection alive."""


class _Wire:
    """What an exchange uses of its transport. Head and body go out together, since each write is a system call."""

    def __init__(self, connection: HttpConnection) -> None:
        self._connection = connection
        self._transport = connection.transport
        self.is_closing: Callable[[], bool] = connection.transport.is_closing
        self._holds_next = False
        self._held = b""

    def hold_head(self) -> None:
        """What is written next waits for the body; if none comes in this turn of the loop, it goes out by itself."""
        self._holds_next = True

    def write(self, data: bytes) -> None:
        if self._holds_next:
            self._holds_next, self._held = False, data
            self._connection.loop.call_soon(self.flush)
        else:
            self._transport.write(self._held + data)
            self._held = b""

    def flush(self) -> None:
        if self._held:
            self._transport.write(self._held)
            self._held = b""

    def close(self) -> None:
        self.flush()
        self._connection.close()


class _Flow(FlowControl):
    """A handler that listens for a leaving peer does not make a full connection read on."""

    def __init__(self, transport: asyncio.Transport, connection: HttpConnection) -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        if not self._connection.is_full():
            super().resume_reading()


def _written(answer: AsgiAnswer) -> bytes:
    """For a request that reaches no app."""
    phrase = HTTPStatus(answer.status).phrase
    head = f"HTTP/1.1 {answer.status} {phrase}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(answer.body)}\r\n\r\n".encode() + answer.body
