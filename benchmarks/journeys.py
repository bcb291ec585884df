"""What a connection of the load generator does with its items: a conversation of requests and bodies."""

import base64
from collections.abc import Generator, Iterator
from typing import Any

import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from benchmarks import requests

_SIGNATURE_BYTES = 64


def plain(items: Iterator[bytes]) -> Generator[bytes, bytes, None]:
    """Each item is a request."""
    while (request := next(items, None)) is not None:
        yield request


def crafts_and_creates(items: Iterator[dict[str, Any]]) -> Generator[bytes, bytes, None]:
    """Each item becomes an order: a deposit is crafted, signed, and the order created."""
    for item in items:
        yield from _placed(item, Keypair.from_bytes(item["key"]))


def creates_and_withdraws(items: Iterator[dict[str, Any]]) -> Generator[bytes, bytes, None]:
    """Each item becomes an order that is cancelled, and its withdrawal signed and confirmed."""
    for item in items:
        keypair = Keypair.from_bytes(item["key"])
        order_id = yield from _placed(item, keypair)
        cancelling = msgspec.json.decode((yield requests.cancel(order_id, item["token"])))
        signed = sign(cancelling["transaction"], keypair)
        yield requests.confirm(order_id, item["token"], signed, cancelling["requestId"])


def _placed(item: dict[str, Any], keypair: Keypair) -> Generator[bytes, bytes, str]:
    crafted = msgspec.json.decode((yield requests.craft(item)))
    placed = msgspec.json.decode((yield create(item, crafted, keypair)))
    order_id: str = placed["id"]
    return order_id


def create(item: dict[str, Any], crafted: dict[str, Any], keypair: Keypair) -> bytes:
    """The request that creates an order with a deposit that was crafted for it."""
    return requests.create(item, crafted["requestId"], sign(crafted["transaction"], keypair))


def sign(transaction: str, keypair: Keypair) -> str:
    """Fills the first slot, the payer's, and leaves the others."""
    raw = base64.b64decode(transaction)
    message = raw[1 + raw[0] * _SIGNATURE_BYTES :]
    signature = bytes(keypair.sign_message(message))
    return base64.b64encode(raw[:1] + signature + raw[1 + _SIGNATURE_BYTES :]).decode()


def payer(transaction: str) -> str:
    """The wallet that signs first."""
    raw = base64.b64decode(transaction)
    keys = 1 + raw[0] * _SIGNATURE_BYTES + 4
    return str(Pubkey(raw[keys : keys + 32]))
