"""A process that is killed hard under load loses nothing that it answered, and makes no money."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from solders.hash import Hash

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.port import AccountInfo
from countermand.solana.tokens import (
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    USDC_MINT,
    associated_token_address,
    read_token_account,
    token_account_bytes,
)
from countermand.store.chain_postgres import PostgresLedgerStore
from tests.solana.chain_support import GENESIS, SOL, address, signature_of, signed, token_transfer, wallet

WALLETS = [wallet(1_000 + n) for n in range(8)]
TOKENS = [associated_token_address(address(key), USDC_MINT) for key in WALLETS]
EACH = 10**12
ROUNDS = 2
ACKNOWLEDGED_AT_LEAST = 150


class WallClock:
    def now_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000) + 1_700_000_000_000

    wall_ms = now_ms


@asynccontextmanager
async def opened(dsn: str, pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[EmbeddedChain]:
    store = PostgresLedgerStore(dsn, pool)
    chain = await EmbeddedChain.open(store, WallClock(), genesis=GENESIS)
    yield chain
    await chain.close()
    await store.close()


async def test_killed_under_load_nothing_acknowledged_is_lost(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        async with opened(database_url, pool) as chain:
            await chain.put_accounts(_funds())
        for _ in range(ROUNDS):
            acknowledged = await _killed_under_load(database_url)
            async with opened(database_url, pool) as chain:
                statuses = [await chain.signature_status(signature) for signature in acknowledged]
                assert None not in statuses
                assert sum(await _balances(chain)) == EACH * len(TOKENS)
                for row in await pool.fetch("SELECT raw FROM chain_transactions ORDER BY position DESC LIMIT 50"):
                    assert (await chain.submit(row["raw"])).dropped in ("AlreadyProcessed", "BlockhashNotFound")


def _funds() -> dict[str, AccountInfo]:
    accounts = {}
    for key, token in zip(WALLETS, TOKENS, strict=True):
        accounts[address(key)] = AccountInfo(1_000 * SOL, SYSTEM_PROGRAM, b"", executable=False)
        data = token_account_bytes(mint=USDC_MINT, owner=address(key), amount=EACH)
        accounts[token] = AccountInfo(2_039_280, TOKEN_PROGRAM, data, executable=False)
    return accounts


async def _balances(chain: EmbeddedChain) -> list[int]:
    balances = []
    for info in await chain.accounts(TOKENS):
        assert info is not None
        token = read_token_account(info.data)
        assert token is not None
        balances.append(token.amount)
    return balances


async def _killed_under_load(database_url: str) -> list[str]:
    """The signatures that a writing process acknowledged before it was killed."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.solana.test_embedded_crash", database_url,
        stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert writer.stdout is not None
    acknowledged = [(await writer.stdout.readline()).decode().strip() for _ in range(ACKNOWLEDGED_AT_LEAST)]
    writer.send_signal(signal.SIGKILL)
    rest = (await writer.stdout.read()).decode()
    await writer.wait()
    # A last line may have been cut.
    acknowledged += rest.split("\n")[:-1]
    assert "" not in acknowledged, "the writer ended by itself"
    return acknowledged


async def _write_for_ever(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool, opened(database_url, pool) as chain:
        await asyncio.gather(*(_sender(chain, n) for n in range(len(WALLETS))))


async def _sender(chain: EmbeddedChain, number: int) -> None:
    amount = 0
    while True:
        amount += 1
        blockhash = Hash.from_string((await chain.latest_blockhash()).blockhash)
        move = token_transfer(TOKENS[number], TOKENS[number - 1], address(WALLETS[number]), amount)
        raw = signed([move], [WALLETS[number]], str(blockhash))
        submitted = await chain.submit(raw)
        assert submitted.landed, submitted
        os.write(1, f"{signature_of(raw)}\n".encode())


if __name__ == "__main__":
    asyncio.run(_write_for_ever(sys.argv[1]))
