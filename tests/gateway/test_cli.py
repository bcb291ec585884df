"""The command, in a process of its own; behind `serve` stands a venue without an engine."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = "import tests.gateway.venue; from countermand.cli import main; main()"


def command(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=ROOT,
        env={"PATH": "", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_its_urls_and_leaves_when_told_to(number: signal.Signals) -> None:
    venue = start("--port", "0", "--log", "json")
    assert venue.stdout is not None
    first = venue.stdout.readline()
    url = re.fullmatch(r"Countermand is ready: +(http://127\.0\.0\.1:(\d+))\n", first)
    assert url is not None, first
    port = int(url[2])
    assert [venue.stdout.readline().split() for _ in range(4)] == [
        ["API", "docs:", f"{url[1]}/docs"],
        ["Solana", "JSON-RPC:", f"{url[1]}/rpc"],
        ["Solana", "WebSocket:", f"ws://127.0.0.1:{port + 1}/rpc"],
        ["Sandbox:", f"{url[1]}/sandbox"],
    ]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        venue.send_signal(number)
        rest, log = venue.communicate(timeout=10)
    assert (venue.returncode, rest) == (0, "")
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events == ["listening", "stopping", "all requests are answered, all connections closed"]


def test_a_busy_port_is_one_line_and_exit_status_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command("serve", "--port", str(port))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"countermand: port {port} on 127.0.0.1 is in use; stop what listens there, or give another --port\n"
    )


def test_a_data_directory_in_use_is_one_line_and_exit_status_2() -> None:
    done = command("serve", "--data", "/busy")
    assert (done.returncode, done.stderr) == (2, "countermand: the data directory /busy is in use by process 7\n")


def test_the_help_says_what_each_command_is_for() -> None:
    text = command("--help", environ={"COLUMNS": "200"}).stdout
    for name, words in (("serve", "Start the venue"), ("audit", "Replay"), ("explain", "Say"), ("simulate", "Run")):
        assert re.search(rf"│ {name} +{words}\b", text), text
        assert words in command(name, "--help", environ={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--port", "70000"], "--port 70000 is no port"),
        (["serve", "--port", "http"], '--port: unable to convert "http"'),
        (["serve", "--prot", "1"], "Did you mean --port?"),
        (["serve", "--chain", "rpc"], "--chain rpc needs a node"),
        (["serve", "--host", "0.0.0.0"], "--i-know-what-i-do"),
        (["serve", "--tanx-utc-offset", "CET"], "such as +02:00"),
        (["serve", "--chain", "tesnet"], "--chain"),
        (["serve", "here"], "here"),
        (["surve"], "surve"),
        (["simulate", "--seeds", "5..1"], "5..1"),
        (["simulate", "--seeds", "many"], "1..200"),
        (["simulate", "--seed", "1", "--seeds", "1..2"], "exclude each other"),
        (["simulate", "--steps", "0"], "--steps 0"),
        (["simulate", "--book", "--chain", "svm"], "--book and --chain svm exclude each other"),
        (["audit", "--database-url", "mysql://me:secret@db"], "--database-url"),
        (["audit", "--database-url", "postgresql://127.0.0.1:1/none"], "no connection to the database"),
    ],
)
def test_a_bad_option_is_one_line_and_exit_status_2(arguments: list[str], words: str) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert done.stderr.startswith("countermand: ")
    assert words in done.stderr
    assert "secret" not in done.stderr


def test_every_option_has_an_environment_variable() -> None:
    text = command("serve", "--help", environ={"COLUMNS": "200"}).stdout
    options = re.findall(r"│ --([a-z-]+)", text)
    assert len(options) == 21
    for option in options:
        variable = {"api-keys": "API_KEYS_FILE"}.get(option, option.replace("-", "_").upper())
        assert f"COUNTERMAND_{variable}" in text


def test_variables_count_and_options_win_over_them(tmp_path: Path) -> None:
    environ = {
        "COUNTERMAND_PORT": "70001",
        "COUNTERMAND_SANDBOX": "false",
        "COUNTERMAND_CORS_ORIGINS": "https://a.example.org,https://b.example.org",
        "COUNTERMAND_API_KEYS": "one,two",
        "COUNTERMAND_DATA": str(tmp_path),
        "COUNTERMAND_CONFIRM_TIMEOUT_MS": "300",
    }
    assert "--port 70001" in command("serve", environ=environ).stderr
    shown = json.loads(command("serve", "--port", "1", "--rpc-url", "", environ=environ | {"SHOW": "1"}).stdout or "{}")
    assert shown == {}, "an empty --rpc-url is not absent"
    shown = json.loads(command("serve", "--port", "1", environ=environ | {"SHOW": "1"}).stdout)
    assert shown == {
        "port": 1,
        "sandbox": False,
        "cors_origins": ["https://a.example.org", "https://b.example.org"],
        "api_keys": ["one", "two"],
        "data": str(tmp_path),
        "confirm_timeout_ms": 300,
    }


def test_simulate_runs_the_seeds_it_is_given() -> None:
    done = command("simulate", "--seeds", "1..2", "--steps", "5")
    assert done.returncode == 0, done
    assert "2 seeds" in done.stdout


def test_a_bug_still_shows_its_traceback() -> None:
    done = command("serve", "--data", "/bug")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
