"""Ethereum accounts: their addresses, and who signed a text."""

import hmac
import re
from hashlib import sha256
from typing import Final

from Crypto.Hash import keccak as _keccak

from countermand.curves.curve import Curve, Point, compiled

library: Final = compiled("coincurve")

CURVE: Final = Curve(
    p=2**256 - 2**32 - 977,
    a=0,
    b=7,
    order=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    generator=(
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    ),
)
"""secp256k1."""

_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}", re.ASCII)
_SIGNATURE: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{130})", re.ASCII)
_PARITIES: Final = {0: 0, 1: 1, 27: 0, 28: 1}
"""The last byte of a signature says which of two points its r belongs to, in two ways of counting."""


def keccak(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it: the padding is not that of SHA-3."""
    return _keccak.new(digest_bits=256, data=data).digest()


def address_in(text: str) -> str | None:
    """The address that a text says, in small letters. None: it is no address."""
    return text.lower() if _ADDRESS.fullmatch(text) else None


def address_of(private_key: int) -> str:
    """Of a private key from 1 to the curve's order − 1, in small letters."""
    return _address(_public_key(private_key))


def sign_text(private_key: int, text: str) -> str:
    """By `personal_sign` (EIP-191): r, s and 27 or 28 in hexadecimal digits after `0x`; the same for the same text."""
    digest = _text_digest(text)
    if library is None:
        return sign_slowly(private_key, digest)
    signed = bytes(library.PrivateKey(private_key.to_bytes(32)).sign_recoverable(digest, hasher=None))
    return f"0x{signed[:64].hex()}{27 + signed[64]:02x}"


def sign_slowly(private_key: int, digest: bytes) -> str:
    """The very same in plain Python, since Stark keys are derived from signatures. Not in constant time."""
    order, nonce = CURVE.order, _nonce(private_key, digest)
    point = CURVE.combine((nonce, CURVE.generator))
    assert point is not None, "the order is prime"
    r, parity = point[0] % order, point[1] % 2
    s = pow(nonce, -1, order) * (int.from_bytes(digest) + r * private_key) % order
    if s > order // 2:  # Of the two that are valid, the lower one.
        s, parity = order - s, 1 - parity
    return f"0x{r:064x}{s:064x}{27 + parity:02x}"


def signer_of(text: str, signature: str) -> str | None:
    """The address that signed the text with `personal_sign` (EIP-191). None: the signature is not valid."""
    found = _SIGNATURE.fullmatch(signature)
    if found is None:
        return None
    raw = bytes.fromhex(found[1])
    parity = _PARITIES.get(raw[64])
    if parity is None:
        return None
    key = _recover(_text_digest(text), raw[:64], parity)
    return None if key is None else _address(key)


def _nonce(private_key: int, digest: bytes) -> int:
    """The secret number of a signature, by RFC 6979 with SHA-256."""
    key, state = bytes(32), bytes([1]) * 32
    for step in (b"\0", b"\1"):
        key = hmac.digest(key, state + step + private_key.to_bytes(32) + digest, sha256)
        state = hmac.digest(key, state, sha256)
    while True:
        state = hmac.digest(key, state, sha256)
        if 0 < (nonce := int.from_bytes(state)) < CURVE.order:
            return nonce
        key = hmac.digest(key, state + b"\0", sha256)
        state = hmac.digest(key, state, sha256)


def _text_digest(text: str) -> bytes:
    message = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(message) + message)


def _address(public_key: bytes) -> str:
    return "0x" + keccak(public_key)[-20:].hex()


def _public_key(private_key: int) -> bytes:
    assert 0 < private_key < CURVE.order, "a private key is a factor of the generator"
    if library is not None:
        return bytes(library.PrivateKey(private_key.to_bytes(32)).public_key.format(compressed=False)[1:])
    point = CURVE.combine((private_key, CURVE.generator))
    assert point is not None, "the order is prime"
    return point[0].to_bytes(32) + point[1].to_bytes(32)


def _recover(digest: bytes, r_and_s: bytes, parity: int) -> bytes | None:
    if library is None:
        return recover_slowly(digest, r_and_s, parity)
    try:
        key = library.PublicKey.from_signature_and_message(r_and_s + bytes([parity]), digest, hasher=None)
    except ValueError:
        return None
    return bytes(key.format(compressed=False)[1:])


def recover_slowly(digest: bytes, r_and_s: bytes, parity: int) -> bytes | None:
    """The public key, 64 bytes, that made this signature; in plain Python."""
    order = CURVE.order
    r, s = int.from_bytes(r_and_s[:32]), int.from_bytes(r_and_s[32:])
    if not (0 < r < order and 0 < s < order):
        return None
    point = CURVE.lift(r)
    if point is None:
        return None
    x, y = point
    nonce_point: Point = (x, y if y % 2 == parity else CURVE.p - y)
    inverse = pow(r, -1, order)
    of_generator = -int.from_bytes(digest) * inverse % order
    key = CURVE.combine((of_generator, CURVE.generator), (s * inverse % order, nonce_point))
    return None if key is None else key[0].to_bytes(32) + key[1].to_bytes(32)
