"""Where an answer comes from: the published pages, an observation of the original, or ourselves."""

from enum import Enum
from typing import Final

from msgspec import Struct


class SourceKind(Enum):
    DOCUMENTED = "documented"
    OBSERVED = "observed"
    OURS = "ours"


class Source(Struct, frozen=True):
    """`where`: which page, who saw it, or why it is as it is."""

    kind: SourceKind
    where: str = ""


class KnownAnswer(Struct, frozen=True):
    """An answer beside the refusals of the rules. `words` with `{…}` for what varies."""

    status: int
    words: str
    endpoints: str
    source: Source


OURS: Final = Source(SourceKind.OURS)


def documented(where: str) -> Source:
    return Source(SourceKind.DOCUMENTED, where)


def observed(where: str) -> Source:
    return Source(SourceKind.OBSERVED, where)


def ours(why: str) -> Source:
    return Source(SourceKind.OURS, why)


GATEWAY: Final[tuple[KnownAnswer, ...]] = (
    KnownAnswer(401, "Invalid API key", "all", ours("the shape is documented, the text is not")),
    KnownAnswer(404, "Not found", "all; also with a slash at its end", observed("docs team of Jupiter, 2026")),
    KnownAnswer(405, "Method not allowed", "all", OURS),
    KnownAnswer(408, "…", "all", OURS),
    KnownAnswer(413, "…", "all", OURS),
    KnownAnswer(415, "…", "all", OURS),
    KnownAnswer(429, "[API Gateway] Too many requests", "all", observed("a live probe of 2026-09-22 (Solera)")),
)
"""What stands before all APIs of Jupiter."""
