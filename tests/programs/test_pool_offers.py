"""What the sandbox's pool offers is what the program gives, to the unit: of one come quotes, of the other swaps."""

import random

from solders.pubkey import Pubkey

from countermand.sandbox.pool import Liquidity, SandboxPool
from countermand.services.tokens import Token
from countermand.values.identity import Address, Mint
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.transactions import SwapRefused
from tests.programs.pool import ANYTHING, AUTHORITY, STABLES, PoolWorld, Swap
from tests.programs.world import ALICE, JUP, USDC, USDT, WSOL

CASES = 400
DECIMALS = {USDC: 6, USDT: 6, JUP: 6, WSOL: 9}
POOL = 10**18


def test_offers_are_what_the_program_gives() -> None:
    seed = random.SystemRandom().getrandbits(32)
    chance, world = random.Random(seed), PoolWorld()
    swapped = 0
    for _ in range(CASES):
        source, destination = chance.sample(list(DECIMALS), 2)
        prices = {mint: UsdPrice(1 + chance.getrandbits(chance.randint(20, 60))) for mint in (source, destination)}
        impact = Bps(chance.choice((0, 0, 7, 25, 9_999)))
        pool = SandboxPool(Address(str(ALICE)), lambda mint, known=prices: known[Pubkey.from_string(mint)])  # type: ignore[misc]
        pool.liquidity[Mint(str(source))] = Liquidity(impact, None)
        for mint, price in prices.items():
            world.market(mint, price.picodollars, impact_bps=impact.bps if mint == source else 0)
            world.fund(AUTHORITY, mint, POOL)
        world.fund(ALICE, source, POOL)
        world.fund(ALICE, destination, 0)
        swapped += _agrees(world, pool, chance, source, destination)
    assert swapped > CASES // 4, seed


def _agrees(world: PoolWorld, pool: SandboxPool, chance: random.Random, source: Pubkey, destination: Pubkey) -> bool:
    amount, exact_out = 1 + chance.getrandbits(chance.randint(1, 50)), chance.random() < 0.5
    tokens = _token(source), _token(destination)
    offer = pool.offer_for(BaseUnits(amount), *tokens) if exact_out else pool.offer(BaseUnits(amount), *tokens)
    if isinstance(offer, SwapRefused) or max(offer.takes.units, offer.receives.units) > POOL:
        return False
    quoted = offer.takes.units if exact_out else offer.receives.units
    swap = Swap(source=source, destination=destination, amount=amount, quoted=quoted, exact_out=exact_out)
    better = swap.but(quoted=quoted - 1 if exact_out else quoted + 1)
    assert world.refuses(better.instruction()) == 6001
    world.does(swap.instruction())
    assert POOL - world.tokens(swap.user_source) == offer.takes.units
    assert world.tokens(swap.user_destination) == offer.receives.units
    return True


def _token(mint: Pubkey) -> Token:
    return Token(Mint(str(mint)), str(mint)[:4], DECIMALS[mint], stable=mint in STABLES)


def test_the_bounds_of_both_agree() -> None:
    world, most = PoolWorld(), BaseUnits(1_000)
    prices = {str(mint): UsdPrice(10**12) for mint in (USDC, JUP)}
    pool = SandboxPool(Address(str(ALICE)), prices.get)
    pool.liquidity[Mint(str(USDC))] = Liquidity(Bps(0), most)
    world.market(USDC, 10**12, most.units)
    world.market(JUP, 10**12)
    tokens = _token(USDC), _token(JUP)
    for output in (997, 998, 999, 1_000):
        offer = pool.offer_for(BaseUnits(output), *tokens)
        swap = Swap(amount=output, quoted=ANYTHING, exact_out=True).instruction()
        if isinstance(offer, SwapRefused):
            assert world.refuses(swap) == 6001
        else:
            world.does(swap)
    assert isinstance(pool.offer_for(BaseUnits(1_000), *tokens), SwapRefused)
    assert not isinstance(pool.offer_for(BaseUnits(998), *tokens), SwapRefused)
