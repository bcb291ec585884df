from uuid import RFC_4122, UUID

import pytest

from countermand.kernel.ids import Ids
from countermand.values.bucket import BUCKETS, Bucket, bucket_hinted_by
from countermand.values.instant import Instant

AT = Instant(1_790_000_000_123)


def test_an_order_id_is_a_version_7_uuid_that_ends_with_its_bucket() -> None:
    ids = Ids(1)
    for bucket in range(BUCKETS):
        made = ids.order_id(AT, Bucket(bucket))
        uuid = UUID(made)
        assert (str(uuid), uuid.version, uuid.variant, uuid.int >> 80) == (made, 7, RFC_4122, AT)
        assert bucket_hinted_by(made) == bucket


def test_all_bits_but_time_version_variant_and_bucket_are_random() -> None:
    ids, ones, zeros = Ids(1), 0, 0
    for _ in range(200):
        number = UUID(ids.order_id(AT, Bucket(0))).int
        ones, zeros = ones | number, zeros | ~number
    assert (ones & zeros & (1 << 128) - 1).bit_count() == 66


def test_a_nonce_is_a_version_7_uuid_with_74_random_bits() -> None:
    ids, ones, zeros = Ids(1), 0, 0
    for _ in range(200):
        uuid = UUID(ids.nonce(AT))
        assert (uuid.version, uuid.variant) == (7, RFC_4122)
        ones, zeros = ones | uuid.int, zeros | ~uuid.int
    assert (ones & zeros & (1 << 128) - 1).bit_count() == 74


@pytest.mark.parametrize("seed", [None, 7])
def test_ids_rise_with_time(seed: int | None) -> None:
    ids = Ids(seed)
    made = [ids.order_id(Instant(AT + number), Bucket(255 - number)) for number in range(100)]
    assert made == sorted(made)
