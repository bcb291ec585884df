"""Instructions of the extensions of Token-2022, and of the metadata and groups that it keeps, in a node's words.

An extension has a number among the instructions, and counts its own after it. Those that are confidential are left to
be shown as bytes. The texts are those of Agave's `solana-transaction-status`.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.solana.facade.encode import token_amount
from countermand.solana.facade.parsed_shapes import (
    Accounts,
    Details,
    Json,
    Omitted,
    Read,
    Shape,
    signed,
    unsigned,
    with_authority,
)
from countermand.solana.programs.anchor import Fields, Unreadable
from countermand.solana.token_extensions import EXTENSIONS, STATES, float_text, key_or_none, text_of

_INSTRUCTION_NAMES: Final = {"scaledUiAmountConfig": "scaledUiAmount", "pausableConfig": "pausable"}
"""What instructions call an extension that its account calls otherwise."""


def extension_name(number: int) -> str:
    if number >= len(EXTENSIONS):
        raise Unreadable(f"no extension {number}")
    return _INSTRUCTION_NAMES.get(EXTENSIONS[number], EXTENSIONS[number])


def extension_names(of: Fields) -> list[str]:
    return [extension_name(of.u16()) for _ in range(of.left // 2)]


def _state(of: Fields) -> str:
    return STATES[of.u8()]


def _multiplier(of: Fields) -> str:
    return float_text(of.f64())


def _optional_key(of: Fields) -> object:
    return of.option(of.key)


def _optional_u64(of: Fields) -> object:
    return of.option(of.u64)


def _optional_amount(of: Fields) -> object:
    amount = of.option(of.u64)
    return None if amount is None else str(amount)


_KEY_IF_ANY: Final[Read] = Omitted(key_or_none)


def _pointer(name: str, field: str) -> Mapping[int, tuple[Shape, bool]]:
    return {
        0: ((f"initialize{name}", ("mint",), {"authority": _KEY_IF_ANY, field: _KEY_IF_ANY}), False),
        1: ((f"update{name}", ("mint", "authority"), {field: _KEY_IF_ANY}), True),
    }


def _switch(name: str) -> Mapping[int, tuple[Shape, bool]]:
    return {
        0: ((f"enable{name}", ("account", "owner"), {}), True),
        1: ((f"disable{name}", ("account", "owner"), {}), True),
    }


_ALONE: Final[Mapping[int, tuple[Shape, bool]]] = MappingProxyType(
    {
        25: (("initializeMintCloseAuthority", ("mint",), {"newAuthority": _optional_key}), False),
        29: (("reallocate", ("account", "payer", "systemProgram", "owner"), {"extensionTypes": extension_names}), True),
        31: (("createNativeMint", ("payer", "nativeMint", "systemProgram"), {}), False),
        35: (("initializePermanentDelegate", ("mint",), {"delegate": Fields.key}), False),
        45: (("unwrapLamports", ("source", "destination", "authority"), {"amount": Omitted(_optional_amount)}), True),
    }
)
"""Whether the last role is an authority stands behind each shape."""

_COUNTED: Final[Mapping[int, Mapping[int, tuple[Shape, bool]]]] = MappingProxyType(
    {
        28: {
            0: (("initializeDefaultAccountState", ("mint",), {"accountState": _state}), False),
            1: (("updateDefaultAccountState", ("mint", "freezeAuthority"), {"accountState": _state}), True),
        },
        30: _switch("RequiredMemoTransfers"),
        33: {
            0: (
                ("initializeInterestBearingConfig", ("mint",), {"rateAuthority": key_or_none, "rate": Fields.i16}),
                False,
            ),
            1: (("updateInterestBearingConfigRate", ("mint", "rateAuthority"), {"newRate": Fields.i16}), True),
        },
        34: _switch("CpiGuard"),
        36: _pointer("TransferHook", "programId"),
        39: _pointer("MetadataPointer", "metadataAddress"),
        40: _pointer("GroupPointer", "groupAddress"),
        41: _pointer("GroupMemberPointer", "memberAddress"),
        43: {
            0: (
                ("initializeScaledUiAmountConfig", ("mint",), {"authority": key_or_none, "multiplier": _multiplier}),
                False,
            ),
            1: (
                (
                    "updateMultiplier",
                    ("mint", "authority"),
                    {"newMultiplier": _multiplier, "newMultiplierTimestamp": Fields.i64},
                ),
                True,
            ),
        },
        44: {
            0: (("initializePausableConfig", ("mint",), {"authority": key_or_none}), False),
            1: (("pause", ("mint", "authority"), {}), True),
            2: (("resume", ("mint", "authority"), {}), True),
        },
    }
)
_TRANSFER_FEE: Final = 26


def extension_instruction(number: int, accounts: Accounts, of: Fields) -> Details:
    """`of`: what follows the number."""
    if number == _TRANSFER_FEE:
        return _transfer_fee(of.u8(), accounts, of)
    found = _ALONE.get(number)
    if found is None and number in _COUNTED:
        found = _COUNTED[number].get(of.u8())
    if found is None:
        return None
    shape, has_authority = found
    return (signed if has_authority else unsigned)(shape, accounts, of)


# Fees of transfers.

_FEE: Final[Mapping[str, Read]] = {"transferFeeBasisPoints": Fields.u16, "maximumFee": Fields.u64}
_FEE_CONFIG: Final[Shape] = (
    "initializeTransferFeeConfig",
    ("mint",),
    {
        "transferFeeConfigAuthority": Omitted(_optional_key),
        "withdrawWithheldAuthority": Omitted(_optional_key),
        **_FEE,
    },
)
_OF_WITHHELD: Final = ("mint", "feeRecipient", "withdrawWithheldAuthority")


def _transfer_fee(number: int, accounts: Accounts, of: Fields) -> Details:
    if number == 0:
        return unsigned(_FEE_CONFIG, accounts, of)
    if number == 1:
        return "transferCheckedWithFee", _transfer_with_fee(accounts, of)
    if number == 2:
        return signed(("withdrawWithheldTokensFromMint", _OF_WITHHELD, {}), accounts, of)
    if number == 3:
        first = len(accounts) - of.u8()
        if first < len(_OF_WITHHELD):
            raise Unreadable("more accounts are named than there are")
        info = with_authority(_OF_WITHHELD, accounts[:first])
        return "withdrawWithheldTokensFromAccounts", {**info, "sourceAccounts": list(accounts[first:])}
    if number == 4:
        return "harvestWithheldTokensToMint", {"mint": accounts[0], "sourceAccounts": list(accounts[1:])}
    if number == 5:
        return signed(("setTransferFee", ("mint", "transferFeeConfigAuthority"), _FEE), accounts, of)
    return None


def _transfer_with_fee(accounts: Accounts, of: Fields) -> Json:
    amount, decimals, fee = of.u64(), of.u8(), of.u64()
    amounts = {"tokenAmount": token_amount(amount, decimals), "feeAmount": token_amount(fee, decimals)}
    return {**with_authority(("source", "mint", "destination", "authority"), accounts), **amounts}


# Metadata and groups: their interfaces begin instructions with eight bytes of a hash.


_INTERFACE_BYTES: Final = 8


def _interface(name: str) -> bytes:
    return hashlib.sha256(f"spl_token_{name}".encode()).digest()[:_INTERFACE_BYTES]


_FIELD_NAMES: Final = ("name", "symbol", "uri")


def _field(of: Fields) -> str:
    kind = of.u8()
    return text_of(of) if kind == len(_FIELD_NAMES) else _FIELD_NAMES[kind]


_OF_METADATA: Final = ("metadata", "updateAuthority")
_OF_GROUP: Final = ("group", "updateAuthority")
_INTERFACES: Final[Mapping[bytes, Shape]] = MappingProxyType(
    {
        _interface("metadata_interface:initialize_account"): (
            "initializeTokenMetadata",
            (*_OF_METADATA, "mint", "mintAuthority"),
            {"name": text_of, "symbol": text_of, "uri": text_of},
        ),
        _interface("metadata_interface:updating_field"): (
            "updateTokenMetadataField",
            _OF_METADATA,
            {"field": _field, "value": text_of},
        ),
        _interface("metadata_interface:remove_key_ix"): (
            "removeTokenMetadataKey",
            _OF_METADATA,
            {"idempotent": Fields.flag, "key": text_of},
        ),
        _interface("metadata_interface:update_the_authority"): (
            "updateTokenMetadataAuthority",
            _OF_METADATA,
            {"newAuthority": key_or_none},
        ),
        _interface("metadata_interface:emitter"): (
            "emitTokenMetadata",
            ("metadata",),
            {"start": Omitted(_optional_u64), "end": Omitted(_optional_u64)},
        ),
        _interface("group_interface:initialize_token_group"): (
            "initializeTokenGroup",
            ("group", "mint", "mintAuthority"),
            {"updateAuthority": key_or_none, "maxSize": Fields.u64},
        ),
        _interface("group_interface:update_group_max_size"): (
            "updateTokenGroupMaxSize",
            _OF_GROUP,
            {"maxSize": Fields.u64},
        ),
        _interface("group_interface:update_authority"): (
            "updateTokenGroupAuthority",
            _OF_GROUP,
            {"newAuthority": key_or_none},
        ),
        _interface("group_interface:initialize_member"): (
            "initializeTokenGroupMember",
            ("member", "memberMint", "memberMintAuthority", "group", "groupUpdateAuthority"),
            {},
        ),
    }
)


def interface_instruction(accounts: Accounts, data: bytes) -> Details:
    shape = _INTERFACES.get(data[:_INTERFACE_BYTES])
    return None if shape is None else unsigned(shape, accounts, Fields(data, _INTERFACE_BYTES))
