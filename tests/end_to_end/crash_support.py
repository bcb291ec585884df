"""What the crash tests stand on: a venue as a process that can be killed, and a client that survives it."""

import asyncio
import base64
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import asyncpg
import base58
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from countermand.store.embedded import EmbeddedPostgres
from tests.clusters import gets_cluster
from tests.conftest import NUMBERS, TEMPLATE
from tests.end_to_end.venue import keeping
from tests.forked import COUNTERMAND, Forked, run

SOL: Final = "So11111111111111111111111111111111111111112"
USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
JUP: Final = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
ONE_SOL: Final = 10**9
ONE_USDC: Final = 10**6

ROUNDS: Final = int(os.environ.get("COUNTERMAND_CRASH_ROUNDS", "1"))
"""More of them for a long run: each multiplies how often the tests under load kill something."""
THOROUGH: Final = ROUNDS > 1

CONFIRM_TIMEOUT_MS: Final = 300
START_S: Final = 60
ANSWER_S: Final = 30
HOUR_MS: Final = 3_600_000


class Lost(Exception):
    """The connection ended before the whole answer came: what happened is unknown."""


@dataclass
class Reply:
    status: int
    body: Any

    @property
    def is_definite(self) -> bool:
        """It says what happened. A venue that is loading its orders, or lost a commit's answer, does not."""
        return self.status < 500


class Http:
    """One connection, one request at a time; opened again when it was lost."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter, int] | None = None

    async def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> Reply:
        """Raises `Lost`."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._ask(method, path, body, token)
        except TimeoutError:
            self.close()
            raise AssertionError(f"{method} {path} was not answered within {ANSWER_S} s") from None
        except (OSError, asyncio.IncompleteReadError, EOFError) as lost:
            self.close()
            raise Lost(f"{method} {path}: {lost!r}") from lost
        except BaseException:
            self.close()
            raise

    async def _ask(self, method: str, path: str, body: object, token: str | None) -> Reply:
        reader, writer = await self._connected()
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(payload)}"]
        if payload:
            lines.append("content-type: application/json")
        if token is not None:
            lines.append(f"authorization: Bearer {token}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + payload)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        answer = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Reply(int(head[0].split()[1]), json.loads(answer) if answer else None)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[2] != self._port():
            self.close()
        if self._streams is None:
            port = self._port()
            self._streams = (*await asyncio.open_connection("127.0.0.1", port), port)
        return self._streams[:2]

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


class Server:
    """`countermand serve` in a process of its own, started again and again on the same data."""

    def __init__(self, data: Path, *options: str, keeps_port: bool = False, program: str = COUNTERMAND) -> None:
        """It takes any free port at the first start, and another one at the next, unless it `keeps_port`."""
        self.data = data
        self._program = program
        self._keeps_port = keeps_port
        self.port = 1  # No process listens there.
        timeout = ["--confirm-timeout-ms", str(CONFIRM_TIMEOUT_MS)]
        self._options = ["--data", str(data), *timeout, "--port", "0", *keeping(options)]
        self._process: Forked | None = None
        self._log = data.with_name(f"{data.name}.log")

    async def start(self) -> None:
        ready = await self.spawn()
        assert ready.startswith("Countermand is ready:"), f"{ready!r}\n{self.log()}"
        self.port = int(ready.rpartition(":")[2])
        if self._keeps_port:
            self._options[self._options.index("--port") + 1] = str(self.port)

    async def spawn(self) -> str:
        """Starts it, and returns the first line that it prints; nothing if it ended without one."""
        with self._log.open("ab") as log:
            self._process = Forked(self._program, "serve", *self._options, stderr=log.fileno())
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            return (await asyncio.to_thread(self._process.stdout.readline)).strip()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def ended(self, seconds: float = 30) -> int:
        """Its exit status: negative, a signal's number, if it was killed."""
        assert self._process is not None
        await until(self._has_ended, seconds)
        self._process.close()
        return self._process.wait()

    async def _has_ended(self) -> bool:
        return not self.is_running

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self.ended()

    def sweep(self) -> None:
        """Removes the directory of PostgreSQL's socket. After a kill only the next start on the same data would."""
        if (self.data / "postgres" / "postmaster.pid").exists():
            shutil.rmtree(self._postmaster_file()[4], ignore_errors=True)

    def _postmaster_file(self) -> list[str]:
        return (self.data / "postgres" / "postmaster.pid").read_text().splitlines()

    def postmaster(self) -> int:
        """0 while it is only beginning: its file is there before its first line is."""
        lines = self._postmaster_file()
        return int(lines[0]) if lines else 0

    def backends(self) -> list[int]:
        """PostgreSQL's processes that serve a connection."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.postmaster() and b"[local]" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    # --- the sandbox

    async def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> Reply:
        http = Http(lambda: self.port)
        try:
            return await http.ask(method, path, body, token)
        finally:
            http.close()

    async def does(self, method: str, path: str, body: object = None) -> Any:
        reply = await self.ask(method, path, body)
        assert reply.status == 200, f"{method} {path}: {reply}"
        return reply.body

    async def price(self, dollars: str, mint: str = SOL) -> None:
        await self.does("PUT", "/sandbox/prices", {mint: dollars})

    async def faults(self, **faults: object) -> None:
        await self.does("PUT", "/sandbox/faults", faults)

    async def settled(self, timeout_ms: int = 10_000) -> None:
        answer = await self.does("POST", "/sandbox/settle", {"timeoutMs": timeout_ms})
        assert answer == {"settled": True}, f"{answer}\n{self.log()[-3_000:]}"

    async def audited(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self.does("GET", "/sandbox/audit")
        assert answer["ok"], f"{answer}\n{await command('audit', *self._where())}"
        return answer

    @property
    def database_url(self) -> str:
        return self._options[self._options.index("--database-url") + 1]

    def _where(self) -> list[str]:
        given = dict(pairwise(self._options))
        if "--database-url" not in given:
            return ["--data", str(self.data)]
        seed = given.get("--master-seed", str(self.data / "master-seed"))
        return ["--database-url", given["--database-url"], "--master-seed", seed]

    async def audited_from_outside(self) -> str:
        status, words = await command("audit", *self._where())
        assert status == 0, words
        return words


async def command(*arguments: str) -> tuple[int, str]:
    """Runs a command of Countermand to its end: its exit status, and all that it prints."""
    done = await asyncio.to_thread(run, COUNTERMAND, *arguments, seconds=START_S)
    return done.returncode, done.stdout + done.stderr


@asynccontextmanager
async def running(
    data: Path, *options: str, keeps_port: bool = False, program: str = COUNTERMAND
) -> AsyncIterator[Server]:
    if "--database-url" not in options:
        await asyncio.to_thread(gets_cluster, data)
    server = Server(data, *options, keeps_port=keeps_port, program=program)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
        server.sweep()


@asynccontextmanager
async def running_apart(
    postgres: EmbeddedPostgres, folder: Path, *options: str, program: str = COUNTERMAND
) -> AsyncIterator[Server]:
    """On a database of its own in a PostgreSQL that outlives it, so that it is back at once after each kill.

    For the tests of a file, one after the other. In the end its books agree, whatever happened in any of them.
    """
    name = f"apart_{next(NUMBERS)}"
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    url = postgres.dsn.replace("/postgres?", f"/{name}?")
    try:
        async with running(folder / "venue", "--database-url", url, *options, program=program) as server:
            yield server
            if server.is_running:  # No test failed in the middle.
                await server.audited()
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Asks again and again: another process sets no event of ours."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.005)


def signed(transaction: str, by: Keypair) -> str:
    """Fills the signer's own slot and leaves the others, as a wallet does."""
    unsigned = VersionedTransaction.from_bytes(base64.b64decode(transaction))
    keys = unsigned.message.account_keys
    signatures = list(unsigned.signatures)
    signatures[keys.index(by.pubkey())] = by.sign_message(to_bytes_versioned(unsigned.message))
    return base64.b64encode(bytes(VersionedTransaction.populate(unsigned.message, signatures))).decode()


TRIES_MAX: Final = 3


@dataclass
class Wallet:
    """A user of Trigger v2. Every method is one request and gives its reply, or raises `Lost`."""

    server: Server
    keypair: Keypair = field(default_factory=Keypair)
    token: str = ""

    def __post_init__(self) -> None:
        self.http = Http(lambda: self.server.port)

    @property
    def address(self) -> str:
        return str(self.keypair.pubkey())

    async def ask(self, method: str, path: str, body: object = None) -> Reply:
        return await self.http.ask(method, f"/trigger/v2{path}", body, self.token or None)

    async def does(self, method: str, path: str, body: object = None) -> Any:
        """A deposit that is slow to land, on a busy machine, is asked for again, as its answer says."""
        reply = await self.ask(method, path, body)
        for _ in range(TRIES_MAX - 1):
            if reply.status != 500 or not reply.body["error"].endswith("Retry with the same depositRequestId."):
                break
            reply = await self.ask(method, path, body)
        assert reply.status == 200, f"{method} {path}: {reply}"
        return reply.body

    async def comes(self, lamports: int = 10 * ONE_SOL, **tokens: int) -> None:
        """Gets money, logs in, and registers a vault."""
        await self.server.does(
            "POST", "/sandbox/airdrop", {"wallet": self.address, "mint": "SOL", "amount": str(lamports)}
        )
        for name, amount in tokens.items():
            asked = {"wallet": self.address, "mint": {"usdc": USDC, "jup": JUP}[name], "amount": str(amount)}
            await self.server.does("POST", "/sandbox/airdrop", asked)
        asked = {"walletPubkey": self.address, "type": "message"}
        challenge = (await self.does("POST", "/auth/challenge", asked))["challenge"]
        signature = base58.b58encode(bytes(self.keypair.sign_message(challenge.encode()))).decode()
        self.token = (await self.does("POST", "/auth/verify", {**asked, "signature": signature}))["token"]
        await self.does("GET", "/vault/register")

    async def craft(self, amount: int, selling: str = SOL, buying: str = USDC) -> Reply:
        asked = {"inputMint": selling, "outputMint": buying, "userAddress": self.address, "amount": str(amount)}
        return await self.ask("POST", "/deposit/craft", asked)

    def creation(self, crafted: dict[str, Any], price: str, condition: str = "above", **more: object) -> dict[str, Any]:
        """The body of a create, for a deposit that was crafted; sells SOL for USDC unless told otherwise."""
        return {
            "orderType": "single",
            "depositRequestId": crafted["requestId"],
            "depositSignedTx": signed(crafted["transaction"], self.keypair),
            "userPubkey": self.address,
            "inputMint": SOL,
            "inputAmount": crafted["amount"],
            "outputMint": USDC,
            "triggerMint": SOL,
            "triggerCondition": condition,
            "triggerPriceUsd": price,
            "slippageBps": 300,
            "expiresAt": int(time.time() * 1000) + 24 * HOUR_MS,
            **more,
        }

    async def create(self, creation: dict[str, Any]) -> Reply:
        return await self.ask("POST", "/orders/price", creation)

    async def places(self, price: str, amount: int = ONE_SOL) -> str:
        """Crafts and creates an order in one go. Its id."""
        crafted = await self.craft(amount)
        assert crafted.status == 200, crafted
        placed = await self.create(self.creation(crafted.body, price))
        assert placed.status == 200, placed
        order_id: str = placed.body["id"]
        return order_id

    async def amend(self, order_id: str, price: str) -> Reply:
        body = {"orderType": "single", "triggerPriceUsd": price}
        return await self.ask("PATCH", f"/orders/price/{order_id}", body)

    async def cancel(self, order_id: str) -> Reply:
        return await self.ask("POST", f"/orders/price/cancel/{order_id}")

    async def confirm(self, order_id: str, cancelling: dict[str, Any]) -> Reply:
        body = {
            "signedTransaction": signed(cancelling["transaction"], self.keypair),
            "cancelRequestId": cancelling["requestId"],
        }
        return await self.ask("POST", f"/orders/price/confirm-cancel/{order_id}", body)

    async def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.does("GET", f"/orders/history/{order_id}")
        return found

    async def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = await self.does("GET", f"/orders/history?limit=100&sort=created_at&dir=asc&offset={len(found)}")
            found += page["orders"]
            if len(found) >= page["pagination"]["total"]:
                return found

    async def is_in(self, order_id: str, state: str) -> bool:
        return bool((await self.order(order_id))["rawState"] == state)

    async def lamports(self) -> int:
        return int((await self._rpc("getBalance", self.address))["value"])

    async def units(self, mint: str) -> int:
        """Of a token, over all of the wallet's accounts."""
        found = await self._rpc("getTokenAccountsByOwner", self.address, {"mint": mint}, {"encoding": "jsonParsed"})
        infos = [account["account"]["data"]["parsed"]["info"] for account in found["value"]]
        return sum(int(info["tokenAmount"]["amount"]) for info in infos)

    async def _rpc(self, method: str, *params: object) -> Any:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        reply = await self.http.ask("POST", "/rpc", asked)
        assert reply.status == 200, reply
        assert "result" in reply.body, reply
        return reply.body["result"]


def kinds(order: dict[str, Any]) -> list[str]:
    """What happened to an order, the oldest first; failures left out."""
    return [event["type"] for event in reversed(order["events"]) if event["state"] == "success"]
