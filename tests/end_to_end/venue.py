"""A venue as its users meet it: a process of its own, spoken to over HTTP."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any

from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from tests.clusters import gets_cluster
from tests.forked import COUNTERMAND, Forked

CONFIRM_TIMEOUT_MS = 1_000
"""Some tests wait until it is over; in all others a busy machine must land a transaction within it."""
READY_S = 60
STOP_S = 30
ANSWER_S = 30
IDLE_S_MAX = 5
"""Half of what the venue lets a connection be silent."""

LAUNCH = (sys.executable, "-c", COUNTERMAND, "serve")
"""In a new interpreter."""


@dataclass(frozen=True, slots=True)
class Token:
    symbol: str
    mint: str
    decimals: int

    def __rmul__(self, number: float) -> "Funds":
        return Funds(self, round(number * 10**self.decimals))


@dataclass(frozen=True, slots=True)
class Funds:
    token: Token
    units: int


SOL = Token("SOL", "So11111111111111111111111111111111111111112", 9)
USDC = Token("USDC", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 6)
USDT = Token("USDT", "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", 6)
JUP = Token("JUP", "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", 6)
PRICES = {SOL: "150", USDC: "1", USDT: "1", JUP: "0.5"}
"""What a new venue says that they cost."""


class LostAnswer(Exception):
    """The connection ended before the answer was complete. What was asked for may have happened."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.body["error"]

    def ok(self) -> Any:
        """The body of an answer that must be a good one."""
        assert self.status == 200, (self.status, self.raw[:500])
        return self.body


@dataclass
class Venue:
    """A venue that runs. Each thread has its own connection."""

    url: str
    process: "subprocess.Popen[str] | Forked"
    log: Path
    _local: threading.local = field(default_factory=threading.local)
    _connections: list[HTTPConnection] = field(default_factory=list)

    # --- asking

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`body`: bytes are sent as they are, all else as JSON. Raises `LostAnswer`."""
        sent = dict(headers or {})
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("content-type", "application/json")
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        connection = self._connection()
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            raw = response.read()
        except (HTTPException, OSError) as lost:
            connection.close()
            raise LostAnswer(repr(lost)) from lost
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, raw)

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        now = time.monotonic()
        if connection is None:
            connection = HTTPConnection(self.host, self.port, timeout=ANSWER_S)
            self._local.connection = connection
            self._connections.append(connection)
        elif now - self._local.asked_at > IDLE_S_MAX:
            connection.close()  # The venue hangs up soon, or did: the next request connects anew.
        self._local.asked_at = now
        return connection

    def hang_up(self) -> None:
        for connection in self._connections:
            connection.close()

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://").split(":")[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    # --- the sandbox

    def sandbox(self) -> Any:
        return self.ask("GET", "/sandbox").ok()

    def now(self) -> int:
        """The venue's clock, in milliseconds. Without a sandbox it is the wall's."""
        answer = self.ask("GET", "/sandbox")
        now: int = time.time_ns() // 1_000_000 if answer.status == 404 else answer.ok()["now"]
        return now

    def price(self, token: Token, dollars: str) -> None:
        self.prices({token: dollars})

    def prices(self, dollars: dict[Token, str]) -> None:
        self.ask("PUT", "/sandbox/prices", {token.mint: price for token, price in dollars.items()}).ok()

    def pool(self, token: Token, *, most: int | None = None, impact_bps: int = 0) -> None:
        """How much one fill takes at most, and how far it moves the price."""
        depth = {"maxInput": None if most is None else str(most), "impactBps": impact_bps}
        self.ask("PUT", "/sandbox/liquidity", {token.mint: depth}).ok()

    def deepens_pools(self) -> None:
        """They take anything again, at the market's price."""
        bounded = self.ask("GET", "/sandbox/liquidity").ok()
        if bounded:
            self.ask("PUT", "/sandbox/liquidity", {mint: {"maxInput": None} for mint in bounded}).ok()

    def faults(self, **faults: object) -> None:
        """Exactly these, by their names on the wire."""
        self.ask("PUT", "/sandbox/faults", faults).ok()

    def remaining_faults(self) -> dict[str, object]:
        """Those that are still on."""
        return {name: value for name, value in self.sandbox()["faults"].items() if value}

    def freezes(self, at: int | None = None) -> None:
        self.ask("POST", "/sandbox/clock", {"mode": "frozen"} | ({} if at is None else {"now": at})).ok()

    def runs(self) -> None:
        self.ask("POST", "/sandbox/clock", {"mode": "running"}).ok()

    def advances(self, seconds: float) -> None:
        self.ask("POST", "/sandbox/clock/advance", {"seconds": seconds}).ok()

    def passes_slots(self, slots: int = 2) -> None:
        """They follow the wall clock. After two, what is built anew has another blockhash."""
        past: int = self.sandbox()["chain"]["slot"] + slots
        while self.sandbox()["chain"]["slot"] <= past:
            time.sleep(0.05)

    def settles(self) -> None:
        settled = self.ask("POST", "/sandbox/settle", {"timeoutMs": 10_000}).ok()
        assert settled == {"settled": True}

    def gives(self, wallet: str, funds: Funds) -> str:
        """Lamports, for SOL."""
        mint = "SOL" if funds.token == SOL else funds.token.mint
        body = {"wallet": wallet, "mint": mint, "amount": str(funds.units)}
        signature: str = self.ask("POST", "/sandbox/airdrop", body).ok()["signature"]
        return signature

    def restores(self) -> None:
        """Prices, faults, pools and the clock are as in the beginning. Only what is otherwise is asked for."""
        seen = self.sandbox()
        if {each["mint"]: each["price"] for each in seen["tokens"]} != {each.mint: at for each, at in PRICES.items()}:
            self.prices(PRICES)
        if any(seen["faults"].values()):
            self.faults()
        if seen["clock"]["mode"] != "running":
            self.runs()
        self.deepens_pools()

    def resets(self, **seed: int) -> None:
        self.ask("POST", "/sandbox/reset", seed).ok()

    def audit(self) -> Any:
        return self.ask("GET", "/sandbox/audit").ok()

    # --- the chain

    def rpc(self, method: str, *params: object) -> Any:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self.ask("POST", "/rpc", asked).ok()
        assert "result" in answer, answer
        result = answer["result"]
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def lamports(self, address: str) -> int:
        lamports: int = self.rpc("getBalance", address)
        return lamports

    def units(self, wallet: str, token: Token) -> int:
        """In the wallet's associated token account."""
        return self.units_in(str(associated(wallet, token)))

    def units_in(self, account: str) -> int:
        """0 if there is no such account."""
        if not self.exists(account):
            return 0
        return int(self.rpc("getTokenAccountBalance", account)["amount"])

    def exists(self, account: str) -> bool:
        return self.rpc("getAccountInfo", account, {"encoding": "base64"}) is not None

    # --- the process

    def complaints(self) -> list[str]:
        """What the venue logged as an error: each is a bug."""
        lines = self.log.read_text().splitlines()
        return [
            line for line in lines if '"level": "error"' in line or '"level":"error"' in line or "Traceback" in line
        ]

    def stop(self) -> None:
        """As an operator stops it: SIGTERM, and it leaves in good order."""
        self.hang_up()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_S) == 0, self.log.read_text()[-4_000:]


def keeping(options: Sequence[str]) -> Sequence[str]:
    """The options, and no keeper but where they ask for one."""
    return options if "--keeper" in options else ["--no-keeper", *options]


@contextmanager
def running_venue(
    data: Path,
    *options: str,
    confirm_timeout_ms: int = CONFIRM_TIMEOUT_MS,
    program: str = COUNTERMAND,
    launch: Sequence[str] | None = None,
) -> Iterator[Venue]:
    """`countermand serve` on ports of its own, from the line that says it is ready until SIGTERM. It logs no error.

    It has no keeper unless `--keeper` asks for one: most tests place orders that a keeper would fill at once.
    `launch`: a command that takes the options, in a new interpreter, instead of the program.
    """
    data.mkdir(parents=True, exist_ok=True)
    if "--database-url" not in options:
        gets_cluster(data / "data")
    log = data / "log"
    timeout = ("--confirm-timeout-ms", str(confirm_timeout_ms))
    given = ["--port", "0", "--data", str(data / "data"), *timeout, "--log", "json", *keeping(options)]
    with log.open("a") as errors, _launched(program, launch, given, errors) as process:
        venue = None
        try:
            venue = Venue(_url_when_ready(process, log), process, log)
            yield venue
            venue.stop()
        finally:
            if venue is not None:
                venue.hang_up()
            if process.poll() is None:
                process.kill()
    assert not venue.complaints()


def _launched(
    program: str, launch: Sequence[str] | None, options: Sequence[str], errors: IO[str]
) -> "subprocess.Popen[str] | Forked":
    if launch is None:
        return Forked(program, "serve", *options, stderr=errors.fileno())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERMAND_")}
    return subprocess.Popen([*launch, *options], stdout=subprocess.PIPE, stderr=errors, env=environment, text=True)


def _url_when_ready(process: "subprocess.Popen[str] | Forked", log: Path) -> str:
    """It says so in its first line."""
    assert process.stdout is not None
    line = _line_within(process.stdout, READY_S)
    assert "is ready" in line, f"{line!r} after {READY_S} s at most; {log.read_text()[-4_000:]}"
    return line.split()[-1]


def _line_within(stream: IO[str], seconds: float) -> str:
    deadline = time.monotonic() + seconds
    ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
    return stream.readline() if ready else ""


def associated(wallet: str, token: Token) -> Pubkey:
    return get_associated_token_address(Pubkey.from_string(wallet), Pubkey.from_string(token.mint))
