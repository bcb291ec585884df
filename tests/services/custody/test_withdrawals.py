import base64

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from countermand.kernel.ports import Unavailable
from countermand.orders.trigger.model.order import OrderGroup
from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.moves import close_instructions, return_instructions
from countermand.services.custody.withdrawals import WithdrawalLayout
from countermand.values.identity import RequestId
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.structs import replace
from countermand.values.transactions import TransactionOutcome, UnsignedTransaction
from countermand.values.withdrawal import Withdrawal
from tests.orders.trigger.samples import progressed
from tests.services.custody.layouts import decoded
from tests.services.custody.venue import FEE_OF_A_SIGNATURE, JUP, SOL, USDC, Venue

# The message of the withdrawal that Jupiter's documentation shows as an answer to a cancel, and who is in it.
PUBLISHED = base64.b64decode(
    "AwECB3I4JfjzJ5Bxm6yDMIsEn6i1Ole1H1grMcPHdoupjAL7S9DhiuihWzXmhK/pqWm9IjI+z5Wjnm6xV7/oTK1wMqYNSMcqys4U"
    "9XAZ+ZAXAceBZJPvmF1wuQYTVBn86Cs71XtfwGQg61gYivJ1xpya4gpx193p79zt442nGsKhJuqYzlD66XYbY6i2DthgZIonepbW"
    "Fba4ocC+ZvLgB0RfKkUDBkZv5SEXMv/srbpyw5vnvIzlu8X3EmssQ5s6QAAAAAbd9uHXZaGT2cvhRs7reawctIXtX1s3kTqM9YV+"
    "/wCpIjk8Y2RGlXja1QsHQYYsryjertYStxXLmChoIkasHIcEBQAFAlACAAAFAAkDkNADAAAAAAAGBAMEAQIJAwAtMQEAAAAABgMD"
    "AAEBCQ=="
)
USER = "8gs8rXavMQRqoAoMhCfo79r2wndgSn93FLSWErdHp82n"
VAULT = "66xK9AE6oFpGAyn9eCWE3LtYwUZKkeUxbfjFSNmFnkBo"
TRACKER = "trfb53BmkHNeoqaa3REgqnrbwUZqAFYdjTkivkJ6aWg"
ACCOUNT = "9Jbq8zQFE9epRCbzNcv54qhqDgxAdDRTEPppMdf4Qgt7"
OWN = "EtNc68FJeCY9jHgdDBZ8kUSbz55Rj4MwL35mpQ2UrDFr"
BLOCKHASH = "3JbUvZ3vPFCMg8SJfU9DoaAKaEbbvpTQCEwzx5Ka99BL"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"


def published_parties() -> OrderAccounts:
    user, vault, own, mint, program = (Pubkey.from_string(each) for each in (USER, VAULT, OWN, USDC.mint, TOKEN))
    return OrderAccounts(user, vault, own, mint, program, USDC, native=False)


def test_the_published_withdrawal_byte_for_byte() -> None:
    layout = WithdrawalLayout(published_parties(), Pubkey.from_string(TRACKER))
    account, blockhash = bytes(Pubkey.from_string(ACCOUNT)), bytes(Pubkey.from_string(BLOCKHASH))
    message = layout.message(account, blockhash, 20_000_000, variant=0, creates=False, closes=True)
    assert message == PUBLISHED


def test_the_users_account_of_the_published_withdrawal_is_the_derived_one() -> None:
    assert Pubkey.find_program_address(
        [bytes(Pubkey.from_string(each)) for each in (USER, TOKEN, USDC.mint)],
        Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"),
    )[0] == Pubkey.from_string(OWN)


async def withdrawn(venue: Venue, group: OrderGroup) -> UnsignedTransaction:
    """The craft of a withdrawal that has landed."""
    craft = await venue.custody.build_withdrawal(group)
    await venue.lands(group, venue.withdrawing(group, craft))
    return craft


async def test_a_token_comes_back_and_the_rent_with_it(venue: Venue) -> None:
    before = await venue.balances()
    group = await venue.has_open(USDC, 20_000_000)
    craft = await withdrawn(venue, group)
    after = await venue.balances()
    assert await venue.lamports(group.terms.input_account) == 0
    assert after["USDC"] == before["USDC"]
    assert 0 <= before["lamports"] - after["lamports"] - 5 * FEE_OF_A_SIGNATURE < 1_000
    assert (craft.moves.units, craft.dust.units, craft.closes) == (20_000_000, 0, True)


async def test_the_layout_is_the_published_one(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    message = decoded((await venue.custody.build_withdrawal(group)).message)
    vault, tracker, account = (
        venue.custody.vault_of(venue.wallet),
        venue.keys.tracker.address,
        group.terms.input_account,
    )
    published = decoded(PUBLISHED)
    assert message.header == (3, 1, 2)
    assert message.keys == [venue.wallet, vault, tracker, account, venue.own(USDC), *published.keys[5:]]
    assert [each.data for each in message.instructions] == [each.data for each in published.instructions]


async def test_sol_comes_back_as_lamports(venue: Venue) -> None:
    before = await venue.balances()
    group = await venue.has_open(SOL, 10**9)
    craft = await withdrawn(venue, group)
    after = await venue.balances()
    assert await venue.lamports(group.terms.input_account) == 0
    assert 0 <= before["lamports"] - after["lamports"] - 5 * FEE_OF_A_SIGNATURE < 1_000
    assert (craft.moves.units, craft.dust.units, craft.closes) == (10**9, 0, True)
    message = decoded(craft.message)
    assert message.header == (3, 1, 2)
    vault, tracker = venue.custody.vault_of(venue.wallet), venue.keys.tracker.address
    assert message.signers == [venue.wallet, vault, tracker]
    assert [each.data[:1] for each in message.instructions] == [b"\2", b"\3", b"\x09"]
    assert message.instructions[2].accounts == [group.terms.input_account, venue.wallet, vault, tracker]


async def test_a_missing_token_account_is_created_first(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    await venue.closes_own(USDC)
    before = await venue.balances()
    craft = await withdrawn(venue, group)
    after = await venue.balances()
    assert after["USDC"] == 20_000_000
    # The rent of the new account is paid from that of the old one.
    assert 0 <= before["lamports"] - after["lamports"] - 3 * FEE_OF_A_SIGNATURE < 20_000
    assert decoded(craft.message).header == (3, 1, 5)


async def test_a_stranger_who_prefunds_the_token_account_changes_nothing(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    await venue.closes_own(USDC)
    await venue.stranger_sends_lamports(venue.own(USDC), 890_880)
    await withdrawn(venue, group)
    assert (await venue.balances())["USDC"] == 20_000_000


async def test_dust_that_was_there_goes_to_the_user(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    await venue.stranger_sends(group, 7)
    craft = await withdrawn(venue, group)
    assert (craft.moves.units, craft.dust.units) == (20_000_000, 7)
    assert (await venue.balances())["USDC"] == 1_000 * 10**6 + 7
    assert await venue.lamports(group.terms.input_account) == 0


async def test_dust_after_the_craft_makes_the_chain_refuse_until_the_close_is_left_out(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    for rejections in (0, 1):
        group = progressed(group, close_rejections=rejections)
        craft = await venue.custody.build_withdrawal(group)
        await venue.stranger_sends(group, 1)
        fate = await venue.settles(group, venue.withdrawing(group, craft))
        # The close, which finds a balance. (Saying so takes more compute units than the published limit has.)
        assert (fate.outcome, fate.error, fate.at_close) == (
            TransactionOutcome.REJECTED,
            "Error processing Instruction 3: Computational budget exceeded",
            True,
        )
        assert await venue.units(group.terms.input_account) == 20_000_001 + rejections
    group = progressed(group, close_rejections=2)
    craft = await venue.custody.build_withdrawal(group)
    await venue.stranger_sends(group, 1)
    await venue.lands(group, venue.withdrawing(group, craft))
    assert (craft.moves.units, craft.dust.units, craft.closes) == (20_000_000, 2, False)
    assert (await venue.balances())["USDC"] == 1_000 * 10**6 + 2
    assert await venue.units(group.terms.input_account) == 1


async def test_dust_cannot_hinder_the_close_of_sol(venue: Venue) -> None:
    before = await venue.balances()
    group = progressed(await venue.has_open(SOL, 10**9), close_rejections=2)
    await venue.stranger_sends(group, 5)
    await venue.stranger_sends_lamports(group.terms.input_account, 1_000)  # Not wrapped.
    craft = await venue.custody.build_withdrawal(group)
    await venue.stranger_sends(group, 3)
    await venue.lands(group, venue.withdrawing(group, craft))
    assert (craft.moves.units, craft.dust.units, craft.closes) == (10**9, 1_005, True)
    spent = before["lamports"] - (await venue.balances())["lamports"]
    assert 0 <= spent + 1_008 - 5 * FEE_OF_A_SIGNATURE < 1_000
    assert await venue.lamports(group.terms.input_account) == 0


async def test_lamports_of_strangers_go_to_the_user_with_the_rent(venue: Venue) -> None:
    before = await venue.balances()
    group = await venue.has_open(USDC, 20_000_000)
    await venue.stranger_sends_lamports(group.terms.input_account, 1_000_000)
    craft = await withdrawn(venue, group)
    spent = before["lamports"] - (await venue.balances())["lamports"]
    assert 0 <= spent + 1_000_000 - 5 * FEE_OF_A_SIGNATURE < 1_000
    assert craft.dust == NOTHING


@pytest.mark.parametrize("state", ["gone", "prefunded", "less"])
async def test_an_account_that_holds_less_than_the_order_gives_no_withdrawal(venue: Venue, state: str) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    if state == "less":
        group = replace(group, terms=replace(group.terms, deposited=BaseUnits(20_000_001)))
    else:
        await withdrawn(venue, group)
    if state == "prefunded":
        await venue.stranger_sends_lamports(group.terms.input_account, 890_880)
    with pytest.raises(Unavailable, match=f"the account {group.terms.input_account} holds .* of the 2000000"):
        await venue.custody.build_withdrawal(group)


async def test_every_craft_of_a_cancellation_is_another_message(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    first = await venue.custody.build_withdrawal(group)
    messages = {first.message}
    for version in range(5, 20):
        cancelled = progressed(replace(group, version=version), withdrawal=Withdrawal(RequestId("r"), first))
        craft = await venue.custody.build_withdrawal(cancelled)
        messages.add(craft.message)
    assert len(messages) == 16
    await venue.lands(cancelled, venue.withdrawing(cancelled, craft))


async def test_the_client_fills_its_slot_and_nothing_else(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    craft = await venue.custody.build_withdrawal(group)
    given = base64.b64decode(venue.custody.unsigned_transaction(craft))
    assert given == b"\3" + bytes(192) + craft.message
    transaction = VersionedTransaction.from_bytes(given)
    signed = VersionedTransaction.populate(
        transaction.message, [venue.user.sign_message(craft.message), *transaction.signatures[1:]]
    )
    read = venue.custody.read_submission(base64.b64encode(bytes(signed)).decode(), venue.wallet)
    assert (read.message, read.fault) == (craft.message, None)
    attempt = replace(venue.withdrawing(group, craft), user_signature=read.user_signature)
    fate = await venue.lands(group, attempt)
    assert fate.signature == read.user_signature == venue.custody.signature_of(group, attempt)
    assert bytes(VersionedTransaction.from_bytes(venue.port.sent[-1]).message) == bytes(transaction.message)


async def test_nothing_lands_without_the_users_signature(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    craft = await venue.custody.build_withdrawal(group)
    stranger = venue.signs(craft.message, Keypair())
    attempt = replace(venue.withdrawing(group, craft), user_signature=stranger)
    await venue.custody.send(group, attempt)
    assert await venue.custody.outcome(group, attempt) is None
    assert await venue.units(group.terms.input_account) == 20_000_000


async def test_both_ways_of_saying_a_withdrawal_agree(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    account, tracker = Pubkey.from_string(group.terms.input_account), venue.keys.tracker.public
    parties = OrderAccounts.of(venue.wallet, venue.keys.vault_of(venue.wallet), USDC)
    for creates in (False, True):
        for closes in (False, True):
            layout = WithdrawalLayout(parties, tracker)
            message = layout.message(bytes(account), bytes(32), 20, variant=9, creates=creates, closes=closes)
            made = decoded(message).instructions[2 + creates :]
            said = list(return_instructions(parties, account, 20, [tracker]))
            said += close_instructions(parties, account, [tracker]) if closes else []
            assert [(each.program, each.accounts, each.data) for each in made] == [
                (str(each.program_id), [str(meta.pubkey) for meta in each.accounts], each.data) for each in said
            ]


@pytest.mark.parametrize("missing", [False, True])
async def test_compute_limits_have_room(venue: Venue, missing: bool) -> None:
    for token, amount in ((USDC, 1_000_000), (JUP, 5), (SOL, 10**9)):
        group = await venue.has_open(token, amount, JUP if token is USDC else USDC)
        if missing:
            await venue.closes_own(token)
        for rejections in (0, 2):
            craft = await venue.custody.build_withdrawal(progressed(group, close_rejections=rejections))
            limit = int.from_bytes(decoded(craft.message).instructions[0].data[1:], "little")
            used = await venue.units_used(craft)
            assert used < limit
            # 1,500 for each bump that the search for the address skips: ten more happen once in a thousand addresses.
            assert not missing or token is SOL or used + 15_000 < limit
