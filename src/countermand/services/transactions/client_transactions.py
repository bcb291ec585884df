"""Transactions that we build for clients, who sign them, and land them through us or by themselves.

Nothing here passes a shard, since nothing here decides: what landed, landed, with us or without us.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

import msgspec

from countermand.kernel.grouped_reads import GroupedReads
from countermand.kernel.grouped_writes import GroupedWrites
from countermand.kernel.journal import encode
from countermand.kernel.ports import Clock, Unavailable
from countermand.services.transactions import telemetry
from countermand.values.identity import Address, RequestId, Signature, Wallet
from countermand.values.transactions import BLOCKHASH_BLOCKS, Alteration, ObservedOutcome, TransactionOutcome

REMEMBERED_BLOCKS: Final = 216_000
"""About a day: so long after it could land, executing a transaction again gets the same answer."""
_WRITTEN_AT_ONCE: Final = 200
_BUILDS_KEPT: Final = 1_024
"""The newest, to say of what comes back altered how it was altered."""
_COMPARED_MAX: Final = 8
_POLL_MS: Final = 5
_POLL_MS_MAX: Final = 250


class Build(msgspec.Struct, frozen=True):
    """A transaction of orders on the chain, for `wallet` to sign and land, with us or without us.

    `order` is what it opens or closes, or the first that it closes. What it moves is the program's affair; the
    transaction of an order in a vault, which says what it moves, is an `UnsignedTransaction`.
    """

    request_id: RequestId
    wallet: Wallet
    purpose: str
    """What it is for, such as `limit.create`: its builder knows."""
    order: Address
    opens: bool
    message: bytes
    last_valid_height: int


class SignedTransaction(msgspec.Struct, frozen=True):
    """Canonical wire bytes, every signature in them there and valid."""

    wire: bytes
    message: bytes
    signature: Signature
    """The first one: its id."""
    signers: tuple[Wallet, ...] = ()


class BuildRow(msgspec.Struct, frozen=True):
    """A build as it is stored. Found by the SHA-256 of its message."""

    digest: bytes
    request_id: RequestId
    last_valid_height: int
    body: bytes


class BuildStore(Protocol):
    """Every method may raise `Unavailable`, `add` also `CommitUnknown`."""

    async def add(self, rows: Sequence[BuildRow]) -> None:
        """One that is stored already stays as it is."""

    async def find(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The bodies of those that there are."""

    async def newest(self, blocks: int) -> Sequence[bytes]:
        """The bodies of those whose last valid height is at most so many blocks below the greatest of all."""


class Landing(Protocol):
    """The way of signed transactions to the chain. Every coroutine may raise `Unavailable`."""

    def read(self, transaction: str) -> SignedTransaction | None:
        """Reads base64. None: no canonical transaction, or a signature is missing or wrong. Never raises."""

    async def send(self, transaction: SignedTransaction) -> None: ...

    async def outcome(self, signature: Signature, last_valid_height: int) -> ObservedOutcome | None:
        """None: unresolved."""

    async def outcome_of_message(self, build: Build) -> ObservedOutcome | None:
        """What became of it under whatever signature; None: it is not known to have landed under any.

        A message lands once, but who signs it can do so again, which is another id: send one, and execute the other.
        """

    async def shortfall(self, build: Build) -> str | None:
        """Why its payer cannot pay the fee, with the lamports held and needed; None if it can."""

    def alteration(self, build: Build, signed: SignedTransaction) -> Alteration:
        """How a signed message, which is not the build's, differs from it."""

    async def must_have_landed(self, build: Build) -> bool:
        """Whether the chain, which has no history of a dead build's order, holds what only this build could make."""


class Executed(msgspec.Struct, frozen=True):
    """It landed, under this signature, which may be another one than was handed in. `error` is the chain's, if any."""

    build: Build
    signature: Signature
    error: str | None


class Unconfirmed(msgspec.Struct, frozen=True):
    """It has not landed in the time that a request waits, or cannot any more."""

    build: Build
    signature: Signature
    shortfall: str | None = None
    """It was not sent at all: its payer cannot pay the fee. The lamports held and needed, in words."""


class NotOurs(msgspec.Struct, frozen=True):
    """Unreadable, unsigned, altered, or built elsewhere; or by us, under another request id."""


Execution: TypeAlias = Executed | Unconfirmed | NotOurs

_BUILD: Final = msgspec.json.Decoder(Build)


class ClientTransactions:
    """What the families on the chain have in common. Methods may raise `Unavailable` or `CommitUnknown`."""

    def __init__(self, builds: BuildStore, landing: Landing, clock: Clock, confirm_timeout_ms: int) -> None:
        self._builds = builds
        self._found = GroupedReads(builds.find)
        self._writes = GroupedWrites(builds.add)
        self._landing = landing
        self._clock = clock
        self._confirm_timeout_ms = confirm_timeout_ms
        self._newest: deque[Build] = deque(maxlen=_BUILDS_KEPT)

    async def remember(self, builds: Sequence[Build], *, repeatable: bool = False) -> None:
        """Commits what was built, before a client gets it to sign.

        `repeatable`: the same bytes may be built again under another id, perhaps with others beside them. The first id
        is stored with the build, and each of them beside it.
        """
        rows: list[BuildRow] = []
        for start in range(0, len(builds), _WRITTEN_AT_ONCE):
            written = builds[start : start + _WRITTEN_AT_ONCE]
            rows += [_row(sha256(build.message).digest(), build, encode(build)) for build in written]
            if repeatable:
                rows += [_row(_named(build.request_id, build.message), build, b"") for build in written]
            await asyncio.sleep(0)  # A cancel of all can have thousands, and others have their turn.
        await self._writes.add(rows)
        self._newest.extend(builds)

    async def opened_when_landed(self, purpose: str) -> frozenset[Address]:
        """The orders that what was built for this purpose opens, as far as it can still land. May name others, too."""
        built = [_BUILD.decode(body) for body in await self._builds.newest(BLOCKHASH_BLOCKS)]
        return frozenset(build.order for build in built if build.opens and build.purpose == purpose)

    async def execute(
        self, transaction: str, request_id: RequestId | None, is_mine: Callable[[Build], bool] = lambda _: True
    ) -> Execution:
        """Lands a signed build and waits for it. The same transaction again gets the same answer.

        `is_mine` tells whether a build belongs to the family that is asked.
        """
        signed = self._landing.read(transaction)
        if signed is None:
            return NotOurs()
        body = await self._found.ask(sha256(signed.message).digest())
        build = None if body is None else _BUILD.decode(body)
        if build is None:
            self._tell_how_altered(signed, request_id)
        if build is None or not is_mine(build) or not await self._is_named(build, request_id):
            return NotOurs()
        landing = self._landing
        seen = await landing.outcome(signed.signature, build.last_valid_height)
        if seen is None and (shortfall := await landing.shortfall(build)) is not None:
            seen = await landing.outcome_of_message(build)
            if seen is None:  # It would be sent in vain, without any answer.
                return Unconfirmed(build, signed.signature, shortfall)
        if seen is None:
            await landing.send(signed)
            seen = await self._awaited(signed, build)
        if seen is None or seen.outcome is TransactionOutcome.DEAD:
            seen = await self._otherwise(signed, build, dead=seen is not None)
        return Unconfirmed(build, signed.signature) if seen is None else Executed(build, seen.signature, seen.error)

    def _tell_how_altered(self, signed: SignedTransaction, request_id: RequestId | None) -> None:
        """The log says what a wallet changed, where it is known what the wallet was given."""
        given = [build for build in self._newest if build.wallet in signed.signers]
        named = [build for build in given if build.request_id == request_id] or given
        compared = [(self._landing.alteration(build, signed), build) for build in named[-_COMPARED_MAX:]]
        if compared:
            alteration, build = min(compared, key=lambda each: len(str(each[0].differences)))
            telemetry.transaction_altered(build.purpose, build.request_id, alteration.differences)

    async def _is_named(self, build: Build, request_id: RequestId | None) -> bool:
        if request_id in (None, build.request_id):
            return True
        return await self._found.ask(_named(request_id, build.message)) is not None

    async def _otherwise(self, signed: SignedTransaction, build: Build, *, dead: bool) -> ObservedOutcome | None:
        """Whether the message landed though this signature did not."""
        seen = await self._landing.outcome_of_message(build)
        if seen is None and dead and await self._landing.must_have_landed(build):
            return ObservedOutcome(TransactionOutcome.LANDED, signed.signature)
        return seen

    async def _awaited(self, signed: SignedTransaction, build: Build) -> ObservedOutcome | None:
        """Raises `Unavailable` if the chain's last answer before the deadline was none: it may miss some before."""
        deadline = self._clock.elapsed_ms() + self._confirm_timeout_ms
        pause_ms, by_message = _POLL_MS, False
        while True:
            try:
                seen = await self._landing.outcome(signed.signature, build.last_valid_height)
                if seen is None and not by_message:
                    seen, by_message = await self._landing.outcome_of_message(build), True
                if seen is not None or self._clock.elapsed_ms() >= deadline:
                    return seen
            except Unavailable:
                if self._clock.elapsed_ms() >= deadline:
                    raise
            await asyncio.sleep(pause_ms / 1000)
            pause_ms = min(2 * pause_ms, _POLL_MS_MAX)


def _row(digest: bytes, build: Build, body: bytes) -> BuildRow:
    return BuildRow(digest, build.request_id, build.last_valid_height, body)


def _named(request_id: RequestId, message: bytes) -> bytes:
    return sha256(request_id.encode("utf-8", "replace") + sha256(message).digest()).digest()
