"""The operations of a sandbox only: funds, prices, the clock, faults, and a reset."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

import msgspec
import structlog

from countermand.inspection.wire import TokenWire
from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ids import Ids
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.book.shard import BookShard
from countermand.orders.chain.index import ChainIndex
from countermand.orders.chain.shard import ChainIndexShard
from countermand.orders.dca.shard import DcaShard
from countermand.orders.dca.work import DcaOutbox
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.trigger.work import TriggerOutbox
from countermand.sandbox.changes import RunningChanges
from countermand.sandbox.faucet import Faucet
from countermand.sandbox.faults import CrashPoint, FaultyChain, WorldFaults
from countermand.sandbox.gateway_faults import GatewayFaults
from countermand.sandbox.keeper import Keeper
from countermand.sandbox.markets import PoolMarkets
from countermand.sandbox.naming import TokenNames
from countermand.sandbox.pool import Liquidity, SandboxPool
from countermand.sandbox.prices import DEFAULT_PRICES
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.strict import SLOW_LANDING_MS, Strict, Weakness
from countermand.sandbox.wire import ChainWire, ClockWire, FaultsWire, SandboxWire
from countermand.services.prices import Prices
from countermand.services.token_incarnation import TokenIncarnation
from countermand.services.tokens import Token, TokenRegistry
from countermand.settings import SEED_MAX
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.genesis import Genesis
from countermand.solana.port import ChainUnavailable
from countermand.store.sandbox_postgres import PostgresSandboxStore, TokenRow
from countermand.stored_rows import UNREADABLE, check, unreadable
from countermand.values.identity import Address, Mint
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, UsdPrice, decimal_text

_log: Final = structlog.get_logger("countermand")
_SETTLE_POLL_MS: Final = 5
_FIRST_PRICE_TRIES: Final = 20
_FIRST_PRICE_PAUSE_S: Final = 0.5
_REPLACED_S: Final = 10
"""So long a request waits for a reset to end."""
_EMPTIED_S: Final = 5
"""So long a reset that fails half way is tried again."""
_AGAIN_S: Final = 0.5
CUT_SHORT: Final = "a {} of this sandbox was cut short; send it again, or start the venue again"
_SETTINGS: Final = "sandbox_settings"
CLOCK: Final = "clock"
_CLOCK_DECODER: Final = msgspec.json.Decoder(ClockSetting)
SEED: Final = "seed"
RESETTING: Final = "resetting"
"""There from the beginning of a reset to its end; its body is the seed that was asked for."""
BEGINNING: Final = "beginning"
"""There until the first tokens have prices: from the commit on by which this is a sandbox, or the end of a reset."""
NULL: Final = b"null"
_SEED_DECODER: Final = msgspec.json.Decoder(int | None)
LATEST: Final = Instant(221_845_392_000_000)
"""The beginning of the year 9000. Answers write years in four digits, also those of what lasts for centuries."""


T = TypeVar("T")


class SandboxDependencies(msgspec.Struct, frozen=True):
    """Everything that the sandbox moves."""

    shard: TriggerShard
    dca: DcaShard
    book: BookShard
    index: ChainIndex
    outboxes: tuple[TriggerOutbox, DcaOutbox]
    chain: EmbeddedChain
    faucet: Faucet
    world: FaultyChain
    faults: WorldFaults
    gateway_faults: GatewayFaults
    strict: Strict
    pool: SandboxPool
    markets: PoolMarkets
    tokens: TokenRegistry
    prices: Prices
    clock: VenueClock
    ids: Ids
    store: PostgresSandboxStore
    incarnation: TokenIncarnation
    invalidate: Callable[[], None]
    """What was remembered of the chain counts no more."""
    clear_orders: Callable[[], Awaitable[None]]
    """Deletes the rows of all shards."""
    genesis: Callable[[], Genesis]
    """A new one, with new secrets."""
    forget_seen: Callable[[], None]
    """The requests and the prices that were."""
    equip: Callable[[Token], Awaitable[None]]
    """Gives the pool what it needs to trade a token, unless it has that."""
    added_tokens: Callable[[], Awaitable[Sequence[Token]]]
    """As they are stored."""
    keeper: Keeper | None = None


class Sandbox:
    def __init__(self, dependencies: SandboxDependencies, seed: int | None) -> None:
        self._deps = dependencies
        self.seed = seed
        self.names = TokenNames(dependencies.tokens)
        self.changes = RunningChanges()
        self._moving_clock = asyncio.Lock()
        self._adding_token = asyncio.Lock()
        self.end_what_runs: list[Callable[[], None]] = []
        """What moves by itself ends before a reset, a restore, and with the venue."""

    async def begin(self) -> None:
        """Sets the prices of the first tokens that were never set, once the orders are loaded."""
        await self._deps.shard.loaded()
        cut_short = await self._deps.store.setting(RESETTING)
        if cut_short is not None:
            _log.warning("a reset was cut short, and is completed")
            await self._reset(_checked_seed(RESETTING, _decoded(RESETTING, cut_short, _SEED_DECODER)))
            return
        for mint, price in DEFAULT_PRICES.items():
            await self._begin_with(mint, price)
        with suppress(Unavailable):  # It may stay: the next start, or reset, forgets it.
            await self._deps.store.forget(BEGINNING)
        for token in await self._deps.added_tokens():
            await self._deps.equip(token)  # A crash may have cut its addition short.
        await self._deps.markets.begin()

    async def _begin_with(self, mint: Mint, price: UsdPrice) -> None:
        """A commit may be lost. Raises `Unavailable` when the orders are served no more, or too many are lost."""
        for attempt in range(1, _FIRST_PRICE_TRIES + 1):
            if self._deps.prices.price_of(mint) is not None:
                return
            try:
                await self._deps.prices.set({mint: price}, at_once=False)
                return
            except (Unavailable, CommitUnknown) as lost:
                _log.warning("a first price could not be set, again in a moment", attempt=attempt, reason=str(lost))
            await asyncio.sleep(_FIRST_PRICE_PAUSE_S)
            await self._deps.shard.loaded()
        raise Unavailable(f"the first price of {mint} could not be stored")

    # --- what is

    def now(self) -> Instant:
        return self._deps.clock.now()

    def is_frozen(self) -> bool:
        return self._deps.clock.is_frozen

    def tokens(self) -> Sequence[tuple[Token, UsdPrice | None]]:
        return [(token, self._deps.prices.price_of(token.mint)) for token in self._deps.tokens.all()]

    def chain_height(self) -> tuple[int, int]:
        """Slot and block height."""
        return self._deps.chain.slot, self._deps.chain.block_height

    def shown(self) -> SandboxWire:
        slot, block_height = self.chain_height()
        tokens = [
            TokenWire(token.symbol, token.mint, token.decimals, None if price is None else _dollars(price))
            for token, price in self.tokens()
        ]
        clock, chain = ClockWire("frozen" if self.is_frozen() else "running"), ChainWire(slot, block_height)
        return SandboxWire(self.now(), clock, self.seed, tokens, chain, self.faults())

    # --- money and prices

    async def airdrop(self, wallet: Address, mint: Mint | None, amount: int) -> str:
        """`mint` None: lamports. Answers the signature of the landed transaction."""
        if mint is None:
            return await self._deps.faucet.airdrop(wallet, amount)
        return await self._deps.faucet.mint_to(wallet, mint, amount)

    async def set_prices(self, prices: Mapping[Mint, UsdPrice]) -> None:
        """All of them in one commit."""
        await self._deps.prices.set(prices, at_once=True)

    def liquidity(self) -> Mapping[Mint, Liquidity]:
        """By input mint, where it was set."""
        return dict(self._deps.pool.liquidity)

    async def set_liquidity(self, liquidity: Mapping[Mint, Liquidity]) -> None:
        """That of the named tokens; the others keep theirs."""
        self._deps.pool.liquidity.update(liquidity)
        if self._deps.keeper is not None:
            await self._deps.keeper.look_at(liquidity)
        await self._deps.markets.changed(liquidity)

    async def add_token(
        self, symbol: str, decimals: int, price: UsdPrice, mint: Address | None, program: Address
    ) -> None:
        """One after the other: two at once would be given the same mint."""
        async with self._adding_token:
            if mint is not None and self._deps.tokens.get(Mint(mint)) is not None:
                raise SandboxRefused(f"mint: {mint} is a token of this venue already; GET /sandbox lists them")
            address = await self._deps.faucet.create_mint(mint, decimals, program)
            token = Token(Mint(address), symbol, decimals, program)
            await self._deps.store.add_token(TokenRow(address, symbol, decimals, program))
            await self._adopt(token, price)

    async def _adopt(self, token: Token, price: UsdPrice) -> None:
        try:
            await self._deps.equip(token)  # Before a request can name it: nothing else may be minted meanwhile.
        finally:
            self._deps.tokens.add(token)
        await self._deps.prices.set({token.mint: price}, at_once=False)

    # --- time

    async def set_clock(self, *, frozen: bool, now: Instant | None) -> None:
        async with self._moving_clock:
            clock = self._deps.clock
            present = clock.now()
            at = present if now is None else now
            if at < present:
                raise SandboxRefused(f"now: the clock shows {present} and never goes back to {at}")
            await self._set_clock(clock.frozen(at) if frozen else clock.running(at), present, moved_ms=at - present)

    async def advance(self, ms: int) -> None:
        """What becomes due has happened when it returns. Two at once both count."""
        async with self._moving_clock:
            clock = self._deps.clock
            present = clock.now()
            await self._set_clock(clock.advanced(ms), present, moved_ms=ms)

    async def _set_clock(self, setting: ClockSetting, present: Instant, moved_ms: int) -> None:
        if present + moved_ms > LATEST:
            raise SandboxRefused("the clock goes no further than the year 9000: later years cannot be written")
        clock = self._deps.clock
        former = clock.setting
        if setting.frozen_at is not None:
            clock.setting = clock.frozen(present)  # While it is written, no later instant is shown.
        try:
            await self._deps.store.set(CLOCK, msgspec.json.encode(setting))
        except BaseException:
            clock.setting = former
            raise
        clock.setting = setting
        await self._deps.shard.run_due()
        await self._deps.dca.run_due()
        await self._deps.book.run_due()
        if self._deps.keeper is not None:
            await self._deps.keeper.run_due()

    async def settle(self, timeout_ms: int) -> Sequence[str] | None:
        """Waits until nothing is under way. When patience ends, returns the orders that are: it may be no order."""
        deadline = self._deps.clock.elapsed_ms() + timeout_ms
        while not await self._is_settled():
            if self._deps.clock.elapsed_ms() >= deadline:
                owed = [str(order_id) for outbox in self._deps.outboxes for order_id in outbox.owed()]
                return owed if self._deps.keeper is None else [*owed, *self._deps.keeper.waits_for()]
            await asyncio.sleep(_SETTLE_POLL_MS / 1000)
        return None

    async def _is_settled(self) -> bool:
        if not (self._is_idle() and self._deps.world.is_idle()):
            return False
        await self._deps.chain.settle()
        await self._deps.index.caught_up()
        await asyncio.sleep(0)  # What was committed is told by the loop.
        return self._is_idle() and self._deps.book.is_settled()

    def _is_idle(self) -> bool:
        """No order is owed anything, in a vault or on the chain, and nothing is about to change that."""
        if not (self.changes.is_idle() and self._deps.prices.is_settled()):
            return False
        if self._deps.keeper is not None and not self._deps.keeper.is_idle():
            return False
        shards = (self._deps.shard, self._deps.dca)
        return all(outbox.is_idle() for outbox in self._deps.outboxes) and all(shard.is_settled() for shard in shards)

    # --- faults

    def faults(self) -> FaultsWire:
        world, gateway = self._deps.faults, self._deps.gateway_faults
        return FaultsWire(
            drop_transactions=world.drop_transactions,
            fail_swaps=self._deps.pool.failures_due,
            land_delay_ms=world.land_delay_ms,
            lose_answers=gateway.lose_answers,
            rpc_down=world.rpc_down,
            crash=None if world.crash is None else world.crash.value,
            rate_limit=gateway.rate_limit,
            fail_matches=world.fail_matches,
            strict=[each.value for each in self._deps.strict.on] or False,
        )

    async def set_faults(self, faults: FaultsWire) -> None:
        """Replaces all of them, or none if the tokens cannot be ended."""
        if faults.expire_tokens:
            await self._deps.incarnation.end_tokens()
        world, gateway = self._deps.faults, self._deps.gateway_faults
        world.drop_transactions = faults.drop_transactions
        world.land_delay_ms = faults.land_delay_ms
        world.rpc_down = faults.rpc_down
        world.fail_matches = faults.fail_matches
        world.crash = None if faults.crash is None else CrashPoint(faults.crash)
        self._deps.pool.failures_due = faults.fail_swaps
        gateway.lose_answers = faults.lose_answers
        gateway.rate_limit = faults.rate_limit
        await self._set_strict(faults)
        if faults.expire_blockhashes:
            await self._deps.chain.expire_blockhashes()
            self._deps.invalidate()

    async def _set_strict(self, faults: FaultsWire) -> None:
        """Those that are named already, stay as they are: what they remember goes on."""
        strict, wanted = self._deps.strict, faults.strict
        names = [each.value for each in Weakness if wanted is True or (wanted and each.value in wanted)]
        if [each.value for each in strict.on] != names:
            strict.set(names)
        self._deps.faults.slow_landing_ms = SLOW_LANDING_MS if strict.has(Weakness.SLOW_LANDING) else 0
        held, self._deps.faults.holds_refunds = self._deps.faults.holds_refunds, strict.has(Weakness.NO_REFUNDS)
        if held and not self._deps.faults.holds_refunds and self._deps.keeper is not None:
            await self._deps.keeper.release_refunds()

    # --- an empty venue again

    async def until_whole(self) -> str | None:
        """Returns when nothing replaces the sandbox, or after some time: then the shards say that they are loading.

        What was cut short, if a half of it was replaced.
        """
        await self.changes.until_whole(_REPLACED_S)
        return self.not_whole_because()

    def not_whole_because(self) -> str | None:
        return self.changes.half_because()

    async def reset(self, seed: int | None) -> None:
        """Everything but the master seed and the snapshots is forgotten; epochs and slots go on rising."""
        async with self.changes.replacing():
            await self._reset(seed)

    def end_all(self) -> None:
        for end in self.end_what_runs:
            end()

    async def _reset(self, seed: int | None) -> None:
        self.end_all()
        await self._deps.prices.settled()
        await self.set_faults(FaultsWire(expire_tokens=True))
        self._deps.pool.liquidity.clear()
        self.changes.cut_short = CUT_SHORT.format("reset")
        await self._emptied(seed)
        self.seed = seed
        self._deps.ids.reseed(seed)
        await self.begin()
        self.changes.cut_short = None

    async def _emptied(self, seed: int | None) -> None:
        """Orders, chain and settings are emptied one by one. After a crash in between, the next start goes on with it.

        What may pass is tried again, for some seconds.
        """
        give_up_at = self._deps.clock.elapsed_ms() + 1000 * _EMPTIED_S
        while True:
            try:
                await self._deps.store.set(RESETTING, msgspec.json.encode(seed))
                await self.while_nothing_is_written(lambda: self._empty(seed))
                return
            except (Unavailable, CommitUnknown, ChainUnavailable) as lost:
                if self._deps.clock.elapsed_ms() >= give_up_at:
                    raise
                _log.warning("a reset was cut short, again in a moment", reason=str(lost))
            await asyncio.sleep(_AGAIN_S)

    async def while_nothing_is_written(self, replace: Callable[[], Awaitable[None]]) -> None:
        """All shards are loaded again after it."""
        for shard in self.shards():
            replace = partial(shard.reload, replace)
        await replace()

    def shards(self) -> tuple[TriggerShard, DcaShard, BookShard, ChainIndexShard]:
        deps = self._deps
        return deps.shard, deps.dca, deps.book, deps.index.shard

    async def _empty(self, seed: int | None) -> None:
        self._deps.world.forget()
        self._deps.forget_seen()
        self._deps.markets.forget()
        if self._deps.keeper is not None:
            self._deps.keeper.forget()
        await self._deps.clear_orders()
        await self._deps.prices.clear()
        await self._deps.incarnation.learn()  # The members' rows took all tokens with them.
        self._deps.clock.begin_anew()
        self._deps.tokens.forget_added()
        await self._deps.chain.reset(self._deps.genesis())
        self._deps.invalidate()
        # With it, that a reset is under way: the seed is stored in the same commit, or a crash would lose it.
        await self._deps.store.clear(but={SEED: msgspec.json.encode(seed), BEGINNING: NULL})


def _dollars(price: UsdPrice) -> str:
    return decimal_text(price.picodollars, USD_SCALE)


async def stored_clock(store: PostgresSandboxStore) -> ClockSetting:
    setting = await _stored(store, CLOCK, _CLOCK_DECODER)
    if setting is None:
        return ClockSetting()
    clock = VenueClock(setting)
    check(
        _SETTINGS,
        CLOCK,
        that=clock.now() <= LATEST and not clock.behind_ms(),
        otherwise="its clock is before 1970 or after the year 9000",
    )
    return setting


async def stored_seed(store: PostgresSandboxStore) -> int | None:
    return _checked_seed(SEED, await _stored(store, SEED, _SEED_DECODER))


def _checked_seed(name: str, seed: int | None) -> int | None:
    check(_SETTINGS, name, that=seed is None or 0 <= seed <= SEED_MAX, otherwise=f"its seed is not up to {SEED_MAX}")
    return seed


async def _stored(store: PostgresSandboxStore, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
    body = await store.setting(name)
    return None if body is None else _decoded(name, body, decoder)


def _decoded(name: str, body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(body)
    except UNREADABLE as problem:
        raise unreadable(_SETTINGS, name, problem) from problem
