"""An order's stored body, damaged at each place of its JSON (B1): what a load makes of it is an order, or one line."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from countermand.kernel.journal import encode
from countermand.orders.trigger.bodies import decode_stored
from countermand.orders.trigger.model.live_orders import LiveOrders
from countermand.orders.trigger.model.order import State
from countermand.stored_rows import UNREADABLE, unreadable
from tests.orders.trigger.samples import ID, order

WRONG: tuple[Any, ...] = (None, -1, 2**70, 1.5, "x", "", [], {}, True)
LINE_CHARS_MAX = 400
SECRET_CHARS = 40
"""So much of a body in a line would be a leak."""


def places(body: Any) -> Iterator[list[Any]]:
    """The path to everything in it."""
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield [key]
        yield from ([key, *rest] for rest in places(value))


def damaged(body: Any) -> Iterator[bytes]:
    """Each place missing, and with each wrong value."""
    for path in places(body):
        for wrong in (*WRONG, KeyError):
            copy = deepcopy(body)
            at = copy
            for key in path[:-1]:
                at = at[key]
            if wrong is KeyError:
                del at[path[-1]]
            else:
                at[path[-1]] = wrong
            yield json.dumps(copy).encode()


@pytest.mark.parametrize("state", State)
def test_whatever_stands_in_a_body_is_an_order_or_one_line(state: State) -> None:
    whole = encode(order(state))
    refused = 0
    for body in damaged(json.loads(whole)):
        try:
            LiveOrders().adopt(decode_stored(ID, body))
        except UNREADABLE as problem:
            refused += 1
            line = str(unreadable("orders", ID, problem))
            assert "row order of table orders" in line
            assert len(line) < LINE_CHARS_MAX
            assert "\n" not in line
            assert body[:SECRET_CHARS].decode() not in line
    assert refused > len(WRONG)


def test_a_whole_body_is_the_order_that_was_stored() -> None:
    assert decode_stored(ID, encode(order())) == order()


@pytest.mark.parametrize("body", [b"", b"x", b"\xff", b"[" * 100_000, encode(order())[:100], encode(order()) + b"x"])
def test_what_is_no_json_is_one_line(body: bytes) -> None:
    with pytest.raises(UNREADABLE):
        decode_stored(ID, body)
