"""How Recurring v1 answers, in two forms."""

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, TypeVar

from falcon.asgi import Request, Response

from countermand import answering
from countermand.answering import Answer, Responder, encode
from countermand.dialects.recurring_v1.wire import ErrorAnswer, OlderErrorAnswer


class Form(Enum):
    """The API renamed its fields once, and clients of both forms exist."""

    OLDER = auto()
    NEWER = auto()


class RecurringDeclined(Exception):
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


_Resource = TypeVar("_Resource")
FalconResponder = Callable[[_Resource, Request, Response], Awaitable[None]]


def _responder(form: Form) -> Responder:
    return Responder(
        unavailable=RecurringDeclined("Service temporarily unavailable. Please retry.", 503).answer(form),
        outcome_unknown=RecurringDeclined(
            "The outcome of this request is unknown. Please repeat the same request.", 503
        ).answer(form),
        internal=RecurringDeclined("Internal server error", 500).answer(form),
    )


RESPONDERS: Final = {form: _responder(form) for form in Form}


def answers(handler: Callable[[_Resource, Request], Awaitable[Answer]]) -> FalconResponder[_Resource]:
    """A Falcon responder from a handler that returns its answer and does not look at the body."""

    async def responder(resource: _Resource, req: Request, resp: Response) -> None:
        await RESPONDERS[Form.NEWER].respond(_in_form(handler(resource, req), Form.NEWER), req, resp)

    return responder


def answers_body(
    handler: Callable[[_Resource, Request, bytes], Awaitable[Answer]],
    form_of: Callable[[bytes], Form] = lambda _: Form.NEWER,
) -> FalconResponder[_Resource]:
    """The same for a handler that takes the body. What reading it raises is not ours to answer."""

    async def responder(resource: _Resource, req: Request, resp: Response) -> None:
        body = await req.stream.read()
        form = form_of(body)
        await RESPONDERS[form].respond(_in_form(handler(resource, req, body), form), req, resp)

    return responder


async def _in_form(handling: Awaitable[Answer], form: Form) -> Answer:
    try:
        return await handling
    except RecurringDeclined as declined:
        raise answering.Declined(declined.answer(form)) from None
