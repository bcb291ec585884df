"""Each sentence of msgspec that answers rely on. Another version may say it in other words: then these tests fail."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from countermand import json_flaws
from countermand.json_flaws import (
    DECODING_ERRORS,
    Flaw,
    Malformed,
    MissingField,
    NotAChoice,
    OtherFlaw,
    OutOfBounds,
    UnknownField,
    WrongType,
    flaw_of,
)


class Encoding(StrEnum):
    BASE64 = "base64"


class Params(msgspec.Struct, rename="camel"):
    making_amount: str | int
    page: Annotated[int, Meta(ge=-1, le=2**31 - 1)] = 1
    start_at: int | None = None
    side: Literal["buy", "sell"] = "buy"
    encoding: Encoding | None = None
    wrap: bool | None = None
    min_price: None = None
    bytes: str | list[Annotated[int, Meta(ge=0, le=255)]] = ""
    name: Annotated[str, Meta(min_length=2)] = "abc"


class Request(msgspec.Struct):
    params: Params | None = None
    orders: tuple[str, ...] = ()
    wallets: dict[str, int] = {}
    legs: list[Params] = []


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    seed: int = 0


def refusals(value: Any, kind: Any = Request) -> list[msgspec.ValidationError]:
    """Of the JSON text, and of the value itself."""
    with pytest.raises(msgspec.ValidationError) as decoding:
        msgspec.json.decode(msgspec.json.encode(value), type=kind)
    with pytest.raises(msgspec.ValidationError) as converting:
        msgspec.convert(value, kind)
    return [decoding.value, converting.value]


def flaw_in(value: Any, kind: Any = Request) -> Flaw:
    """As text it is the sentence of msgspec, without the place."""
    decoding, converting = refusals(value, kind)
    flaw = flaw_of(decoding)
    assert flaw_of(converting) == flaw
    assert str(decoding) == f"{flaw} - at `${flaw.path and '.' + flaw.path}`".removesuffix(" - at `$`")
    return flaw


def flaw_of_params(**params: Any) -> Flaw:
    return flaw_in({"params": {"makingAmount": 1, **params}})


def flaw_in_text(text: bytes, kind: Any = Request) -> Flaw:
    with pytest.raises(DECODING_ERRORS) as caught:
        msgspec.json.decode(text, type=kind)
    return flaw_of(caught.value)


@pytest.mark.parametrize(
    ("value", "name"),
    [([], "array"), ("", "str"), (1, "int"), (1.5, "float"), (True, "bool"), (None, "null")],
)
def test_a_request_that_is_no_object(value: Any, name: str) -> None:
    assert flaw_in(value) == WrongType("", ("object",), name)


@pytest.mark.parametrize(
    ("name", "value", "expected", "found"),
    [
        ("page", "1", ("int",), "str"),
        ("page", 1.5, ("int",), "float"),
        ("page", None, ("int",), "null"),
        ("makingAmount", True, ("int", "str"), "bool"),
        ("startAt", {}, ("int", "null"), "object"),
        ("side", 1, ("str",), "int"),
        ("encoding", [], ("str", "null"), "array"),
        ("wrap", "true", ("bool", "null"), "str"),
        ("minPrice", 1, ("null",), "int"),
        ("bytes", {}, ("str", "array"), "object"),
    ],
)
def test_a_wrong_type(name: str, value: Any, expected: tuple[str, ...], found: str) -> None:
    assert flaw_of_params(**{name: value}) == WrongType(f"params.{name}", expected, found)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"orders": ["a", 1]}, "orders[1]"),
        ({"orders": 1}, "orders"),
        ({"wallets": {"a": "x"}}, "wallets[...]"),
        ({"legs": [{"makingAmount": 1}, {"makingAmount": None}]}, "legs[1].makingAmount"),
        ({"params": 1}, "params"),
    ],
)
def test_the_path_leads_to_the_value(value: Any, path: str) -> None:
    assert flaw_in(value).path == path


@pytest.mark.parametrize(
    ("page", "relation", "bound"),
    [(-2, ">=", -1), (2**31, "<=", 2**31 - 1), (2**63, "<=", 2**31 - 1), (2**64, "<=", 2**31 - 1)],
)
def test_a_number_out_of_bounds(page: int, relation: str, bound: int) -> None:
    assert flaw_of_params(page=page) == OutOfBounds("params.page", relation, bound)


def test_a_number_in_a_text_out_of_bounds() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"makingAmount": 1, "page": "-2"}, Params, strict=False)
    assert flaw_of(caught.value) == OutOfBounds("page", ">=", -1)


def test_a_missing_field() -> None:
    flaw = flaw_in({"params": {}})
    assert flaw == MissingField("params", "makingAmount")
    assert isinstance(flaw, MissingField)
    assert flaw.field == "params.makingAmount"
    top = flaw_in({}, Params)
    assert isinstance(top, MissingField)
    assert top.field == "makingAmount"


@pytest.mark.parametrize("name", ["sead", "a`b", "x - at `$.y`", "x\ny"])
def test_an_unknown_field(name: str) -> None:
    assert flaw_in({name: 1}, Strict) == UnknownField("", name)


@pytest.mark.parametrize("value", ["b", "", "a'b", "b - at `$.page`", "b\n"])
@pytest.mark.parametrize("name", ["side", "encoding"])
def test_none_of_the_choices(name: str, value: str) -> None:
    assert flaw_of_params(**{name: value}) == NotAChoice(f"params.{name}", repr(value))


@pytest.mark.parametrize("number", [b"1e999", b"9" * 5_000 + b".5"])
def test_a_number_beyond_all_ranges(number: bytes) -> None:
    flaw = flaw_in_text(b'{"params":{"makingAmount":' + number + b"}}")
    assert flaw == OtherFlaw("params.makingAmount", "Number out of range")


def test_what_has_no_type_of_its_own_keeps_its_words() -> None:
    assert flaw_of_params(name="a") == OtherFlaw("params.name", "Expected `str` of length >= 2")
    assert flaw_of(msgspec.ValidationError("New words - at `$.a[0]`")) == OtherFlaw("a[0]", "New words")
    assert flaw_of(msgspec.ValidationError("")) == OtherFlaw("", "")


def test_a_flaw_in_a_key_keeps_its_words_and_its_place() -> None:
    flaw = flaw_in_text(b'{"a":1}', dict[int, int])
    assert flaw == OtherFlaw("", "Expected `int`, got `str` - at `key` in `$`")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"orders":[],}', b"{} x", b"{1:2}", b'{"orders":["\xff"]}', b'"\\ud800"', b'{"x":' + b"[" * 100_000],
)
def test_a_text_that_is_no_json(text: bytes) -> None:
    assert isinstance(flaw_in_text(text), Malformed)


@pytest.mark.parametrize(
    ("path", "name"),
    [("", "config"), ("commitment", "config.commitment"), ("[1].a", "config[1].a")],
)
def test_a_path_from_a_name(path: str, name: str) -> None:
    assert OtherFlaw(path, "").path_from("config") == name


def test_no_other_file_reads_the_sentences() -> None:
    source = Path(json_flaws.__file__).parent
    sentences = ("Expected `", "Object missing", "Object contains", "Invalid enum")
    files = {path: path.read_text() for path in source.rglob("*.py")}
    assert [path.name for path, text in files.items() if any(each in text for each in sentences)] == ["json_flaws.py"]
