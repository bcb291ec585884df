"""Time in the domain: an argument, never a clock."""

from typing import NewType

from countermand.values.quantities import UsdPrice
from countermand.values.structs import Struct

Instant = NewType("Instant", int)
"""Milliseconds since the Unix epoch on the venue's clock."""


class Moment(Struct, frozen=True):
    """All that a decision may know of the world: the instant, and the price of the order's trigger mint, if any."""

    at: Instant
    price: UsdPrice | None = None
