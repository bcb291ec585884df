"""Tokens: the well-known programs and mints, and their accounts read from bytes.

Layouts: SPL Token (a mint has 82 bytes, an account 165) and Token-2022, which appends a type byte at 165 and extensions
to both. Amounts are base units and become text without any float.
"""

import struct
from functools import lru_cache
from typing import Final

from msgspec import Struct
from solders.pubkey import Pubkey

from countermand.solana.port import Address

# Addresses, not secrets: to the linter a name with "token" in it looks like one.
SYSTEM_PROGRAM: Final = "11111111111111111111111111111111"
TOKEN_PROGRAM: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105
TOKEN_2022_PROGRAM: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105
TOKEN_PROGRAMS: Final = (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)
ASSOCIATED_TOKEN_PROGRAM: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105
CREATES_ASSOCIATED: Final = (b"", b"\0", b"\1")
"""The data of its instructions that create an account: its first form, `Create`, and `CreateIdempotent`."""
MEMO_PROGRAM: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
MEMO_PROGRAMS: Final = (MEMO_PROGRAM, "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")
"""The second is the first version, which some wallets still add."""
COMPUTE_BUDGET_PROGRAM: Final = "ComputeBudget111111111111111111111111111111"
LOOKUP_TABLE_PROGRAM: Final = "AddressLookupTab1e1111111111111111111111111"
UPGRADEABLE_LOADER: Final = "BPFLoaderUpgradeab1e11111111111111111111111"
SYSVAR_OWNER: Final = "Sysvar1111111111111111111111111111111111111"
INSTRUCTIONS_SYSVAR: Final = "Sysvar1nstructions1111111111111111111111111"

SOL_MINT: Final = "So11111111111111111111111111111111111111112"
USDC_MINT: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USDT_MINT: Final = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"
JUP_MINT: Final = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
KNOWN_DECIMALS: Final = {SOL_MINT: 9, USDC_MINT: 6, USDT_MINT: 6, JUP_MINT: 6}
KNOWN_SYMBOLS: Final = {SOL_MINT: "SOL", USDC_MINT: "USDC", USDT_MINT: "USDT", JUP_MINT: "JUP"}

MINT_BYTES: Final = 82
TOKEN_ACCOUNT_BYTES: Final = 165
TOKEN_AMOUNT: Final = slice(64, 72)
"""Where a token account has its balance."""
MULTISIG_BYTES: Final = 355
TOKEN_ACCOUNT_RENT_LAMPORTS: Final = 2_039_280
"""What a token account of 165 bytes holds to be free of rent; comes back when it is closed."""

_TYPE_AT = 165
_TYPE_MINT, _TYPE_ACCOUNT = 1, 2
_STATE_AT = 108
_STATES = {1: "initialized", 2: "frozen"}
_TOKEN_PROGRAM_KEYS = (Pubkey.from_string(TOKEN_PROGRAM), Pubkey.from_string(TOKEN_2022_PROGRAM))
_ASSOCIATED_TOKEN_KEY = Pubkey.from_string(ASSOCIATED_TOKEN_PROGRAM)

_SUPPLY = slice(36, 44)
_DECIMALS_AT = 44
_INITIALIZED_AT = 45
_ACCOUNT = struct.Struct("<32s32sQI32sBIQQI32s")
_MINT = struct.Struct("<I32sQBBI32s")
assert _ACCOUNT.size == TOKEN_ACCOUNT_BYTES
assert _MINT.size == MINT_BYTES


class TokenAccount(Struct, frozen=True):
    """`state` is `initialized` or `frozen`. `native_reserve`: the lamports that are rent if it wraps SOL, else None."""

    mint: Address
    owner: Address
    amount: int
    state: str
    delegate: Address | None
    delegated_amount: int
    native_reserve: int | None
    close_authority: Address | None
    extensions: bytes


class Mint(Struct, frozen=True):
    supply: int
    decimals: int
    mint_authority: Address | None
    freeze_authority: Address | None
    extensions: bytes


def is_token_account(owner: Pubkey, data: bytes) -> bool:
    """Whether an account that the program `owner` owns is a token account in use."""
    size = len(data)
    if owner not in _TOKEN_PROGRAM_KEYS or size < TOKEN_ACCOUNT_BYTES or data[_STATE_AT] == 0:
        return False
    if size == TOKEN_ACCOUNT_BYTES:
        return True
    return owner == _TOKEN_PROGRAM_KEYS[1] and _has_type(data, _TYPE_ACCOUNT)


def decimals_of_mint(owner: Pubkey, data: bytes) -> int:
    """Those of an account that the program `owner` owns: 0 if it is no mint in use, as where a mint was closed."""
    if owner not in _TOKEN_PROGRAM_KEYS or len(data) < MINT_BYTES or data[_INITIALIZED_AT] == 0:
        return 0
    if len(data) == MINT_BYTES or (owner == _TOKEN_PROGRAM_KEYS[1] and _has_type(data, _TYPE_MINT)):
        return data[_DECIMALS_AT]
    return 0


def read_token_account(data: bytes) -> TokenAccount | None:
    """None unless these are the bytes of a token account in use."""
    if len(data) != TOKEN_ACCOUNT_BYTES and not _has_type(data, _TYPE_ACCOUNT):
        return None
    mint, owner, amount, has_delegate, delegate, state, native, reserve, delegated, has_closer, closer = (
        _ACCOUNT.unpack_from(data)
    )
    if state not in _STATES:
        return None
    return TokenAccount(
        mint=_address(mint),
        owner=_address(owner),
        amount=amount,
        state=_STATES[state],
        delegate=_address(delegate) if has_delegate else None,
        delegated_amount=delegated,
        native_reserve=reserve if native else None,
        close_authority=_address(closer) if has_closer else None,
        extensions=data[_TYPE_AT + 1 :],
    )


def read_mint(data: bytes) -> Mint | None:
    """None unless these are the bytes of a mint in use."""
    if len(data) != MINT_BYTES and not _has_type(data, _TYPE_MINT):
        return None
    has_authority, authority, supply, decimals, initialized, has_freezer, freezer = _MINT.unpack_from(data)
    if not initialized:
        return None
    return Mint(
        supply=supply,
        decimals=decimals,
        mint_authority=_address(authority) if has_authority else None,
        freeze_authority=_address(freezer) if has_freezer else None,
        extensions=data[_TYPE_AT + 1 :],
    )


def mint_bytes(*, authority: Address | None, decimals: int, supply: int = 0) -> bytes:
    """The data of a mint account without a freeze authority."""
    key = bytes(32) if authority is None else bytes(Pubkey.from_string(authority))
    return _MINT.pack(authority is not None, key, supply, decimals, 1, 0, bytes(32))


def with_minted(mint: bytes, units: int) -> bytes:
    """The data of a mint account after so many units more."""
    supply = int.from_bytes(mint[_SUPPLY], "little") + units
    return mint[: _SUPPLY.start] + supply.to_bytes(8, "little") + mint[_SUPPLY.stop :]


def token_account_bytes(*, mint: Address, owner: Address, amount: int = 0) -> bytes:
    """The data of an initialized token account (not a native one)."""
    keys = bytes(Pubkey.from_string(mint)), bytes(Pubkey.from_string(owner))
    return _ACCOUNT.pack(*keys, amount, 0, bytes(32), 1, 0, 0, 0, 0, bytes(32))


@lru_cache(maxsize=65_536)
def associated_token_address(owner: Address, mint: Address, program: Address = TOKEN_PROGRAM) -> Address:
    """The token account that wallets use by default for this owner and mint."""
    return found_token_address(owner, mint, program)[0]


def found_token_address(owner: Address, mint: Address, program: Address = TOKEN_PROGRAM) -> tuple[Address, int]:
    """The same, and after how many steps it is found. To make the account costs 1,500 compute units for each."""
    seeds = [bytes(Pubkey.from_string(key)) for key in (owner, program, mint)]
    address, bump = Pubkey.find_program_address(seeds, _ASSOCIATED_TOKEN_KEY)
    return str(address), 255 - bump


def ui_amount(amount: int, decimals: int) -> str:
    """An amount in token units as exact text without trailing zeros: (1500, 3) is `1.5`."""
    if decimals == 0:
        return str(amount)
    digits = str(amount).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")


def _has_type(data: bytes, kind: int) -> bool:
    """Whether Token-2022 marked these bytes so. A multisig has no mark, but a size of its own."""
    return len(data) > _TYPE_AT and len(data) != MULTISIG_BYTES and data[_TYPE_AT] == kind


def _address(key: bytes) -> Address:
    return str(Pubkey(key))
