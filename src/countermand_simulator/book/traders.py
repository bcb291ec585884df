"""The users of a venue. They do what users do, and everything that they should not."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from countermand.orders.book.model.ledger.amount import Account
from countermand.orders.book.model.market import Market, MarketSymbol
from countermand.orders.book.model.order import BUY, SELL, BookTerms, Kind, OrderId, OrderStatus, Side
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.orders.book.ports import OrdersQuery, TradesQuery
from countermand.orders.book.rows import Draft
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand_simulator.book import requests
from countermand_simulator.book.options import LOTS_MAX, MID
from countermand_simulator.book.requests import plain
from countermand_simulator.book.world import World
from countermand_simulator.chance import chance
from countermand_simulator.harness import Answer, Lost

Action = Callable[[], Awaitable[object]]

ALL: Final = 10**6
_ASKED_AGAIN: Final = 8
_KINDS: Final = (Kind.LIMIT, Kind.MARKET, Kind.STOP_LIMIT, Kind.LIMIT_MAKER)


@dataclass(slots=True)
class Ticket:
    """What a user knows of one order."""

    draft: Draft
    placement: bytes
    order_id: OrderId | None = None
    uuid: str = ""
    ended: bool = False


class Trader:
    def __init__(self, world: World, account: Account, traders: Callable[[], Sequence["Trader"]]) -> None:
        self.world = world
        self.account = account
        self._traders = traders
        self.random = chance(world.seed, account)
        self.tickets: list[Ticket] = []

    # --- while there are faults

    async def live(self) -> None:
        actions: list[tuple[Action, int]] = [
            (self._orders, 12),
            (self._asks_again, 2),
            (self._reuses_a_nonce, 1),
            (self._cancels, 5),
            (self._cancels_many, 1),
            (self._races, 2),
            (self._reads, 4),
        ]
        choices, weights = [action for action, _ in actions], [weight for _, weight in actions]
        while True:
            await asyncio.sleep(self.random.expovariate(1) * self.world.options.pause_ms / 1000)
            [action] = self.random.choices(choices, weights)
            await self.dares(action)

    async def dares(self, action: Action) -> None:
        with contextlib.suppress(Lost):
            await action()

    def _strikes(self, probability: float) -> bool:
        return self.random.random() < probability

    async def _twice(self, action: Action) -> None:
        """Sometimes a request is sent twice, at once or after its answer."""
        if not self._strikes(self.world.profile.repeated):
            await action()
        elif self._strikes(0.5):
            await asyncio.gather(self.dares(action), self.dares(action))
        else:
            await self.dares(action)
            await action()

    # --- orders

    async def _orders(self) -> None:
        if len(self._open()) >= self.world.options.orders_at_once:
            await self._cancels()
            return
        ticket = await self._drafts()
        if ticket is not None and not self._strikes(self.world.options.forgotten):
            await self._twice(partial(self.creates, ticket))

    async def _drafts(self, terms: BookTerms | None = None) -> Ticket | None:
        terms = terms or self._terms()
        asked = {"terms": plain(terms)}
        answer = await self.world.ask(self.account, "draft", asked, lambda process: requests.drafts(process, terms))
        if answer["kind"] == "refused":
            return None
        ticket = Ticket(answer["draft"], self.random.randbytes(8))
        self.tickets.append(ticket)
        return ticket

    async def creates(self, ticket: Ticket) -> None:
        """As the dialect does it, or straight to the shard."""
        draft, placement = ticket.draft, ticket.placement
        asked = {"nonce": draft.nonce, "placement": plain(placement), "terms": plain(draft.terms)}
        if self._strikes(0.5):
            answer = await self.world.ask(
                self.account,
                "create",
                asked,
                lambda process: requests.creates(process, self.account, draft.nonce, placement),
            )
        else:
            answer = await self.world.ask(
                self.account, "place", asked, lambda process: requests.places(process, draft, placement)
            )
        self._learns(ticket, answer)

    def _learns(self, ticket: Ticket, answer: Answer) -> None:
        body = answer.get("body")
        if body is not None and body["terms"]["account"] == self.account:
            ticket.order_id, ticket.uuid = OrderId(body["id"]), body["uuid"]
            ticket.ended = answer["kind"] == "cancelled" or body["state"] in ("done", "cancel")

    async def _asks_again(self) -> None:
        if self.tickets:
            ticket = self.random.choice(self.tickets[-20:])
            await self._twice(partial(self.creates, ticket))

    async def _reuses_a_nonce(self) -> None:
        if self.tickets and self._strikes(self.world.options.reused):
            old = self.random.choice(self.tickets[-20:])
            other = Ticket(old.draft, self.random.randbytes(8))
            await self.creates(other)
            if other.order_id is not None:
                self.tickets[self.tickets.index(old)] = other

    def _terms(self) -> BookTerms:
        random, options = self.random, self.world.options
        market = random.choice(options.markets[:1] * 4 + options.markets)
        [kind] = random.choices(_KINDS, (7, 2, 2, 1))
        side = random.choice((BUY, SELL))
        price: Ticks | None = self._price(side)
        if kind is Kind.MARKET and self._strikes(0.7):
            price = None
        stop = Ticks(max(1, MID + random.randint(-options.spread, options.spread))) if kind is Kind.STOP_LIMIT else None
        lots = random.randint(market.volume_min.lots, random.choice((LOTS_MAX // 4, LOTS_MAX)))
        if self._strikes(options.patient):
            beyond = random.randint(1, options.spread + 1)
            kind, price, stop = Kind.STOP_LIMIT, Ticks(MID), Ticks(MID + beyond if side is BUY else MID - beyond)
        if self._strikes(options.greedy):
            lots, price = LOTS_MAX, Ticks(MID + 19 if side is BUY else MID - 19)
        terms = BookTerms(self.account, market.symbol, side, kind, Lots(lots), price, stop)
        return self._flawed(terms) if self._strikes(options.flawed) else terms

    def _price(self, side: Side) -> Ticks:
        """About the middle; buyers a little below it, sellers a little above."""
        random, options = self.random, self.world.options
        if self._strikes(options.wild):
            return Ticks(random.choice((MID // 2, MID - 19, MID + 19, MID + MID // 2, 3 * MID)))
        away = random.randint(-options.spread, options.spread)
        return Ticks(max(1, MID - away if side is BUY else MID + away))

    def _flawed(self, terms: BookTerms) -> BookTerms:
        lots, price, stop = self.random.choice(
            (
                (Lots(0), terms.price, terms.stop),
                (Lots(LOTS_MAX + 1), terms.price, terms.stop),
                (terms.lots, None, terms.stop),
                (terms.lots, terms.price, None),
                (terms.lots, Ticks(10**7), terms.stop),
            )
        )
        symbol = MarketSymbol("dogeusdc") if self._strikes(0.1) else terms.market
        return BookTerms(terms.account, symbol, terms.side, terms.kind, lots, price, stop)

    # --- cancels

    def _open(self) -> Sequence[Ticket]:
        return [ticket for ticket in self.tickets if ticket.order_id is not None and not ticket.ended]

    async def _cancels(self) -> None:
        ticket = self._ticket()
        if self._strikes(self.world.options.guessed):
            await self._cancels_what_comes()
        elif self._strikes(self.world.options.foreign):
            stranger = OrderId(self.random.choice((0, -1, 10**12, self.random.randint(1, 50))))
            await self.cancels(stranger, None)
        elif ticket is not None and ticket.order_id is not None:
            await self._twice(partial(self.cancels, ticket.order_id, ticket))

    async def _cancels_what_comes(self) -> None:
        """The cancel is sent together with the order, whose number can be guessed."""
        drafted = await self._drafts()
        if drafted is not None:
            seen = max((ticket.order_id or 0 for ticket in self.tickets), default=0)
            guess = OrderId(seen + self.random.randint(1, 3))
            creating = asyncio.ensure_future(self.dares(partial(self.creates, drafted)))
            await asyncio.sleep(self.random.choice((0, 0.001, 0.003)))
            await self.dares(partial(self.cancels, guess, None))
            await creating

    def _ticket(self) -> Ticket | None:
        known = [ticket for ticket in self.tickets if ticket.order_id is not None]
        live = self._open()
        if live and self._strikes(0.85):
            return self.random.choice(live)
        return self.random.choice(known[-20:]) if known else None

    async def cancels(self, order_id: OrderId, ticket: Ticket | None) -> None:
        answer = await self.world.ask(
            self.account, "cancel", order_id, lambda process: requests.cancels(process, self.account, order_id)
        )
        if ticket is not None:
            self._learns(ticket, answer)

    async def _cancels_many(self) -> None:
        side = self.random.choice((None, *Side))
        market = self.random.choice(self.world.options.markets[:2])
        await self._twice(partial(self.cancels_many, market, side, self.random.choice((0, 1, 3, ALL))))

    async def _races(self) -> None:
        """One trader cancels an order just when another takes it."""
        maker = self.random.choice([trader for trader in self._traders() if trader is not self])
        theirs = maker.one_that_rests()
        if theirs is None or theirs.order_id is None:
            return
        lots = Lots(self.random.randint(1, 2) * theirs.draft.terms.lots.lots // 2 or 1)
        side = theirs.draft.terms.side.other
        mine = await self._drafts(replace(theirs.draft.terms, account=self.account, side=side, lots=lots))
        if mine is not None:
            actions = [partial(self.creates, mine), partial(maker.cancels, theirs.order_id, theirs)]
            self.random.shuffle(actions)
            await asyncio.gather(*(self.dares(action) for action in actions))

    def one_that_rests(self) -> Ticket | None:
        """The newest limit order, as far as it knows."""
        plain = [ticket for ticket in self._open() if ticket.draft.terms.kind is Kind.LIMIT]
        return plain[-1] if plain else None

    async def cancels_many(self, market: Market, side: Side | None, limit: int) -> int:
        asked = {
            "account": self.account,
            "market": market.symbol,
            "side": None if side is None else side.value,
            "limit": limit,
        }
        answer = await self.world.ask(
            self.account,
            "cancel many",
            asked,
            lambda process: requests.cancels_many(process, self.account, market.symbol, side, limit),
        )
        count: int = answer["count"]
        return count

    async def hurries(self, order_id: OrderId) -> None:
        """Something about an order, at this very instant."""
        if self._strikes(0.5):
            await self.dares(partial(self.cancels, order_id, None))
        else:
            await self.dares(self._orders)

    # --- reads

    async def _reads(self) -> None:
        read = self.random.choice(
            (
                self.views,
                self.lists,
                self.trades,
                self.balances,
                self._front,
                self._tickers,
                self._periods,
                self._became,
                self._recalls,
            )
        )
        await self._twice(read)

    async def views(self) -> None:
        ticket = self._ticket()
        name: int | str = self.random.randint(1, 40)
        if ticket is not None and ticket.order_id is not None and not self._strikes(0.1):
            name = self.random.choice((int(ticket.order_id), ticket.uuid))
        answer = await self._asks("view", name, lambda process: requests.views(process, self.account, name))
        if ticket is not None and ticket.order_id == (answer["body"] or {}).get("id"):
            self._learns(ticket, answer)

    async def lists(self, *, all_of_them: bool = False) -> Answer:
        random, sometimes = self.random, 0.0 if all_of_them else 0.3
        market = random.choice(self.world.options.markets)
        query = OrdersQuery(
            self.account,
            market=market.symbol if self._strikes(sometimes) else None,
            base=market.base if self._strikes(sometimes) else None,
            quote=market.quote if self._strikes(sometimes) else None,
            side=random.choice((BUY, SELL)) if self._strikes(sometimes) else None,
            kind=random.choice(_KINDS) if self._strikes(sometimes) else None,
            state=random.choice(tuple(OrderStatus)) if self._strikes(sometimes) else None,
            ascending=self._strikes(0.5),
            limit=5 if self._strikes(sometimes) else ALL,
        )
        asked = {
            "market": query.market,
            "base": query.base,
            "quote": query.quote,
            "side": query.side and query.side.value,
            "kind": query.kind and query.kind.value,
            "state": query.state and query.state.value,
            "ascending": query.ascending,
            "limit": query.limit,
        }
        return await self._asks("list", asked, lambda process: requests.lists(process, query))

    async def trades(self) -> None:
        account = self.account if self._strikes(0.5) else None
        market = self.random.choice(self.world.options.markets).symbol if self._strikes(0.5) else None
        query = TradesQuery(account, market, ascending=True, limit=ALL)
        asked = {"account": account, "market": market}
        await self._asks("trades", asked, lambda process: requests.trades(process, query))

    async def balances(self) -> None:
        await self._asks("balances", None, lambda process: requests.balances(process, self.account))

    async def _front(self) -> None:
        market, depth = self.random.choice(self.world.options.markets[:2]).symbol, self.random.choice((1, 3, ALL))
        asked = {"market": market, "depth": depth}
        await self._asks("front", asked, lambda process: requests.front(process, market, depth))

    async def _tickers(self) -> None:
        await self._asks("tickers", None, requests.tickers)

    async def _periods(self) -> None:
        now = self.world.clock.now()
        since, market = Instant(now - 20_000), self.world.options.markets[0].symbol
        until = Instant(now + self.random.choice((1, 10_000, -5_000)))
        asked = {"market": market, "length": 3_000, "since": since, "until": until}
        await self._asks("periods", asked, lambda process: requests.periods(process, market, 3_000, since, until))

    async def _became(self) -> None:
        if self.tickets:
            nonce = self.random.choice(self.tickets[-20:]).draft.nonce
            await self._asks("became", nonce, lambda process: requests.became(process, self.account, nonce))

    async def _recalls(self) -> None:
        if self.tickets:
            nonce = self.random.choice(self.tickets[-20:]).draft.nonce
            await self._asks("recall", nonce, lambda process: requests.recalls(process, self.account, nonce))

    async def _asks(self, kind: str, what: Any, work: Callable[..., Any]) -> Answer:
        return await self.world.ask(self.account, kind, what, work)

    # --- when the faults are over

    async def finishes(self) -> None:
        """Asks again for some of what it ever asked for, cancels whatever is left, and reads everything."""
        for ticket in self.random.sample(self.tickets, min(_ASKED_AGAIN, len(self.tickets))):
            if ticket.order_id is not None:
                await self._surely(partial(self.creates, ticket))
        for ticket in self._open():
            if self._strikes(0.5) and ticket.order_id is not None:
                await self._surely(partial(self.cancels, ticket.order_id, ticket))
        for market in self.world.options.markets:
            await self._surely(partial(self._cancels_all, market))
        for read in (self.balances, self.trades, partial(self.lists, all_of_them=True)):
            await self._surely(read)

    async def _cancels_all(self, market: Market) -> None:
        while await self.cancels_many(market, None, 3):
            pass

    async def _surely(self, action: Action) -> None:
        while True:
            try:
                await action()
            except Lost:
                await asyncio.sleep(0.5)
            else:
                return
