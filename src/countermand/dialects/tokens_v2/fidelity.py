"""Where each answer of Tokens v2 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.error_answers import FAILURES
from countermand.sources import KnownAnswer, Source, documented, ours

_V2: Final = "Tokens v2, OpenAPI"

ANSWERS: Final = (
    KnownAnswer(400, "query: {why}", "all", ours("the shape is documented, the text is not")),
    KnownAnswer(400, "query: required", "all", ours("the shape is documented, the text is not")),
    KnownAnswer(400, "query: at most {count} mints", "search", ours("the limit is documented, the text is not")),
    *FAILURES,
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "/tokens/v2/search": documented(f"{_V2}; what a sandbox does not know of a token is null"),
        "/tokens/v2/tag": documented(f"{_V2}; every token here is verified"),
    }
)
"""The good answers, by path."""
