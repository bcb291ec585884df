"""A real browser, Chromium, and a page for it that comes from a server of its own: another origin than the venue's."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.clients.node import CLIENTS, PACKAGES, node_binary

ANSWER_S = 240
"""Longer than a call in the page may take."""

STOP_S = 30
PAGE = {
    "/": CLIENTS / "page" / "page.html",
    "/page.js": CLIENTS / "page" / "page.js",
    "/kit.js": PACKAGES / "@solana" / "kit" / "dist" / "index.production.min.js",
    "/web3.js": PACKAGES / "@solana" / "web3.js" / "lib" / "index.iife.min.js",
}


class CannotRun(Exception):
    """Chromium does not run on this machine."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a function of the page returned, and the requests that the page sent: `method`, `url`, `headers`."""

    value: Any
    sent: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Browser:
    process: "subprocess.Popen[str]"
    version: str

    def calls(self, page: str, function: str, *given: object) -> Done:
        """Opens the page anew, and calls a function of it. What that throws fails the test."""
        told = _told(self.process, {"page": page, "call": function, "given": given})
        assert "error" not in told, told["error"]
        return Done(told["value"], told["sent"])

    def ends(self) -> None:
        _closes_input(self.process)
        try:
            assert self.process.wait(STOP_S) == 0
        finally:
            _kills(self.process)


class Browsers:
    """One browser at a time. The driver starts Chromium again if that has died, this one starts the driver."""

    def __init__(self, directory: Path, script: Path) -> None:
        self._directory, self._script = directory, script
        self._last: Browser | None = None

    def current(self) -> Browser:
        """Raises `CannotRun`."""
        if self._last is None or self._last.process.poll() is not None:
            self._last = _started(self._directory, self._script)
        return self._last

    def ends(self) -> None:
        if self._last is not None and self._last.process.poll() is None:
            self._last.ends()


@contextmanager
def running_browsers(directory: Path, script: Path = CLIENTS / "browser.mjs") -> Iterator[Browsers]:
    """They keep their files in `directory`, and `script` drives them. Raises `CannotRun`."""
    browsers = Browsers(directory, script)
    browsers.current()
    try:
        yield browsers
    finally:
        browsers.ends()


def _started(directory: Path, script: Path) -> Browser:
    # Told so, the npm package unpacks the libraries too that Chromium needs and that not every machine has.
    environment = os.environ | {"TMPDIR": str(directory), "AWS_LAMBDA_JS_RUNTIME": "nodejs20.x"}
    command = [node_binary(), script]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
    told = _told(process)
    if "cannot" in told:
        _kills(process)
        raise CannotRun(told["cannot"])
    return Browser(process, told["version"])


def _closes_input(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def _kills(process: "subprocess.Popen[str]") -> None:
    """Chromium ends with the pipe to its parent."""
    process.kill()
    _closes_input(process)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(STOP_S)


def _told(process: "subprocess.Popen[str]", asked: object = None) -> Any:
    """The next line, after a line that asks for it. A driver that takes too long, or has ended, is gone after it."""
    assert process.stdin is not None
    assert process.stdout is not None
    watchdog = threading.Timer(ANSWER_S, process.kill)
    watchdog.start()
    line = ""
    try:
        if asked is not None:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
        line = process.stdout.readline()
    except BrokenPipeError:
        pass
    finally:
        watchdog.cancel()
    if not line:
        _kills(process)
    assert line, f"the browser is gone, or was silent for {ANSWER_S} s"
    return json.loads(line)


@contextmanager
def served_page() -> Iterator[int]:
    """The port of 127.0.0.1 at which the page is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path not in PAGE:
            self.send_error(404)
            return
        body = _read(PAGE[self.path])
        self.send_response_only(200)
        self.send_header("content-type", "text/html" if self.path == "/" else "text/javascript")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's.
        """To nowhere."""


@cache
def _read(file: Path) -> bytes:
    return file.read_bytes()
