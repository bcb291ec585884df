"""A pair of a take profit and a stop loss, walked, while the venue kills itself at every point of every step.

And an OTOCO, at the steps that it alone has.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import ONE_SOL, SOL, USDC, Lost, Server, Wallet, running_apart, until
from tests.end_to_end.test_crash_walk import AFTER_COMMIT, BEFORE_COMMIT, POINTS, Walk, quietly

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_THE_COMMIT: Final = (BEFORE_COMMIT, AFTER_COMMIT)
"""For steps that send nothing: of a send they would never die, also in a thorough run."""

TAKE_PROFIT, STOP_LOSS = "take_profit", "stop_loss"
CROSSING: Final = {TAKE_PROFIT: "250", STOP_LOSS: "90"}
"""A price beyond each leg."""
LEGS: Final = tuple(CROSSING)
BETWEEN: Final = "150"
PART: Final = 400_000_000
RENT: Final = 2_039_280
LIVES_S: Final = 3_600


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_apart(postgres, tmp_path_factory.mktemp("pair")) as server:
        yield server


@dataclass
class Pair(Walk):
    """A wallet with one SOL to sell, at 200 dollars or at 100."""

    async def craft(self) -> None:
        await self.craft_as("oco", tpPriceUsd=200, slPriceUsd=100)

    async def craft_as(self, kind: str, **terms: object) -> None:
        asked = {
            "inputMint": SOL,
            "outputMint": USDC,
            "userAddress": self.wallet.address,
            "amount": str(ONE_SOL),
            "orderType": "price",
            "orderSubType": kind,
        }
        crafted = await self.insist(lambda: self.wallet.ask("POST", "/deposit/craft", asked))
        assert crafted.status == 200, crafted
        body = self.wallet.creation(crafted.body, "200")
        for name in ("triggerCondition", "triggerPriceUsd", "slippageBps"):
            del body[name]
        now = (await self.server.does("GET", "/sandbox"))["now"]
        self.creation = body | terms | {"orderType": kind, "expiresAt": now + LIVES_S * 1_000}

    async def row(self) -> dict[str, Any]:
        return await self.wallet.order(self.order_id)

    async def is_pool(self, most: int | None) -> None:
        """How much of SOL one fill takes at most. A restart forgets it."""
        await self.server.does("PUT", "/sandbox/liquidity", {SOL: {"maxInput": None if most is None else str(most)}})

    async def fill_is_under_way(self, point: str, dollars: str) -> None:
        """It dies of what follows. The points of a send are passed when a fill that was lost is sent again."""
        lost = point not in (BEFORE_COMMIT, AFTER_COMMIT)
        await self.server.faults(**({"dropTransactions": 1} if lost else {"landDelayMs": 150}))
        await self.price(dollars)
        await self.sees("executing")
        await self.server.faults(crash=point)
        await self.survive()

    async def lies_open_after_a_part(self, dollars: str = CROSSING[TAKE_PROFIT]) -> None:
        """0.4 SOL were sold, and then the price went back between the legs."""
        await self.lies_open()
        await self.is_pool(PART)
        await self.server.faults(landDelayMs=300)
        await self.price(dollars)
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

    async def is_taken_back(self, *, filled: int = 0, paid: int = 0) -> None:
        """What fills have not taken is the wallet's again, less what it paid for accounts; nothing more can happen."""
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
        assert 10 * ONE_SOL - filled - paid - await self.wallet.lamports() < 200_000, "only network fees are gone"

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
    await pair.lies_open()
    await pair.fill_is_under_way(point, CROSSING[leg])
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


# --- an OTOCO: where it has two accounts, or two fills


PARENT_CROSSED: Final = "210"


@dataclass
class Otoco(Pair):
    """A wallet with one SOL to sell at 200 dollars, and to buy back at 240 or at 100."""

    async def craft(self) -> None:
        await self.craft_as("otoco", triggerCondition="above", triggerPriceUsd=200, tpPriceUsd=240, slPriceUsd=100)

    async def fills(self) -> list[str]:
        """The legs that were filled, the oldest first."""
        events = reversed((await self.row())["events"])
        return [event["orderContext"] for event in events if event["type"] == "fill" and event["state"] == "success"]

    async def has_bought(self) -> None:
        """Its parent is done, and its children are open."""
        await self.lies_open()
        await self.price(PARENT_CROSSED)
        await self.server.settled()
        assert await self.fills() == [TAKE_PROFIT]


@pytest_asyncio.fixture(loop_scope="module")
async def otoco(pair: Pair) -> Otoco:
    return Otoco(pair.server, pair.wallet)


@pytest.mark.parametrize("point", POINTS)
async def test_when_the_fill_of_a_parent_landed(otoco: Otoco, point: str) -> None:
    await otoco.lies_open()
    await otoco.fill_is_under_way(point, PARENT_CROSSED)
    await otoco.server.settled()
    row = await otoco.row()
    assert (row["rawState"], row["remainingInputAmount"], await otoco.fills()) == ("open", "0", [TAKE_PROFIT])
    await otoco.price(CROSSING[STOP_LOSS])
    await otoco.server.settled()
    assert (await otoco.row())["rawState"] == "fill_success"
    assert await otoco.fills() == [TAKE_PROFIT, "buy_below"]


@pytest.mark.parametrize("point", POINTS)
async def test_when_the_fill_of_a_child_landed(otoco: Otoco, point: str) -> None:
    await otoco.has_bought()
    await otoco.fill_is_under_way(point, CROSSING[TAKE_PROFIT])
    await otoco.server.settled()
    for dollars in (*CROSSING.values(), BETWEEN):
        await otoco.price(dollars)
        await otoco.server.settled()
    assert ((await otoco.row())["rawState"], await otoco.fills()) == ("fill_success", [TAKE_PROFIT, "buy_above"])


@pytest.mark.parametrize("point", POINTS)
async def test_at_the_confirm_of_a_withdrawal_from_two_accounts(otoco: Otoco, point: str) -> None:
    await otoco.lies_open_after_a_part(PARENT_CROSSED)
    await otoco.cancel()
    await otoco.server.faults(crash=point)
    await otoco.dies_of(otoco.wallet.confirm(otoco.order_id, otoco.cancellings[0]))
    await otoco.is_taken_back(filled=PART, paid=RENT)  # Of the wallet's own account for dollars, which it had not.
    withdrawals = [event for event in (await otoco.row())["events"] if event["type"] == "withdrawal"]
    assert {event["mint"]: event["amount"] for event in withdrawals} == {
        SOL: str(ONE_SOL - PART),
        USDC: str(await otoco.wallet.units(USDC)),
    }
    assert len({event["txSignature"] for event in withdrawals}) == 1
