"""A seeded market maker for the books of tanX: quotes on both sides of a price that moves, and a taker who trades.

Both are members of the venue as any others, and their orders are ordinary ones; but they are not signed. What the same
seed asks for is always the same; which of it trades depends on who else is there. A restart, a reset and a restore end
it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from random import Random
from typing import Final

import structlog
from msgspec import Struct

from countermand.dialects.tanx.signing import msg_hash, placement
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.book.members import Members
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Amount
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import BUY, SELL, BookTerms, Kind, Side
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.rows import Draft
from countermand.orders.book.service import BookService
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE, moved

LEVELS_MAX: Final = 50
_RESERVES: Final = 100
"""Each member has what so many rounds of quotes could take, and gets it anew with each start."""

_log: Final = structlog.get_logger("countermand")


class Quoting(Struct, frozen=True, kw_only=True):
    """`levels` quotes of `lots` on each side, the first `spread_bps` apart around the price, and each as far again.

    Every `every_ms` the price moves by at most `move_bps`, and half of the times a taker trades with the best quote.
    """

    market: Market
    price: Ticks
    lots: Lots
    seed: int
    spread_bps: int
    levels: int
    move_bps: int
    every_ms: int


class MarketMaker(Struct):
    """`rounds`: how often it has quoted. `price`: around which it does now."""

    quoting: Quoting
    price: Ticks
    rounds: int = 0
    task: "asyncio.Task[None] | None" = None

    def account(self, role: str) -> Account:
        """Of the maker or the taker: the same for the same seed."""
        named = f"countermand {role} {self.quoting.market.symbol} {self.quoting.seed}"
        return Account("0x" + sha256(named.encode()).hexdigest()[:40])


class MarketMakers:
    """At most one for each market."""

    def __init__(self, service: BookService, members: Members, now: Callable[[], Instant]) -> None:
        self._service = service
        self._members = members
        self._now = now
        self._quoting: dict[str, MarketMaker] = {}
        self._one_at_a_time = asyncio.Lock()
        """Two that begin in one market at once would both quote it, and only one of them could be stopped."""

    def all(self) -> Sequence[MarketMaker]:
        return list(self._quoting.values())

    async def start(self, quoting: Quoting) -> None:
        """In the place of the one that quotes this market. Its first quotes are in the book when it returns."""
        symbol = quoting.market.symbol
        maker = MarketMaker(quoting, quoting.price)
        random = Random(f"market maker {symbol} {quoting.seed}")  # noqa: S311  It is to be repeated.
        async with self._one_at_a_time:
            await self._stop([symbol])
            for role in ("maker", "taker"):
                await self._cancel_all(maker, role)  # What one of an earlier process has left.
                await self._equip(maker.account(role), quoting)
            self._quoting[symbol] = maker
            try:
                await self._quote(maker)
            finally:
                maker.task = asyncio.create_task(self._live(maker, random), name=f"market maker of {symbol}")

    async def stop(self, markets: Sequence[str] | None = None) -> None:
        """None: of every market. Its quotes are out of the book when it returns."""
        async with self._one_at_a_time:
            await self._stop(list(self._quoting) if markets is None else markets)

    async def _stop(self, markets: Sequence[str]) -> None:
        for symbol in markets:
            maker = self._quoting.get(symbol)
            if maker is not None:
                assert maker.task is not None
                maker.task.cancel()
                await asyncio.gather(maker.task, return_exceptions=True)
                await self._withdraw(maker)
                del self._quoting[symbol]

    def end(self) -> None:
        """At once, without a word to the book."""
        for maker in self._quoting.values():
            if maker.task is not None:
                maker.task.cancel()
        self._quoting.clear()

    async def _equip(self, account: Account, quoting: Quoting) -> None:
        market = quoting.market
        lots = Lots(quoting.lots.lots * quoting.levels * _RESERVES)
        await self._members.enrol(account, self._now())
        for currency, amount in ((market.base, market.volume(lots)), (market.quote, market.cost(quoting.price, lots))):
            whole = 10**AMOUNT_SCALE
            await self._service.credit(account, currency, Amount(-(-amount.quanta // whole) * whole))

    async def _live(self, maker: MarketMaker, random: Random) -> None:
        quoting = maker.quoting
        while True:
            await asyncio.sleep(quoting.every_ms / 1000)
            move = random.randint(-quoting.move_bps, quoting.move_bps)
            side, trades = random.choice((BUY, SELL)), random.randrange(2)
            maker.price = _bounded(quoting.market, moved(maker.price.ticks, move))
            try:
                if trades:
                    await self._trade(maker, side)
                await self._quote(maker)
            except (Unavailable, CommitUnknown) as lost:
                _log.warning("a market maker missed a round", market=quoting.market.symbol, reason=str(lost))

    async def _quote(self, maker: MarketMaker) -> None:
        """In the place of its last quotes. What is asked for together is one commit: no read sees a book between."""
        drafts = [draft for terms in quotes(maker) if (draft := await self._draft(maker, terms)) is not None]
        asked = (self._withdraw(maker), *(self._place(draft) for draft in drafts))
        for outcome in await asyncio.gather(*asked, return_exceptions=True):  # Else one could go on after a stop.
            if isinstance(outcome, BaseException):
                raise outcome
        maker.rounds += 1

    async def _trade(self, maker: MarketMaker, side: Side) -> None:
        """With the best quote of the other side, also another member's, and with no more than that.

        What is left of a market order ends with it, so that nothing rests if this is cancelled here.
        """
        symbol = maker.quoting.market.symbol
        asks, bids = await self._service.resting(symbol, 1, 1)
        for best in asks if side is BUY else bids:
            lots = Lots(max(1, maker.quoting.lots.lots // 2))
            terms = BookTerms(maker.account("taker"), symbol, side, Kind.MARKET, lots, best.terms.price)
            if (draft := await self._draft(maker, terms)) is not None:
                await self._place(draft)

    async def _withdraw(self, maker: MarketMaker) -> None:
        await self._cancel_all(maker, "maker")

    async def _cancel_all(self, maker: MarketMaker, role: str) -> None:
        await self._service.cancel_many(maker.account(role), maker.quoting.market.symbol, None, 4 * LEVELS_MAX)

    async def _draft(self, maker: MarketMaker, terms: BookTerms) -> Draft | None:
        """What the book refuses, as when the reserves are used up, is left out."""
        market = maker.quoting.market
        draft = await self._service.draft(terms, lambda nonce: msg_hash(terms, market, nonce))
        return None if isinstance(draft, BookRefused) else draft

    async def _place(self, draft: Draft) -> None:
        await self._service.place(draft, placement(draft.nonce, int(draft.msg_hash, 16), 0, 0))


def quotes(maker: MarketMaker) -> Iterator[BookTerms]:
    """The best first. Those that fall together, where a tick is more than a level, are one."""
    quoting, account = maker.quoting, maker.account("maker")
    for side, sign in ((SELL, 1), (BUY, -1)):
        seen = 0
        for level in range(1, quoting.levels + 1):
            away = max(level, maker.price.ticks * quoting.spread_bps * (2 * level - 1) // (2 * BPS_ONE))
            price = _bounded(quoting.market, maker.price.ticks + sign * away)
            if price.ticks != seen:
                seen = price.ticks
                yield BookTerms(account, quoting.market.symbol, side, Kind.LIMIT, quoting.lots, price)


def _bounded(market: Market, ticks: int) -> Ticks:
    return Ticks(min(max(ticks, market.price_min.ticks), market.price_max.ticks))
