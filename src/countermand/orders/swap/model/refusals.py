"""Why a swap is not quoted."""

from enum import Enum, auto


class QuoteRefusal(Enum):
    NO_ROUTE = auto()
    TAKES_LESS = auto()
    """The pool takes only a part of the amount."""
