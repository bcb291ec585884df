"""The filters of `getProgramAccounts` and `programSubscribe`."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from countermand.solana.facade import params
from countermand.solana.facade.encode import token_account_of
from countermand.solana.facade.errors import invalid_params
from countermand.solana.facade.params import WireEncoding
from countermand.solana.port import FILTERS_MAX, MEMCMP_BYTES_MAX, AccountInfo, Memcmp

_MEMCMP_BASE58_CHARACTERS_MAX: Final = 175


class AccountFilters(Struct, frozen=True):
    """What an account must be to be kept. More than one size can only be asked for by mistake, and keeps nothing."""

    data_sizes: tuple[int, ...]
    memcmp: tuple[Memcmp, ...]
    token_accounts: bool

    def __call__(self, info: AccountInfo) -> bool:
        return (
            all(len(info.data) == size for size in self.data_sizes)
            and all(info.data.startswith(wanted, offset) for offset, wanted in self.memcmp)
            and (not self.token_accounts or token_account_of(info) is not None)
        )


def account_filters(filters: Sequence[params.AccountFilter | str]) -> AccountFilters:
    """What `getProgramAccounts` and `programSubscribe` keep: the accounts that pass every filter."""
    if len(filters) > FILTERS_MAX:
        raise invalid_params(f"Too many filters provided; max {FILTERS_MAX}")
    sizes: list[int] = []
    memcmp: list[Memcmp] = []
    token_accounts = False
    for asked in filters:
        if asked == "tokenAccountState" or (isinstance(asked, params.AccountFilter) and asked.token_account_state):
            token_accounts = True
        elif isinstance(asked, str) or (asked.memcmp is None) == (asked.data_size is None):
            raise invalid_params("Invalid params: a filter is memcmp, dataSize or tokenAccountState")
        elif asked.data_size is not None:
            sizes.append(asked.data_size)
        elif asked.memcmp is not None and (wanted := _memcmp_bytes(asked.memcmp)):
            memcmp.append((asked.memcmp.offset, wanted))
    return AccountFilters(tuple(sizes), tuple(memcmp), token_accounts)


def _memcmp_bytes(memcmp: params.Memcmp) -> bytes:
    if isinstance(memcmp.bytes, list):
        wanted = bytes(memcmp.bytes)
    elif memcmp.encoding is WireEncoding.BASE64:
        wanted = params.base64_bytes(memcmp.bytes)
    else:
        wanted = params.base58_bytes(memcmp.bytes, characters_max=_MEMCMP_BASE58_CHARACTERS_MAX)
    if len(wanted) > MEMCMP_BYTES_MAX:
        raise invalid_params(f"memcmp: {len(wanted)} bytes to compare (max: {MEMCMP_BYTES_MAX})")
    return wanted
