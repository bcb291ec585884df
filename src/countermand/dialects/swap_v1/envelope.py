"""How Swap v1 answers when something is wrong: `error` in words, and `errorCode` where the published list has one."""

from enum import Enum, auto
from typing import Final

from msgspec import UNSET

from countermand.answering import Answer, Responder, encode
from countermand.dialects.swap_v1.wire import ErrorAnswer


class Code(Enum):
    """Of the published errors, those that a venue with one pool can answer. Their names are what is answered."""

    TOKEN_NOT_TRADABLE = auto()
    NO_ROUTES_FOUND = auto()
    COULD_NOT_FIND_ANY_ROUTE = auto()
    ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT = auto()
    CIRCULAR_ARBITRAGE_IS_DISABLED = auto()
    INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE = auto()
    NOT_SUPPORTED = auto()


def error(status: int, words: str, code: Code | None = None) -> Answer:
    return Answer(encode(ErrorAnswer(error=words, error_code=UNSET if code is None else code.name)), status)


RESPONDER: Final = Responder(
    unavailable=error(503, "Service temporarily unavailable, please retry"),
    outcome_unknown=error(503, "The outcome of this request is unknown, please repeat the same request"),
    internal=error(500, "Internal server error"),
)
