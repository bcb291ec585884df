"""Accounts as a node shows them: raw in an encoding, or `jsonParsed` where the layout is known."""

import base64
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import base58
import zstandard
from msgspec import Struct

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.errors import Code, RpcError
from countermand.solana.facade.params import AccountEncoding, DataSlice
from countermand.solana.facade.parsed_accounts import parsed_account
from countermand.solana.port import AccountInfo, Address
from countermand.solana.scaled_amounts import scaled_amount
from countermand.solana.token_extensions import extensions_in_words
from countermand.solana.tokens import (
    MULTISIG_BYTES,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    Mint,
    TokenAccount,
    read_mint,
    read_token_account,
    ui_amount,
)
from countermand.values.quantities import U64_MAX

TOKEN_PROGRAM_NAMES: Final[Mapping[Address, str]] = {TOKEN_PROGRAM: "spl-token", TOKEN_2022_PROGRAM: "spl-token-2022"}

_BASE58_BYTES_MAX: Final = 128
_compressor: Final = zstandard.ZstdCompressor(level=1)
"""The quickest level: whatever it writes, every client reads."""

Json = dict[str, Any]


class Unit(Struct, frozen=True):
    """How amounts of a mint read at a time."""

    mint: Mint
    unix_time: int

    def amount(self, amount: int) -> Json:
        if not self.mint.extensions:
            return token_amount(amount, self.mint.decimals)
        return _amount_json(amount, self.mint.decimals, scaled_amount(amount, self.mint, self.unix_time))


def account_json(
    key: Address,
    info: AccountInfo,
    encoding: AccountEncoding,
    window: DataSlice | None,
    units: Mapping[Address, Unit],
) -> Json:
    """`units` are those of the mints that matter; a token account of any other mint stays raw."""
    return {
        "data": _data(key, info, encoding, window, units),
        "executable": info.executable,
        "lamports": info.lamports,
        "owner": info.owner,
        "rentEpoch": U64_MAX,
        "space": len(info.data),
    }


def _data(
    key: Address,
    info: AccountInfo,
    encoding: AccountEncoding,
    window: DataSlice | None,
    units: Mapping[Address, Unit],
) -> Any:
    if encoding is AccountEncoding.JSON_PARSED and (parsed := _parsed(key, info, units)) is not None:
        return parsed
    data = info.data if window is None else info.data[window.offset : window.offset + window.length]
    if encoding is AccountEncoding.BASE64_ZSTD:
        return [base64.b64encode(_compressor.compress(data)).decode(), encoding.value]
    if encoding not in (AccountEncoding.BINARY, AccountEncoding.BASE58):
        return [base64.b64encode(data).decode(), "base64"]
    if len(data) > _BASE58_BYTES_MAX:
        message = (
            f"Encoded binary (base 58) data should be less than {_BASE58_BYTES_MAX} bytes, please use Base64 encoding."
        )
        raise RpcError(Code.INVALID_REQUEST, message)
    text = base58.b58encode(data).decode()
    return text if encoding is AccountEncoding.BINARY else [text, "base58"]


def _parsed(key: Address, info: AccountInfo, units: Mapping[Address, Unit]) -> Json | None:
    if (program := TOKEN_PROGRAM_NAMES.get(info.owner)) is not None:
        return _parsed_token(info, program, units)
    return parsed_account(key, info)


def _parsed_token(info: AccountInfo, program: str, units: Mapping[Address, Unit]) -> Json | None:
    kind, details = "mint", None
    if (mint := mint_of(info)) is not None:
        details = _mint_details(mint)
    elif (account := token_account_of(info)) is not None and account.mint in units:
        kind, details = "account", _token_account_details(account, units[account.mint])
    elif len(info.data) == MULTISIG_BYTES:
        kind, details = "multisig", _multisig_details(info.data)
    if details is None:
        return None
    return {"program": program, "parsed": {"info": details, "type": kind}, "space": len(info.data)}


def _mint_details(mint: Mint) -> Json:
    return {
        "decimals": mint.decimals,
        "freezeAuthority": mint.freeze_authority,
        "isInitialized": True,
        "mintAuthority": mint.mint_authority,
        "supply": str(mint.supply),
        **_extensions(mint.extensions),
    }


def _token_account_details(account: TokenAccount, unit: Unit) -> Json:
    details: Json = {
        "isNative": account.native_reserve is not None,
        "mint": account.mint,
        "owner": account.owner,
        "state": account.state,
        "tokenAmount": unit.amount(account.amount),
        **_extensions(account.extensions),
    }
    if account.close_authority is not None:
        details["closeAuthority"] = account.close_authority
    if account.delegate is not None:
        details["delegate"] = account.delegate
        details["delegatedAmount"] = unit.amount(account.delegated_amount)
    if account.native_reserve is not None:
        details["rentExemptReserve"] = unit.amount(account.native_reserve)
    return details


def _extensions(data: bytes) -> Json:
    found = extensions_in_words(data)
    return {"extensions": found} if found else {}


def _multisig_details(data: bytes) -> Json | None:
    """Three bytes, and then eleven keys, of which those that are zero are none."""
    needed, valid, initialized = data[:3]
    if initialized != 1:
        return None
    keys = (data[start : start + 32] for start in range(3, MULTISIG_BYTES, 32))
    return {
        "isInitialized": True,
        "numRequiredSigners": needed,
        "numValidSigners": valid,
        "signers": [base58.b58encode(key).decode() for key in keys if any(key)],
    }


def token_account_of(info: AccountInfo) -> TokenAccount | None:
    """The token account that this is, of either token program; None for anything else and for one not initialized."""
    return read_token_account(info.data) if info.owner in TOKEN_PROGRAM_NAMES else None


def mint_of(info: AccountInfo) -> Mint | None:
    """The mint that this is, of either token program; None for anything else and for one not initialized."""
    return read_mint(info.data) if info.owner in TOKEN_PROGRAM_NAMES else None


def mints_among(infos: Iterable[AccountInfo | None]) -> list[Address]:
    """The mints of the token accounts among these, each once, in the order of their first."""
    accounts = (token_account_of(info) for info in infos if info is not None)
    return list(dict.fromkeys(account.mint for account in accounts if account is not None))


async def units_of(chain: EmbeddedChain, infos: Iterable[AccountInfo | None]) -> Mapping[Address, Unit]:
    """Those of the mints that token accounts among these have."""
    mints = mints_among(infos)
    found = zip(mints, await chain.accounts(mints) if mints else [], strict=True)
    read = {key: mint_of(info) for key, info in found if info is not None}
    return {key: unit_of(chain, mint) for key, mint in read.items() if mint is not None}


def unit_of(chain: EmbeddedChain, mint: Mint) -> Unit:
    return Unit(mint, chain.block_time(chain.slot))


def token_amount(amount: int, decimals: int) -> Json:
    """`uiAmount` is written as the exact number, which a node rounds to 64 bits of floating point."""
    return _amount_json(amount, decimals, ui_amount(amount, decimals))


def _amount_json(amount: int, decimals: int, text: str) -> Json:
    number = Decimal(text)
    shown = {"uiAmount": number if number.is_finite() else None, "uiAmountString": text}
    return {"amount": str(amount), "decimals": decimals, **shown}
