"""Base64 as clients write it (D5). What node's `Buffer.from` reads is written here, and not asked of it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.base64_text import bytes_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("YQ==", "61"),
        ("YQ", "61"),
        ("YQ=", "61"),
        ("YQ===", "61"),
        ("YQ==\n", "61"),
        ("Y Q = =", "61"),
        ("YR==", "61"),
        ("YW-_", "616fbf"),
        ("YW+/", "616fbf"),
        ("YW+_", "616fbf"),
        ("YWJj\r\nYWJj", "616263616263"),
        ("\t\v\fYWJj", "616263"),
        ("", ""),
    ],
)
def test_what_javascript_reads(text: str, found: str) -> None:
    assert bytes_of(text, 9) == bytes.fromhex(found)


@pytest.mark.parametrize(
    "text", ["Y", "YWJjY", "YQ==YQ==", "=YWI", "YW=Jj", "YWI*j", "YWI.", "YQ\u0410", "YW\u00a0Jj", "YW\0Jj", "\ud800"]
)
def test_what_is_damaged_is_refused(text: str) -> None:
    """Some of these JavaScript reads, too: it skips what it does not know."""
    assert bytes_of(text, 9) is None


@given(st.binary(max_size=64), st.booleans(), st.booleans(), st.sampled_from(["", "\n", "\r\n", " "]))
def test_every_spelling_of_some_bytes_is_these_bytes(raw: bytes, url_safe: bool, padded: bool, between: str) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(raw).decode()
    text = between.join(text if padded else text.rstrip("=")) + between
    assert bytes_of(text, len(raw)) == raw
    assert not raw or bytes_of(text, len(raw) - 1) is None
