import pytest

from countermand.kernel.ports import Unavailable
from countermand.orders.trigger.model.order import OrderGroup
from countermand.values.quantities import NOTHING
from countermand.values.structs import replace
from countermand.values.transactions import UnsignedTransaction
from tests.orders.trigger.samples import progressed
from tests.services.custody.venue import RENT, SOL, USDC, Venue


async def withdrawn_but_open(venue: Venue, dust: int) -> OrderGroup:
    """A cancelled order whose account stayed open, with dust that came after its withdrawal."""
    group = progressed(await venue.has_open(USDC, 20_000_000), close_rejections=2)
    craft = await venue.custody.build_withdrawal(group)
    await venue.lands(group, venue.withdrawing(group, craft))
    if dust:
        await venue.stranger_sends(group, dust)
    return progressed(progressed(group, voided=group.terms.deposited), sweep_due=True)


async def swept(venue: Venue, group: OrderGroup) -> UnsignedTransaction:
    craft = await venue.custody.build_sweep(group)
    assert craft is not None
    await venue.lands(group, venue.sweeping(group, craft))
    return craft


@pytest.mark.parametrize("dust", [0, 3])
async def test_a_sweep_closes_the_account_and_the_user_gets_rent_and_dust(venue: Venue, dust: int) -> None:
    group = await withdrawn_but_open(venue, dust)
    before = await venue.balances()
    craft = await swept(venue, group)
    after = await venue.balances()
    assert (craft.moves, craft.dust.units, craft.closes) == (NOTHING, dust, True)
    assert after["lamports"] - before["lamports"] == RENT
    assert after["USDC"] - before["USDC"] == dust
    assert await venue.lamports(group.terms.input_account) == 0


async def test_a_sweep_creates_the_users_account_if_it_must(venue: Venue) -> None:
    group = await withdrawn_but_open(venue, 3)
    await venue.closes_own(USDC)
    await swept(venue, group)
    assert (await venue.balances())["USDC"] == 3


async def test_an_account_that_is_gone_needs_no_sweep(venue: Venue) -> None:
    group = await withdrawn_but_open(venue, 0)
    await swept(venue, group)
    assert await venue.custody.build_sweep(group) is None
    await venue.stranger_sends_lamports(group.terms.input_account, 890_880)
    assert await venue.custody.build_sweep(group) is None


async def test_dust_that_comes_again_is_swept_with_the_next(venue: Venue) -> None:
    group = await withdrawn_but_open(venue, 3)
    craft = await venue.custody.build_sweep(group)
    assert craft is not None
    await venue.stranger_sends(group, 1)
    assert (await venue.settles(group, venue.sweeping(group, craft))).error is not None
    assert (await swept(venue, replace(group, version=group.version + 2))).dust.units == 4


async def test_an_account_that_cannot_be_closed_now_is_tried_later(venue: Venue) -> None:
    group = await withdrawn_but_open(venue, 3)
    (info,) = await venue.chain.accounts([group.terms.input_account])
    assert info is not None
    frozen = info.data[:108] + b"\2" + info.data[109:]
    await venue.chain.put_accounts({group.terms.input_account: replace(info, data=frozen)})
    with pytest.raises(Unavailable, match="cannot be closed now: Error processing Instruction 3"):
        await venue.custody.build_sweep(group)


async def test_wrapped_sol_is_swept_by_the_close_alone(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9)
    before = await venue.balances()
    craft = await swept(venue, group)
    assert craft.dust.units == 10**9
    assert (await venue.balances())["lamports"] - before["lamports"] == 10**9 + RENT
