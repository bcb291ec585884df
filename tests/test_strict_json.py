import pytest

from countermand.strict_json import duplicate_key


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"a":1,"b":2}', None),
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"x":{"a":1},"y":{"a":1}}', None),
        (b'[{"x":[{"k":1,"k":2}]}]', "k"),
        (b'{"a":1,"a":', None),
        (b'{"a":1e9999999999,"b":' + b"9" * 10_000 + b"}", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_key_that_stands_twice(body: bytes, key: str | None) -> None:
    assert duplicate_key(body) == key
