"""A node as free ones are: it passes on to another what it does not refuse, and counts the requests."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_ANSWER_S = 30


@dataclass
class LimitingNode:
    """`busy`: how many more requests of a method get the status 429; `refuses`: these get an error of JSON-RPC.

    `before` is called with each request that is passed on. Setting it to None ends that.
    """

    upstream: str
    url: str = ""
    busy: dict[str, int] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    loses: int = 0
    """So many more transactions are not passed on, and their senders hear nothing."""
    forbids: set[str] = field(default_factory=set)
    """These get the status 403."""
    before: Callable[[str, list[Any]], None] | None = None
    hangs_up: set[str] = field(default_factory=set)
    """These get no answer: the connection is closed."""
    code: int = -32010
    """Of the errors of JSON-RPC."""
    answers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    """What it makes of the result of a method."""
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    """The transactions that were passed on, base64."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes) -> tuple[int, bytes]:
        asked = json.loads(body)
        if isinstance(asked, list):
            return 400, b"no batches"
        method: str = asked["method"]
        with self._lock:
            self.asked.append(method)
            if self.busy.get(method, self.busy.get("*", 0)) > 0:
                name = method if method in self.busy else "*"
                self.busy[name] -= 1
                return 429, b"Too many requests"
        if method in self.forbids:
            return 403, b'{"error":"forbidden by its plan"}'
        if method in self.hangs_up:
            return 0, b""
        if method in self.refuses:
            error = {"code": self.code, "message": self.refuses[method]}
            return 200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()
        if self.before is not None:
            self.before(method, asked["params"])
        if method == "sendTransaction":
            if self.loses > 0:
                self.loses -= 1
                return 502, b""
            self.sent.append(asked["params"][0])
        status, answer = self._passed_on(body)
        if method in self.answers:
            told = json.loads(answer)
            told["result"] = self.answers[method](told["result"])
            answer = json.dumps(told).encode()
        return status, answer

    def _passed_on(self, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self.upstream)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=_ANSWER_S)
        try:
            connection.request("POST", parts.path or "/", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Else each answer, in two parts, waits 40 ms for an acknowledgement of the first.
    node: LimitingNode

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status, answer = self.node.answer(body)
        if status == 0:
            self.close_connection = True
            return
        with suppress(OSError):
            self.send_response_only(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's.
        """To nowhere."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may leave at any time."""


@contextmanager
def limiting_node(upstream: str) -> Iterator[LimitingNode]:
    node = LimitingNode(upstream)
    handler = type("Handler", (_Handler,), {"node": node})
    with _Server(("127.0.0.1", 0), handler) as server:
        node.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield node
        finally:
            server.shutdown()
            thread.join()
