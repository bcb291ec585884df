"""How tanX answers: `{"status", "message", "payload"}`."""

from collections.abc import Mapping
from typing import Final

from countermand.answering import Answer, Responder, encode


def success(message: str, payload: object, **top: object) -> Answer:
    """`top`: what stands beside the payload, as the tokens of a login do."""
    return Answer(encode({"status": "success", "message": message, "payload": payload, **top}))


def problem(status: int, message: str, payload: object = "") -> Answer:
    """The Python client looks for `token_type` in the payload of every 401, and dies if that is no object."""
    assert status != 401 or isinstance(payload, Mapping), "the payload of a 401 is an object"
    return Answer(encode({"status": "error", "message": message, "payload": payload}), status)


NO_CREDENTIALS: Final = problem(401, "Authentication credentials were not provided.", {})
ACCESS_REFUSED: Final = problem(
    401,
    "Given token not valid for any token type",
    {
        "token_class": "AccessToken",
        "token_type": "access",
        "message": "Token is invalid or expired",
        "code": "token_not_valid",
    },
)
"""Both clients refresh their tokens at exactly this, and ask once more."""
REFRESH_REFUSED: Final = problem(401, "Token is invalid or expired", {"code": "token_not_valid"})

RESPONDER: Final = Responder(
    unavailable=problem(503, "Service temporarily unavailable. Nothing was changed. Please retry."),
    outcome_unknown=problem(503, "The outcome of this request is unknown. Please repeat the same request."),
    internal=problem(500, "Internal server error"),
)
