"""The words of each refusal in this API."""

from types import MappingProxyType
from typing import Final

from countermand.answering import Answer
from countermand.dialects.swap_v1.envelope import Code, error
from countermand.orders.swap.model.refusals import QuoteRefusal

WORDS: Final = MappingProxyType(
    {
        QuoteRefusal.NO_ROUTE: ("Could not find any route", Code.COULD_NOT_FIND_ANY_ROUTE),
        QuoteRefusal.TAKES_LESS: (
            "The route plan does not consume all the amount, please lower your input amount",
            Code.ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT,
        ),
    }
)
assert set(WORDS) == set(QuoteRefusal), "every refusal has its words"


def refused(refusal: QuoteRefusal) -> Answer:
    return error(400, *WORDS[refusal])
