"""Recurring orders, and a venue that is killed between their rounds and in the middle of them."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import (
    ONE_USDC,
    SOL,
    USDC,
    Lost,
    Reply,
    Server,
    Wallet,
    running_apart,
    signed,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S: Final = 3_600
OF_THE_COMMIT: Final = ("before-commit", "after-commit")
POINTS: Final = (*OF_THE_COMMIT, "before-send", "after-send")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_apart(postgres, tmp_path_factory.mktemp("rounds")) as server:
        await server.does("POST", "/sandbox/clock", {"mode": "frozen"})
        yield server


@dataclass
class Saver:
    """A wallet that buys SOL for 100 USDC in three rounds."""

    wallet: Wallet
    order_id: str = ""

    async def crafts(self) -> Any:
        asked = {
            "inputMint": USDC,
            "outputMint": SOL,
            "userAddress": self.wallet.address,
            "amount": str(100 * ONE_USDC),
            "orderType": "dca",
        }
        return await self.wallet.does("POST", "/deposit/craft", asked)

    def body(self, crafted: Any) -> dict[str, Any]:
        return {
            "depositRequestId": crafted["requestId"],
            "depositSignedTx": signed(crafted["transaction"], self.wallet.keypair),
            "userPubkey": self.wallet.address,
            "inputMint": USDC,
            "outputMint": SOL,
            "inputAmount": str(100 * ONE_USDC),
            "orderCount": 3,
            "intervalSeconds": HOUR_S,
        }

    async def places(self, **more: object) -> None:
        body = self.body(await self.crafts()) | more
        self.order_id = (await self.wallet.does("POST", "/orders/dca", body))["id"]

    async def row(self) -> Any:
        return await self.wallet.does("GET", f"/orders/history/dca/{self.order_id}")

    async def is_executing(self) -> bool:
        return bool((await self.row())["state"] == "executing")

    async def asks_to_cancel(self) -> Reply:
        return await self.wallet.ask("POST", f"/orders/dca/cancel/{self.order_id}")

    async def has_filled(self, rounds: int) -> bool:
        return bool((await self.row())["roundsFilled"] == rounds)

    async def confirms(self, cancelling: Any) -> Any:
        body = {
            "signedTransaction": signed(cancelling["transaction"], self.wallet.keypair),
            "cancelRequestId": cancelling["requestId"],
        }
        return await self.wallet.does("POST", f"/orders/dca/confirm-cancel/{self.order_id}", body)


@pytest_asyncio.fixture(loop_scope="module")
async def saver(server: Server) -> AsyncIterator[Saver]:
    saver = Saver(Wallet(server))
    await saver.wallet.comes(usdc=100 * ONE_USDC)
    yield saver
    saver.wallet.http.close()


async def advance(server: Server) -> None:
    """One interval. The venue may die of it."""
    with suppress(Lost):
        await server.ask("POST", "/sandbox/clock/advance", {"seconds": HOUR_S})


async def test_rounds_go_on_after_each_kill(server: Server, saver: Saver) -> None:
    await saver.places()
    for rounds in (1, 2, 3):
        await server.settled()
        before = await saver.row()
        assert before["roundsFilled"] == rounds
        await server.kill()
        await server.start()
        assert await saver.row() == before
        await advance(server)
    await server.settled()
    row = await saver.row()
    assert (row["state"], row["inputAmountUsed"]) == ("completed", str(100 * ONE_USDC))
    assert await saver.wallet.units(USDC) == 0


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_in_the_middle_of_a_round(server: Server, saver: Saver, point: str) -> None:
    await saver.places()
    await server.settled()
    await server.faults(crash=point)
    await advance(server)
    assert await server.ended() == -9, server.log()[-3_000:]
    await server.start()
    clock = (await server.does("GET", "/sandbox"))["clock"]
    await server.settled()
    if not await saver.has_filled(2):  # The clock itself was not set before the first point of a commit.
        await advance(server)
    await until(lambda: saver.has_filled(2))
    await server.settled()
    row = await saver.row()
    assert (row["inputAmountUsed"], row["state"]) == ("66666666", "active"), clock
    fills = [event for event in row["events"] if event["type"] == "fill"]
    assert [event["roundNumber"] for event in fills if event["state"] == "success"] == [2, 1]


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_in_the_middle_of_a_create(server: Server, saver: Saver, point: str) -> None:
    body = saver.body(await saver.crafts())
    await server.faults(crash=point)
    with suppress(Lost):
        await saver.wallet.ask("POST", "/orders/dca", body)
    assert await server.ended() == -9, server.log()[-3_000:]
    await server.start()
    placed = await saver.wallet.does("POST", "/orders/dca", body)
    saver.order_id = placed["id"]
    assert await saver.wallet.does("POST", "/orders/dca", body) == {
        "id": placed["id"],
        "txSignature": placed["txSignature"],
        "message": "Order already created",
    }
    await server.settled()
    assert await saver.has_filled(1)


async def test_a_cancel_holds_over_a_kill(server: Server, saver: Saver) -> None:
    await saver.places()
    await server.settled()
    cancelling = await saver.wallet.does("POST", f"/orders/dca/cancel/{saver.order_id}")
    await server.kill()
    await server.start()
    await advance(server)
    await server.settled()
    row = await saver.row()
    assert (row["state"], row["roundsFilled"]) == ("withdrawing", 1)
    confirmed = await saver.confirms(cancelling)
    await server.kill()
    await server.start()
    assert await saver.confirms(cancelling) == confirmed
    assert await saver.wallet.units(USDC) == 66_666_667


async def dies_of(server: Server, request: Awaitable[Any]) -> None:
    """Of the crash that was asked for, whatever the request was answered."""
    with suppress(Lost):
        await request
    assert await server.ended() == -9, server.log()[-3_000:]
    await server.start()


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_when_a_round_has_landed(server: Server, saver: Saver, point: str) -> None:
    """The points of a send are passed when a fill that was lost is sent again."""
    await saver.places()
    await server.settled()
    lost = point.endswith("send")
    await server.faults(**({"dropTransactions": 1} if lost else {"landDelayMs": 150}))
    await advance(server)
    await until(saver.is_executing)
    await server.faults(crash=point)
    assert await server.ended() == -9, server.log()[-3_000:]
    await server.start()
    await server.settled()
    row = await saver.row()
    assert (row["roundsFilled"], row["inputAmountUsed"], row["state"]) == (2, "66666666", "active")


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_a_kill_when_the_last_round_has_landed(server: Server, saver: Saver, point: str) -> None:
    """It ends once, and its account is closed once."""
    await saver.places()
    await server.settled()
    await advance(server)
    await server.settled()
    await server.faults(landDelayMs=150)
    await advance(server)
    await until(saver.is_executing)
    await server.faults(crash=point)
    assert await server.ended() == -9, server.log()[-3_000:]
    await server.start()
    await server.settled()
    await advance(server)
    await server.settled()
    row = await saver.row()
    assert (row["roundsFilled"], row["inputAmountUsed"], row["state"]) == (3, str(100 * ONE_USDC), "completed")
    assert await saver.wallet.units(USDC) == 0


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_a_kill_when_a_round_failed(server: Server, saver: Saver, point: str) -> None:
    """Its swap landed with an error: it pauses, is tried again after the restart, and is filled once."""
    await saver.places()
    await server.settled()
    await server.faults(failSwaps=20, landDelayMs=150)  # Also for those who saved before.
    await advance(server)
    await until(saver.is_executing)
    await server.faults(crash=point)
    assert await server.ended() == -9, server.log()[-3_000:]
    await server.start()
    await server.settled()
    assert await saver.has_filled(1)
    await server.does("POST", "/sandbox/clock/advance", {"seconds": 1})
    await server.settled()
    row = await saver.row()
    assert (row["roundsFilled"], row["inputAmountUsed"]) == (2, "66666666")
    assert [event["state"] for event in row["events"]].count("failed") == 1


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_a_kill_when_a_round_is_rescheduled(server: Server, saver: Saver, point: str) -> None:
    """Its price is out of the band. It moves by one interval, whatever dies."""
    band = {"orderType": "price_conditional", "triggerMint": SOL, "minPriceUsd": 100}
    await saver.places(**band)
    await server.settled()
    due = (await saver.row())["nextFillAt"]
    await server.does("PUT", "/sandbox/prices", {SOL: "90"})
    await server.faults(crash=point)
    await dies_of(server, server.ask("POST", "/sandbox/clock/advance", {"seconds": HOUR_S}))
    if (await saver.row())["nextFillAt"] == due:  # The clock was not set.
        await advance(server)
    await server.settled()
    row = await saver.row()
    assert (row["roundsFilled"], [event["state"] for event in row["events"]].count("rescheduled")) == (1, 1)
    await server.does("PUT", "/sandbox/prices", {SOL: "150"})
    await advance(server)
    await server.settled()
    assert await saver.has_filled(2)


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_a_kill_in_the_middle_of_a_cancel(server: Server, saver: Saver, point: str) -> None:
    await saver.places()
    await server.settled()
    await server.faults(crash=point)
    await dies_of(server, saver.asks_to_cancel())
    assert (await saver.row())["state"] == ("active" if point == "before-commit" else "withdrawing")
    cancelling = (await saver.asks_to_cancel()).body
    await advance(server)
    await server.settled()
    assert await saver.has_filled(1), "no round begins any more"
    await saver.confirms(cancelling)
    assert await saver.wallet.units(USDC) == 66_666_667


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_in_the_middle_of_a_confirm(server: Server, saver: Saver, point: str) -> None:
    await saver.places()
    await server.settled()
    cancelling = (await saver.asks_to_cancel()).body
    await server.faults(crash=point)
    await dies_of(server, saver.confirms(cancelling))
    if point != "before-commit":  # It lands without the user.
        await server.settled()
        assert (await saver.row())["state"] == "cancelled"
    confirmed = await saver.confirms(cancelling)
    assert await saver.confirms(cancelling) == confirmed
    row = await saver.row()
    assert (row["state"], row["events"][0]["txSignature"]) == ("cancelled", confirmed["txSignature"])
    assert await saver.wallet.units(USDC) == 66_666_667


async def test_all_of_it_agrees_from_outside(server: Server) -> None:
    """Whatever was killed in the tests before."""
    assert "Everything agrees." in await server.audited_from_outside()


async def test_a_reset_forgets_recurring_orders(server: Server, saver: Saver) -> None:
    await saver.places()
    await server.settled()
    await server.does("POST", "/sandbox/reset", {})
    assert (await server.does("GET", "/sandbox/orders?family=dca"))["orders"] == []
    await server.does("POST", "/sandbox/clock", {"mode": "frozen"})
    again = Saver(Wallet(server, saver.wallet.keypair))
    await again.wallet.comes(usdc=100 * ONE_USDC)
    assert (await again.wallet.ask("GET", f"/orders/history/dca/{saver.order_id}")).status == 404
    await again.places()
    await server.settled()
    assert await again.has_filled(1)
    again.wallet.http.close()
