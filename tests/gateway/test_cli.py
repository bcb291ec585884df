"""The command, in a process of its own; behind `serve` stands a venue without an engine."""

import asyncio
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from countermand.gateway.server import stop_on_signals
from tests.forked import COUNTERMAND, Forked, run
from tests.solana import published_transactions as published

ROOT = Path(__file__).parents[2]
TRANSACTION = published.TRIGGER_CANCEL_ONE
RUN = f"import tests.gateway.venue; {COUNTERMAND}"
FORKED = (
    "import countermand.cli.serve, tests.gateway.venue as stand_in; "
    f"countermand.cli.serve.app = stand_in.app_module; {COUNTERMAND}"
)
"""As `RUN`, where the command was imported before."""


def command(
    *arguments: str, environ: dict[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return run(FORKED, *arguments, seconds=30, environ={"PATH": "", **(environ or {})}, given=given)


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_hangup_that_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under `nohup`."""
    taken: list[int] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", lambda number, _: taken.append(number))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop_on_signals()
        assert taken == [signal.SIGTERM, signal.SIGINT]
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_serve_prints_its_urls_and_leaves_when_told_to(number: signal.Signals) -> None:
    venue = start("--port", "0", "--log", "json")
    assert venue.stdout is not None
    first = venue.stdout.readline()
    url = re.fullmatch(r"Countermand is ready: +(http://127\.0\.0\.1:(\d+))\n", first)
    assert url is not None, first
    port = int(url[2])
    assert [venue.stdout.readline().split() for _ in range(5)] == [
        ["Console:", f"{url[1]}/"],
        ["API", "docs:", f"{url[1]}/docs"],
        ["Solana", "JSON-RPC:", f"{url[1]}/rpc"],
        ["Solana", "WebSocket:", f"ws://127.0.0.1:{port + 1}/rpc"],
        ["Sandbox:", f"{url[1]}/sandbox"],
    ]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        venue.send_signal(number)
        rest, log = venue.communicate(timeout=60)
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
        (["serve", "--port", "http"], "--port: 'http' is no whole number; give digits alone"),
        (["serve", "--port", "8_080"], "--port: '8_080' is no whole number"),
        (["serve", "--seed", "1.5"], "--seed: '1.5' is no whole number"),
        (["serve", "--keeper-refund-delay", "0x10"], "--keeper-refund-delay: '0x10' is no whole number"),
        (["serve", "--confirm-timeout-ms", "5e3"], "--confirm-timeout-ms: '5e3' is no whole number"),
        (["exec", "--seed", "1_0", "--", "true"], "--seed: '1_0' is no whole number"),
        (["exec", "--confirm-timeout-ms", "0.4", "--", "true"], "--confirm-timeout-ms: '0.4' is no whole number"),
        (["doctor", "--port", "0b1"], "--port: '0b1' is no whole number"),
        (["simulate", "--seed", "+1"], "--seed: '+1' is no whole number"),
        (["simulate", "--steps", "1.0"], "--steps: '1.0' is no whole number"),
        (["rescue", "--owner", "x", "--rpc-url", "x", "--unit-price", "1.5"], "--unit-price: '1.5' is no whole number"),
        (["rescue", "--owner", "x", "--rpc-url", "x", "--unit-price", "9" * 21], "digits alone, at most 20"),
        (["serve", "--prot", "1"], "Did you mean --port?"),
        (["serve", "--chain", "rpc"], "--chain rpc needs a node"),
        (["serve", "--host", "0.0.0.0"], "--i-know-what-i-do"),
        (["serve", "--tanx-utc-offset", "CET"], "such as +02:00"),
        (["serve", "--chain", "tesnet"], "--chain"),
        (["serve", "here"], "'here' is too much; countermand serve --help shows what it takes"),
        (["rescue", "--owner", "one"], "--rpc-url or COUNTERMAND_RPC_URL is missing; countermand rescue --help shows"),
        (["keys", "revoke"], "KEY is missing; countermand keys revoke --help shows what it takes"),
        (["keys", "add", "--scope", "admin"], "Did you mean --scopes instead of --scope?"),
        (["serve", "--port"], "--port requires an argument"),
        (["keys", "revoke", "one", "two"], "'two' is too much; countermand keys revoke --help shows"),
        (["exec", "--sed", "7", "--", "true"], "exec: there is no option --sed; countermand exec --help shows"),
        (["surve"], "surve"),
        (["simulate", "--seeds", "5..1"], "5..1"),
        (["simulate", "--seeds", "many"], "1..200"),
        (["simulate", "--seed", "1", "--seeds", "1..2"], "exclude each other"),
        (["simulate", "--steps", "0"], "--steps 0"),
        (["simulate", "--book", "--chain", "svm"], "--book and --chain svm exclude each other"),
        (["serve", "--data", ""], "--data: the name is empty"),
        (["serve", "--master-seed", ""], "--master-seed: the name is empty"),
        (["serve", "--api-keys", ""], "--api-keys: the name is empty"),
        (["serve", "--announce="], "--announce: the name is empty"),
        (["audit", "--data", ""], "--data: the name is empty"),
        (["doctor", "--data", ""], "--data: the name is empty"),
        (["keys", "list", "--data", ""], "--data: the name is empty"),
        (["rescue", "--owner", "x", "--rpc-url", "x", "--sign", ""], "--sign: the name is empty"),
        (["exec", "--log-file", "", "--", "true"], "--log-file: the name is empty"),
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


@pytest.mark.parametrize(
    "arguments", ["explain -", f"rescue --owner {'1' * 31}2 --rpc-url http://127.0.0.1:1 --sign -"]
)
@pytest.mark.parametrize(
    ("redirected", "words"), [("<&-", "standard input is closed"), ("0>/dev/null", "standard input cannot be read")]
)
def test_a_standard_input_that_cannot_be_read_is_no_bug(arguments: str, redirected: str, words: str) -> None:
    """One said that it was a bug, the other ended with a traceback and 1, as if orders did not come back."""
    script = f"exec {sys.executable} -m countermand {arguments} {redirected}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert words in done.stderr


def test_every_option_has_an_environment_variable() -> None:
    text = command("serve", "--help", environ={"COLUMNS": "200"}).stdout
    options = re.findall(r"│ --([a-z-]+)", text)
    assert len(options) == 24
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
    assert "COUNTERMAND_DATA: the name is empty" in command("serve", environ=environ | {"COUNTERMAND_DATA": ""}).stderr
    shown = json.loads(command("serve", "--port", "1", environ=environ | {"SHOW": "1"}).stdout)
    assert shown == {
        "port": 1,
        "sandbox": False,
        "cors_origins": ["https://a.example.org", "https://b.example.org"],
        "api_keys": ["one", "two"],
        "data": str(tmp_path),
        "confirm_timeout_ms": 300,
    }


def test_a_variable_that_is_no_setting_is_named_with_the_one_it_is_like() -> None:
    """A1: a venue that was asked for so would be a sandbox, and say nothing."""
    names = ("SANBOX", "XYZ", "DATA", "API_KEYS", "URL", "SERVICE_HOST", "PORT_80_TCP")
    environ = {f"COUNTERMAND_{name}": "x" for name in names} | {"COUNTERMAND_LOG": "json", "SHOW": "1"}
    lines = [json.loads(line) for line in command("serve", "--port", "1", environ=environ).stderr.splitlines()]
    named = [(line["variable"], line["did_you_mean"]) for line in lines if "variable" in line]
    assert named == [("COUNTERMAND_SANBOX", "COUNTERMAND_SANDBOX"), ("COUNTERMAND_XYZ", None)]


def test_simulate_runs_the_seeds_it_is_given() -> None:
    done = command("simulate", "--seeds", "1..2", "--steps", "5")
    assert done.returncode == 0, done
    assert "2 seeds" in done.stdout


def test_a_bug_still_shows_its_traceback() -> None:
    done = command("serve", "--data", "/bug")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_explain_reads_standard_input_and_prints_json() -> None:
    plain = command("explain", TRANSACTION)
    lines = "\n".join(TRANSACTION[at : at + 40] for at in range(0, len(TRANSACTION), 40)) + "\n"
    assert command("explain", "-", given=lines).stdout == plain.stdout
    assert json.loads(command("explain", "--json", TRANSACTION).stdout) == {"sentences": plain.stdout.splitlines()}
    for given in ("", "é", "AA==", "x" * (2 << 20)):
        refused = command("explain", "-", given=given)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete "), ("zsh", "#compdef countermand"), ("fish", "complete ")]
)
def test_completion_is_a_script_that_knows_every_command(shell: str, words: str) -> None:
    script = command("completion", shell).stdout
    assert words in script
    for name in ("serve", "exec", "audit", "doctor", "--announce"):
        assert name.removeprefix("--") in script
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_simulate_prints_json() -> None:
    told = json.loads(command("simulate", "--seeds", "1..2", "--steps", "5", "--json").stdout)
    assert (told["ok"], told["seeds"], told["steps"] >= 10) == (True, 2, True)
    assert told["situations"]


INTERRUPTED = f"""
import os, signal
from countermand_simulator import loop
from countermand_simulator.book import run

async def catches_all():
    while True:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await loop.sleep(1)
        except BaseException:
            pass

run.main = lambda *_, **__: loop.run(catches_all())
signal.signal(signal.SIGINT, signal.default_int_handler)
{COUNTERMAND}
"""


def test_ctrl_c_ends_a_simulation_whatever_it_catches() -> None:
    done = run(INTERRUPTED, "simulate", "--book", seconds=20)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("ignored", [False, True])
def test_ctrl_c_while_it_is_imported_ends_it_without_a_word(tmp_path: Path, ignored: bool) -> None:
    """A shell lets what runs in the background ignore it."""
    slow = "import os, signal, sys\nos.kill(os.getpid(), signal.SIGINT)\nsys.exit(7)\n"
    (tmp_path / "cyclopts.py").write_text(slow)
    done = subprocess.run(
        [sys.executable, "-m", "countermand", "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler),
    )
    assert (done.returncode, done.stdout, done.stderr) == (7 if ignored else -signal.SIGINT, "", "")


def test_what_takes_longer_says_so_on_a_terminal_alone() -> None:
    impatient = f"from countermand.cli import progress; progress.QUIET_S = progress._EVERY_S = 0.02; {COUNTERMAND}"
    terminal, ours = pty.openpty()
    with Forked(impatient, "simulate", "--seeds", "1..6", "--steps", "40", stderr=ours) as running:
        os.close(ours)
        shown = b""
        with suppress(OSError):  # The other end is closed.
            while chunk := os.read(terminal, 4_096):
                shown += chunk
        assert running.stdout is not None
        told = running.stdout.read()
    os.close(terminal)
    assert running.returncode == 0
    assert re.search(rb"of 6 seeds, \d+ steps, \d+ s", shown)
    assert shown.endswith(b"\r\x1b[2K")
    assert "of 6 seeds" not in told
    assert not command("simulate", "--seeds", "1..2", "--steps", "5").stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_doctor_does_not_blame_a_port_for_an_address(tmp_path: Path, host: str) -> None:
    """It told to stop what listens there: nothing does."""
    done = command("doctor", "--host", host, "--data", str(tmp_path), "--json")
    found = [each for each in json.loads(done.stdout)["findings"] if each["check"].startswith("port")]
    assert done.returncode == 1
    assert {each["remedy"] for each in found} == {"give another --host, which is an address of this machine"}


def test_doctor_says_what_is_wrong_and_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command("doctor", "--port", str(port), "--data", str(tmp_path / "new"))
        report = json.loads(command("doctor", "--port", str(port), "--data", str(tmp_path / "new"), "--json").stdout)
    assert (done.returncode, done.stderr, report["ok"]) == (1, "", False)
    assert re.search(rf"wrong +port {port} +cannot be listened on, on 127.0.0.1: Address already in use", done.stdout)
    assert "remedy: stop what listens there, or give another --port" in done.stdout
    wrong = {each["check"]: each for each in report["findings"] if each["verdict"] == "wrong"}
    assert list(wrong) == [f"port {port}"]
    assert wrong[f"port {port}"]["remedy"]
    assert {each["check"] for each in report["findings"]} >= {"data", "disk", "clock", "descriptors", "postgresql"}
    assert list(tmp_path.iterdir()) == [], "it changes nothing"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_doctor_finds_nothing_wrong_where_a_venue_can_run(tmp_path: Path, host: str) -> None:
    """A venue without a sandbox listens anywhere."""
    done = command("doctor", "--host", host, "--port", "0", "--data", str(tmp_path))
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    ("options", "check", "words"),
    [
        (["--data", "/dev/null"], "data", "/dev/null is no directory"),
        (["--database-url", "postgresql://127.0.0.1:1/none"], "postgresql", "no connection to the database"),
        (["--master-seed", "/dev/zero"], "master seed", "/dev/zero"),
    ],
)
def test_doctor_names_what_is_wrong(options: list[str], check: str, words: str) -> None:
    done = command("doctor", "--port", "0", "--json", *options)
    assert done.returncode == 1, done
    wrong = {each["check"]: each["found"] for each in json.loads(done.stdout)["findings"] if each["verdict"] == "wrong"}
    assert words in wrong[check]


@pytest.mark.parametrize(
    ("version", "named", "wrong"),
    [
        ("18", (), ["master seed"]),
        ("18", ("--master-seed", "none"), ["master seed"]),
        ("18", ("--database-url", "postgresql://127.0.0.1:1/none"), ["postgresql"]),
        ("17", ("--master-seed", "there"), ["postgresql"]),
    ],
)
def test_doctor_looks_at_a_database_that_is_there(
    tmp_path: Path, version: str, named: tuple[str, ...], wrong: list[str]
) -> None:
    """Beside one that has begun no start makes a master seed."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text(f"{version}\n")
    (tmp_path / "there").touch(0o600)
    (tmp_path / "there").write_bytes(bytes(32))
    options = [str(tmp_path / each) if each in ("none", "there") else each for each in named]
    told = json.loads(command("doctor", "--port", "0", "--data", str(tmp_path), "--json", *options).stdout)
    assert [each["check"] for each in told["findings"] if each["verdict"] == "wrong"] == wrong
    remedies = {each["check"]: each.get("remedy", "") for each in told["findings"]}
    assert ("if its first start was cut short" in remedies["master seed"]) is ("master seed" in wrong)


async def test_doctor_looks_at_the_encoding_of_the_database(database_url: str) -> None:
    """A start on one that holds no UTF8 ends with its first migration."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    try:
        url = database_url.replace(f"/{await connection.fetchval('SELECT current_database()')}?", "/latin?")
        told = json.loads(command("doctor", "--port", "0", "--database-url", url, "--json").stdout)
    finally:
        await connection.execute("DROP DATABASE latin")
        await connection.close()
    found = {each["check"]: each for each in told["findings"]}["encoding"]
    assert (found["verdict"], "LATIN1" in found["found"]) == ("wrong", True)
    assert "--encoding UTF8" in found["remedy"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("default_transaction_read_only = on", "its transactions are read-only"),
        ("search_path = none", "its search_path names no schema that is there"),
    ],
)
async def test_doctor_looks_at_settings_that_keep_tables_from_being_made(
    database_url: str, setting: str, words: str
) -> None:
    """It found nothing wrong, and each start was refused."""
    connection = await asyncpg.connect(database_url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET {setting}")
    await connection.close()
    told = json.loads(command("doctor", "--port", "0", "--database-url", database_url, "--json").stdout)
    found = {each["check"]: each for each in told["findings"]}["rights"]
    assert (found["verdict"], found["found"]) == ("wrong", words)
    assert f"ALTER DATABASE {name} RESET {setting.split(maxsplit=1)[0]}" in found["remedy"]


async def test_doctor_looks_at_the_rights_of_a_role(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    await connection.close()
    seen = {}
    for role in ("countermand", "guest"):
        url = database_url.replace("//countermand@", f"//{role}@")
        told = json.loads(command("doctor", "--port", "0", "--database-url", url, "--json").stdout)
        seen[role] = {each["check"]: (each["verdict"], each.get("remedy")) for each in told["findings"]}
    assert seen["countermand"]["rights"] == ("ok", None)
    assert seen["countermand"]["encoding"] == ("ok", None)
    assert seen["countermand"]["durability"][0] == "wrong", "the tests' server does not wait for the disk"
    assert seen["guest"]["rights"][0] == "wrong"
    assert "GRANT CREATE ON SCHEMA public TO guest" in str(seen["guest"]["rights"][1])
