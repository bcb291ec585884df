"""Keys of simulated people, and what they can do with a message: sign it, spoil it, sign it again otherwise."""

import base64
from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import sha512
from random import Random
from typing import Final

from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.signature import Signature

from countermand.solana.wire import SIGNATURE_BYTES

Signers = Mapping[str, Keypair]

_SIGNED_KEPT: Final = 4_096


@cache
def wallet(number: int) -> Keypair:
    return Keypair.from_seed(bytes([number]) * 32)


STRANGER: Final = str(wallet(255).pubkey())


def message_of(transaction: bytes) -> bytes:
    return transaction[1 + SIGNATURE_BYTES * transaction[0] :]


def filled(message: bytes, signers: Signers) -> str:
    """The transaction, base64, with the signers' slots filled and the others empty."""
    return _transaction(message, [_signature(each, message, signers) for each in signers_of(message)])


def signers_of(message: bytes) -> list[str]:
    """Whose signatures a message wants. A legacy message begins with their number."""
    return [str(each) for each in Message.from_bytes(message).account_keys[: message[0]]]


def with_blockhash(message: bytes, blockhash: str) -> bytes:
    return message.replace(bytes(Message.from_bytes(message).recent_blockhash), bytes(Hash.from_string(blockhash)))


def tampered(signed: str, signers: Signers, random: Random) -> str:
    """What no server must take."""
    message, how = message_of(base64.b64decode(signed)), random.randrange(5)
    if how == 0:
        return filled(message, {})
    if how == 1:
        return filled(message, dict.fromkeys(signers, wallet(255)))
    if how == 2:
        return filled(with_blockhash(message, str(Hash(random.randbytes(32)))), signers)
    return signed + "*" if how == 3 else "not a transaction"


# A second valid signature: ed25519 by the book (RFC 8032), but with a nonce of our choice, 2.

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_TWICE_BASE: Final = bytes.fromhex("c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022")
_NONCE: Final = 2


def filled_otherwise(message: bytes, signers: Signers) -> str:
    """The same message with another valid first signature, and so another id."""
    first, *others = signers_of(message)
    secret = sha512(bytes(signers[first])[:32]).digest()
    scalar = int.from_bytes(secret[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254
    challenge = int.from_bytes(sha512(_TWICE_BASE + bytes(signers[first].pubkey()) + message).digest(), "little")
    response = (_NONCE + challenge * scalar) % _ORDER
    other = Signature.from_bytes(_TWICE_BASE + response.to_bytes(32, "little"))
    return _transaction(message, [other, *(_signature(each, message, signers) for each in others)])


def _signature(who: str, message: bytes, signers: Signers) -> Signature:
    return _signed(bytes(signers[who]), message) if who in signers else Signature.default()


@lru_cache(_SIGNED_KEPT)
def _signed(pair: bytes, message: bytes) -> Signature:
    """People sign the same again and again. To hash a `Keypair` takes almost as long as to sign."""
    return _pair(pair).sign_message(message)


@cache
def _pair(pair: bytes) -> Keypair:
    return Keypair.from_bytes(pair)


def _transaction(message: bytes, signatures: list[Signature]) -> str:
    return base64.b64encode(bytes([len(signatures)]) + b"".join(map(bytes, signatures)) + message).decode()
