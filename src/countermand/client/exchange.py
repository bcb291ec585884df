"""Sends one request until it is answered, as far as that is safe.

Every request of this client may be repeated, but for the few that say that they are sent once: reads change nothing,
builds change nothing that counts, and those that act are keyed (by the deposit's request, by the order, by the
signature of a transaction), so that doing them twice is doing them once. What a server answers to a repetition differs,
though. So an answer says whether an earlier one was lost, and the operations know what follows from that.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import msgspec

from countermand.client.effects import AnswerLost, Flow, NotSent, Pause, Request, Response
from countermand.client.errors import BadAnswer, ClientError, OutcomeUnknown, RateLimited, Refused, Unavailable
from countermand.client.numbers import encode
from countermand.client.session import Policy

T = TypeVar("T")

_READS: Final = "GET"
_PASSING: Final = (502, 503, 504, *range(520, 600))
"""Of what stands before the server: from 520 on they are Cloudflare's."""
_UNCHANGED: Final = b"nothing was changed"
_TROUBLE: Final = b"internal server error"
_LIMITED_PAUSE_MAX_S: Final = 60
_LONG: Final = re.compile(r"[A-Za-z0-9+/=_.-]{45,}")
"""What may be a token, and no address."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`lost`: an earlier attempt may have been received too, and its answer did not come."""

    response: Response
    lost: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.response.status < 300

    def refusal(self) -> Refused:
        status = self.response.status
        return (RateLimited if status == 429 else Refused)(status, self.words() or "without a reason", self.body())

    def words(self) -> str:
        """What the API says of a refusal; empty if this is none of its answers."""
        body = self.body()
        fields = body if isinstance(body, dict) else {}
        return next((fields[name] for name in ("error", "message") if isinstance(fields.get(name), str)), "")

    def body(self) -> Any:
        try:
            return msgspec.json.decode(self.response.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def into(self, shape: type[T]) -> T:
        """Raises `Refused` or `BadAnswer`. Amounts may be digits in a string, and become whole numbers."""
        if not self.ok:
            raise self.refusal()
        try:
            return msgspec.json.decode(self.response.body, type=shape, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            shown = _LONG.sub("(hidden)", self.response.body.decode(errors="replace"))[:200]
            raise BadAnswer(f"the answer is not as documented: {problem}: {shown}") from problem


def request(
    method: str,
    path: str,
    body: object = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """`body` is written as JSON, decimals digit for digit."""
    sent = dict(headers or {})
    if body is None:
        return Request(method, path, query or {}, None, sent)
    return Request(method, path, query or {}, encode(body), sent | {"content-type": "application/json"})


def with_header(sent: Request, name: str, value: str) -> Request:
    return replace(sent, headers={**sent.headers, name: value})


def exchange(policy: Policy, sent: Request) -> Flow[Answered]:
    """The answer of any status but 429, a gateway's 5xx and an `Internal server error`, which are waited out.

    Raises `RateLimited`, `Unavailable`, or `OutcomeUnknown` if the attempts run out after an answer was lost, and it
    was no read.
    """
    lost, waited, attempt, reason = False, 0.0, 0, ""
    while attempt < policy.attempts:
        try:
            response: Response = yield sent
        except NotSent as problem:
            reason = str(problem)
        except AnswerLost as problem:
            lost, reason = True, str(problem)
        else:
            answered = Answered(response, lost)
            if response.status == 429:
                pause = _limited_pause(response, attempt, policy)
                if waited + pause > policy.limited_s:
                    with leaving_unknown(when=lost and sent.method != _READS):
                        raise answered.refusal()
                waited += pause
                yield Pause(pause)
                continue
            if not _passes(response):
                return answered
            lost = lost or _UNCHANGED not in response.body.lower()
            reason = f"{response.status} {answered.refusal().words}"
        attempt += 1
        if attempt < policy.attempts:
            yield Pause(pause_after(attempt - 1, policy))
    words = f"{sent.method} {sent.path}: no answer after {policy.attempts} attempts: {reason}"
    if lost and sent.method != _READS:
        raise OutcomeUnknown(words)
    raise Unavailable(words)


@contextmanager
def leaving_unknown(*, when: bool = True, **reference: str) -> Iterator[None]:
    """For what follows a request whose answer was lost: whatever fails then, that request may have been done."""
    try:
        yield
    except ClientError as problem:
        if not when:
            raise
        raise OutcomeUnknown(f"it may have been done: {problem}", **reference) from problem


@contextmanager
def changing_nothing() -> Iterator[None]:
    """For requests that take nothing, and may be made again: a lost answer leaves nothing open."""
    try:
        yield
    except OutcomeUnknown as problem:
        raise Unavailable(str(problem)) from problem


def pause_after(attempt: int, policy: Policy) -> float:
    """Seconds, after so many failures; from 0 on."""
    return min(policy.pause_s * float(2**attempt), policy.pause_max_s)


def _passes(response: Response) -> bool:
    """Whether the server has a trouble that may pass, or what stands before it: no API answers 500 without words."""
    if response.status != 500:
        return response.status in _PASSING
    return _TROUBLE in response.body.lower() or not Answered(response).words()


def _limited_pause(response: Response, attempt: int, policy: Policy) -> float:
    """As `Retry-After` says, else until a slot frees by `x-ratelimit-reset`, else as after a failure."""
    after, reset = response.headers.get("retry-after", ""), response.headers.get("x-ratelimit-reset", "")
    if after.isdigit():
        return min(int(after), _LIMITED_PAUSE_MAX_S)
    if reset.isdigit():
        return min(max(int(reset) - time.time(), policy.pause_s), _LIMITED_PAUSE_MAX_S)
    return max(1.0, pause_after(attempt, policy))
