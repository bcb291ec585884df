"""Instructions as `jsonParsed` shows them: in words where the program is known, else as accounts and base58 data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import base58

from countermand.solana.facade.encode import TOKEN_PROGRAMS, token_amount
from countermand.solana.port import Address
from countermand.solana.tokens import ASSOCIATED_TOKEN_PROGRAM, MEMO_PROGRAMS, SYSTEM_PROGRAM

Json = dict[str, Any]
Details = tuple[str, Json] | None
"""The type of an instruction and what it says, or None when the bytes are not one that is known here."""


@dataclass(frozen=True, slots=True)
class Instruction:
    program: Address
    accounts: tuple[Address, ...]
    data: bytes
    stack_height: int


def parsed_instruction(instruction: Instruction) -> Json:
    """One instruction; whatever does not read as a known one is shown partially decoded, as a node does."""
    name, parse = _parser(instruction.program)
    try:
        details = parse(instruction.accounts, instruction.data) if parse else None
    except (IndexError, UnicodeDecodeError):
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


_Parser = Callable[[tuple[Address, ...], bytes], Details]


def _parser(program: Address) -> tuple[str, _Parser | None]:
    if program in TOKEN_PROGRAMS:
        return TOKEN_PROGRAMS[program], _token
    return _PARSERS.get(program, ("", None))


def _system(accounts: tuple[Address, ...], data: bytes) -> Details:
    kind, rest = int.from_bytes(data[:4], "little"), data[4:]
    if kind == 0 and len(rest) == 48:
        info = {"source": accounts[0], "newAccount": accounts[1], "lamports": _u64(rest, 0), "space": _u64(rest, 8)}
        return "createAccount", {**info, "owner": _key(rest, 16)}
    if kind == 2 and len(rest) == 8:
        return "transfer", {"source": accounts[0], "destination": accounts[1], "lamports": _u64(rest, 0)}
    if kind == 3 and len(rest) >= 40 and len(rest) == 88 + _u64(rest, 32):
        end = 40 + _u64(rest, 32)
        info = {"source": accounts[0], "newAccount": accounts[1], "base": _key(rest, 0), "seed": rest[40:end].decode()}
        return "createAccountWithSeed", {
            **info,
            "lamports": _u64(rest, end),
            "space": _u64(rest, end + 8),
            "owner": _key(rest, end + 16),
        }
    if kind == 4 and not rest:
        info = {"nonceAccount": accounts[0], "recentBlockhashesSysvar": accounts[1], "nonceAuthority": accounts[2]}
        return "advanceNonce", info
    return None


def _associated_token(accounts: tuple[Address, ...], data: bytes) -> Details:
    if data not in (b"", b"\0", b"\1"):
        return None
    names = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
    info = {name: accounts[i] for i, name in enumerate(names)}
    return ("createIdempotent" if data == b"\1" else "create"), info


def _memo(_accounts: tuple[Address, ...], data: bytes) -> Details:
    return data.decode(), {}


def _token(accounts: tuple[Address, ...], data: bytes) -> Details:
    kind, rest = data[0], data[1:]
    if (checked := _TOKEN_CHECKED.get(kind)) is not None and len(rest) == 9:
        name, roles = checked
        amount = token_amount(_u64(rest, 0), rest[8])
        return name, {**_roles(roles, accounts), "tokenAmount": amount}
    if (plain := _TOKEN_AMOUNTS.get(kind)) is not None and len(rest) == 8:
        name, roles = plain
        return name, {**_roles(roles, accounts), "amount": str(_u64(rest, 0))}
    if (bare := _TOKEN_BARE.get(kind)) is not None and not rest:
        name, roles = bare
        return name, _roles(roles, accounts)
    if kind in (16, 18) and len(rest) == 32:
        info = {"account": accounts[0], "mint": accounts[1], "owner": _key(rest, 0)}
        return f"initializeAccount{2 if kind == 16 else 3}", info
    return None


_TOKEN_AMOUNTS: Final[Mapping[int, tuple[str, tuple[str, ...]]]] = {
    3: ("transfer", ("source", "destination", "authority")),
    4: ("approve", ("source", "delegate", "owner")),
    7: ("mintTo", ("mint", "account", "mintAuthority")),
    8: ("burn", ("account", "mint", "authority")),
}
_TOKEN_CHECKED: Final[Mapping[int, tuple[str, tuple[str, ...]]]] = {
    12: ("transferChecked", ("source", "mint", "destination", "authority")),
    13: ("approveChecked", ("source", "mint", "delegate", "owner")),
    14: ("mintToChecked", ("mint", "account", "mintAuthority")),
    15: ("burnChecked", ("account", "mint", "authority")),
}
_TOKEN_BARE: Final[Mapping[int, tuple[str, tuple[str, ...]]]] = {
    1: ("initializeAccount", ("account", "mint", "owner", "rentSysvar")),
    5: ("revoke", ("source", "owner")),
    9: ("closeAccount", ("account", "destination", "owner")),
    10: ("freezeAccount", ("account", "mint", "freezeAuthority")),
    11: ("thawAccount", ("account", "mint", "freezeAuthority")),
    17: ("syncNative", ("account",)),
    22: ("initializeImmutableOwner", ("account",)),
}

_PARSERS: Final[Mapping[Address, tuple[str, _Parser]]] = {
    SYSTEM_PROGRAM: ("system", _system),
    ASSOCIATED_TOKEN_PROGRAM: ("spl-associated-token-account", _associated_token),
    **dict.fromkeys(MEMO_PROGRAMS, ("spl-memo", _memo)),
}


def _roles(names: tuple[str, ...], accounts: tuple[Address, ...]) -> Json:
    """The accounts by name. What follows the last one are the signers of a multisig authority."""
    if len(accounts) <= len(names):
        return {name: accounts[i] for i, name in enumerate(names)}
    *named, authority = names
    info: Json = {name: accounts[i] for i, name in enumerate(named)}
    if authority in ("authority", "owner", "mintAuthority", "freezeAuthority"):
        info[f"multisig{authority[0].upper()}{authority[1:]}"] = accounts[len(named)]
        return {**info, "signers": list(accounts[len(names) :])}
    return {**info, authority: accounts[len(named)]}


def _u64(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")


def _key(data: bytes, offset: int) -> Address:
    return base58.b58encode(data[offset : offset + 32]).decode()
