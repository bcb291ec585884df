"""Whole numbers in JSON, however they are written (D4)."""

import json
from typing import Annotated

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countermand.json_numbers import NUMBERS_MAX, converted, usd_of, whole_number, with_whole_numbers, with_whole_texts
from countermand.values.quantities import Inexact


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("50", "50"),
        ("50.0", "50"),
        ("5e1", "50"),
        ("5E+1", "50"),
        ("0.5e2", "50"),
        ("500e-1", "50"),
        ("1.7e12", "1700000000000"),
        ("9007199254740993.0", "9007199254740993"),  # No float is this number.
        ("0.0", "0"),
        ("-0.0", "0"),
        ("-0", "0"),
        ("-5.0", "-5"),
        ("1e40", "1" + "0" * 40),
    ],
)
def test_a_whole_number_is_that_number(written: str, digits: str) -> None:
    assert whole_number(written) == digits
    assert with_whole_numbers(f'{{"a":{written}}}'.encode()) == f'{{"a":{digits}}}'.encode()


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":50.5,"b":1e-1,"c":1e41}',
        b'{"a":1e9999999,"b":-1e9999999,"c":1e99999999999999999999}',
        b'{"a":"50.0","50.0":"\\"1e2"}',
        b'{"a":true,"b":false,"c":null}',
        b"1.0.0",
        b"01.0",
        b"1.",
        b".0",
        b"+1.0",
        b"--1.0",
        b"--0",
        b"1e",
        b"1.0e1e1",
        b'{"a":"1.0',
        b'"\\',
    ],
)
def test_all_else_stays_as_it_is(text: bytes) -> None:
    assert with_whole_numbers(text) == text


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    """Each of these would take minutes if it were read once for each of its characters."""
    for text in (b'"' + b'\\"' * 130_000, b"1" * 260_000 + b".0", b"e1" * 130_000, b'"1.0' * 65_000):
        with_whole_numbers(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans())
@example({"": [1e22, -1e22, 5e-324]}, True)
def test_the_json_means_the_same_as_before(document: object, ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    again = with_whole_numbers(text)
    assert json.loads(again, parse_int=float) == json.loads(text, parse_int=float)
    assert with_whole_numbers(again) == again


@given(st.binary(max_size=40), st.sampled_from([b"", b"1.0", b'"', b"e", b"5e1"]))
def test_what_is_no_json_is_none_afterwards(noise: bytes, more: bytes) -> None:
    text = b'{"a":' + noise + more
    try:
        json.loads(with_whole_numbers(text))
    except ValueError:
        return
    json.loads(text)


class Page(msgspec.Struct):
    limit: Annotated[int, msgspec.Meta(ge=1)]
    page: int | None = None
    name: str = ""


def test_the_whole_numbers_of_a_query_are_in_digits() -> None:
    given = {"limit": "2.0", "page": "20e-1", "name": "3.0", "unknown": "4.0"}
    assert with_whole_texts(given, Page) == {**given, "limit": "2", "page": "2"}
    assert with_whole_texts({"limit": "2.5", "page": "a"}, Page) == {"limit": "2.5", "page": "a"}


@pytest.mark.parametrize("written", ["2", "2.0", "2.000000000000000000000", "20e-1"])
def test_a_query_gets_its_whole_number_and_its_texts_are_left_alone(written: str) -> None:
    assert converted({"limit": written, "name": "3.0"}, Page) == Page(2, name="3.0")


@pytest.mark.parametrize("name", ["limit", "page", "name"])
def test_a_query_that_gives_a_field_twice_is_told_so(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"^Given more than once - at `\$\.{name}`$"):
        converted({"limit": "2", name: ["2", "2"]}, Page)
    assert converted({"limit": "2", "unknown": ["2", "2"]}, Page) == Page(2)


def test_a_query_gets_no_part_of_a_number() -> None:
    with pytest.raises(msgspec.ValidationError):
        converted({"limit": "2.5"}, Page)


@pytest.mark.parametrize(
    ("written", "picodollars"),
    [
        ("150", 150 * 10**12),
        (json.dumps(200 * 1.1), 220 * 10**12),
        (json.dumps(0.1 + 0.2), 3 * 10**11),
        (json.dumps(0.0000123456789 * 0.95), 11_728_395),
        ('"165"', 165 * 10**12),
        ('"220.00000000000003"', Inexact.TOO_PRECISE),
        ("1e-13", Inexact.TOO_PRECISE),
        ("1000000000000.0000000000004", 10**24),
        ("1000000000000.0000000000006", Inexact.TOO_BIG),
    ],
)
def test_a_price_that_a_program_computed_is_the_nearest(written: str, picodollars: int | Inexact) -> None:
    """A text says what is meant."""
    assert usd_of(msgspec.Raw(written.encode())) == (written.strip('"'), picodollars)


@pytest.mark.parametrize("text", [b'"\xff"', b'"\\ud800"'])
def test_a_price_in_a_text_that_cannot_be_read_is_no_number(text: bytes) -> None:
    _, price = usd_of(msgspec.Raw(text))
    assert price is Inexact.NOT_A_NUMBER


def test_only_so_many_numbers_are_looked_at() -> None:
    """A body of 256 KB that is full of them held the loop for 0.2 s."""
    whole = with_whole_numbers(b"[" + b",".join([b"1.0"] * (NUMBERS_MAX + 2)) + b"]")
    assert (whole.count(b"1.0"), whole.count(b"1")) == (2, NUMBERS_MAX + 2)


def test_words_are_no_numbers_that_are_looked_at() -> None:
    """The `e` of each `true` was one."""
    assert with_whole_numbers(b"[" + b"true,false," * NUMBERS_MAX + b"1.0]").endswith(b",1]")
