"""Fills a data directory with wallets and open orders, through the engine's own journal and the chain's own ledger.

No server runs meanwhile. Only the deposits themselves are skipped: each order's account is put on the chain as a landed
deposit would have left it, so `countermand audit` misses their transactions, and is not asked about such a venue.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from solders.keypair import Keypair

from countermand.dialects.trigger_v2.auth import WalletSessions
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.shards import TRIGGER_SHARD
from countermand.orders.trigger.model.commands import PlaceOrder, ResolveAttempt, UnsignedDeposit
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import Family, Leg, Role
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.orders.trigger.shard import TriggerEpoch
from countermand.orders.trigger.state import TriggerState
from countermand.orders.vaults.registry import vault_row
from countermand.sandbox.pool import pool_account, sandbox_accounts
from countermand.sandbox.prices import DEFAULT_PRICES
from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.deposits import account_seed, deposit_message
from countermand.services.custody.instructions import order_account
from countermand.services.custody.vaults import MASTER_SEED_FILE, VaultKeys, load_or_make_seed
from countermand.services.token_incarnation import TokenIncarnation
from countermand.services.tokens import JUP, SOL, USDC, Token, TokenRegistry
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.genesis import Genesis
from countermand.solana.port import AccountInfo
from countermand.solana.tokens import SYSTEM_PROGRAM, associated_token_address
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.store.embedded import EmbeddedPostgres
from countermand.store.fingerprints import keep_fingerprint
from countermand.store.postgres import PostgresStore, migrate
from countermand.store.prices_postgres import PostgresPrices
from countermand.store.vaults_postgres import PostgresVaults
from countermand.store.venue_postgres import PostgresVenue
from countermand.values.bucket import bucket_of
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, Bps, UsdPrice
from countermand.values.transactions import Submission, TransactionOutcome, UnsignedTransaction

WALLETS: Final = 2_000
_A_BATCH: Final = 1_000
_WEALTH: Final = 10**15
_YEAR_MS: Final = 365 * 24 * 3_600_000
_MICRODOLLAR: Final = 10 ** (USD_SCALE - 6)


@dataclass(frozen=True, slots=True)
class Owner:
    """A wallet with a registered vault, money, and a token for the API."""

    keypair: Keypair
    wallet: Wallet
    token: str


@dataclass(frozen=True, slots=True)
class Open:
    """An open order and its owner."""

    id: OrderId
    owner: Owner


@dataclass(frozen=True, slots=True)
class Wish:
    """What an order is to be: it sells `amount` when the trigger token is at or beyond `microdollars`.

    `stop_microdollars`: or at or below this price, as a pair of a take profit and a stop loss.
    """

    sells: Token
    buys: Token
    watches: Token
    direction: Direction
    microdollars: int
    amount: int
    stop_microdollars: int | None = None

    @property
    def family(self) -> Family:
        return Family.SINGLE if self.stop_microdollars is None else Family.OCO

    def legs(self) -> tuple[Leg, ...]:
        first = Condition(self.direction, UsdPrice(self.microdollars * _MICRODOLLAR))
        if self.stop_microdollars is None:
            return (Leg(Role.TRIGGER, first, Bps(300)),)
        second = Condition(Direction.BELOW, UsdPrice(self.stop_microdollars * _MICRODOLLAR))
        return (Leg(Role.TAKE_PROFIT, first, Bps(300)), Leg(Role.STOP_LOSS, second, Bps(300)))


def resting(count: int) -> Iterator[Wish]:
    """Orders that no price of the benchmarks crosses, half of them selling SOL and half buying it."""
    for number in range(count):
        if number % 2:
            yield Wish(USDC, SOL, SOL, Direction.BELOW, 50_000_000 + number % 49_000 * 1_000, 100 * 10**6)
        else:
            yield Wish(SOL, USDC, SOL, Direction.ABOVE, 300_000_000 + number % 700_000 * 1_000, 10**9)


def pairs(count: int) -> Iterator[Wish]:
    """OCO orders that no price of the benchmarks crosses."""
    for number in range(count):
        above, below = 300_000_000 + number % 700_000 * 1_000, 50_000_000 + number % 49_000 * 1_000
        yield Wish(SOL, USDC, SOL, Direction.ABOVE, above, 10**9, below)


def ladder(count: int) -> Iterator[Wish]:
    """Sales of JUP at rising prices, a microdollar apart, from a dollar on."""
    for number in range(count):
        yield Wish(JUP, USDC, JUP, Direction.ABOVE, 1_000_000 + number, 100 * 10**6)


@dataclass(frozen=True, slots=True)
class Filling:
    """A venue that is being filled."""

    keys: VaultKeys
    clock: VenueClock
    store: PostgresStore
    prices: PostgresPrices
    chain: EmbeddedChain
    writer: TriggerEpoch
    ids: Ids
    owners: Sequence[Owner]

    async def add(self, wishes: Iterator[Wish]) -> list[Open]:
        """Orders of all wallets in turn, open from now on for a year."""
        added: list[Open] = []
        while some := list(islice(wishes, _A_BATCH)):
            accounts: dict[Address, AccountInfo] = {}
            for wish in some:
                owner = self.owners[len(added) % len(self.owners)]
                added.append(Open(self._place(wish, owner, accounts), owner))
            await self.chain.put_accounts({str(address): account for address, account in accounts.items()})
            await self._commit()
        return added

    def _place(self, wish: Wish, owner: Owner, accounts: dict[Address, AccountInfo]) -> OrderId:
        now, request_id = self.clock.now(), self.ids.request_id()
        order_id, vault = self.ids.order_id(now, bucket_of(owner.wallet)), self.keys.vault_of(owner.wallet)
        parties, seed = OrderAccounts.of(owner.wallet, vault, wish.sells), account_seed(request_id)
        message = deposit_message(parties, seed, wish.amount, secrets.token_bytes(32))
        account = Address(str(order_account(parties.vault, seed, parties.program)))
        signature = Signature(str(owner.keypair.sign_message(message)))
        command = _placement(wish, owner.wallet, order_id, request_id, account, message, signature, now)
        for each in (command, ResolveAttempt(order_id, 1, TransactionOutcome.LANDED, signature, None)):
            happened = self.writer.turn(each, now)
            assert not isinstance(happened, TriggerRefused), happened
        accounts[account] = pool_account(vault.address, wish.sells, wish.amount)
        return order_id

    async def register(self) -> None:
        """Gives every wallet its vault's registration."""
        now = self.clock.now()
        await PostgresVaults(self.store.readers).add([vault_row(owner.wallet, now) for owner in self.owners])

    async def enrich(self) -> None:
        """The same, and lamports and token accounts."""
        await self.register()
        accounts: dict[str, AccountInfo] = {}
        for owner in self.owners:
            accounts[owner.wallet] = AccountInfo(_WEALTH, SYSTEM_PROGRAM, b"", executable=False)
            for token in (USDC, JUP):
                at = associated_token_address(owner.wallet, token.mint, token.program)
                accounts[at] = pool_account(Address(owner.wallet), token, _WEALTH)
        await self.chain.put_accounts(accounts)
        await self.prices.set_prices(DEFAULT_PRICES)

    async def _commit(self) -> None:
        batch = self.writer.take_batch()
        await self.store.commit(batch)
        self.writer.on_committed(batch)
        self.writer.state.take_committed()


def _placement(
    wish: Wish,
    wallet: Wallet,
    order_id: OrderId,
    request_id: RequestId,
    account: Address,
    message: bytes,
    signature: Signature,
    now: Instant,
) -> PlaceOrder:
    amount, input_mint, output_mint = BaseUnits(wish.amount), Mint(wish.sells.mint), Mint(wish.buys.mint)
    craft = UnsignedTransaction(message, last_valid_height=1 << 40, moves=amount)
    deposit = UnsignedDeposit(request_id, order_id, wallet, wish.family, input_mint, output_mint, account, craft)
    return PlaceOrder(
        order_id=order_id,
        wallet=wallet,
        deposit=deposit,
        family=wish.family,
        input_mint=input_mint,
        output_mint=output_mint,
        trigger_mint=Mint(wish.watches.mint),
        amount=amount,
        legs=wish.legs(),
        expires_at=Instant(now + _YEAR_MS),
        submission=Submission(message, signature, None),
        flaw=None,
    )


@asynccontextmanager
async def filling(data: Path) -> AsyncIterator[Filling]:
    """Opens the data directory the way a server does, and gives its wallets what they need."""
    # As the venues that are measured in processes of their own: nothing that goes well is told.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    keys, clock = VaultKeys(load_or_make_seed(data / MASTER_SEED_FILE)), VenueClock()
    async with EmbeddedPostgres(data) as server:
        await migrate(server.dsn)
        await keep_fingerprint(server.dsn, keys.fingerprint())
        pool = await asyncpg.create_pool(server.dsn, min_size=1, max_size=4)
        sessions = WalletSessions(keys.jwt_secret(), clock, TokenIncarnation(PostgresVenue(pool), 1))
        store = await PostgresStore.connect(server.dsn)
        ledger = PostgresLedgerStore(server.dsn, pool)
        chain = await EmbeddedChain.open(ledger, clock, genesis=_genesis(keys))
        state = TriggerState(DEFAULT_PRICES.get)
        writer = WriterEpoch(TRIGGER_SHARD, await store.begin_epoch(TRIGGER_SHARD), state, state)
        prices = PostgresPrices(pool, TRIGGER_SHARD)
        it = Filling(keys, clock, store, prices, chain, writer, Ids(), [_owner(sessions) for _ in range(WALLETS)])
        yield it
        # PostgreSQL would do it soon by itself, in the middle of a measurement.
        await pool.execute("VACUUM (FREEZE, ANALYZE)")
        await chain.close()
        await ledger.close()
        await store.close()
        pool.terminate()


def _owner(sessions: WalletSessions) -> Owner:
    keypair = Keypair()
    wallet = Wallet(str(keypair.pubkey()))
    return Owner(keypair, wallet, sessions.issue(wallet))


def _genesis(keys: VaultKeys) -> Genesis:
    accounts = sandbox_accounts(keys, TokenRegistry().all())
    secret = secrets.token_bytes
    return Genesis(secret(32), secret(32), secret(32), dict(accounts))
