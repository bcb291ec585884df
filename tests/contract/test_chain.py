"""What every adapter of the chain's port must do.

An adapter joins with a fixture of its own, named in `subject`: it gives the chain, a payer who has ten SOL, and how to
let blockhashes die.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from solders.hash import Hash
from solders.keypair import Keypair

from countermand.simulation.memory_ledger import MemoryLedgerStore
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.ledger_store import LedgerStore
from countermand.solana.port import Chain, SignatureStatus
from countermand.solana.tokens import SYSTEM_PROGRAM
from countermand.store.chain_postgres import PostgresLedgerStore
from tests.solana.chain_support import (
    SOL,
    address,
    another_signature,
    lamports_of,
    open_chain,
    payment,
    pays,
    signature_of,
    wallet,
)

PAYER, FRIEND, STRANGER = wallet(1), wallet(2), wallet(3)


@dataclass
class Subject:
    chain: Chain
    payer: Keypair
    expire_blockhashes: Callable[[], Awaitable[None]]
    settle: Callable[[], Awaitable[None]]
    """Returns when what was sent has landed, or never will under its blockhash's life."""


@asynccontextmanager
async def _embedded(store: LedgerStore) -> AsyncIterator[Subject]:
    chain: EmbeddedChain = await open_chain(store)
    await chain.airdrop(address(PAYER), 10 * SOL)

    async def expire() -> None:
        chain.expire_blockhashes()

    yield Subject(chain, PAYER, expire, chain.settle)
    await chain.close()


@pytest.fixture
async def embedded_in_memory() -> AsyncIterator[Subject]:
    async with _embedded(MemoryLedgerStore()) as subject:
        yield subject


@pytest.fixture
async def embedded_in_postgres(database_url: str) -> AsyncIterator[Subject]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=3) as pool:
        store = PostgresLedgerStore(pool)
        async with _embedded(store) as subject:
            yield subject
        await store.close()


@pytest.fixture(params=["embedded_in_memory", "embedded_in_postgres"])
def subject(request: pytest.FixtureRequest) -> Subject:
    made: Subject = request.getfixturevalue(request.param)
    return made


async def sends(subject: Subject, raw: bytes) -> SignatureStatus | None:
    await subject.chain.send(raw)
    await subject.settle()
    return await subject.chain.signature_status(signature_of(raw))


async def test_what_is_sent_lands(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(FRIEND), SOL)
    status = await sends(subject, raw)
    assert status is not None
    assert (status.finalized, status.error) == (True, None)
    assert status.slot <= await subject.chain.finalized_block_height()
    assert await lamports_of(subject.chain, address(FRIEND)) == SOL


async def test_sending_twice_pays_once(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(FRIEND), SOL)
    first = await sends(subject, raw)
    assert await sends(subject, raw) == first
    assert await lamports_of(subject.chain, address(FRIEND)) == SOL


async def test_two_valid_signatures_of_one_message_pay_once(subject: Subject) -> None:
    raw = await pays(subject.chain, subject.payer, address(FRIEND), SOL)
    await sends(subject, raw)
    assert await sends(subject, another_signature(raw, subject.payer)) is None
    assert await lamports_of(subject.chain, address(FRIEND)) == SOL


async def test_what_errs_on_chain_has_landed(subject: Subject) -> None:
    before = await lamports_of(subject.chain, address(subject.payer))
    raw = await pays(subject.chain, subject.payer, address(FRIEND), 10**15)
    status = await sends(subject, raw)
    assert status is not None
    assert (status.finalized, status.error) == (True, {"InstructionError": [0, {"Custom": 1}]})
    assert await lamports_of(subject.chain, address(subject.payer)) == before - 5_000


async def test_what_a_node_drops_is_dropped_without_a_word(subject: Subject) -> None:
    chain = subject.chain
    good = await pays(chain, subject.payer, address(FRIEND), SOL)
    for raw in (
        payment(subject.payer, address(FRIEND), SOL, str(Hash.default())),
        await pays(chain, STRANGER, address(FRIEND), SOL),
        good[:1] + bytes(64) + good[65:],
        good[:40] + bytes([good[40] ^ 1]) + good[41:],
    ):
        await chain.send(raw)
        await subject.settle()
        assert await chain.signature_status(signature_of(raw)) is None
    assert await lamports_of(chain, address(FRIEND)) == 0
    assert await sends(subject, good) is not None


async def test_a_dead_blockhash_lands_nothing(subject: Subject) -> None:
    chain = subject.chain
    latest = await chain.latest_blockhash()
    raw = payment(subject.payer, address(FRIEND), SOL, latest.blockhash)
    assert await chain.finalized_block_height() <= latest.last_valid_block_height
    await subject.expire_blockhashes()
    assert await chain.finalized_block_height() > latest.last_valid_block_height
    assert await sends(subject, raw) is None
    simulated = await chain.simulate(raw)
    assert simulated.error == "BlockhashNotFound"


async def test_a_simulation_looks_at_the_blockhash_and_not_at_signatures(subject: Subject) -> None:
    chain = subject.chain
    raw = await pays(chain, subject.payer, address(FRIEND), SOL)
    simulated = await chain.simulate(raw[:1] + bytes(64) + raw[65:])
    assert (simulated.error, simulated.units_consumed) == (None, 150)
    assert simulated.logs == (f"Program {SYSTEM_PROGRAM} invoke [1]", f"Program {SYSTEM_PROGRAM} success")
    too_much = await chain.simulate(await pays(chain, subject.payer, address(FRIEND), 10**15))
    assert too_much.error == {"InstructionError": [0, {"Custom": 1}]}
    assert await lamports_of(chain, address(FRIEND)) == 0


async def test_accounts_come_in_the_order_of_the_question(subject: Subject) -> None:
    asked = [address(STRANGER), address(subject.payer), address(STRANGER), SYSTEM_PROGRAM]
    nobody, payer, again, program = await subject.chain.accounts(asked)
    assert nobody is again is None
    assert payer is not None
    assert program is not None
    assert (payer.owner, payer.data, payer.executable) == (SYSTEM_PROGRAM, b"", False)
    assert program.executable
    assert await subject.chain.accounts([]) == []


async def test_an_unknown_signature_has_no_status(subject: Subject) -> None:
    never_sent = await pays(subject.chain, subject.payer, address(FRIEND), SOL)
    assert await subject.chain.signature_status(signature_of(never_sent)) is None
