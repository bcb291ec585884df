"""The 256 buckets that wallets fall into: what a shard owns is a range of them, with all rows of their wallets."""

from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Final, NewType

from countermand.values.identity import OrderId, Wallet
from countermand.values.structs import Struct

Bucket = NewType("Bucket", int)
"""0 to 255. Fixed for ever: owners change, the bucket of a wallet does not."""

BUCKETS: Final = 256
WALLETS_REMEMBERED: Final = 16_384
_KEY_BYTES: Final = 32
_KEY_SIGNS_MAX: Final = 44
_DIGITS: Final = MappingProxyType(
    {sign: digit for digit, sign in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
)


@lru_cache(maxsize=WALLETS_REMEMBERED)
def bucket_of(wallet: Wallet) -> Bucket:
    """The first byte of the SHA-256 of the public key's 32 bytes. Raises `ValueError` for what is no key in base58."""
    return Bucket(sha256(_key_of(wallet)).digest()[0])


def _key_of(wallet: Wallet) -> bytes:
    zeros = len(wallet) - len(wallet.lstrip("1"))
    number = 0
    try:
        for sign in wallet[: _KEY_SIGNS_MAX + 1]:
            number = number * 58 + _DIGITS[sign]
    except KeyError:
        zeros = -1
    if len(wallet) > _KEY_SIGNS_MAX or zeros + (number.bit_length() + 7) // 8 != _KEY_BYTES:
        raise ValueError(f"{wallet!r} is no public key in base58")
    return number.to_bytes(_KEY_BYTES)


def bucket_hinted_by(order_id: OrderId) -> Bucket:
    """What the last byte of the id says. Only a hint: the order's row says which bucket it is in."""
    return Bucket(int(order_id[-2:], 16))


class BucketRange(Struct, frozen=True):
    """From `first` to `last`, both of them included."""

    first: Bucket
    last: Bucket

    def __post_init__(self) -> None:
        assert 0 <= self.first <= self.last < BUCKETS, f"{self.first} to {self.last} is no range of buckets"

    def __contains__(self, bucket: Bucket) -> bool:
        return self.first <= bucket <= self.last


ALL_BUCKETS: Final = BucketRange(Bucket(0), Bucket(BUCKETS - 1))
