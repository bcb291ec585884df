"""Why an order is not built."""

from enum import Enum, auto

from countermand.values.structs import Struct


class LimitRefusal(Enum):
    """In order of precedence."""

    MINT_UNKNOWN = auto()
    MINT_UNSAFE = auto()
    """It has an extension by which its authority could take from an escrow, or hold it."""
    FEE_ACCOUNT_UNFIT = auto()
    """It is no token account for the output."""
    FEE_TOO_HIGH = auto()
    """With the program's own fee it is more than the whole output."""


class LimitRefused(Struct, frozen=True):
    """`subject` is the address that it is about, or the most that it may be."""

    refusal: LimitRefusal
    subject: str
