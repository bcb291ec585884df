import pytest
from solders.instruction import Instruction

from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.order import OrderGroup
from countermand.sandbox.pool import POOL_UNITS, Liquidity, SandboxPool
from countermand.services.liquidity.routing import Quote, RoutedSwap
from countermand.services.tokens import Token
from countermand.values.identity import Mint
from countermand.values.quantities import NOTHING, BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import SwapAmounts, SwapRefused, TransactionOutcome, UnsignedTransaction
from tests.orders.trigger.samples import progressed
from tests.services.custody.layouts import decoded
from tests.services.custody.venue import JUP, RENT, SOL, USDC, USDT, Venue, leg, usd


async def crafted(venue: Venue, group: OrderGroup) -> UnsignedTransaction:
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction), craft
    return craft


async def filled(venue: Venue, group: OrderGroup) -> UnsignedTransaction:
    """The craft of a fill that has landed."""
    craft = await crafted(venue, group)
    await venue.lands(group, venue.filling(group, craft))
    return craft


async def swapped(venue: Venue, group: OrderGroup) -> SwapAmounts:
    """What a fill moved, as the chain shows it."""
    landed = await venue.lands(group, venue.filling(group, await crafted(venue, group)))
    assert landed.swap is not None
    return landed.swap


async def refused(venue: Venue, group: OrderGroup) -> str:
    refusal = await venue.custody.build_fill(group)
    assert isinstance(refusal, SwapRefused), refusal
    return refusal.reason


async def pool_units(venue: Venue, token: Token) -> int:
    return (await venue.units(venue.pool.pool_account_of(token)) or 0) - POOL_UNITS


async def test_sol_is_sold_for_dollars(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    before = await venue.balances()
    craft = await filled(venue, group)
    after = await venue.balances()
    # 1 SOL is worth 150 dollars, and a thousandth of that is the fee.
    assert (craft.moves.units, craft.minimum.units, craft.dust, craft.closes) == (10**9, 145_354_500, NOTHING, True)
    assert after["USDC"] - before["USDC"] == 149_850_000
    assert after["lamports"] - before["lamports"] == RENT
    assert await venue.lamports(group.terms.input_account) == 0
    assert (await pool_units(venue, SOL), await pool_units(venue, USDC)) == (10**9, -149_850_000)


async def test_dollars_buy_sol_which_comes_as_lamports(venue: Venue) -> None:
    group = await venue.has_open(USDC, 300_000_000, SOL)
    before, pool = await venue.balances(), await venue.lamports(venue.keys.pool.address)
    await filled(venue, group)
    after = await venue.balances()
    assert after["lamports"] - before["lamports"] == 1_998_000_000 + RENT
    assert await venue.lamports(venue.keys.pool.address) == pool - 1_998_000_000
    assert await pool_units(venue, USDC) == 300_000_000


async def test_the_gas_key_pays_and_the_user_does_not(venue: Venue) -> None:
    group = await venue.has_open(USDC, 300_000_000, JUP)
    before, gas = await venue.balances(), await venue.lamports(venue.keys.gas.address)
    await filled(venue, group)
    after = await venue.balances()
    assert after["lamports"] - before["lamports"] == RENT
    assert after["JUP"] - before["JUP"] == 599_400_000
    assert 0 < gas - await venue.lamports(venue.keys.gas.address) - 3 * 5_000 < 50_000


async def test_a_missing_output_account_is_created_and_the_gas_key_pays(venue: Venue) -> None:
    group = await venue.has_open(USDC, 300_000_000, JUP)
    await venue.closes_own(JUP)
    before = await venue.balances()
    await filled(venue, group)
    after = await venue.balances()
    assert (after["JUP"], after["lamports"] - before["lamports"]) == (599_400_000, RENT)


async def test_dust_goes_to_the_user_even_where_its_account_is_gone(venue: Venue) -> None:
    group = await venue.has_open(USDC, 300_000_000, JUP)
    await venue.closes_own(USDC)
    await venue.stranger_sends(group, 9)
    craft = await filled(venue, group)
    assert (craft.moves.units, craft.dust.units, craft.closes) == (300_000_000, 9, True)
    assert (await venue.balances())["USDC"] == 9
    assert await venue.lamports(group.terms.input_account) == 0
    assert await pool_units(venue, USDC) == 300_000_000


async def test_dust_of_sol_comes_back_with_the_close(venue: Venue) -> None:
    group = progressed(await venue.has_open(SOL, 10**9, USDC), close_rejections=2)
    await venue.stranger_sends(group, 9)
    before = await venue.balances()
    craft = await filled(venue, group)
    assert (craft.dust.units, craft.closes) == (9, True)
    assert (await venue.balances())["lamports"] - before["lamports"] == RENT + 9
    assert await pool_units(venue, SOL) == 10**9


async def test_dust_after_the_craft_makes_the_chain_refuse_until_the_close_is_left_out(venue: Venue) -> None:
    group = await venue.has_open(USDC, 300_000_000, JUP)
    craft = await crafted(venue, group)
    await venue.stranger_sends(group, 1)
    fate = await venue.settles(group, venue.filling(group, craft))
    assert (fate.outcome, fate.at_close) == (TransactionOutcome.REJECTED, True)
    assert (await venue.balances())["JUP"] == 1_000 * 10**6
    group = progressed(group, close_rejections=2)
    craft = await crafted(venue, group)
    await venue.stranger_sends(group, 1)
    await venue.lands(group, venue.filling(group, craft))
    assert (craft.dust, craft.closes) == (NOTHING, False)
    assert await venue.units(group.terms.input_account) == 2
    assert (await venue.balances())["JUP"] == 1_599_400_000


async def test_who_signs_a_fill(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    message = decoded((await crafted(venue, group)).message)
    vault = venue.custody.vault_of(venue.wallet)
    assert message.signers[0] == venue.keys.gas.address
    assert sorted(message.signers[1:]) == sorted([vault, venue.keys.pool.address])
    assert venue.wallet not in message.signers


@pytest.mark.parametrize(
    ("input_", "output", "amount", "receives"),
    [
        (USDC, USDT, 10_000_000, 9_997_000),  # 0.03 % between stables.
        (USDC, USDT, 10_000_001, 9_997_000),  # The fee of 3,000.0003 rounds up.
        (USDC, JUP, 10_000_000, 19_980_000),  # 0.1 %.
        (JUP, USDC, 3, 0),  # Worth one and a half units: one, of which the fee is one.
        (JUP, SOL, 3, 9),  # Worth ten lamports, of which the fee is one.
        (SOL, USDC, 1_000_000, 149_850),
        (SOL, USDC, 7, 0),
    ],
)
async def test_quotes_are_exact(venue: Venue, input_: Token, output: Token, amount: int, receives: int) -> None:
    group = await venue.has_open(input_, amount, output)
    if receives:
        assert (await swapped(venue, group)).received.units == receives
    else:
        assert await refused(venue, group) == f"the swap would give nothing for {amount} of {input_.mint}"


async def test_impact_makes_the_pool_give_less(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    venue.pool.liquidity = {SOL.mint: Liquidity(Bps(25), None), USDC.mint: Liquidity(Bps(9_999), None)}
    # 150 × 0.9975 = 149.625, less a thousandth.
    assert (await swapped(venue, group)).received.units == 149_475_375


async def test_the_quote_before_fee_is_compared_with_the_minimum(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC, leg(slippage=25))
    venue.pool.liquidity = {SOL.mint: Liquidity(Bps(25), None)}
    assert isinstance(await venue.custody.build_fill(group), UnsignedTransaction)
    venue.pool.liquidity = {SOL.mint: Liquidity(Bps(26), None)}
    assert await refused(venue, group) == (
        "the swap would give 149.61 USDC, 0.02 % less than its minimum 149.625 "
        "(25 basis points beyond the trigger price of 150 USD)"
    )


async def test_no_slippage_allows_no_impact_but_the_fee(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC, leg(slippage=0))
    assert isinstance(await venue.custody.build_fill(group), UnsignedTransaction)
    venue.pool.liquidity = {SOL.mint: Liquidity(Bps(1), None)}
    assert isinstance(await venue.custody.build_fill(group), SwapRefused)


@pytest.mark.parametrize(
    ("direction", "trigger", "most"),
    [
        (Direction.ABOVE, SOL, 300),  # Take profit.
        (Direction.BELOW, SOL, 2_000),  # Stop loss.
        (Direction.BELOW, USDC, 291),  # Buy the dip: at most 1.03 times the price, and 1 / 1.03 is 0.9708….
        (Direction.ABOVE, USDC, 1_666),  # Buy above: at most 1.2 times the price, and 1 / 1.2 is 0.8333….
    ],
)
async def test_the_impact_that_the_default_slippage_allows(
    venue: Venue, direction: Direction, trigger: Token, most: int
) -> None:
    price = 150 if trigger is SOL else 1
    group = await venue.has_open(SOL, 10**9, USDC, leg(direction, dollars=price), trigger)
    venue.pool.liquidity = {SOL.mint: Liquidity(Bps(most), None)}
    assert isinstance(await venue.custody.build_fill(group), UnsignedTransaction)
    venue.pool.liquidity = {SOL.mint: Liquidity(Bps(most + 1), None)}
    assert "less than its minimum" in await refused(venue, group)


async def test_a_stop_does_not_fill_when_the_price_gaps_past_its_buffer(venue: Venue) -> None:
    """D11: a stop at 150 with 2,000 basis points fills at 120 and more, however far the price has jumped."""
    group = await venue.has_open(SOL, 10**9, USDC, leg(Direction.BELOW, slippage=2_000))
    venue.prices[SOL.mint] = usd(110)
    assert await refused(venue, group) == (
        "the swap would give 110 USDC, 8.34 % less than its minimum 120 "
        "(2000 basis points beyond the trigger price of 150 USD)"
    )
    venue.prices[SOL.mint] = UsdPrice(120 * 10**12 - 1)
    assert "less than its minimum 120 " in await refused(venue, group)
    venue.prices[SOL.mint] = usd(130)
    assert (await swapped(venue, group)).received.units == 129_870_000


async def test_a_buy_does_not_chase_a_price_beyond_its_buffer(venue: Venue) -> None:
    """D11, the other mint and the other direction: a breakout at 150 with 1,000 basis points pays at most 165."""
    group = await venue.has_open(USDC, 330_000_000, SOL, leg(Direction.ABOVE, slippage=1_000), SOL)
    venue.prices[SOL.mint] = usd(166)
    assert "less than its minimum 2 (1000 basis points" in await refused(venue, group)
    venue.prices[SOL.mint] = usd(165)
    assert (await swapped(venue, group)).received.units == 1_998_000_000


async def test_a_trigger_of_a_third_token_leaves_the_prices_of_now(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC, leg(Direction.BELOW, slippage=0, dollars=10**6), JUP)
    venue.prices[SOL.mint] = usd(110)
    assert (await swapped(venue, group)).received.units == 109_890_000


async def test_prices_are_those_of_now(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    venue.prices[SOL.mint] = UsdPrice(200_000_000_000_001)  # 200.000000000001 dollars.
    assert (await swapped(venue, group)).received.units == 199_800_000


async def test_no_price_no_swap(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, JUP)
    del venue.prices[JUP.mint]
    assert await refused(venue, group) == f"no price for {JUP.mint}"
    del venue.prices[SOL.mint]
    assert await refused(venue, group) == f"no price for {SOL.mint}"


async def test_an_unknown_token_is_no_swap(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    group = replace(group, terms=replace(group.terms, output_mint=Mint(venue.own(SOL))))
    assert "no such token" in await refused(venue, group)


async def test_an_account_that_holds_less_than_the_order_is_not_filled(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    assert "holds 1000000000 of the 1000000001" in await refused(
        venue, replace(group, terms=replace(group.terms, deposited=BaseUnits(10**9 + 1)))
    )


async def test_an_absurd_price_is_a_refusal_and_no_crash(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    venue.prices[SOL.mint], venue.prices[USDC.mint] = usd(10**12), UsdPrice(1)
    assert await refused(venue, group) == f"the pool has not enough of {USDC.mint}"


async def test_the_chains_words_for_a_swap_that_would_fail(venue: Venue) -> None:
    group = await venue.has_open(USDC, 10_000_000, JUP)
    account = venue.pool.pool_account_of(JUP)
    (info,) = await venue.chain.accounts([account])
    assert info is not None
    await venue.chain.put_accounts({account: replace(info, data=info.data[:64] + bytes(8) + info.data[72:])})
    assert await refused(venue, group) == "Error processing Instruction 4: custom program error: 0x1"


async def test_failures_on_demand_land_and_err(venue: Venue) -> None:
    venue.pool.failures_due = 1
    group = await venue.has_open(SOL, 10**9, USDC)
    before = await venue.balances()
    craft = await crafted(venue, group)
    fate = await venue.settles(group, venue.filling(group, craft))
    assert (fate.outcome, fate.error) == (
        TransactionOutcome.REJECTED,
        "Error processing Instruction 6: custom program error: 0xc",
    )
    assert not fate.at_close, "a failed swap leaves nothing in the account that should not be there"
    assert await venue.balances() == before
    assert await venue.units(group.terms.input_account) == 10**9
    assert venue.pool.failures_due == 0
    await filled(venue, replace(group, version=group.version + 2))


async def test_a_refused_swap_uses_no_failure_up(venue: Venue) -> None:
    venue.pool.failures_due = 1
    venue.pool.liquidity = {SOL.mint: Liquidity(Bps(10_000), None)}
    await refused(venue, await venue.has_open(SOL, 10**9, USDC))
    assert venue.pool.failures_due == 1


async def test_the_next_try_is_another_transaction(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    first, again = await crafted(venue, group), await crafted(venue, replace(group, version=group.version + 1))
    assert first.message != again.message
    assert len(decoded(first.message).instructions) == len(decoded(again.message).instructions)


async def test_blockhashes_that_expired_unseen_are_no_failed_swap(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    await venue.chain.expire_blockhashes()
    await filled(venue, group)


async def test_the_largest_fill_fits_a_packet_and_its_compute_limit(venue: Venue) -> None:
    group = await venue.has_open(USDC, 300_000_000, JUP)
    await venue.closes_own(USDC)
    await venue.closes_own(JUP)
    await venue.stranger_sends(group, 9)
    craft = await crafted(venue, group)
    assert len(venue.wire(craft)) < 1_000
    used = await venue.units_used(craft)
    assert used + 30_000 < int.from_bytes(decoded(craft.message).instructions[0].data[1:], "little")


class Slipping(SandboxPool):
    """The market moves between the quote and the landing."""

    slip_bps = 0

    def settlement(self, swap: RoutedSwap, quote: Quote, minimum: BaseUnits) -> tuple[Instruction, ...]:
        given = quote.receives.units * (10_000 + self.slip_bps) // 10_000
        return super().settlement(swap, replace(quote, receives=BaseUnits(given)), minimum)


@pytest.mark.parametrize("slip_bps", [-299, -1, 1, 5_000])
@pytest.mark.parametrize(("sold", "bought"), [(SOL, USDC), (USDC, SOL), (JUP, USDC)])
async def test_the_amounts_are_those_that_the_chain_shows(
    venue: Venue, sold: Token, bought: Token, slip_bps: int
) -> None:
    """A pool that gives more than it quoted, or less: the order is told what it got."""
    group = await venue.has_open(sold, 10**8, bought)
    await venue.stranger_sends(group, 9)
    quoted = (await swapped(venue, await venue.has_open(sold, 10**8, bought))).received
    venue.pool.__class__ = Slipping
    venue.pool.slip_bps = slip_bps  # type: ignore[attr-defined]
    before = await venue.balances()
    swap = await swapped(venue, group)
    after = await venue.balances()
    assert swap.received == BaseUnits(quoted.units * (10_000 + slip_bps) // 10_000)
    assert (swap.used, swap.returned) == (BaseUnits(10**8), BaseUnits(9))
    if bought is USDC:
        assert after["USDC"] - before["USDC"] == swap.received.units


async def test_no_vault_signs_for_less_than_the_minimum(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    venue.pool.__class__ = Slipping
    venue.pool.slip_bps = -301  # type: ignore[attr-defined]
    attempt = venue.filling(group, await crafted(venue, group))
    with pytest.raises(AssertionError, match="does not swap as it should"):
        await venue.custody.send(group, attempt)
    assert venue.port.sent == venue.port.sent[:1], "only the deposit was sent"
