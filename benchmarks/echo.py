"""The peer: the shortest program that Granian can serve, an RSGI app that gives a body back. Prints its port.

It runs as the venue does: embedded, in one process, in one uvloop, with the same settings of the socket.
"""

import socket
import sys
from collections.abc import Callable
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

BACKLOG = 4_096
_socket_holder: Callable[..., SocketHolder] = SocketHolder
_QUIET: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {},
    "formatters": {},
    "loggers": {"_granian": {"level": "ERROR", "propagate": True}},
}
_HEADERS = [("content-type", "application/json")]


async def app(_scope: Any, protocol: Any) -> None:
    protocol.response_bytes(200, _HEADERS, await protocol())


class _Granian(Server):
    _shd: Any

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            app,
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            backlog=BACKLOG,
            backpressure=1 << 16,
            log_level=LogLevels.error,
            log_dictconfig=_QUIET,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        self._ssp = None
        descriptor = self._listener.detach()
        arguments = (descriptor, False, BACKLOG) if sys.platform == "linux" else (descriptor, False)
        self._shd = _socket_holder(*arguments)
        self._sfd = self._shd.get_fd()


async def main() -> None:
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    print(listener.getsockname()[1], flush=True)
    await _Granian(listener).serve()


if __name__ == "__main__":
    uvloop.run(main())
