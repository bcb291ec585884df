"""Further fields of a request, as a test names them: in Python's case, or as they are on the wire."""

from collections.abc import Mapping

from countermand.testkit.amounts import no_float


def on_the_wire(fields: Mapping[str, object]) -> dict[str, object]:
    """`slippage_bps` is `slippageBps`: the order APIs would pass over the former. Raises `TypeError` for a float."""
    for name, value in fields.items():
        if isinstance(value, float):
            raise no_float(name, value)
    return {camel(name): value for name, value in fields.items()}


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
