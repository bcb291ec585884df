"""The filters of `getProgramAccounts` and `programSubscribe`."""

from collections.abc import Callable, Sequence
from typing import Final

from countermand.solana.facade import params
from countermand.solana.facade.encode import token_account_of
from countermand.solana.facade.errors import invalid_params
from countermand.solana.facade.params import WireEncoding
from countermand.solana.port import AccountInfo

FILTERS_MAX: Final = 4
MEMCMP_BYTES_MAX: Final = 128
_MEMCMP_BASE58_CHARACTERS_MAX: Final = 175


def account_filter(filters: Sequence[params.AccountFilter | str]) -> Callable[[AccountInfo], bool]:
    """What `getProgramAccounts` and `programSubscribe` keep: the accounts that pass every filter."""
    if len(filters) > FILTERS_MAX:
        raise invalid_params(f"Too many filters provided; max {FILTERS_MAX}")
    tests = [_test(asked) for asked in filters]
    return lambda info: all(test(info) for test in tests)


def _test(asked: params.AccountFilter | str) -> Callable[[AccountInfo], bool]:
    if asked == "tokenAccountState" or (isinstance(asked, params.AccountFilter) and asked.token_account_state):
        return lambda info: token_account_of(info) is not None
    if isinstance(asked, str) or (asked.memcmp is None) == (asked.data_size is None):
        raise invalid_params("Invalid params: a filter is memcmp, dataSize or tokenAccountState")
    if (size := asked.data_size) is not None:
        return lambda info: len(info.data) == size
    assert asked.memcmp is not None
    offset, wanted = asked.memcmp.offset, _memcmp_bytes(asked.memcmp)
    return lambda info: info.data[offset : offset + len(wanted)] == wanted


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
