"""How each API shows an error that the gateway itself answers: in the shape that its clients read."""

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import msgspec

from countermand.gateway.asgi import AsgiAnswer, Header, gateway_answer
from countermand.gateway.text import NO_JSON

Shape = Callable[[int, str], object]

_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {400: "invalid_request", 413: "request_entity_too_large", 500: "internal", 503: "unavailable"}
)
"""As the operator's API has them itself, and one that later versions of Python name otherwise."""
_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600


def shaped(path: str, status: int, message: str, *headers: Header) -> AsgiAnswer:
    """An error as the API at this path shows its own."""
    return AsgiAnswer(status, msgspec.json.encode(_shape_of(path)(status, message)), headers)


def refused_before(path: str, status: int, message: str, *headers: Header) -> AsgiAnswer:
    """An error before an API is asked: in front of Jupiter's, a gateway's; tanX and our own have no such gateway."""
    shape = gateway_answer if is_jupiter(path) else partial(shaped, path)
    return shape(status, message, *headers)


def _jupiter_gateway(status: int, message: str) -> object:
    return {"code": status, "message": message}


def _error_alone(_status: int, message: str) -> object:
    return {"error": message}


def _trigger_v1(status: int, message: str) -> object:
    return {"error": message, "code": status}


def _recurring(status: int, message: str) -> object:
    return {"code": status, "error": message, "status": HTTPStatus(status).phrase}


def _tanx(_status: int, message: str) -> object:
    if message == NO_JSON:
        message = "Malformed JSON in the request body"  # In its own words.
    return {"status": "error", "message": message, "payload": ""}


def _venue(status: int, message: str) -> object:
    code = _CODES.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "_")
    return {"error": {"code": code, "message": message}}


def _json_rpc(status: int, message: str) -> object:
    code = _PARSE_ERROR if status == HTTPStatus.BAD_REQUEST else _INVALID_REQUEST
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": None}


_SHAPES: Final[tuple[tuple[str, Shape], ...]] = (
    ("/trigger/v2/", _error_alone),
    ("/trigger/v1/", _trigger_v1),
    ("/limit/v2/", _trigger_v1),
    ("/recurring/v1/", _recurring),
    ("/swap/v1/", _error_alone),
    ("/price/v3/", _error_alone),
    ("/price/v2/", _error_alone),
    ("/tokens/v2/", _error_alone),
    ("/sapi/", _tanx),
    ("/main/", _tanx),
    ("/public/", _tanx),
    ("/private/", _tanx),
    ("/sandbox/", _error_alone),
    ("/venue/", _venue),
    ("/admin/", _venue),
    ("/rpc/", _json_rpc),
)


_WITHOUT_GATEWAY: Final = ("/sapi/", "/main/", "/public/", "/private/", "/sandbox/", "/venue/", "/admin/")


def _shape_of(path: str) -> Shape:
    return next((shape for prefix, shape in _SHAPES if f"{path}/".startswith(prefix)), _jupiter_gateway)


def is_jupiter(path: str) -> bool:
    """Behind Jupiter's gateway, or of no API at all."""
    return not f"{path}/".startswith(_WITHOUT_GATEWAY)
