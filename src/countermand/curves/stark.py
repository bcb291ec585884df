"""Signatures on the Stark curve, as StarkEx defines them, and the message that signs a limit order.

Whatever integers come in, nothing here raises: the library that does the work panics on some, and a panic is no
`Exception`. So it is only asked what it can answer.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from countermand.curves.curve import Curve, compiled
from countermand.curves.ethereum import keccak

library: Final = compiled("fast_stark_crypto")

FIELD: Final = 2**251 + 17 * 2**192 + 1
CURVE: Final = Curve(
    p=FIELD,
    a=1,
    b=0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89,
    order=0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F,
    generator=(
        0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
        0x5668060AA49730B7BE4801DF46EC62DE53ECD11ABE43A32873000C36E8DC1F,
    ),
)
BOUND: Final = 2**251
"""What is signed, both halves of a signature, and the inverse of the second are less."""

_PEDERSEN_SHIFT: Final = (
    0x49EE3EBA8C1600700EE1B87EB599F16716B0B1022947733551FDE4050CA6804,
    0x3CA0CFE4B3BC6DDF346D49D06EA0ED34E621062C0E056C1D0405D266E10268A,
)
_PEDERSEN: Final = (
    (
        0x234287DCBAFFE7F969C748655FCA9E58FA8120B6D56EB0C1080D17957EBE47B,
        0x3B056F100F96FB21E889527D41F4E39940135DD7A6C94CC6ED0268EE89E5615,
    ),
    (
        0x4FA56F376C83DB33F9DAB2656558F3399099EC1DE5E3018B7A6932DBA8AA378,
        0x3FA0984C931C9E38113E0C0E47E4401562761F92A7A23B45168F4E80FF5B54D,
    ),
    (
        0x4BA4CC166BE8DEC764910F75B45F74B40C690C74709E90F3AA372F0BD2D6997,
        0x40301CF5C1751F4B971E46C4EDE85FCAC5C59A5CE5AE7C48151F27B24B219C,
    ),
    (
        0x54302DCB0E6CC1C6E44CCA8F61A63BB2CA65048D53FB325D36FF12C49A58202,
        0x1B77B3E37D13504B348046268D8AE25CE98AD783C25561A879DCC77E99C2426,
    ),
)
_LOW_BITS: Final = 248
_HEX: Final = re.compile(r"0[xX][0-9a-fA-F]{1,64}", re.ASCII)


def from_hex(text: str) -> int | None:
    """A number as clients write it: `0x`, then up to 64 digits, padded or not. None: it is no such thing."""
    return int(text, 16) if _HEX.fullmatch(text) else None


def is_key(x: int) -> bool:
    """Whether this can be a public key, which is the x of a point."""
    return CURVE.has_x(x)


def public_key(private_key: int) -> int:
    """Of a private key from 1 to the curve's order − 1."""
    assert 0 < private_key < CURVE.order, "a private key is a factor of the generator"
    if library is not None:
        return int(library.get_public_key(private_key))
    point = CURVE.combine((private_key, CURVE.generator))
    assert point is not None, "the order is prime"
    return point[0]


def private_key_of(ethereum_signature: bytes) -> int:
    """The Stark key that tanX derives from an Ethereum signature of 65 bytes, the same for the same signature.

    It hashes the signature's decimal digits, where StarkWare's own derivation takes half of its bytes.
    """
    assert len(ethereum_signature) == 65, "r, s and v"
    seed = keccak(str(int.from_bytes(ethereum_signature)).encode())
    fair = 2**256 - 2**256 % CURVE.order
    number = 0
    while (key := int.from_bytes(sha256(seed + bytes([number])).digest())) >= fair:
        number += 1
    return key % CURVE.order


def verify(stark_key: int, message: int, r: int, s: int) -> bool:
    """Whether this is the key's signature of the message. `(r, order − s)` is one too: a signature names nothing."""
    if not all(0 < number < BOUND for number in (message, r, s)):
        return False
    inverse = pow(s, -1, CURVE.order)
    if not (inverse < BOUND and is_key(stark_key)):
        return False
    if library is None:
        return verify_slowly(stark_key, message, r, inverse)
    # The library adds the two points message·G and ±r·Q and panics if the sum is infinite, which an owner of
    # the key can bring about: exactly if Q = ±(message / r)·G. No signer's r ever is that, but for a chance in 2²⁵⁰.
    if library.get_public_key(message * pow(r, -1, CURVE.order) % CURVE.order) == stark_key:
        return False
    return bool(library.verify(stark_key, message, r, s))


def sign(private_key: int, message: int) -> tuple[int, int]:
    """r and s, the same for the same message. Raises ValueError for what cannot be signed."""
    if not 0 < message < BOUND:
        raise ValueError("what is signed is more than 0 and less than 2²⁵¹")
    if not 0 < private_key < CURVE.order:
        raise ValueError("a private key is from 1 to the curve's order − 1")
    if library is None:
        return sign_slowly(private_key, message)
    r, s = library.sign(private_key, message)
    return int(r), int(s)


def sign_slowly(private_key: int, message: int) -> tuple[int, int]:
    """The same in plain Python, with another nonce, and not in constant time."""
    for attempt in range(256):
        nonce, r, _ = CURVE.nonce_of(private_key, message, attempt)
        inverse = nonce * pow(message + r * private_key, -1, CURVE.order) % CURVE.order
        if 0 < r < BOUND and 0 < inverse < BOUND and (s := pow(inverse, -1, CURVE.order)) < BOUND:
            return r, s
    raise AssertionError("no nonce in 256")


def verify_slowly(stark_key: int, message: int, r: int, inverse: int) -> bool:
    """The same in plain Python, for numbers in range; `inverse` is that of s."""
    point = CURVE.lift(stark_key)
    assert point is not None, "the key was checked"
    x, y = point
    of_generator, of_key = message * inverse % CURVE.order, r * inverse % CURVE.order
    for either in ((x, y), (x, CURVE.p - y)):
        found = CURVE.combine((of_generator, CURVE.generator), (of_key, either))
        if found is not None and found[0] == r:
            return True
    return False


def pedersen(left: int, right: int) -> int:
    """StarkWare's Pedersen hash of two elements of the field."""
    assert 0 <= left < FIELD, "an element of the field"
    assert 0 <= right < FIELD, "an element of the field"
    return pedersen_slowly(left, right) if library is None else int(library.pedersen_hash(left, right))


def pedersen_slowly(left: int, right: int) -> int:
    """The same in plain Python."""
    low = 2**_LOW_BITS - 1
    factors = (left & low, left >> _LOW_BITS, right & low, right >> _LOW_BITS)
    point = CURVE.combine((1, _PEDERSEN_SHIFT), *zip(factors, _PEDERSEN, strict=True))
    assert point is not None, "no input is known whose sum is infinite"
    return point[0]


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """What StarkEx settles: so much of one asset for so much of another. Amounts are in quanta of their assets."""

    token_sell: int
    token_buy: int
    vault_sell: int
    vault_buy: int
    amount_sell: int
    amount_buy: int
    nonce: int
    expires_hour: int
    """Hours since the Unix epoch."""


_FIELDS: Final[tuple[tuple[Callable[[LimitOrder], int], int], ...]] = (
    (lambda order: order.vault_sell, 31),
    (lambda order: order.vault_buy, 31),
    (lambda order: order.amount_sell, 63),
    (lambda order: order.amount_buy, 63),
    (lambda order: order.nonce, 31),
    (lambda order: order.expires_hour, 22),
)
"""What is packed, from the left, and into how many bits."""


def message_of(order: LimitOrder) -> int | None:
    """What the owner of the selling vault signs. None: a number does not fit its field, or the hash cannot be signed.

    It is the order without a fee (StarkEx's instruction 0): the only form that a published vector pins down. What fee
    the owner agrees to is fixed with the order.
    """
    if not (0 <= order.token_sell < FIELD and 0 <= order.token_buy < FIELD):
        return None
    packed = 0
    for of, bits in _FIELDS:
        if not 0 <= of(order) < 1 << bits:
            return None
        packed = packed << bits | of(order)
    message = pedersen(pedersen(order.token_sell, order.token_buy), packed)
    return message if 0 < message < BOUND else None
