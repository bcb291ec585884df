"""Granian in our own event loop: one process, both ports, and a stop that answers what it accepted."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from countermand.gateway import telemetry
from countermand.gateway.door import Door
from countermand.gateway.listeners import BACKLOG, Listeners, claim, cut_connections, raise_descriptor_limit
from countermand.settings import Settings

STOP_SECONDS_MAX: Final = 6.0
"""Of the ten that a stop may take; the rest is for the gate, the last commit and PostgreSQL."""

_WRITING_SECONDS_MAX: Final = 1.0
"""How long an answer may take from the app to the peer, at the end."""

_HEADER_READ_TIMEOUT_MS: Final = 10_000

_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  These are read, never bound.

# Granian's stub does not tell what its sockets are made from.
_socket_holder: Final[Callable[..., SocketHolder]] = SocketHolder


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the venue listens. `second_port` is missing if it was taken."""

    host: str
    port: int
    second_port: int | None

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port,) if self.second_port is None else (self.port, self.second_port)

    @property
    def base_url(self) -> str:
        """Where a client on this machine finds it."""
        host = _LOOPBACK_OF.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


async def serve(
    door: Door,
    settings: Settings,
    *,
    on_ready: Callable[[Addresses], None],
    stop: asyncio.Event,
    listeners: Listeners | None = None,
    stop_seconds_max: float = STOP_SECONDS_MAX,
) -> None:
    """Serves until `stop` is set, and returns when what was accepted is answered, or time is up.

    `listeners` may be claimed before (`claim`), so that a busy port is known before anything else starts.
    Raises `StartRefused` if the port is busy.
    """
    backpressure = raise_descriptor_limit() + 1  # Lower, and silent connections would stop the accepting of others.
    listeners = listeners or claim(settings.host, settings.port)
    try:
        listeners.listen()
    except BaseException:
        listeners.close()
        raise
    addresses = Addresses(settings.host, listeners.port, None if listeners.second is None else listeners.port + 1)
    servers = [_Granian(door, listener, backpressure) for listener in listeners.sockets()]
    serving = [asyncio.create_task(server.serve()) for server in servers]
    stopping = asyncio.create_task(stop.wait())
    try:
        telemetry.listening(addresses.host, addresses.port)
        on_ready(addresses)
        await asyncio.wait([*serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        _raise_if_one_failed(serving)
    finally:
        stopping.cancel()
        await _stop([server.stop for server in servers], serving, door, addresses, stop_seconds_max)


async def _stop(
    stops: list[Callable[[], None]],
    serving: list[asyncio.Task[None]],
    door: Door,
    addresses: Addresses,
    seconds_max: float,
) -> None:
    """Says goodbye to streams, refuses new connections, lets requests end, and cuts what is left."""
    began = time.monotonic()
    telemetry.stopping()
    # First, since a WebSocket that Granian ends by itself gets no goodbye.
    try:
        in_time = await _within(seconds_max, door.drain())
    finally:
        for stop in stops:
            stop()
    in_time &= await _within(seconds_max - (time.monotonic() - began), door.answered())
    # Granian has closed what was idle. It would still wait for the other half of a request's head, and for peers that
    # do not read their answers.
    await asyncio.wait(serving, timeout=_WRITING_SECONDS_MAX if in_time else 0)
    cut_connections(addresses.ports)
    _, hanging = await asyncio.wait(serving, timeout=_WRITING_SECONDS_MAX)
    for task in hanging:
        task.cancel()
    telemetry.stopped(time.monotonic() - began, all_answered=in_time)


async def _within(seconds: float, work: Awaitable[None]) -> bool:
    """Whether the work ended in time. If not, it is cancelled."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await work
    except TimeoutError:
        return False
    return True


def _raise_if_one_failed(serving: list[asyncio.Task[None]]) -> None:
    for task in serving:
        if task.done():
            task.result()
            raise RuntimeError("the HTTP server ended by itself")


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set. For `serve`, in the loop that runs it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


class _Granian(Server):
    """Granian on a socket that we bound ourselves."""

    _shd: Any

    def __init__(self, door: Door, listener: socket.socket, backpressure: int) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            door,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            backlog=BACKLOG,
            backpressure=backpressure,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_READ_TIMEOUT_MS, keep_alive=True),
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        self._ssp = None
        # From here on Granian owns the descriptor, and closes it.
        descriptor = self._listener.detach()
        arguments = (descriptor, False, BACKLOG) if sys.platform == "linux" else (descriptor, False)
        self._shd = _socket_holder(*arguments)
        self._sfd = self._shd.get_fd()


# Granian says on every start that embedding it is experimental: only its errors reach our log, by the root logger.
_LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {},
    "formatters": {},
    "loggers": {"_granian": {"level": "ERROR", "propagate": True}},
}
