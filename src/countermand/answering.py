"""How a dialect's handler becomes a Falcon responder, and the one place where an error becomes an answer."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

import falcon
import msgspec
import structlog
from falcon.asgi import Request, Response

from countermand.kernel.ports import CommitUnknown, Unavailable

_log: Final = structlog.get_logger("countermand")

encode: Final = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """A status and the bytes of a JSON body."""

    body: bytes
    status: int = 200


class Declined(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


_Resource = TypeVar("_Resource")
_P = ParamSpec("_P")
FalconResponder = Callable[Concatenate[_Resource, Request, Response, _P], Awaitable[None]]


class Responder(msgspec.Struct, frozen=True):
    """Makes Falcon responders of a dialect's handlers. Its fields are the answers when a handler fails."""

    unavailable: Answer
    outcome_unknown: Answer
    internal: Answer

    def answers(
        self, handler: Callable[Concatenate[_Resource, Request, _P], Awaitable[Answer]]
    ) -> FalconResponder[_Resource, _P]:
        """A responder from a handler that returns its answer and does not look at the body."""

        async def responder(
            resource: _Resource, req: Request, resp: Response, /, *args: _P.args, **params: _P.kwargs
        ) -> None:
            await self.respond(handler(resource, req, *args, **params), req, resp)

        return responder

    def answers_body(
        self, handler: Callable[Concatenate[_Resource, Request, bytes, _P], Awaitable[Answer]]
    ) -> FalconResponder[_Resource, _P]:
        """The same for a handler that takes the body. What reading it raises is not ours to answer."""

        async def responder(
            resource: _Resource, req: Request, resp: Response, /, *args: _P.args, **params: _P.kwargs
        ) -> None:
            body = await req.stream.read()
            await self.respond(handler(resource, req, body, *args, **params), req, resp)

        return responder

    async def respond(self, handling: Awaitable[Answer], req: Request, resp: Response) -> None:
        answer = await self._outcome(handling, req)
        resp.status = answer.status
        resp.data = answer.body

    async def _outcome(self, handling: Awaitable[Answer], req: Request) -> Answer:
        try:
            return await handling
        except Declined as declined:
            return declined.answer
        except Unavailable:
            return self.unavailable
        except CommitUnknown:
            # A read waits for what others write, and has no outcome of its own.
            return self.unavailable if req.method == "GET" else self.outcome_unknown
        except falcon.HTTPError:
            raise
        except Exception as bug:  # noqa: BLE001 - a bug becomes a log line and a 500, never a traceback in an answer
            _log.error("a request failed", method=req.method, path=req.path, reason=repr(bug), exc_info=bug)
            return self.internal
