"""What counts as text that can be kept (C3)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.gateway.text import problem_of_body, problem_of_path, problem_of_query

FORM = {b"content-type": b"application/x-www-form-urlencoded; charset=utf-8"}


def can_be_kept(text: str) -> bool:
    """What PostgreSQL says of it."""
    return "\0" not in text and not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


@given(st.text(st.characters() | st.sampled_from("\0\\u0d8\ud800\udc00"), max_size=12))
def test_the_escapes_of_json_are_judged_by_what_they_stand_for(text: str) -> None:
    body = json.dumps({"a": text}).encode()
    assert (problem_of_body(body, {}) is None) == can_be_kept(json.loads(body)["a"])


@pytest.mark.parametrize("body", [b"a=%00", b"a=%ff", b"a=%ed%a0%80", b"%00=a", b"a=\xff"])
def test_forms_are_judged_by_what_they_stand_for(body: bytes) -> None:
    assert problem_of_body(body, FORM) is not None
    assert problem_of_body(b"a=%C3%A9&b=+%25", FORM) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"/a%ff", "is not UTF-8 at byte 2"),
        (b"b=%00", "holds the character NUL, which cannot be stored"),
        (b"/a%c3%a9?b=%f0%9f%98%80&c=%", None),
        (b"/\xc3\xa9", None),
        (b"\xff", "is not UTF-8 at byte 0"),
    ],
)
def test_targets(text: bytes, problem: str | None) -> None:
    assert problem_of_path(text) == (problem and f"The path {problem}")
    assert problem_of_query(text) == (problem and f"The query {problem}")
