"""The open orders of one maker among many on the chain: what a list of them takes, without a server.

The accounts are put on an embedded chain in PostgreSQL as landed orders would have left them. In a process of its own:
`python -m benchmarks.on_chain DATA` prints its findings as JSON.
"""

import struct
import sys
import time
from pathlib import Path
from typing import Final

import base58
import msgspec
import uvloop
from solders.keypair import Keypair

from benchmarks.children import last_line
from countermand.app.database import database_of
from countermand.app.families import Families
from countermand.app.sandbox import sandbox_app
from countermand.app.seeds import keys_of, seed_of
from countermand.settings import Settings
from countermand.solana.port import AccountInfo
from countermand.solana.programs import limit_order
from countermand.solana.tokens import SOL_MINT
from countermand.values.identity import Wallet

ORDERS: Final = 100_000
OF_ONE: Final = 10
_RENT: Final = 3_480_000
_A_BATCH: Final = 5_000
_ASKED: Final = 2_000


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    orders: int
    of_one: int
    p50_ms: float
    p99_ms: float


def measure(data: Path) -> Listing:
    """In a child process, with a new venue under `data`."""
    return msgspec.json.decode(last_line("on_chain", data), type=Listing)


async def _measure_here(data: Path) -> Listing:
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    settings = Settings(data=data, log_level="error", keeper=False)
    async with (
        database_of(settings) as database,
        sandbox_app(settings, await keys_of(settings, seed_of(settings), database.dsn), database.dsn) as venue,
    ):
        makers = [Keypair().pubkey() for _ in range(ORDERS // OF_ONE)]
        accounts = {str(Keypair().pubkey()): _order(bytes(makers[number // OF_ONE])) for number in range(ORDERS)}
        addresses = list(accounts)
        for start in range(0, ORDERS, _A_BATCH):
            some = addresses[start : start + _A_BATCH]
            await venue.chain.put_accounts({address: accounts[address] for address in some})
        took = sorted([await _listed(venue.families, Wallet(str(maker))) for maker in makers[:_ASKED]])
    return Listing(
        orders=ORDERS, of_one=OF_ONE, p50_ms=took[len(took) // 2] / 1e6, p99_ms=took[len(took) * 99 // 100] / 1e6
    )


async def _listed(families: Families, maker: Wallet) -> int:
    began = time.perf_counter_ns()
    orders = await families.on_chain.limits.open_orders(maker)
    took = time.perf_counter_ns() - began
    assert len(orders) == OF_ONE, f"{len(orders)} orders of {maker}"
    return took


_AMOUNTS_AT: Final = 200
"""Where an order says what it sells and for how much, at first and now. One that has nothing left is not listed."""


def _order(maker: bytes) -> AccountInfo:
    """Sells SOL for SOL, which no program would open; a list looks at the maker, and reads the rest."""
    mint = base58.b58decode(SOL_MINT)
    accounts = limit_order.ORDER_DISCRIMINATOR + maker + mint + mint
    head = accounts.ljust(_AMOUNTS_AT, b"\0") + struct.pack("<4Q", 1, 1, 1, 1)
    return AccountInfo(_RENT, limit_order.PROGRAM, head.ljust(limit_order.ORDER_BYTES, b"\0"), executable=False)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_measure_here(Path(sys.argv[1])))))
