"""Recurring orders as they are stored, read back."""

from typing import Final

import msgspec

from countermand.orders.dca.model.commands import UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder
from countermand.values.identity import OrderId

_ORDER: Final = msgspec.json.Decoder(DcaOrder)
_CRAFT: Final = msgspec.json.Decoder(UnsignedDeposit)

decode_order = _ORDER.decode
decode_craft = _CRAFT.decode


def decode_stored(order_id: OrderId, body: bytes) -> DcaOrder:
    """The order of a row, which is what the row says that it is. Raises one of `stored_rows.UNREADABLE`."""
    order = decode_order(body)
    assert order.id == order_id, f"its body is that of order {order.id}"
    assert order.terms.plan.rounds > 0, "it has no round"
    assert order.terms.plan.interval_s > 0, "its rounds have no interval"
    return order
