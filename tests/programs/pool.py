"""A world with the swap program, its markets and the pool's tokens, and its instructions made of raw bytes."""

import struct
from dataclasses import dataclass, replace
from typing import Final

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from countermand.solana.programs.artifacts import sandbox_program_builds
from tests.programs.world import (
    AGGREGATOR,
    ALICE,
    JUP,
    SPARKLE,
    TOKEN,
    TOKEN_2022,
    USDC,
    USDT,
    WSOL,
    World,
    ata,
    reads,
    writes,
)

AUTHORITY: Final = Pubkey.from_string("2MFoS3MPtvyQ4Wh4M9pdfPjz6UhVoNbFbGJAskCPCj3h")
EVENTS: Final = Pubkey.from_string("D8cy77BBepLMngZx6ZukaTff5hCt1HrWyKk3Hnd9oitf")
DOLLAR: Final = 10**12
PRICES: Final = {WSOL: 150 * DOLLAR, USDC: DOLLAR, USDT: DOLLAR, JUP: DOLLAR // 2, SPARKLE: DOLLAR}
STABLES: Final = (USDC, USDT)
POOL: Final = 10**18
ANYTHING: Final = 2**64 - 1
ROUTE: Final = struct.pack("<IBBBB", 1, 3, 100, 0, 1)


def market_key(mint: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([b"market", bytes(mint)], AGGREGATOR)[0]


def market_data(mint: Pubkey, price: int, most: int = ANYTHING, impact_bps: int = 0, *, stable: bool = False) -> bytes:
    name = bytes.fromhex("dbbed53700e3c69a")
    return name + bytes(mint) + price.to_bytes(16, "little") + struct.pack("<QHB", most, impact_bps, stable)


def program_of(mint: Pubkey) -> Pubkey:
    return TOKEN_2022 if mint == SPARKLE else TOKEN


@dataclass(frozen=True, slots=True)
class Swap:
    """100 USDC for JUP, quoted at 0, unless said otherwise."""

    user: Pubkey = ALICE
    source: Pubkey = USDC
    destination: Pubkey = JUP
    amount: int = 100
    quoted: int = 0
    slippage_bps: int = 0
    fee_bps: int = 0
    fee_account: Pubkey | None = None
    exact_out: bool = False
    route: bytes = ROUTE
    authority_id: int = 1

    @property
    def user_source(self) -> Pubkey:
        return ata(self.user, self.source, program_of(self.source))

    @property
    def user_destination(self) -> Pubkey:
        return ata(self.user, self.destination, program_of(self.destination))

    @property
    def pool_source(self) -> Pubkey:
        return ata(AUTHORITY, self.source, program_of(self.source))

    @property
    def pool_destination(self) -> Pubkey:
        return ata(AUTHORITY, self.destination, program_of(self.destination))

    def instruction(self) -> Instruction:
        name = bytes.fromhex("b0d169a89a7d453e" if self.exact_out else "c1209b3341d69c81")
        data = struct.pack("<B", self.authority_id) + self.route
        data += struct.pack("<QQHB", self.amount, self.quoted, self.slippage_bps, self.fee_bps)
        metas = [reads(TOKEN), reads(AUTHORITY), AccountMeta(self.user, is_signer=True, is_writable=False)]
        metas += [writes(self.user_source), writes(self.pool_source)]
        metas += [writes(self.pool_destination), writes(self.user_destination)]
        metas += [reads(self.source), reads(self.destination)]
        metas += [reads(AGGREGATOR) if self.fee_account is None else writes(self.fee_account)]
        is_2022 = SPARKLE in (self.source, self.destination)
        metas += [reads(TOKEN_2022 if is_2022 else AGGREGATOR), reads(EVENTS), reads(AGGREGATOR)]
        return Instruction(
            AGGREGATOR, name + data, [*metas, reads(market_key(self.source)), reads(market_key(self.destination))]
        )

    def but(self, **changes: object) -> "Swap":
        return replace(self, **changes)  # type: ignore[arg-type]


class PoolWorld(World):
    """Each token has a market at its price, and the pool much of it."""

    def __post_init__(self) -> None:
        World.__post_init__(self)
        self.svm.add_program(AGGREGATOR, sandbox_program_builds()[str(AGGREGATOR)])
        for mint, price in PRICES.items():
            self.market(mint, price)
            self.fund(AUTHORITY, mint, POOL, program_of(mint))

    def market(self, mint: Pubkey, price: int, most: int = ANYTHING, impact_bps: int = 0) -> None:
        data = market_data(mint, price, most, impact_bps, stable=mint in STABLES)
        self.put(market_key(mint), Account(10**7, data, AGGREGATOR))
