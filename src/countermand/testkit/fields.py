"""Further fields of a request, as a test names them: in Python's case, or as they are on the wire."""

from collections.abc import Mapping
from typing import Final

from countermand.testkit.amounts import decimal, no_float

_PRICE: Final = "PriceUsd"


def on_the_wire(fields: Mapping[str, object]) -> dict[str, object]:
    """`slippage_bps` is `slippageBps`: the order APIs would pass over the former. A price in a text is a number there.

    Raises `TypeError` for a float.
    """
    return {camel(name): _value(name, value) for name, value in fields.items()}


def _value(name: str, value: object) -> object:
    if isinstance(value, float):
        raise no_float(name, value)
    return decimal(name, value) if isinstance(value, str) and camel(name).endswith(_PRICE) else value


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
