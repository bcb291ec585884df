"""Traders who remember what they were told, and hold the venue to it whatever happened meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, Final

from tests.end_to_end.crash_support import JUP, ONE_SOL, ONE_USDC, SOL, USDC, Lost, Reply, Server, Wallet, kinds

LAMPORTS: Final = 1_000 * ONE_SOL
DOLLARS: Final = 100_000 * ONE_USDC
OPEN_ORDERS_MAX: Final = 12
_FEES_AND_RENT: Final = 3_000_000
"""Lamports that one order costs at most, besides what it sells."""
_NOT_CANCELLABLE: Final = ("Cannot cancel order in 'executing'", "Cannot cancel order in 'filled'")
_NOT_AMENDABLE: Final = ("Cannot update order in 'executing'", "Cannot update order in 'filled'")
_SUPERSEDED: Final = "Invalid withdrawal transaction: a newer cancel replaced it"


@dataclass
class Kept:
    """One order, as its owner remembers it."""

    creation: dict[str, Any]
    id: str | None = None
    """None: no create was answered yet, and it may be there or not."""
    price: str | None = None
    """None: an amendment was not answered."""
    stopped: bool = False
    """A cancel was answered: it must never fill."""
    cancelling: dict[str, Any] | None = None
    """The newest that was answered."""
    newer_cancel_asked: bool = False
    confirm_asked: bool = False
    withdrawn: str | None = None
    """The signature that a confirm was answered."""
    filled: str | None = None
    """The signature of a fill that was seen."""

    @property
    def is_over(self) -> bool:
        return self.withdrawn is not None or self.filled is not None


@dataclass
class Trader:
    wallet: Wallet
    random: Random
    orders: list[Kept] = field(default_factory=list)
    asked_at: float | None = None
    """When the request began that is under way."""
    answers: int = 0
    cut: list[float] = field(default_factory=list)
    """When the requests began whose answers never came."""

    async def trade(self) -> None:
        """Until it is cancelled; a request that is under way then counts as one without an answer."""
        while True:
            open_orders = [kept for kept in self.orders if not kept.is_over]
            act = self.random.choice((self.place, self.amend, self.cancel, self._confirm, self._look))
            if act == self.place:
                if len(open_orders) < OPEN_ORDERS_MAX:
                    await self.place()
            elif open_orders:
                await self._act(act, self.random.choice(open_orders))
            await asyncio.sleep(0)

    async def _act(self, act: Callable[..., Awaitable[None]], kept: Kept) -> None:
        if kept.id is None:
            await self.create(kept)
        else:
            await act(kept)

    async def _ask(self, request: Awaitable[Reply]) -> Reply | None:
        """None: no answer, or one that does not say what happened."""
        self.asked_at = time.monotonic()
        try:
            reply = await request
        except Lost:
            self.cut.append(self.asked_at)
            await asyncio.sleep(0.02)
            return None
        finally:
            self.asked_at = None
        self.answers += 1
        return reply if reply.is_definite else None

    async def place(self) -> None:
        crafting = self._craft_sol() if self.random.random() < 0.5 else self._craft_usdc()
        kept = await crafting
        if kept is not None:
            self.orders.append(kept)
            await self.create(kept)

    async def _craft_sol(self) -> Kept | None:
        crafted = await self._ask(self.wallet.craft(ONE_SOL))
        if crafted is None:
            return None
        assert crafted.status == 200, crafted
        price = str(self.random.randint(145, 175))
        return Kept(self.wallet.creation(crafted.body, price), price=price)

    async def _craft_usdc(self) -> Kept | None:
        crafted = await self._ask(self.wallet.craft(20 * ONE_USDC, selling=USDC, buying=JUP))
        if crafted is None:
            return None
        assert crafted.status == 200, crafted
        price = f"0.{self.random.randint(35, 55)}"
        pair = {"inputMint": USDC, "outputMint": JUP, "triggerMint": JUP}
        return Kept(self.wallet.creation(crafted.body, price, "below", **pair), price=price)

    async def create(self, kept: Kept) -> None:
        placed = await self._ask(self.wallet.create(kept.creation))
        if placed is not None:
            assert placed.status == 200, placed
            kept.id = placed.body["id"]

    async def amend(self, kept: Kept) -> None:
        assert kept.id is not None
        price = str(self.random.randint(145, 175)) if kept.creation["inputMint"] == SOL else "0.41"
        before, kept.price = kept.price, None
        amended = await self._ask(self.wallet.amend(kept.id, price))
        if amended is not None:
            refused = (
                *_NOT_AMENDABLE,
                "Cannot update order in 'pending_withdraw'",
                "Cannot update order in 'cancelled'",
            )
            assert amended.status == 200 or amended.body["error"].startswith(refused), amended
            kept.price = price if amended.status == 200 else before
            assert amended.status == 400 or not kept.stopped, f"a cancelled order was amended: {amended}"

    async def cancel(self, kept: Kept) -> None:
        assert kept.id is not None
        kept.newer_cancel_asked = True
        cancelling = await self._ask(self.wallet.cancel(kept.id))
        if cancelling is None:
            return
        if cancelling.status == 200:
            assert kept.cancelling is None or kept.cancelling["requestId"] == cancelling.body["requestId"]
            kept.stopped, kept.cancelling, kept.newer_cancel_asked = True, cancelling.body, False
        elif kept.confirm_asked:
            assert cancelling.body["error"].startswith("Cannot cancel order in 'cancelled'"), cancelling
        else:
            assert not kept.stopped, f"a cancelled order cannot be cancelled again: {cancelling}"
            assert cancelling.body["error"].startswith(_NOT_CANCELLABLE), cancelling

    async def _confirm(self, kept: Kept) -> None:
        if kept.cancelling is None:
            return
        assert kept.id is not None
        kept.confirm_asked = True
        confirmed = await self._ask(self.wallet.confirm(kept.id, kept.cancelling))
        if confirmed is None:
            return
        if confirmed.status == 200:
            assert kept.withdrawn in (None, confirmed.body["txSignature"])
            kept.withdrawn = confirmed.body["txSignature"]
        else:
            assert confirmed.body["error"].startswith(_SUPERSEDED), confirmed
            assert kept.newer_cancel_asked, f"no client asked for a newer one: {confirmed}"

    async def _look(self, kept: Kept) -> None:
        found = await self._ask(self.wallet.ask("GET", f"/orders/history/{kept.id}"))
        if found is not None:
            assert found.status == 200, f"an order that was placed is gone: {found}"
            self._judge(kept, found.body)

    def _judge(self, kept: Kept, row: dict[str, Any]) -> None:
        """What is read must agree with all that was ever answered."""
        happened = kinds(row)
        fills = [
            event["txSignature"] for event in row["events"] if event["type"] == "fill" and event["state"] == "success"
        ]
        withdrawals = [event["txSignature"] for event in row["events"] if event["type"] == "withdrawal"]
        assert len(fills) + len(withdrawals) <= 1, f"both filled and withdrawn, or twice: {row}"
        assert happened.count("deposit") <= 1, row
        if kept.stopped:
            assert not fills, f"a cancel was answered, and the order filled: {row}"
            assert row["rawState"] in ("ready_to_cancel", "cancelled"), row
        if kept.withdrawn is not None:
            assert withdrawals == [kept.withdrawn], row
        if kept.filled is not None:
            assert fills == [kept.filled], row
        elif fills:
            kept.filled = fills[0]
        if kept.price is not None:
            assert Decimal(str(row["triggerPriceUsd"])) == Decimal(kept.price), (
                f"an answered price {kept.price} is lost: {row}"
            )

    # --- when it is quiet

    async def resume(self) -> None:
        """Repeats the creates that were not answered."""
        for kept in self.orders:
            if kept.id is None:
                placed = await self.wallet.create(kept.creation)
                assert placed.status == 200, f"a repeated create: {placed}"
                kept.id = placed.body["id"]

    async def verify(self) -> None:
        """Everything that was answered is there, nothing is half done, and the wallet has what it should have."""
        rows = {row["id"]: row for row in await self.wallet.orders()}
        assert set(rows) == {kept.id for kept in self.orders}, "an order that no client placed"
        for kept in self.orders:
            assert kept.id is not None
            row = rows[kept.id]
            self._judge(kept, row)
            assert row["rawState"] in ("open", "ready_to_cancel", "cancelled", "fill_success"), f"half done: {row}"
            if kept.confirm_asked and row["rawState"] == "cancelled":
                confirmed = await self.wallet.confirm(kept.id, kept.cancelling or {})
                assert confirmed.status == 200, confirmed
                kept.withdrawn = kept.withdrawn or confirmed.body["txSignature"]
                assert confirmed.body["txSignature"] == kept.withdrawn
                self._judge(kept, row)
        await self._count(rows)

    async def _count(self, rows: Mapping[str, dict[str, Any]]) -> None:
        lamports, dollars, jups = LAMPORTS, DOLLARS, 0
        costs = 0
        for row in rows.values():
            costs += _FEES_AND_RENT
            sold = 0 if row["rawState"] == "cancelled" else int(row["initialInputAmount"])
            if row["inputMint"] == SOL:
                lamports -= sold
                dollars += int(row["outputAmount"] or 0)
            else:
                dollars -= sold
                jups += int(row["outputAmount"] or 0)
        has = (await self.wallet.units(USDC), await self.wallet.units(JUP))
        if has != (dollars, jups):
            moved = [row for row in await self.wallet.orders() if row != rows[row["id"]]]
            raise AssertionError(f"the wallet has {has}, not {(dollars, jups)}; not settled, or wrong: {moved}")
        assert 0 <= lamports - await self.wallet.lamports() <= costs


async def trader(server: Server, random: Random) -> Trader:
    wallet = Wallet(server)
    await wallet.comes(lamports=LAMPORTS, usdc=DOLLARS)
    return Trader(wallet, random)


async def move_prices(server: Server, random: Random) -> None:
    while True:
        prices = {SOL: str(random.randint(140, 165)), JUP: f"0.{random.randint(38, 62)}"}
        with suppress(Lost):
            await server.ask("PUT", "/sandbox/prices", prices)
        await asyncio.sleep(0.03)


@asynccontextmanager
async def meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """All of it runs until the end. What it finds wrong is raised then."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if ended is not None and not isinstance(ended, asyncio.CancelledError):
                raise ended


@asynccontextmanager
async def trading(server: Server, traders: Sequence[Trader], random: Random) -> AsyncIterator[None]:
    """All trade meanwhile, and prices move."""
    async with meanwhile(*(one.trade() for one in traders), move_prices(server, random)):
        yield


async def all_is_well(server: Server, traders: Sequence[Trader]) -> None:
    await server.settled()
    await asyncio.gather(*(one.resume() for one in traders))
    await server.settled()
    await asyncio.gather(*(one.verify() for one in traders))
    await server.audited()
