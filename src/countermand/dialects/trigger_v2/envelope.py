"""How Trigger v2 answers, and the one place where what went wrong becomes an answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import falcon
import msgspec
import structlog
from falcon.asgi import Request, Response

from countermand.dialects.trigger_v2.wire import ErrorAnswer
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


def error(status: int, words: str, details: Mapping[str, Any] | None = None) -> Answer:
    return Answer(encode(ErrorAnswer(error=words, details=dict(details) if details else msgspec.UNSET)), status)


def invalid(details: Mapping[str, str]) -> Answer:
    """What is wrong with each of these fields."""
    return error(400, "Request validation failed", details)


UNAUTHORIZED: Final = error(401, "Unauthorized")
UNAVAILABLE: Final = error(503, "Service temporarily unavailable. Nothing was changed. Please retry.")
OUTCOME_UNKNOWN: Final = error(503, "The outcome of this request is unknown. Please repeat the same request.")
INTERNAL: Final = error(500, "Internal server error")

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
        _refuse_trailing_slash(params)
        answer = await _outcome(handler(resource, req, *args, **params), req)
        resp.status = answer.status
        resp.data = answer.body

    return responder


def answers_body(
    handler: Callable[Concatenate[_Resource, Request, bytes, _P], Awaitable[Answer]],
) -> Responder[_Resource, _P]:
    """The same for a handler that takes the body. What reading it raises is not ours to answer."""

    async def responder(
        resource: _Resource, req: Request, resp: Response, /, *args: _P.args, **params: _P.kwargs
    ) -> None:
        _refuse_trailing_slash(params)
        body = await req.stream.read()
        answer = await _outcome(handler(resource, req, body, *args, **params), req)
        resp.status = answer.status
        resp.data = answer.body

    return responder


def _refuse_trailing_slash(params: Mapping[str, object]) -> None:
    """Falcon takes what follows the slash, which is nothing, for the id of an order."""
    if "" in params.values():
        raise falcon.HTTPRouteNotFound


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
