"""Trigger orders as they are stored, read back."""

from sys import intern
from typing import Final

import msgspec

from countermand.domain.quantities import NOTHING
from countermand.domain.trigger.order import OrderGroup

_GROUP: Final = msgspec.json.Decoder(OrderGroup)
_SHARED_TEXTS: Final = ("wallet", "input_mint", "output_mint", "trigger_mint")


def decode_group(body: bytes) -> OrderGroup:
    """What equal orders have in common is kept once, which spares a quarter of their memory."""
    group = _GROUP.decode(body)
    terms = group.terms
    # They are changed in place, since nobody else has seen them yet: copies would double the time of a load.
    for name in _SHARED_TEXTS:
        object.__setattr__(terms, name, intern(getattr(terms, name)))
    if group.remaining == terms.deposited:
        object.__setattr__(group, "remaining", terms.deposited)
    if group.received == NOTHING:
        object.__setattr__(group, "received", NOTHING)
    return group
