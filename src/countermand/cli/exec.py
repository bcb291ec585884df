"""`countermand exec`."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, Final, Self

from cyclopts import Parameter

from countermand.cli.options import File, Whole, option
from countermand.settings import StartRefused
from countermand.testkit.process import Announced, SandboxNotStarted, SandboxProcess

NOT_FOUND: Final = 127
NOT_ALLOWED: Final = 126
SIGNALLED: Final = 128
"""As shells have them."""
_FORWARDED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_OF_THE_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT)


def exec_(
    *command: Annotated[str, Parameter(help="the command and its arguments, after --", allow_leading_hyphen=True)],
    seed: Annotated[Whole | None, option("seed", "of ids and nonces")] = None,
    confirm_timeout_ms: Annotated[Whole | None, option("confirm-timeout-ms", "how long to wait for a landing")] = None,
    log: Annotated[
        File | None, Parameter(name="--log-file", help="where the sandbox's log goes; else it is kept only if it fails")
    ] = None,
) -> int:
    """Run a command beside a sandbox of its own, which it finds by COUNTERMAND_URL, _RPC_URL and _WS_URL.

    Passes signals on to the command, and its exit status back.
    """
    if not command:
        raise StartRefused("exec: no command; give one after --, such as: countermand exec -- npm test")
    if command[0].startswith("-"):
        raise StartRefused(f"exec: there is no option {command[0]}; countermand exec --help shows those that there are")
    options = ["--log", "json"]
    for name, value in (("--seed", seed), ("--confirm-timeout-ms", confirm_timeout_ms)):
        options += [] if value is None else [name, str(value)]
    if log is not None:
        _check_log(log)
    with _Signals() as signals, TemporaryDirectory(prefix="countermand-", ignore_cleanup_errors=True) as directory:
        sandbox = SandboxProcess(Path(directory), options, log=log)
        try:
            status = _run(command, sandbox.start(), signals)
        except SandboxNotStarted as problem:
            print(f"countermand: {problem}", file=sys.stderr)
            raise StartRefused("exec: the sandbox did not start, so the command was not run") from problem
        finally:
            ended = sandbox.exit_status
            sandbox.stop()
        if ended is not None:
            print(
                f"countermand: the sandbox ended with {ended} before the command did; its log ends with:\n"
                f"{sandbox.last_lines()}",
                file=sys.stderr,
            )
        return status


class _Signals:
    """Hands signals on to the command; before there is one, they end us."""

    def __init__(self) -> None:
        self._command: subprocess.Popen[bytes] | None = None
        self._starting = False
        self._early: list[int] = []

    def start(self, command: Sequence[str], environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """A signal that comes meanwhile is for the command. Raises `OSError`."""
        self._starting = True
        self._command = subprocess.Popen(command, env=environ)
        for number in self._early:
            self._pass_on(number)
        return self._command

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in _FORWARDED}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if not self._starting:
            raise SystemExit(SIGNALLED + number)
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if self._command is None:
            self._early.append(number)
        elif number not in _OF_THE_TERMINAL or not _has_terminal():  # A terminal has sent it to the command as well.
            with suppress(ProcessLookupError):
                self._command.send_signal(number)


def _has_terminal() -> bool:
    """We are in the foreground of a terminal, and so is the command."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _run(command: Sequence[str], announced: Announced, signals: _Signals) -> int:
    try:
        running = signals.start(command, {**os.environ, **announced.environment()})
    except FileNotFoundError:
        print(f"countermand: exec: {command[0]}: no such command", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"countermand: exec: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_ALLOWED
    status = running.wait()
    return SIGNALLED - status if status < 0 else status


def _check_log(file: Path) -> None:
    try:
        file.open("ab").close()
    except OSError as error:
        raise StartRefused(f"--log-file {file} cannot be written: {error.strerror}") from error
