"""The origins of browsers that may read answers (CORS), and what counts as this machine."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

from countermand.gateway.areas import Area
from countermand.gateway.asgi import AsgiAnswer, Header

ANY: Final = "*"

_EXPOSED: Final[Header] = (
    b"access-control-expose-headers",
    b"x-ratelimit-remaining, x-ratelimit-current, x-ratelimit-reset, x-api-gateway-request-id, retry-after",
)
_METHODS: Final[Header] = (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE")
_AGE: Final[Header] = (b"access-control-max-age", b"600")
_ALWAYS_GRANTED: Final = b"content-type, accept, x-api-key, authorization, solana-client"
_VARIES: Final[Header] = (b"vary", b"origin")
_PREFLIGHT_VARIES: Final[Header] = (
    b"vary",
    b"origin, access-control-request-headers, access-control-request-private-network",
)
_FOR_ANY: Final[tuple[Header, ...]] = ((b"access-control-allow-origin", b"*"), _EXPOSED)

_NAMES: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_NAMES_BYTES_MAX: Final = 4_096
_HOST: Final = re.compile(r"(?P<name>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{0,5}))?")
_HOST_BYTES_MAX: Final = 255
_PORT_MAX: Final = 65_535


def is_preflight(method: str, headers: Mapping[bytes, bytes]) -> bool:
    return method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


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

    def preflight(self, headers: Mapping[bytes, bytes], area: Area) -> AsgiAnswer:
        """Every path answers a preflight. An origin that may see the path is granted the headers that it asks for."""
        origin = headers[b"origin"]
        granted, may_see = _ALWAYS_GRANTED, self.may_see(origin, area)
        answered = [header for header in self.headers(origin, area) if header is not _VARIES]
        if may_see:
            granted = _joined(granted, headers.get(b"access-control-request-headers", b""))
            if headers.get(b"access-control-request-private-network", b"").lower() == b"true":
                answered.append((b"access-control-allow-private-network", b"true"))
        answered += [_METHODS, (b"access-control-allow-headers", granted), _AGE, _PREFLIGHT_VARIES]
        return AsgiAnswer(204, b"", tuple(answered))

    def may_see(self, origin: bytes, area: Area) -> bool:
        if origin in self._listed:
            return True
        return is_loopback_origin(origin) if area.sandbox else self._any


def _joined(known: bytes, asked: bytes) -> bytes:
    """The known names, and those that are asked for beside them. What is no list of names grants nothing."""
    if len(asked) > _NAMES_BYTES_MAX or _NAMES.fullmatch(asked) is None:
        return known
    there = known.split(b", ")
    more = dict.fromkeys(name.strip().lower() for name in asked.split(b","))
    return b", ".join([*there, *(name for name in more if name not in there)])


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


def is_loopback_origin(origin: bytes) -> bool:
    scheme, separator, host = origin.partition(b"://")
    return bool(separator) and scheme in {b"http", b"https"} and is_loopback_host(host)


def is_loopback_host(host: bytes) -> bool:
    """For the value of a `Host` header, with or without a port. What is more than that is no host."""
    if len(host) > _HOST_BYTES_MAX or not host.isascii():
        return False
    found = _HOST.fullmatch(host.decode("ascii"))
    return found is not None and int(found["port"] or 0) <= _PORT_MAX and is_loopback(found["name"].strip("[]"))
