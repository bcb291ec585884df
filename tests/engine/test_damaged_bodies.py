"""An order's stored body, damaged at each place of its JSON (B1): what a load makes of it is an order, or one line."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from countermand.domain.trigger.desk import Desk
from countermand.engine.journal import encode
from countermand.engine.trigger_bodies import decode_stored
from countermand.stored_rows import UNREADABLE, unreadable
from tests.domain.orders import an_order

WRONG = (None, -1, 2**70, 1.5, "x", "", [], {}, True)
LINE_CHARS_MAX = 400


def places(body: Any) -> Iterator[list[Any]]:
    """The path to everything in it."""
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield [key]
        yield from ([key, *rest] for rest in places(value))


def damaged(body: Any) -> Iterator[bytes]:
    for path in places(body):
        for change in (*[lambda at, key, value=value: at.__setitem__(key, value) for value in WRONG], _remove):
            copy = deepcopy(body)
            at = copy
            for key in path[:-1]:
                at = at[key]
            change(at, path[-1])
            yield json.dumps(copy).encode()


def _remove(at: Any, key: Any) -> None:
    del at[key]
