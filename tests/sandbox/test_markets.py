"""The markets of users' swaps: there from the first swap of a token on, and never behind its price."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from countermand.kernel.ports import Unavailable
from countermand.sandbox.faucet import Faucet
from countermand.sandbox.markets import SPARE_UNITS, PoolMarkets
from countermand.sandbox.pool import POOL_UNITS, Liquidity, SandboxPool
from countermand.services.tokens import JUP, SOL, USDC, TokenRegistry
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.programs.swap import (
    ANYTHING,
    AUTHORITY,
    MARKET_LAMPORTS,
    PoolMarket,
    market_address,
    pool_account_of,
    read_market,
)
from countermand.solana.tokens import read_token_account
from countermand.values.identity import Address, Mint
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.tokens import Token
from tests.solana.chain_support import FaultyStore, open_chain

DOLLAR = 10**12
ENOUGH = BaseUnits(1_000)


@dataclass
class House:
    chain: EmbeddedChain
    store: FaultyStore
    prices: dict[Mint, UsdPrice] = field(
        default_factory=lambda: {SOL.mint: UsdPrice(150 * DOLLAR), USDC.mint: UsdPrice(DOLLAR)}
    )

    def __post_init__(self) -> None:
        self.pool = SandboxPool(Address(AUTHORITY), self.prices.get)
        self.markets = self.anew()

    def anew(self) -> PoolMarkets:
        """As after a start of the process."""
        return PoolMarkets(self.pool, self.chain, Faucet(self.chain), TokenRegistry())

    async def costs(self, token: Token, dollars: int) -> None:
        self.prices[token.mint] = UsdPrice(dollars * DOLLAR)
        await self.markets.observe_prices({token.mint: self.prices[token.mint]}, at_once=True)

    async def market_of(self, token: Token) -> PoolMarket | None:
        (info,) = await self.chain.accounts([market_address(token.mint)])
        return None if info is None else read_market(info.data)

    async def price_on_chain(self, token: Token) -> int:
        market = await self.market_of(token)
        assert market is not None
        return market.price // DOLLAR

    async def pool_holds(self, token: Token) -> int:
        (info,) = await self.chain.accounts([pool_account_of(token.mint, token.program)])
        held = None if info is None else read_token_account(info.data)
        return 0 if held is None else held.amount


@pytest.fixture
async def house() -> AsyncIterator[House]:
    store = FaultyStore()
    chain = await open_chain(store)
    yield House(chain, store)
    await chain.close()


async def test_nothing_is_written_before_the_first_swap(house: House) -> None:
    before = len(house.store.batches)
    await house.costs(SOL, 160)
    await house.markets.changed([USDC.mint])
    assert (await house.market_of(SOL), len(house.store.batches)) == (None, before)
    await house.markets.prepare(SOL, USDC, ENOUGH)
    assert await house.market_of(SOL) == PoolMarket(SOL.mint, 160 * DOLLAR, ANYTHING, 0, stable=False)
    assert await house.market_of(USDC) == PoolMarket(USDC.mint, DOLLAR, ANYTHING, 0, stable=True)
    assert await house.market_of(JUP) is None


async def test_a_price_or_a_depth_is_on_the_chain_when_its_change_returns(house: House) -> None:
    await house.markets.prepare(SOL, USDC, ENOUGH)
    await house.costs(SOL, 170)
    assert await house.price_on_chain(SOL) == 170
    house.pool.liquidity[SOL.mint] = Liquidity(Bps(25), BaseUnits(7))
    await house.markets.changed([SOL.mint])
    assert await house.market_of(SOL) == PoolMarket(SOL.mint, 170 * DOLLAR, 7, 25)


async def test_the_pool_is_filled_at_need(house: House) -> None:
    await house.markets.prepare(SOL, USDC, ENOUGH)
    assert await house.pool_holds(USDC) == ENOUGH.units + SPARE_UNITS
    assert await house.pool_holds(SOL) == SPARE_UNITS
    filled = len(house.store.batches)
    await house.markets.prepare(SOL, USDC, BaseUnits(SPARE_UNITS))
    assert len(house.store.batches) == filled, "it has enough"
    for _ in range(3):  # What a client claims is no reason for more.
        await house.markets.prepare(SOL, USDC, BaseUnits(ANYTHING))
    assert POOL_UNITS <= await house.pool_holds(USDC) <= 2 * POOL_UNITS


async def test_swaps_at_once_open_a_market_once(house: House) -> None:
    await asyncio.gather(*(house.markets.prepare(SOL, USDC, ENOUGH) for _ in range(5)))
    assert await house.price_on_chain(SOL) == 150
    assert await house.pool_holds(SOL) == SPARE_UNITS


async def test_no_swap_begins_before_the_market_is_there(house: House) -> None:
    """Also one who comes while it is being written."""
    house.store.gate.clear()
    first, second = (asyncio.create_task(house.markets.prepare(SOL, USDC, ENOUGH)) for _ in range(2))
    await asyncio.sleep(0.02)
    done = first.done(), second.done()
    house.store.gate.set()
    await asyncio.gather(first, second)
    assert done == (False, False)
    assert await house.price_on_chain(USDC) == 1


async def test_who_finds_a_write_under_way_waits_for_it(house: House) -> None:
    await house.markets.prepare(SOL, USDC, ENOUGH)
    house.store.gate.clear()
    house.store.waiting.clear()
    change = asyncio.create_task(house.costs(SOL, 200))
    await house.store.waiting.wait()
    other = asyncio.create_task(house.markets.changed(()))
    await asyncio.sleep(0.02)
    waits = not other.done()
    house.store.gate.set()
    await other
    assert waits
    assert await house.price_on_chain(SOL) == 200
    await change


@pytest.mark.parametrize("failure", ["before", "after"])
async def test_a_market_that_could_not_be_written_is_before_the_next_swap(house: House, failure: str) -> None:
    await house.markets.prepare(SOL, USDC, ENOUGH)
    house.store.failing.append(failure)
    await house.costs(SOL, 180)
    await house.chain.ready()
    await house.markets.prepare(SOL, USDC, ENOUGH)
    assert await house.price_on_chain(SOL) == 180


async def test_a_chain_that_fails_is_unavailable(house: House) -> None:
    house.store.failing.append("before")
    with pytest.raises(Unavailable):
        await house.markets.prepare(SOL, USDC, ENOUGH)
    await house.chain.ready()
    await house.markets.prepare(SOL, USDC, ENOUGH)
    assert await house.price_on_chain(SOL) == 150


async def test_a_start_finds_the_markets_and_writes_them(house: House) -> None:
    await house.markets.prepare(SOL, USDC, ENOUGH)
    house.prices[SOL.mint] = UsdPrice(190 * DOLLAR)
    house.markets = house.anew()
    await house.markets.begin()
    assert await house.price_on_chain(SOL) == 190
    await house.costs(SOL, 191)
    assert await house.price_on_chain(SOL) == 191
    assert await house.market_of(JUP) is None


async def test_lamports_that_a_stranger_sent_stay(house: House) -> None:
    faucet = Faucet(house.chain)
    await faucet.airdrop(market_address(JUP.mint), 2_000_000)
    house.prices[JUP.mint] = UsdPrice(DOLLAR)
    await house.markets.prepare(SOL, JUP, ENOUGH)
    await faucet.airdrop(market_address(SOL.mint), 3_000_000)
    await house.costs(SOL, 151)
    found = await house.chain.accounts([market_address(mint) for mint in (JUP.mint, SOL.mint)])
    assert [info and info.lamports for info in found] == [2_000_000, MARKET_LAMPORTS + 3_000_000]
    assert await house.price_on_chain(SOL) == 151
