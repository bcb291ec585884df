"""JSON-RPC 2.0: from the bytes of a request to the bytes of its answer, whatever those bytes are."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand.solana.facade.errors import (
    Code,
    RpcError,
    invalid_request,
    method_not_found,
    shown,
    unhealthy,
)
from countermand.solana.facade.params import Parameter, arguments, parameters_of
from countermand.solana.port import ChainUnavailable
from countermand.strict_json import duplicate_key

BATCH_REQUESTS_MAX: Final = 100
_ID_CHARACTERS_MAX: Final = 256

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder(decimal_format="number")

Json = dict[str, Any]
encode: Final[Callable[[object], bytes]] = _encoder.encode


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer, empty when only notifications were asked, and its HTTP status."""

    body: bytes
    status: int = 200


@dataclass(frozen=True, slots=True)
class _Method:
    call: Callable[..., Awaitable[object]]
    parameters: tuple[Parameter, ...]


class Dispatcher:
    """Answers requests with the methods that it is given by name; while `is_up` is false, it refuses them all."""

    def __init__(
        self, methods: Mapping[str, Callable[..., Awaitable[object]]], is_up: Callable[[], bool] = lambda: True
    ) -> None:
        self._is_up = is_up
        self._methods = {name: _Method(call, parameters_of(call)) for name, call in methods.items()}

    @property
    def names(self) -> list[str]:
        return list(self._methods)

    async def answer(self, body: bytes) -> Answer:
        try:
            request = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            error = RpcError(Code.PARSE_ERROR, f"Parse error: {problem}")
            return Answer(encode(failure(None, error)))
        twice = duplicate_key(body)
        if twice is not None:
            error = invalid_request(f"the key {shown(twice)} stands twice")
            return Answer(encode(failure(None, error)), status=400)
        if isinstance(request, list):
            return await self._answer_batch(request)
        return _joined([await self._answer_one(request)], batch=False)

    async def _answer_batch(self, requests: list[object]) -> Answer:
        if not requests:
            return Answer(encode(failure(None, invalid_request("an empty batch"))))
        if len(requests) > BATCH_REQUESTS_MAX:
            error = invalid_request(f"a batch of {len(requests)} requests (max: {BATCH_REQUESTS_MAX})")
            return Answer(encode(failure(None, error)))
        answers = []
        for request in requests:
            answers.append(await self._answer_one(request))
            await asyncio.sleep(0)  # One request may never wait for anything: others get their turn in between.
        return _joined(answers, batch=True)

    async def _answer_one(self, request: object) -> Json | None:
        """The answer, or None to a notification: a node does not run those."""
        try:
            call = Call.of(request)
        except RpcError as error:
            return failure(_id_of(request), error)
        if call.is_notification:
            return None
        try:
            return success(call.id, await self.result(call))
        except RpcError as error:
            return failure(call.id, error)

    async def result(self, call: "Call") -> object:
        """The result of one call. Raises `RpcError`, whatever goes wrong."""
        if not self._is_up():
            raise unhealthy()
        method = self._methods.get(call.method)
        if method is None:
            raise method_not_found()
        try:
            return await method.call(*arguments(method.parameters, call.params))
        except ChainUnavailable:
            raise unhealthy() from None
        except RpcError:
            raise
        except Exception as problem:  # A boundary: a client gets an error it can read, never a traceback.
            _log.exception("the JSON-RPC method %s failed", call.method)
            raise RpcError(Code.INTERNAL_ERROR, "Internal error") from problem


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    params: object
    id: object
    is_notification: bool

    @classmethod
    def of(cls, request: object) -> "Call":
        """A well-formed request; `RpcError` says what is wrong with any other."""
        if not isinstance(request, dict):
            raise invalid_request(f"an object is expected, got {shown(request)}")
        if (version := request.get("jsonrpc")) != "2.0":
            raise invalid_request(f'jsonrpc must be "2.0", got {shown(version)}')
        method = request.get("method")
        if not isinstance(method, str):
            raise invalid_request(f"method must be a string, got {shown(method)}")
        if "id" in request and not _is_id(request["id"]):
            raise invalid_request(f"id must be a string, a number or null, got {shown(request['id'])}")
        return cls(method, request.get("params"), request.get("id"), "id" not in request)


def success(request_id: object, result: object) -> Json:
    return {"jsonrpc": "2.0", "result": result, "id": request_id}


def failure(request_id: object, error: RpcError) -> Json:
    return {"jsonrpc": "2.0", "error": error.wire(), "id": request_id}


def _joined(answers: list[Json | None], *, batch: bool) -> Answer:
    said = [answer for answer in answers if answer is not None]
    available = not any(answer.get("error", {}).get("code") == Code.NODE_UNHEALTHY for answer in said)
    if not said:
        return Answer(b"")
    return Answer(encode(said if batch else said[0]), 200 if available else 503)


def _id_of(request: object) -> object:
    """The id to answer a malformed request with: its own where it has a proper one."""
    found = request.get("id") if isinstance(request, dict) else None
    return found if _is_id(found) else None


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _ID_CHARACTERS_MAX
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
