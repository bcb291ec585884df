"""Numbers of a request to the sandbox, from its bytes on."""

import msgspec
import pytest

from countermand.sandbox.numbers import number_in, price_in
from countermand.sandbox.reading import SandboxRefused, parsed
from countermand.values.quantities import UsdPrice


def field_of(written: str) -> msgspec.Raw:
    body = parsed(f'{{"field": {written}}}'.encode()).into(dict[str, msgspec.Raw])
    return body["field"]


@pytest.mark.parametrize("written", ["165.00000000000003", "165", "1.65e2", '"165.00"'])
def test_a_price_that_a_program_computed_is_the_nearest(written: str) -> None:
    assert price_in("field", field_of(written)) == UsdPrice(165 * 10**12)


def test_a_price_in_a_text_is_exact() -> None:
    with pytest.raises(SandboxRefused, match=r"^field: '165\.00000000000003' has more decimal places"):
        price_in("field", field_of('"165.00000000000003"'))


@pytest.mark.parametrize("written", ["1.0005", '"1.0005"'])
def test_what_is_no_price_is_exact_however_it_is_written(written: str) -> None:
    with pytest.raises(SandboxRefused, match=r"^field: '1\.0005' has more decimal places"):
        number_in("field", field_of(written), scale=3, bound=10**6)


def test_a_number_of_many_digits_is_refused_and_not_computed() -> None:
    with pytest.raises(SandboxRefused, match="has too many digits"):
        price_in("field", field_of("9" * 1_000_000))
