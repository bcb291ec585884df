"""Trigger orders as they are stored, read back."""

from typing import Final

import msgspec
from msgspec.structs import force_setattr

from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import AT_REST, OrderGroup
from countermand.values.identity import OrderId

_GROUP: Final = msgspec.json.Decoder(OrderGroup)

_CRAFT: Final = msgspec.json.Decoder(UnsignedDeposit)

decode_craft = _CRAFT.decode


def decode_group(body: bytes) -> OrderGroup:
    """What is equal is kept once, as it is in an order that was placed by this very process."""
    group = _GROUP.decode(body)
    # It is changed in place, since it was not handed out yet: a copy would double the time of a load.
    if group.progress == AT_REST:
        force_setattr(group, "progress", AT_REST)
    return group


def decode_stored(order_id: OrderId, body: bytes) -> OrderGroup:
    """The order of a row, which is what the row says that it is. Raises one of `stored_rows.UNREADABLE`."""
    group = decode_group(body)
    assert group.id == order_id, f"its body is that of order {group.id}"
    assert group.legs, "it has no leg"
    assert 0 <= (group.progress.triggered_leg or 0) < len(group.legs), "the leg that triggered does not exist"
    return group
