"""The one thing about JSON that a decoder of types does not see: a key that stands twice in an object."""

import json
from typing import Final

_ECHOED_CHARS_MAX: Final = 60


class _Twice(Exception):
    pass


def duplicate_key(body: bytes) -> str | None:
    """The first key that an object of this JSON text has twice. Whatever else is wrong with the text is not told."""
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except _Twice as twice:
        return str(twice)
    except (ValueError, RecursionError):
        return None
    return None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: dict[str, None] = {}
        for key, _ in pairs:
            if key in seen:
                raise _Twice(key)
            seen[key] = None
    return found


def echoed(key: str) -> str:
    """Its beginning, as a message may repeat it."""
    return key[:_ECHOED_CHARS_MAX].encode("utf-8", "replace").decode()
