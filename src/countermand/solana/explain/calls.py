"""The instructions of a message with addresses in place of indices."""

from collections.abc import Iterator

from msgspec import Struct
from solders.message import MessageV0
from solders.pubkey import Pubkey

from countermand.solana.port import Address
from countermand.solana.programs.anchor import Fields, Unreadable
from countermand.solana.wire import WireTransaction


class Call(Struct, frozen=True):
    """An instruction. An account that a lookup table adds has words in place of its address."""

    program: Address
    accounts: tuple[Address, ...]
    data: bytes

    def account(self, index: int) -> Address:
        if index >= len(self.accounts):
            raise Unreadable(f"account {index} is missing")
        return self.accounts[index]

    def fields(self, at: int = 0) -> Fields:
        return Fields(self.data, at)

    def begins(self, program: Address, data: bytes) -> bool:
        return self.program == program and self.data.startswith(data)


def calls_of(wire: WireTransaction) -> tuple[Call, ...]:
    keys = [str(key) for key in wire.static_keys]
    if isinstance(wire.message, MessageV0):
        keys += _looked_up(wire.message)
    return tuple(
        Call(keys[each.program_id_index], tuple(keys[index] for index in each.accounts), bytes(each.data))
        for each in wire.message.instructions
    )


def lookups_of(wire: WireTransaction) -> Iterator[tuple[Address, int]]:
    """The lookup tables of a message, and how many accounts it takes from each."""
    if isinstance(wire.message, MessageV0):
        for table in wire.message.address_table_lookups:
            yield str(table.account_key), len(table.writable_indexes) + len(table.readonly_indexes)


def _looked_up(message: MessageV0) -> Iterator[Address]:
    """In the order of a node: the writable ones of all tables, then the readonly ones."""
    tables = message.address_table_lookups
    for table in tables:
        yield from (_place(table.account_key, index) for index in table.writable_indexes)
    for table in tables:
        yield from (_place(table.account_key, index) for index in table.readonly_indexes)


def _place(table: Pubkey, index: int) -> Address:
    return f"entry {index} of the lookup table {table}"
