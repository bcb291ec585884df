"""Who may run the orders of others: an account of each order program, which a genesis writes, names the keepers.

Its layout is our own: the published programs do not tell theirs.
"""

import struct
from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey

from countermand.solana.port import AccountInfo, Address
from countermand.solana.programs.anchor import DISCRIMINATOR_BYTES, account_discriminator, derived, key, rent_lamports

KEEPERS_DISCRIMINATOR: Final = account_discriminator("Keepers")

_COUNT: Final = struct.Struct("<Q")
_HEAD_BYTES: Final = DISCRIMINATOR_BYTES + _COUNT.size


def keepers_address(program: Address) -> Address:
    """Where the program keeps its list."""
    return derived(program, b"keepers")[0]


def keepers_bytes(keepers: Sequence[Address]) -> bytes:
    return KEEPERS_DISCRIMINATOR + _COUNT.pack(len(keepers)) + b"".join(bytes(key(each)) for each in keepers)


def read_keepers(data: bytes) -> tuple[Address, ...] | None:
    """None unless these are the bytes of a list."""
    if len(data) < _HEAD_BYTES or not data.startswith(KEEPERS_DISCRIMINATOR):
        return None
    (count,) = _COUNT.unpack_from(data, DISCRIMINATOR_BYTES)
    keys = data[_HEAD_BYTES : _HEAD_BYTES + 32 * count]
    if len(keys) != 32 * count:
        return None
    return tuple(str(Pubkey(keys[at : at + 32])) for at in range(0, len(keys), 32))


def keepers_accounts(programs: Sequence[Address], keepers: Sequence[Address]) -> dict[Address, AccountInfo]:
    """The lists of these programs, for a genesis: later nothing can write them."""
    data = keepers_bytes(keepers)
    lamports = rent_lamports(len(data))
    return {keepers_address(each): AccountInfo(lamports, each, data, executable=False) for each in programs}
