"""One JSON-RPC endpoint over HTTP. Whatever it does instead of answering is `ChainUnavailable`, said in one line.

The client is aiohttp: it reads an answer piece by piece, so that no answer grows larger in memory than we let it, and
costs 0.15 ms of our time for each request, where httpx takes 0.9 (measured on one connection; 1.9 with 50 at once).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from countermand.json_flaws import DECODING_ERRORS
from countermand.solana.port import ChainUnavailable

TIMEOUT_MS: Final = 15_000
CONNECT_TIMEOUT_MS: Final = 5_000
CONNECTIONS_MAX: Final = 32
HEARTBEAT_MS: Final = 20_000
BEHIND_PAUSES_MS: Final = (100, 200, 400, 800)
SLOT_NOT_REACHED: Final = -32016
_COMPLAINT_BYTES_MAX: Final = 16 * 1024
_SHOWN_CHARACTERS_MAX: Final = 120
_PAUSE_DIGITS_MAX: Final = 6
_HEADERS: Final = {
    "content-type": "application/json",
    "accept": "application/json",
    # An answer that is packed may be larger than any limit on what comes over the wire.
    "accept-encoding": "identity",
    "user-agent": "countermand",
}

T = TypeVar("T")


class NodeRefused(ChainUnavailable):
    """The node answered with an error of JSON-RPC instead of a result."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code: Final = code


class BatchRefused(ChainUnavailable):
    """The node did not take several questions in one request."""


class NodeBusy(ChainUnavailable):
    """The node takes no more requests from us now: HTTP status 429. `pause_s`: how long it asks us to wait."""

    def __init__(self, sentence: str, pause_s: int | None) -> None:
        super().__init__(sentence)
        self.pause_s: Final = pause_s


class NodeBehind(ChainUnavailable):
    """The node, or the one that a provider chose now, has not seen yet what another has told us."""


async def caught_up(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks, and asks again for about a second and a half while the node is behind."""
    for pause_ms in BEHIND_PAUSES_MS:
        try:
            return await ask()
        except NodeBehind:
            await asyncio.sleep(pause_ms / 1000)
    return await ask()


class _Complaint(msgspec.Struct, frozen=True):
    code: int
    message: str = ""


class _Answer(msgspec.Struct, frozen=True):
    id: int | str | None = None
    error: _Complaint | None = None
    result: msgspec.Raw = msgspec.Raw(b"")


class BadStatus(ChainUnavailable):
    """The node answered with another HTTP status than 200."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status: Final = status


_PASSING_CODES: Final = (-32004, -32005, -32014, SLOT_NOT_REACHED, 429, -32429)
"""A block, a node's health, a status or a slot that comes later; and how providers say "busy" in JSON-RPC."""
_PASSING_WORDS: Final = "Blockhash not found"
"""Of a node that simulates what it is sent, and is behind."""
_PASSING_STATUSES: Final = (408, 425)


def stays(problem: ChainUnavailable) -> bool:
    """Whether a node refuses what it would refuse another time, too."""
    if isinstance(problem, NodeRefused):
        return problem.code not in _PASSING_CODES and _PASSING_WORDS not in str(problem)
    return isinstance(problem, BadStatus) and problem.status < 500 and problem.status not in _PASSING_STATUSES


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_answers: Final = msgspec.json.Decoder(list[_Answer]).decode


class NodeClient:
    """Raises `ValueError` unless `url` is an http or https address. A path, a query or a password may hold a secret:
    messages name the host alone.
    """

    def __init__(self, url: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self._url = url
        self.name = f"the node at {_host_of(url)}"
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000, sock_connect=CONNECT_TIMEOUT_MS / 1000)
        self._http: aiohttp.ClientSession | None = None
        self._closed = False
        self._ids = count(1)

    async def close(self) -> None:
        self._closed = True
        if self._http is not None:
            await self._http.close()

    async def call(self, method: str, params: list[Any], read: Callable[[msgspec.Raw], T], *, bytes_max: int) -> T:
        """The result as `read`, a decoder of msgspec, reads it. No more than `bytes_max` come into memory."""
        number, question = self._question(method, params)
        text = await self._post(method, msgspec.json.encode(question), bytes_max)
        try:
            answer = _decode_answer(text)
        except DECODING_ERRORS:
            raise self.answered(method, f"something that is no JSON-RPC: {_glimpse(text)}") from None
        if (complaint := answer.error) is not None:
            raise self._refused(method, complaint)
        if answer.id != number or not answer.result:
            raise self.answered(method, f"no result of our question: {_glimpse(text)}")
        return self._read_result(method, answer.result, read)

    async def call_batch(
        self, method: str, many: Sequence[list[Any]], read: Callable[[msgspec.Raw], T], *, bytes_max: int
    ) -> list[T]:
        """The results of questions that differ in their parameters, in one request; `bytes_max` is for all together.

        Raises `BatchRefused` if the node takes no batches, or not this one. The first error of one of them is raised.
        """
        asked = dict(self._question(method, params) for params in many)
        try:
            text = await self._post(method, msgspec.json.encode(list(asked.values())), bytes_max)
        except BadStatus as bad:
            if 400 <= bad.status < 500:
                raise BatchRefused(str(bad)) from None
            raise
        try:
            answers = {answer.id: answer for answer in _decode_answers(text)}
        except DECODING_ERRORS:
            raise BatchRefused(f"{self.name} answered a batch of {method} with {_glimpse(text)}") from None
        if answers.keys() != asked.keys():
            raise BatchRefused(f"{self.name} answered a batch of {method} with other answers: {_glimpse(text)}")
        results: list[T] = []
        for number in asked:
            if (complaint := answers[number].error) is not None:
                raise self._refused(method, complaint)
            results.append(self._read_result(method, answers[number].result, read))
        return results

    def _question(self, method: str, params: list[Any]) -> tuple[int, dict[str, Any]]:
        number = next(self._ids)
        return number, {"jsonrpc": "2.0", "id": number, "method": method, "params": params}

    def _read_result(self, method: str, result: msgspec.Raw, read: Callable[[msgspec.Raw], T]) -> T:
        try:
            return read(result)
        except DECODING_ERRORS as problem:
            raise self.answered(method, f"a result of another shape: {_glimpse(str(problem))}") from None

    async def open_socket(self, url: str, *, bytes_max: int) -> aiohttp.ClientWebSocketResponse:
        """Its WebSocket. No message may have more than `bytes_max`. Pings that are not answered end it."""
        return await self._session().ws_connect(url, max_msg_size=bytes_max, heartbeat=HEARTBEAT_MS / 1000)

    def answered(self, method: str, what: str) -> ChainUnavailable:
        """For an answer with which nothing can be done."""
        return ChainUnavailable(f"{self.name} answered {method} with {what}")

    async def _post(self, method: str, body: bytes, bytes_max: int) -> bytes:
        """Asks once more where a connection that was kept ended: all that we ask may be asked twice."""
        try:
            try:
                return await self._post_once(method, body, bytes_max)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                return await self._post_once(method, body, bytes_max)
        except TimeoutError:
            raise ChainUnavailable(f"{self.name} did not answer {method} in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            raise ChainUnavailable(f"{self.name} cannot be asked {method}: {_reason(problem)}") from None

    async def _post_once(self, method: str, body: bytes, bytes_max: int) -> bytes:
        async with self._session().post(self._url, data=body, allow_redirects=False) as response:
            if response.status == 429:
                sentence = str(self.answered(method, "HTTP status 429: it takes no more requests from us now"))
                raise NodeBusy(sentence, _seconds(response.headers.get("retry-after", "")))
            if response.status != 200:
                text = await self._read(method, response, _COMPLAINT_BYTES_MAX)
                sentence = str(self.answered(method, f"HTTP status {response.status}: {_complaint_in(text)}"))
                raise BadStatus(sentence, response.status)
            if (packed := response.headers.get("content-encoding", "identity")) != "identity":
                raise self.answered(method, f"a packed body ({_glimpse(packed)}), which we did not ask for")
            return await self._read(method, response, bytes_max)

    async def _read(self, method: str, response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
        pieces: list[bytes] = []
        read = 0
        async for piece in response.content.iter_any():
            read += len(piece)
            if read > bytes_max:
                response.close()
                raise self.answered(method, f"more than {bytes_max} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def _session(self) -> aiohttp.ClientSession:
        """Made when it is needed: it belongs to the loop that runs then."""
        if self._closed:
            raise ChainUnavailable(f"{self.name} is not asked any more: the chain is closed")
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                timeout=self._timeout,
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._http

    def _refused(self, method: str, complaint: _Complaint) -> ChainUnavailable:
        sentence = f"{self.name} refused {method}: {_glimpse(complaint.message)} ({complaint.code})"
        return NodeBehind(sentence) if complaint.code == SLOT_NOT_REACHED else NodeRefused(sentence, complaint.code)


def _seconds(text: str) -> int | None:
    """Of a `Retry-After`, which may be a date: no node that limits requests gives one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _PAUSE_DIGITS_MAX else None


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        named = f"{parts.scheme}://{parts.hostname}" + ("" if parts.port is None else f":{parts.port}")
    except ValueError:
        raise ValueError("the node's address cannot be read; give one like https://host:8899") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the node's address is no http or https one; give one like https://host:8899")
    return named


def _complaint_in(text: bytes) -> str:
    """What a node says with a bad status, in JSON-RPC or not."""
    try:
        answer = _decode_answer(text)
    except DECODING_ERRORS:
        return _glimpse(text)
    return _glimpse(text if answer.error is None else answer.error.message)


def _reason(problem: Exception) -> str:
    """(The text of some names the address with its query, which may be a secret.)"""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(problem, aiohttp.ClientConnectorError):
        return problem.os_error.strerror or "no connection"
    if isinstance(problem, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer"
    if isinstance(problem, aiohttp.ClientPayloadError):
        return "its answer broke off"
    if isinstance(problem, aiohttp.ClientResponseError):
        return "its answer is no HTTP"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return type(problem).__name__


def _glimpse(value: str | bytes) -> str:
    """The beginning of something from outside, without line ends or control characters."""
    text = repr(value[:_SHOWN_CHARACTERS_MAX]).removeprefix("b")
    return f"{text}…" if len(value) > _SHOWN_CHARACTERS_MAX else text
