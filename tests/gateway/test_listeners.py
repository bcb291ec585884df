"""The two ports."""

import errno
import re
import socket
from collections.abc import Iterator

import pytest

from countermand.gateway import listeners
from countermand.gateway.listeners import claim
from countermand.gateway.server import Addresses
from countermand.settings import StartRefused
from tests.gateway.ports import free_port_before_a_taken_one


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        # Even one that would share its port with us.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def test_port_0_is_any_free_pair() -> None:
    pair = claim("127.0.0.1", 0)
    try:
        assert pair.second is not None
        assert pair.second.getsockname()[1] == pair.port + 1
    finally:
        pair.close()


def test_a_pair_is_found_where_clients_have_used_all_that_the_system_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    bind = listeners._bind

    def with_busy_neighbours(host: str, port: int) -> socket.socket:
        if port >= 32_768:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return bind(host, port)

    monkeypatch.setattr(listeners, "_bind", with_busy_neighbours)
    pair = claim("127.0.0.1", 0)
    try:
        assert pair.second is not None
        assert pair.second.getsockname()[1] == pair.port + 1
    finally:
        pair.close()


def test_a_busy_port_is_named_with_a_remedy(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with pytest.raises(StartRefused, match=re.escape(f"port {port} on 127.0.0.1 is in use; ")):
        claim("127.0.0.1", port)


def test_a_busy_second_port_is_left_out() -> None:
    with free_port_before_a_taken_one() as port:
        claimed = claim("127.0.0.1", port)
        assert claimed.second is None
        claimed.close()


def test_the_last_port_has_no_neighbour() -> None:
    claimed = claim("127.0.0.1", 65_535)
    assert claimed.second is None
    claimed.close()


def test_no_client_is_served_before_we_listen_and_no_other_process_gets_the_port_after() -> None:
    early, late = claim("127.0.0.1", 0), None
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", early.port))
        late = claim("127.0.0.1", early.port)  # Both may bind, as long as neither listens …
        early.listen()
        socket.create_connection(("127.0.0.1", early.port)).close()
        with pytest.raises(StartRefused, match="in use"):
            late.listen()  # … but only one may listen.
    finally:
        early.close()
        if late is not None:
            late.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(StartRefused, match=f"cannot listen on {re.escape(host)}"):
        claim(host, 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("localhost", "http://localhost:8080"),
    ],
)
def test_the_url_is_one_that_a_client_here_can_use(host: str, url: str) -> None:
    assert Addresses(host, 8080, None).base_url == url
