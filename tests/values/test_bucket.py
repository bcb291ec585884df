from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from countermand.values.bucket import ALL_BUCKETS, BUCKETS, Bucket, BucketRange, bucket_hinted_by, bucket_of
from countermand.values.identity import OrderId, Wallet

ALICE = Wallet("ALiceyDVfcAhGRkbVhxjrSmRbxdd4uCrKwRSMYCGRVEb")


@given(st.binary(min_size=32, max_size=32))
@example(bytes(32))
@example(bytes(31) + b"\1")
@example(b"\xff" * 32)
def test_the_bucket_of_a_wallet_is_the_first_byte_of_the_hash_of_its_key(key: bytes) -> None:
    assert bucket_of(Wallet(str(Pubkey(key)))) == sha256(key).digest()[0]


def test_the_buckets_of_wallets_never_change() -> None:
    assert bucket_of(ALICE) == 225
    assert bucket_of(Wallet("1" * 32)) == 102


@pytest.mark.parametrize(
    "text",
    ["", "alice", "1" * 31, "1" * 33, "0" * 44, "z" * 44, ALICE[:-2], f"{ALICE}1", f"1{ALICE}", "é" * 44, "9" * 9_999],
)
def test_what_is_no_public_key_has_no_bucket(text: str) -> None:
    with pytest.raises(ValueError, match="is no public key in base58"):
        bucket_of(Wallet(text))


def test_the_last_byte_of_an_id_is_the_hint() -> None:
    assert bucket_hinted_by(OrderId("01900000-0000-7000-8000-0000000000a7")) == 0xA7


def test_a_range_holds_both_of_its_ends() -> None:
    owned = BucketRange(Bucket(3), Bucket(7))
    assert [bucket for bucket in range(BUCKETS) if Bucket(bucket) in owned] == [3, 4, 5, 6, 7]
    assert all(Bucket(bucket) in ALL_BUCKETS for bucket in range(BUCKETS))


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (4, 3), (0, 256)])
def test_what_is_no_range_is_refused(first: int, last: int) -> None:
    with pytest.raises(AssertionError, match="is no range of buckets"):
        BucketRange(Bucket(first), Bucket(last))
