"""The OpenAPI document of Tokens v2."""

from typing import Any, Final

from countermand.dialects.tokens_v2 import wire
from countermand.dialects.tokens_v2.routes import ROOT
from countermand.error_answers import ErrorAnswer
from countermand.openapi import Operation, Responses, document, query

_ANSWERS: Final[Responses] = {200: ("Tokens", list[wire.TokenAnswer]), 400: ("Invalid", ErrorAnswer)}
_OPERATIONS: Final = (
    Operation(
        "get",
        f"{ROOT}/search",
        "Tokens by symbol, name or mint",
        _ANSWERS,
        query(wire.SearchParams, {"query": "SOL"}),
    ),
    Operation("get", f"{ROOT}/tag", "All tokens of a kind", _ANSWERS, query(wire.TagParams, {"query": "verified"})),
)


def openapi() -> dict[str, Any]:
    return document("Tokens v2", "2.0.0", _OPERATIONS)
