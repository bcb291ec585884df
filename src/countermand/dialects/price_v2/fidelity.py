"""Where each answer of Price v2 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.sources import OURS, KnownAnswer, Source, documented

ANSWERS: Final = (
    KnownAnswer(400, "invalid query: {why}", "all", OURS),
    KnownAnswer(400, "ids: at most {count} mints", "all", OURS),
    KnownAnswer(
        400, "showExtraInfo cannot be used with vsToken", "all", documented("Price v2, OpenAPI; the text is ours")
    ),
    KnownAnswer(400, "vsToken: its price is not known", "all", OURS),
    KnownAnswer(500, "Internal server error", "all", OURS),
    KnownAnswer(503, "Service temporarily unavailable, please retry", "all", OURS),
    KnownAnswer(503, "The outcome of this request is unknown, please repeat the same request", "all", OURS),
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {"/price/v2": documented("Price v2, OpenAPI; null for a token without a price, and `timeTaken` 0, are ours")}
)
"""The good answers, by path."""
