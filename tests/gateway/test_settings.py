"""What an operator can choose, and how a bad choice is answered."""

from pathlib import Path
from typing import Any

import pytest

from countermand.settings import Settings, StartRefused, settle

NODE = "http://127.0.0.1:8899/?api-key=secret"


def test_the_defaults_are_a_sandbox_for_this_machine() -> None:
    assert settle() == Settings()
    settings = Settings()
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8080, Path("./.countermand"))
    assert (settings.chain, settings.sandbox, settings.cors_origins) == ("embedded", True, ("*",))
    assert settings.confirm_timeout_ms == 5_000
    assert (settings.keeper, settings.keeper_refund_delay) == (True, 0)


def test_there_is_a_keeper_where_there_is_a_sandbox() -> None:
    """A venue that says nothing of one starts, and has none."""
    assert not settle(sandbox=False).keeper
    assert not settle(chain="rpc", rpc_url=NODE).keeper
    assert not settle(keeper=False).keeper


def test_without_a_sandbox_no_origin_is_let_in_unless_it_is_listed() -> None:
    assert settle(sandbox=False).cors_origins == ()
    listed = settle(sandbox=False, cors_origins=["https://a.example.org, http://localhost:3000"])
    assert listed.cors_origins == ("https://a.example.org", "http://localhost:3000")


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# the bots\n\n  one \ntwo\n")
    settings = settle(api_keys=file, environ={"COUNTERMAND_API_KEYS": "three"})
    assert settings.api_keys == {"one", "two"}


def test_keys_come_from_the_environment() -> None:
    assert settle(environ={"COUNTERMAND_API_KEYS": "one, two,"}).api_keys == {"one", "two"}
    assert settle(environ={"COUNTERMAND_API_KEYS": ""}).api_keys == frozenset()
    with pytest.raises(StartRefused, match="COUNTERMAND_API_KEYS holds no key"):
        settle(environ={"COUNTERMAND_API_KEYS": ", ,"})


def test_an_unusable_key_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("a secret")
    with pytest.raises(StartRefused, match="8 characters") as refused:
        settle(api_keys=file)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 65_536}, ["--port 65536", "0 to", "1 to 65535"][::2]),
        ({"port": -1}, ["--port -1"]),
        ({"host": ""}, ["--host ''"]),
        ({"host": "[::1]"}, ["--host '[::1]'", "::1"]),
        ({"host": "127.0.0.1/x"}, ["--host '127.0.0.1/x'"]),
        ({"host": "127.0.0.1:80"}, ["--host '127.0.0.1:80' is no address", "without a port"]),
        ({"host": "localhost:80"}, ["--host 'localhost:80' is no address", "without a port"]),
        ({"host": "0.0.0.0"}, ["--sandbox with --host 0.0.0.0", "--no-sandbox", "--i-know-what-i-do"]),
        ({"host": "example.org"}, ["--host example.org", "--no-sandbox"]),
        ({"chain": "rpc"}, ["--chain rpc needs a node", "--rpc-url"]),
        ({"chain": "rpc", "rpc_url": "localhost:8899"}, ["--rpc-url is no address of a node"]),
        ({"chain": "rpc", "rpc_url": "ws://h/"}, ["--rpc-url is no address of a node"]),
        ({"chain": "rpc", "rpc_url": NODE, "sandbox": True}, ["--sandbox with --chain rpc", "leave --sandbox out"]),
        (
            {"chain": "rpc", "rpc_url": NODE, "sandbox": True, "i_know_what_i_do": True},
            ["--sandbox with --chain rpc", "--chain embedded"],
        ),
        ({"rpc_url": NODE}, ["--rpc-url has no use with --chain embedded", "leave it out"]),
        ({"rpc_url": NODE, "environ": {"COUNTERMAND_RPC_URL": "http://h/"}}, ["--rpc-url has no use with"]),
        ({"rpc_ws_url": "wss://h/"}, ["--rpc-ws-url has no use with --chain embedded", "leave it out"]),
        ({"chain": "rpc", "rpc_url": NODE, "rpc_ws_url": NODE}, ["--rpc-ws-url is no address of a WebSocket"]),
        ({"chain": "rpc", "rpc_url": NODE, "rpc_ws_url": "wss://"}, ["--rpc-ws-url is no address", "wss://rpc.ex"]),
        ({"database_url": "mysql://me:secret@db/x"}, ["--database-url", "postgresql://"]),
        ({"seed": -1}, ["--seed -1"]),
        ({"seed": 1 << 64}, ["--seed 18446744073709551616"]),
        ({"seed": 7, "sandbox": False}, ["--seed 7", "leave it out"]),
        ({"throwaway": True, "sandbox": False}, ["--throwaway", "leave it out"]),
        ({"demo": True, "sandbox": False}, ["--demo", "leave it out"]),
        ({"keeper": True, "sandbox": False}, ["--keeper", "leave it out"]),
        ({"keeper_refund_delay": 60, "sandbox": False}, ["--keeper-refund-delay", "leave it out"]),
        ({"keeper_refund_delay": 60, "keeper": False}, ["--keeper-refund-delay", "--no-keeper", "leave one"]),
        ({"keeper_refund_delay": 60, "chain": "rpc", "rpc_url": NODE}, ["--keeper-refund-delay", "leave it out"]),
        ({"trust_proxy": True, "sandbox": False}, ["--trust-proxy", "leave it out"]),
        ({"i_know_what_i_do": True, "sandbox": False}, ["--i-know-what-i-do", "leave it out"]),
        ({"keeper_refund_delay": -1}, ["--keeper-refund-delay -1", "0 or more"]),
        ({"throwaway": True, "database_url": "postgresql://h/d"}, ["--throwaway", "embedded PostgreSQL"]),
        ({"confirm_timeout_ms": 0}, ["--confirm-timeout-ms 0"]),
        ({"confirm_timeout_ms": 600_001}, ["--confirm-timeout-ms 600001"]),
        *(
            ({"tanx_utc_offset": text}, ["--tanx-utc-offset", "such as +02:00"])
            for text in ("", "Z", "02:00", "+2:00", "+24:00", "+02:60", "+0200", "+02:00 ", "+٠٢:00")
        ),
        ({"cors_origins": ["app.example.org"]}, ["--cors-origins 'app.example.org'", "https://"]),
        ({"cors_origins": ["https://app.example.org/"]}, ["without a path"]),
        ({"api_keys": Path("/nowhere/keys")}, ["--api-keys /nowhere/keys", "one key a line"]),
    ],
)
def test_a_bad_choice_is_named_with_its_remedy(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(StartRefused) as refused:
        settle(**options)
    text = str(refused.value)
    assert "\n" not in text
    assert "secret" not in text
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    "options",
    [
        {"port": 0},
        {"host": "::1"},
        {"host": "localhost"},
        {"host": "127.0.0.2"},
        {"host": "0.0.0.0", "sandbox": False},
        {"host": "0.0.0.0", "i_know_what_i_do": True},
        {"database_url": "postgresql://me@/countermand?host=/run/postgresql"},
        {"seed": 0},
        {"chain": "rpc", "rpc_url": NODE},
        {"chain": "rpc", "rpc_url": NODE, "rpc_ws_url": "wss://rpc.example.org/key"},
        {"cors_origins": ["*"]},
        {"cors_origins": [""], "sandbox": False},
    ],
)
def test_good_choices_stand(options: dict[str, Any]) -> None:
    settle(**options)


def test_an_empty_key_file_does_not_open_the_venue_to_all(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# none yet\n")
    with pytest.raises(StartRefused, match="holds no key"):
        settle(api_keys=tmp_path / "keys")


def test_a_node_that_a_variable_names_is_for_those_that_ask_for_one() -> None:
    """`exec` sets it for its command, which may start a sandbox of its own."""
    variable = {"COUNTERMAND_RPC_URL": NODE}
    assert settle(rpc_url=NODE, environ=variable).rpc_url is None
    assert settle(chain="rpc", rpc_url=NODE, environ=variable).rpc_url == NODE
