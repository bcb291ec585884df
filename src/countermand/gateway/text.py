"""Text that can be kept: UTF-8 without NUL, which is all that PostgreSQL takes."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

_NUL_OR_SURROGATE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE: Final = re.compile(rb"\\(?:u(?P<unit>[0-9a-fA-F]{4})|.)", re.DOTALL)
_FORM: Final = b"application/x-www-form-urlencoded"


def problem_of_path(raw_path: bytes) -> str | None:
    """What is wrong with the text of a path, if anything is."""
    return _problem_of_part("path", raw_path)


def problem_of_query(query: bytes) -> str | None:
    return _problem_of_part("query", query)


def _problem_of_part(name: str, text: bytes) -> str | None:
    if b"%" not in text and text.isascii():
        return None
    problem = _problem(unquote_to_bytes(text))
    return None if problem is None else f"The {name} {problem}"


def problem_of_body(body: bytes, headers: Mapping[bytes, bytes]) -> str | None:
    """The same of a body: JSON, with what its escapes stand for, or a form."""
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == _FORM:
        problem = _problem(unquote_to_bytes(body))
    elif _problem(body) is not None:
        return NO_JSON
    else:
        problem = _problem_of_escapes(body)
    return None if problem is None else f"The body {problem}"


def _problem(text: bytes) -> str | None:
    if b"\0" in text:
        return _NUL
    if text.isascii():
        return None
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte {error.start}"
    return None


def _problem_of_escapes(body: bytes) -> str | None:
    if b"\\u" not in body or _NUL_OR_SURROGATE.search(body) is None:
        return None
    high = False
    end = -1
    for escape in _ESCAPE.finditer(body):
        unit = -1 if escape["unit"] is None else int(escape["unit"], 16)
        follows = high and escape.start() == end
        is_low = 0xDC00 <= unit <= 0xDFFF
        if unit == 0:
            return _NUL
        if is_low != follows:
            return _SURROGATE
        high, end = 0xD800 <= unit <= 0xDBFF, escape.end()
        if high and body[end : end + 2] != b"\\u":
            return _SURROGATE
    return _SURROGATE if high else None


NO_JSON: Final = "Malformed JSON in request body"
_NUL: Final = "holds the character NUL, which cannot be stored"
_SURROGATE: Final = "holds half of a surrogate pair, which is no character"
