import json
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.values.quantities import U64_MAX, BaseUnits, Inexact, decimal_text, exact, moved, nearest


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("210.00", 210 * 10**12),
        ("0.000000000001", 1),
        ("1e3", 1_000 * 10**12),
        ("1.5E-3", 1_500_000_000),
        ("0", 0),
        ("-0", 0),
        ("0e9999", 0),
        ("1000000000000", 10**24),
    ],
)
def test_a_number_with_an_exact_meaning_is_taken(text: str, number: int) -> None:
    assert exact(text, scale=12, bound=10**24) == number


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NaN", Inexact.NOT_A_NUMBER),
        ("Infinity", Inexact.NOT_A_NUMBER),
        (" 1", Inexact.NOT_A_NUMBER),
        ("1_000", Inexact.NOT_A_NUMBER),
        ("٣", Inexact.NOT_A_NUMBER),
        ("+1", Inexact.NOT_A_NUMBER),
        ("01", Inexact.NOT_A_NUMBER),
        (".5", Inexact.NOT_A_NUMBER),
        ("0x10", Inexact.NOT_A_NUMBER),
        ("", Inexact.NOT_A_NUMBER),
        ("-1", Inexact.NEGATIVE),
        ("0.0000000000001", Inexact.TOO_PRECISE),
        ("1e9999", Inexact.TOO_BIG),
        ("1e9999999", Inexact.NOT_A_NUMBER),
        ("1e-9999", Inexact.TOO_PRECISE),
        ("1000000000000.000000000001", Inexact.TOO_BIG),
        ("9" * 1_000_000, Inexact.TOO_LONG),
    ],
)
def test_what_has_no_exact_meaning_is_refused_and_not_rounded(text: str, why: Inexact) -> None:
    assert exact(text, scale=12, bound=10**24) is why


@given(st.decimals(min_value=0, max_value=10**12, places=12, allow_nan=False, allow_infinity=False))
def test_every_exact_decimal_is_read_as_what_it_is(number: Decimal) -> None:
    text = format(number, "f")
    assert exact(text, scale=12, bound=10**24) == int(number.scaleb(12))


@given(st.integers(0, 10**24), st.integers(0, 18))
def test_reading_undoes_writing(number: int, scale: int) -> None:
    assert exact(decimal_text(number, scale), scale=scale, bound=10**24) == number


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_any_number_that_json_writes_is_read_or_refused_but_never_raises(number: float) -> None:
    result = exact(json.dumps(number), scale=12, bound=10**24)
    assert isinstance(result, Inexact) or Decimal(result).scaleb(-12) == Decimal(repr(number))


@given(st.floats(min_value=1e-15, max_value=1e12))
def test_a_floating_number_is_the_nearest_of_which_it_can_be_told(number: float) -> None:
    nearest_one = int(Decimal(repr(number)).scaleb(12).to_integral_value(ROUND_HALF_EVEN))
    found = nearest(json.dumps(number), scale=12, bound=10**24)
    assert found == (nearest_one or Inexact.TOO_PRECISE)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.5", Inexact.TOO_PRECISE), ("1.5", 2), ("2.5", 2), ("2.51", 3), ("0", 0), ("-0.1", Inexact.NEGATIVE)],
)
def test_of_two_that_are_as_near_it_is_the_even_one(text: str, number: int | Inexact) -> None:
    assert nearest(text, scale=0, bound=10) == number


@pytest.mark.parametrize("text", ["1e-9999", "1e9999", "NaN", "9" * 1_000_000])
def test_what_is_far_off_is_refused_for_the_same_reason(text: str) -> None:
    assert nearest(text, scale=12, bound=10**24) is exact(text, scale=12, bound=10**24)


def test_an_amount_never_leaves_64_bits() -> None:
    with pytest.raises(AssertionError):
        BaseUnits(U64_MAX) + BaseUnits(1)
    with pytest.raises(AssertionError):
        BaseUnits(0) - BaseUnits(1)


@given(number=st.integers(1, 10**24), bps=st.integers(0, 10_000))
def test_a_number_moves_up_and_down_alike_and_never_further_than_it_was_told_to(number: int, bps: int) -> None:
    up, down = moved(number, bps) - number, number - moved(number, -bps)
    assert up == down
    assert number * bps - 10_000 < up * 10_000 <= number * bps
