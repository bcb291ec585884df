"""Where each answer of Price v2 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.error_answers import FAILURES
from countermand.sources import OURS, KnownAnswer, Source, documented

ANSWERS: Final = (
    KnownAnswer(400, "invalid query: {why}", "all", OURS),
    KnownAnswer(400, "invalid query: ids is empty: mints, joined by commas", "all", OURS),
    KnownAnswer(400, "ids: at most {count} mints", "all", OURS),
    KnownAnswer(
        400, "showExtraInfo cannot be used with vsToken", "all", documented("Price v2, OpenAPI; the text is ours")
    ),
    KnownAnswer(400, "vsToken: its price is not known", "all", OURS),
    *FAILURES,
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {"/price/v2": documented("Price v2, OpenAPI; null for a token without a price, and `timeTaken` 0, are ours")}
)
"""The good answers, by path."""
