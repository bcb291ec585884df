"""How much a transaction loads, as SIMD-0186 has the runtime count it."""

from collections.abc import Callable, Sequence
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey

from countermand.solana.tokens import UPGRADEABLE_LOADER

_ACCOUNT_BYTES: Final = 64
"""Of each account that there is, beside its data."""

_TABLE_BYTES: Final = 8_248
"""Of each lookup table, however long it is."""

_LOADER: Final = Pubkey.from_string(UPGRADEABLE_LOADER)
_INSTRUCTIONS: Final = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
_IS_PROGRAM: Final = (2).to_bytes(4, "little")
_PROGRAM_BYTES: Final = 36


def loaded_bytes(keys: Sequence[Pubkey], tables: int, get: Callable[[Pubkey], Account | None]) -> int:
    """`keys`: all of the transaction, each once; `get`: an account as it is before. Programs bring their code along."""
    found = [account for key in keys if key != _INSTRUCTIONS and (account := get(key)) is not None]
    code = dict.fromkeys(key for account in found if (key := _code_of(account)) is not None and key not in keys)
    found += [account for key in code if (account := get(key)) is not None]
    return tables * _TABLE_BYTES + sum(_ACCOUNT_BYTES + len(each.data) for each in found if each.lamports)


def _code_of(account: Account) -> Pubkey | None:
    if account.owner != _LOADER:
        return None
    data = account.data
    is_program = len(data) == _PROGRAM_BYTES and data.startswith(_IS_PROGRAM)
    return Pubkey(data[len(_IS_PROGRAM) :]) if is_program else None
