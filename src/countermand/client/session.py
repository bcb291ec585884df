"""What the flows of one client share: who asks, its tokens, and how patient it is."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from countermand.client.effects import Flow, Pause, Wallet
from countermand.client.errors import ClientError

_SIGNING_IN_S: Final = 0.02
"""Between two looks whether another flow has signed in."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long a client tries, in seconds, and what it pays at most.

    `attempts`: how often a request is sent before its outcome counts as unknown. Pauses between them double from
    `pause_s` to `pause_max_s`. `limited_s`: how long it waits in all while it is answered 429. `find_s`: how long it
    looks for an order whose create was not answered, and waits for a fill under way. `lag_s`: how long a history may
    show what was before. `fee_lamports_max`: it signs no transaction that
    offers more as network fee.
    """

    attempts: int = 6
    pause_s: float = 0.25
    pause_max_s: float = 4
    limited_s: float = 120
    find_s: float = 30
    lag_s: float = 15
    fee_lamports_max: int = 5_000_000


@dataclass(slots=True)
class Session:
    """`token`: of Trigger v2, once it was needed. `signing_in`: the process in which a flow is about to get another.

    Raises `ValueError` for an API key that no header can carry, and does not show it.
    """

    wallet: Wallet | None
    api_key: str | None = field(default=None, repr=False)
    policy: Policy = field(default_factory=Policy)
    token: str | None = field(default=None, repr=False)
    vault: str | None = None
    signing_in: int | None = None

    def __post_init__(self) -> None:
        key = self.api_key or ""
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("the API key is none: it takes printable ASCII characters without spaces")

    def owner(self) -> Wallet:
        if self.wallet is None:
            raise ClientError("this client has no wallet: give it one, or ask only for what needs none")
        return self.wallet


def one_at_a_time(session: Session, is_needed: Callable[[], bool], sign_in: Flow[None]) -> Flow[None]:
    """Flows that run side by side wait for the one that signs in, and use what it got: what is signed serves once.

    In a fork, no flow of the other process goes on.
    """
    while session.signing_in == os.getpid():
        yield Pause(_SIGNING_IN_S)
    if not is_needed():
        return
    session.signing_in = os.getpid()
    try:
        yield from sign_in
    finally:
        session.signing_in = None
