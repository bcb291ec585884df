"""What tells a refusal from a decision: its type."""


class CommandRefused:
    """Why a command changes nothing. Each family's refusals extend it; a decision is a tuple of events."""

    __slots__ = ()
