"""What the tables of instructions are made of: a type, the roles of the accounts, and the fields in their order."""

from collections.abc import Callable, Mapping
from typing import Any

from countermand.solana.port import Address
from countermand.solana.programs.anchor import Fields

Json = dict[str, Any]
Accounts = tuple[Address, ...]
Details = tuple[str, Json] | None
"""The type of an instruction and what it says, or None when the bytes are not one that is known here."""

Roles = tuple[str, ...]
Read = Callable[[Fields], object]
Shape = tuple[str, Roles, Mapping[str, Read]]


class Omitted:
    """A field that is left out where its value is missing, instead of being null."""

    def __init__(self, read: Read) -> None:
        self.read = read

    def __call__(self, of: Fields) -> object:
        return self.read(of)


def read_fields(fields: Mapping[str, Read], of: Fields) -> Json:
    read = {name: field(of) for name, field in fields.items()}
    return {name: value for name, value in read.items() if value is not None or not isinstance(fields[name], Omitted)}


def unsigned(shape: Shape, accounts: Accounts, of: Fields) -> Details:
    name, roles, fields = shape
    return name, {**{role: accounts[i] for i, role in enumerate(roles)}, **read_fields(fields, of)}


def signed(shape: Shape, accounts: Accounts, of: Fields) -> Details:
    """Its last role is an authority, which may be a multisig with its signers behind it."""
    name, roles, fields = shape
    return name, {**with_authority(roles, accounts), **read_fields(fields, of)}


def with_authority(names: Roles, accounts: Accounts) -> Json:
    """The accounts by name. What follows the last one are the signers of a multisig authority."""
    if len(accounts) <= len(names):
        return {name: accounts[i] for i, name in enumerate(names)}
    *named, authority = names
    info: Json = {name: accounts[i] for i, name in enumerate(named)}
    info[f"multisig{authority[0].upper()}{authority[1:]}"] = accounts[len(named)]
    return {**info, "signers": list(accounts[len(names) :])}
