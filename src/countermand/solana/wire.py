"""Transactions as bytes: one reading, and a refusal of everything that has two."""

import hashlib
from typing import Final

from msgspec import Struct
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from countermand.solana.port import PACKET_BYTES_MAX

SIGNATURE_BYTES = 64
VERIFIED_KEPT = 2_048

_KNOWN: Final[dict[tuple[Signature, Pubkey, bytes], bool]] = {}
"""The newest signatures that were made or verified here, and whether they are what they claim to be."""


class MalformedTransaction(ValueError):
    """These bytes are no transaction that a node would take."""


class NotCanonical(MalformedTransaction):
    """They can be read as a transaction, but its only form is another."""


class Unsound(MalformedTransaction):
    """They can be read as a transaction, but its counts and indices contradict each other."""


class WireTransaction(Struct, frozen=True):
    """A well-formed transaction. `static_keys` leaves out what address lookup tables add."""

    raw: bytes
    versioned: VersionedTransaction
    message: Message | MessageV0
    static_keys: list[Pubkey]
    blockhash: bytes
    message_hash: bytes

    @property
    def signature(self) -> bytes:
        return self.raw[1 : 1 + SIGNATURE_BYTES]

    @property
    def message_bytes(self) -> bytes:
        return self.raw[1 + SIGNATURE_BYTES * self.raw[0] :]

    def signatures_are_valid(self) -> bool:
        """Whether all are there, and each is its key's signature of this message."""
        message, signatures = self.message_bytes, self.versioned.signatures
        return all(is_signature(each, key, message) for each, key in zip(signatures, self.static_keys, strict=False))


def is_signature(signature: Signature, key: Pubkey, message: bytes) -> bool:
    """Verifies once: what a user hands in is read, checked before it is sent, sent, and sent again."""
    case = (signature, key, message)
    valid = _KNOWN.get(case)
    if valid is None:
        valid = signature.verify(key, message)
        _remember(case, valid=valid)
    return valid


def signature_of(pair: Keypair, key: Pubkey, message: bytes) -> Signature:
    """`key` is the pair's. What was signed here need not be verified here."""
    signature = pair.sign_message(message)
    _remember((signature, key, message), valid=True)
    return signature


def _remember(case: tuple[Signature, Pubkey, bytes], *, valid: bool) -> None:
    if len(_KNOWN) >= VERIFIED_KEPT:
        del _KNOWN[next(iter(_KNOWN))]
    _KNOWN[case] = valid


def read_transaction(raw: bytes) -> WireTransaction:
    """Raises `MalformedTransaction` unless `raw` is a legacy or version 0 transaction in its only form.

    Where only the form is wrong, it is `NotCanonical`; where only the content is, `Unsound`.
    """
    if len(raw) > PACKET_BYTES_MAX:
        raise MalformedTransaction(f"the transaction has {len(raw)} bytes, at most {PACKET_BYTES_MAX} fit a packet")
    try:
        versioned = VersionedTransaction.from_bytes(raw)
        versioned.sanitize()
    except SanitizeError as error:
        raise Unsound(f"these bytes are no transaction: {error}") from error
    except ValueError as error:
        raise MalformedTransaction(f"these bytes are no transaction: {error}") from error
    message = versioned.message
    if not isinstance(message, Message | MessageV0):
        raise MalformedTransaction("only legacy and version 0 messages are supported")
    # The decoder alone ignores bytes that follow, and reads some counts in more than one spelling.
    if bytes(versioned) != raw:
        raise NotCanonical("these bytes are not the canonical form of their transaction")
    return WireTransaction(
        raw=raw,
        versioned=versioned,
        message=message,
        static_keys=message.account_keys,
        blockhash=bytes(message.recent_blockhash),
        # A signature count below 128 takes one byte, and a packet holds no more than 19 signatures.
        message_hash=hashlib.sha256(raw[1 + SIGNATURE_BYTES * raw[0] :]).digest(),
    )
