"""A pair of a take profit and a stop loss, walked, while the venue kills itself at every point of every step."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import ONE_SOL, SOL, USDC, Lost, Server, Wallet, running, until
from tests.end_to_end.test_crash_walk import AFTER_COMMIT, BEFORE_COMMIT, OF_THE_COMMIT, POINTS, Walk, quietly

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAKE_PROFIT, STOP_LOSS = "take_profit", "stop_loss"
CROSSING: Final = {TAKE_PROFIT: "250", STOP_LOSS: "90"}
"""A price beyond each leg."""
LEGS: Final = tuple(CROSSING)
BETWEEN: Final = "150"
PART: Final = 400_000_000
LIVES_S: Final = 3_600


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A venue on a PostgreSQL that outlives it, so that it is back at once."""
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute("CREATE DATABASE paired")
    url = postgres.dsn.replace("/postgres?", "/paired?")
    data: Path = tmp_path_factory.mktemp("pair") / "venue"
    async with running(data, "--database-url", url) as server:
        yield server
    await connection.execute("DROP DATABASE paired WITH (FORCE)")
    await connection.close()


@dataclass
class Pair(Walk):
    """A wallet with one SOL to sell, at 200 dollars or at 100."""

    async def craft(self) -> None:
        asked = {
            "inputMint": SOL,
            "outputMint": USDC,
            "userAddress": self.wallet.address,
            "amount": str(ONE_SOL),
            "orderType": "price",
            "orderSubType": "oco",
        }
        crafted = await self.insist(lambda: self.wallet.ask("POST", "/deposit/craft", asked))
        assert crafted.status == 200, crafted
        now = (await self.server.does("GET", "/sandbox"))["now"]
        terms = {"orderType": "oco", "tpPriceUsd": 200, "slPriceUsd": 100, "expiresAt": now + LIVES_S * 1_000}
        body = self.wallet.creation(crafted.body, "200") | terms
        for name in ("triggerCondition", "triggerPriceUsd", "slippageBps"):
            del body[name]
        self.creation = body

    async def row(self) -> dict[str, Any]:
        return await self.wallet.order(self.order_id)

    async def is_pool(self, most: int | None) -> None:
        """How much of SOL one fill takes at most. A restart forgets it."""
        await self.server.does("PUT", "/sandbox/liquidity", {SOL: {"maxInput": None if most is None else str(most)}})

    async def lies_open_after_a_part(self) -> None:
        """The take profit sold 0.4 SOL, and then the price went back between the legs."""
        await self.lies_open()
        await self.is_pool(PART)
        await self.server.faults(landDelayMs=300)
        await self.price(CROSSING[TAKE_PROFIT])
        await self.sees("executing")
        await self.price(BETWEEN)
        await self.server.faults()
        await self.server.settled()
        row = await self.row()
        assert (row["rawState"], row["remainingInputAmount"]) == ("open", str(ONE_SOL - PART))

    async def is_sold(self, *legs: str) -> None:
        """By fills of these legs, the oldest first, and nothing more can happen."""
        await self.server.settled()
        for dollars in (*CROSSING.values(), BETWEEN):
            await self.price(dollars)
            await self.server.settled()
        row = await self.row()
        fills = [event for event in reversed(row["events"]) if event["type"] == "fill" and event["state"] == "success"]
        assert [fill["orderContext"] for fill in fills] == list(legs)
        assert (row["rawState"], row["inputUsed"], row["fillPercent"]) == ("fill_success", str(ONE_SOL), 1)
        got = sum(int(fill["outputAmount"]) for fill in fills)
        assert str(got) == row["outputAmount"] == str(await self.wallet.units(USDC))
        refused = await self.wallet.cancel(self.order_id)
        assert refused.status == 400, refused
        await self.server.audited()

    async def is_taken_back(self, *, filled: int = 0) -> None:
        """What fills have not taken is the wallet's again, and nothing more can happen."""
        confirmed = await self.confirm()
        assert confirmed.status == 200, confirmed
        for dollars in (*CROSSING.values(), BETWEEN):
            await self.price(dollars)
            await self.server.settled()
        row = await self.row()
        assert (row["rawState"], row["inputUsed"]) == ("cancelled", str(filled) if filled else None)
        assert (
            row["events"][0]["txSignature"]
            == confirmed.body["txSignature"]
            == (await self.confirm()).body["txSignature"]
        )
        assert 10 * ONE_SOL - filled - await self.wallet.lamports() < 200_000, "only network fees are gone"
        await self.server.audited()

    async def dies_of(self, request: Awaitable[Any]) -> None:
        """Of the crash that was asked for, whatever the request was answered."""
        with suppress(Lost):
            await request
        await self.survive()


@pytest_asyncio.fixture(loop_scope="module")
async def pair(server: Server) -> AsyncIterator[Pair]:
    if not server.is_running:  # A test before this one failed.
        await server.start()
    await server.faults()
    await server.price(BETWEEN)
    wallet = Wallet(server)
    await wallet.comes()
    pair = Pair(server, wallet)
    await pair.is_pool(None)
    yield pair
    wallet.http.close()


def prices(pair: Pair, dollars: str) -> Awaitable[Any]:
    return pair.server.ask("PUT", "/sandbox/prices", {SOL: dollars})


@pytest.mark.parametrize("point", POINTS)
async def test_at_the_create(pair: Pair, point: str) -> None:
    await pair.craft()
    await pair.server.faults(crash=point)
    await pair.dies_of(pair.wallet.create(pair.creation))
    await pair.create()
    await pair.sees("open")
    assert await pair.only_order() is not None
    await pair.price(CROSSING[STOP_LOSS])
    await pair.is_sold(STOP_LOSS)


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_when_the_deposit_landed(pair: Pair, point: str) -> None:
    await pair.craft()
    await pair.server.faults(landDelayMs=150)
    creating = asyncio.create_task(quietly(pair.wallet.create(pair.creation)))
    onlooker = Wallet(pair.server, pair.wallet.keypair, pair.wallet.token)

    async def is_placed() -> bool:
        return bool(await onlooker.orders())

    await until(is_placed)
    onlooker.http.close()
    await pair.server.faults(crash=point)
    await pair.survive()
    await creating
    await pair.create()
    await pair.price(CROSSING[TAKE_PROFIT])
    await pair.is_sold(TAKE_PROFIT)


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_crossing(pair: Pair, leg: str, point: str) -> None:
    await pair.lies_open()
    await pair.server.faults(crash=point)
    await pair.dies_of(prices(pair, CROSSING[leg]))
    await pair.server.settled()
    if point == BEFORE_COMMIT:  # Of the price itself.
        assert (await pair.row())["rawState"] == "open"
        await pair.price(CROSSING[leg])
    await pair.is_sold(leg)


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_attempt(pair: Pair, point: str) -> None:
    await pair.lies_open()
    await pair.server.faults(rpcDown=True)
    await pair.price(CROSSING[TAKE_PROFIT])
    assert (await pair.row())["rawState"] == "ready_execute"
    await pair.server.faults(crash=point)
    await pair.survive()
    await pair.is_sold(TAKE_PROFIT)


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("point", POINTS)
async def test_when_the_fill_landed(pair: Pair, leg: str, point: str) -> None:
    """The points of a send are passed when a fill that was lost is sent again."""
    await pair.lies_open()
    lost = point not in (BEFORE_COMMIT, AFTER_COMMIT)
    await pair.server.faults(**({"dropTransactions": 1} if lost else {"landDelayMs": 150}))
    await pair.price(CROSSING[leg])
    await pair.sees("executing")
    await pair.server.faults(crash=point)
    await pair.survive()
    await pair.is_sold(leg)


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_when_a_part_landed_and_the_price_went_to_the_other_leg(pair: Pair, leg: str, point: str) -> None:
    """One remainder: the rest is sold by whichever leg the price of now is beyond."""
    await pair.lies_open()
    await pair.is_pool(PART)
    await pair.server.faults(landDelayMs=300)
    await pair.price(CROSSING[TAKE_PROFIT])
    await pair.sees("executing")
    await pair.price(CROSSING[leg])
    await pair.server.faults(crash=point)
    await pair.survive()  # The pool is deep again.
    await pair.is_sold(TAKE_PROFIT, leg)


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_crossing_of_the_other_leg_after_a_part(pair: Pair, point: str) -> None:
    await pair.lies_open_after_a_part()
    await pair.server.faults(crash=point)
    await pair.dies_of(prices(pair, CROSSING[STOP_LOSS]))
    await pair.server.settled()
    if point == BEFORE_COMMIT:
        row = await pair.row()
        assert (row["rawState"], row["remainingInputAmount"]) == ("open", str(ONE_SOL - PART))
        await pair.price(CROSSING[STOP_LOSS])
    await pair.is_sold(TAKE_PROFIT, STOP_LOSS)


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_cancel(pair: Pair, point: str) -> None:
    await pair.lies_open()
    await pair.server.faults(crash=point)
    await pair.dies_of(pair.wallet.cancel(pair.order_id))
    if point == BEFORE_COMMIT:
        assert (await pair.row())["rawState"] == "open"
        await pair.cancel()
    await pair.price(CROSSING[TAKE_PROFIT])
    await pair.server.settled()
    assert (await pair.row())["rawState"] == "ready_to_cancel"
    await pair.cancel()
    await pair.is_taken_back()


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_cancel_of_a_rest(pair: Pair, point: str) -> None:
    await pair.lies_open_after_a_part()
    await pair.server.faults(crash=point)
    await pair.dies_of(pair.wallet.cancel(pair.order_id))
    await pair.cancel()
    await pair.is_taken_back(filled=PART)


@pytest.mark.parametrize("point", POINTS)
async def test_at_the_confirm(pair: Pair, point: str) -> None:
    await pair.lies_open_after_a_part()
    await pair.cancel()
    await pair.server.faults(crash=point)
    await pair.dies_of(pair.wallet.confirm(pair.order_id, pair.cancellings[0]))
    if point == BEFORE_COMMIT:
        assert (await pair.row())["rawState"] == "ready_to_cancel"
    else:  # It lands without the user.
        await pair.sees("cancelled")
    await pair.is_taken_back(filled=PART)


@pytest.mark.parametrize("point", OF_THE_COMMIT)
async def test_at_the_expiry(pair: Pair, point: str) -> None:
    await pair.lies_open()
    await pair.server.faults(crash=point)
    await pair.dies_of(pair.server.ask("POST", "/sandbox/clock/advance", {"seconds": LIVES_S}))
    await pair.server.does("POST", "/sandbox/clock/advance", {"seconds": LIVES_S})
    await pair.price(CROSSING[STOP_LOSS])
    await pair.server.settled()
    assert (await pair.row())["rawState"] == "expired"
    await pair.cancel()
    await pair.is_taken_back()
