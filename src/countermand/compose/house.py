"""A venue with everything in it, but for its door: the adapters and the engine, put together by hand."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from countermand.custody.custody import VaultCustody
from countermand.custody.vaults import VaultKeys
from countermand.dialects.tanx.session import LoginTexts
from countermand.dialects.tanx.session import Sessions as MemberSessions
from countermand.dialects.tanx.verifier import Verifier
from countermand.dialects.trigger_v2 import auth
from countermand.domain.book.markets import MARKETS
from countermand.domain.identity import Address, Mint
from countermand.engine.book_shard import BookShard
from countermand.engine.clock import VenueClock
from countermand.engine.ids import Ids
from countermand.engine.members import StarkKeys
from countermand.engine.onchain import OnChainOrders
from countermand.engine.outbox import Outbox
from countermand.engine.shards import BOOK_SHARD, TRIGGER_SHARD
from countermand.engine.trigger_orders import TriggerOrders
from countermand.engine.trigger_shard import TriggerShard
from countermand.engine.venue import Venue
from countermand.gateway.faults import GatewayFaults
from countermand.liquidity.pool import SandboxPool, pool_account, sandbox_accounts
from countermand.onchain.blocks import Blocks
from countermand.onchain.landing import ChainLanding
from countermand.onchain.limit import LimitChain
from countermand.onchain.recurring import RecurringOrders
from countermand.prices.feed import Token, TokenRegistry
from countermand.sandbox.faults import CrashingBookStore, CrashingStore, FaultyChain, WorldFaults
from countermand.sandbox.sandbox import Parts, Sandbox, stored_clock, stored_seed
from countermand.settings import Settings
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.genesis import Genesis
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.artifacts import program_builds
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.store.fences import Taken, take_all
from countermand.store.members_postgres import PostgresMembers
from countermand.store.sandbox_postgres import PostgresSandboxStore
from countermand.stored_rows import unreadable

_POOL_CONNECTIONS: Final = 4
_LIMIT_UNIT_PRICE: Final = 15_406
_RECURRING_UNIT_PRICE: Final = 200_000
"""What `auto` is on the embedded chain, where nobody competes: as in the published transactions."""
_OWNERS: Final = {limit_order.PROGRAM: [limit_order.ORDER_MAKER_AT], dca.PROGRAM: [dca.DCA_USER_AT]}
"""By what accounts of the order programs are found."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all families of orders stand on."""

    settings: Settings
    keys: VaultKeys
    clock: VenueClock
    seed: int | None
    ids: Ids
    tokens: TokenRegistry
    faults: WorldFaults
    gateway_faults: GatewayFaults
    store: CrashingStore
    book_store: CrashingBookStore
    sandbox_store: PostgresSandboxStore
    members: PostgresMembers
    taken: Taken
    chain: EmbeddedChain
    world: FaultyChain
    """The chain with the faults that are on."""


@dataclass(frozen=True, slots=True)
class TriggerSide:
    shard: TriggerShard
    outbox: Outbox
    pool: SandboxPool
    custody: VaultCustody
    orders: TriggerOrders
    sessions: auth.Sessions
    challenges: auth.Challenges


@dataclass(frozen=True, slots=True)
class BookSide:
    """The order books, and who trades on them: members, their sessions, and the keys that sign their orders."""

    shard: BookShard
    venue: Venue
    texts: LoginTexts
    sessions: MemberSessions
    stark_keys: StarkKeys
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class OnChain:
    """What the families have whose orders live on the chain: one service, and a view of the chain for each."""

    orders: OnChainOrders
    limit_blocks: Blocks
    limits: LimitChain
    recurring_blocks: Blocks
    recurring: RecurringOrders

    def forget(self) -> None:
        """The chain has leapt, or begins anew."""
        self.limit_blocks.forget()
        self.recurring_blocks.forget()


@dataclass(frozen=True, slots=True)
class House:
    ground: Ground
    trigger: TriggerSide
    on_chain: OnChain
    book: BookSide
    sandbox: Sandbox


@asynccontextmanager
async def house_of(settings: Settings, keys: VaultKeys, dsn: str) -> AsyncIterator[House]:
    async with _ground(settings, keys, dsn) as ground:
        trigger, book = _trigger_side(ground), _book_side(ground)
        on_chain = _on_chain(ground, trigger)
        sandbox = Sandbox(_sandbox_parts(ground, trigger, on_chain, book), ground.seed)
        try:
            yield House(ground, trigger, on_chain, book, sandbox)
        finally:
            book.verifier.close()


@asynccontextmanager
async def _ground(settings: Settings, keys: VaultKeys, dsn: str) -> AsyncIterator[Ground]:
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=_POOL_CONNECTIONS)
    store = await CrashingStore.connect(dsn)
    book_store = await CrashingBookStore.connect(dsn)
    ledger = PostgresLedgerStore(pool)
    try:
        sandbox_store = PostgresSandboxStore(pool)
        clock, faults = VenueClock(await stored_clock(sandbox_store)), WorldFaults()
        store.faults = book_store.faults = faults
        seed = await stored_seed(sandbox_store) if settings.seed is None else settings.seed
        taken = await take_all(dsn, (TRIGGER_SHARD, BOOK_SHARD))
        chain = await EmbeddedChain.open(ledger, clock, genesis=_genesis(keys), opened=taken.chain)
        try:
            yield Ground(
                settings=settings,
                keys=keys,
                clock=clock,
                seed=seed,
                ids=Ids(seed, await store.epoch(TRIGGER_SHARD)),
                tokens=await _tokens(sandbox_store),
                faults=faults,
                gateway_faults=GatewayFaults(),
                store=store,
                book_store=book_store,
                sandbox_store=sandbox_store,
                members=PostgresMembers(pool),
                taken=taken,
                chain=chain,
                world=FaultyChain(chain, faults),
            )
        finally:
            await chain.close()
    finally:
        await ledger.close()
        await store.close()
        await book_store.close()
        pool.terminate()


async def _tokens(store: PostgresSandboxStore) -> TokenRegistry:
    """Those that every venue knows, and those that were added."""
    registry = TokenRegistry()
    for row in await store.tokens():
        try:
            registry.add(Token(Mint(row.mint), row.symbol, row.decimals, Address(row.program)))
        except ValueError as problem:
            raise unreadable("sandbox_tokens", row.mint, problem) from problem
    return registry


def _genesis(keys: VaultKeys) -> Genesis:
    accounts = sandbox_accounts(keys, TokenRegistry().all())
    secret = secrets.token_bytes
    return Genesis(
        secret(32),
        secret(32),
        secret(32),
        {str(address): account for address, account in accounts.items()},
        programs=program_builds(),
        indexed=_OWNERS,
    )


# --- the families of orders


def _trigger_side(ground: Ground) -> TriggerSide:
    store, clock, keys = ground.store, ground.clock, ground.keys
    patience_ms = ground.settings.confirm_timeout_ms
    shard = TriggerShard(TRIGGER_SHARD, store, clock, lambda groups, loaded: outbox.on_committed(groups, loaded))  # noqa: PLW0108
    shard.opened = ground.taken.shards[TRIGGER_SHARD]
    pool = SandboxPool(keys.pool.address, shard.price_of)
    custody = VaultCustody(keys, ground.world, ground.tokens, shard.price_of, pool, clock.wall_ms)
    outbox = Outbox(shard, custody, clock, patience_ms)
    return TriggerSide(
        shard=shard,
        outbox=outbox,
        pool=pool,
        custody=custody,
        orders=TriggerOrders(shard, outbox, custody, store, clock, ground.ids, patience_ms),
        sessions=auth.Sessions(keys.jwt_secret(), clock),
        challenges=auth.Challenges(keys.jwt_secret(), clock),
    )


def _book_side(ground: Ground) -> BookSide:
    clock, secret = ground.clock, ground.keys.jwt_secret()
    shard = BookShard(BOOK_SHARD, ground.book_store, clock, MARKETS, ground.faults)
    shard.opened = ground.taken.shards[BOOK_SHARD]
    return BookSide(
        shard=shard,
        venue=Venue(shard, ground.book_store, ground.ids),
        texts=LoginTexts(secret, clock),
        sessions=MemberSessions(secret, clock, ground.members),
        stark_keys=StarkKeys(ground.members),
        verifier=Verifier(),
    )


def _on_chain(ground: Ground, trigger: TriggerSide) -> OnChain:
    world, clock = ground.world, ground.clock
    limit_blocks = Blocks(world, world, clock.wall_ms, _LIMIT_UNIT_PRICE)
    recurring_blocks = Blocks(world, world, clock.wall_ms, _RECURRING_UNIT_PRICE)
    patience_ms = ground.settings.confirm_timeout_ms
    orders = OnChainOrders(trigger.shard, ground.store, ChainLanding(world), clock, patience_ms)

    def unique_id() -> int:
        return UUID(ground.ids.request_id()).int >> 65

    return OnChain(
        orders=orders,
        limit_blocks=limit_blocks,
        limits=LimitChain(world, world, limit_blocks, unique_id),
        recurring_blocks=recurring_blocks,
        recurring=RecurringOrders(orders, world, world, recurring_blocks, clock, trigger.shard.price_of),
    )


def _sandbox_parts(ground: Ground, trigger: TriggerSide, on_chain: OnChain, book: BookSide) -> Parts:
    pool = trigger.pool

    async def clear_orders() -> None:
        await ground.store.reset(TRIGGER_SHARD)
        await ground.book_store.reset(BOOK_SHARD)
        await ground.members.clear()
        book.sessions.forget()
        book.stark_keys.forget()

    def expire_tokens() -> None:
        trigger.sessions.expire_tokens_now()
        book.sessions.expire_tokens_now()

    def forget() -> None:
        trigger.custody.forget()
        on_chain.forget()

    async def equip(token: Token) -> None:
        await ground.chain.put_accounts({pool.pool_account_of(token): pool_account(ground.keys.pool.address, token)})

    return Parts(
        shard=trigger.shard,
        book=book.shard,
        outbox=trigger.outbox,
        chain=ground.chain,
        world=ground.world,
        faults=ground.faults,
        gateway_faults=ground.gateway_faults,
        pool=pool,
        tokens=ground.tokens,
        clock=ground.clock,
        ids=ground.ids,
        store=ground.sandbox_store,
        expire_tokens=expire_tokens,
        forget=forget,
        clear_orders=clear_orders,
        genesis=lambda: _genesis(ground.keys),
        equip=equip,
    )
