"""How our own APIs answer: errors are `{"error": {"code", "message", "details"?}}` with stable codes."""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from countermand.answering import Answer, Responder, encode


class ApiProblem(Struct):
    """`details`: what is wrong, by field."""

    code: str
    message: str
    details: dict[str, str] | UnsetType = UNSET


class ErrorAnswer(Struct):
    error: ApiProblem


def error(status: int, code: str, message: str, details: dict[str, str] | None = None) -> Answer:
    return Answer(encode(ErrorAnswer(ApiProblem(code, message, details or UNSET))), status)


RESPONDER: Final = Responder(
    unavailable=error(503, "unavailable", "Nothing was changed. Repeat the request."),
    outcome_unknown=error(503, "outcome_unknown", "Whether this took effect is unknown. Repeat the request."),
    internal=error(500, "internal", "The venue failed to answer. Its log says why."),
)
