"""What tells a refusal from a decision: its type."""

from countermand.values.structs import Struct


class CommandRefused(Struct, frozen=True):
    """Why a command changes nothing. Each family's refusals extend it; a decision is a tuple of events."""
