"""How tanX answers, `{"status", "message", "payload"}`, and the one place where what went wrong becomes an answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, Final, ParamSpec, TypeVar

import falcon
import msgspec
import structlog
from falcon.asgi import Request, Response

from countermand.engine.ports import CommitUnknown, Unavailable

_log: Final = structlog.get_logger("countermand")

encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the bytes of a JSON body."""

    body: bytes
    status: int = 200


class Declined(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


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

UNAVAILABLE: Final = problem(503, "Service temporarily unavailable. Nothing was changed. Please retry.")
OUTCOME_UNKNOWN: Final = problem(503, "The outcome of this request is unknown. Please repeat the same request.")
INTERNAL: Final = problem(500, "Internal server error")

_Resource = TypeVar("_Resource")
_P = ParamSpec("_P")
Responder = Callable[Concatenate[_Resource, Request, Response, _P], Awaitable[None]]


def answers(
    handler: Callable[Concatenate[_Resource, Request, _P], Awaitable[Answer]],
) -> Responder[_Resource, _P]:
    """A Falcon responder from a handler that returns its answer and does not look at the body."""

    async def responder(
        resource: _Resource, req: Request, resp: Response, /, *args: _P.args, **params: _P.kwargs
    ) -> None:
        _give(resp, await _outcome(handler(resource, req, *args, **params), req))

    return responder


def answers_body(
    handler: Callable[Concatenate[_Resource, Request, bytes, _P], Awaitable[Answer]],
) -> Responder[_Resource, _P]:
    """The same for a handler that takes the body. What reading it raises is not ours to answer."""

    async def responder(
        resource: _Resource, req: Request, resp: Response, /, *args: _P.args, **params: _P.kwargs
    ) -> None:
        body = await req.stream.read()
        _give(resp, await _outcome(handler(resource, req, body, *args, **params), req))

    return responder


def _give(resp: Response, answer: Answer) -> None:
    resp.status = answer.status
    resp.content_type = falcon.MEDIA_JSON
    resp.data = answer.body


async def _outcome(handling: Awaitable[Answer], req: Request) -> Answer:
    try:
        return await handling
    except Declined as declined:
        return declined.answer
    except Unavailable:
        return UNAVAILABLE
    except CommitUnknown:
        return OUTCOME_UNKNOWN
    except falcon.HTTPError:
        raise
    except Exception as bug:  # noqa: BLE001 - the edge: a bug becomes a log line and a 500, never a traceback in an answer
        _log.error("a request failed", method=req.method, path=req.path, reason=repr(bug), exc_info=bug)
        return INTERNAL
