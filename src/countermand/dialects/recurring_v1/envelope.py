"""How Recurring v1 answers, and the one place where what went wrong becomes an answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, TypeVar

import falcon
import msgspec
import structlog
from falcon.asgi import Request, Response

from countermand.dialects.recurring_v1.wire import ErrorAnswer, OlderErrorAnswer
from countermand.engine.ports import CommitUnknown, Unavailable

_log: Final = structlog.get_logger("countermand")

encode: Final = msgspec.json.Encoder().encode


class Form(Enum):
    """The API renamed its fields once, and clients of both forms exist."""

    OLDER = auto()
    NEWER = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the bytes of a JSON body."""

    body: bytes
    status: int = 200


class Declined(Exception):
    """Ends the handling of a request with these words, in the form in which it was made."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.words = words
        self.status = status

    def answer(self, form: Form) -> Answer:
        phrase = HTTPStatus(self.status).phrase
        if form is Form.OLDER:
            return Answer(encode(OlderErrorAnswer(code=self.status, message=self.words, status=phrase)), self.status)
        return Answer(encode(ErrorAnswer(code=self.status, error=self.words, status=phrase)), self.status)


UNAVAILABLE: Final = Declined("Service temporarily unavailable. Please retry.", 503)
OUTCOME_UNKNOWN: Final = Declined("The outcome of this request is unknown. Please repeat the same request.", 503)
INTERNAL: Final = Declined("Internal server error", 500)

_Resource = TypeVar("_Resource")
Responder = Callable[[_Resource, Request, Response], Awaitable[None]]


def answers(handler: Callable[[_Resource, Request], Awaitable[Answer]]) -> Responder[_Resource]:
    """A Falcon responder from a handler that returns its answer and does not look at the body."""

    async def responder(resource: _Resource, req: Request, resp: Response) -> None:
        _give(resp, await _outcome(handler(resource, req), req, Form.NEWER))

    return responder


def answers_body(
    handler: Callable[[_Resource, Request, bytes], Awaitable[Answer]],
    form_of: Callable[[bytes], Form] = lambda _: Form.NEWER,
) -> Responder[_Resource]:
    """The same for a handler that takes the body. What reading it raises is not ours to answer."""

    async def responder(resource: _Resource, req: Request, resp: Response) -> None:
        body = await req.stream.read()
        _give(resp, await _outcome(handler(resource, req, body), req, form_of(body)))

    return responder


def _give(resp: Response, answer: Answer) -> None:
    resp.status = answer.status
    resp.data = answer.body


async def _outcome(handling: Awaitable[Answer], req: Request, form: Form) -> Answer:
    try:
        return await handling
    except Declined as declined:
        return declined.answer(form)
    except Unavailable:
        return UNAVAILABLE.answer(form)
    except CommitUnknown:
        return OUTCOME_UNKNOWN.answer(form)
    except falcon.HTTPError:
        raise
    except Exception as bug:  # noqa: BLE001 - the edge: a bug becomes a log line and a 500, never a traceback in an answer
        _log.error("a request failed", method=req.method, path=req.path, reason=repr(bug), exc_info=bug)
        return INTERNAL.answer(form)
