"""Keys of tests: an Ethereum key that signs texts, a Stark key that signs orders. In plain Python, by the textbook."""

import hmac
from hashlib import sha256

from countermand.curves import ethereum, stark
from countermand.curves.curve import Curve
from countermand.orders.book.model.ledger.amount import Account

KEY_TEXT = "Get started with TanX. Make sure the origin is https://trade.tanx.fi"
"""What tanX has its users sign to derive their Stark keys."""


def _nonce_point(curve: Curve, key: int, digest: int, attempt: int) -> tuple[int, int, int]:
    seed = hmac.digest(key.to_bytes(32), digest.to_bytes(32) + bytes([attempt]), sha256)
    nonce = int.from_bytes(seed) % curve.order
    point = curve.combine((nonce, curve.generator))
    assert point is not None
    return nonce, *point


def address_of(key: int) -> Account:
    point = ethereum.CURVE.combine((key, ethereum.CURVE.generator))
    assert point is not None
    return Account("0x" + ethereum.keccak(point[0].to_bytes(32) + point[1].to_bytes(32))[-20:].hex())


def sign_text(key: int, text: str) -> str:
    """By `personal_sign`."""
    curve, message = ethereum.CURVE, text.encode()
    digest = int.from_bytes(ethereum.keccak(b"\x19Ethereum Signed Message:\n%d" % len(message) + message))
    nonce, x, y = _nonce_point(curve, key, digest, 0)
    r = x % curve.order
    s = pow(nonce, -1, curve.order) * (digest + r * key) % curve.order
    parity = y % 2
    if s > curve.order // 2:
        s, parity = curve.order - s, 1 - parity
    return f"0x{r:064x}{s:064x}{27 + parity:02x}"


def sign_message(key: int, message: int) -> tuple[int, int]:
    """A Stark signature, by another nonce than the clients' but as good."""
    curve = stark.CURVE
    for attempt in range(256):
        nonce, r, _ = _nonce_point(curve, key, message, attempt)
        inverse = nonce * pow(message + r * key, -1, curve.order) % curve.order
        if 0 < r < stark.BOUND and 0 < inverse < stark.BOUND:
            return r, pow(inverse, -1, curve.order)
    raise AssertionError("no nonce in 256")


def stark_private_key(ethereum_key: int) -> int:
    return stark.private_key_of(bytes.fromhex(sign_text(ethereum_key, KEY_TEXT)[2:]))
