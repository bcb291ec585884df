"""What happened to an order, as it is shown: the oldest first."""

from collections.abc import Sequence
from typing import Any

from countermand.values.timeline import TimelineEntry


def shown_timeline(entries: Sequence[TimelineEntry]) -> list[dict[str, Any]]:
    return [
        _without_none(
            {
                "seq": entry.seq,
                "at": entry.at,
                "event": entry.event,
                "cause": entry.cause,
                "reason": entry.reason,
                "txSignature": entry.signature,
            }
        )
        for entry in entries
    ]


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
