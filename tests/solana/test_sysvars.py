"""What programs see of time is what the RPC tells of it (E1), also after a restart, a reset, an advance and a skip."""

import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from solders.address_lookup_table_account import ID as LOOKUP_PROGRAM
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.epoch_schedule import EpochSchedule
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.slot_history import SlotHistory, SlotHistoryCheck
from solders.system_program import ID as SYSTEM
from solders.system_program import TransferParams, transfer
from solders.sysvar import CLOCK, EPOCH_SCHEDULE, RECENT_BLOCKHASHES, SLOT_HASHES

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.cluster import ClusterMethods
from countermand.solana.ledger import Submitted
from countermand.values.structs import replace
from countermand_simulator.memory_ledger import MemoryLedgerStore
from tests.gifts import faucet_of
from tests.solana.chain_support import (
    GENESIS,
    SOL,
    FaultyStore,
    ManualClock,
    address,
    lamports_of,
    open_chain,
    sign,
    signed,
    wallet,
)

ALICE, BOB = wallet(1), wallet(2)
SLOT_HISTORY = "SysvarS1otHistory11111111111111111111111111"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def chain(clock: ManualClock) -> AsyncIterator[EmbeddedChain]:
    chain = await open_chain(clock=clock)
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    yield chain
    await chain.close()


def table_at(recent_slot: int) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([bytes(ALICE.pubkey()), struct.pack("<Q", recent_slot)], LOOKUP_PROGRAM)


def on_table(table: Pubkey, data: bytes) -> Instruction:
    """Of its authority, who pays."""
    metas = [AccountMeta(table, is_signer=False, is_writable=True)]
    metas += [AccountMeta(ALICE.pubkey(), is_signer=True, is_writable=True) for _ in range(2)]
    return Instruction(LOOKUP_PROGRAM, data, [*metas, AccountMeta(SYSTEM, is_signer=False, is_writable=False)])


async def creates_table(chain: EmbeddedChain, recent_slot: int) -> Submitted:
    table, bump = table_at(recent_slot)
    create = on_table(table, struct.pack("<IQB", 0, recent_slot, bump))
    return await chain.submit(signed([create], [ALICE], (await chain.latest_blockhash()).blockhash))


async def extends_table(chain: EmbeddedChain, table: Pubkey, *addresses: Pubkey) -> Submitted:
    data = struct.pack("<IQ", 2, len(addresses)) + b"".join(map(bytes, addresses))
    return await chain.submit(signed([on_table(table, data)], [ALICE], (await chain.latest_blockhash()).blockhash))


async def pays_through(chain: EmbeddedChain, table: Pubkey, to: Pubkey) -> Submitted:
    move = transfer(TransferParams(from_pubkey=ALICE.pubkey(), to_pubkey=to, lamports=SOL))
    tables = [AddressLookupTableAccount(table, [to])]
    blockhash = Hash.from_string((await chain.latest_blockhash()).blockhash)
    message = MessageV0.try_compile(ALICE.pubkey(), [move], tables, blockhash)
    assert message.address_table_lookups
    return await chain.submit(sign(message, [ALICE]))


async def nothing(chain: EmbeddedChain, clock: ManualClock) -> None:
    """The slot is as young as the chain."""


async def a_skip(chain: EmbeddedChain, clock: ManualClock) -> None:
    await chain.expire_blockhashes()


async def an_advance(chain: EmbeddedChain, clock: ManualClock) -> None:
    clock.now += 3_600_000


async def a_reset(chain: EmbeddedChain, clock: ManualClock) -> None:
    await chain.reset(replace(GENESIS, entropy=b"n" * 32))
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)


async def a_pause(chain: EmbeddedChain, clock: ManualClock) -> None:
    clock.wall += 400 * 1_000


@pytest.mark.parametrize("back", [0, 1, 31, 150, 500])
@pytest.mark.parametrize("comes", [nothing, a_skip, an_advance, a_reset, a_pause])
async def test_a_lookup_table_of_a_slot_that_was_told(
    chain: EmbeddedChain, clock: ManualClock, comes: Callable[[EmbeddedChain, ManualClock], Awaitable[None]], back: int
) -> None:
    """E1. The slot may be some minutes old, as long as it is among the last 512."""
    await comes(chain, clock)
    slot = await chain.finalized_block_height() - back
    assert (await creates_table(chain, slot)).error is None


@pytest.mark.parametrize("comes", [a_skip, an_advance])
async def test_a_lookup_table_of_a_slot_that_was_told_before(
    chain: EmbeddedChain, clock: ManualClock, comes: Callable[[EmbeddedChain, ManualClock], Awaitable[None]]
) -> None:
    slot = await chain.finalized_block_height()
    await comes(chain, clock)
    assert (await creates_table(chain, slot)).error is None


@pytest.mark.parametrize("back", [-1, 512, 10_000_000])
async def test_a_lookup_table_of_a_slot_that_is_not_recent(chain: EmbeddedChain, clock: ManualClock, back: int) -> None:
    clock.wall += 400 * 1_000
    slot = max(await chain.finalized_block_height() - back, 0)
    assert (await creates_table(chain, slot)).error == {"InstructionError": [0, "InvalidInstructionData"]}


async def test_a_lookup_table_after_a_restart(clock: ManualClock) -> None:
    store = FaultyStore()
    chain = await open_chain(store, clock)
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    told = await chain.finalized_block_height()
    chain = await open_chain(store, clock)  # The first one was killed.
    assert (await creates_table(chain, told)).error is None
    assert (await creates_table(chain, await chain.finalized_block_height())).error is None
    await chain.close()


async def test_a_lookup_table_is_used_a_slot_after_it_was_extended(chain: EmbeddedChain, clock: ManualClock) -> None:
    slot = await chain.finalized_block_height()
    table, _ = table_at(slot)
    assert (await creates_table(chain, slot)).error is None
    assert (await extends_table(chain, table, BOB.pubkey())).error is None
    early = await pays_through(chain, table, BOB.pubkey())
    assert early.dropped == "InvalidAddressLookupTableIndex", "its addresses count from the next slot on"
    clock.wall += 400
    assert (await pays_through(chain, table, BOB.pubkey())).error is None
    assert await lamports_of(chain, address(BOB)) == SOL


# The sysvars as accounts.


class Seen:
    """The chain through its RPC, and its sysvars as that shows them."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain

    async def sysvar(self, key: object) -> bytes:
        (info,) = await self._chain.accounts([str(key)])
        assert info is not None
        return info.data

    async def clock(self) -> tuple[int, int, int]:
        """Slot, epoch, time."""
        slot, _, epoch, _, unix_time = struct.unpack("<QqQQq", await self.sysvar(CLOCK))
        return slot, epoch, unix_time

    async def slot_hashes(self) -> dict[int, str]:
        data = await self.sysvar(SLOT_HASHES)
        count = int.from_bytes(data[:8], "little")
        entries = [data[8 + 40 * i : 48 + 40 * i] for i in range(count)]
        return {int.from_bytes(entry[:8], "little"): str(Hash(entry[8:])) for entry in entries}

    async def recent_blockhashes(self) -> list[str]:
        data = await self.sysvar(RECENT_BLOCKHASHES)
        count = int.from_bytes(data[:8], "little")
        assert len(data) == 8 + 40 * count
        return [str(Hash(data[8 + 40 * i : 40 + 40 * i])) for i in range(count)]


@pytest.mark.parametrize("comes", [nothing, a_skip, an_advance, a_reset, a_pause])
async def test_the_sysvars_say_what_the_rpc_says(
    chain: EmbeddedChain, clock: ManualClock, comes: Callable[[EmbeddedChain, ManualClock], Awaitable[None]]
) -> None:
    """Although no transaction came since: they are as of now."""
    await comes(chain, clock)
    seen, slot = Seen(chain), await chain.finalized_block_height()
    latest = (await chain.latest_blockhash()).blockhash
    assert await seen.clock() == (slot, 0, chain.block_time(slot))
    hashes, recent = await seen.slot_hashes(), await seen.recent_blockhashes()
    assert list(hashes) == list(range(slot, slot - 512, -1))
    assert hashes[slot] == recent[0] == latest
    assert len(recent) == 150
    assert all(chain.is_blockhash_valid(each) for each in recent)
    history = SlotHistory.from_bytes(await seen.sysvar(SLOT_HISTORY))
    assert (history.newest(), history.oldest()) == (slot, 0)
    assert all(history.check(each) == SlotHistoryCheck.Found for each in (0, 1, 64, slot - 1, slot))
    assert history.check(slot + 1) == SlotHistoryCheck.Future


async def test_all_sysvars_of_their_owner_are_as_of_now(chain: EmbeddedChain, clock: ManualClock) -> None:
    before = dict(await chain.program_accounts("Sysvar1111111111111111111111111111111111111"))
    clock.now += 3_600_000
    clock.wall += 400
    after = dict(await chain.program_accounts("Sysvar1111111111111111111111111111111111111"))
    changed = {key for key, info in after.items() if info != before[key]}
    assert changed == {str(key) for key in (CLOCK, SLOT_HASHES, RECENT_BLOCKHASHES, SLOT_HISTORY)}


async def test_no_slot_is_told_by_a_sysvar_before_it_is_stored(clock: ManualClock) -> None:
    store = FaultyStore()
    chain = await open_chain(store, clock)
    clock.wall += 400 * 500
    told, _, _ = await Seen(chain).clock()
    clock.wall -= 400 * 500
    chain = await open_chain(store, clock)  # Killed, and its clock was set back.
    assert await chain.finalized_block_height() > told
    await chain.close()


async def test_the_schedule_of_epochs_is_the_one_that_is_told(chain: EmbeddedChain) -> None:
    schedule = EpochSchedule.from_bytes(await Seen(chain).sysvar(EPOCH_SCHEDULE))
    told = await ClusterMethods(chain).get_epoch_schedule()
    assert told == {
        "slotsPerEpoch": schedule.slots_per_epoch,
        "leaderScheduleSlotOffset": schedule.leader_schedule_slot_offset,
        "warmup": schedule.warmup,
        "firstNormalEpoch": schedule.first_normal_epoch,
        "firstNormalSlot": schedule.first_normal_slot,
    }


async def test_a_chain_that_is_older_than_its_slot_history(clock: ManualClock) -> None:
    genesis = replace(GENESIS, first_slot=300_000_000)
    chain = await open_chain(MemoryLedgerStore(), clock, genesis)
    clock.wall += 400 * 3
    history = SlotHistory.from_bytes(await Seen(chain).sysvar(SLOT_HISTORY))
    slot = await chain.finalized_block_height()
    assert (history.newest(), history.oldest()) == (slot, slot + 1 - 1024 * 1024)
    assert history.check(slot) == history.check(history.oldest()) == SlotHistoryCheck.Found
    assert await Seen(chain).clock() == (slot, slot // 432_000, chain.block_time(slot))
    await chain.close()
