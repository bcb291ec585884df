"""Histories of orders on the chain: how fast the index catches up, and what a page takes among very many trades.

The ledger is given transactions as orders that were placed and filled would have left them, and no index has run yet.
In a process of its own: `python -m benchmarks.histories DATA` prints its findings as JSON.
"""

import asyncio
import logging
import secrets
import struct
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import structlog
import uvloop
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from benchmarks.children import last_line
from countermand.app.database import database_of
from countermand.app.sandbox import SandboxApp, sandbox_app
from countermand.app.seeds import keys_of, seed_of
from countermand.orders.chain.model.order import ChainFamily
from countermand.orders.chain.ports import ChainHistoryQuery
from countermand.settings import Settings
from countermand.solana.ledger import InnerCall, Meta, encode_meta
from countermand.solana.programs import limit_order
from countermand.solana.programs.anchor import EVENT_TAG, event_discriminator
from countermand.solana.tokens import SOL_MINT, TOKEN_PROGRAM
from countermand.values.identity import Wallet

TRANSACTIONS: Final = 100_000
TRADES: Final = 1_000_000
_OWNERS: Final = 1_000
_A_PAGE: Final = 10
_ASKED: Final = 1_000
_USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
_CREATED: Final = EVENT_TAG + event_discriminator("CreateOrderEvent")
_TRADED: Final = EVENT_TAG + event_discriminator("TradeEvent")
_MAKING: Final = 10**9

# The trades of one order become those of all, by the same bodies: a page looks at their keys alone.
_MORE_TRADES: Final = """
INSERT INTO onchain_trades (shard, address, opened_by, nth, n, failed, body)
SELECT shard, address, opened_by, nth, 1 + more, failed, body FROM onchain_trades, generate_series(1, $1) AS more
"""


class Histories(msgspec.Struct, frozen=True, kw_only=True):
    transactions: int
    catch_up_s: float
    trades: int
    p50_ms: float
    p99_ms: float


def measure(data: Path) -> Histories:
    """In a child process, with a new venue under `data`."""
    return msgspec.json.decode(last_line("histories", data), type=Histories)


async def _measure_here(data: Path) -> Histories:
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings(data=data, log_level="error")
    owners = [Keypair().pubkey() for _ in range(_OWNERS)]
    async with database_of(settings) as database:
        async with sandbox_app(settings, await keys_of(settings, seed_of(settings), database.dsn), database.dsn):
            pass  # The ledger is founded.
        connection = await asyncpg.connect(database.dsn)
        await _land(connection, owners)
        async with _indexing(settings, database.dsn) as venue:
            began = time.perf_counter()
            while venue.families.on_chain.index.shard.events.end().seq < TRANSACTIONS:
                await asyncio.sleep(0.05)
            catch_up_s = time.perf_counter() - began
            orders = TRANSACTIONS // 2
            await connection.execute(_MORE_TRADES, TRADES // orders - 1, timeout=600)
            await connection.execute("ANALYZE onchain_trades; ANALYZE onchain_orders")
            took = sorted([await _paged(venue, Wallet(str(owners[n % _OWNERS]))) for n in range(_ASKED)])
        await connection.close()
    return Histories(
        transactions=TRANSACTIONS,
        catch_up_s=catch_up_s,
        trades=TRADES,
        p50_ms=took[len(took) // 2] / 1e6,
        p99_ms=took[len(took) * 99 // 100] / 1e6,
    )


@asynccontextmanager
async def _indexing(settings: Settings, dsn: str) -> AsyncIterator[SandboxApp]:
    async with sandbox_app(settings, await keys_of(settings, seed_of(settings), dsn), dsn) as venue:
        index = venue.families.on_chain.index
        running = [asyncio.create_task(index.shard.run()), asyncio.create_task(index.run())]
        try:
            await index.shard.loaded()
            yield venue
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def _paged(venue: SandboxApp, owner: Wallet) -> int:
    query = ChainHistoryQuery(owner=owner, family=ChainFamily.LIMIT, limit=_A_PAGE, offset=0)
    began = time.perf_counter_ns()
    found = await venue.families.on_chain.index.history(query)
    took = time.perf_counter_ns() - began
    assert len(found.orders) == _A_PAGE, f"{len(found.orders)} orders of {owner}"
    return took


async def _land(connection: "asyncpg.Connection[asyncpg.Record]", owners: list[Pubkey]) -> None:
    """One order after the other is placed, and filled by the next transaction."""
    raw, payer = _raw()
    ledger = await connection.fetchrow("SELECT seq, slot, block_time FROM chain_ledger")
    assert ledger is not None, "it was founded"
    seq, slot, block_time = ledger
    transactions: list[tuple[Any, ...]] = []
    for n in range(TRANSACTIONS // 2):
        order = secrets.token_bytes(32)
        for event in (_created(order, owners[n % len(owners)]), _traded(order, payer)):
            number = len(transactions) + 1
            transactions.append(
                (
                    secrets.token_bytes(64),
                    secrets.token_bytes(32),
                    seq + number,
                    slot + number,
                    block_time,
                    raw,
                    None,
                    encode_meta(_meta(event)),
                )
            )
    columns = ("signature", "message_hash", "position", "slot", "block_time", "raw", "error", "meta")
    await connection.copy_records_to_table("chain_transactions", records=transactions, columns=columns)
    program = bytes(Pubkey.from_string(limit_order.PROGRAM))
    mentions = [(program, row[2]) for row in transactions]
    await connection.copy_records_to_table("chain_mentions", records=mentions, columns=("address", "position"))
    # Far enough on, so that none of them is among those that a chain remembers to refuse them.
    on = len(transactions) + 1_000
    await connection.execute(
        "UPDATE chain_ledger SET seq = seq + $1, slot = slot + $2, ceiling = ceiling + $2", len(transactions), on
    )
    await connection.execute("ANALYZE chain_transactions; ANALYZE chain_mentions")


def _raw() -> tuple[bytes, Pubkey]:
    """A transaction of the program, and who pays for it."""
    payer, program = Keypair().pubkey(), Pubkey.from_string(limit_order.PROGRAM)
    authority = AccountMeta(Pubkey.from_string(limit_order.EVENT_AUTHORITY), is_signer=False, is_writable=False)
    message = Message.new_with_blockhash([Instruction(program, b"", [authority])], payer, Hash.default())
    return bytes(VersionedTransaction.populate(message, [Keypair().sign_message(b"")])), payer


def _meta(event: bytes) -> Meta:
    # The keys are the payer, the event authority and the program, in the order in which a message sorts them.
    program, authority = Pubkey.from_string(limit_order.PROGRAM), Pubkey.from_string(limit_order.EVENT_AUTHORITY)
    at = sorted((bytes(program), bytes(authority)))
    call = InnerCall(1 + at.index(bytes(program)), bytes([1 + at.index(bytes(authority))]), event, 2)
    return Meta(5_000, 1_000, [], [10**9, 1, 1], [10**9 - 5_000, 1, 1], [], [], [(0, [call])], None, [], [])


def _created(order: bytes, maker: Pubkey) -> bytes:
    mints = [bytes(Pubkey.from_string(each)) for each in (SOL_MINT, _USDC, TOKEN_PROGRAM, TOKEN_PROGRAM)]
    head = order + bytes(maker) + b"".join(mints)
    return _CREATED + head + struct.pack("<QQBH", _MAKING, 10**8, 0, 10) + bytes(32) + struct.pack("<H", 0)


def _traded(order: bytes, taker: Pubkey) -> bytes:
    return _TRADED + order + bytes(taker) + struct.pack("<4Q", 0, 0, _MAKING, 10**8)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_measure_here(Path(sys.argv[1])))))
