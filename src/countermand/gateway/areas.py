"""Which rules of the gateway a path falls under, by its first segment."""

from types import MappingProxyType
from typing import Final

from msgspec import Struct


class Area(Struct, frozen=True):
    """What holds for the paths below one first segment.

    `keyed`: API keys, gateway headers and rate-limit headers. `dialect`: the faults act.
    `any_slash`: a path with a trailing slash is the one without.
    """

    name: str
    dialect: bool = False
    keyed: bool = False
    any_slash: bool = False
    sandbox: bool = False


def _jupiter(name: str) -> Area:
    return Area(name, dialect=True, keyed=True)


def _tanx(name: str) -> Area:
    return Area(name, dialect=True, keyed=True, any_slash=True)


ELSEWHERE: Final = Area("elsewhere")

AREAS: Final = MappingProxyType(
    {
        area.name: area
        for area in (
            _jupiter("trigger"),
            _jupiter("limit"),
            _jupiter("recurring"),
            _jupiter("swap"),
            Area("price", keyed=True),
            Area("tokens", keyed=True),
            _tanx("sapi"),
            _tanx("main"),
            _tanx("public"),
            _tanx("private"),
            Area("admin"),
            Area("rpc"),
            Area("sandbox", sandbox=True),
        )
    }
)

REGISTER_VAULT: Final = "/trigger/v2/vault/register"
"""The one GET of the dialects that changes something."""

_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def area_of(path: str) -> Area:
    return AREAS.get(path[1:].partition("/")[0], ELSEWHERE)


def changes_something(method: str, path: str) -> bool:
    return method in _CHANGING or path == REGISTER_VAULT
