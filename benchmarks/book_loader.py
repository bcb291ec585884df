"""Fills a data directory with users, balances, resting orders of the books, and orders that wait for their signatures.

No server runs meanwhile: everything goes through the shard's own writer and journal, but for the users' logins.
"""

import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import asyncpg
import fast_stark_crypto

from benchmarks import requests
from countermand.curves.stark import public_key
from countermand.dialects.tanx.session import TanxSessions
from countermand.dialects.tanx.signing import msg_hash
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.book.model.commands import Credit, PlaceBookOrder
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Amount, Currency
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import BUY, SELL, BookTerms, Kind, Nonce, OrderId
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.orders.book.model.refusals import BookRefused
from countermand.orders.book.rows import Draft
from countermand.orders.book.shard import BookEpoch
from countermand.orders.book.state import BookState
from countermand.orders.shards import BOOK_SHARD
from countermand.services.custody.vaults import MASTER_SEED_FILE, VaultKeys, load_or_make_seed
from countermand.services.token_incarnation import TokenIncarnation
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.embedded import EmbeddedPostgres
from countermand.store.fingerprints import keep_fingerprint
from countermand.store.members_postgres import PostgresMembers
from countermand.store.migrations import migrate
from countermand.store.venue_postgres import PostgresVenue
from countermand.values.instant import Instant

USERS: Final = 500
_A_BATCH: Final = 1_000
_WEALTH: Final = Amount(10**9 * 10**AMOUNT_SCALE)
_YEAR_MS: Final = 365 * 24 * 3_600_000
_MARKET: Final = next(market for market in MARKETS if market.symbol == MarketSymbol("btcusdc"))
_MID: Final = 6_000_000
"""In ticks: 60,000 USDC."""
_DEPTH: Final = 100_000
"""The ticks on each side of the mid on which orders rest: they never meet."""


class _NoFaults:
    def failing(self) -> bool:
        return False

    def failed(self) -> None:
        raise AssertionError("no match is to fail")


@dataclass(frozen=True, slots=True)
class User:
    account: Account
    stark_private_key: int
    token: str


@dataclass(frozen=True, slots=True)
class Resting:
    """An order in the book and its owner."""

    id: OrderId
    owner: User


@dataclass(frozen=True, slots=True)
class Trading:
    """The books of a venue that is being filled."""

    writer: BookEpoch
    store: PostgresBookStore
    clock: VenueClock
    ids: Ids
    users: Sequence[User]

    async def rest(self, count: int) -> list[Resting]:
        """Orders of all users in turn, which rest."""
        resting: list[Resting] = []
        for some in _some(zip(_terms(self.users), range(count), strict=False)):
            for (terms, owner), _ in some:
                nonce = self._next_nonce()
                placed = PlaceBookOrder(self.ids.request_id(), nonce, b"signed", terms)
                happened = self.writer.turn(placed, self.clock.now())
                assert not isinstance(happened, BookRefused), happened
                order = self.writer.state.exchange.placed(terms.account, nonce)
                assert order is not None
                resting.append(Resting(order.id, owner))
            await self._commit()
        return resting

    async def draft(self, count: int) -> list[bytes]:
        """Orders that are not placed yet: the requests that place them, signed."""
        signed = []
        expires_at = Instant(self.clock.now() + _YEAR_MS)
        for some in _some(zip(_terms(self.users), range(count), strict=False)):
            for (terms, owner), _ in some:
                nonce = self._next_nonce()
                message = msg_hash(terms, _MARKET, nonce)
                self.writer.state.add_draft(Draft(nonce, terms, message, expires_at))
                r, s = fast_stark_crypto.sign(owner.stark_private_key, int(message, 16))
                signed.append(requests.tanx_create(nonce, message, (r, s), owner.token))
            await self._commit()
        return signed

    async def enrich(self) -> None:
        for user in self.users:
            for currency in (_MARKET.base, _MARKET.quote):
                happened = self.writer.turn(Credit(user.account, Currency(currency), _WEALTH), self.clock.now())
                assert not isinstance(happened, BookRefused), happened
        await self._commit()

    def _next_nonce(self) -> Nonce:
        self.writer.state.nonces += 1
        return Nonce(self.writer.state.nonces)

    async def _commit(self) -> None:
        batch = self.writer.take_batch()
        await self.store.commit(batch)
        self.writer.on_committed(batch)
        self.writer.state.on_committed()


def _terms(users: Sequence[User]) -> Iterator[tuple[BookTerms, User]]:
    """Limit orders on both sides of the mid, a lot each, of all users in turn."""
    for number, user in enumerate(cycle(users)):
        side, away = (BUY, -1) if number % 2 else (SELL, 1)
        price = Ticks(_MID + away * (1 + number % _DEPTH))
        yield BookTerms(user.account, _MARKET.symbol, side, Kind.LIMIT, Lots(1 + number % 100), price), user


def _some(items: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(islice(items, _A_BATCH)):
        yield some


@asynccontextmanager
async def trading(data: Path) -> AsyncIterator[Trading]:
    """Opens an empty data directory the way a server does, and gives its users what they need."""
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o711)
    keys, clock = VaultKeys(load_or_make_seed(data / MASTER_SEED_FILE)), VenueClock()
    async with EmbeddedPostgres(data) as server:
        await migrate(server.dsn)
        await keep_fingerprint(server.dsn, keys.fingerprint())
        pool = await asyncpg.create_pool(server.dsn, min_size=1, max_size=4)
        store = await PostgresBookStore.connect(server.dsn)
        members = PostgresMembers(pool)
        sessions = TanxSessions(keys.jwt_secret(), clock, members, TokenIncarnation(PostgresVenue(pool), 1))
        users = [await _user(number, members, sessions, clock) for number in range(USERS)]
        memory = BookState(MARKETS, _NoFaults())
        writer = WriterEpoch(BOOK_SHARD, await store.begin_epoch(BOOK_SHARD), memory, memory)
        it = Trading(writer, store, clock, Ids(), users)
        await it.enrich()
        yield it
        # PostgreSQL would do it soon by itself, in the middle of a measurement.
        await pool.execute("VACUUM (FREEZE, ANALYZE)")
        await store.close()
        await pool.close()


async def _user(number: int, members: PostgresMembers, sessions: TanxSessions, clock: VenueClock) -> User:
    account, key = Account(f"0x{number + 1:040x}"), 1_000_000 + number
    member = await members.enrol(account, clock.now())
    await members.register_key(account, public_key(key), replace=False)
    tokens = await sessions.begin(account, member.logins, 1)
    assert tokens is not None
    return User(account, key, tokens.access)
