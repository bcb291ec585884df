"""A venue that is put together, whichever root did it: what `serve` runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from countermand.app.families import Families
from countermand.gateway.door import Door
from countermand.solana.embedded import EmbeddedChain


@dataclass(frozen=True, slots=True)
class App:
    """`begin` is awaited before anything is served. `embedded`: the chain of our own, if there is one."""

    families: Families
    gateway: Door
    begin: Callable[[], Awaitable[None]]
    embedded: EmbeddedChain | None
