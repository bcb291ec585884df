"""Instructions as `jsonParsed` shows them: in words where the program is known, else as accounts and base58 data.

Each program is a table: by the number that an instruction begins with, its type, the roles of its accounts, and its
fields in their order. Bytes that follow are ignored, as a node ignores them.
"""

from collections.abc import Callable, Mapping
from typing import Final

import base58
from msgspec import Struct

from countermand.solana.facade.encode import TOKEN_PROGRAM_NAMES, token_amount
from countermand.solana.facade.parsed_extensions import extension_instruction, extension_names, interface_instruction
from countermand.solana.facade.parsed_shapes import (
    Accounts,
    Details,
    Json,
    Roles,
    Shape,
    signed,
    unsigned,
    with_authority,
)
from countermand.solana.port import Address
from countermand.solana.programs.anchor import Fields, Unreadable
from countermand.solana.tokens import ASSOCIATED_TOKEN_PROGRAM, LOOKUP_TABLE_PROGRAM, MEMO_PROGRAMS, SYSTEM_PROGRAM


class Instruction(Struct, frozen=True):
    program: Address
    accounts: Accounts
    data: bytes
    stack_height: int


def parsed_instruction(instruction: Instruction) -> Json:
    """One instruction; whatever does not read as a known one is shown partially decoded, as a node does."""
    name, parse = _PARSERS.get(instruction.program, ("", None))
    try:
        details = parse(instruction.accounts, instruction.data) if parse else None
    except (IndexError, UnicodeDecodeError, Unreadable):
        details = None
    if instruction.program in MEMO_PROGRAMS and details is not None:
        shown: Json = {"parsed": details[0], "program": name, "programId": instruction.program}
    elif details is not None:
        parsed = {"info": details[1], "type": details[0]}
        shown = {"parsed": parsed, "program": name, "programId": instruction.program}
    else:
        data = base58.b58encode(instruction.data).decode()
        shown = {"accounts": list(instruction.accounts), "data": data, "programId": instruction.program}
    return {**shown, "stackHeight": instruction.stack_height}


_Parser = Callable[[Accounts, bytes], Details]


def _seed(of: Fields) -> str:
    """Its length takes 8 bytes."""
    return of.take(of.u64()).decode()


def _keys(of: Fields) -> list[Address]:
    """Their number takes 8 bytes."""
    return [of.key() for _ in range(of.u64())]


def _text(of: Fields) -> str:
    return of.rest().decode()


def _amount(of: Fields) -> str:
    return str(of.u64())


_SYSTEM: Final[Mapping[int, Shape]] = {
    0: ("createAccount", ("source", "newAccount"), {"lamports": Fields.u64, "space": Fields.u64, "owner": Fields.key}),
    1: ("assign", ("account",), {"owner": Fields.key}),
    2: ("transfer", ("source", "destination"), {"lamports": Fields.u64}),
    3: (
        "createAccountWithSeed",
        ("source", "newAccount"),
        {"base": Fields.key, "seed": _seed, "lamports": Fields.u64, "space": Fields.u64, "owner": Fields.key},
    ),
    4: ("advanceNonce", ("nonceAccount", "recentBlockhashesSysvar", "nonceAuthority"), {}),
    5: (
        "withdrawFromNonce",
        ("nonceAccount", "destination", "recentBlockhashesSysvar", "rentSysvar", "nonceAuthority"),
        {"lamports": Fields.u64},
    ),
    6: (
        "initializeNonce",
        ("nonceAccount", "recentBlockhashesSysvar", "rentSysvar"),
        {"nonceAuthority": Fields.key},
    ),
    7: ("authorizeNonce", ("nonceAccount", "nonceAuthority"), {"newAuthorized": Fields.key}),
    8: ("allocate", ("account",), {"space": Fields.u64}),
    9: (
        "allocateWithSeed",
        ("account",),
        {"base": Fields.key, "seed": _seed, "space": Fields.u64, "owner": Fields.key},
    ),
    10: ("assignWithSeed", ("account",), {"base": Fields.key, "seed": _seed, "owner": Fields.key}),
    11: (
        "transferWithSeed",
        ("source", "sourceBase", "destination"),
        {"lamports": Fields.u64, "sourceSeed": _seed, "sourceOwner": Fields.key},
    ),
    12: ("upgradeNonce", ("nonceAccount",), {}),
}

_TABLE_ROLES: Final = ("lookupTableAccount", "lookupTableAuthority")
_LOOKUP_TABLE: Final[Mapping[int, Shape]] = {
    0: (
        "createLookupTable",
        (*_TABLE_ROLES, "payerAccount", "systemProgram"),
        {"recentSlot": Fields.u64, "bumpSeed": Fields.u8},
    ),
    1: ("freezeLookupTable", _TABLE_ROLES, {}),
    2: ("extendLookupTable", _TABLE_ROLES, {"newAddresses": _keys}),
    3: ("deactivateLookupTable", _TABLE_ROLES, {}),
    4: ("closeLookupTable", (*_TABLE_ROLES, "recipient"), {}),
}
_EXTEND: Final = "extendLookupTable"


def _system(accounts: Accounts, data: bytes) -> Details:
    return _numbered(_SYSTEM, Fields(data).u32(), accounts, Fields(data, 4))


def _lookup_table(accounts: Accounts, data: bytes) -> Details:
    found = _numbered(_LOOKUP_TABLE, Fields(data).u32(), accounts, Fields(data, 4))
    if found is not None and found[0] == _EXTEND and len(accounts) >= 4:
        return _EXTEND, {**found[1], "payerAccount": accounts[2], "systemProgram": accounts[3]}
    return found


def _numbered(shapes: Mapping[int, Shape], number: int, accounts: Accounts, of: Fields) -> Details:
    if (shape := shapes.get(number)) is None:
        return None
    return unsigned(shape, accounts, of)


_OF_ASSOCIATED: Final = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
_OF_NESTED: Final = (
    "nestedSource",
    "nestedMint",
    "destination",
    "nestedOwner",
    "ownerMint",
    "wallet",
    "tokenProgram",
)
_ASSOCIATED_TOKEN: Final[Mapping[bytes, tuple[str, Roles]]] = {
    b"": ("create", _OF_ASSOCIATED),
    b"\0": ("create", _OF_ASSOCIATED),
    b"\1": ("createIdempotent", _OF_ASSOCIATED),
    b"\2": ("recoverNested", _OF_NESTED),
}


def _associated_token(accounts: Accounts, data: bytes) -> Details:
    if (found := _ASSOCIATED_TOKEN.get(data)) is None:
        return None
    name, roles = found
    return unsigned((name, roles, {}), accounts, Fields(b""))


def _memo(_accounts: Accounts, data: bytes) -> Details:
    return data.decode(), {}


# Both token programs, which a node calls by one name.


def _amount_and_decimals(of: Fields) -> Json:
    amount = of.u64()
    return token_amount(amount, of.u8())


_TOKEN_SIGNED: Final[Mapping[int, Shape]] = {
    3: ("transfer", ("source", "destination", "authority"), {"amount": _amount}),
    4: ("approve", ("source", "delegate", "owner"), {"amount": _amount}),
    5: ("revoke", ("source", "owner"), {}),
    7: ("mintTo", ("mint", "account", "mintAuthority"), {"amount": _amount}),
    8: ("burn", ("account", "mint", "authority"), {"amount": _amount}),
    9: ("closeAccount", ("account", "destination", "owner"), {}),
    10: ("freezeAccount", ("account", "mint", "freezeAuthority"), {}),
    11: ("thawAccount", ("account", "mint", "freezeAuthority"), {}),
    12: ("transferChecked", ("source", "mint", "destination", "authority"), {"tokenAmount": _amount_and_decimals}),
    13: ("approveChecked", ("source", "mint", "delegate", "owner"), {"tokenAmount": _amount_and_decimals}),
    14: ("mintToChecked", ("mint", "account", "mintAuthority"), {"tokenAmount": _amount_and_decimals}),
    15: ("burnChecked", ("account", "mint", "authority"), {"tokenAmount": _amount_and_decimals}),
    38: ("withdrawExcessLamports", ("source", "destination", "authority"), {}),
}
"""The last role is an authority, which may be a multisig with its signers behind it."""

_TOKEN_UNSIGNED: Final[Mapping[int, Shape]] = {
    1: ("initializeAccount", ("account", "mint", "owner", "rentSysvar"), {}),
    16: ("initializeAccount2", ("account", "mint", "rentSysvar"), {"owner": Fields.key}),
    17: ("syncNative", ("account",), {}),
    18: ("initializeAccount3", ("account", "mint"), {"owner": Fields.key}),
    22: ("initializeImmutableOwner", ("account",), {}),
    23: ("amountToUiAmount", ("mint",), {"amount": _amount}),
    24: ("uiAmountToAmount", ("mint",), {"uiAmount": _text}),
    32: ("initializeNonTransferableMint", ("mint",), {}),
}
_INITIALIZE_MINT: Final[Mapping[int, tuple[str, Roles]]] = {
    0: ("initializeMint", ("mint", "rentSysvar")),
    20: ("initializeMint2", ("mint",)),
}
_INITIALIZE_MULTISIG: Final[Mapping[int, tuple[str, Roles]]] = {
    2: ("initializeMultisig", ("multisig", "rentSysvar")),
    19: ("initializeMultisig2", ("multisig",)),
}
_SET_AUTHORITY: Final = 6
_ACCOUNT_DATA_SIZE: Final = 21
_BATCH: Final = 255
_AUTHORITIES: Final = (
    "mintTokens",
    "freezeAccount",
    "accountOwner",
    "closeAccount",
    "transferFeeConfig",
    "withheldWithdraw",
    "closeMint",
    "interestRate",
    "permanentDelegate",
    "confidentialTransferMint",
    "transferHookProgramId",
    "confidentialTransferFeeConfig",
    "metadataPointer",
    "groupPointer",
    "groupMemberPointer",
    "scaledUiAmount",
    "pause",
)
_OF_ACCOUNTS: Final = ("accountOwner", "closeAccount")


def _token(accounts: Accounts, data: bytes) -> Details:
    of = Fields(data)
    kind = of.u8()
    if (with_signer := _TOKEN_SIGNED.get(kind)) is not None:
        return signed(with_signer, accounts, of)
    if (mint := _INITIALIZE_MINT.get(kind)) is not None:
        return mint[0], {**with_authority(mint[1], accounts[: len(mint[1])]), **_mint(of)}
    if (multisig := _INITIALIZE_MULTISIG.get(kind)) is not None:
        name, roles = multisig
        named = {role: accounts[i] for i, role in enumerate(roles)}
        return name, {**named, "m": of.u8(), "signers": list(accounts[len(roles) :])}
    if kind == _SET_AUTHORITY:
        return "setAuthority", _authority(accounts, of)
    if kind == _ACCOUNT_DATA_SIZE:
        wanted = extension_names(of)
        return "getAccountDataSize", {"mint": accounts[0], **({"extensionTypes": wanted} if wanted else {})}
    if kind == _BATCH:
        return "batch", {"instructions": _batch(accounts, of)}
    return (
        _numbered(_TOKEN_UNSIGNED, kind, accounts, of)
        or extension_instruction(kind, accounts, of)
        or interface_instruction(accounts, data)
    )


def _batch(accounts: Accounts, of: Fields) -> list[Json]:
    """Each has how many accounts it takes of the next, how many bytes, and the bytes. None is a batch again."""
    instructions: list[Json] = []
    while of.left:
        count, size = of.u8(), of.u8()
        taken, accounts, data = accounts[:count], accounts[count:], of.take(size)
        details = None if len(taken) < count or data[:1] == bytes([_BATCH]) else _token(taken, data)
        if details is None:
            raise Unreadable("an instruction of a batch that is not known")
        instructions.append({"type": details[0], "info": details[1]})
    return instructions


def _mint(of: Fields) -> Json:
    info: Json = {"decimals": of.u8(), "mintAuthority": of.key()}
    freezer = of.option(of.key)
    return info if freezer is None else {**info, "freezeAuthority": freezer}


def _authority(accounts: Accounts, of: Fields) -> Json:
    kind = _AUTHORITIES[of.u8()]
    roles = ("account" if kind in _OF_ACCOUNTS else "mint", "authority")
    return {**with_authority(roles, accounts), "authorityType": kind, "newAuthority": of.option(of.key)}


_PARSERS: Final[Mapping[Address, tuple[str, _Parser]]] = {
    SYSTEM_PROGRAM: ("system", _system),
    ASSOCIATED_TOKEN_PROGRAM: ("spl-associated-token-account", _associated_token),
    LOOKUP_TABLE_PROGRAM: ("address-lookup-table", _lookup_table),
    **dict.fromkeys(TOKEN_PROGRAM_NAMES, ("spl-token", _token)),
    **dict.fromkeys(MEMO_PROGRAMS, ("spl-memo", _memo)),
}
