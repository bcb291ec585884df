"""How Trigger v1 answers, and the one place where what went wrong becomes an answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import falcon
import msgspec
import structlog
from falcon.asgi import Request, Response

from countermand.dialects.trigger_v1.wire import ErrorAnswer
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


def error(status: int, words: str, cause: str | None = None) -> Answer:
    """`code` repeats the status."""
    return Answer(encode(ErrorAnswer(error=words, cause=cause or msgspec.UNSET, code=status)), status)


def failed(status: int, words: str, *, cause: str | None = None, signature: str | None = None) -> Answer:
    """What became of a transaction that was handed in."""
    answer = ErrorAnswer(
        error=words,
        cause=cause or msgspec.UNSET,
        code=status,
        signature=signature or msgspec.UNSET,
        status="Failed",
    )
    return Answer(encode(answer), status)


UNAVAILABLE: Final = error(503, "service temporarily unavailable, nothing was changed, please retry")
OUTCOME_UNKNOWN: Final = error(503, "the outcome of this request is unknown, please repeat the same request")
INTERNAL: Final = error(500, "internal server error")

_Resource = TypeVar("_Resource")
Responder = Callable[[_Resource, Request, Response], Awaitable[None]]


def answers(handler: Callable[[_Resource, Request], Awaitable[Answer]]) -> Responder[_Resource]:
    """A Falcon responder from a handler that returns its answer and does not look at the body."""

    async def responder(resource: _Resource, req: Request, resp: Response, /) -> None:
        await _respond(handler(resource, req), req, resp)

    return responder


def answers_body(handler: Callable[[_Resource, bytes], Awaitable[Answer]]) -> Responder[_Resource]:
    """The same for a handler that takes the body, and nothing else. What reading it raises is not ours to answer."""

    async def responder(resource: _Resource, req: Request, resp: Response, /) -> None:
        body = await req.stream.read()
        await _respond(handler(resource, body), req, resp)

    return responder


async def _respond(handling: Awaitable[Answer], req: Request, resp: Response) -> None:
    answer = await _outcome(handling, req)
    resp.status = answer.status
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
