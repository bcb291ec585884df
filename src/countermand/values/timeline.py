"""What happened to an order, as an operator reads it."""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from countermand.values.instant import Instant
from countermand.values.structs import Struct

Order = TypeVar("Order")

TIMELINE_MAX: Final = 1_000
"""A failed fill that is tried again for a week makes more entries than these."""


class TimelineEntry(Struct, frozen=True):
    """Something that happened to an order, and what made it happen. `seq` None: on the chain, in no journal."""

    at: Instant
    event: str
    cause: str
    reason: str | None = None
    seq: int | None = None
    signature: str | None = None


class Inspected(Struct, Generic[Order], frozen=True):
    """An order, and its timeline, the oldest entry first."""

    order: Order
    timeline: Sequence[TimelineEntry]
