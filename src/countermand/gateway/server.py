"""uvicorn's protocols in our own event loop: one process, both ports, and a stop that answers what it accepted."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, Final, Protocol, cast

from msgspec import Struct
from uvicorn.config import Config
from uvicorn.server import ServerState

from countermand.gateway import telemetry
from countermand.gateway.asgi import SECOND_PORT, App
from countermand.gateway.connection import HttpConnection
from countermand.gateway.listeners import BACKLOG, Listeners, claim, raise_descriptor_limit
from countermand.gateway.traffic import IDLE_SECONDS_MAX, ConnectionLimits, Traffic
from countermand.gateway.websocket import MESSAGE_BYTES_MAX, PING_SECONDS, SocketConnection
from countermand.settings import Settings, StartRefused

STOP_SECONDS_MAX: Final = 6.0
"""Of the ten that a stop may take; the rest is for the shards, their last commit and PostgreSQL."""

_WRITING_SECONDS_MAX: Final = 1.0
"""How long an answer may take from the app to the peer, at the end."""

_CLOSING_PERIOD_S: Final = 0.01
_STDIN: Final = 0
_READ_BYTES: Final = 4_096
_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  These are read, never bound.


class Addresses(Struct, frozen=True):
    """Where the venue listens. `second_port` is missing if it was taken."""

    host: str
    port: int
    second_port: int | None

    @property
    def base_url(self) -> str:
        """Where a client on this machine finds it."""
        host = _LOOPBACK_OF.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class Gateway(Protocol):
    """The app that is served; it knows when all its requests are answered."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def drain(self) -> None: ...

    async def answered(self) -> None: ...


async def serve(
    gateway: Gateway,
    settings: Settings,
    *,
    on_ready: Callable[[Addresses], None],
    stop: asyncio.Event,
    listeners: Listeners | None = None,
    stop_seconds_max: float = STOP_SECONDS_MAX,
    limits: ConnectionLimits | None = None,
) -> None:
    """Serves until `stop` is set, and returns when what was accepted is answered, or time is up.

    `listeners` may be claimed before (`claim`), so that a busy port is known before anything else starts.
    Raises `StartRefused` if the port is busy.
    """
    raise_descriptor_limit()
    listeners = listeners or claim(settings.host, settings.port)
    try:
        listeners.listen()
    except BaseException:
        listeners.close()
        raise
    addresses = Addresses(settings.host, listeners.port, None if listeners.second is None else listeners.port + 1)
    served = Served(gateway, limits)
    try:
        await served.open(listeners)
        telemetry.listening(addresses.host, addresses.port)
        on_ready(addresses)
        await stop.wait()
    finally:
        await _stop(served, gateway, stop_seconds_max)


class Served:
    """An app behind sockets: its listeners and its connections."""

    def __init__(self, app: App, limits: ConnectionLimits | None = None) -> None:
        # What a peer does wrong is its own affair, and answered: a log that strangers write would be no log.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._config = Config(
            app=cast(Any, app),
            interface="asgi3",
            lifespan="off",
            ws=SocketConnection,
            ws_max_size=MESSAGE_BYTES_MAX,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            timeout_keep_alive=IDLE_SECONDS_MAX,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._config.load()
        self._state = ServerState()
        self._traffic = Traffic(limits)
        self._servers: list[asyncio.Server] = []
        self._clock: asyncio.Task[None] | None = None

    async def open(self, listeners: Listeners) -> None:
        loop = asyncio.get_running_loop()
        self._clock = loop.create_task(self._update_date())
        self._servers.append(
            await loop.create_server(self._factory(second=False), sock=listeners.first, backlog=BACKLOG)
        )
        if listeners.second is not None:
            second = self._factory(second=True)
            self._servers.append(await loop.create_server(second, sock=listeners.second, backlog=BACKLOG))

    def refuse_new(self) -> None:
        """No connection is accepted any more; idle ones end, others after their answer."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            if isinstance(connection, HttpConnection):
                connection.shutdown()

    async def closed(self, seconds: float) -> bool:
        """Whether all connections have ended within this time."""
        end = time.monotonic() + seconds
        while self._state.connections and time.monotonic() < end:
            await asyncio.sleep(_CLOSING_PERIOD_S)
        return not self._state.connections

    async def cut(self) -> None:
        """Ends what is left."""
        for connection in list(self._state.connections):
            cast(HttpConnection | SocketConnection, connection).abort()
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.sleep(0)
        if self._clock is not None:
            self._clock.cancel()

    def _factory(self, *, second: bool) -> Callable[[], HttpConnection]:
        app_state = {SECOND_PORT: True} if second else {}
        return lambda: HttpConnection(self._config, self._state, app_state, self._traffic)

    async def _update_date(self) -> None:
        while True:
            self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            await asyncio.sleep(1)


async def _stop(served: Served, gateway: Gateway, seconds_max: float) -> None:
    """Says goodbye to streams, refuses new connections, lets requests end, and cuts what is left."""
    began = time.monotonic()
    telemetry.stopping()
    # First, since a WebSocket that the server ends by itself gets no goodbye.
    try:
        in_time = await _within(seconds_max, gateway.drain())
    finally:
        served.refuse_new()
    in_time &= await _within(seconds_max - (time.monotonic() - began), gateway.answered())
    # What is left are peers that do not read their answers.
    await served.closed(_WRITING_SECONDS_MAX if in_time else 0)
    await served.cut()
    telemetry.stopped(time.monotonic() - began, all_answered=in_time)


async def _within(seconds: float, work: Awaitable[None]) -> bool:
    """Whether the work ended in time. If not, it is cancelled."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await work
    except TimeoutError:
        return False
    return True


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM, SIGINT and SIGHUP set. For `serve`, in the loop that runs it.

    A terminal that closes sends SIGHUP; under `nohup` it is ignored, and stays so.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
    return stop


def stop_at_end_of_stdin(stop: asyncio.Event) -> None:
    """Sets the event when standard input ends. For a parent that holds the other end of a pipe, and may be killed."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            ended = not os.read(_STDIN, _READ_BYTES)
        except OSError:
            ended = True
        if ended:
            loop.remove_reader(_STDIN)
            stop.set()

    try:
        loop.add_reader(_STDIN, read)
    except OSError as error:
        raise StartRefused(
            f"--end-with-stdin: standard input cannot be waited for ({error.strerror}); give a pipe"
        ) from error
