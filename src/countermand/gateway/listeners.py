"""The two ports: ours, and the one after it, where web3.js looks for the WebSocket of a JSON-RPC address."""

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from typing import Final

from msgspec import Struct

from countermand.gateway import telemetry
from countermand.settings import StartRefused

BACKLOG: Final = 4_096

_PAIRS_TRIED: Final = 100
_EVEN_PORTS: Final = range(20_000, 32_000, 2)
_PORT_MAX: Final = 65_535
_DESCRIPTORS_MAX: Final = 1 << 20
"""Asked for where the hard limit is «unlimited»."""


class Listeners(Struct, frozen=True):
    """Bound sockets. `second` is missing if its port was taken."""

    host: str
    first: socket.socket
    second: socket.socket | None

    @property
    def port(self) -> int:
        return _port(self.first)

    def listen(self) -> None:
        """From now on connections wait for an answer. Raises `StartRefused` if another process listened first."""
        for listener in self.sockets():
            try:
                listener.listen(BACKLOG)
            except OSError as error:
                raise _refused(self.host, _port(listener), error) from error

    def sockets(self) -> list[socket.socket]:
        return [self.first] if self.second is None else [self.first, self.second]

    def close(self) -> None:
        for listener in self.sockets():
            listener.close()


def claim(host: str, port: int) -> Listeners:
    """Binds both ports, but refuses connections until `listen`. Port 0 means any free pair."""
    if port == 0:
        return _claim_any_pair(host)
    try:
        first = _bind(host, port)
    except OSError as error:
        raise _refused(host, port, error) from error
    if port == _PORT_MAX:
        telemetry.second_port_taken(port + 1, f"{_PORT_MAX} is the last port")
        return Listeners(host, first, None)
    try:
        return Listeners(host, first, _bind(host, port + 1))
    except OSError as error:
        telemetry.second_port_taken(port + 1, error.strerror or str(error))
        return Listeners(host, first, None)


def _claim_any_pair(host: str) -> Listeners:
    """As the system gives them. It gives the neighbours to clients, and keeps them for a minute after each connection:
    where none is left, it is one of those below that it gives to none."""
    for port in (*repeat(0, _PAIRS_TRIED), *_below_those_that_are_given()):
        try:
            first = _bind(host, port)
        except OSError as error:
            if port:
                continue
            raise _refused(host, 0, error) from error
        if _port(first) < _PORT_MAX:
            try:
                return Listeners(host, first, _bind(host, _port(first) + 1))
            except OSError:
                pass  # The neighbour is taken: another pair.
        first.close()
    raise StartRefused(f"--port 0 found no two free ports in a row on {host}; give a --port")


def _below_those_that_are_given() -> Iterator[int]:
    """Processes that start at once begin with different ones: each may bind a port on which none listens yet."""
    begin = _EVEN_PORTS.index(_EVEN_PORTS.start + os.getpid() * 2 % (_EVEN_PORTS.stop - _EVEN_PORTS.start))
    yield from _EVEN_PORTS[begin:]
    yield from _EVEN_PORTS[:begin]


def _bind(host: str, port: int) -> socket.socket:
    """A socket of our own, bound before anything else starts."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def _port(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


def _refused(host: str, port: int, error: OSError) -> StartRefused:
    if error.errno == errno.EADDRINUSE:
        return StartRefused(f"port {port} on {host} is in use; stop what listens there, or give another --port")
    if error.errno == errno.EACCES:
        return StartRefused(f"port {port} on {host} is not allowed for this user; give a --port above 1023")
    return StartRefused(f"cannot listen on {host}, port {port}: {error.strerror or error}; give another --host")


def raise_descriptor_limit() -> None:
    """Each connection takes a descriptor: as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # Some systems allow less than they say; what we have will do.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
