"""How Trigger v1 answers."""

from typing import Final

from msgspec import UNSET

from countermand.answering import Answer, Responder, encode
from countermand.dialects.trigger_v1.wire import ErrorAnswer


def error(status: int, words: str, cause: str | None = None) -> Answer:
    """`code` repeats the status."""
    return Answer(encode(ErrorAnswer(error=words, cause=cause or UNSET, code=status)), status)


def failed(status: int, words: str, *, cause: str | None = None, signature: str | None = None) -> Answer:
    """What became of a transaction that was handed in."""
    answer = ErrorAnswer(
        error=words,
        cause=cause or UNSET,
        code=status,
        signature=signature or UNSET,
        status="Failed",
    )
    return Answer(encode(answer), status)


RESPONDER: Final = Responder(
    unavailable=error(503, "service temporarily unavailable, nothing was changed, please retry"),
    outcome_unknown=error(503, "the outcome of this request is unknown, please repeat the same request"),
    internal=error(500, "internal server error"),
)
