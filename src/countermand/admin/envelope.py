"""How our own APIs answer: errors are `{"error": {"code", "message", "details"?}}` with stable codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from falcon.asgi import Request
from msgspec import UNSET, Struct, UnsetType

from countermand.answering import Answer, Declined, Responder, encode
from countermand.inspection.queries import QueryRefused, parameters


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


@contextmanager
def declining() -> Iterator[None]:
    """What has no meaning in a query is answered with 400."""
    try:
        yield
    except QueryRefused as refused:
        raise Declined(error(400, "invalid_request", str(refused))) from None


def decline_any_query(req: Request) -> None:
    with declining():
        parameters(req.query_string)
