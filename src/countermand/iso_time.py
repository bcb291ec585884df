"""Times as Jupiter's APIs write them: ISO 8601 in UTC, with milliseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_MAX: Final = 253_402_300_799
"""The last second of the year 9999. A time in milliseconds by mistake is beyond it."""


def iso(at_ms: int) -> str:
    """Of milliseconds since the Unix epoch."""
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
