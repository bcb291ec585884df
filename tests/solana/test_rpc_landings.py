"""How the adapter of a node follows what lands: by histories, looked at when the node pushes or after a pause."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import base58
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from countermand.solana.port import AddressSignature, ChainUnavailable, LandedSignature
from countermand.solana.rpc.histories import in_order
from countermand.solana.rpc.push import websocket_url
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_PROGRAM, USDC_MINT
from tests.solana.rpc_node import ScriptedNode, scripted
from tests.solana.test_rpc import epoch

NOWHERE = "ws://127.0.0.1:1/?key=secret"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.solana.rpc.chain.LOOK_MS", 1)
    monkeypatch.setattr("countermand.solana.rpc.chain.SLOT_MS", 1)


@cache
def name(number: int) -> str:
    return base58.b58encode(number.to_bytes(64, "big")).decode()


Entry = tuple[int, int, tuple[str, ...]]
"""Slot, number, and the addresses that it mentions."""


@dataclass
class Cluster:
    """What landed, the oldest first. Slots up to `final` are final, and each question for the height adds some."""

    final: int = 100
    landed: list[Entry] = field(default_factory=list)
    per_look: int = 1

    def node(self) -> ScriptedNode:
        return ScriptedNode({"getEpochInfo": self.height, "getSignaturesForAddress": self.history})

    def height(self, _: object) -> object:
        self.final += self.per_look
        return epoch(self.final, self.final - 50)

    def history(self, address: str, config: dict[str, Any]) -> object:
        assert config["commitment"] == "finalized"
        if config["minContextSlot"] > self.final:
            return {"code": -32016, "message": "Minimum context slot has not been reached"}
        found = [
            {"signature": name(number), "slot": slot, "blockTime": slot, "err": None}
            for slot, number, mentions in reversed(self.landed)
            if address in mentions and slot <= self.final
        ]
        names = [each["signature"] for each in found]
        if "before" in config:
            found = found[names.index(config["before"]) + 1 :]
        elif config.get("until") in names:
            found = found[: names.index(config["until"])]
        return found[: config["limit"]]


async def heard(feed: AsyncIterator[LandedSignature], many: int) -> list[tuple[int, str]]:
    async with asyncio.timeout(60):
        return [(each.slot, each.signature) for each in [await anext(feed) for _ in range(many)]]


async def test_all_that_is_final_later_is_told_in_order() -> None:
    one, two, three = SYSTEM_PROGRAM, TOKEN_PROGRAM, USDC_MINT
    cluster = Cluster(landed=[(90, 1, (one,)), (99, 2, (one, two))])
    node = cluster.node()
    async with scripted(node, ws_url=NOWHERE) as chain, chain.landings([one, two, three]) as feed:
        # Some of one slot, some of two addresses.
        cluster.landed += [(102, 5, (two,)), (102, 4, (one, two)), (102, 3, (one,)), (103, 6, (two, three))]
        cluster.landed += [(108, 9, (three,)), (108, 8, (one, three)), (108, 7, (one,))]
        expected = [(slot, name(number)) for slot, number, _ in cluster.landed[2:]]
        assert await heard(feed, len(expected)) == expected
    bounds = [config.get("until") for _, config in node.questions("getSignaturesForAddress") if config["limit"] > 1]
    assert bounds[:3] == [name(2), name(2), None]
    assert bounds[-1] in (name(6), name(9))


async def test_a_slot_is_told_when_a_later_one_is_final() -> None:
    cluster = Cluster(per_look=0)
    async with scripted(cluster.node(), ws_url=NOWHERE) as chain, chain.landings([SYSTEM_PROGRAM]) as feed:
        cluster.landed.append((100, 1, (SYSTEM_PROGRAM,)))
        waits = asyncio.ensure_future(heard(feed, 2))
        await asyncio.sleep(0.05)
        assert not waits.done()
        cluster.landed += [(100, 2, (SYSTEM_PROGRAM,)), (101, 3, (SYSTEM_PROGRAM,))]
        cluster.final = 101
        assert await waits == [(100, name(1)), (100, name(2))]
        waits = asyncio.ensure_future(heard(feed, 1))
        await asyncio.sleep(0.05)
        assert not waits.done()
        cluster.final = 102
        assert await waits == [(101, name(3))]


async def test_what_became_final_while_it_began_is_told() -> None:
    cluster = Cluster(final=99, landed=[(98, 1, (SYSTEM_PROGRAM,)), (100, 2, (SYSTEM_PROGRAM,))])
    async with scripted(cluster.node(), ws_url=NOWHERE) as chain, chain.landings([SYSTEM_PROGRAM]) as feed:
        assert await heard(feed, 1) == [(100, name(2))]


async def test_the_newest_that_is_final_is_told_where_a_later_one_is_not() -> None:
    cluster = Cluster(landed=[(90, 1, (SYSTEM_PROGRAM,)), (101, 2, (SYSTEM_PROGRAM,))])
    async with scripted(cluster.node(), ws_url=NOWHERE) as chain:
        assert await chain.newest_final(SYSTEM_PROGRAM) == name(1)
        assert await chain.newest_final(TOKEN_PROGRAM) is None


async def test_what_the_newest_that_is_final_shows_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.solana.rpc.chain.LOOK_MS", 10**6)
    cluster = Cluster()
    async with scripted(cluster.node(), ws_url=NOWHERE) as chain, chain.landings([SYSTEM_PROGRAM]) as feed:
        waits = asyncio.ensure_future(heard(feed, 1))
        cluster.landed.append((101, 1, (SYSTEM_PROGRAM,)))
        await asyncio.sleep(0.02)
        assert not waits.done()
        cluster.final = 101
        await chain.newest_final(SYSTEM_PROGRAM)
        assert await waits == [(101, name(1))]


async def test_more_than_a_page_is_read_page_by_page_up_to_a_bound() -> None:
    many: list[Entry] = [(101 + number // 100, number, (SYSTEM_PROGRAM,)) for number in range(1, 2_500)]
    cluster = Cluster(per_look=0)
    node = cluster.node()
    async with scripted(node, ws_url=NOWHERE) as chain, chain.landings([SYSTEM_PROGRAM]) as feed:
        cluster.landed, cluster.final = many, 1_000
        assert await heard(feed, len(many)) == [(slot, name(number)) for slot, number, _ in many]
        cluster.landed = [(1_500, number, (SYSTEM_PROGRAM,)) for number in range(20_000)]
        cluster.final = 2_000
        with pytest.raises(ChainUnavailable, match="more than 10000 transactions"):
            await heard(feed, 1)
    assert len(node.questions("getSignaturesForAddress")) < 20


async def test_histories_that_contradict_each_other_are_unavailability() -> None:
    one, two = SYSTEM_PROGRAM, TOKEN_PROGRAM
    orders = {one: [1, 2], two: [2, 1]}
    cluster = Cluster()

    def history(address: str, config: dict[str, Any]) -> object:
        told = [{"signature": name(n), "slot": 101, "blockTime": 1, "err": None} for n in orders[address]]
        return [] if config["limit"] == 1 else told

    node = ScriptedNode({"getEpochInfo": cluster.height, "getSignaturesForAddress": history})
    async with scripted(node, ws_url=NOWHERE) as chain, chain.landings([one, two]) as feed:
        with pytest.raises(ChainUnavailable, match="different orders"):
            await heard(feed, 1)


async def test_a_history_that_is_not_newest_first_is_unavailability() -> None:
    told = [{"signature": name(n), "slot": 50 + n, "blockTime": 1, "err": None} for n in (1, 2)]
    node = ScriptedNode({"getEpochInfo": epoch(100, 50), "getSignaturesForAddress": told})
    async with scripted(node, ws_url=NOWHERE) as chain:
        with pytest.raises(ChainUnavailable, match="not newest first"):
            await chain.landings([SYSTEM_PROGRAM]).__aenter__()


async def test_a_node_that_fails_ends_the_subscription() -> None:
    cluster = Cluster()
    node = cluster.node()
    async with scripted(node, ws_url=NOWHERE) as chain, chain.landings([SYSTEM_PROGRAM]) as feed:
        node.results["getEpochInfo"] = {"code": -32005, "message": "Node is behind"}
        with pytest.raises(ChainUnavailable, match="Node is behind"):
            await heard(feed, 1)


# Pushes.


@dataclass
class Pusher:
    """A node's WebSocket. It answers each subscription with its number, or as `answer` says."""

    answer: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    subscribed: list[list[Any]] = field(default_factory=list)
    sockets: list[ServerConnection] = field(default_factory=list)

    async def serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                asked = json.loads(text)
                assert asked["method"] == "logsSubscribe"
                self.subscribed.append(asked["params"])
                said = {"result": 7 + asked["id"]} if self.answer is None else self.answer(asked)
                await socket.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"]} | said))

    async def push(self, slot: int) -> None:
        value: dict[str, Any] = {"signature": name(1), "err": None, "logs": []}
        params = {"result": {"context": {"slot": slot}, "value": value}, "subscription": 7}
        await self.sockets[-1].send(json.dumps({"jsonrpc": "2.0", "method": "logsNotification", "params": params}))


@contextlib.asynccontextmanager
async def serving(pusher: Pusher) -> AsyncIterator[str]:
    async with serve(pusher.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/?key=secret"


async def test_a_push_is_why_histories_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.solana.rpc.chain.UNCALLED_LOOK_MS", 10**6)
    cluster, pusher = Cluster(), Pusher()
    node = cluster.node()
    async with (
        serving(pusher) as url,
        scripted(node, ws_url=url) as chain,
        chain.landings([SYSTEM_PROGRAM, TOKEN_PROGRAM]) as feed,
    ):
        assert pusher.subscribed == [
            [{"mentions": [address]}, {"commitment": "finalized"}] for address in (SYSTEM_PROGRAM, TOKEN_PROGRAM)
        ]
        waits = asyncio.ensure_future(heard(feed, 2))
        looks = len(node.asked)
        await asyncio.sleep(0.05)
        assert len(node.asked) == looks
        # The node tells of its newest root alone: what landed in one that was skipped is found, too.
        cluster.landed += [(103, 1, (TOKEN_PROGRAM,)), (105, 2, (SYSTEM_PROGRAM,))]
        await pusher.push(105)
        assert await waits == [(103, name(1)), (105, name(2))]


async def test_a_socket_may_be_quiet_for_longer_than_a_request_may_take() -> None:
    cluster, pusher = Cluster(), Pusher()
    async with (
        serving(pusher) as url,
        scripted(cluster.node(), ws_url=url, timeout_ms=1_500) as chain,
        chain.landings([SYSTEM_PROGRAM]) as feed,
    ):
        waits = asyncio.ensure_future(heard(feed, 1))
        await asyncio.sleep(2)
        cluster.landed.append((103, 1, (SYSTEM_PROGRAM,)))
        await pusher.push(103)
        assert await waits == [(103, name(1))]


async def test_what_is_never_pushed_is_found_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.solana.rpc.chain.UNCALLED_LOOK_MS", 20)
    cluster = Cluster()
    async with (
        serving(Pusher()) as url,
        scripted(cluster.node(), ws_url=url) as chain,
        chain.landings([SYSTEM_PROGRAM]) as feed,
    ):
        cluster.landed.append((103, 1, (SYSTEM_PROGRAM,)))
        assert await heard(feed, 1) == [(103, name(1))]


@pytest.mark.parametrize("garbage", [None, "no JSON", b"bytes", '{"params":{"result":{"context":{"slot":-1}}}}'])
async def test_a_socket_that_ends_or_errs_ends_the_subscription(garbage: str | bytes | None) -> None:
    pusher = Pusher()
    node = Cluster().node()
    async with serving(pusher) as url, scripted(node, ws_url=url) as chain:
        async with chain.landings([SYSTEM_PROGRAM]) as feed:
            waits = asyncio.ensure_future(heard(feed, 1))
            await (pusher.sockets[-1].close() if garbage is None else pusher.sockets[-1].send(garbage))
            with pytest.raises(ChainUnavailable, match="no longer pushes what lands") as raised:
                await waits
        assert node.url in str(raised.value)
        assert "secret" not in str(raised.value)


async def test_a_node_without_pushes_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    refusing = Pusher(lambda _: {"error": {"code": -32601, "message": "Method not found"}})
    async with serving(refusing) as refuses:
        for url in (NOWHERE, refuses, "ws://127.0.0.1:99999/", "nonsense"):
            cluster = Cluster()
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                async with scripted(cluster.node(), ws_url=url) as chain, chain.landings([SYSTEM_PROGRAM]) as feed:
                    cluster.landed.append((103, 1, (SYSTEM_PROGRAM,)))
                    assert await heard(feed, 1) == [(103, name(1))]
            assert "does not push what lands, so it is asked" in caplog.text
            assert "secret" not in caplog.text


async def test_that_a_node_does_not_push_is_said_once_until_it_does(caplog: pytest.LogCaptureFixture) -> None:
    """One that is away is tried four times a second, for as long as it takes."""
    pusher, refusal = Pusher(), {"error": {"code": -32601, "message": "Method not found"}}
    async with serving(pusher) as url, scripted(Cluster().node(), ws_url=url) as chain:

        async def begins(many: int) -> None:
            for _ in range(many):
                async with chain.landings([SYSTEM_PROGRAM]):
                    pass

        with caplog.at_level(logging.WARNING):
            pusher.answer = lambda _: refusal
            await begins(3)
            pusher.answer = None
            await begins(1)
            pusher.answer = lambda _: refusal
            await begins(2)
    assert caplog.text.count("does not push what lands") == 2


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://localhost:8899", "ws://localhost:8900"),
        ("https://api.mainnet-beta.solana.com", "wss://api.mainnet-beta.solana.com"),
        ("https://node.example.org/key?a=b", "wss://node.example.org/key?a=b"),
        ("https://user:pass@node.example.org:8443/x", "wss://user:pass@node.example.org:8444/x"),
        ("http://[::1]:8899/", "ws://[::1]:8900/"),
        ("http://[::1]/", "ws://[::1]/"),
    ],
)
def test_the_websocket_is_where_clients_look_for_it(url: str, found: str) -> None:
    assert websocket_url(url) == found


def entry(slot: int, number: int) -> AddressSignature:
    return AddressSignature(name(number), slot, None, slot)


def test_histories_are_merged_by_what_they_share() -> None:
    histories = [
        [entry(1, 1), entry(2, 3), entry(2, 4)],
        [entry(2, 2), entry(2, 3), entry(3, 6)],
        [entry(2, 4), entry(2, 5)],
        [],
    ]
    merged = in_order(histories)
    assert [(each.slot, each.signature, each.position) for each in merged] == [
        (1, name(1), 0),
        (2, name(2), 0),
        (2, name(3), 1),
        (2, name(4), 2),
        (2, name(5), 3),
        (3, name(6), 0),
    ]
