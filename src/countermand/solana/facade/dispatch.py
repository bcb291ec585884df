"""JSON-RPC 2.0: from the bytes of a request to the bytes of its answer, whatever those bytes are."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from countermand.json_flaws import DECODING_ERRORS
from countermand.solana.facade.errors import (
    Code,
    RpcError,
    answer_too_large,
    batch_exhausted,
    invalid_request,
    method_not_found,
    shown,
    unhealthy,
)
from countermand.solana.facade.params import Parameter, arguments, parameters_of
from countermand.solana.port import ChainUnavailable
from countermand.strict_json import duplicate_key

BATCH_REQUESTS_MAX: Final = 1_000
BATCH_SECONDS_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one answer, and of all answers of a batch together."""

HELD_BYTES_MAX: Final = 128 * 1024 * 1024
"""Of the answers of all batches that are under way."""

_ID_CHARACTERS_MAX: Final = 256

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder(decimal_format="number")

Json = dict[str, Any]
encode: Final[Callable[[object], bytes]] = _encoder.encode


class RpcAnswer(msgspec.Struct, frozen=True):
    """The body of an answer, empty when only notifications were asked, and its HTTP status."""

    body: bytes
    status: int = 200


class AnswerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The reference has them (docs/reference/solana-rpc.md)."""

    batch_requests: int = BATCH_REQUESTS_MAX
    batch_seconds: float = BATCH_SECONDS_MAX
    answer_bytes: int = ANSWER_BYTES_MAX
    held_bytes: int = HELD_BYTES_MAX


class Held(msgspec.Struct):
    """The bytes of the answers of batches that are under way."""

    bytes_max: int
    bytes: int = 0


class _Said(msgspec.Struct, frozen=True):
    """One answer as it goes out."""

    body: bytes
    status: int = 200


class _Batch:
    """Answers in the order of their requests, for as long as there is time and room."""

    def __init__(self, limits: AnswerLimits, held: Held) -> None:
        self._limits = limits
        self._held = held
        self._answers: list[_Said] = []
        self._bytes = 0
        self._end = asyncio.get_running_loop().time() + limits.batch_seconds
        self._exhausted: RpcError | None = None

    async def add(self, request: object, answer_one: Callable[[object], Awaitable[_Said | None]]) -> None:
        if self._exhausted is None and asyncio.get_running_loop().time() > self._end:
            self._exhausted = batch_exhausted(f"it took more than {self._limits.batch_seconds:g} seconds")
        if self._exhausted is None:
            said = await answer_one(request)
            if said is None:
                return
            if self._has_room(said):
                self._take(said)
                return
        elif not _wants_answer(request):
            return
        assert self._exhausted is not None
        self._take(_refused(_id_of(request), self._exhausted))

    def _has_room(self, said: _Said) -> bool:
        if self._bytes + len(said.body) > self._limits.answer_bytes:
            self._exhausted = batch_exhausted(f"its answers are more than {self._limits.answer_bytes} bytes")
        elif self._held.bytes + len(said.body) > self._held.bytes_max:
            self._exhausted = batch_exhausted("too many large batches are under way")
        return self._exhausted is None

    def _take(self, said: _Said) -> None:
        self._answers.append(said)
        self._bytes += len(said.body)
        self._held.bytes += len(said.body)

    def joined(self) -> RpcAnswer:
        if not self._answers:
            return RpcAnswer(b"")
        body = b",".join(said.body for said in self._answers)
        return RpcAnswer(b"[%b]" % body, max(said.status for said in self._answers))

    def close(self) -> None:
        self._held.bytes -= self._bytes


class _Method(msgspec.Struct, frozen=True):
    call: Callable[..., Awaitable[object]]
    parameters: tuple[Parameter, ...]


class Dispatcher:
    """Answers requests with the methods that it is given by name; while `is_up` is false, it refuses them all."""

    def __init__(
        self,
        methods: Mapping[str, Callable[..., Awaitable[object]]],
        is_up: Callable[[], bool] = lambda: True,
        limits: "AnswerLimits | None" = None,
    ) -> None:
        self._is_up = is_up
        self._limits = limits or AnswerLimits()
        self._held = Held(self._limits.held_bytes)
        self._methods = {name: _Method(call, parameters_of(call)) for name, call in methods.items()}

    @property
    def names(self) -> list[str]:
        return list(self._methods)

    async def answer(self, body: bytes) -> RpcAnswer:
        try:
            request = msgspec.json.decode(body)
        except DECODING_ERRORS as problem:
            error = RpcError(Code.PARSE_ERROR, f"Parse error: {problem}")
            return RpcAnswer(encode(failure(None, error)))
        twice = duplicate_key(body)
        if twice is not None:
            error = invalid_request(f"the key {shown(twice)} stands twice")
            return RpcAnswer(encode(failure(None, error)), status=400)
        if isinstance(request, list):
            return await self._answer_batch(request)
        said = await self._answer_one(request)
        return RpcAnswer(b"") if said is None else RpcAnswer(said.body, said.status)

    async def _answer_batch(self, requests: list[object]) -> RpcAnswer:
        if not requests:
            return RpcAnswer(encode(failure(None, invalid_request("an empty batch"))))
        if len(requests) > self._limits.batch_requests:
            error = invalid_request(f"a batch of {len(requests)} requests (max: {self._limits.batch_requests})")
            return RpcAnswer(encode(failure(None, error)))
        batch = _Batch(self._limits, self._held)
        try:
            for request in requests:
                await batch.add(request, self._answer_one)
                await asyncio.sleep(0)  # One request may never wait for anything: others get their turn in between.
            return batch.joined()
        finally:
            batch.close()

    async def _answer_one(self, request: object) -> "_Said | None":
        """The answer, or None to a notification: a node does not run those."""
        try:
            call = RpcCall.of(request)
        except RpcError as error:
            return _refused(_id_of(request), error)
        if call.is_notification:
            return None
        try:
            body = encode(success(call.id, await self.result(call)))
        except RpcError as error:
            return _refused(call.id, error)
        if len(body) > self._limits.answer_bytes:
            return _refused(call.id, answer_too_large(self._limits.answer_bytes))
        return _Said(body)

    async def result(self, call: "RpcCall") -> object:
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


class RpcCall(msgspec.Struct, frozen=True):
    method: str
    params: object
    id: object
    is_notification: bool

    @classmethod
    def of(cls, request: object) -> "RpcCall":
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


def _refused(request_id: object, error: RpcError) -> _Said:
    status = HTTPStatus.SERVICE_UNAVAILABLE if error.code == Code.NODE_UNHEALTHY else HTTPStatus.OK
    return _Said(encode(failure(request_id, error)), status)


def _wants_answer(request: object) -> bool:
    """All but notifications, which are well-formed requests without an id."""
    try:
        return not RpcCall.of(request).is_notification
    except RpcError:
        return True


def _id_of(request: object) -> object:
    """The id to answer a malformed request with: its own where it has a proper one."""
    found = request.get("id") if isinstance(request, dict) else None
    return found if _is_id(found) else None


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _ID_CHARACTERS_MAX
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
