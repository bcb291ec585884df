"""One rule for JSON numbers: a number that is whole is that number, however it is written.

`50`, `50.0` and `5e1` are the same to JavaScript, and many a serializer writes the second. Decoders of types do not
take them for integers, or go through floats. Texts are left alone: an amount that is documented as a string of digits
stays one.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, TypeVar, get_args

import msgspec

from countermand.json_flaws import DECODING_ERRORS
from countermand.values.quantities import USD_PRICE_MAX, USD_SCALE, Inexact, exact, nearest

T = TypeVar("T", bound=msgspec.Struct)
Decoded = TypeVar("Decoded")

NUMBERS_MAX: Final = 1_000
"""More than any request has."""
_BOUND: Final = 10**40
"""Far beyond all that is taken anywhere, so that what is too big is told as such."""
_PIECES: Final = re.compile(
    rb"""
    (?: "(?:[^"\\]++|\\.)*+"?          # a string, whether it ends or not
      | -?(?!0)[0-9]++(?![-+.0-9eE])   # a number in digits alone
      | 0(?![-+.0-9eE])
      | true | false | [tf]            # before what follows, which would leave the `e` behind
      | [^"\-+.0-9eEtf]++
    )++
    | ([-+.0-9eE]++)                   # what could be another number
    """,
    re.DOTALL | re.VERBOSE,
)
"""What stays as it is, as long as it goes on, and each number that may be written otherwise."""


def with_whole_numbers(text: bytes) -> bytes:
    """The same JSON with each whole number in digits alone. What is no JSON before is none afterwards.

    Of more than `NUMBERS_MAX` that are not in digits the others stay as they are: they are not worth the time.
    """
    return _PIECES.sub(_in_digits, text, count=2 * NUMBERS_MAX)


def decoded(decode: Callable[[bytes], Decoded], body: bytes) -> Decoded:
    """What the decoder makes of a body in which a whole number may be written otherwise. Raises what it raises."""
    try:
        return decode(body)
    except msgspec.ValidationError:
        return decode(with_whole_numbers(body))


def whole_number(text: str) -> str | None:
    """The digits of a number as JSON writes it; None if it is not whole, or no number. Exponents cost nothing."""
    unsigned = text.removeprefix("-")
    number = exact(unsigned, scale=0, bound=_BOUND)
    if not isinstance(number, int) or unsigned.startswith("-"):
        return None
    return f"-{number}" if number and unsigned != text else str(number)


def usd_of(raw: msgspec.Raw) -> tuple[str, int | Inexact]:
    """What a price in US dollars says, and that in 10⁻¹² dollars, from 0 to `USD_PRICE_MAX`.

    A text is exact. A JSON number is what a program computed, and the nearest is meant.
    """
    text = bytes(raw).decode("utf-8", "replace").strip()
    if text[:1] != '"':
        return text, nearest(text, scale=USD_SCALE, bound=USD_PRICE_MAX)
    try:
        text = msgspec.json.decode(raw, type=str)
    except DECODING_ERRORS:
        return text, Inexact.NOT_A_NUMBER
    return text, exact(text, scale=USD_SCALE, bound=USD_PRICE_MAX)


def _in_digits(piece: "re.Match[bytes]") -> bytes:
    number = piece[1]
    digits = None if number is None else whole_number(number.decode("ascii"))
    return piece[0] if digits is None else digits.encode()


def converted(params: Mapping[str, object], shape: type[T]) -> T:
    """The fields of a query, which are all texts: a list is what was given twice. Raises `msgspec.ValidationError`."""
    for name in (field.encode_name for field in msgspec.structs.fields(shape)):
        if isinstance(params.get(name), list):
            raise msgspec.ValidationError(f"Given more than once - at `$.{name}`")
    return msgspec.convert(with_whole_texts(params, shape), shape, strict=False)


def with_whole_texts(params: Mapping[str, object], shape: type[msgspec.Struct]) -> dict[str, object]:
    """The same fields with the whole number of each that takes one in digits: the decoder's own reading fails at times.

    What `2.0` is to it depends on what the process did before.
    """
    whole = _whole_fields(shape)
    return {
        name: (name in whole and isinstance(text, str) and whole_number(text)) or text for name, text in params.items()
    }


@cache
def _whole_fields(shape: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(shape) if _takes_whole(field.type))


def _takes_whole(kind: object) -> bool:
    return kind is int or any(_takes_whole(part) for part in get_args(kind))
