"""An order's stored body, damaged at each place of its JSON: what a load makes of it is an order, or one line."""

import json

import pytest

from countermand.kernel.journal import encode
from countermand.orders.dca.bodies import decode_stored
from countermand.orders.dca.model.live_orders import LiveOrders
from countermand.orders.dca.model.order import State
from countermand.stored_rows import UNREADABLE, unreadable
from tests.orders.dca.samples import ID, band, order, plan
from tests.orders.trigger.test_damaged_bodies import LINE_CHARS_MAX, WRONG, damaged


@pytest.mark.parametrize("state", State)
def test_whatever_stands_in_a_body_is_an_order_or_one_line(state: State) -> None:
    whole = encode(order(state, plan(band=band())))
    assert decode_stored(ID, whole) == order(state, plan(band=band()))
    refused = 0
    for body in damaged(json.loads(whole)):
        try:
            LiveOrders().adopt(decode_stored(ID, body))
        except UNREADABLE as problem:
            refused += 1
            line = str(unreadable("dca_orders", ID, problem))
            assert "row order of table dca_orders" in line
            assert len(line) < LINE_CHARS_MAX
            assert "\n" not in line
    assert refused > len(WRONG)
