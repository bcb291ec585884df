"""Who may look: the origins of browsers (CORS), and what counts as this machine."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from countermand.gateway.areas import Area
from countermand.gateway.asgi import Answer, Header

ANY: Final = "*"

_EXPOSED: Final[Header] = (
    b"access-control-expose-headers",
    b"x-ratelimit-remaining, x-ratelimit-current, x-ratelimit-reset, x-api-gateway-request-id",
)
_PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH"),
    (b"access-control-allow-headers", b"content-type, accept, x-api-key, authorization, solana-client"),
    (b"access-control-max-age", b"600"),
)
_VARIES: Final[Header] = (b"vary", b"origin")
_FOR_ANY: Final[tuple[Header, ...]] = ((b"access-control-allow-origin", b"*"), _EXPOSED)

PREFLIGHT: Final = Answer(204, b"", _PREFLIGHT)
"""What every path answers to a preflight; the origin's own header says whether it may go on."""


class Origins:
    """`*` shows every origin everything but the sandbox, which is for pages of this machine and listed origins."""

    def __init__(self, allowed: Iterable[str]) -> None:
        names = list(allowed)
        self._any = ANY in names
        self._listed = frozenset(name.encode() for name in names if name != ANY)

    def headers(self, origin: bytes | None, area: Area) -> tuple[Header, ...]:
        """The headers of CORS of an answer to that origin."""
        if self._any and not area.sandbox:
            return _FOR_ANY if origin is not None else ()
        if origin is not None and self.may_see(origin, area):
            return (b"access-control-allow-origin", origin), _EXPOSED, _VARIES
        return (_VARIES,) if area.sandbox or self._listed else ()

    def may_see(self, origin: bytes, area: Area) -> bool:
        if origin in self._listed:
            return True
        return is_loopback_origin(origin) if area.sandbox else self._any


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether an IP address, or a name, is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


@lru_cache(maxsize=1024)
def is_loopback_origin(origin: bytes) -> bool:
    try:
        parts = urlsplit(origin.decode("ascii"))
        return parts.scheme in {"http", "https"} and parts.hostname is not None and is_loopback(parts.hostname)
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def is_loopback_host(host: bytes) -> bool:
    """For the value of a `Host` header, with or without a port."""
    return b"@" not in host and is_loopback_origin(b"http://" + host)
