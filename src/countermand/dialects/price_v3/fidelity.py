"""Where each answer of Price v3 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.error_answers import FAILURES
from countermand.sources import OURS, KnownAnswer, Source, documented

ANSWERS: Final = (
    KnownAnswer(400, "ids is required: mints, joined by commas", "all", OURS),
    KnownAnswer(400, "ids is given more than once: join the mints by commas", "all", OURS),
    KnownAnswer(400, "ids: at most {count} mints", "all", OURS),
    *FAILURES,
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {"/price/v3": documented("Price v3, OpenAPI; `priceChange24h` null is ours")}
)
"""The good answers, by path."""
