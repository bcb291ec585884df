"""A reverse proxy that speaks HTTP/1.0 to its upstream, as nginx does before 1.29.7, and HAProxy for its checks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"})
_ANSWER_S: Final = 30


class _Upstream(HTTPConnection):
    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream: tuple[str, int]
    seen: list[str]

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        sent |= {"Host": f"{self.upstream[0]}:{self.upstream[1]}", "X-Forwarded-For": self.client_address[0]}
        upstream = _Upstream(*self.upstream, timeout=_ANSWER_S)
        try:
            upstream.request(self.command, self.path, body, sent)
            answer = upstream.getresponse()
            data = answer.read()
        except (OSError, HTTPException):
            self.send_error(502)
            return
        finally:
            upstream.close()
        self.seen.append(f"{self.command} {self.path} {answer.status}")
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", answer.getheader("content-length") or str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's.
        """To nowhere."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may leave at any time."""


@contextmanager
def proxied(host: str, port: int) -> Iterator[tuple[str, list[str]]]:
    """The proxy's URL, and what passed through it."""
    seen: list[str] = []
    methods = {
        f"do_{method}": _Handler.pass_on for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    }
    handler = type("Handler", (_Handler,), {"upstream": (host, port), "seen": seen, **methods})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()
            with suppress(OSError):
                server.socket.shutdown(socket.SHUT_RDWR)
