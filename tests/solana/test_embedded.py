"""The embedded chain, as those see it who send and read."""

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator, Callable
from itertools import count

import msgspec
import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from countermand.sandbox.faucet import FaucetRefused
from countermand.solana import embedded
from countermand.solana.embedded import EmbeddedChain, Genesis, Landed, Submitted
from countermand.solana.port import AccountInfo
from countermand.solana.programs import limit_order
from countermand.solana.programs.artifacts import program_builds
from countermand.solana.tokens import (
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    UPGRADEABLE_LOADER,
    USDC_MINT,
    associated_token_address,
    mint_bytes,
    read_token_account,
)
from countermand.solana.turns import Turns
from countermand.solana.wire import MalformedTransaction
from countermand_simulator.memory_ledger import MemoryLedgerStore
from tests.gifts import faucet_of
from tests.solana.chain_support import (
    GENESIS,
    SOL,
    FaultyStore,
    ManualClock,
    address,
    another_signature,
    lamports_of,
    open_chain,
    payment,
    pays,
    sign,
    signature_of,
    signed,
    token_transfer,
    transaction_of,
    wallet,
)

ALICE, BOB = wallet(1), wallet(2)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def chain(clock: ManualClock) -> AsyncIterator[EmbeddedChain]:
    chain = await open_chain(clock=clock)
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    yield chain
    await chain.close()


async def test_the_machine_of_a_closed_chain_is_freed_at_once() -> None:
    """It takes 10 MB of which the garbage collector knows nothing."""
    chain = await open_chain()
    await asyncio.sleep(0)
    machine = weakref.ref(chain._upkeep.live().machine)
    gc.disable()
    try:
        await chain.close()
        await asyncio.sleep(0)
        assert machine() is None
    finally:
        gc.enable()


async def test_one_message_with_two_valid_signatures_lands_once(chain: EmbeddedChain) -> None:
    raw = await pays(chain, ALICE, address(BOB), SOL)
    twin = another_signature(raw, ALICE)
    assert twin != raw
    assert (await chain.preflight(twin)).error is None, "the other signature is valid too"
    assert (await chain.submit(raw)).landed
    assert (await chain.submit(twin)).dropped == "AlreadyProcessed"
    assert (await chain.preflight(twin)).error == "AlreadyProcessed"
    assert await lamports_of(chain, address(BOB)) == SOL


@pytest.mark.parametrize("code_is_first", [False, True])
async def test_a_program_that_was_closed_runs_no_more(chain: EmbeddedChain, code_is_first: bool) -> None:
    """Not only from the next start on. The machine writes accounts in the order of their keys."""
    loader = Pubkey.from_string(UPGRADEABLE_LOADER)
    programs = (wallet(number).pubkey() for number in count(10))
    pairs = ((Pubkey.find_program_address([bytes(program)], loader)[0], program) for program in programs)
    code, program = next(pair for pair in pairs if (bytes(pair[0]) < bytes(pair[1])) is code_is_first)
    elf = program_builds()[limit_order.PROGRAM]
    header = (3).to_bytes(4, "little") + bytes(8) + b"\1" + bytes(ALICE.pubkey())
    await chain.put_accounts(
        {
            str(code): AccountInfo(SOL, UPGRADEABLE_LOADER, header + elf, executable=False),
            str(program): AccountInfo(
                SOL, UPGRADEABLE_LOADER, (2).to_bytes(4, "little") + bytes(code), executable=True
            ),
        }
    )

    async def fails(instruction: Instruction) -> object:
        raw = signed([instruction], [ALICE], (await chain.latest_blockhash()).blockhash)
        return (await chain.submit(raw)).error

    calls = Instruction(program, b"12345678", [])
    assert await fails(calls) == {"InstructionError": [0, {"Custom": 4100}]}, "it runs, at another address than its own"
    own = AccountMeta(ALICE.pubkey(), is_signer=True, is_writable=True)
    metas = [AccountMeta(key, is_signer=False, is_writable=True) for key in (code, ALICE.pubkey())]
    closes = [*metas, own, AccountMeta(program, is_signer=False, is_writable=True)]
    assert await fails(Instruction(loader, (5).to_bytes(4, "little"), closes)) is None
    again = Instruction(program, b"12345679", [])
    assert await fails(again) == {"InstructionError": [0, "UnsupportedProgramId"]}


async def test_a_blockhash_dies_after_150_slots(chain: EmbeddedChain, clock: ManualClock) -> None:
    latest = await chain.latest_blockhash()
    raw = payment(ALICE, address(BOB), SOL, latest.blockhash)
    clock.wall += 150 * 400
    assert await chain.finalized_block_height() == latest.last_valid_block_height
    assert chain.is_blockhash_valid(latest.blockhash)
    assert (await chain.preflight(raw)).error is None
    clock.wall += 400
    assert not chain.is_blockhash_valid(latest.blockhash)
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    assert (await chain.preflight(raw)).error == "BlockhashNotFound"
    assert await chain.signature_status(signature_of(raw)) is None


async def test_expiring_blockhashes_takes_no_time(chain: EmbeddedChain) -> None:
    raw = await pays(chain, ALICE, address(BOB), SOL)
    slot = chain.slot
    await chain.expire_blockhashes()
    assert chain.slot == slot + 151
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"


async def test_slots_follow_the_wall_clock_and_block_time_the_venues(chain: EmbeddedChain, clock: ManualClock) -> None:
    """E3."""
    slot = chain.slot
    clock.wall += 4_000
    assert chain.slot == slot + 10
    assert chain.block_time(chain.slot) == 1_700_000_000, "the venue's clock is frozen"
    clock.now += 3_600_000
    assert chain.slot == slot + 10, "an advance moves block time alone"
    assert chain.block_time(chain.slot) == 1_700_003_600
    assert chain.block_time(slot) == 1_700_000_000
    clock.wall -= 60_000
    assert chain.slot == slot + 10, "never back"
    clock.wall += 400
    assert chain.slot == slot + 11
    clock.now -= 60_000
    assert chain.block_time(chain.slot) == 1_700_003_600


async def test_an_advance_lets_no_transaction_die(chain: EmbeddedChain, clock: ManualClock) -> None:
    """E3: what was signed before it lands after it, at the new block time and in the same slot."""
    early, late = [await pays(chain, ALICE, address(BOB), lamports) for lamports in (SOL, 2 * SOL)]
    assert (await chain.submit(early)).landed
    clock.now += 3_600_000
    assert (await chain.submit(late)).landed
    first, second = [await transaction_of(chain, signature_of(raw)) for raw in (early, late)]
    assert first is not None
    assert second is not None
    assert (second.slot, second.block_time) == (first.slot, first.block_time + 3_600)
    assert chain.block_time(second.slot) == second.block_time


@pytest.mark.parametrize("passes", [59_999, 60_399])
async def test_what_an_advance_leaves_alive_dies_by_the_wall_clock(
    chain: EmbeddedChain, clock: ManualClock, passes: int
) -> None:
    """A blockhash that outlived its height would let an attempt land that was declared dead."""
    latest = await chain.latest_blockhash()
    raw = payment(ALICE, address(BOB), SOL, latest.blockhash)
    clock.now += 3_600_000
    clock.wall += passes
    assert await chain.finalized_block_height() <= latest.last_valid_block_height
    assert (await chain.preflight(raw)).error is None
    clock.wall += 401
    alive = await chain.finalized_block_height() <= latest.last_valid_block_height
    assert (await chain.submit(raw)).landed == alive


async def test_programs_see_the_venues_time(chain: EmbeddedChain, clock: ManualClock) -> None:
    clock.now += 5_000
    await faucet_of(chain).airdrop(address(BOB), SOL)
    (sysvar,) = await chain.accounts(["SysvarC1ock11111111111111111111111111111111"])
    assert sysvar is not None
    assert int.from_bytes(sysvar.data[:8], "little") == chain.slot
    assert int.from_bytes(sysvar.data[32:40], "little") == 1_700_000_005


async def test_what_lands_with_an_error_pays_and_is_remembered(chain: EmbeddedChain) -> None:
    raw = await pays(chain, ALICE, address(BOB), 1_000 * SOL)
    landed = await chain.submit(raw)
    assert landed == Submitted(signature_of(raw), chain.slot, {"InstructionError": [0, {"Custom": 1}]}, None)
    assert await lamports_of(chain, address(ALICE)) == 10 * SOL - 5_000
    found = await transaction_of(chain, signature_of(raw))
    assert found is not None
    assert (found.error, found.fee) == (landed.error, 5_000)
    assert found.pre_balances[0] - found.post_balances[0] == 5_000
    assert (await chain.submit(raw)).dropped == "AlreadyProcessed"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda raw: raw + b"\x00", "canonical"),
        (lambda raw: b"\x81\x00" + raw[1:], "no transaction"),
        (lambda raw: raw[:-1], "no transaction"),
        (lambda raw: raw[:1], "no transaction"),
        (lambda raw: b"\x00" + raw[65:], "no transaction"),
        (lambda raw: raw + bytes(1_300), "at most 1232"),
    ],
)
async def test_bytes_with_two_readings_or_none_are_refused(
    chain: EmbeddedChain, spoil: Callable[[bytes], bytes], why: str
) -> None:
    spoilt = spoil(await pays(chain, ALICE, address(BOB), SOL))
    for ask in (chain.submit, chain.send, chain.simulate, chain.preflight):
        with pytest.raises(MalformedTransaction, match=why):
            await ask(spoilt)


async def test_a_transaction_tells_its_whole_story(chain: EmbeddedChain) -> None:
    given = await faucet_of(chain).mint_to(address(ALICE), USDC_MINT, 5_000_000)
    await faucet_of(chain).mint_to(address(BOB), USDC_MINT, 1)
    story = await transaction_of(chain, given)
    assert story is not None
    ata = associated_token_address(address(ALICE), USDC_MINT)
    assert story.pre_token_balances == ()
    (after,) = story.post_token_balances
    assert (after.mint, after.owner, after.program) == (USDC_MINT, address(ALICE), TOKEN_PROGRAM)
    assert (after.amount, after.decimals) == (5_000_000, 6)
    assert [calls.index for calls in story.inner_instructions] == [1]
    assert {call.stack_height for call in story.inner_instructions[0].instructions} == {2}
    assert (story.slot, story.block_time, story.error, story.fee) == (chain.slot, 1_700_000_000, None, 10_000)

    to = associated_token_address(address(BOB), USDC_MINT)
    latest = await chain.latest_blockhash()
    raw = signed([token_transfer(ata, to, address(ALICE), 2_000_000)], [ALICE], latest.blockhash)
    assert (await chain.submit(raw)).landed
    story = await transaction_of(chain, signature_of(raw))
    assert story is not None
    assert {(b.owner, b.amount) for b in story.pre_token_balances} == {(address(ALICE), 5_000_000), (address(BOB), 1)}
    assert {(b.owner, b.amount) for b in story.post_token_balances} == {
        (address(ALICE), 3_000_000),
        (address(BOB), 2_000_001),
    }
    assert story.units_consumed > 0
    assert story.logs[0] == f"Program {TOKEN_PROGRAM} invoke [1]"


async def test_signatures_of_an_address_come_newest_first_between_bounds(chain: EmbeddedChain) -> None:
    gifts = [await faucet_of(chain).airdrop(address(BOB), SOL + n) for n in range(4)]
    found = await chain.signatures_for_address(address(BOB))
    assert [one.signature for one in found] == gifts[::-1]
    page = await chain.signatures_for_address(address(BOB), limit=2, before=gifts[3], until=gifts[0])
    assert [one.signature for one in page] == [gifts[2], gifts[1]]


async def test_token_accounts_are_found_by_their_owner_until_they_are_closed(chain: EmbeddedChain) -> None:
    await faucet_of(chain).mint_to(address(ALICE), USDC_MINT, 1)
    await faucet_of(chain).mint_to(address(ALICE), SOL_MINT, SOL)
    usdc, wrapped = (associated_token_address(address(ALICE), mint) for mint in (USDC_MINT, SOL_MINT))
    found = [key for key, _ in await chain.token_accounts_by_owner(address(ALICE))]
    assert sorted(found) == sorted([usdc, wrapped])
    assert [key for key, _ in await chain.token_accounts_by_owner(address(ALICE), mint=SOL_MINT)] == [wrapped]
    assert await chain.token_accounts_by_owner(address(ALICE), program=TOKEN_2022_PROGRAM) == []

    keys = [Pubkey.from_string(wrapped), ALICE.pubkey(), ALICE.pubkey()]
    metas = [AccountMeta(key, is_signer=i == 2, is_writable=i < 2) for i, key in enumerate(keys)]
    close = Instruction(Pubkey.from_string(TOKEN_PROGRAM), b"\x09", metas)
    latest = await chain.latest_blockhash()
    assert (await chain.submit(signed([close], [ALICE], latest.blockhash))).error is None
    assert [key for key, _ in await chain.token_accounts_by_owner(address(ALICE))] == [usdc]
    assert await chain.accounts([wrapped]) == [None]
    owned = [key for key, _ in await chain.program_accounts(TOKEN_PROGRAM)]
    assert usdc in owned
    assert wrapped not in owned


async def test_what_wallets_own_is_told_as_of_one_moment(chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if another task moves some of it from one to the other before all is read."""
    monkeypatch.setattr(embedded, "ACCOUNTS_PER_SHARE", 1)
    for owner, amount in ((ALICE, 7), (BOB, 1)):
        await faucet_of(chain).mint_to(address(owner), USDC_MINT, amount)
    infos = {key: info for each in (ALICE, BOB) for key, info in await chain.token_accounts_by_owner(address(each))}
    chain._turns = Turns(1, time.perf_counter_ns)
    reading = asyncio.create_task(chain.owned([address(ALICE), address(BOB)]))
    await asyncio.sleep(0)
    (alices, seven), (bobs, one) = infos.items()
    moved = {alices: seven.data[:64] + one.data[64:], bobs: one.data[:64] + seven.data[64:]}
    await chain.put_accounts({key: msgspec.structs.replace(seven, data=data) for key, data in moved.items()})
    (account, tokens), (_, others) = await reading
    assert account == (await chain.accounts([address(ALICE)]))[0]
    assert [(key, token.amount) for key, _, token in tokens + others] == [(alices, 7), (bobs, 1)]
    (_, ((*_, now),)), _ = await chain.owned([address(ALICE), address(BOB)])
    assert now.amount == 1


async def test_a_token_2022_mint_can_be_given_too(chain: EmbeddedChain) -> None:
    authority = Keypair.from_seed(GENESIS.mint_authority_seed)
    mint = str(Pubkey(bytes(range(32))))
    data = mint_bytes(authority=address(authority), decimals=2)
    await chain.put_accounts({mint: AccountInfo(2 * SOL, TOKEN_2022_PROGRAM, data, executable=False)})
    gift = await faucet_of(chain).mint_to(address(BOB), mint, 700)
    ata = associated_token_address(address(BOB), mint, TOKEN_2022_PROGRAM)
    ((key, info),) = await chain.token_accounts_by_owner(address(BOB))
    assert key == ata
    assert len(info.data) == 170, "with the extension of an immutable owner"
    token = read_token_account(info.data)
    assert token is not None
    assert token.amount == 700
    story = await transaction_of(chain, gift)
    assert story is not None
    (balance,) = story.post_token_balances
    assert (balance.program, balance.amount, balance.decimals) == (TOKEN_2022_PROGRAM, 700, 2)


async def test_address_lookup_tables_are_made_extended_and_used(chain: EmbeddedChain, clock: ManualClock) -> None:
    program = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
    recent = chain.slot - 1
    table, bump = Pubkey.find_program_address([bytes(ALICE.pubkey()), recent.to_bytes(8, "little")], program)
    keys = [(table, False, True), (ALICE.pubkey(), True, False), (ALICE.pubkey(), True, True)]
    metas = [AccountMeta(*key) for key in [*keys, (Pubkey.from_string(SYSTEM_PROGRAM), False, False)]]
    create = Instruction(program, (0).to_bytes(4, "little") + recent.to_bytes(8, "little") + bytes([bump]), metas)
    friends = [wallet(100 + n).pubkey() for n in range(20)]
    count = (20).to_bytes(8, "little")
    extend = Instruction(program, (2).to_bytes(4, "little") + count + b"".join(map(bytes, friends)), metas)
    latest = await chain.latest_blockhash()
    assert (await chain.submit(signed([create, extend], [ALICE], latest.blockhash))).error is None

    clock.wall += 400
    moves = [
        transfer(TransferParams(from_pubkey=ALICE.pubkey(), to_pubkey=friend, lamports=10**7)) for friend in friends
    ]
    blockhash = Hash.from_string((await chain.latest_blockhash()).blockhash)
    known = AddressLookupTableAccount(table, friends)
    raw = sign(MessageV0.try_compile(ALICE.pubkey(), moves, [known], blockhash), [ALICE])
    assert (await chain.submit(raw)).error is None
    story = await transaction_of(chain, signature_of(raw))
    assert story is not None
    assert sorted(story.loaded_writable) == sorted(map(str, friends))
    assert story.post_balances[-20:] == (10**7,) * 20
    assert story.pre_balances[-20:] == (0,) * 20
    assert [one.signature for one in await chain.signatures_for_address(str(friends[7]))] == [signature_of(raw)]
    assert [await lamports_of(chain, str(friend)) for friend in friends] == [10**7] * 20


async def test_a_simulation_shows_everything_and_changes_nothing(chain: EmbeddedChain) -> None:
    raw = await pays(chain, ALICE, address(BOB), SOL)
    unsigned = raw[:1] + bytes(64) + raw[65:]
    shown = await chain.simulate_transaction(unsigned, verify_signatures=False, replace_blockhash=False)
    assert (shown.error, shown.units_consumed, len(shown.logs)) == (None, 150, 2)
    assert shown.accounts[address(BOB)].lamports == SOL
    assert shown.replacement_blockhash is None
    refused = await chain.simulate_transaction(unsigned, verify_signatures=True, replace_blockhash=False)
    assert refused.error == "SignatureFailure"
    assert await lamports_of(chain, address(BOB)) == 0

    stale = payment(ALICE, address(BOB), SOL, str(Hash.default()))
    assert (await chain.preflight(stale)).error == "BlockhashNotFound"
    shown = await chain.simulate_transaction(stale, verify_signatures=False, replace_blockhash=True)
    assert shown.error is None
    assert shown.replacement_blockhash == await chain.latest_blockhash()


async def test_gifts_of_the_same_amount_are_different_transactions(chain: EmbeddedChain) -> None:
    first, second = [await faucet_of(chain).airdrop(address(BOB), SOL) for _ in range(2)]
    assert first != second
    assert await lamports_of(chain, address(BOB)) == 2 * SOL


async def test_the_faucet_never_runs_dry(chain: EmbeddedChain) -> None:
    for number in range(5):
        await faucet_of(chain).airdrop(address(wallet(50 + number)), 10**18)
    assert await lamports_of(chain, address(wallet(54))) == 10**18
    await faucet_of(chain).mint_to(address(BOB), SOL_MINT, 10**18)


async def test_gifts_that_cannot_be_made_say_why(chain: EmbeddedChain) -> None:
    with pytest.raises(FaucetRefused, match="between 1 and"):
        await faucet_of(chain).airdrop(address(BOB), 0)
    with pytest.raises(
        FaucetRefused, match=r"1 lamports are too few for \w+, which holds none: an account holds at least 890880"
    ):
        await faucet_of(chain).airdrop(address(BOB), 1)
    await faucet_of(chain).airdrop(address(BOB), 890_880)
    await faucet_of(chain).airdrop(address(BOB), 1)
    with pytest.raises(FaucetRefused, match="no mint"):
        await faucet_of(chain).mint_to(address(BOB), address(ALICE), 1)
    with pytest.raises(FaucetRefused, match="already in use"):
        await faucet_of(chain).create_mint(USDC_MINT, 7)
    with pytest.raises(ValueError):
        await faucet_of(chain).airdrop("not an address", SOL)


async def test_new_mints_get_an_address_of_their_own_or_the_given_one(chain: EmbeddedChain) -> None:
    given = str(Pubkey(bytes([9] * 32)))
    assert await faucet_of(chain).create_mint(given, 4) == given
    mints = [await faucet_of(chain).create_mint(None, 3) for _ in range(2)]
    assert len({*mints, given}) == 3
    for mint in (*mints, given):
        await faucet_of(chain).mint_to(address(BOB), mint, 5)
    assert len(await chain.token_accounts_by_owner(address(BOB))) == 3


async def test_subscribers_hear_of_a_landing_until_they_leave(chain: EmbeddedChain) -> None:
    heard: list[Landed] = []
    leave = chain.subscribe(heard.append)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    await chain.submit(raw)
    await asyncio.sleep(0)
    (landed,) = heard
    assert (landed.signature, landed.slot, landed.error) == (signature_of(raw), chain.slot, None)
    assert landed.changed == (address(ALICE), address(BOB))
    assert landed.accounts == (address(ALICE), address(BOB), SYSTEM_PROGRAM)
    leave()
    await faucet_of(chain).airdrop(address(BOB), SOL)
    await asyncio.sleep(0)
    assert len(heard) == 1


async def test_a_reset_empties_the_chain_and_time_goes_on(chain: EmbeddedChain) -> None:
    old = await pays(chain, ALICE, address(BOB), SOL)
    status_of = signature_of(old)
    await chain.submit(old)
    slot, genesis = chain.slot, chain.genesis_hash
    await chain.reset(Genesis(b"1" * 32, b"2" * 32, b"3" * 32))
    assert chain.slot > slot + 150
    assert chain.genesis_hash != genesis
    assert await chain.signature_status(status_of) is None
    assert await chain.signatures_for_address(address(ALICE)) == []
    assert await lamports_of(chain, address(ALICE)) == 0
    assert (await chain.submit(old)).dropped == "BlockhashNotFound"
    await faucet_of(chain).airdrop(address(ALICE), SOL)


async def test_the_machine_lets_others_have_their_turn() -> None:
    """With 1 ms a transaction on the stopwatch, two fit a turn of the loop."""
    ticks = iter(range(0, 10**12, 1_000_000))
    chain = await EmbeddedChain.open(MemoryLedgerStore(), ManualClock(), genesis=GENESIS, stopwatch=lambda: next(ticks))
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    raws = [await pays(chain, ALICE, address(BOB), SOL + n) for n in range(6)]
    turns = 0
    done = asyncio.gather(*(chain.send(raw) for raw in raws))
    while not done.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 3
    assert await lamports_of(chain, address(BOB)) == 6 * SOL + 15
    await chain.close()


async def test_the_same_entropy_and_the_same_clock_give_the_same_ledger() -> None:
    stories = []
    for _ in range(2):
        store = FaultyStore()
        chain = await open_chain(store)
        await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
        await faucet_of(chain).mint_to(address(ALICE), USDC_MINT, 7)
        await faucet_of(chain).create_mint(None, 1)
        await chain.submit(await pays(chain, ALICE, address(BOB), SOL))
        await chain.close()
        stories.append(store.batches)
    assert stories[0] == stories[1]
