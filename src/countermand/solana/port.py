"""The chain as all above it see it: the semantics of Solana's JSON-RPC, and nothing that only one adapter can do.

Two adapters implement it: `embedded` (a Solana VM in this process) and, for a real node, `rpc`.
Addresses, signatures and blockhashes are base58 text, as on the wire; transactions are wire bytes.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Address: TypeAlias = str
Signature: TypeAlias = str
Blockhash: TypeAlias = str
JsonError: TypeAlias = str | dict[str, Any]
"""A transaction error as a node writes it: `"BlockhashNotFound"`, `{"InstructionError": [1, {"Custom": 1}]}`."""

PACKET_BYTES_MAX = 1232


class ChainUnavailable(Exception):
    """The chain does not answer now. Nothing is known about what was asked; asking again is right."""


@dataclass(frozen=True, slots=True)
class LatestBlockhash:
    blockhash: Blockhash
    last_valid_block_height: int


@dataclass(frozen=True, slots=True)
class AccountInfo:
    lamports: int
    owner: Address
    data: bytes
    executable: bool


@dataclass(frozen=True, slots=True)
class SignatureStatus:
    """A transaction that the chain knows. `finalized` false means: it may still be forgotten."""

    slot: int
    finalized: bool
    error: JsonError | None


@dataclass(frozen=True, slots=True)
class Simulation:
    """What would happen. `error` None means that it would succeed."""

    error: JsonError | None
    logs: tuple[str, ...]
    units_consumed: int


class Chain(Protocol):
    """Every method may raise `ChainUnavailable`."""

    async def latest_blockhash(self) -> LatestBlockhash: ...

    async def finalized_block_height(self) -> int: ...

    async def signature_status(self, signature: Signature) -> SignatureStatus | None:
        """The status with history searched, or None if this node, at its present height, knows none."""

    async def accounts(self, addresses: list[Address]) -> list[AccountInfo | None]: ...

    async def simulate(self, transaction: bytes) -> Simulation:
        """Signatures are not verified, the blockhash is."""

    async def send(self, transaction: bytes) -> None:
        """Hands over a signed transaction without preflight. Returning says nothing about landing."""
