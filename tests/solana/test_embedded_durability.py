"""What the embedded chain keeps through restarts, lost commits and other writers."""

import asyncio

import pytest

from countermand.solana.embedded import (
    EmbeddedChain,
    Genesis,
    LedgerReplaced,
    LedgerUnavailable,
)
from countermand.solana.ledger_store import LedgerEpoch
from countermand.solana.machine import Machine
from countermand.solana.port import AccountInfo, ChainUnavailable
from countermand.solana.tokens import SYSTEM_PROGRAM, USDC_MINT, associated_token_address
from countermand.solana.upkeep import RELOAD_PAUSE_MS
from tests.gifts import faucet_of
from tests.orders.trigger.stubs import under_virtual_time
from tests.solana.chain_support import (
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
    transaction_of,
    wallet,
)

ALICE, BOB, CAROL = wallet(1), wallet(2), wallet(3)


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def funded(store: FaultyStore, clock: ManualClock) -> EmbeddedChain:
    chain = await open_chain(store, clock)
    await faucet_of(chain).airdrop(address(ALICE), 10 * SOL)
    return chain


async def test_everything_is_there_after_a_restart(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    await faucet_of(chain).mint_to(address(ALICE), USDC_MINT, 7)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    await chain.submit(raw)
    status, story = await chain.signature_status(signature_of(raw)), await transaction_of(chain, signature_of(raw))
    genesis, slot = chain.genesis_hash, chain.slot
    await chain.close()

    other = Genesis(b"x" * 32, b"y" * 32, b"z" * 32)
    chain = await open_chain(store, clock, other)
    assert chain.genesis_hash == genesis, "the ledger's own secrets win"
    assert chain.slot >= slot
    assert await lamports_of(chain, address(BOB)) == SOL
    assert await chain.signature_status(signature_of(raw)) == status
    assert await transaction_of(chain, signature_of(raw)) == story
    ((token, _),) = await chain.token_accounts_by_owner(address(ALICE))
    assert token == associated_token_address(address(ALICE), USDC_MINT)
    await faucet_of(chain).airdrop(address(BOB), SOL)
    await chain.close()


async def test_a_blockhash_from_before_a_restart_still_works(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    await chain.close()
    chain = await open_chain(store, clock)
    assert (await chain.submit(raw)).landed
    await chain.close()


async def test_what_landed_before_a_restart_does_not_land_again(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    await chain.submit(raw)
    await chain.close()
    chain = await open_chain(store, clock)
    assert (await chain.submit(raw)).dropped == "AlreadyProcessed"
    assert (await chain.submit(another_signature(raw, ALICE))).dropped == "AlreadyProcessed"
    assert await lamports_of(chain, address(BOB)) == SOL
    await chain.close()


async def test_no_slot_that_was_told_comes_again_after_a_crash(store: FaultyStore, clock: ManualClock) -> None:
    """Even if the wall clock went back meanwhile: what was dead must stay dead."""
    chain = await funded(store, clock)
    latest = await chain.latest_blockhash()
    raw = payment(ALICE, address(BOB), SOL, latest.blockhash)
    clock.wall += 400 * 155
    height = await chain.finalized_block_height()
    assert height > latest.last_valid_block_height
    clock.wall += 400 * 3
    commits, height = len(store.batches), await chain.finalized_block_height()
    assert len(store.batches) == commits, "it was promised by the last commit"

    clock.wall -= 400 * 1_000
    chain = await open_chain(store, clock)
    assert await chain.finalized_block_height() >= height
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    await chain.close()


async def test_a_blockhash_that_expired_is_dead_after_a_crash(store: FaultyStore, clock: ManualClock) -> None:
    """The skipped slots are stored before the fault is answered, however idle the chain was."""
    chain = await funded(store, clock)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    await chain.expire_blockhashes()
    slot = chain.slot
    chain = await open_chain(store, clock)  # The first one was killed.
    assert chain.slot > slot
    assert (await chain.submit(raw)).dropped == "BlockhashNotFound"
    await chain.close()


async def test_slots_pass_while_the_venue_is_down(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    slot = chain.slot
    await chain.close()
    clock.wall += 400 * 500
    clock.now -= 60_000
    chain = await open_chain(store, clock)
    assert chain.slot == slot + 500
    assert chain.block_time(chain.slot) == 1_700_000_000, "block time does not go back either"
    await chain.close()


async def test_what_is_not_committed_is_not_read(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    heard: list[str] = []
    chain.subscribe(lambda landed: heard.append(landed.signature))
    store.gate.clear()
    await chain.send(raw)
    reads = [
        asyncio.create_task(coroutine)
        for coroutine in (
            chain.accounts([address(BOB)]),
            chain.signature_status(signature_of(raw)),
            transaction_of(chain, signature_of(raw)),
            chain.signatures_for_address(address(BOB)),
            chain.simulate(await pays(chain, ALICE, address(BOB), 2 * SOL)),
            chain.preflight(raw),
            chain.submit(raw),
            chain.program_accounts("11111111111111111111111111111111"),
            chain.token_accounts_by_owner(address(BOB)),
        )
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    assert [read.done() for read in reads] == [False] * len(reads)
    assert heard == []
    store.gate.set()
    for read in reads:
        await read
    assert await lamports_of(chain, address(BOB)) == SOL
    assert heard == [signature_of(raw)]
    await chain.close()


async def test_what_is_queued_meanwhile_is_one_batch(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    raws = [await pays(chain, ALICE, address(BOB), SOL + n) for n in range(5)]
    store.gate.clear()
    store.waiting.clear()
    first = asyncio.create_task(chain.submit(raws[0]))
    await store.waiting.wait()
    others = [asyncio.create_task(chain.submit(raw)) for raw in raws[1:]]
    await asyncio.sleep(0)
    store.gate.set()
    await asyncio.gather(first, *others)
    assert [len(batch.transactions) for batch in store.batches[-2:]] == [1, 4]
    assert len(store.batches[-1].written) == 2, "each account once, as it is at last"
    await chain.close()


async def test_only_what_changed_waits_for_its_commit(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    others = await chain.accounts([address(BOB), SYSTEM_PROGRAM])
    store.gate.clear()
    await chain.send(await pays(chain, ALICE, address(CAROL), SOL))
    read = asyncio.create_task(chain.accounts([address(BOB), address(CAROL)]))
    async with asyncio.timeout(30):
        assert await chain.accounts([address(BOB), SYSTEM_PROGRAM]) == others, "these do not"
    await asyncio.sleep(0)
    assert not read.done(), "one of these does"
    store.gate.set()
    (_, carols) = await read
    assert carols is not None
    assert carols.lamports == SOL
    await chain.close()


async def test_a_failed_commit_is_forgotten_by_the_machine_too(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    store.failing = ["before"]
    store.gate.clear()
    store.waiting.clear()
    submitted = asyncio.create_task(chain.submit(raw))
    await store.waiting.wait()
    queued = asyncio.create_task(chain.submit(await pays(chain, ALICE, address(BOB), 2 * SOL)))
    read = asyncio.create_task(chain.accounts([address(BOB)]))
    await asyncio.sleep(0)
    store.gate.set()
    for waiting in (submitted, queued, read):
        with pytest.raises(ChainUnavailable):
            await waiting
    await chain.ready()
    assert await lamports_of(chain, address(BOB)) == 0
    assert await chain.signature_status(signature_of(raw)) is None
    assert (await chain.submit(raw)).landed, "the same transaction may still land"
    assert await lamports_of(chain, address(BOB)) == SOL
    await faucet_of(chain).airdrop(address(BOB), SOL)
    await chain.close()


async def test_a_commit_whose_answer_was_lost_is_found_when_loading(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    raw = await pays(chain, ALICE, address(BOB), SOL)
    store.failing = ["after"]
    with pytest.raises(ChainUnavailable):
        await chain.submit(raw)
    await chain.ready()
    status = await chain.signature_status(signature_of(raw))
    assert status is not None
    assert status.error is None
    assert (await chain.submit(raw)).dropped == "AlreadyProcessed"
    assert await lamports_of(chain, address(BOB)) == SOL
    await chain.close()


async def test_slots_do_not_go_back_when_the_ledger_is_loaded_again(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    await chain.expire_blockhashes()
    slot = chain.slot
    store.failing = ["before", "before"]
    with pytest.raises(ChainUnavailable):
        await chain.submit(await pays(chain, ALICE, address(BOB), SOL))
    await chain.ready()
    assert chain.slot >= slot
    await chain.close()


async def test_a_replaced_writer_stops_for_good(store: FaultyStore, clock: ManualClock) -> None:
    old = await funded(store, clock)
    raw = await pays(old, ALICE, address(BOB), SOL)
    new = await open_chain(store, clock)
    with pytest.raises(LedgerReplaced):
        await old.submit(raw)
    assert isinstance(await old.stopped(), LedgerReplaced)
    with pytest.raises(LedgerReplaced):
        await old.accounts([address(BOB)])
    assert await lamports_of(new, address(BOB)) == 0
    assert (await new.submit(raw)).landed
    await old.close()
    await new.close()


async def test_a_late_batch_of_an_older_epoch_writes_nothing(store: FaultyStore, clock: ManualClock) -> None:
    """It was on its way when the other writer came."""
    old = await funded(store, clock)
    store.gate.clear()
    store.waiting.clear()
    late = asyncio.create_task(old.submit(await pays(old, ALICE, address(BOB), SOL)))
    await store.waiting.wait()
    new = await open_chain(store, clock)
    store.gate.set()
    with pytest.raises(LedgerReplaced):
        await late
    assert await lamports_of(new, address(BOB)) == 0
    assert (await new.submit(await pays(new, ALICE, address(BOB), 2 * SOL))).landed
    await new.close()
    await old.close()


async def test_a_replaced_writer_cannot_come_back_by_loading_again(store: FaultyStore, clock: ManualClock) -> None:
    old = await funded(store, clock)
    new = await open_chain(store, clock)
    store.failing = ["before"]
    with pytest.raises(ChainUnavailable):
        await old.submit(await pays(old, ALICE, address(BOB), SOL))
    assert isinstance(await old.stopped(), LedgerReplaced)
    assert (await new.submit(await pays(new, ALICE, address(BOB), SOL))).landed
    await old.close()
    await new.close()


async def test_heights_are_promised_before_they_are_told(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)
    store.gate.clear()
    clock.wall += 400 * 100
    asked = asyncio.create_task(chain.finalized_block_height())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not asked.done()
    store.gate.set()
    assert await asked < store.batches[-1].clock.ceiling
    await chain.close()


async def test_a_defect_stops_the_chain_instead_of_hanging_it(store: FaultyStore, clock: ManualClock) -> None:
    chain = await funded(store, clock)

    async def broken(batch: object) -> None:
        raise TypeError("a defect")

    store.commit = broken  # type: ignore[method-assign]
    with pytest.raises(LedgerUnavailable, match="defect"):
        await chain.submit(await pays(chain, ALICE, address(BOB), SOL))
    await chain.stopped()
    await chain.close()


async def test_a_defect_after_an_execution_is_forgotten_by_the_machine_too(
    store: FaultyStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the machine did is in no ledger then: it must not be shown, nor stay, nor happen once more."""
    chain = await funded(store, clock)
    store.gate.clear()
    store.waiting.clear()
    earlier = asyncio.create_task(chain.submit(await pays(chain, ALICE, address(CAROL), SOL)))
    await store.waiting.wait()
    raw = await pays(chain, ALICE, address(BOB), SOL)
    monkeypatch.setattr(Machine, "_renewed", _broken)
    with pytest.raises(TypeError):
        await chain.submit(raw)
    with pytest.raises(ChainUnavailable):
        await chain.submit(raw)
    with pytest.raises(ChainUnavailable):
        await chain.accounts([address(BOB)])
    monkeypatch.undo()
    store.gate.set()
    assert (await earlier).landed, "it was executed before"
    await chain.ready()
    assert await lamports_of(chain, address(BOB)) == 0
    assert await lamports_of(chain, address(CAROL)) == SOL
    assert await chain.signature_status(signature_of(raw)) is None
    assert (await chain.submit(raw)).landed
    assert (await chain.submit(raw)).dropped == "AlreadyProcessed"
    assert await lamports_of(chain, address(BOB)) == SOL
    await chain.close()


async def test_a_defect_while_accounts_are_set_is_forgotten_too(
    store: FaultyStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = await funded(store, clock)
    rich = AccountInfo(SOL, SYSTEM_PROGRAM, b"", executable=False)
    monkeypatch.setattr(Machine, "_index", _broken)
    with pytest.raises(TypeError):
        await chain.put_accounts({address(BOB): rich})
    monkeypatch.undo()
    await chain.ready()
    assert await lamports_of(chain, address(BOB)) == 0
    await chain.put_accounts({address(BOB): rich})
    assert await lamports_of(chain, address(BOB)) == SOL
    await chain.close()


def _broken(*_: object, **__: object) -> None:
    raise TypeError("a defect")


class LostStore(FaultyStore):
    """Fails to begin as many epochs as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = 0

    async def begin_epoch(self, opened: int | None) -> LedgerEpoch:
        if self.losses > 0:
            self.losses -= 1
            raise LedgerUnavailable("the database does not answer")
        return await super().begin_epoch(opened)


@under_virtual_time
async def test_a_store_that_fails_ten_loads_and_recovers_is_loaded_again() -> None:
    """B10: the pauses grow to two seconds and stay there, and the chain never gives up."""
    store, loop = LostStore(), asyncio.get_running_loop()
    chain = await funded(store, ManualClock())
    raw = await pays(chain, ALICE, address(BOB), SOL)
    store.failing, store.losses = ["before"], 10
    began = loop.time()
    with pytest.raises(ChainUnavailable):
        await chain.submit(raw)
    with pytest.raises(LedgerUnavailable, match="loaded again"):
        await chain.accounts([address(BOB)])
    await chain.ready()
    assert store.losses == 0
    assert loop.time() - began == pytest.approx(sum(RELOAD_PAUSE_MS) / 1000 + 4 * RELOAD_PAUSE_MS[-1] / 1000)
    assert (await chain.submit(raw)).landed
    await chain.close()


@under_virtual_time
async def test_a_chain_that_is_replaced_while_it_loads_stops_for_good() -> None:
    store = LostStore()
    chain = await funded(store, ManualClock())
    raw = await pays(chain, ALICE, address(BOB), SOL)
    store.failing, store.losses = ["before"], 3
    with pytest.raises(ChainUnavailable):
        await chain.submit(raw)
    while store.losses:
        await asyncio.sleep(0.01)
    newer = await open_chain(store)
    assert isinstance(await chain.stopped(), LedgerReplaced)
    with pytest.raises(LedgerReplaced):
        await chain.accounts([address(BOB)])
    await newer.close()
    await chain.close()


@pytest.mark.parametrize("passed", range(12))
async def test_no_slot_is_told_before_a_ceiling_above_it_is_stored(
    store: FaultyStore, clock: ManualClock, passed: int
) -> None:
    """B17. A new chain begins at the very ceiling that it was founded with."""
    chain = await open_chain(store, clock)
    for tells in (chain.finalized_block_height, lambda: slot_of(chain)):
        clock.wall += 400 * passed
        told = await tells()
        assert store.batches[-1].clock.ceiling > told
        assert store._clock is not None
        assert store._clock.ceiling > told
    await chain.close()


async def slot_of(chain: EmbeddedChain) -> int:
    """That of the latest blockhash."""
    return (await chain.latest_blockhash()).last_valid_block_height - 150


@pytest.mark.parametrize("told", ["height", "blockhash"])
async def test_nothing_is_told_while_the_ceiling_cannot_be_stored(
    store: FaultyStore, clock: ManualClock, told: str
) -> None:
    chain = await open_chain(store, clock)
    store.gate.clear()
    tells = chain.finalized_block_height() if told == "height" else slot_of(chain)
    telling = asyncio.create_task(tells)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not telling.done()
    store.gate.set()
    await telling
    await chain.close()
