"""What every adapter of the chain's port must do.

An adapter joins with a fixture of its own, named in `subject`: it gives the chain, a payer who has ten SOL, and how to
let blockhashes die.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

import asyncpg
import pytest
from msgspec import Struct, field
from solders.address_lookup_table_account import ID as LOOKUP_PROGRAM
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.ledger_store import LedgerStore
from countermand.solana.port import (
    TRANSACTIONS_MAX,
    Chain,
    ChainRecords,
    ChainUnavailable,
    LandedSignature,
    LatestBlockhash,
    SignatureStatus,
)
from countermand.solana.programs.accounts import create_associated
from countermand.solana.rpc import RpcChain
from countermand.solana.tokens import (
    MEMO_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    USDC_MINT,
    associated_token_address,
)
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.values.structs import replace
from countermand_simulator.memory_ledger import MemoryLedgerStore
from tests.end_to_end.venue import SOL as SOL_TOKEN
from tests.end_to_end.venue import USDC, Venue, running_venue
from tests.gifts import faucet_of
from tests.solana.chain_support import (
    SOL,
    address,
    another_signature,
    lamports_of,
    mint_to,
    open_chain,
    payment,
    pays,
    sign,
    signature_of,
    signed,
    token_transfer,
    transaction_of,
)
from tests.surfpool.surfnet import (
    BLOCKHASH_BLOCKS,
    FINAL_BLOCKS,
    MINT_AUTHORITY,
    NOT_HEARD,
    QUIRKS,
    Surfnet,
    running_surfnet,
)


class WholeChain(Chain, ChainRecords, Protocol):
    """Both parts of the port."""


class Subject(Struct):
    """The wallets are new for each test, since a chain may be old."""

    chain: WholeChain
    expire_blockhashes: Callable[[], Awaitable[None]]
    settle: Callable[[], Awaitable[None]]
    """Returns when what was sent has landed, or never will under its blockhash's life."""
    gives: Callable[[str, int], Awaitable[None]]
    """Millionths of USDC, to a wallet's associated account."""
    payer: Keypair = field(default_factory=Keypair)
    friend: Keypair = field(default_factory=Keypair)
    stranger: Keypair = field(default_factory=Keypair)


@asynccontextmanager
async def _embedded(store: LedgerStore) -> AsyncIterator[Subject]:
    chain: EmbeddedChain = await open_chain(store)

    async def expire() -> None:
        await chain.expire_blockhashes()

    async def give(wallet: str, amount: int) -> None:
        await faucet_of(chain).mint_to(wallet, USDC_MINT, amount)

    subject = Subject(chain, expire, chain.settle, give)
    await faucet_of(chain).airdrop(address(subject.payer), 10 * SOL)
    yield subject
    await chain.close()


@pytest.fixture
async def embedded_in_memory() -> AsyncIterator[Subject]:
    async with _embedded(MemoryLedgerStore()) as subject:
        yield subject


class SkippedSlots:
    """A chain as clusters are: so many of its slots have no block, and its heights are below its slots (E8)."""

    MANY = 700

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    async def latest_blockhash(self) -> LatestBlockhash:
        latest = await self._chain.latest_blockhash()
        return replace(latest, last_valid_block_height=latest.last_valid_block_height - self.MANY)

    async def finalized_block_height(self) -> int:
        return await self._chain.finalized_block_height() - self.MANY


@pytest.fixture
async def with_skipped_slots() -> AsyncIterator[Subject]:
    async with _embedded(MemoryLedgerStore()) as subject:
        yield replace(subject, chain=cast(WholeChain, SkippedSlots(cast(EmbeddedChain, subject.chain))))


@pytest.fixture
async def embedded_in_postgres(database_url: str) -> AsyncIterator[Subject]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=3) as pool:
        store = PostgresLedgerStore(database_url, pool)
        async with _embedded(store) as subject:
            yield subject
        await store.close()


@pytest.fixture(scope="module")
def another_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """Another process, whose `/rpc` is the node."""
    with running_venue(tmp_path_factory.mktemp("node")) as venue:
        yield venue


@pytest.fixture
async def rpc(another_venue: Venue) -> AsyncIterator[Subject]:
    chain = RpcChain(f"{another_venue.url}/rpc")

    async def expire() -> None:
        another_venue.faults(expireBlockhashes=True)

    async def settle() -> None:
        another_venue.settles()

    async def give(wallet: str, amount: int) -> None:
        another_venue.gives(wallet, amount / 10**6 * USDC)

    subject = Subject(chain, expire, settle, give)
    another_venue.gives(address(subject.payer), 10 * SOL_TOKEN)
    yield subject
    await chain.close()


@pytest.fixture(scope="module")
def another_node() -> Iterator[Surfnet]:
    """One of another make."""
    with running_surfnet() as surfnet:
        yield surfnet


@pytest.fixture
async def surfpool(another_node: Surfnet, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    test = request.function.__name__
    if test in NOT_HEARD:
        pytest.xfail(f"Surfpool: {NOT_HEARD[test]}")
    if test in QUIRKS:
        request.applymarker(pytest.mark.xfail(reason=f"Surfpool: {QUIRKS[test]}", strict=True))
    chain = RpcChain(another_node.url, ws_url=another_node.ws_url)

    async def expire() -> None:
        await asyncio.to_thread(another_node.passes, BLOCKHASH_BLOCKS)

    async def settle() -> None:
        await asyncio.to_thread(another_node.passes, FINAL_BLOCKS)

    async def give(wallet: str, amount: int) -> None:
        authority = str(MINT_AUTHORITY.pubkey())
        made = create_associated(authority, wallet, USDC_MINT)
        mint = mint_to(associated_token_address(wallet, USDC_MINT), USDC_MINT, authority, amount)
        await chain.send(signed([made, mint], [MINT_AUTHORITY], (await chain.latest_blockhash()).blockhash))
        await settle()

    subject = Subject(chain, expire, settle, give)
    for rich in (subject.payer, MINT_AUTHORITY):
        another_node.sets_account(address(rich), 10 * SOL, SYSTEM_PROGRAM, b"")
    yield subject
    await chain.close()


@pytest.fixture(params=["embedded_in_memory", "with_skipped_slots", "embedded_in_postgres", "rpc", "surfpool"])
def subject(request: pytest.FixtureRequest) -> Subject:
    made: Subject = request.getfixturevalue(request.param)
    return made


async def sends(subject: Subject, raw: bytes) -> SignatureStatus | None:
    await subject.chain.send(raw)
    await subject.settle()
    return await subject.chain.signature_status(signature_of(raw))


async def test_what_is_sent_lands(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(subject.friend), SOL)
    height = await subject.chain.finalized_block_height()
    status = await sends(subject, raw)
    assert status is not None
    assert (status.finalized, status.error) == (True, None)
    # Not every slot has a block, so a height is at most its slot (E8). What landed since is in a later slot.
    assert height <= status.slot
    assert height <= await subject.chain.finalized_block_height()
    assert await lamports_of(subject.chain, address(subject.friend)) == SOL


async def test_sending_twice_pays_once(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(subject.friend), SOL)
    first = await sends(subject, raw)
    assert await sends(subject, raw) == first
    assert await lamports_of(subject.chain, address(subject.friend)) == SOL


async def test_two_valid_signatures_of_one_message_pay_once(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(subject.friend), SOL)
    await sends(subject, raw)
    assert await sends(subject, another_signature(raw, subject.payer)) is None
    assert await lamports_of(subject.chain, address(subject.friend)) == SOL


async def test_what_errs_on_chain_has_landed(subject: Subject) -> None:
    before = await lamports_of(subject.chain, address(subject.payer))
    raw = await pays(subject.chain, subject.payer, address(subject.friend), 10**15)
    status = await sends(subject, raw)
    assert status is not None
    assert (status.finalized, status.error) == (True, {"InstructionError": [0, {"Custom": 1}]})
    assert await lamports_of(subject.chain, address(subject.payer)) == before - 5_000


async def test_what_a_node_drops_is_dropped_without_a_word(subject: Subject) -> None:
    chain = subject.chain
    good = await pays(chain, subject.payer, address(subject.friend), SOL)
    for raw in (
        payment(subject.payer, address(subject.friend), SOL, str(Hash.default())),
        await pays(chain, subject.stranger, address(subject.friend), SOL),
        good[:1] + bytes(64) + good[65:],
        good[:40] + bytes([good[40] ^ 1]) + good[41:],
    ):
        await chain.send(raw)
        await subject.settle()
        assert await chain.signature_status(signature_of(raw)) is None
    assert await lamports_of(chain, address(subject.friend)) == 0
    assert await sends(subject, good) is not None


async def test_a_dead_blockhash_lands_nothing(subject: Subject) -> None:
    chain = subject.chain
    latest = await chain.latest_blockhash()
    raw = payment(subject.payer, address(subject.friend), SOL, latest.blockhash)
    assert await chain.finalized_block_height() <= latest.last_valid_block_height
    await subject.expire_blockhashes()
    assert await chain.finalized_block_height() > latest.last_valid_block_height
    assert await sends(subject, raw) is None
    simulated = await chain.simulate(raw)
    assert simulated.error == "BlockhashNotFound"


async def test_a_simulation_looks_at_the_blockhash_and_not_at_signatures(subject: Subject) -> None:
    chain = subject.chain
    raw = await pays(chain, subject.payer, address(subject.friend), SOL)
    simulated = await chain.simulate(raw[:1] + bytes(64) + raw[65:])
    assert (simulated.error, simulated.units_consumed) == (None, 150)
    assert simulated.logs == (f"Program {SYSTEM_PROGRAM} invoke [1]", f"Program {SYSTEM_PROGRAM} success")
    too_much = await chain.simulate(await pays(chain, subject.payer, address(subject.friend), 10**15))
    assert too_much.error == {"InstructionError": [0, {"Custom": 1}]}
    assert await lamports_of(chain, address(subject.friend)) == 0


async def test_accounts_come_in_the_order_of_the_question(subject: Subject) -> None:
    asked = [address(subject.stranger), address(subject.payer), address(subject.stranger), SYSTEM_PROGRAM]
    stranger, payer, again, program = await subject.chain.accounts(asked)
    assert stranger is again is None
    assert payer is not None
    assert program is not None
    assert (payer.owner, payer.data, payer.executable) == (SYSTEM_PROGRAM, b"", False)
    assert program.executable
    assert await subject.chain.accounts([]) == []


async def test_an_unknown_signature_has_no_status(subject: Subject) -> None:
    never_sent = await pays(subject.chain, subject.payer, address(subject.friend), SOL)
    assert await subject.chain.signature_status(signature_of(never_sent)) is None


# What the chain holds and remembers.


async def holders(subject: Subject, *amounts: int) -> list[str]:
    """The token accounts of payer and friend, with so much in each."""
    wallets = [address(subject.payer), address(subject.friend)]
    for wallet, amount in zip(wallets, amounts, strict=True):
        await subject.gives(wallet, amount)
    return [associated_token_address(wallet, USDC_MINT) for wallet in wallets]


async def test_accounts_of_a_program_are_found_by_what_is_in_them(subject: Subject) -> None:
    mine, _ = await holders(subject, 7, 8)
    owner, mint = bytes(subject.payer.pubkey()), bytes(Pubkey.from_string(USDC_MINT))
    ((found, info),) = await subject.chain.program_accounts(TOKEN_PROGRAM, data_size=165, memcmp=[(32, owner)])
    assert (found, info.owner, len(info.data), info.data[64:72]) == (mine, TOKEN_PROGRAM, 165, b"\7" + bytes(7))
    assert [info] == await subject.chain.accounts([mine])
    for memcmp in ([(0, mint), (32, owner)], [(0, mint + owner)], [(32, owner), (64, b"\7")]):
        assert await subject.chain.program_accounts(TOKEN_PROGRAM, memcmp=memcmp) == [(found, info)]
    for size, other in ((82, [(32, owner)]), (165, [(32, owner), (64, b"\10")]), (165, [(160, owner)])):
        assert await subject.chain.program_accounts(TOKEN_PROGRAM, data_size=size, memcmp=other) == []
    assert await subject.chain.program_accounts(address(subject.stranger)) == []


async def test_accounts_of_a_program_come_in_the_order_of_their_keys(subject: Subject) -> None:
    accounts = await holders(subject, 7, 8)
    found = [key for key, _ in await subject.chain.program_accounts(TOKEN_PROGRAM, data_size=165)]
    assert [key for key in found if key in accounts] == sorted(accounts, key=lambda key: bytes(Pubkey.from_string(key)))
    assert found == sorted(found, key=lambda key: bytes(Pubkey.from_string(key)))


async def test_filters_that_a_node_would_refuse_are_refused(subject: Subject) -> None:
    for memcmp in ([(0, b"x")] * 5, [(0, bytes(129))], [(0, b"")]):
        with pytest.raises(ValueError, match=r"max|to compare"):
            await subject.chain.program_accounts(TOKEN_PROGRAM, memcmp=memcmp)


async def test_what_landed_is_told_with_all_that_happened(subject: Subject) -> None:
    source, to = await holders(subject, 7, 8)
    chain, payer, friend = subject.chain, subject.payer, subject.friend
    move = token_transfer(source, to, address(payer), 5)
    raw = signed([move], [payer], (await chain.latest_blockhash()).blockhash)
    status = await sends(subject, raw)
    assert status is not None
    told = await transaction_of(chain, signature_of(raw))
    assert told is not None
    assert (told.signature, told.slot, told.raw, told.error) == (signature_of(raw), status.slot, raw, None)
    assert (told.fee, told.block_time > 1_600_000_000, told.units_consumed > 0) == (5_000, True, True)
    assert told.logs[0] == f"Program {TOKEN_PROGRAM} invoke [1]"
    assert told.pre_balances[0] - told.post_balances[0] == 5_000
    before = {(balance.owner, balance.amount) for balance in told.pre_token_balances}
    after = {(balance.owner, balance.amount) for balance in told.post_token_balances}
    assert before == {(address(payer), 7), (address(friend), 8)}
    assert after == {(address(payer), 2), (address(friend), 13)}
    assert {(b.mint, b.program, b.decimals) for b in told.pre_token_balances} == {(USDC_MINT, TOKEN_PROGRAM, 6)}
    assert (told.inner_instructions, told.return_data) == ((), None)
    assert told.loaded_writable == told.loaded_readonly == ()


async def test_what_a_program_called_is_told(subject: Subject) -> None:
    """Wallets without a token account get one: the associated token program calls two others for it."""
    await subject.gives(address(subject.friend), 1)
    (made,) = await subject.chain.signatures_for_address(associated_token_address(address(subject.friend), USDC_MINT))
    told = await transaction_of(subject.chain, made.signature)
    assert told is not None
    (calls,) = told.inner_instructions
    assert len(calls.instructions) >= 3
    assert {call.stack_height for call in calls.instructions} == {2}
    # InitializeAccount3 with the wallet as its owner.
    assert calls.instructions[-1].data == b"\x12" + bytes(subject.friend.pubkey())


async def test_what_erred_is_told_with_its_error(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(subject.friend), 10**15)
    await sends(subject, raw)
    told = await transaction_of(subject.chain, signature_of(raw))
    assert told is not None
    assert told.error == {"InstructionError": [0, {"Custom": 1}]}
    assert await transaction_of(subject.chain, str(signature_of(b"\1" + bytes(range(64))))) is None


async def test_transactions_come_in_the_order_of_the_question(subject: Subject) -> None:
    sent = []
    for lamports in (SOL, SOL + 1):
        raw = await pays(subject.chain, subject.payer, address(subject.friend), lamports)
        await sends(subject, raw)
        sent.append(raw)
    first, second = map(signature_of, sent)
    unknown = signature_of(await pays(subject.chain, subject.payer, address(subject.friend), 1))
    told = await subject.chain.transactions([second, unknown, first, second])
    assert [landed and landed.raw for landed in told] == [sent[1], None, sent[0], sent[1]]
    assert await subject.chain.transactions([]) == []
    with pytest.raises(ValueError, match="101 signatures"):
        await subject.chain.transactions([first] * 101)


async def test_as_many_transactions_as_may_be_asked_for_are_told(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(subject.friend), SOL)
    await sends(subject, raw)
    told = await subject.chain.transactions([signature_of(raw)] * TRANSACTIONS_MAX)
    assert [landed and landed.raw for landed in told] == [raw] * TRANSACTIONS_MAX


async def test_the_history_of_an_address_is_told_newest_first(subject: Subject) -> None:
    chain, friend = subject.chain, address(subject.friend)
    sent = []
    for lamports in (SOL, SOL + 1, 10**15):
        raw = await pays(chain, subject.payer, friend, lamports)
        await sends(subject, raw)
        sent.append(signature_of(raw))
    first, second, third = sent
    history = await chain.signatures_for_address(friend)
    assert [entry.signature for entry in history] == [third, second, first]
    assert [entry.error for entry in history] == [{"InstructionError": [0, {"Custom": 1}]}, None, None]
    told = await transaction_of(chain, third)
    assert told is not None
    assert (history[0].slot, history[0].block_time) == (told.slot, told.block_time)

    async def among(limit: int = 1_000, before: str | None = None, until: str | None = None) -> list[str]:
        found = await chain.signatures_for_address(friend, limit=limit, before=before, until=until)
        return [entry.signature for entry in found]

    assert await among(limit=2) == [third, second]
    assert await among(before=third) == [second, first]
    assert await among(until=first) == [third, second]
    assert await among(before=third, until=first) == [second]
    unknown = signature_of(await pays(chain, subject.payer, friend, 1))
    assert await among(before=unknown) == []
    assert await among(until=unknown) == [third, second, first]
    assert await chain.signatures_for_address(address(subject.stranger)) == []
    assert await chain.newest_final(friend) == third
    assert await chain.newest_final(address(subject.stranger)) is None


async def test_the_memo_of_a_transaction_is_told_in_its_history(subject: Subject) -> None:
    """E4."""
    memos = [Instruction(Pubkey.from_string(MEMO_PROGRAM), text, []) for text in (b"hello world", b"and more")]
    move = transfer(TransferParams(from_pubkey=subject.payer.pubkey(), to_pubkey=subject.friend.pubkey(), lamports=SOL))
    for instructions in ([move, *memos], [move]):
        await sends(subject, signed(instructions, [subject.payer], (await subject.chain.latest_blockhash()).blockhash))
    history = await subject.chain.signatures_for_address(address(subject.friend))
    assert [entry.memo for entry in history] == [None, "[11] hello world; [8] and more"]


# What is told when it lands.


async def told(feed: AsyncIterator[LandedSignature], many: int) -> list[LandedSignature]:
    async with asyncio.timeout(30):
        return [await anext(feed) for _ in range(many)]


async def lands(subject: Subject, *lamports: int, to: Keypair | None = None) -> list[str]:
    """The signatures of payments to the friend, or to another, one after the other."""
    sent = []
    for amount in lamports:
        raw = await pays(subject.chain, subject.payer, address(to or subject.friend), amount)
        assert await sends(subject, raw) is not None
        sent.append(signature_of(raw))
    return sent


async def test_what_lands_is_told_in_order_with_and_without_success(subject: Subject) -> None:
    friend = address(subject.friend)
    async with subject.chain.landings([friend]) as feed:
        sent = await lands(subject, SOL, 10**15, SOL + 1)
        heard = await told(feed, 3)
    assert [each.signature for each in heard] == sent
    assert [each.error for each in heard] == [None, {"InstructionError": [0, {"Custom": 1}]}, None]
    assert [(each.slot, each.position) for each in heard] == sorted({(each.slot, each.position) for each in heard})
    history = await subject.chain.signatures_for_address(friend)
    assert [(each.signature, each.slot, each.error, each.block_time) for each in reversed(history)] == [
        (each.signature, each.slot, each.error, each.block_time) for each in heard
    ]


async def test_only_what_mentions_an_address_is_told_and_once(subject: Subject) -> None:
    listened = [address(subject.friend), address(subject.stranger), address(subject.friend)]
    async with subject.chain.landings(listened) as feed:
        await lands(subject, SOL, to=Keypair())
        first = await lands(subject, SOL)
        second = await lands(subject, SOL, to=subject.stranger)
        blockhash = (await subject.chain.latest_blockhash()).blockhash
        moves = [
            transfer(TransferParams(from_pubkey=subject.payer.pubkey(), to_pubkey=to.pubkey(), lamports=SOL))
            for to in (subject.friend, subject.stranger)
        ]
        both = signed(moves, [subject.payer], blockhash)
        await sends(subject, both)
        await lands(subject, SOL + 2, to=Keypair())
        last = await lands(subject, SOL + 3)
        heard = await told(feed, 4)
    assert [each.signature for each in heard] == [*first, *second, signature_of(both), *last]


async def test_a_reader_that_begins_and_then_lists_has_no_gap(subject: Subject) -> None:
    """It may begin at any point, and meets again no more than what landed since it began."""
    friend, before = address(subject.friend), await lands(subject, SOL)
    async with subject.chain.landings([friend]) as feed:
        between = await lands(subject, SOL + 1, SOL + 2)
        listed = [each.signature for each in await subject.chain.signatures_for_address(friend)]
        after = await lands(subject, SOL + 3)
        heard: list[str] = []
        while after[0] not in heard:
            heard += [each.signature for each in await told(feed, 1)]
    assert listed[::-1] == before + between
    assert heard in (between + after, before + between + after)


async def test_what_a_lookup_table_adds_is_mentioned_too(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node's push too must say so."""
    monkeypatch.setattr("countermand.solana.rpc.chain.UNCALLED_LOOK_MS", 10**6)
    (warm_up,) = await lands(subject, SOL)
    known = await subject.chain.signature_status(warm_up)
    assert known is not None
    await subject.expire_blockhashes()
    table = await makes_table(subject, known.slot, subject.friend.pubkey())
    await subject.expire_blockhashes()
    to = subject.friend.pubkey()
    move = transfer(TransferParams(from_pubkey=subject.payer.pubkey(), to_pubkey=to, lamports=SOL))
    blockhash = Hash.from_string((await subject.chain.latest_blockhash()).blockhash)
    tables = [AddressLookupTableAccount(table, [to])]
    raw = sign(MessageV0.try_compile(subject.payer.pubkey(), [move], tables, blockhash), [subject.payer])
    assert bytes(to) not in raw
    async with subject.chain.landings([str(to)]) as feed:
        await sends(subject, raw)
        assert [each.signature for each in await told(feed, 1)] == [signature_of(raw)]


async def makes_table(subject: Subject, slot: int, holds: Pubkey) -> Pubkey:
    payer = subject.payer.pubkey()
    table, bump = Pubkey.find_program_address([bytes(payer), slot.to_bytes(8, "little")], LOOKUP_PROGRAM)
    metas = [
        AccountMeta(table, is_signer=False, is_writable=True),
        *(AccountMeta(payer, is_signer=True, is_writable=True) for _ in range(2)),
        AccountMeta(Pubkey.from_string(SYSTEM_PROGRAM), is_signer=False, is_writable=False),
    ]
    does = [
        Instruction(LOOKUP_PROGRAM, struct.pack("<IQB", 0, slot, bump), metas),
        Instruction(LOOKUP_PROGRAM, struct.pack("<IQ", 2, 1) + bytes(holds), metas),
    ]
    made = await sends(subject, signed(does, [subject.payer], (await subject.chain.latest_blockhash()).blockhash))
    assert made is not None
    assert made.error is None
    return table


async def test_a_subscription_that_cannot_be_is_refused(subject: Subject) -> None:
    for asked in ([], [SYSTEM_PROGRAM] * 101, ["no address"]):
        with pytest.raises(ValueError):
            await subject.chain.landings(asked).__aenter__()


async def test_a_subscription_ends_with_its_node_and_begins_anew(
    rpc: Subject, another_venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countermand.solana.rpc.chain.UNCALLED_LOOK_MS", 200)
    friend = address(rpc.friend)
    async with rpc.chain.landings([friend]) as feed:
        first = await lands(rpc, SOL)
        assert [each.signature for each in await told(feed, 1)] == first
        another_venue.faults(rpcDown=True)
        with pytest.raises(ChainUnavailable):
            await told(feed, 1)
        with pytest.raises(ChainUnavailable):
            await rpc.chain.landings([friend]).__aenter__()
    another_venue.faults()
    missed = await lands(rpc, SOL + 1)
    async with rpc.chain.landings([friend]) as feed:
        caught_up = [each.signature for each in await rpc.chain.signatures_for_address(friend, until=first[0])]
        assert caught_up == missed


async def test_a_node_that_pushes_is_not_asked_in_vain(rpc: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue serves its WebSocket on the next port, where clients look for it."""
    monkeypatch.setattr("countermand.solana.rpc.chain.UNCALLED_LOOK_MS", 10**6)
    async with rpc.chain.landings([address(rpc.friend)]) as feed:
        sent = await lands(rpc, SOL)
        assert [each.signature for each in await told(feed, 1)] == sent


async def test_recent_fees_are_whole_numbers(subject: Subject) -> None:
    fees = await subject.chain.recent_prioritization_fees([address(subject.payer)])
    assert all(fee >= 0 for fee in fees)
    assert await subject.chain.recent_prioritization_fees([]) is not None


async def test_what_cannot_be_read_is_refused(subject: Subject) -> None:
    """By both in the same way, and before another node is asked."""
    chain = subject.chain
    for asked in (
        chain.accounts(["no address"]),
        chain.signature_status("no signature"),
        transaction_of(chain, "no signature"),
        chain.signatures_for_address("no address"),
        chain.signatures_for_address(address(subject.payer), before="no signature"),
        chain.program_accounts("no address"),
        chain.recent_prioritization_fees(["no address"]),
        chain.send(b"no transaction"),
        chain.simulate(b"no transaction"),
    ):
        with pytest.raises(ValueError):
            await asked


async def test_a_node_that_is_down_is_unavailable_until_it_is_back(rpc: Subject, another_venue: Venue) -> None:
    raw = await pays(rpc.chain, rpc.payer, address(rpc.friend), SOL)
    another_venue.faults(rpcDown=True)
    for asked in (
        rpc.chain.finalized_block_height(),
        rpc.chain.signature_status(signature_of(raw)),
        rpc.chain.accounts([address(rpc.payer)]),
        rpc.chain.program_accounts(TOKEN_PROGRAM),
        rpc.chain.send(raw),
    ):
        with pytest.raises(ChainUnavailable, match="HTTP status 503: 'Node is unhealthy"):
            await asked
    another_venue.faults()
    assert await sends(rpc, raw) is not None


async def test_what_a_node_accepts_and_loses_is_sent_again(rpc: Subject, another_venue: Venue) -> None:
    raw = await pays(rpc.chain, rpc.payer, address(rpc.friend), SOL)
    another_venue.faults(dropTransactions=1)
    assert await sends(rpc, raw) is None
    assert await sends(rpc, raw) is not None
