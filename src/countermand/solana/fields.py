"""Accounts found by what stands in them: an index of the 32 bytes at an offset of each account of a program.

Programs keep the key of an account's owner at a fixed place. The index is kept with the accounts, knows no program, and
is never the truth: a reader that finds an account by it looks at the account itself.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from solders.account import Account
from solders.pubkey import Pubkey

from countermand.solana.port import Memcmp

FIELD_BYTES: Final = 32

_Found: TypeAlias = bytes | dict[bytes, None]
"""The key of the only account with some bytes, or the keys of all: most owners have one, and some have thousands."""


class FieldIndex:
    """`offsets` names the places of each program whose accounts are indexed."""

    def __init__(self, offsets: Mapping[Pubkey, Sequence[int]]) -> None:
        self._fields: dict[Pubkey, dict[int, dict[bytes, _Found]]] = {
            program: {offset: {} for offset in places} for program, places in offsets.items() if places
        }

    def change(self, key: Pubkey, before: Account | None, after: Account | None) -> None:
        """An account that was `before` is `after` now; None: it is gone."""
        if not self._fields:
            return
        old, new = self._values(before), self._values(after)
        if old == new:
            return
        for field, value in old:
            _remove(field, value, bytes(key))
        for field, value in new:
            _add(field, value, bytes(key))

    def find(self, program: Pubkey, memcmp: Sequence[Memcmp]) -> list[Pubkey] | None:
        """The accounts with what one of these comparisons asks for; None if none of them covers an indexed place."""
        fields = self._fields.get(program, {})
        for start, wanted in memcmp:
            for offset, field in fields.items():
                if start <= offset and offset + FIELD_BYTES <= start + len(wanted):
                    found = field.get(wanted[offset - start : offset - start + FIELD_BYTES], {})
                    return [Pubkey(key) for key in ([found] if isinstance(found, bytes) else found)]
        return None

    def _values(self, account: Account | None) -> list[tuple[dict[bytes, _Found], bytes]]:
        if account is None or (fields := self._fields.get(account.owner)) is None:
            return []
        data = account.data
        return [
            (field, data[offset : offset + FIELD_BYTES])
            for offset, field in fields.items()
            if len(data) >= offset + FIELD_BYTES
        ]


def _add(field: dict[bytes, _Found], value: bytes, key: bytes) -> None:
    found = field.setdefault(value, key)
    if isinstance(found, dict):
        found[key] = None
    elif found != key:
        field[value] = {found: None, key: None}


def _remove(field: dict[bytes, _Found], value: bytes, key: bytes) -> None:
    found = field[value]
    if isinstance(found, dict) and len(found) > 1:
        del found[key]
    else:
        del field[value]
