"""What the server does on real sockets: the gateway behind it is real too, the app is trivial."""

import json
import re
import resource
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked
from tests.gateway.ports import free_port_before_a_taken_one

RUNS = "import runpy; runpy.run_module('tests.gateway.child', run_name='__main__')"
UPGRADE = (
    b"GET /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PATIENCE_S = 9
"""Of a busy machine: far more than what is waited for takes, and less than what it must not wait for."""

GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass
class Child:
    process: Forked
    port: int
    second_port: int | None

    def connect(self, port: int | None = None) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.port), timeout=15)

    def ask(self, request: bytes) -> bytes:
        """All bytes until the server closes, which a `Connection: close` request asks for."""
        with self.connect() as connection:
            connection.sendall(request)
            return everything(connection)

    def get(self, path: str) -> Any:
        return parsed(self.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % path.encode()))

    def sockets(self) -> int:
        """How many it has open."""
        count = 0
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # Closed meanwhile.
                count += str(descriptor.readlink()).startswith("socket:")
        return count

    def stop(self) -> float:
        """How long it takes to leave after SIGTERM, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        return time.monotonic() - began


@contextmanager
def a_child(
    *, port: int = 0, body_seconds: float = 10, stop_seconds: float = 50, stderr: int = 2, **limits: float
) -> Iterator[Child]:
    arguments = [str(port), str(body_seconds), str(stop_seconds), json.dumps(limits)]
    with Forked(RUNS, *arguments, stderr=stderr) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            yield Child(process, *ports)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with a_child(body_seconds=0.5) as running:
        yield running


def everything(connection: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def parsed(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    return json.loads(body)


def one_answer(connection: socket.socket) -> Any:
    data = b""
    while b"}" not in data:
        part = connection.recv(65_536)
        assert part, data
        data += part
    return parsed(data)


def test_both_ports_serve_the_same_app(child: Child) -> None:
    assert child.second_port == child.port + 1
    with child.connect(child.second_port) as connection:
        connection.sendall(UPGRADE)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 101")


def test_a_connection_serves_request_after_request(child: Child) -> None:
    with child.connect() as connection:
        for size in (3, 0, 262_144, 1):
            connection.sendall(
                b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
            )
            assert one_answer(connection)["bytes"] == size


def test_a_connection_that_ended_leaves_nothing_to_the_garbage_collector() -> None:
    """However it ends: after its answer, before it, in the middle of a head, or refused."""
    whole = GET % b"/"
    with a_child() as child:
        child.get("/garbage")
        for sent in (whole, GET % b"/stream", whole[:-9], b"?"):
            for _ in range(40):
                with child.connect() as connection:
                    connection.sendall(sent)
                    if sent == whole:
                        assert connection.recv(65_536)
        time.sleep(0.5)
        assert child.get("/garbage")["left"] < 40


def test_a_slow_body_is_refused_in_time(child: Child) -> None:
    began = time.monotonic()
    answer = child.ask(b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":408' in answer
    assert time.monotonic() - began < PATIENCE_S


def test_a_body_declared_too_large_is_refused_at_once(child: Child) -> None:
    with child.connect() as connection:
        connection.sendall(b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_body_that_waits_for_leave_is_not_even_sent(child: Child) -> None:
    with child.connect() as connection:
        connection.sendall(
            b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"
        )
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "declared"])
def test_a_body_of_100_mb_gets_its_answer(child: Child, *, chunked: bool) -> None:
    block = b"x" * 1_000_000
    piece = b"%x\r\n%s\r\n" % (len(block), block) if chunked else block
    header = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 100000000"
    with child.connect() as connection:
        connection.sendall(b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % header)
        for _ in range(100):
            connection.sendall(piece)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 413")


def test_a_preflight_as_a_browser_sends_it(child: Child) -> None:
    answer = child.ask(
        b"OPTIONS /trigger/v2/orders/price/cancel/1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n"
        b"Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n"
        b"Access-Control-Request-Headers: authorization,content-type,x-api-key\r\n\r\n"
    )
    lines = answer.decode().lower().split("\r\n")
    assert lines[0] == "http/1.1 204 no content"
    assert "access-control-allow-origin: *" in lines
    assert "access-control-allow-methods: get, head, post, put, patch, delete" in lines
    assert "access-control-allow-headers: content-type, accept, x-api-key, authorization, solana-client" in lines


def test_lost_answers_are_cut_after_their_commit(child: Child) -> None:
    committed = child.get("/trigger/v2/x")["committed"]
    with child.connect() as connection:
        connection.sendall(b"POST /lose HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n20")
        one_answer(connection)
    for _ in range(20):
        answer = child.ask(b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        declared = re.search(rb"content-length: (\d+)", head)
        assert declared is not None
        assert 0 < len(body) < int(declared[1])
        assert body.startswith(b'{"holding": ')
    assert child.get("/trigger/v2/x")["committed"] == committed + 21


def test_1500_silent_connections_disturb_no_client() -> None:
    with a_child() as child, ExitStack() as open_ones:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for _ in range(1_500):
            open_ones.enter_context(child.connect())
        began = time.monotonic()
        child.get("/")
        assert time.monotonic() - began < PATIENCE_S
        idle = open_ones.enter_context(child.connect())
        idle.sendall(GET % b"/")
        one_answer(idle)
        half = open_ones.enter_context(child.connect())
        half.sendall(b"GET / HT")
        assert child.stop() < PATIENCE_S


def test_a_peer_that_left_before_it_was_accepted_is_not_served(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr, a_child(stderr=stderr.fileno()) as child:
        child.process.send_signal(signal.SIGSTOP)
        with child.connect() as connection:
            connection.sendall(b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # The end is a reset.
        child.process.send_signal(signal.SIGCONT)
        assert child.get("/x")["committed"] == 0
        child.stop()
    assert log.read_text() == ""


def test_a_stop_answers_what_is_in_flight_and_refuses_what_comes() -> None:
    with a_child() as child, ExitStack() as open_ones:
        held = [open_ones.enter_context(child.connect()) for _ in range(20)]
        for connection in held:
            connection.sendall(GET % b"/hold")
        while child.get("/")["holding"] < 20:
            pass
        child.process.send_signal(signal.SIGTERM)
        for connection in held:
            assert one_answer(connection)["holding"] == 20
        with pytest.raises(ConnectionRefusedError):
            child.connect()
        assert child.process.wait(60) == 0


def test_a_stop_says_goodbye_to_websockets() -> None:
    with a_child() as child, ExitStack() as open_ones:
        sockets = [open_ones.enter_context(child.connect(port)) for port in (child.port, child.second_port) * 5]
        for connection in sockets:
            connection.sendall(UPGRADE)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 101")
        assert child.stop() < PATIENCE_S
        for connection in sockets:
            assert everything(connection) == b"\x88\x02\x03\xe9", "a close frame with the code 1001"


def test_a_stop_does_not_wait_for_a_slow_body() -> None:
    with a_child(body_seconds=60) as child, child.connect() as connection:
        connection.sendall(b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        child.get("/")
        assert child.stop() < PATIENCE_S
        assert everything(connection).startswith(b"HTTP/1.1 408")


def test_a_stop_leaves_behind_what_does_not_end() -> None:
    with a_child(stop_seconds=1) as child, child.connect() as connection:
        connection.sendall(GET % b"/hang")
        while child.get("/")["holding"] < 1:
            pass
        assert child.stop() < PATIENCE_S
        assert everything(connection) == b"", "cut, since its outcome is unknown"


def test_a_taken_second_port_is_only_a_warning() -> None:
    with free_port_before_a_taken_one() as port, a_child(port=port) as child:
        assert (child.port, child.second_port) == (port, None)
        child.get("/")


# What a connection may not do (C6)


def test_a_head_that_does_not_come_ends_its_connection() -> None:
    """The first of a connection, and a later one; drop by drop, too."""
    with a_child(head_seconds=0.5) as child, ExitStack() as open_ones:
        silent, slow, later = (open_ones.enter_context(child.connect()) for _ in range(3))
        slow.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        later.sendall(GET % b"/")
        one_answer(later)
        later.sendall(b"GET / HT")
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            try:
                slow.sendall(b"a")
            except OSError:
                break
            time.sleep(0.05)
        for connection in (silent, slow, later):
            assert everything(connection) == b""
        assert time.monotonic() - began < PATIENCE_S


def test_an_answer_that_is_not_read_ends_its_connection() -> None:
    with a_child(unread_seconds=0.5) as child:
        idle = child.sockets()
        with child.connect() as deaf:
            deaf.sendall(GET % b"/large")
            deaf.recv(1, socket.MSG_PEEK)  # It is being answered.
            until = time.monotonic() + 15
            while child.sockets() > idle:
                assert time.monotonic() < until, "it goes on waiting for its reader"
                time.sleep(0.05)
            child.get("/")
            assert len(everything(deaf)) < 30_000_000


def test_an_answer_that_is_read_slowly_but_in_time_is_whole() -> None:
    with a_child(unread_seconds=10) as child, child.connect() as slow:
        slow.sendall((GET % b"/large").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        time.sleep(1)
        head, _, body = everything(slow).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) == 30_000_000


def test_unread_answers_share_a_bound() -> None:
    """Who has not read for longest makes room."""
    with a_child(unread_bytes=70_000_000) as child, ExitStack() as open_ones:
        deaf = [open_ones.enter_context(child.connect()) for _ in range(5)]
        for connection in deaf:
            connection.sendall((GET % b"/large").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            connection.recv(1, socket.MSG_PEEK)  # It is being answered, and the next one is younger.
        child.get("/")
        whole = [len(everything(connection)) > 30_000_000 for connection in deaf]
        assert whole == [False, False, False, True, True] or whole == [False, False, True, True, True]


def test_a_peer_has_only_so_many_connections() -> None:
    with a_child(connections_per_peer=3) as child, ExitStack() as open_ones:
        held = [open_ones.enter_context(child.connect()) for _ in range(3)]
        for connection in held:
            connection.sendall(GET % b"/")
            one_answer(connection)
        refused = child.ask(GET % b"/")
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"Too many connections" in refused
        held[0].close()
        deadline = time.monotonic() + 10
        # The server learns of the close when its loop comes to it: until then there is no place, and it says so.
        while not (answer := child.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"/")) or (
            answer.startswith(b"HTTP/1.1 503") and time.monotonic() < deadline
        ):
            pass
        assert answer.startswith(b"HTTP/1.1 200")


def test_many_requests_that_are_sent_ahead_are_answered_in_order(child: Child) -> None:
    with child.connect() as connection:
        sent = [
            b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (i, b"x" * i)
            for i in range(500)
        ]
        connection.sendall(b"".join(sent))
        data = b""
        while data.count(b"}") < 500:
            data += connection.recv(65_536)
    assert [int(size) for size in re.findall(rb'"bytes": (\d+)', data)] == list(range(500))


def test_heads_that_are_sent_ahead_are_counted_each_alone(child: Child) -> None:
    """They end inside the pieces that are read, and are together far more than one may be."""
    request = b"GET /trigger/v2/x HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1000 + b"\r\n\r\n"
    with child.connect() as connection:
        connection.sendall(request * 200)
        data = b""
        while data.count(b"HTTP/1.1 ") < 200 and (piece := connection.recv(65_536)):
            data += piece
    assert (data.count(b"HTTP/1.1 200"), data.count(b"HTTP/1.1 431")) == (200, 0)


@pytest.mark.parametrize(("size", "status"), [(65_000, b"200"), (65_600, b"431"), (72_000, b"431")])
def test_a_head_of_just_too_many_bytes_is_refused(child: Child, size: int, status: bytes) -> None:
    """Also where it ends inside the piece that goes beyond the limit."""
    head = b"GET /trigger/v2/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: "
    with child.connect() as connection:
        connection.sendall(head + b"a" * (size - len(head) - 4) + b"\r\n\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("codings", "status"), [(b"chunked", b"200"), (b"Chunked", b"200"), (b"gzip, chunked", b"501"), (b"gzip", b"400")]
)
def test_a_transfer_coding_that_is_not_understood_is_refused(child: Child, codings: bytes, status: bytes) -> None:
    head = b"POST /trigger/v2/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: %s\r\n\r\n" % codings
    with child.connect() as connection:
        connection.sendall(head + b"3\r\nabc\r\n0\r\n\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 " + status)


def test_a_refused_body_that_comes_slowly_ends_its_connection(child: Child) -> None:
    with child.connect() as connection:
        connection.sendall(b"POST /sandbox/x HTTP/1.1\r\nHost: evil\r\nContent-Length: 1000\r\n\r\nabc")
        began = time.monotonic()
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"connection: close" in answer
        assert time.monotonic() - began < PATIENCE_S


def test_a_stream_is_chunked_for_http_1_1_and_ends_with_the_connection_for_http_1_0(child: Child) -> None:
    newer = child.ask(b"GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert newer.endswith(b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n")
    older = child.ask(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"transfer-encoding" not in older
    assert older.endswith(b"\r\n\r\none two three")


def holds(child: Child, count: int) -> bool:
    """Soon: so many streams are open."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if child.get("/")["holding"] == count:
            return True
        time.sleep(0.05)
    return False


def test_a_stream_that_is_silent_ends_when_its_reader_leaves() -> None:
    with a_child() as child:
        readers = [child.connect() for _ in range(3)]
        for reader, version in zip(readers, (b"1.1", b"1.1", b"1.0"), strict=True):
            reader.sendall(b"GET /endless HTTP/%b\r\nHost: 127.0.0.1\r\n\r\n" % version)
        for reader in readers[1:]:
            assert b"begun" in reader.recv(65_536)
        assert holds(child, 3)
        for reader in readers:
            reader.close()
        assert holds(child, 0)


def test_a_stream_goes_on_for_a_reader_that_only_sends_no_more() -> None:
    """`printf … | nc` does so. It is sent comments, since one that has left looks the same."""
    with a_child() as child, child.connect() as reader:
        reader.sendall(GET % b"/endless")
        assert reader.recv(65_536).endswith(b"5\r\nbegun\r\n")
        reader.shutdown(socket.SHUT_WR)
        assert [reader.recv(65_536) for _ in range(2)] == 2 * [b"3\r\n:\n\n\r\n"]
        assert holds(child, 1)


# WebSockets


def opened(child: Child) -> socket.socket:
    connection = child.connect()
    connection.sendall(UPGRADE)
    assert connection.recv(65_536).startswith(b"HTTP/1.1 101")
    return connection


def test_a_frame_beyond_the_limit_is_refused_before_it_comes(child: Child) -> None:
    """C6: it is announced; nothing of it is awaited."""
    with opened(child) as connection:
        connection.sendall(b"\x81\xff" + (256 * 1024 + 1).to_bytes(8, "big") + bytes(4))
        assert everything(connection)[:4][2:] == (1009).to_bytes(2, "big")


def test_a_message_beyond_the_limit_is_refused_and_the_peer_reads_why(child: Child) -> None:
    """C6: in frames that are small each. The peer goes on to send for a while."""
    part = b"\xfe" + (60_000).to_bytes(2, "big") + bytes(4) + b"x" * 60_000
    with opened(child) as connection:
        connection.sendall(b"\x01" + part)
        with suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"\x00" + part)
        assert everything(connection)[:4][2:] == (1009).to_bytes(2, "big")


def test_a_peer_that_pings_without_reading_is_not_read_either() -> None:
    """C6: what it would be told does not pile up, and in the end its connection is cut."""
    ping = b"\x89\xfd" + bytes(4) + b"x" * 125
    with a_child(unread_seconds=1) as child, opened(child) as connection:
        connection.settimeout(60)
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 60:
                connection.sendall(ping * 100)
        assert time.monotonic() - began < 60, "cut"
        child.get("/")


def test_frames_that_come_with_the_handshake_are_heard(child: Child) -> None:
    with child.connect() as connection:
        connection.sendall(UPGRADE + b"\x81\x82" + bytes(4) + b"hi" + b"\x81\x82" + bytes(4) + b"ho")
        data = b""
        while data.count(b"\x81\x05heard") < 2:
            data += connection.recv(65_536)
