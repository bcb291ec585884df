"""The configurations of the page on proxies, in nginx and Caddy as this machine has them, before a venue."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.docs.blocks import ROOT, blocks
from tests.end_to_end.venue import Venue, running_venue

PAGE = ROOT / "docs" / "how-to" / "reverse-proxy.md"
READY_S = 60


def block(language: str) -> str:
    (found,) = (each.code for each in blocks(PAGE) if each.language == language)
    return found


def nginx(directory: Path, port: int, venue: Venue, *, inside: bool) -> list[str]:
    """The command of one that is configured as the page says, but for addresses. `inside`: it passes all paths on."""
    config = block("nginx").replace("listen 80;", f"listen 127.0.0.1:{port};")
    config = config.replace("127.0.0.1:8080", f"127.0.0.1:{venue.port}")
    if inside:
        config = re.sub(r"    location ~ [^}]*}\n", "", config)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in kinds)
    file = directory / "nginx.conf"
    file.write_text(
        f"daemon off; user root; pid {directory}/pid; error_log {directory}/errors;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{config}}}\n"
    )
    return ["nginx", "-p", str(directory), "-e", str(directory / "errors"), "-c", str(file)]


def caddy(directory: Path, port: int, venue: Venue, *, inside: bool) -> list[str]:
    config = block("caddyfile").replace("venue.example.org", f"http://127.0.0.1:{port}")
    config = config.replace("127.0.0.1:8080", f"127.0.0.1:{venue.port}")
    if inside:
        config = config.replace("respond @inside 404", "")
    file = directory / "Caddyfile"
    file.write_text(f"{{\n\tadmin off\n\tstorage file_system {directory}/kept\n}}\n{config}")
    return ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]


Proxy = Callable[..., list[str]]


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("trusting"), "--trust-proxy") as venue:
        yield venue


@pytest.fixture(scope="module", params=[nginx, caddy], ids=lambda proxy: proxy.__name__)
def proxy(request: pytest.FixtureRequest) -> Proxy:
    if shutil.which(request.param.__name__) is None:
        pytest.skip(f"this machine has no {request.param.__name__}")
    made: Proxy = request.param
    return made


@contextmanager
def before(proxy: Proxy, venue: Venue, directory: Path, *, inside: bool = False) -> Iterator[int]:
    """The port at which the proxy is, until the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    directory.mkdir()
    command = proxy(directory, port, venue, inside=inside)
    with (
        (directory / "output").open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as running,
    ):
        try:
            wait_for(port, running, directory / "output")
            yield port
        finally:
            running.terminate()


def wait_for(port: int, running: "subprocess.Popen[bytes]", output: Path) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        assert running.poll() is None, output.read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"nothing listens on {port}: {output.read_text()}")


def status_of(port: int, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "application/json"} if body else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    read = answer.status, answer.read()
    connection.close()
    return read


def test_the_apis_pass_and_what_is_private_stays_inside(proxy: Proxy, documented: Venue, tmp_path: Path) -> None:
    with before(proxy, documented, tmp_path / "proxy") as port:
        assert status_of(port, "/health/ready")[0] == 200
        challenge = b'{"walletPubkey":"EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o","type":"message"}'
        assert status_of(port, "/trigger/v2/auth/challenge", "POST", challenge)[0] == 200
        assert status_of(port, "/docs/swagger-ui.css")[0] == 200
        for path in ("/sandbox", "/sandbox/prices", "/admin/prices", "/metrics"):
            assert status_of(port, path)[0] == 404, path
        with connect(f"ws://127.0.0.1:{port}/rpc") as chain:
            chain.send('{"jsonrpc":"2.0","id":1,"method":"slotSubscribe"}')
            assert "result" in json.loads(chain.recv(30))
            assert json.loads(chain.recv(30))["method"] == "slotNotification"


def test_the_venue_knows_that_a_proxy_asks(proxy: Proxy, documented: Venue, tmp_path: Path) -> None:
    """Should the paths be passed on after all: the header that the page sets is what it is known by."""
    with before(proxy, documented, tmp_path / "proxy", inside=True) as port:
        status, said = status_of(port, "/sandbox")
        assert (status, b"--trust-proxy" in said) == (403, True)


def test_events_are_not_held_back(proxy: Proxy, trusting: Venue, tmp_path: Path) -> None:
    with before(proxy, trusting, tmp_path / "proxy", inside=True) as port:
        stream = HTTPConnection("127.0.0.1", port, timeout=30)
        stream.request("GET", "/sandbox/events")
        answer = stream.getresponse()
        assert answer.status == 200
        assert answer.readline()
        answer.close()
        stream.close()
