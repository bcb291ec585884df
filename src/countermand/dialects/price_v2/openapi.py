"""The OpenAPI document of Price v2."""

from typing import Any, Final

from countermand.dialects.price_v2 import wire
from countermand.dialects.price_v2.routes import PATH
from countermand.error_answers import ErrorAnswer
from countermand.examples import SOL, USDC
from countermand.openapi import Operation, document, query

_OPERATIONS: Final = (
    Operation(
        "get",
        PATH,
        "What tokens cost now",
        {200: ("By mint", wire.PricesAnswer), 400: ("Invalid", ErrorAnswer)},
        query(wire.PricesParams, {"ids": f"{SOL},{USDC}"}),
    ),
)


def openapi() -> dict[str, Any]:
    return document("Price v2", "2.0.0", _OPERATIONS)
