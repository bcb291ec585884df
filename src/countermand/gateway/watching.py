"""Who watches the requests of the dialects and their answers, as they pass the gateway: a sandbox does."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from countermand.gateway.asgi import Scope, Send


class WatchedRequest(Protocol):
    """One request and its answer."""

    def has_body(self, body: bytes) -> None:
        """The request came in whole."""

    def watching(self, send: Send) -> Send:
        """The same `send`, seen."""

    def ends(self) -> None:
        """Nothing more is answered. Without the end of an answer before it, the connection was cut."""


RequestObserver: TypeAlias = Callable[[Scope], WatchedRequest | None]


def unobserved(_scope: Scope) -> None:
    """Of a venue that is no sandbox."""
