"""What `countermand serve` says when it is ready: lines for people, and a file for programs."""

import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from countermand.gateway.server import Addresses
from countermand.json_flaws import DECODING_ERRORS
from countermand.settings import Settings, StartRefused

_NAME_WIDTH: Final = len("Countermand is ready:")


class Announcement(msgspec.Struct, rename="camel"):
    """The file's content, as JSON. Without a chain of our own there are no `rpc_url` and no `ws_url`."""

    url: str
    rpc_url: str | None
    ws_url: str | None
    pid: int
    version: str


def announce(settings: Settings, addresses: Addresses, *, rpc: bool) -> None:
    """Prints the URLs, one a line, for people and for scripts that wait for the first. `rpc`: the chain is our own."""
    base = addresses.base_url
    host = base.removeprefix("http://").rpartition(":")[0]
    lines = [("Countermand is ready:", base), ("Console:", f"{base}/"), ("API docs:", f"{base}/docs")]
    if rpc:
        lines.append(("Solana JSON-RPC:", f"{base}/rpc"))
    if rpc and addresses.second_port is not None:
        lines.append(("Solana WebSocket:", f"ws://{host}:{addresses.second_port}/rpc"))
    if settings.sandbox:
        lines.append(("Sandbox:", f"{base}/sandbox"))
    if settings.announce is not None:
        # The first port serves the WebSocket as well, and is never taken by another.
        announcement = Announcement(
            url=base,
            rpc_url=f"{base}/rpc" if rpc else None,
            ws_url=f"ws://{host}:{addresses.port}/rpc" if rpc else None,
            pid=os.getpid(),
            version=version("countermand"),
        )
        _write(settings.announce, announcement)
    _print(lines)


def announce_demo(wallet: str | None) -> None:
    """Prints whose orders the demo placed. None: there were orders already."""
    _print([("Demo wallet:", wallet or "none: there are orders already, only prices move; a new --data has all of it")])


def begin_announcing(settings: Settings) -> None:
    """Removes the file of an earlier start, so that it is not read. Raises `StartRefused` if there can be no file."""
    file = settings.announce
    if file is None:
        return
    if not file.name:
        raise StartRefused(f"--announce {file} is no file; give its name")
    if file.is_symlink():
        raise StartRefused(f"--announce {file} is a link, which would be lost; give the name of the file itself")
    try:
        if not _may_be_replaced(file):
            raise StartRefused(f"--announce {file} is a file of something else, which would be lost; give another name")
        file.unlink(missing_ok=True)
        _beside(file).write_bytes(b"")
        _beside(file).unlink()
    except OSError as error:
        raise _refused(file, error) from error


def end_announcing(settings: Settings) -> None:
    """Removes the file, if it is ours. A pipe, which was refused, is not read: that could take for ever."""
    file = settings.announce
    if file is None or file.is_symlink() or not file.is_file():
        return
    with suppress(OSError):
        announced = _announced(file.read_bytes())
        if announced is not None and announced.pid == os.getpid():
            file.unlink()


def _may_be_replaced(file: Path) -> bool:
    """There is none, or an empty one, as `mktemp` makes it, or what an earlier start announced."""
    if not file.is_file():
        return not file.exists() or file.is_dir()  # Of a directory it is the system that says what is wrong.
    content = file.read_bytes()
    return not content or _announced(content) is not None


def _announced(content: bytes) -> Announcement | None:
    try:
        return msgspec.json.decode(content, type=Announcement)
    except DECODING_ERRORS:
        return None


def _print(lines: Sequence[tuple[str, str]]) -> None:
    print("\n".join(f"{name:<{_NAME_WIDTH}} {value}" for name, value in lines), flush=True)


def _write(file: Path, announcement: Announcement) -> None:
    """Whole or not at all, for those who wait for it to appear."""
    written = _beside(file)
    try:
        written.write_bytes(msgspec.json.encode(announcement) + b"\n")
        written.replace(file)
    except OSError as error:
        raise _refused(file, error) from error


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}")


def _refused(file: Path, error: OSError) -> StartRefused:
    return StartRefused(f"--announce {file} cannot be written ({error.strerror}); give a file in a directory of yours")
