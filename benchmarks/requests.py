"""Requests as bytes on the wire. The cancel is what Node's fetch sends for the published example, header by header."""

from typing import Any, Final

import msgspec

_NODE: Final = (
    "host: 127.0.0.1\r\nconnection: keep-alive\r\nx-api-key: your-api-key\r\n{more}"
    "accept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\n"
    "accept-encoding: gzip, deflate\r\n"
)
_V2: Final = "/trigger/v2"


def cancel(order_id: str, token: str) -> bytes:
    return _request("POST", f"{_V2}/orders/price/cancel/{order_id}", None, token)


def confirm(order_id: str, token: str, signed: str, request_id: str) -> bytes:
    body = {"signedTransaction": signed, "cancelRequestId": request_id}
    return _request("POST", f"{_V2}/orders/price/confirm-cancel/{order_id}", body, token)


def craft(item: dict[str, Any]) -> bytes:
    body = {
        "inputMint": item["sells"],
        "outputMint": item["buys"],
        "userAddress": item["wallet"],
        "amount": item["amount"],
        "orderType": "price",
        "orderSubType": "otoco" if "take_profit" in item else "single",
    }
    return _request("POST", f"{_V2}/deposit/craft", body, item["token"])


def create(item: dict[str, Any], request_id: str, signed: str) -> bytes:
    body = {
        "orderType": "single",
        "depositRequestId": request_id,
        "depositSignedTx": signed,
        "userPubkey": item["wallet"],
        "inputMint": item["sells"],
        "inputAmount": item["amount"],
        "outputMint": item["buys"],
        "triggerMint": item["watches"],
        "triggerCondition": item["condition"],
        "triggerPriceUsd": item["dollars"],
        "slippageBps": 300,
        "expiresAt": item["expires_at"],
    }
    if "take_profit" in item:
        body |= {"orderType": "otoco", "tpPriceUsd": item["take_profit"], "slPriceUsd": item["stop_loss"]}
    return _request("POST", f"{_V2}/orders/price", body, item["token"])


def tanx_create(nonce: int, msg_hash: str, signature: tuple[int, int], token: str) -> bytes:
    """As tanX's Python client sends it."""
    r, s = signature
    return _tanx("create", {"nonce": nonce, "msg_hash": msg_hash, "signature": {"r": hex(r), "s": hex(s)}}, token)


def tanx_cancel(order_id: int, token: str) -> bytes:
    return _tanx("cancel", {"order_id": order_id}, token)


def _tanx(what: str, body: object, token: str) -> bytes:
    raw = msgspec.json.encode(body)
    return (
        f"POST /sapi/v1/orders/{what}/ HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: python-requests/2.32.3\r\n"
        "accept-encoding: gzip, deflate\r\naccept: */*\r\nconnection: keep-alive\r\n"
        f"authorization: JWT {token}\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    ).encode() + raw


def echo() -> bytes:
    """The small JSON POST that the peer answers."""
    body = b'{"cancelRequestId":"0198f0a0-1b2c-4d5e-8f90-a1b2c3d4e5f6"}'
    head = b"POST /echo HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _request(method: str, path: str, body: object | None, token: str) -> bytes:
    raw = b"" if body is None else msgspec.json.encode(body)
    more = f"authorization: Bearer {token}\r\n"
    if body is not None:
        more = "content-type: application/json\r\n" + more
    head = f"{method} {path} HTTP/1.1\r\n" + _NODE.format(more=more)
    return head.encode() + b"content-length: %d\r\n\r\n" % len(raw) + raw
