"""Errors as `{"error": words}`, as the APIs that tell prices and tokens have them."""

from typing import Final

from msgspec import Struct

from countermand.answering import Answer, Responder, encode
from countermand.sources import OURS, KnownAnswer


class ErrorAnswer(Struct, frozen=True):
    error: str


def error(status: int, words: str) -> Answer:
    return Answer(encode(ErrorAnswer(words)), status)


_INTERNAL: Final = "Internal server error"
_UNAVAILABLE: Final = "Service temporarily unavailable, please retry"
_UNKNOWN: Final = "The outcome of this request is unknown, please repeat the same request"

RESPONDER: Final = Responder(
    unavailable=error(503, _UNAVAILABLE), outcome_unknown=error(503, _UNKNOWN), internal=error(500, _INTERNAL)
)

FAILURES: Final = (
    KnownAnswer(500, _INTERNAL, "all", OURS),
    KnownAnswer(503, _UNAVAILABLE, "all", OURS),
    KnownAnswer(503, _UNKNOWN, "all", OURS),
)
