"""A venue that one of the two roots has put together. `serve` runs it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from countermand.app.families import Families
from countermand.gateway.http_gateway import HttpGateway
from countermand.solana.embedded import EmbeddedChain


@dataclass(frozen=True, slots=True)
class App:
    """`begin` is awaited before anything is served. `embedded`: the chain of our own, if there is one."""

    families: Families
    gateway: HttpGateway
    begin: Callable[[], Awaitable[None]]
    embedded: EmbeddedChain | None
