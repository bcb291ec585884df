"""A chain with the facade before it, for the tests of both: in memory, or served on real sockets."""

import base64
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from countermand.gateway.asgi import App
from countermand.gateway.falcon_app import new_app
from countermand.gateway.http_gateway import HttpGateway
from countermand.gateway.listeners import claim
from countermand.gateway.server import Served
from countermand.settings import Settings
from countermand.solana.embedded import EmbeddedChain, Genesis
from countermand.solana.facade.dispatch import Dispatcher
from countermand.solana.facade.http import RpcResource, SocketHub
from countermand.solana.facade.methods import RpcMethods
from countermand.solana.facade.session import SocketLimits
from countermand.solana.ledger_store import LedgerStore
from countermand_simulator.memory_ledger import MemoryLedgerStore
from tests.gifts import faucet_of

MINT_AUTHORITY = Keypair.from_seed(bytes(range(32)))
"""Owns every mint of the chain: the clients mint with it."""


class RealClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    wall_ms = now_ms


def genesis_of(entropy: bytes) -> Genesis:
    return Genesis(entropy=entropy, faucet_seed=bytes([1] * 32), mint_authority_seed=MINT_AUTHORITY.secret())


@contextlib.asynccontextmanager
async def opened_chain(store: LedgerStore | None = None) -> AsyncIterator[EmbeddedChain]:
    chain = await EmbeddedChain.open(store or MemoryLedgerStore(), RealClock(), genesis=genesis_of(bytes(32)))
    try:
        yield chain
    finally:
        await chain.close()


async def funded(chain: EmbeddedChain) -> Keypair:
    """A new wallet with 2 SOL."""
    wallet = Keypair()
    await faucet_of(chain).airdrop(str(wallet.pubkey()), 2 * 10**9)
    return wallet


async def signed(chain: EmbeddedChain, wallet: Keypair, *instructions: Instruction, legacy: bool = False) -> bytes:
    blockhash = Hash.from_string((await chain.latest_blockhash()).blockhash)
    if legacy:
        message: Message | MessageV0 = Message.new_with_blockhash(list(instructions), wallet.pubkey(), blockhash)
    else:
        message = MessageV0.try_compile(wallet.pubkey(), list(instructions), [], blockhash)
    return bytes(VersionedTransaction(message, [wallet]))


def transfer_of(wallet: Keypair, lamports: int, to: Pubkey | None = None) -> Instruction:
    return transfer(TransferParams(from_pubkey=wallet.pubkey(), to_pubkey=to or Pubkey.new_unique(), lamports=lamports))


def signature_of(raw: bytes) -> str:
    return str(VersionedTransaction.from_bytes(raw).signatures[0])


def base64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass
class Facade:
    """The methods without a socket. `call` answers the result, `fails` the error."""

    chain: EmbeddedChain
    sent: list[bytes] = field(default_factory=list)
    loses_transactions: bool = False

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(RpcMethods(self.chain, self._send, faucet_of(self.chain).airdrop).by_name())

    async def _send(self, raw: bytes) -> None:
        self.sent.append(raw)
        if not self.loses_transactions:
            await self.chain.send(raw)

    async def answer(self, body: bytes) -> Any:
        answer = await self.dispatcher.answer(body)
        return msgspec.json.decode(answer.body) if answer.body else None

    async def request(self, method: str, *params: object) -> dict[str, Any]:
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        answer = await self.answer(body)
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 7
        assert ("result" in answer) != ("error" in answer)
        return dict(answer)

    async def call(self, method: str, *params: object) -> Any:
        answer = await self.request(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def value(self, method: str, *params: object) -> Any:
        return (await self.call(method, *params))["value"]

    async def fails(self, method: str, *params: object) -> Any:
        answer = await self.request(method, *params)
        assert "error" in answer, answer
        return answer["error"]


@dataclass
class Node:
    """The facade served by Granian on two ports, the second for those clients that look for the WebSocket there."""

    chain: EmbeddedChain
    hub: SocketHub
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/rpc"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port + 1}/rpc"


@contextlib.asynccontextmanager
async def served(
    chain: EmbeddedChain,
    *,
    limits: SocketLimits | None = None,
    send: Callable[[bytes], Awaitable[None]] | None = None,
    is_up: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Node]:
    hub = SocketHub(chain, limits=limits, is_up=is_up)
    app = new_app()
    app.add_route("/rpc", RpcResource(chain, hub, send=send, airdrop=faucet_of(chain).airdrop, is_up=is_up))
    server, listeners = Served(HttpGateway(cast(App, app), Settings())), claim("127.0.0.1", 0)
    await server.open(listeners)
    try:
        yield Node(chain, hub, listeners.port)
    finally:
        await hub.close()
        server.refuse_new()
        await server.closed(1)
        await server.cut()
