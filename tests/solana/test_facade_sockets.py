"""The facade on real sockets: HTTP, and what a WebSocket hears."""

import asyncio
import base64
import contextlib
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx2
import msgspec
import pytest
from falcon.asgi import WebSocket
from solders.pubkey import Pubkey
from solders.rpc.responses import SlotUpdateNotification, parse_websocket_message
from solders.signature import Signature
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.session import Backlog, Session, SocketLimits
from countermand.solana.facade.subscriptions import Subscriptions
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_PROGRAM, USDC_MINT, associated_token_address
from tests.gifts import faucet_of
from tests.solana.chain_support import FaultyStore
from tests.solana.facade_venue import Node, funded, genesis_of, opened_chain, served, signature_of, signed, transfer_of

TIGHT = SocketLimits(
    subscriptions_max=5, queued_messages_max=50, queued_bytes_max=64 * 1024, request_characters_max=10_000
)


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
async def node(chain: EmbeddedChain) -> AsyncIterator[Node]:
    async with served(chain) as running:
        yield running


@pytest.fixture
async def tight_node(chain: EmbeddedChain) -> AsyncIterator[Node]:
    async with served(chain, limits=TIGHT) as running:
        yield running


class Listener:
    """A client that keeps answers and notifications apart."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = 0
        self._heard: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            return dict(msgspec.json.decode(await self.connection.recv()))

    async def asks(self, method: str, *params: object) -> dict[str, Any]:
        self._ids += 1
        request = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        await self.connection.send(msgspec.json.encode(request).decode())
        while "id" not in (message := await self.next()):
            self._heard.append(message)
        assert message["id"] == self._ids
        return message

    async def gets(self, method: str, *params: object) -> Any:
        answer = await self.asks(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def hears(self, method: str, subscription: int) -> Any:
        """The result of the next notification, which must be this one."""
        message = self._heard.pop(0) if self._heard else await self.next()
        assert message["method"] == method
        assert message["params"]["subscription"] == subscription
        return message["params"]["result"]

    async def hears_nothing(self) -> None:
        """An answer comes after whatever was to come before it."""
        await self.gets("ping")
        assert self._heard == []


@contextlib.asynccontextmanager
async def listening(node: Node) -> AsyncIterator[Listener]:
    async with connect(node.ws_url) as connection:
        yield Listener(connection)


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_requests_over_http(node: Node) -> None:
    async with httpx2.AsyncClient() as client:
        request = b'{"jsonrpc":"2.0","id":1,"method":"getHealth"}'
        answer = await client.post(node.url, content=request)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.content == b'{"jsonrpc":"2.0","result":"ok","id":1}'
        broken = await client.post(node.url, content=b"{")
        assert (broken.status_code, broken.json()["error"]["code"]) == (200, -32700)
        assert (await client.post(node.url, content=b"[" * 300_000)).status_code == 413
        assert (await client.get(node.url)).status_code == 405
        await node.chain.close()
        down = await client.post(node.url, content=request)
        assert (down.status_code, down.json()["error"]["code"]) == (503, -32005)


async def test_a_switch_makes_it_unavailable(chain: EmbeddedChain) -> None:
    up = True
    request = b'[{"jsonrpc":"2.0","id":1,"method":"getHealth"}]'
    async with served(chain, is_up=lambda: up) as node, httpx2.AsyncClient() as client:
        assert (await client.post(node.url, content=request)).status_code == 200
        async with listening(node) as listener:
            assert await listener.gets("signatureSubscribe", str(Signature.default())) == 1
            up = False
            assert (await client.post(node.url, content=request)).status_code == 503
            assert (await listener.asks("slotSubscribe"))["error"]["code"] == -32005


async def test_a_signature_is_told_once_and_then_forgotten(node: Node, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6))
    failing = await signed(chain, wallet, transfer_of(wallet, 10**12))
    async with listening(node) as listener:
        subscription = await listener.gets("signatureSubscribe", signature_of(raw), {"commitment": "confirmed"})
        await chain.send(raw)
        told = await listener.hears("signatureNotification", subscription)
        assert told == {"context": {"slot": told["context"]["slot"]}, "value": {"err": None}}
        assert (await listener.asks("signatureUnsubscribe", subscription))["error"]["code"] == -32602
        subscription = await listener.gets("signatureSubscribe", signature_of(failing), None)
        await chain.send(failing)
        told = await listener.hears("signatureNotification", subscription)
        assert told["value"] == {"err": {"InstructionError": [0, {"Custom": 1}]}}


async def test_a_signature_that_landed_before_is_told_at_once(node: Node, chain: EmbeddedChain) -> None:
    signature = await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    async with listening(node) as listener:
        subscription = await listener.gets("signatureSubscribe", signature, {"enableReceivedNotification": True})
        assert (await listener.hears("signatureNotification", subscription))["value"] == "receivedSignature"
        assert (await listener.hears("signatureNotification", subscription))["value"] == {"err": None}
        await listener.hears_nothing()


async def test_an_answer_comes_before_the_notification_in_a_batch_too(node: Node, chain: EmbeddedChain) -> None:
    signature = await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
    calls = [{"jsonrpc": "2.0", "id": i, "method": "signatureSubscribe", "params": [signature]} for i in range(3)]
    async with listening(node) as listener:
        await listener.connection.send(msgspec.json.encode(calls).decode())
        answers = msgspec.json.decode(await listener.connection.recv())
        assert [answer["id"] for answer in answers] == [0, 1, 2]
        for answer in answers:
            await listener.hears("signatureNotification", answer["result"])


async def test_an_account_is_told_as_it_is_after_each_change(node: Node, chain: EmbeddedChain) -> None:
    wallet, to = await funded(chain), Pubkey.new_unique()
    async with listening(node) as listener:
        config = {"encoding": "base64", "commitment": "confirmed"}
        subscription = await listener.gets("accountSubscribe", str(to), config)
        await chain.send(await signed(chain, wallet, transfer_of(wallet, 10**6, to)))
        told = await listener.hears("accountNotification", subscription)
        assert told["value"] == {
            "data": ["", "base64"],
            "executable": False,
            "lamports": 1_000_000,
            "owner": SYSTEM_PROGRAM,
            "rentEpoch": 18446744073709551615,
            "space": 0,
        }
        assert await listener.gets("accountUnsubscribe", subscription) is True
        await chain.send(await signed(chain, wallet, transfer_of(wallet, 10**6, to)))
        await chain.settle()
        await listener.hears_nothing()


async def test_an_account_that_ends_is_told_as_empty(node: Node, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    async with listening(node) as listener:
        subscription = await listener.gets("accountSubscribe", str(wallet.pubkey()))
        await chain.send(await signed(chain, wallet, transfer_of(wallet, 2 * 10**9 - 5_000)))
        told = await listener.hears("accountNotification", subscription)
        assert (told["value"]["lamports"], told["value"]["data"]) == (0, "")


async def test_an_account_is_told_as_it_is_on_another_ledger(node: Node, chain: EmbeddedChain) -> None:
    wallet = str((await funded(chain)).pubkey())
    async with listening(node) as listener:
        subscription = await listener.gets("accountSubscribe", wallet, {"encoding": "base64"})
        await chain.reset(genesis_of(bytes([2] * 32)))
        told = await listener.hears("accountNotification", subscription)
        assert (told["value"]["lamports"], told["context"]["slot"]) == (0, chain.slot)
        await faucet_of(chain).airdrop(wallet, 10**9)
        told = await listener.hears("accountNotification", subscription)
        assert told["value"]["lamports"] == 10**9
        await listener.hears_nothing()


async def test_a_program_is_told_nothing_of_another_ledger(node: Node, chain: EmbeddedChain) -> None:
    """Not even of an account that another socket watches."""
    wallet = str((await funded(chain)).pubkey())
    async with listening(node) as of_account, listening(node) as of_program:
        watched = await of_account.gets("accountSubscribe", wallet)
        subscription = await of_program.gets("programSubscribe", SYSTEM_PROGRAM)
        await chain.reset(genesis_of(bytes([2] * 32)))
        await of_account.hears("accountNotification", watched)
        await of_program.hears_nothing()
        await faucet_of(chain).airdrop(wallet, 10**9)
        told = [await of_program.hears("programNotification", subscription) for _ in range(2)]
        assert wallet in [each["value"]["pubkey"] for each in told]


async def test_a_program_is_told_with_its_filters(node: Node, chain: EmbeddedChain) -> None:
    alice, bob = str(Pubkey.new_unique()), str(Pubkey.new_unique())
    account = associated_token_address(alice, USDC_MINT)
    async with listening(node) as listener:
        filters = [{"dataSize": 165}, {"memcmp": {"offset": 32, "bytes": alice}}]
        parsed = {"encoding": "jsonParsed", "filters": filters}
        subscription = await listener.gets("programSubscribe", TOKEN_PROGRAM, parsed)
        in_base58 = await listener.gets("accountSubscribe", account)
        await faucet_of(chain).mint_to(bob, USDC_MINT, 5)
        await faucet_of(chain).mint_to(alice, USDC_MINT, 7)
        told = await listener.hears("accountNotification", in_base58)
        assert told["value"]["data"] == "error: data too large for bs58 encoding"
        told = await listener.hears("programNotification", subscription)
        assert told["value"]["pubkey"] == account
        assert told["value"]["account"]["data"]["parsed"]["info"]["tokenAmount"]["amount"] == "7"
        await listener.hears_nothing()


async def test_logs_of_all_and_of_those_that_mention_an_account(node: Node, chain: EmbeddedChain) -> None:
    wallet, other = await funded(chain), await funded(chain)
    async with listening(node) as everything, listening(node) as mentions:
        of_all = await everything.gets("logsSubscribe", "all")
        of_wallet = await mentions.gets(
            "logsSubscribe", {"mentions": [str(wallet.pubkey())]}, {"commitment": "finalized"}
        )
        for sender in (other, wallet):
            raw = await signed(chain, sender, transfer_of(sender, 10**6))
            await chain.send(raw)
            told = await everything.hears("logsNotification", of_all)
            assert told["value"]["signature"] == signature_of(raw)
            assert told["value"]["err"] is None
            assert told["value"]["logs"][-1] == "Program 11111111111111111111111111111111 success"
        assert (await mentions.hears("logsNotification", of_wallet))["value"]["signature"] == signature_of(raw)
        wrongs: tuple[Any, ...] = (
            "some",
            {"mentions": []},
            {"mentions": [USDC_MINT, USDC_MINT]},
            {"mentions": ["x"]},
            7,
        )
        for wrong in wrongs:
            assert (await mentions.asks("logsSubscribe", wrong))["error"]["code"] == -32602


@pytest.mark.parametrize("failure", ["after", "before"])
async def test_what_a_commit_without_an_answer_wrote_is_told_when_it_is_known(failure: str) -> None:
    store = FaultyStore()
    async with opened_chain(store) as chain, served(chain) as node, listening(node) as listener:
        wallet, to = await funded(chain), Pubkey.new_unique()
        raw = await signed(chain, wallet, transfer_of(wallet, 10**9, to))
        subscribed = {
            "signatureNotification": await listener.gets("signatureSubscribe", signature_of(raw)),
            "logsNotification": await listener.gets("logsSubscribe", {"mentions": [str(to)]}),
            "accountNotification": await listener.gets("accountSubscribe", str(to)),
        }
        store.failing = [failure]
        await chain.send(raw)
        await until(lambda: not store.failing)
        await asyncio.wait_for(chain.ready(), 30)
        if failure == "after":
            for method, subscription in subscribed.items():
                await listener.hears(method, subscription)
        await listener.hears_nothing()


async def test_a_block_that_a_commit_without_an_answer_wrote_is_told_with_what_landed() -> None:
    store = FaultyStore()
    async with opened_chain(store) as chain, served(chain) as node, listening(node) as listener:
        wallet = await funded(chain)
        shape = {"transactionDetails": "signatures", "maxSupportedTransactionVersion": 0}
        subscription = await listener.gets("blockSubscribe", "all", shape)
        await listener.hears("blockNotification", subscription)
        raw = await signed(chain, wallet, transfer_of(wallet, 10**9))
        store.failing = ["after"]
        await chain.send(raw)
        told: list[str] = []
        async with asyncio.timeout(30):
            while not told:
                told = (await listener.hears("blockNotification", subscription))["value"]["block"]["signatures"]
        assert told == [signature_of(raw)]


async def test_slots_and_roots_go_on(node: Node) -> None:
    async with listening(node) as listener:
        subscription = await listener.gets("slotSubscribe")
        first = await listener.hears("slotNotification", subscription)
        second = await listener.hears("slotNotification", subscription)
        assert first["slot"] < second["slot"]
        assert second == {"parent": second["slot"] - 1, "root": second["slot"], "slot": second["slot"]}
        assert await listener.gets("slotUnsubscribe", subscription) is True
        root = await listener.gets("rootSubscribe")
        assert await listener.hears("rootNotification", root) > second["slot"]


async def test_the_steps_of_slots_are_told(node: Node, chain: EmbeddedChain) -> None:
    """web3.js subscribes again and again, without a pause, where it is refused."""
    async with listening(node) as listener:
        subscription = await listener.gets("slotsUpdatesSubscribe")

        async def steps() -> list[dict[str, Any]]:
            return [await listener.hears("slotsUpdatesNotification", subscription) for _ in range(6)]

        first = await steps()
        wallet = await funded(chain)
        for lamports in (10**6, 10**15):
            await chain.send(await signed(chain, wallet, transfer_of(wallet, lamports)))
        await chain.settle()
        stats = Counter[str]()
        while stats["numTransactionEntries"] < 3:  # The slot may have passed in between.
            told = await steps()
            stats.update(told[1]["stats"])
        slot = told[-1]["slot"]
        assert slot > first[-1]["slot"]
        assert [(each["type"], each["slot"]) for each in told] == [
            ("completed", slot - 1),
            ("frozen", slot - 1),
            ("optimisticConfirmation", slot - 1),
            ("root", slot - 1),
            ("firstShredReceived", slot),
            ("createdBank", slot),
        ]
        assert told[-1]["parent"] == slot - 1
        assert (stats["numSuccessfulTransactions"], stats["numFailedTransactions"]) == (2, 1)
        assert told[1]["stats"]["maxTransactionsPerEntry"] == 1
        assert all(abs(each["timestamp"] - chain.wall_ms) < 10_000 for each in told)
        for each in told:
            params = {"result": each, "subscription": subscription}
            notification = {"jsonrpc": "2.0", "method": "slotsUpdatesNotification", "params": params}
            (read,) = parse_websocket_message(msgspec.json.encode(notification).decode())
            assert isinstance(read, SlotUpdateNotification)


async def test_what_a_socket_may_not_ask(tight_node: Node) -> None:
    async with listening(tight_node) as listener:
        assert await listener.gets("ping") is None
        assert (await listener.asks("getSlot"))["error"]["code"] == -32601
        assert (await listener.asks("voteSubscribe"))["error"]["code"] == -32601
        assert (await listener.asks("accountSubscribe", "x"))["error"]["code"] == -32602
        assert (await listener.asks("accountUnsubscribe", 99))["error"]["code"] == -32602
        assert (await listener.asks("voteUnsubscribe", 1))["error"]["code"] == -32601
        await listener.connection.send("{")
        assert (await listener.next())["error"]["code"] == -32700
        subscriptions = [await listener.gets("signatureSubscribe", str(Signature.new_unique())) for _ in range(5)]
        error = (await listener.asks("slotSubscribe"))["error"]
        assert error["message"] == "Subscription refused. The limit of a connection is reached (5)"
        await listener.gets("signatureUnsubscribe", subscriptions[0])
        await listener.gets("slotSubscribe")


async def test_subscriptions_that_ended_make_room(tight_node: Node, chain: EmbeddedChain) -> None:
    async with listening(tight_node) as listener:
        for _ in range(12):
            signature = await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
            subscription = await listener.gets("signatureSubscribe", signature)
            await listener.hears("signatureNotification", subscription)


@pytest.mark.parametrize(("message", "code"), [(b"bytes", 1003), ("x" * 10_001, 1009)])
async def test_messages_that_end_a_socket(tight_node: Node, message: bytes | str, code: int) -> None:
    async with connect(tight_node.ws_url) as connection:
        await connection.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
    await until(lambda: len(tight_node.hub) == 0)


async def test_a_client_that_leaves_leaves_nothing_behind(node: Node, chain: EmbeddedChain) -> None:
    async with listening(node) as listener:
        for method, *params in (("slotSubscribe",), ("logsSubscribe", "all"), ("accountSubscribe", USDC_MINT)):
            await listener.gets(method, *params)
        assert (len(node.hub), node.hub.subscriptions) == (1, 3)
        listener.connection.transport.abort()
        await until(lambda: len(node.hub) == 0)
    assert node.hub.subscriptions == 0
    await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)


def raw_socket(port: int) -> socket.socket:
    """A WebSocket whose owner decides byte by byte; its receive buffer is small."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    opened.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    opened.sendall(
        f"GET /rpc HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    opened.setblocking(False)
    return opened


def frame(text: bytes) -> bytes:
    """A text frame with a mask of zeros."""
    length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


async def test_a_client_that_does_not_read_is_cut_off(tight_node: Node, chain: EmbeddedChain) -> None:
    loop = asyncio.get_running_loop()
    with raw_socket(tight_node.port + 1) as deaf:
        await until(lambda: len(tight_node.hub) == 1)
        await loop.sock_sendall(deaf, frame(b'{"jsonrpc":"2.0","id":1,"method":"logsSubscribe","params":["all"]}'))
        await until(lambda: tight_node.hub.subscriptions == 1)
        async with listening(tight_node) as attentive, asyncio.timeout(20):
            subscription = await attentive.gets("logsSubscribe", "all")
            while len(tight_node.hub) == 2:
                await asyncio.gather(
                    *(faucet_of(chain).mint_to(str(Pubkey.new_unique()), USDC_MINT, 1) for _ in range(20))
                )
                for _ in range(20):
                    await attentive.hears("logsNotification", subscription)
            await attentive.hears_nothing()
            assert tight_node.hub.subscriptions == 1


class DeafSocket:
    """Takes nothing that is sent to it."""

    closed = False

    def __init__(self) -> None:
        self.codes: list[int] = []

    async def accept(self) -> None:
        pass

    async def receive_text(self) -> str:
        return await asyncio.Future()

    async def send_text(self, _text: str) -> None:
        await asyncio.Future()

    async def close(self, code: int) -> None:
        self.codes.append(code)


@pytest.mark.parametrize(
    ("limits", "messages"), [(SocketLimits(queued_messages_max=10), 10), (SocketLimits(queued_bytes_max=1_000), 10)]
)
async def test_what_waits_to_be_read_is_limited(chain: EmbeddedChain, limits: SocketLimits, messages: int) -> None:
    """By number and by bytes: ten messages of a hundred bytes may wait here, behind the one that is being sent."""
    deaf, subscriptions = DeafSocket(), Subscriptions(chain)
    session = Session(cast(WebSocket, deaf), subscriptions, limits, lambda: True)
    running = asyncio.create_task(session.run())
    await asyncio.sleep(0)
    session.notify(b"x" * 100)
    await asyncio.sleep(0)
    for _ in range(messages):
        session.notify(b"x" * 100)
    await asyncio.sleep(0)
    assert deaf.codes == []
    session.notify(b"x" * 100)
    await asyncio.wait_for(running, 30)
    assert deaf.codes == [1013]
    await subscriptions.close()


async def test_all_sockets_together_have_a_bound(chain: EmbeddedChain) -> None:
    """C6: and what the one that was closed held is free again."""
    subscriptions, backlog = Subscriptions(chain), Backlog(bytes_max=1_000)
    deaf = [DeafSocket(), DeafSocket()]
    sessions = [
        Session(cast(WebSocket, socket), subscriptions, SocketLimits(), lambda: True, backlog) for socket in deaf
    ]
    running = [asyncio.create_task(session.run()) for session in sessions]
    await asyncio.sleep(0)
    for session in sessions:
        for _ in range(2):  # One is being sent, one waits.
            session.notify(b"x" * 400)
            await asyncio.sleep(0)
    sessions[0].notify(b"x" * 400)
    await asyncio.wait_for(running[0], 30)
    assert (deaf[0].codes, deaf[1].codes, backlog.bytes) == ([1013], [], 400)
    sessions[1].notify(b"x" * 400)
    await asyncio.sleep(0)
    assert deaf[1].codes == []
    sessions[1].end(1001)
    await asyncio.wait_for(running[1], 30)
    assert backlog.bytes == 0
    await subscriptions.close()


async def test_a_client_that_asks_without_reading_is_not_read_either(tight_node: Node) -> None:
    """The answers to one that never reads stay bounded, and others are served meanwhile."""
    loop = asyncio.get_running_loop()
    ping = b'{"jsonrpc":"2.0","id":"%s","method":"ping"}' % (b"x" * 200)
    request = frame(b"[" + b",".join([ping] * 20) + b"]")
    with raw_socket(tight_node.port + 1) as deaf:
        await until(lambda: len(tight_node.hub) == 1)
        (session,) = tight_node.hub._sessions.values()
        sending = asyncio.create_task(loop.sock_sendall(deaf, request * 10_000))
        stands = 0
        while stands < 10:  # Until the buffers of both sides are full.
            await asyncio.sleep(0.05)
            stands = stands + 1 if session._queue else 0
            assert len(session._queue) <= TIGHT.queued_messages_max
        assert session._close_code is None
        async with listening(tight_node) as listener:
            assert await listener.gets("ping") is None
        assert not sending.done()
        sending.cancel()


async def test_closing_says_goodbye_to_everybody(node: Node) -> None:
    async with listening(node) as first, listening(node) as second:
        with raw_socket(node.port) as silent:
            await until(lambda: len(node.hub) == 3)
            await first.gets("slotSubscribe")
            async with asyncio.timeout(9):
                await node.hub.close()
            for listener in (first, second):
                await listener.connection.wait_closed()
                assert listener.connection.close_code == 1001
            assert len(node.hub) == 0
            assert silent.fileno() > 0
        with pytest.raises(InvalidStatus):
            await connect(node.ws_url)


async def test_many_idle_sockets_disturb_no_client(node: Node, chain: EmbeddedChain) -> None:
    """300 here, to be quick; 1,500 were tried by hand."""
    idle = await asyncio.gather(*(connect(node.ws_url, ping_interval=None) for _ in range(300)))
    assert len(node.hub) == 300
    async with listening(node) as listener, httpx2.AsyncClient() as client:
        signature = await faucet_of(chain).airdrop(str(Pubkey.new_unique()), 10**9)
        subscription = await listener.gets("signatureSubscribe", signature)
        await listener.hears("signatureNotification", subscription)
        request = b'{"jsonrpc":"2.0","id":1,"method":"getHealth"}'
        assert (await client.post(node.url, content=request)).status_code == 200
    for connection in idle[:150]:
        connection.transport.abort()
    await until(lambda: len(node.hub) == 150)
