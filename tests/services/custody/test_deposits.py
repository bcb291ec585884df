import re

from solders.pubkey import Pubkey

from countermand.values.transactions import TransactionOutcome
from tests.services.custody.layouts import decoded
from tests.services.custody.venue import FEE_OF_A_SIGNATURE, JUP, RENT, SOL, USDC, Venue

COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"
SYSTEM = "11111111111111111111111111111111"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
USDC_MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SOL_MINT = "So11111111111111111111111111111111111111112"


async def test_a_token_is_deposited_into_an_account_of_its_own(venue: Venue) -> None:
    before = await venue.balances()
    group = await venue.has_open(USDC, 20_000_000)
    assert await venue.units(group.terms.input_account) == 20_000_000
    assert await venue.lamports(group.terms.input_account) == RENT
    after = await venue.balances()
    assert before["USDC"] - after["USDC"] == 20_000_000
    assert 0 <= before["lamports"] - after["lamports"] - RENT - 2 * FEE_OF_A_SIGNATURE < 1_000


async def test_sol_is_wrapped_on_its_way(venue: Venue) -> None:
    before = await venue.balances()
    group = await venue.has_open(SOL, 10**9)
    assert await venue.units(group.terms.input_account) == 10**9
    assert await venue.lamports(group.terms.input_account) == 10**9 + RENT
    spent = before["lamports"] - (await venue.balances())["lamports"]
    assert 0 <= spent - 10**9 - RENT - 2 * FEE_OF_A_SIGNATURE < 1_000


async def test_the_layout_of_a_tokens_deposit(venue: Venue) -> None:
    deposit = await venue.build_deposit(USDC, 20_000_000, request_id="12345678-9abc-4def-8012-3456789abcde")
    vault = venue.custody.vault_of(venue.wallet)
    message = decoded(deposit.craft.message)
    limit, price, create, initialize, transfer = message.instructions
    assert message.header == (2, 1, 4)
    assert message.signers == [venue.wallet, vault]
    assert (limit.program, limit.data[:1]) == (COMPUTE_BUDGET, b"\2")
    assert (price.program, price.data) == (COMPUTE_BUDGET, b"\3\x90\xd0\3\0\0\0\0\0")
    assert create.program == SYSTEM
    assert create.accounts == [venue.wallet, deposit.input_account, vault]
    assert create.data == (
        b"\3\0\0\0"
        + bytes(Pubkey.from_string(vault))
        + (32).to_bytes(8, "little")
        + b"123456789abc4def80123456789abcde"
        + (2_039_280).to_bytes(8, "little")
        + (165).to_bytes(8, "little")
        + bytes(Pubkey.from_string(TOKEN))
    )
    assert (initialize.program, initialize.accounts) == (TOKEN, [deposit.input_account, USDC_MINT])
    assert initialize.data == b"\x12" + bytes(Pubkey.from_string(vault))
    assert (transfer.program, transfer.data) == (TOKEN, b"\x0c" + (20_000_000).to_bytes(8, "little") + b"\6")
    assert transfer.accounts == [venue.own(USDC), USDC_MINT, deposit.input_account, venue.wallet]
    assert vault not in message.writable
    seed = "123456789abc4def80123456789abcde"
    derived = Pubkey.create_with_seed(Pubkey.from_string(vault), seed, Pubkey.from_string(TOKEN))
    assert deposit.input_account == str(derived)


async def test_the_layout_of_sols_deposit(venue: Venue) -> None:
    deposit = await venue.build_deposit(SOL, 10**9)
    message = decoded(deposit.craft.message)
    _, _, create, initialize, transfer, sync = message.instructions
    assert message.header == (2, 1, 4)
    assert create.program == SYSTEM
    assert initialize.accounts == [deposit.input_account, SOL_MINT]
    assert (transfer.program, transfer.accounts) == (SYSTEM, [venue.wallet, deposit.input_account])
    assert transfer.data == b"\2\0\0\0" + (10**9).to_bytes(8, "little")
    assert (sync.program, sync.accounts, sync.data) == (TOKEN, [deposit.input_account], b"\x11")


async def test_what_a_deposit_says_of_itself(venue: Venue) -> None:
    deposit = await venue.build_deposit(JUP, 5_000_000, SOL)
    assert (deposit.wallet, deposit.input_mint, deposit.output_mint) == (venue.wallet, JUP.mint, SOL.mint)
    assert (deposit.craft.moves.units, deposit.craft.dust.units, deposit.craft.closes) == (5_000_000, 0, False)
    assert deposit.craft.last_valid_height == venue.chain.block_height + 150
    assert decoded(deposit.craft.message).blockhash == bytes(
        Pubkey.from_string((await venue.chain.latest_blockhash()).blockhash)
    )


async def test_a_prefunded_address_makes_the_chain_refuse(venue: Venue) -> None:
    deposit = await venue.build_deposit(USDC, 20_000_000)
    assert await venue.custody.simulate_deposit(deposit) is None
    await venue.stranger_sends_lamports(deposit.input_account, 890_880)
    assert await venue.custody.simulate_deposit(deposit) == "Error processing Instruction 2: custom program error: 0x0"
    group, before = venue.placed(deposit), (await venue.balances())["USDC"]
    assert group.progress.attempt is not None
    fate = await venue.settles(group, group.progress.attempt)
    assert (fate.outcome, (await venue.balances())["USDC"]) == (TransactionOutcome.REJECTED, before)
    assert not fate.at_close


async def test_a_simulation_says_what_is_missing(venue: Venue) -> None:
    too_much = await venue.build_deposit(USDC, 1_001 * 10**6)
    why = await venue.custody.simulate_deposit(too_much)
    assert why == "Error processing Instruction 4: custom program error: 0x1 (the wallet lacks 1 USDC)"
    lamports = (await venue.balances())["lamports"]
    why = await venue.custody.simulate_deposit(await venue.build_deposit(SOL, lamports))
    assert why is not None
    assert re.fullmatch(
        r"Error processing Instruction 4: custom program error: 0x1 \(the wallet lacks 0\.00\d+ SOL\)", why
    )
    await venue.closes_own(USDC)
    without = await venue.build_deposit(USDC, 1)
    why = await venue.custody.simulate_deposit(without)
    assert why == (
        "Error processing Instruction 4: invalid account data for instruction (the wallet lacks 0.000001 USDC)"
    )


async def test_the_same_request_funds_no_second_order(venue: Venue) -> None:
    deposit = await venue.build_deposit(USDC, 20_000_000)
    group = venue.placed(deposit)
    assert group.progress.attempt is not None
    await venue.lands(group, group.progress.attempt)
    venue.clock.ms += 3_000
    again = venue.placed(await venue.build_deposit(USDC, 20_000_000, request_id=deposit.request_id))
    assert again.progress.attempt is not None
    assert again.terms.input_account == group.terms.input_account
    assert (await venue.settles(again, again.progress.attempt)).outcome is TransactionOutcome.REJECTED


async def test_compute_limits_have_room(venue: Venue) -> None:
    for token, amount in ((USDC, 1_000_000), (SOL, 10**9)):
        deposit = await venue.build_deposit(token, amount)
        limit = int.from_bytes(decoded(deposit.craft.message).instructions[0].data[1:], "little")
        used = await venue.units_used(deposit.craft)
        assert used * 13 // 10 < limit


async def test_the_deposit_is_the_attempt_that_the_user_signed(venue: Venue) -> None:
    group = venue.placed(await venue.build_deposit(USDC, 20_000_000))
    assert group.progress.attempt is not None
    assert venue.custody.signature_of(group, group.progress.attempt) == group.progress.attempt.user_signature
