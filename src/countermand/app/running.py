"""A venue that one of the two roots has put together. `serve` runs it."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from msgspec import Struct

from countermand.app.families import Families
from countermand.gateway.http_gateway import HttpGateway
from countermand.solana.embedded import EmbeddedChain


class App(Struct, frozen=True):
    """`begin` is awaited before anything is served. `embedded`: the chain of our own, if there is one.

    `background` runs beside what every venue has.
    """

    families: Families
    gateway: HttpGateway
    begin: Callable[[], Awaitable[None]]
    embedded: EmbeddedChain | None
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()
