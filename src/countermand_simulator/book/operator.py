"""The operator."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, Amount, Currency
from countermand.orders.book.model.order import OrderId
from countermand_simulator.book import requests
from countermand_simulator.book.options import LOTS_MAX, MID
from countermand_simulator.book.traders import Trader
from countermand_simulator.book.world import World
from countermand_simulator.chance import chance
from countermand_simulator.harness import Lost

OPERATOR: Final = "operator"


class Operator:
    def __init__(self, world: World, traders: Sequence[Trader]) -> None:
        self.world = world
        self.traders = traders
        self.random = chance(world.seed, OPERATOR)

    async def opens(self) -> None:
        """Every trader gets some of each currency."""
        for trader in self.traders:
            for currency in self._currencies():
                await self._surely(trader, currency)

    async def _surely(self, trader: Trader, currency: Currency) -> None:
        while True:
            try:
                await self.credits(trader, currency, self._wealth(currency))
            except Lost:
                await asyncio.sleep(0.2)
            else:
                return

    def _currencies(self) -> Sequence[Currency]:
        markets = self.world.options.markets
        return list(dict.fromkeys(each for market in markets for each in (market.base, market.quote)))

    def _wealth(self, currency: Currency) -> Amount:
        """Enough for some orders in the market where it buys the least."""
        steps = [market.base_step for market in self.world.options.markets if market.base == currency]
        steps += [market.quote_step * MID for market in self.world.options.markets if market.quote == currency]
        return Amount(self.world.options.wealth * LOTS_MAX // 4 * max(steps))

    async def live(self) -> None:
        actions: list[Callable[[], Awaitable[object]]] = [
            self._credits,
            self._cancels,
            self._cancels,
            self._fails_matches,
            self._forgets_drafts,
            self._leaps_to_an_end,
        ]
        while True:
            await asyncio.sleep(self.random.expovariate(1) * self.world.options.operator_pause_ms / 1000)
            with contextlib.suppress(Lost):
                await self.random.choice(actions)()

    async def _credits(self) -> None:
        currency = self.random.choice(self._currencies())
        amount = Amount(AMOUNT_MAX) if self.random.random() < 0.1 else self._wealth(currency)
        await self.credits(self.random.choice(self.traders), currency, amount)

    async def credits(self, trader: Trader, currency: Currency, amount: Amount) -> None:
        asked = {"account": trader.account, "currency": currency, "amount": {"quanta": amount.quanta}}
        await self.world.ask(
            OPERATOR, "credit", asked, lambda process: requests.credits_to(process, trader.account, currency, amount)
        )

    async def _cancels(self) -> None:
        known = [ticket.order_id for trader in self.traders for ticket in trader.tickets[-8:] if ticket.order_id]
        order_id = self.random.choice(known) if known else OrderId(1)
        await self.world.ask(
            OPERATOR, "operator", order_id, lambda process: requests.cancels_by_operator(process, order_id)
        )

    async def _fails_matches(self) -> None:
        if self.random.random() < self.world.options.match_fails:
            for process in self.world.awake():
                process.faults.due = self.random.randint(1, 3)

    async def _forgets_drafts(self) -> None:
        """As the venue does it by itself."""
        await self.world.ask(OPERATOR, "forget", None, requests.forgets)

    async def _leaps_to_an_end(self) -> None:
        """Time goes on to the very instant at which an order is too old, or to the one before, and all hurry."""
        due = self.world.checkers.floor.first_due()
        if due is None or self.random.random() < 0.5:
            return
        ahead = due[0] - self.world.clock.now() - self.random.choice((0, 0, 1))
        if 0 < ahead < 48 * 3_600_000 or (ahead > 0 and self.random.random() < 0.1):
            self.world.clock.setting = self.world.clock.advanced(ahead)
            self.world.happened("clock leaps to an end")
            hurry = self.random.sample(self.traders, min(2, len(self.traders)))
            await asyncio.gather(*(trader.hurries(OrderId(due[1])) for trader in hurry))
