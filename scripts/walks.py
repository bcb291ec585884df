"""Counts the files of ours that a request walks through, for one create and one cancel of Trigger v2.

.venv/bin/python -m scripts.walks [--source DIR] [--files] [--check]

It starts a sandbox in this process, from the `src` of `--source`, and asks it from a second thread. What is counted:

- The *window* of a request opens when its client is about to send it, and ends when the first byte of the answer can be
  read at the client's socket. Everything that the event loop's thread runs in it counts, also the commit and the
  transaction that the answer waits for. The venue is idle but for this request, and has answered others of its kind.
- *Our code* are the functions of the package's files. Structs have no methods that are generated.
- *Control* is in the file of the innermost function of ours. It goes to another file by a call or by a return, in
  either case also through a library, or because the event loop turns to another task. A file counts when control
  is in it, and each change of the file is a *switch*: a call into another file and the way back are two.
- A coroutine or a generator is called when it starts. That it is suspended or resumed moves control only when the
  function that goes on then calls something or returns; so neither the chain of those that await it counts, nor what a
  generator yields.

A timer may fall into a window, or a slot of the chain may end, and adds its own files and switches. So each request is
made many times, and the shortest walk counts that was seen in several windows.
"""

import argparse
import base64
import importlib
import inspect
import json
import os
import re
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from opcode import opmap
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Final
from urllib.parse import urlsplit

from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

ROOT: Final = Path(__file__).parents[1]
WARM_UP: Final = 10
WALKS: Final = 40
SEEN_MIN: Final = 4
QUIET_S: Final = 0.05
ANSWER_S: Final = 30
HOUR_MS: Final = 3_600_000
SOL: Final = "So11111111111111111111111111111111111111112"
USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
_RESUME: Final = opmap["RESUME"]
_YIELD: Final = opmap["YIELD_VALUE"]
_YIELDS: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


@dataclass(frozen=True, slots=True)
class Walk:
    """The files in which control was, one after the other."""

    path: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """In the order in which they were first passed."""
        return list(dict.fromkeys(self.path))

    @property
    def switches(self) -> int:
        return len(self.path) - 1


def shortest(walks: Sequence[Walk]) -> Walk:
    seen = [walk for walk, times in Counter(walks).items() if times >= SEEN_MIN]
    assert seen, f"no walk was seen in {SEEN_MIN} windows: is the machine busy?"
    return min(seen, key=lambda walk: walk.switches)


class Tracer:
    """A profile function of one thread, which records between `open` and `close`."""

    def __init__(self, package: Path) -> None:
        self._prefix = f"{package}{os.sep}"
        self._names: dict[str, str | None] = {}
        self._answered: Callable[[], bool] | None = None
        self._stack: list[tuple[FrameType, str]] = []
        self._path: list[str] = []

    def open(self, answered: Callable[[], bool]) -> None:
        self._stack, self._path = [], []
        self._answered = answered

    def close(self) -> Walk:
        self._answered = None
        return Walk(tuple(self._path))

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if (answered := self._answered) is None or event not in ("call", "return", "c_call"):
            return
        if answered():
            self._answered = None
            return
        name = self._name_of(frame.f_code.co_filename)
        if event == "return":
            if self._stack and self._stack[-1][0] is frame:
                self._leave(frame)
            return
        starts = event == "c_call" or _starts(frame)
        if starts and self._stack:
            self._enter(self._stack[-1][1])
        if event == "call" and name is not None:
            self._stack.append((frame, name))
            if starts:
                self._enter(name)

    def _leave(self, frame: FrameType) -> None:
        _, name = self._stack.pop()
        if _is_at(frame, _YIELD) or frame.f_code.co_flags & _YIELDS:
            return
        self._enter(name)
        if self._stack:
            self._enter(self._stack[-1][1])

    def _enter(self, name: str) -> None:
        if self._path[-1:] != [name]:
            self._path.append(name)

    def _name_of(self, file: str) -> str | None:
        """Within the package; None if the file is not ours."""
        if file not in self._names:
            self._names[file] = file.removeprefix(self._prefix) if file.startswith(self._prefix) else None
        return self._names[file]


def _is_at(frame: FrameType, opcode: int) -> bool:
    return frame.f_code.co_code[frame.f_lasti] == opcode


def _starts(frame: FrameType) -> bool:
    """Not so if it was suspended: then the argument of its instruction says by what."""
    return _is_at(frame, _RESUME) and frame.f_code.co_code[frame.f_lasti + 1] & 3 == 0


@dataclass(slots=True)
class Client:
    """A user of Trigger v2 with one connection."""

    connection: HTTPConnection
    tracer: Tracer
    key: Keypair = field(default_factory=Keypair)
    token: str = ""

    def ask(self, method: str, path: str, body: object = None) -> Any:
        self._send(method, path, body)
        return self._answer()

    def walk(self, path: str, body: object = None) -> tuple[Walk, Any]:
        """POSTs it in a window."""
        if self.connection.sock is None:
            self.connection.connect()
        incoming = self.connection.sock
        self.tracer.open(lambda: bool(select.select([incoming], [], [], 0)[0]))
        self._send("POST", path, body)
        select.select([incoming], [], [], ANSWER_S)
        return self.tracer.close(), self._answer()

    def _send(self, method: str, path: str, body: object) -> None:
        headers = {"content-type": "application/json"} | (
            {"authorization": f"Bearer {self.token}"} if self.token else {}
        )
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)

    def _answer(self) -> Any:
        response = self.connection.getresponse()
        text = response.read()
        assert response.status == 200, f"{response.status} {text!r}"
        return json.loads(text)

    def joins(self) -> None:
        """Gets money, signs in, and registers a vault."""
        wallet = str(self.key.pubkey())
        self.ask("POST", "/sandbox/airdrop", {"wallet": wallet, "mint": "SOL", "amount": str(1_000 * 10**9)})
        asked = {"walletPubkey": wallet, "type": "message"}
        challenge = self.ask("POST", "/trigger/v2/auth/challenge", asked)["challenge"]
        proof = asked | {"signature": str(self.key.sign_message(challenge.encode()))}
        self.token = self.ask("POST", "/trigger/v2/auth/verify", proof)["token"]
        self.ask("GET", "/trigger/v2/vault/register")

    def creates(self) -> tuple[Walk, str]:
        """And the order's id."""
        pair = {"inputMint": SOL, "outputMint": USDC}
        asked = pair | {"userAddress": str(self.key.pubkey()), "amount": str(10**9)}
        craft = self.ask("POST", "/trigger/v2/deposit/craft", asked)
        order = pair | {
            "orderType": "single",
            "depositRequestId": craft["requestId"],
            "depositSignedTx": self._signed(craft["transaction"]),
            "userPubkey": str(self.key.pubkey()),
            "inputAmount": craft["amount"],
            "triggerMint": SOL,
            "triggerCondition": "above",
            "triggerPriceUsd": 1_000,
            "expiresAt": time.time_ns() // 1_000_000 + HOUR_MS,
        }
        self.rests()
        walk, answer = self.walk("/trigger/v2/orders/price", order)
        return walk, answer["id"]

    def cancels(self, order_id: str) -> Walk:
        """The first of its two steps, which is the effective one."""
        self.rests()
        walk, _ = self.walk(f"/trigger/v2/orders/price/cancel/{order_id}")
        return walk

    def rests(self) -> None:
        """Until the venue has done all that it owes."""
        while not self.ask("POST", "/sandbox/settle", {"timeoutMs": 10_000})["settled"]:
            pass
        time.sleep(QUIET_S)

    def _signed(self, transaction: str) -> str:
        read = VersionedTransaction.from_bytes(base64.b64decode(transaction))
        signatures = list(read.signatures)
        own = read.message.account_keys.index(self.key.pubkey())
        signatures[own] = self.key.sign_message(to_bytes_versioned(read.message))
        return base64.b64encode(bytes(VersionedTransaction.populate(read.message, signatures))).decode()


def measure(source: Path) -> dict[str, list[Walk]]:
    """Serves from the main thread, as `countermand serve` does, until the client has all its walks."""
    package = source.resolve() / "src" / "countermand"
    sys.path.insert(0, str(package.parent))
    sys.dont_write_bytecode = True  # The checkout stays as it is.
    for name in [name for name in os.environ if name.startswith("COUNTERMAND_")]:
        del os.environ[name]
    cli = importlib.import_module("countermand.cli")
    assert Path(str(cli.__file__)).is_relative_to(package), f"{cli.__file__} was imported instead of {package}"
    tracer = Tracer(package)
    said, saying = os.pipe()
    stdout = os.dup(1)
    os.dup2(saying, 1)
    os.close(saying)
    with TemporaryDirectory(prefix="walks-") as data, ThreadPoolExecutor(1) as threads:
        walks = threads.submit(_walks, said, tracer)
        sys.argv = ["countermand", "serve", "--port", "0", "--data", f"{data}/data", "--log-level", "error"]
        sys.setprofile(tracer)
        try:
            cli.main()
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"the venue ended with status {end.code}") from end
        finally:
            sys.setprofile(None)
            os.dup2(stdout, 1)  # The client reads to the end of what the venue said.
        return walks.result()


def _walks(said: int, tracer: Tracer) -> dict[str, list[Walk]]:
    with os.fdopen(said) as lines:
        address = urlsplit(lines.readline().split()[-1])
        try:
            client = Client(HTTPConnection(str(address.hostname), address.port, timeout=ANSWER_S), tracer)
            client.joins()
            pairs = [_walked_pair(client) for _ in range(WARM_UP + WALKS)][WARM_UP:]
            client.rests()  # The other thread looks at the socket until it has left the last window.
            client.connection.close()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
    return {"create": [create for create, _ in pairs], "cancel": [cancel for _, cancel in pairs]}


def _walked_pair(client: Client) -> tuple[Walk, Walk]:
    create, order_id = client.creates()
    return create, client.cancels(order_id)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.walks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, default=ROOT, metavar="DIR", help="the checkout to measure")
    parser.add_argument("--files", action="store_true", help="name the files, in the order in which they were passed")
    parser.add_argument("--check", action="store_true", help="fail if ARCHITECTURE.md leaves out a file of the cancel")
    asked = parser.parse_args()
    measured = measure(asked.source)
    shown = {}
    print("walk    files  switches  seen in")
    for name, walks in measured.items():
        walk = shown[name] = shortest(walks)
        print(f"{name}  {len(walk.files):5}  {walk.switches:8}  {walks.count(walk)} of {len(walks)} windows")
    for name, walk in shown.items() if asked.files else ():
        print(f"\n{name}:", *walk.files, sep="\n  ")
    if asked.check and (left_out := _left_out(shown["cancel"], asked.source)):
        raise SystemExit(f"ARCHITECTURE.md leaves out of its walk of a cancel: {', '.join(left_out)}")


def _left_out(walk: Walk, source: Path) -> list[str]:
    """The files that the page does not name in its section, by name with or without the folder."""
    page = (source / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.partition("## A cancel, walked\n")[2].partition("\n## ")[0]
    named = {Path(name).stem for name in re.findall("`([^`]+)`", section)}
    return [file for file in walk.files if Path(file).stem not in named]


if __name__ == "__main__":
    main()
