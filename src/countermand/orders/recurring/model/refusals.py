"""Why a recurring order is not opened, or not cancelled."""

from enum import Enum, auto

from countermand.values.structs import Struct


class RecurringRefusal(Enum):
    """A closed list, in order of precedence within each command: if two things are wrong, the earlier one is told."""

    ORDER_UNREADABLE = auto()
    """There is no order at this address, or it is another wallet's."""

    TOO_FEW_CYCLES = auto()
    TOO_FREQUENT = auto()
    TOO_RARE = auto()
    START_TOO_FAR = auto()
    START_PAST = auto()
    PRICES_CROSSED = auto()
    SAME_MINT = auto()
    MINT_UNKNOWN = auto()
    MINT_UNSUPPORTED = auto()
    PRICE_UNKNOWN = auto()
    ORDER_TOO_SMALL = auto()
    CYCLE_TOO_SMALL = auto()
    PRICE_UNFIT = auto()
    """In whole base units of a cycle's output it is nothing, or more than there can be."""


class RecurringRefused(Struct, frozen=True):
    refusal: RecurringRefusal
    detail: str = ""
    """The mint, the number that is out of bounds (of cycles, of seconds, of cents), or which price does not fit."""
