"""What happened to an order, as an operator reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from countermand.values.instant import Instant

Order = TypeVar("Order")

TIMELINE_MAX: Final = 1_000
"""A failed fill that is tried again for a week makes more entries than these."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Something that happened to an order, and what made it happen. `seq` None: on the chain, in no journal."""

    at: Instant
    event: str
    cause: str
    reason: str | None = None
    seq: int | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Inspected(Generic[Order]):
    """An order, and its timeline, the oldest entry first."""

    order: Order
    timeline: Sequence[TimelineEntry]
