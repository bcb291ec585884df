"""What all endpoints of the sandbox do: read what was sent, and answer the sandbox as it then is."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar

import msgspec
from falcon.asgi import Request, Response

from countermand.addresses import is_address
from countermand.inspection.queries import parameters, shown
from countermand.sandbox.numbers import number_in
from countermand.sandbox.reading import Body, SandboxRefused, parsed
from countermand.sandbox.sandbox import Sandbox
from countermand.values.identity import Address
from countermand.values.quantities import U64_MAX

YEAR_MS: Final = 366 * 24 * 3600 * 1000

encode: Final = msgspec.json.Encoder().encode

P = ParamSpec("P")


class Endpoints:
    """A resource with several paths: each responder takes its request."""

    PATHS: ClassVar[Mapping[str, str | None]]
    """With the suffix of its responders' names."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def _show(self, resp: Response) -> None:
        resp.data = encode(self.sandbox.shown())


E = TypeVar("E", bound=Endpoints)


def changes(
    responder: Callable[Concatenate[E, P], Awaitable[None]],
) -> Callable[Concatenate[E, P], Coroutine[Any, Any, None]]:
    """A responder that changes something. What replaces the whole sandbox waits for it, and it for that."""

    @wraps(responder)
    async def changing(self: E, /, *args: P.args, **kwargs: P.kwargs) -> None:
        async with self.sandbox.changes.one():
            await responder(self, *args, **kwargs)

    return changing


async def body_of(req: Request) -> Body:
    """The body of a request that has no other part."""
    parameters(req.query_string)
    return parsed(await req.stream.read())


async def no_body(req: Request) -> None:
    parsed(await req.stream.read()).refuse_any()


async def nothing(req: Request) -> None:
    """The request is to hold nothing at all."""
    parameters(req.query_string)
    await no_body(req)


def address(field: str, text: str) -> Address:
    if is_address(text):
        return Address(text)
    raise SandboxRefused(f"{field}: {shown(text)!r} is no base58 address of 32 bytes")


def units(field: str, raw: msgspec.Raw) -> int:
    return number_in(field, raw, scale=0, bound=U64_MAX)


def given_or_one(raw: msgspec.Raw | msgspec.UnsetType) -> msgspec.Raw:
    return msgspec.Raw(b"1") if isinstance(raw, msgspec.UnsetType) else raw
