"""One order, walked, while the venue kills itself at every point of every step."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import (
    ONE_SOL,
    THOROUGH,
    USDC,
    Lost,
    Reply,
    Server,
    Wallet,
    kinds,
    running_apart,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEFORE_COMMIT, AFTER_COMMIT, BEFORE_SEND, AFTER_SEND = "before-commit", "after-commit", "before-send", "after-send"
POINTS: Final = (BEFORE_COMMIT, AFTER_COMMIT, BEFORE_SEND, AFTER_SEND)
OF_THE_COMMIT: Final = POINTS if THOROUGH else (BEFORE_COMMIT, AFTER_COMMIT)
"""For steps that send nothing themselves: there the other points are those of a later step."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_apart(postgres, tmp_path_factory.mktemp("walk")) as server:
        yield server


@dataclass
class Walk:
    """A wallet, its order, and what it was told. It goes on whatever happens to the venue."""

    server: Server
    wallet: Wallet
    creation: dict[str, Any] = field(default_factory=dict)
    order_id: str = ""
    cancellings: list[dict[str, Any]] = field(default_factory=list)
    deaths: int = 0

    async def insist(self, request: Callable[[], Awaitable[Reply]]) -> Reply:
        """Repeats the request, as the documentation says, until an answer says what happened."""
        for _ in range(20):
            try:
                reply = await request()
            except Lost:
                await self.revive()
                continue
            if reply.is_definite:
                return reply
        raise AssertionError(f"no definite answer: {reply}")

    async def revive(self) -> None:
        """The venue killed itself: it is started again."""
        assert await self.server.ended() == -9, self.server.log()[-3_000:]
        self.deaths += 1
        await self.server.start()

    async def survive(self) -> None:
        """Waits for the death that was asked for, and starts the venue again."""
        await self.server.ended()
        await self.revive()

    # --- the steps

    async def craft(self) -> None:
        crafted = await self.insist(lambda: self.wallet.craft(ONE_SOL))
        assert crafted.status == 200, crafted
        self.creation = self.wallet.creation(crafted.body, "200")

    async def create(self) -> None:
        placed = await self.insist(lambda: self.wallet.create(self.creation))
        assert placed.status == 200, placed
        self.order_id = placed.body["id"]

    async def price(self, dollars: str) -> None:
        await self.insist(lambda: self.server.ask("PUT", "/sandbox/prices", {self.creation["inputMint"]: dollars}))

    async def cancel(self) -> None:
        cancelling = await self.insist(lambda: self.wallet.cancel(self.order_id))
        assert cancelling.status == 200, cancelling
        self.cancellings.append(cancelling.body)
        assert cancelling.body["requestId"] == self.cancellings[0]["requestId"]

    async def confirm(self, nth: int = -1) -> Reply:
        return await self.insist(lambda: self.wallet.confirm(self.order_id, self.cancellings[nth]))

    async def sees(self, state: str) -> None:
        await until(lambda: self.wallet.is_in(self.order_id, state))

    async def lies_open(self) -> None:
        await self.craft()
        await self.create()
        await self.sees("open")

    async def only_order(self) -> dict[str, Any] | None:
        orders = await self.wallet.orders()
        assert len(orders) <= 1, orders
        return orders[0] if orders else None

    # --- the two ends

    async def is_withdrawn(self) -> None:
        confirmed = await self.confirm()
        assert confirmed.status == 200, confirmed
        await self.server.settled()
        order = await self.wallet.order(self.order_id)
        assert order["rawState"] == "cancelled"
        assert kinds(order) == ["deposit", "cancelled", "withdrawal"]
        withdrawal = order["events"][0]
        assert withdrawal["txSignature"] == confirmed.body["txSignature"] == (await self.confirm()).body["txSignature"]
        assert 10 * ONE_SOL - await self.wallet.lamports() < 200_000, "only network fees are gone"

    async def is_filled(self) -> None:
        await self.server.settled()
        order = await self.wallet.order(self.order_id)
        assert order["rawState"] == "fill_success", order
        assert kinds(order) == ["deposit", "fill"]
        assert str(await self.wallet.units(USDC)) == order["outputAmount"]
        assert 9 * ONE_SOL - await self.wallet.lamports() < 3_000_000, "the order and its account's rent are gone"
        refused = await self.wallet.cancel(self.order_id)
        assert refused.status == 400, refused


@pytest_asyncio.fixture(loop_scope="module")
async def walk(server: Server) -> AsyncIterator[Walk]:
    if not server.is_running:  # A test before this one failed.
        await server.start()
    await server.faults()
    await server.price("150")
    wallet = Wallet(server)
    await wallet.comes()
    yield Walk(server, wallet)
    wallet.http.close()


async def quietly(request: Awaitable[Reply]) -> Reply | None:
    with suppress(Lost):
        return await request
    return None


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_craft(walk: Walk, point: str) -> None:
    await walk.server.faults(crash=point)
    await walk.craft()
    await walk.create()
    assert walk.deaths == 1
    await walk.cancel()
    await walk.is_withdrawn()


@pytest.mark.parametrize("point", POINTS)
async def test_at_the_create(walk: Walk, point: str) -> None:
    await walk.craft()
    await walk.server.faults(crash=point)
    assert await quietly(walk.wallet.create(walk.creation)) is None
    await walk.survive()
    if point == BEFORE_COMMIT:
        assert await walk.only_order() is None
    else:  # It lands without the user.
        order = await walk.only_order()
        assert order is not None
        walk.order_id = order["id"]
        await walk.sees("open")
    again = await walk.wallet.create(walk.creation)
    assert again.status == 200, again
    assert again.body.get("message") == (None if point == BEFORE_COMMIT else "Order already created")
    assert again.body["id"] == (walk.order_id or again.body["id"])
    walk.order_id = again.body["id"]
    await walk.price("250")
    await walk.is_filled()


@pytest.mark.parametrize("point", POINTS)
async def test_when_the_deposit_landed(walk: Walk, point: str) -> None:
    """The points of a send are passed when a deposit that was lost is sent again."""
    await walk.craft()
    lost = point in (BEFORE_SEND, AFTER_SEND)
    await walk.server.faults(**({"dropTransactions": 1} if lost else {"landDelayMs": 150}))
    creating = asyncio.create_task(quietly(walk.wallet.create(walk.creation)))
    onlooker = Wallet(walk.server, walk.wallet.keypair, walk.wallet.token)
    await until(lambda: has_placed(onlooker))
    walk.order_id = (await onlooker.orders())[0]["id"]
    onlooker.http.close()
    await walk.server.faults(crash=point)
    await walk.survive()
    reply = await creating
    assert reply is None or not reply.is_definite or point == AFTER_COMMIT, reply
    await walk.sees("open")
    await walk.create()
    await walk.cancel()
    await walk.is_withdrawn()


async def has_placed(wallet: Wallet) -> bool:
    return bool(await wallet.orders())


@pytest.mark.parametrize("point", POINTS)
async def test_at_the_crossing(walk: Walk, point: str) -> None:
    await walk.lies_open()
    await walk.server.faults(crash=point)
    with suppress(Lost):
        await walk.server.ask("PUT", "/sandbox/prices", {walk.creation["inputMint"]: "250"})
    await walk.survive()
    if point == BEFORE_COMMIT:
        await walk.server.settled()
        assert (await walk.wallet.order(walk.order_id))["rawState"] == "open"
        await walk.price("250")
    await walk.is_filled()


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_attempt(walk: Walk, point: str) -> None:
    await walk.lies_open()
    await walk.server.faults(rpcDown=True)
    await walk.price("250")
    assert (await walk.wallet.order(walk.order_id))["rawState"] == "ready_execute"
    await walk.server.faults(crash=point)
    await walk.survive()
    await walk.is_filled()


@pytest.mark.parametrize("point", POINTS)
async def test_when_the_fill_landed(walk: Walk, point: str) -> None:
    await walk.lies_open()
    lost = point in (BEFORE_SEND, AFTER_SEND)
    await walk.server.faults(**({"dropTransactions": 1} if lost else {"landDelayMs": 150}))
    await walk.price("250")
    await walk.sees("executing")
    await walk.server.faults(crash=point)
    await walk.survive()
    await walk.is_filled()


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_cancel(walk: Walk, point: str) -> None:
    await walk.lies_open()
    await walk.server.faults(crash=point)
    if point in (BEFORE_COMMIT, AFTER_COMMIT):
        assert await quietly(walk.wallet.cancel(walk.order_id)) is None
        await walk.survive()
        state = (await walk.wallet.order(walk.order_id))["rawState"]
        assert state == ("open" if point == BEFORE_COMMIT else "ready_to_cancel")
    await walk.cancel()
    await walk.price("250")
    await walk.is_withdrawn()
    assert walk.deaths == 1


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_second_cancel(walk: Walk, point: str) -> None:
    await walk.lies_open()
    await walk.cancel()
    await walk.server.faults(crash=point)
    await walk.cancel()
    await walk.price("250")
    older = await walk.confirm(0)
    assert older.status == 400, older
    assert "a newer cancel replaced it" in older.body["error"]
    await walk.is_withdrawn()
    assert walk.deaths == 1


@pytest.mark.parametrize("point", POINTS)
async def test_at_the_confirm(walk: Walk, point: str) -> None:
    await walk.lies_open()
    await walk.cancel()
    await walk.server.faults(crash=point)
    assert await quietly(walk.wallet.confirm(walk.order_id, walk.cancellings[0])) is None
    await walk.survive()
    if point == BEFORE_COMMIT:
        assert (await walk.wallet.order(walk.order_id))["rawState"] == "ready_to_cancel"
    else:  # It lands without the user.
        await walk.sees("cancelled")
    await walk.is_withdrawn()


@pytest.mark.parametrize("point", POINTS)
async def test_when_the_withdrawal_landed(walk: Walk, point: str) -> None:
    await walk.lies_open()
    await walk.cancel()
    lost = point in (BEFORE_SEND, AFTER_SEND)
    await walk.server.faults(**({"dropTransactions": 1} if lost else {"landDelayMs": 150}))
    confirming = asyncio.create_task(quietly(walk.wallet.confirm(walk.order_id, walk.cancellings[0])))
    await until(lambda: is_under_way(walk))
    await walk.server.faults(crash=point)
    await walk.survive()
    reply = await confirming
    assert reply is None or not reply.is_definite or point == AFTER_COMMIT, reply
    await walk.sees("cancelled")
    await walk.is_withdrawn()


async def is_under_way(walk: Walk) -> bool:
    waiting = await walk.server.does("POST", "/sandbox/settle", {"timeoutMs": 0})
    return walk.order_id in waiting.get("waitingFor", ())


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_when_a_confirm_was_dropped_and_is_dead(walk: Walk, point: str) -> None:
    await walk.lies_open()
    await walk.cancel()
    await walk.server.faults(dropTransactions=1_000)
    dropped = await walk.wallet.confirm(walk.order_id, walk.cancellings[0])
    assert dropped.status == 500, dropped
    await walk.server.faults(crash=point, expireBlockhashes=True)
    if point in (BEFORE_COMMIT, AFTER_COMMIT):  # At the commit of what became of it.
        await walk.survive()
    await walk.cancel()
    old = await walk.confirm(0)
    assert old.status == 400, old
    assert old.body["error"] == "Withdrawal transaction expired. Please initiate cancel again."
    assert walk.cancellings[1]["transaction"] != walk.cancellings[0]["transaction"]
    await walk.is_withdrawn()
    assert walk.deaths == 1
