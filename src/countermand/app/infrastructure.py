"""The infrastructure of all families: settings, keys, clock, stores and the chain. Each root opens it its own way."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from msgspec import Struct, field

from countermand.app.reachable import Reachable
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.shards import BOOK_SHARD, CHAIN_SHARD, DCA_SHARD, TRIGGER_SHARD
from countermand.services.custody.vaults import VaultKeys
from countermand.services.prices import Prices
from countermand.services.token_incarnation import TokenIncarnation
from countermand.services.tokens import Token, TokenRegistry
from countermand.settings import Settings
from countermand.solana.genesis import Genesis
from countermand.solana.port import AccountInfo, Node
from countermand.solana.port import Address as ChainAddress
from countermand.solana.programs import dca, limit_order
from countermand.store.book_postgres import PostgresBookStore
from countermand.store.builds_postgres import PostgresBuilds
from countermand.store.chain_index_postgres import PostgresChainIndexStore
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.store.connections import Pool, open_pool
from countermand.store.dca_postgres import PostgresDcaStore
from countermand.store.fences import Taken
from countermand.store.keys_postgres import PostgresKeys
from countermand.store.members_postgres import PostgresMembers
from countermand.store.postgres import PostgresStore
from countermand.store.prices_postgres import PostgresPrices
from countermand.store.sandbox_postgres import PostgresSandboxStore
from countermand.store.vaults_postgres import PostgresVaults
from countermand.store.venue_postgres import PostgresVenue
from countermand.stored_rows import unreadable
from countermand.values.identity import Address, Mint

SHARDS: Final = (TRIGGER_SHARD, BOOK_SHARD, DCA_SHARD, CHAIN_SHARD)
_OWNERS: Final = {limit_order.PROGRAM: [limit_order.ORDER_MAKER_AT], dca.PROGRAM: [dca.DCA_USER_AT]}
"""By what accounts of the order programs are found."""


class Stores(Struct, frozen=True):
    trigger: PostgresStore
    dca: PostgresDcaStore
    book: PostgresBookStore
    index: PostgresChainIndexStore
    ledger: PostgresLedgerStore
    members: PostgresMembers
    sandbox: PostgresSandboxStore
    venue: PostgresVenue
    keys: PostgresKeys
    builds: PostgresBuilds
    vaults: PostgresVaults
    readers: Pool


class Infrastructure(Struct, frozen=True):
    """`chain` is the chain as the families of orders see it."""

    settings: Settings
    keys: VaultKeys
    clock: VenueClock
    ids: Ids
    tokens: TokenRegistry
    prices: Prices
    stores: Stores
    chain: Node
    newest_slot: Callable[[], int | None]
    incarnation: TokenIncarnation
    taken: Taken
    reachable: Reachable = field(default_factory=Reachable)


@asynccontextmanager
async def opened_stores(
    dsn: str,
    trigger: type[PostgresStore] = PostgresStore,
    dca: type[PostgresDcaStore] = PostgresDcaStore,
    book: type[PostgresBookStore] = PostgresBookStore,
    index: type[PostgresChainIndexStore] = PostgresChainIndexStore,
    builds: type[PostgresBuilds] = PostgresBuilds,
    vaults: type[PostgresVaults] = PostgresVaults,
) -> AsyncIterator[Stores]:
    async with AsyncExitStack() as opened:
        pool = await open_pool(dsn, "rows")
        opened.callback(pool.terminate)
        trigger_store = await trigger.connect(dsn)
        opened.push_async_callback(trigger_store.close)
        dca_store = await dca.connect(dsn)
        opened.push_async_callback(dca_store.close)
        book_store = await book.connect(dsn)
        opened.push_async_callback(book_store.close)
        index_store = await index.connect(dsn)
        opened.push_async_callback(index_store.close)
        ledger = PostgresLedgerStore(dsn, pool)
        opened.push_async_callback(ledger.close)
        yield Stores(
            trigger=trigger_store,
            dca=dca_store,
            book=book_store,
            index=index_store,
            ledger=ledger,
            members=PostgresMembers(pool),
            sandbox=PostgresSandboxStore(pool),
            venue=PostgresVenue(pool),
            keys=PostgresKeys(pool),
            builds=builds(pool),
            vaults=vaults(pool),
            readers=pool,
        )


def price_store(stores: Stores, taken: Taken) -> PostgresPrices:
    """In which only the process that has taken the shards may set prices."""
    return PostgresPrices(stores.readers, TRIGGER_SHARD, taken.shards[TRIGGER_SHARD])


async def known_tokens(stores: Stores) -> TokenRegistry:
    """Those that every venue knows, and those that were added."""
    registry = TokenRegistry()
    for token in await added_tokens(stores):
        try:
            registry.add(token)
        except ValueError as problem:
            raise unreadable("sandbox_tokens", token.mint, problem) from problem
    return registry


async def added_tokens(stores: Stores) -> Sequence[Token]:
    """In the order in which they were added."""
    rows = await stores.sandbox.tokens()
    return [Token(Mint(row.mint), row.symbol, row.decimals, Address(row.program)) for row in rows]


def genesis_of(
    accounts: Mapping[ChainAddress, AccountInfo], programs: Mapping[ChainAddress, bytes], *, faucet: bool
) -> Genesis:
    """With new secrets. Without `faucet`, what is in `accounts` is all that this chain will ever have."""
    secret = secrets.token_bytes
    return Genesis(
        secret(32),
        secret(32),
        secret(32),
        accounts,
        programs=programs,
        indexed=_OWNERS,
        faucet=faucet,
    )
