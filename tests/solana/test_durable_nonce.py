"""Durable nonces (E5): a transaction that stays good for as long as it takes, and lands once and only once."""

from collections.abc import AsyncIterator

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import (
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    initialize_nonce_account,
    transfer,
    withdraw_nonce_account,
)
from solders.transaction import VersionedTransaction

from countermand.solana.durable_nonce import value_at
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.ledger import Submitted
from countermand.solana.port import ChainUnavailable
from countermand.solana.wire import read_transaction
from countermand.values.structs import replace
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
    signature_of,
    signed,
    wallet,
)

ALICE, BOB, NONCE, MALLORY = wallet(1), wallet(2), wallet(3), wallet(4)
RENT = 1_447_680


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def chain(store: FaultyStore, clock: ManualClock) -> AsyncIterator[EmbeddedChain]:
    chain = await open_chain(store, clock)
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    assert (await makes_nonce(chain)).error is None
    yield chain
    await chain.close()


async def restarted(store: FaultyStore, clock: ManualClock) -> EmbeddedChain:
    """The chain that was there is never closed: it was killed."""
    return await open_chain(store, clock)


async def makes_nonce(chain: EmbeddedChain, account: Keypair = NONCE) -> Submitted:
    creates = create_nonce_account(ALICE.pubkey(), account.pubkey(), ALICE.pubkey(), RENT)
    blockhash = (await chain.latest_blockhash()).blockhash
    return await chain.submit(signed(creates, [ALICE, account], blockhash))


async def nonce_of(chain: EmbeddedChain, account: Keypair = NONCE) -> str:
    """What web3.js reads from the account."""
    (info,) = await chain.accounts([address(account)])
    assert info is not None
    assert info.data[:8] == b"\1\0\0\0\1\0\0\0"
    return str(Hash(info.data[40:72]))


def advances(account: Keypair = NONCE, authority: Keypair = ALICE) -> Instruction:
    return advance_nonce_account({"nonce_pubkey": account.pubkey(), "authorized_pubkey": authority.pubkey()})


def closes() -> Instruction:
    return withdraw_nonce_account(
        {
            "nonce_pubkey": NONCE.pubkey(),
            "authorized_pubkey": ALICE.pubkey(),
            "to_pubkey": ALICE.pubkey(),
            "lamports": RENT,
        }
    )


def moves(lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=ALICE.pubkey(), to_pubkey=BOB.pubkey(), lamports=lamports))


def durable(nonce: str, *instructions: Instruction, signers: tuple[Keypair, ...] = (ALICE,)) -> bytes:
    return signed([advances(), *(instructions or [moves(SOL)])], signers, nonce)


async def test_it_lands_long_after_any_blockhash(chain: EmbeddedChain, clock: ManualClock) -> None:
    raw = durable(await nonce_of(chain))
    clock.wall += 400 * 100_000
    clock.now += 86_400_000
    assert (await chain.preflight(raw)).error is None
    assert (await chain.submit(raw)).landed
    assert await lamports_of(chain, address(BOB)) == SOL


async def test_it_lands_once(chain: EmbeddedChain, clock: ManualClock) -> None:
    """Sent again at once, later, when it is no longer remembered, and with another valid signature."""
    raw = durable(await nonce_of(chain))
    assert (await chain.submit(raw)).landed
    for _ in range(3):
        for again in (raw, another_signature(raw, ALICE)):
            assert (await chain.submit(again)).dropped == "BlockhashNotFound"
            assert (await chain.preflight(again)).error == "BlockhashNotFound"
        clock.wall += 400 * 160
    assert await lamports_of(chain, address(BOB)) == SOL
    status = await chain.signature_status(signature_of(raw))
    assert status is not None
    assert status.error is None


async def test_it_lands_once_whatever_is_killed(store: FaultyStore, clock: ManualClock, chain: EmbeddedChain) -> None:
    nonce = await nonce_of(chain)
    raw = durable(nonce)
    chain = await restarted(store, clock)
    assert await nonce_of(chain) == nonce
    assert (await chain.submit(raw)).landed
    for wait in (0, 400 * 160, 400 * 10_000):
        clock.wall += wait
        chain = await restarted(store, clock)
        assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    assert await lamports_of(chain, address(BOB)) == SOL


async def test_it_lands_at_most_once_when_the_commit_is_lost(
    store: FaultyStore, clock: ManualClock, chain: EmbeddedChain
) -> None:
    raw = durable(await nonce_of(chain))
    for failure, fate in (("before", None), ("after", "BlockhashNotFound")):
        store.failing = [failure]
        with pytest.raises(ChainUnavailable):
            await chain.submit(raw)
        await chain.ready()
        assert (await chain.preflight(raw)).error == fate
    assert await lamports_of(chain, address(BOB)) == SOL


async def test_of_two_with_one_nonce_one_lands(chain: EmbeddedChain) -> None:
    nonce = await nonce_of(chain)
    first, second = durable(nonce), durable(nonce, moves(2 * SOL))
    await chain.send(first)
    await chain.send(second)  # Both before anything is committed.
    await chain.settle()
    assert await chain.signature_status(signature_of(second)) is None
    assert await lamports_of(chain, address(BOB)) == SOL


async def test_one_that_fails_has_landed_and_used_its_nonce(chain: EmbeddedChain, clock: ManualClock) -> None:
    """As on a node: what failed once for want of funds must not succeed later."""
    nonce, before = await nonce_of(chain), await lamports_of(chain, address(ALICE))
    raw = durable(nonce, moves(100 * SOL))
    failed = await chain.submit(raw)
    assert failed.error == {"InstructionError": [1, {"Custom": 1}]}
    assert await lamports_of(chain, address(ALICE)) == before - 5_000
    assert await nonce_of(chain) != nonce
    await faucet_of(chain).airdrop(address(ALICE), 1_000 * SOL)
    for _ in range(2):
        assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
        clock.wall += 400 * 200
    assert await lamports_of(chain, address(BOB)) == 0
    assert await lamports_of(chain, address(NONCE)) == RENT


async def test_one_that_failed_is_dead_after_a_restart(
    store: FaultyStore, clock: ManualClock, chain: EmbeddedChain
) -> None:
    raw = durable(await nonce_of(chain), moves(100 * SOL))
    await chain.submit(raw)
    nonce = await nonce_of(chain)
    chain = await restarted(store, clock)
    assert await nonce_of(chain) == nonce
    await faucet_of(chain).airdrop(address(ALICE), 1_000 * SOL)
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"


async def test_one_that_was_never_included_can_land_later(chain: EmbeddedChain) -> None:
    """Its payer has nothing yet, so it pays no fee and uses no nonce."""
    nonce = await nonce_of(chain)
    raw = signed([advances(), moves(SOL)], [MALLORY, ALICE], nonce)
    assert (await chain.submit(raw)).dropped == "AccountNotFound"
    assert await nonce_of(chain) == nonce
    await faucet_of(chain).airdrop(address(MALLORY), SOL)
    assert (await chain.submit(raw)).landed


async def test_no_value_comes_again(store: FaultyStore, clock: ManualClock, chain: EmbeddedChain) -> None:
    """Within one slot, over slots, over restarts and over lost commits."""
    values = [await nonce_of(chain)]
    for turn in range(12):
        if turn % 3 == 1:
            chain = await restarted(store, clock)
        if turn % 3 == 2:
            clock.wall += 400
        assert (await chain.submit(durable(values[-1], moves(turn + 1)))).landed
        values.append(await nonce_of(chain))
    assert len(dict.fromkeys(values)) == len(values)


async def test_an_account_that_is_made_again_has_a_new_value(chain: EmbeddedChain) -> None:
    """In the slot in which the old one was closed, too."""
    old = await nonce_of(chain)
    raw = durable(old)
    close = signed([closes()], [ALICE], (await chain.latest_blockhash()).blockhash)
    assert (await chain.submit(close)).error is None
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    # Another amount of rent, so that it is another transaction.
    creates = create_nonce_account(ALICE.pubkey(), NONCE.pubkey(), ALICE.pubkey(), RENT + 1)
    again = signed(creates, [ALICE, NONCE], (await chain.latest_blockhash()).blockhash)
    assert (await chain.submit(again)).error is None
    assert await nonce_of(chain) != old
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"


async def test_a_nonce_cannot_be_used_and_taken_away_in_one_transaction(chain: EmbeddedChain) -> None:
    nonce = await nonce_of(chain)
    raw = durable(nonce, closes())
    assert (await chain.submit(raw)).error == {"InstructionError": [1, {"Custom": 7}]}
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    assert await nonce_of(chain) != nonce


async def test_a_reset_ends_all_nonces(chain: EmbeddedChain) -> None:
    raw = durable(await nonce_of(chain))
    await chain.reset(replace(GENESIS, entropy=b"n" * 32))
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    assert (await makes_nonce(chain)).error is None
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"


async def test_the_nonce_account_may_pay(chain: EmbeddedChain) -> None:
    """It pays while it keeps its rent, also for what fails."""
    move = transfer(TransferParams(from_pubkey=ALICE.pubkey(), to_pubkey=NONCE.pubkey(), lamports=SOL))
    assert (await chain.submit(signed([move], [ALICE], (await chain.latest_blockhash()).blockhash))).landed
    nonce = await nonce_of(chain)
    raw = signed([advances(), moves(100 * SOL)], [NONCE, ALICE], nonce)
    assert (await chain.submit(raw)).error == {"InstructionError": [1, {"Custom": 1}]}
    assert await lamports_of(chain, address(NONCE)) == RENT + SOL - 10_000
    assert await nonce_of(chain) != nonce
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"


async def test_a_plain_transaction_may_advance_a_nonce(chain: EmbeddedChain) -> None:
    """With a recent blockhash, as an instruction like any other: what fails leaves the nonce as it was."""
    nonce = await nonce_of(chain)
    blockhash = (await chain.latest_blockhash()).blockhash
    failed = await chain.submit(signed([advances(), moves(100 * SOL)], [ALICE], blockhash))
    assert failed.error is not None
    assert await nonce_of(chain) == nonce
    raw = signed([moves(SOL), advances()], [ALICE], blockhash)
    assert (await chain.submit(raw)).error is None
    assert await nonce_of(chain) != nonce
    assert (await chain.submit(raw)).dropped == "AlreadyProcessed"


# What no nonce keeps alive.


def not_writable() -> Instruction:
    told = advances()
    nonce = AccountMeta(NONCE.pubkey(), is_signer=False, is_writable=False)
    return Instruction(told.program_id, told.data, [nonce, *told.accounts[1:]])


@pytest.mark.parametrize(
    "instructions",
    [
        [moves(SOL)],
        [moves(SOL), advances()],
        [advances(authority=MALLORY), moves(SOL)],
        [not_writable(), moves(SOL)],
        [advances(BOB), moves(SOL)],
        [advances(ALICE), moves(SOL)],
        [],
    ],
    ids=["none", "not first", "a stranger", "not writable", "no account", "a wallet", "nothing"],
)
async def test_a_transaction_that_does_not_use_the_nonce_as_it_should(
    chain: EmbeddedChain, instructions: list[Instruction]
) -> None:
    nonce = await nonce_of(chain)
    await faucet_of(chain).airdrop(address(MALLORY), SOL)
    signers = [key for key in (ALICE, MALLORY) if key is ALICE or key.pubkey() in _signers(instructions)]
    raw = signed(instructions, signers, nonce)
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    assert await nonce_of(chain) == nonce
    assert await lamports_of(chain, address(BOB)) == 0


async def test_a_nonce_is_used_by_its_authority_alone(chain: EmbeddedChain) -> None:
    """Who pays and signs is a stranger, who only names the authority."""
    nonce, told = await nonce_of(chain), advances()
    await faucet_of(chain).airdrop(address(MALLORY), 3 * SOL)
    named = AccountMeta(ALICE.pubkey(), is_signer=False, is_writable=False)
    move = transfer(TransferParams(from_pubkey=MALLORY.pubkey(), to_pubkey=BOB.pubkey(), lamports=SOL))
    raw = signed([Instruction(told.program_id, told.data, [*told.accounts[:2], named]), move], [MALLORY], nonce)
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    assert await nonce_of(chain) == nonce


def _signers(instructions: list[Instruction]) -> set[Pubkey]:
    return {meta.pubkey for each in instructions for meta in each.accounts if meta.is_signer}


async def test_a_value_of_another_account_is_none(chain: EmbeddedChain) -> None:
    other = wallet(9)
    assert (await makes_nonce(chain, other)).error is None
    assert (await chain.submit(durable(await nonce_of(chain, other)))).dropped == "BlockhashNotFound"


async def test_an_account_that_is_not_initialized_has_no_nonce(chain: EmbeddedChain) -> None:
    other = wallet(9)
    create, initialize = create_nonce_account(ALICE.pubkey(), other.pubkey(), ALICE.pubkey(), RENT)
    assert initialize == initialize_nonce_account({"nonce_pubkey": other.pubkey(), "authority": ALICE.pubkey()})
    blockhash = (await chain.latest_blockhash()).blockhash
    assert (await chain.submit(signed([create], [ALICE, other], blockhash))).error is None
    zero = signed([advances(other), moves(SOL)], [ALICE], str(Hash.default()))
    assert (await chain.submit(zero)).dropped == "BlockhashNotFound"


async def test_a_legacy_message_may_use_one_too(chain: EmbeddedChain) -> None:
    nonce = await nonce_of(chain)
    message = Message.new_with_blockhash([advances(), moves(SOL)], ALICE.pubkey(), Hash.from_string(nonce))
    signature = ALICE.sign_message(to_bytes_versioned(message))
    raw = bytes(VersionedTransaction.populate(message, [signature]))
    assert (await chain.submit(raw)).landed
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"


async def test_a_wrong_signature_uses_no_nonce(chain: EmbeddedChain) -> None:
    nonce = await nonce_of(chain)
    raw = durable(nonce)
    forged = raw[:40] + bytes([raw[40] ^ 1]) + raw[41:]
    assert (await chain.submit(forged)).dropped == "SignatureFailure"
    assert await nonce_of(chain) == nonce
    assert (await chain.submit(raw)).landed


async def test_a_value_is_no_blockhash(chain: EmbeddedChain) -> None:
    nonce = await nonce_of(chain)
    assert not chain.is_blockhash_valid(nonce)
    assert (await chain.submit(payment(ALICE, address(BOB), SOL, nonce))).dropped == "BlockhashNotFound"
    assert (await chain.submit(await pays(chain, ALICE, address(BOB), SOL))).landed


async def test_a_message_is_in_time_while_its_nonce_is(chain: EmbeddedChain) -> None:
    raw = durable(await nonce_of(chain))
    message = read_transaction(raw).message
    assert await chain.is_in_time(message)
    await chain.submit(raw)
    assert not await chain.is_in_time(message)


def test_values_differ_by_position_and_by_blockhash() -> None:
    assert len({value_at(1, b"a" * 32), value_at(2, b"a" * 32), value_at(1, b"b" * 32)}) == 3
