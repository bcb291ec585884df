"""What the outbox owes to an order whose funds are in a vault."""

from enum import Enum


class Work(Enum):
    """At most one thing at a time."""

    RESOLVE = "resolve"
    """Learn the outcome of its attempt, sending it if need be."""
    FILL = "fill"
    RESUME = "resume"
    """Judge the rest, of which a part was filled."""
    SWEEP = "sweep"
