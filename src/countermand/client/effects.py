"""What a flow may ask of the world: to send a request, to pause, and to have something signed.

An operation of the client is a *flow*, a generator that yields effects and is sent their results. It opens no socket
and awaits nothing, so the same flow serves both clients: `runners` has one that blocks and one that awaits.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from solders.keypair import Keypair
from solders.signature import Signature

T = TypeVar("T")

Signed: TypeAlias = Signature | bytes
Signer: TypeAlias = Callable[[bytes], Signed | Awaitable[Signed]]
"""Takes the bytes to sign, and gives the 64 bytes of the signature. Only the async client takes an awaitable."""


@dataclass(frozen=True, slots=True)
class Request:
    """`path` from the root of the API on. What may hold a secret is not in its text, which tracebacks show."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Sign:
    """To have these bytes signed. The result is the signature, or whatever the signer gives."""

    signer: Callable[[Any], Any]
    payload: Any


class NotSent(Exception):
    """The request never left: no connection."""


class AnswerLost(Exception):
    """The request may have been received and done; the answer did not come, or not whole."""


Effect: TypeAlias = Request | Pause | Sign
Flow: TypeAlias = Generator[Effect, Any, T]


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet by its address, and something that signs for it."""

    address: str
    sign: Signer

    @classmethod
    def of(cls, wallet: "Wallet | Keypair") -> "Wallet":
        """Raises TypeError, without what was given: it may be a secret."""
        if isinstance(wallet, Keypair):
            return cls(str(wallet.pubkey()), wallet.sign_message)
        if not (hasattr(wallet, "address") and hasattr(wallet, "sign")):
            raise TypeError(f"wallet: give a solders Keypair or a Wallet(address, sign), not a {type(wallet).__name__}")
        return wallet
