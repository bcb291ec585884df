"""Trigger orders as they are stored, read back."""

from typing import Final

import msgspec

from countermand.domain.trigger.order import AT_REST, OrderGroup

_GROUP: Final = msgspec.json.Decoder(OrderGroup)


def decode_group(body: bytes) -> OrderGroup:
    """What is equal is kept once, as it is in an order that was placed by this very process."""
    group = _GROUP.decode(body)
    # It is changed in place, since nobody else has seen it yet: a copy would double the time of a load.
    if group.remaining == group.terms.deposited:
        object.__setattr__(group, "remaining", group.terms.deposited)
    if group.progress == AT_REST:
        object.__setattr__(group, "progress", AT_REST)
    return group
