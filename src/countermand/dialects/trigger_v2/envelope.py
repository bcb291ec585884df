"""How Trigger v2 answers."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET

from countermand.answering import Answer, Responder, encode
from countermand.dialects.trigger_v2.wire import ErrorAnswer
from countermand.values.identity import OrderId


def error(
    status: int, words: str, details: Mapping[str, Any] | None = None, *, order_id: OrderId | None = None
) -> Answer:
    answer = ErrorAnswer(error=words, id=order_id or UNSET, details=dict(details) if details else UNSET)
    return Answer(encode(answer), status)


def invalid(details: Mapping[str, str]) -> Answer:
    """What is wrong with each of these fields."""
    return error(400, "Request validation failed", details)


UNAUTHORIZED: Final = error(401, "Unauthorized")
RESPONDER: Final = Responder(
    unavailable=error(503, "Service temporarily unavailable. Nothing was changed. Please retry."),
    outcome_unknown=error(503, "The outcome of this request is unknown. Please repeat the same request."),
    internal=error(500, "Internal server error"),
)
