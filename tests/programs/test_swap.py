"""The swap program: what it gives, what it refuses, and that nothing is taken from a wallet that did not sign."""

import random
import struct
from dataclasses import replace
from typing import Final

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.transaction_metadata import FailedTransactionMetadata

from tests.programs.pool import (
    ANYTHING,
    AUTHORITY,
    DOLLAR,
    EVENTS,
    PRICES,
    STABLES,
    PoolWorld,
    Swap,
    market_data,
    market_key,
    program_of,
)
from tests.programs.world import (
    AGGREGATOR,
    ALICE,
    BOB,
    CAROL,
    EVENT_TAG,
    JUP,
    LIMIT,
    PARTNER,
    SPARKLE,
    SYSTEM,
    TAXED,
    TOKEN,
    TOKEN_2022,
    TOKENS,
    USDC,
    USDT,
    WSOL,
    World,
    ata,
    error_of,
    events,
    mint_data,
    reads,
    token_data,
    with_data,
    with_key,
    with_meta,
    writes,
)

DECIMALS: Final = {WSOL: 9, USDC: 6, USDT: 6, JUP: 6, SPARKLE: 6}
SWAP: Final = Swap()
PLACES: Final = 15
CRASHES: Final = ("ProgramFailedToComplete", "ComputationalBudgetExceeded", "UnbalancedInstruction")


@pytest.fixture(scope="module")
def stage() -> PoolWorld:
    """For what changes nothing: simulations, and what is refused."""
    return PoolWorld()


@pytest.fixture
def world() -> PoolWorld:
    return PoolWorld()


def worth(swap: Swap, amount: int, impact_bps: int = 0) -> int:
    """In the units of the destination, before any fee, at the first prices."""
    over = amount * PRICES[swap.source] * (10_000 - impact_bps) * int(10 ** DECIMALS[swap.destination])
    return over // (PRICES[swap.destination] * 10_000 * int(10 ** DECIMALS[swap.source]))


def given(swap: Swap, amount: int, impact_bps: int = 0) -> int:
    before = worth(swap, amount, impact_bps)
    fee = 3 if {swap.source, swap.destination} <= set(STABLES) else 10
    return before + -before * fee // 10_000


def moves(world: PoolWorld, swap: Swap) -> tuple[int, int]:
    """What the user gives and gets, and the pool gets and gives: the same."""
    accounts = (swap.user_source, swap.user_destination, swap.pool_source, swap.pool_destination)
    before = [world.tokens(each) for each in accounts]
    world.does(swap.instruction())
    source, destination, pool_source, pool_destination = (
        world.tokens(each) - had for each, had in zip(accounts, before, strict=True)
    )
    assert (source + pool_source, destination + pool_destination) == (0, 0)
    return -source, destination


PAIRS: Final = [
    (source, destination)
    for source in (WSOL, USDC, USDT, JUP, SPARKLE)
    for destination in (WSOL, USDC, USDT, JUP, SPARKLE)
    if source != destination
]


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_each_pair_swaps_at_its_price_less_the_fee(world: PoolWorld, source: Pubkey, destination: Pubkey) -> None:
    swap = Swap(source=source, destination=destination, amount=200_000)
    output = given(swap, 200_000)
    assert moves(world, swap.but(quoted=output)) == (200_000, output)


def test_exact_out_takes_the_least_that_gives_it(world: PoolWorld) -> None:
    for amount in range(1, 60):
        swap = Swap(source=USDC, destination=JUP, amount=amount, quoted=ANYTHING, exact_out=True)
        took, got = moves(world, swap)
        assert got == amount
        assert given(swap, took) >= amount > given(swap, took - 1)


def test_what_the_program_tells(world: PoolWorld) -> None:
    fee_account = world.fund(PARTNER, JUP, 0)
    swap = Swap(amount=10_000, fee_bps=50, fee_account=fee_account)
    result = world.does(swap.instruction())
    output = given(swap, 10_000)
    fee = output * 50 // 10_000
    swapped = bytes(AUTHORITY) + bytes(USDC) + struct.pack("<Q", 10_000) + bytes(JUP) + struct.pack("<Q", output)
    paid = bytes(fee_account) + bytes(JUP) + struct.pack("<Q", fee)
    assert events(result) == [bytes.fromhex("40c6cde8260871e2") + swapped, bytes.fromhex("494f4e7fb8d50ddc") + paid]
    assert (world.tokens(fee_account), world.tokens(swap.user_destination)) == (fee, TOKENS + output - fee)
    assert bytes(result.return_data().data) == struct.pack("<Q", output - fee)


def outcome(world: PoolWorld, *instructions: Instruction) -> int | str | None:
    """The error of a simulation, or None."""
    simulated = world.simulate(*instructions)
    if not isinstance(simulated, FailedTransactionMetadata):
        return None
    error = error_of(simulated)
    assert error not in CRASHES, (error, simulated.meta().logs())
    return error


# --- the bounds that the user signed


@pytest.mark.parametrize("slippage_bps", [0, 1, 50, 9_999, 10_000])
def test_what_is_quoted_bounds_the_output(stage: PoolWorld, slippage_bps: int) -> None:
    output = given(SWAP, 10_000)
    most = output * 10_000 // (10_000 - slippage_bps) if slippage_bps < 10_000 else ANYTHING
    found = {
        quoted: outcome(stage, Swap(amount=10_000, quoted=quoted, slippage_bps=slippage_bps).instruction())
        for quoted in (0, output, most - 1, most, most + 1, most + 2, 2 * most)
        if quoted <= ANYTHING
    }
    assert found == {quoted: None if output >= quoted - quoted * slippage_bps // 10_000 else 6001 for quoted in found}
    assert (6001 in found.values()) == (slippage_bps < 10_000)


@pytest.mark.parametrize("slippage_bps", [0, 1, 50, 10_000])
def test_what_is_quoted_bounds_the_input_of_an_exact_output(stage: PoolWorld, slippage_bps: int) -> None:
    swap = Swap(exact_out=True, amount=10_000, slippage_bps=slippage_bps)
    needed = next(each for each in range(5_000, 6_000) if given(swap, each) >= 10_000)
    least = needed * 10_000 // (10_000 + slippage_bps)
    found = {
        quoted: outcome(stage, swap.but(quoted=quoted).instruction())
        for quoted in (0, least - 1, least, least + 1, needed, 2**63, ANYTHING)
    }
    assert found == {quoted: None if needed <= quoted + quoted * slippage_bps // 10_000 else 6001 for quoted in found}
    assert set(found.values()) == {None, 6001}


def test_a_quote_that_grew_stale_fails_or_fills_at_the_new_price(world: PoolWorld) -> None:
    output = given(SWAP, 10_000)
    swap = Swap(amount=10_000, quoted=output, slippage_bps=100)
    world.market(JUP, PRICES[JUP] * 102 // 100)
    assert world.refuses(swap.instruction()) == 6001
    world.market(JUP, PRICES[JUP] * 1_005 // 1_000)
    took, got = moves(world, swap)
    assert (took, got < output, got >= output * 99 // 100) == (10_000, True, True)


def test_the_pool_takes_no_more_than_its_market_says(world: PoolWorld) -> None:
    world.market(USDC, PRICES[USDC], 10_000, impact_bps=25)
    assert world.refuses(Swap(amount=10_001).instruction()) == 6001
    assert moves(world, Swap(amount=10_000)) == (10_000, given(SWAP, 10_000, impact_bps=25))
    assert world.refuses(Swap(exact_out=True, amount=20_000, quoted=ANYTHING).instruction()) == 6001


def test_no_more_than_the_user_has(stage: PoolWorld) -> None:
    assert outcome(stage, Swap(amount=TOKENS).instruction()) is None
    assert outcome(stage, Swap(amount=TOKENS + 1).instruction()) == 6024
    assert outcome(stage, Swap(exact_out=True, amount=3 * TOKENS, quoted=ANYTHING).instruction()) == 6024


def test_nothing_for_something_is_refused(stage: PoolWorld) -> None:
    assert outcome(stage, Swap(amount=0).instruction()) == 6002
    assert outcome(stage, Swap(source=JUP, destination=USDC, amount=1).instruction()) == 6002
    assert outcome(stage, Swap(exact_out=True, amount=0, quoted=ANYTHING).instruction()) == 6002


# --- the integrator's fee


def test_the_fee_comes_from_the_side_of_its_account(world: PoolWorld) -> None:
    of_output, of_input = world.fund(PARTNER, JUP, 0), world.fund(PARTNER, USDC, 0)
    swap = Swap(amount=10_000, fee_bps=255)
    world.does(swap.but(fee_account=of_output).instruction())
    output = given(swap, 10_000)
    fee = output * 255 // 10_000
    assert (world.tokens(of_output), world.tokens(swap.user_destination)) == (fee, TOKENS + output - fee)
    world.does(swap.but(fee_account=of_input).instruction())
    assert world.tokens(of_input) == 255
    assert world.tokens(swap.user_source) == TOKENS - 20_000
    assert world.tokens(swap.user_destination) == TOKENS + output - fee + given(swap, 10_000 - 255)


def test_the_fee_of_an_exact_output_comes_from_the_input(world: PoolWorld) -> None:
    of_output, of_input = world.fund(PARTNER, JUP, 0), world.fund(PARTNER, USDC, 0)
    swap = Swap(exact_out=True, amount=10_000, quoted=5_056, fee_bps=100)
    assert world.refuses(swap.but(fee_account=of_output).instruction()) == 6025
    assert world.refuses(swap.but(fee_account=of_input, quoted=5_055).instruction()) == 6001
    world.does(swap.but(fee_account=of_input).instruction())
    assert (world.tokens(swap.user_source), world.tokens(swap.user_destination)) == (TOKENS - 5_056, TOKENS + 10_000)
    assert world.tokens(of_input) == 50


def test_a_fee_needs_an_account_of_the_pair(world: PoolWorld) -> None:
    swap = Swap(amount=10_000, fee_bps=1)
    assert world.refuses(swap.instruction()) == 6003
    assert world.refuses(swap.but(fee_account=world.fund(PARTNER, USDT, 0)).instruction()) == 6025
    assert world.refuses(swap.but(fee_account=PARTNER).instruction()) == 6025
    of_output = world.fund(PARTNER, JUP, 0)
    read = with_meta(swap.but(fee_account=of_output).instruction(), 9, reads(of_output))
    assert world.refuses(read) == 2000
    # Without a rate nothing is taken, whatever the account is.
    world.does(swap.but(fee_bps=0, fee_account=PARTNER).instruction())


# --- other accounts


STRANGERS: Final = {
    "alice": ALICE,
    "bob": BOB,
    "stranger": Pubkey(bytes([7]) * 32),
    "program": AGGREGATOR,
    "other program": LIMIT,
    "system": SYSTEM,
    "token": TOKEN,
    "token 2022": TOKEN_2022,
    "authority": AUTHORITY,
    "events": EVENTS,
    **{
        f"{whose}'s {name}": ata(owner, mint, program_of(mint))
        for whose, owner in (("alice", ALICE), ("bob", BOB), ("pool", AUTHORITY))
        for name, mint in (("usdc", USDC), ("jup", JUP), ("usdt", USDT), ("sparkle", SPARKLE))
    },
    "taxed of bob": ata(BOB, TAXED, TOKEN_2022),
    **{f"market of {name}": market_key(mint) for name, mint in (("usdc", USDC), ("jup", JUP), ("usdt", USDT))},
    "usdc": USDC,
    "jup": JUP,
    "usdt": USDT,
    "sparkle": SPARKLE,
}

HARMLESS: Final[dict[int, set[str]]] = {
    # Who gets the output is the user's choice; the pool itself, too.
    6: {"bob's jup", "pool's jup"},
    # No fee, and no token of Token-2022: nothing looks at these.
    9: set(STRANGERS),
    10: set(STRANGERS),
}


@pytest.mark.parametrize("place", range(PLACES))
def test_another_account_in_any_place_is_refused_or_harmless(stage: PoolWorld, place: int) -> None:
    valid = SWAP.instruction()
    assert outcome(stage, valid) is None
    own = valid.accounts[place].pubkey
    taken = {
        name for name, key in STRANGERS.items() if key != own and outcome(stage, with_key(valid, place, key)) is None
    }
    expected = {name for name in HARMLESS.get(place, set()) if STRANGERS[name] != own}
    # A program is never writable.
    assert taken == expected, f"in place {place}"


@pytest.mark.parametrize(
    ("place", "stranger", "error"),
    [
        (0, "token 2022", 3008),
        (1, "alice", 2006),
        (2, "bob", 2015),
        (3, "bob's usdc", 2015),
        (3, "alice's jup", 2014),
        (3, "pool's usdc", 2015),
        (4, "alice's usdc", 2015),
        (4, "pool's jup", 2014),
        (5, "bob's jup", 2015),
        (5, "pool's usdt", 2014),
        (6, "alice's usdc", 6025),
        (6, "stranger", 6025),
        (7, "jup", 6018),
        (7, "usdt", 2014),
        (8, "usdc", 6018),
        (8, "stranger", 3007),
        (11, "authority", 2006),
        (12, "other program", 3008),
        (13, "market of jup", 2001),
        (14, "market of usdc", 2001),
        (14, "stranger", 3012),
        (14, "pool's jup", 3007),
    ],
)
def test_the_error_of_another_account(stage: PoolWorld, place: int, stranger: str, error: int) -> None:
    assert outcome(stage, with_key(SWAP.instruction(), place, STRANGERS[stranger])) == error


def test_the_user_signs_and_what_changes_is_writable(stage: PoolWorld) -> None:
    valid = SWAP.instruction()
    for place, meta in enumerate(valid.accounts):
        if meta.is_signer:
            unsigned = AccountMeta(meta.pubkey, is_signer=False, is_writable=meta.is_writable)
            assert outcome(stage, with_meta(valid, place, unsigned)) == 3010
        if meta.is_writable:
            assert outcome(stage, with_meta(valid, place, reads(meta.pubkey))) == 2000


def test_all_accounts_are_needed_and_more_are_ignored(stage: PoolWorld) -> None:
    valid = SWAP.instruction()
    for count in range(PLACES):
        short = Instruction(valid.program_id, valid.data, list(valid.accounts)[:count])
        assert outcome(stage, short) == (3005 if count < 13 else 6008)
    more = Instruction(valid.program_id, valid.data, [*valid.accounts, reads(CAROL), writes(BOB)])
    assert outcome(stage, more) is None


def test_tokens_of_token_2022_need_their_program(stage: PoolWorld) -> None:
    for swap in (Swap(destination=SPARKLE), Swap(source=SPARKLE)):
        assert outcome(stage, swap.instruction()) is None
        assert outcome(stage, with_key(swap.instruction(), 10, AGGREGATOR)) == 6015


def test_a_token_without_a_market_is_not_traded(world: PoolWorld) -> None:
    world.remove(market_key(JUP))
    assert world.refuses(SWAP.instruction()) == 3012


@pytest.mark.parametrize(
    ("data", "owner", "error"),
    [
        (market_data(JUP, DOLLAR), LIMIT, 3007),
        (market_data(JUP, DOLLAR), SYSTEM, 3012),
        (market_data(JUP, DOLLAR)[:-1], AGGREGATOR, 3003),
        (market_data(JUP, DOLLAR) + b"\0", AGGREGATOR, 3003),
        (bytes(8) + market_data(JUP, DOLLAR)[8:], AGGREGATOR, 3002),
        (market_data(USDC, DOLLAR), AGGREGATOR, 2001),
        (market_data(JUP, 0), AGGREGATOR, 6002),
        (market_data(JUP, DOLLAR, impact_bps=10_001), AGGREGATOR, 6002),
        (b"", AGGREGATOR, 3003),
    ],
)
def test_what_is_no_market_is_refused(world: PoolWorld, data: bytes, owner: Pubkey, error: int) -> None:
    lamports = 0 if owner == SYSTEM else 10**7
    world.put(market_key(JUP), Account(lamports, b"" if owner == SYSTEM else data, owner))
    assert world.refuses(SWAP.instruction()) == error
    assert world.refuses(Swap(source=JUP, destination=USDC).instruction()) == error


def test_decimals_beyond_all_tokens_are_refused(world: PoolWorld) -> None:
    world.put(JUP, Account(10**7, mint_data(18), TOKEN))
    assert moves(world, Swap(amount=1))[1] == given(SWAP, 10**12)
    world.put(JUP, Account(10**7, mint_data(19), TOKEN))
    assert world.refuses(Swap(amount=1).instruction()) == 6002
    assert world.refuses(Swap(source=JUP, destination=USDC).instruction()) == 6002


# --- the data


@pytest.mark.parametrize(
    ("route", "error"),
    [
        (struct.pack("<I", 0), 6000),
        (struct.pack("<IBBBBBBBB", 2, 3, 50, 0, 1, 3, 50, 0, 1), 6010),
        (struct.pack("<IBBBB", 1, 7, 100, 0, 1), 6016),
        (struct.pack("<IBBBB", 1, 3, 99, 0, 1), 6005),
        (struct.pack("<IBBBB", 1, 3, 100, 1, 1), 6006),
        (struct.pack("<IBBBB", 1, 3, 100, 0, 0), 6007),
        (struct.pack("<I", 2**32 - 1), 6010),
    ],
)
def test_another_route_is_refused(stage: PoolWorld, route: bytes, error: int) -> None:
    assert outcome(stage, Swap(route=route).instruction()) == error


def test_other_terms_are_refused(stage: PoolWorld) -> None:
    assert outcome(stage, Swap(authority_id=0).instruction()) == 2006
    assert outcome(stage, Swap(slippage_bps=10_001).instruction()) == 6004
    valid = SWAP.instruction()
    for length in range(8, len(valid.data)):
        assert outcome(stage, with_data(valid, valid.data[:length])) == 102
    assert outcome(stage, with_data(valid, valid.data + b"more")) is None
    assert outcome(stage, with_data(valid, b"\1" * 30)) == 101
    assert outcome(stage, with_data(valid, b"\1" * 7)) == 100


def test_events_come_from_the_program_alone(stage: PoolWorld) -> None:
    told = Instruction(AGGREGATOR, EVENT_TAG + bytes(112), [reads(EVENTS)])
    assert outcome(stage, told) == 3010
    signed = AccountMeta(ALICE, is_signer=True, is_writable=False)
    assert outcome(stage, Instruction(AGGREGATOR, EVENT_TAG, [signed])) == 2006


# --- any amounts and prices


CASES: Final = 400


def test_any_amounts_and_prices_swap_exactly_or_not_at_all() -> None:
    """As the formula says, to the unit, up to the largest numbers; no case ends in anything but a swap or a refusal."""
    world, seed = PoolWorld(), random.SystemRandom().getrandbits(32)
    chance = random.Random(seed)
    for _ in range(CASES):
        swap = Swap(amount=_any(chance, 64), exact_out=chance.random() < 0.4)
        swap = replace(swap, quoted=ANYTHING if swap.exact_out else 0)
        prices = {mint: 1 + _any(chance, 128) % (2**128 - 1) for mint in (USDC, JUP)}
        decimals = {mint: chance.choice((0, 6, 18)) for mint in (USDC, JUP)}
        for mint in (USDC, JUP):
            world.put(mint, Account(10**7, mint_data(decimals[mint]), TOKEN))
        impact_bps = chance.choice((0, 25, 9_999, 10_000))
        world.market(USDC, prices[USDC], impact_bps=impact_bps)
        world.market(JUP, prices[JUP])
        _fund(world, swap.user_source, USDC, ALICE, ANYTHING - 2**62)
        _fund(world, swap.user_destination, JUP, ALICE, 0)
        _fund(world, swap.pool_source, USDC, AUTHORITY, 0)
        _fund(world, swap.pool_destination, JUP, AUTHORITY, ANYTHING)
        over = prices[USDC] * (10_000 - impact_bps) * 10 ** decimals[JUP]
        error = _swapped(world, swap, over, prices[JUP] * 10_000 * 10 ** decimals[USDC])
        assert error in (None, 6002, 6024), (seed, swap, prices, decimals, impact_bps, error)


def test_the_largest_numbers_swap_exactly(world: PoolWorld) -> None:
    """A product of 266 bits."""
    for mint in (USDC, JUP):
        world.put(mint, Account(10**7, mint_data(18), TOKEN))
        world.market(mint, 2**128 - 1)
    amount = 2**62 + 1
    for owner, mint, units in (
        (ALICE, USDC, ANYTHING),
        (ALICE, JUP, 0),
        (AUTHORITY, USDC, 0),
        (AUTHORITY, JUP, ANYTHING),
    ):
        world.fund(owner, mint, units)
    assert moves(world, Swap(amount=amount))[1] == amount + -amount * 10 // 10_000


def _swapped(world: PoolWorld, swap: Swap, over: int, under: int) -> int | str | None:
    result = world.send(swap.instruction())
    if isinstance(result, FailedTransactionMetadata):
        return error_of(result)
    took = ANYTHING - 2**62 - world.tokens(swap.user_source)
    got = world.tokens(swap.user_destination)

    def output_for(amount: int) -> int:
        before = amount * over // under
        return before + -before * 10 // 10_000

    if swap.exact_out:
        assert (got, output_for(took) >= got > output_for(took - 1)) == (swap.amount, True)
    else:
        assert (took, got) == (swap.amount, output_for(swap.amount))
    return None


def _fund(world: World, account: Pubkey, mint: Pubkey, owner: Pubkey, amount: int) -> None:
    world.put(account, Account(10**7, token_data(mint, owner, amount), TOKEN))


def _any(chance: random.Random, bits: int) -> int:
    """Of any size, the ends more often."""
    size = chance.randint(1, bits)
    return chance.choice((chance.getrandbits(size), 2**size - 1, 2 ** (size - 1)))


def test_noise_takes_nothing_from_other_wallets() -> None:
    """Nor from the pool: what it holds is never worth less than before."""
    world, seed = PoolWorld(), random.SystemRandom().getrandbits(32)
    chance, keys = random.Random(seed), list(STRANGERS.values())
    swaps = 0
    for _ in range(2_000):
        swap = Swap(exact_out=chance.random() < 0.5, quoted=chance.choice((0, ANYTHING))).instruction()
        for _ in range(chance.randint(0, 2)):
            swap = with_key(swap, chance.randrange(PLACES), chance.choice(keys))
        data = bytearray(swap.data)
        data[chance.randrange(8, len(data))] = chance.getrandbits(8)
        before = _held(world)
        result = world.send(with_data(swap, bytes(data)))
        after = _held(world)
        if isinstance(result, FailedTransactionMetadata):
            assert error_of(result) not in CRASHES, seed
            assert after == before, seed
            continue
        swaps += 1
        assert _worth(after, AUTHORITY) >= _worth(before, AUTHORITY), seed
        assert all(after[key] >= units for key, units in before.items() if key[0] == BOB), seed
    assert swaps > 20


def _held(world: World) -> dict[tuple[Pubkey, Pubkey], int]:
    return {
        (owner, mint): world.tokens(ata(owner, mint, program_of(mint)))
        for owner in (ALICE, BOB, AUTHORITY)
        for mint in (USDC, USDT, JUP, SPARKLE)
    }


def _worth(held: dict[tuple[Pubkey, Pubkey], int], owner: Pubkey) -> int:
    """All of these have six decimals."""
    return sum(units * PRICES[mint] for (whose, mint), units in held.items() if whose == owner)
