"""Swaps against a sandbox's pool, by two instructions of the published aggregator, `JUP6LkbZ…`.

The accounts, arguments and events are the published ones; two accounts follow, the *markets* of both tokens. Each says
what its token costs. The program reads them and never writes them: the owner of the chain does.
"""

import struct
from functools import lru_cache
from typing import Final

from msgspec import Struct
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.solana.port import AccountInfo, Address
from countermand.solana.programs.anchor import (
    account_discriminator,
    derived,
    event_authority_of,
    instruction_discriminator,
    key,
    readonly,
    rent_lamports,
    signer,
    u16,
    u64,
    writable,
    writable_or_absent,
)
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_token_address

PROGRAM: Final = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"
EVENT_AUTHORITY: Final = event_authority_of(PROGRAM)
AUTHORITY_ID: Final = 1
AUTHORITY: Final = derived(PROGRAM, b"authority", bytes([AUTHORITY_ID]))[0]
"""The owner of the pool's tokens."""

SHARED_ACCOUNTS_ROUTE: Final = instruction_discriminator("shared_accounts_route")
SHARED_ACCOUNTS_EXACT_OUT_ROUTE: Final = instruction_discriminator("shared_accounts_exact_out_route")
MARKET: Final = account_discriminator("Market")

ANYTHING: Final = 2**64 - 1
"""The `max_input` of a market without a bound."""

_TOKEN_SWAP: Final = 3
_ROUTE: Final = struct.pack("<BIBBBB", AUTHORITY_ID, 1, _TOKEN_SWAP, 100, 0, 1)
"""One step, all of it, from the first token to the second."""
_MARKET: Final = struct.Struct("<8s32s16sQHB")
STABLE_AT: Final = _MARKET.size - 1
MARKET_LAMPORTS: Final = rent_lamports(_MARKET.size)


class PoolMarket(Struct, frozen=True):
    """`price` is in 10⁻¹² dollars for a whole token; a swap takes at most `max_input` of it, and gives so much less."""

    mint: Address
    price: int
    max_input: int = ANYTHING
    impact_bps: int = 0
    stable: bool = False


class SwapSide(Struct, frozen=True):
    """A token of a swap, and the account that gives or gets it."""

    mint: Address
    program: Address
    account: Address

    @property
    def pool_account(self) -> Address:
        return pool_account_of(self.mint, self.program)


class Bounds(Struct, frozen=True):
    """What the user signs for: an amount of the input, or of the output if that is `exact_out`, and what was quoted for
    it. The slippage is how much worse than quoted a swap may be."""

    amount: int
    quoted: int
    slippage_bps: int
    exact_out: bool = False


def swap(
    user: Address,
    source: SwapSide,
    destination: SwapSide,
    bounds: Bounds,
    *,
    platform_fee_bps: int = 0,
    fee_account: Address | None = None,
    tracking: Address | None = None,
) -> Instruction:
    """`tracking` only stands there, to be found by."""
    is_2022 = TOKEN_2022_PROGRAM in (source.program, destination.program)
    metas = [
        readonly(TOKEN_PROGRAM),
        readonly(AUTHORITY),
        signer(user),
        writable(source.account),
        writable(source.pool_account),
        writable(destination.pool_account),
        writable(destination.account),
        readonly(source.mint),
        readonly(destination.mint),
        writable_or_absent(fee_account, PROGRAM),
        readonly(TOKEN_2022_PROGRAM if is_2022 else PROGRAM),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
        readonly(market_address(source.mint)),
        readonly(market_address(destination.mint)),
        *([] if tracking is None else [readonly(tracking)]),
    ]
    name = SHARED_ACCOUNTS_EXACT_OUT_ROUTE if bounds.exact_out else SHARED_ACCOUNTS_ROUTE
    data = u64(bounds.amount) + u64(bounds.quoted) + u16(bounds.slippage_bps) + bytes([platform_fee_bps])
    return Instruction(key(PROGRAM), name + _ROUTE + data, metas)


def pool_account_of(mint: Address, program: Address = TOKEN_PROGRAM) -> Address:
    """Where the pool keeps a token."""
    return associated_token_address(AUTHORITY, mint, program)


@lru_cache(maxsize=1_024)
def market_address(mint: Address) -> Address:
    return derived(PROGRAM, b"market", bytes(key(mint)))[0]


def market_bytes(market: PoolMarket) -> bytes:
    price = market.price.to_bytes(16, "little")
    return _MARKET.pack(MARKET, bytes(key(market.mint)), price, market.max_input, market.impact_bps, market.stable)


def market_account(market: PoolMarket, lamports: int = MARKET_LAMPORTS) -> AccountInfo:
    return AccountInfo(lamports, PROGRAM, market_bytes(market), executable=False)


def read_market(data: bytes) -> PoolMarket | None:
    """None unless these are the bytes of a market."""
    if len(data) != _MARKET.size or not data.startswith(MARKET):
        return None
    _, mint, price, max_input, impact_bps, stable = _MARKET.unpack(data)
    return PoolMarket(str(Pubkey(mint)), int.from_bytes(price, "little"), max_input, impact_bps, bool(stable))
