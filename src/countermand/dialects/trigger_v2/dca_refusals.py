"""The status and the words of each refusal of a recurring order."""

from types import MappingProxyType
from typing import Final

from countermand.answering import Answer
from countermand.dialects.trigger_v2.states import DCA
from countermand.dialects.trigger_v2.words import SHARED, Words, said
from countermand.orders.dca.model.refusals import AS_OURS, DcaRefusal, DcaRefused

DEPOSIT: Final = "signed deposit transaction"
WITHDRAWAL: Final = "withdrawal transaction"
"""What a transaction is called."""

WORDS: Final = MappingProxyType(
    {
        DcaRefusal.ORDER_UNKNOWN: Words("DCA order not found or you do not own it", 404),
        DcaRefusal.DEPOSIT_UNLIKE_CRAFT: Words("Differs from the crafted deposit", field="{detail}"),
        DcaRefusal.BEGIN_PAST: Words("Begin fill time must be in the future"),
        DcaRefusal.BEGIN_TOO_LATE: Words("Begin fill time cannot be more than 30 days in the future"),
        DcaRefusal.PRICE_UNKNOWN: Words("Failed to fetch the price of {detail}", 500),
        DcaRefusal.ROUND_TOO_SMALL: Words("Each order must be at least 10 USD (current value: {detail} USD)"),
        DcaRefusal.TOO_MANY_ACTIVE: Words("Maximum of 10 active DCA orders allowed per user"),
        DcaRefusal.STATE_FORBIDS_CANCEL: Words("Cannot cancel DCA order in '{state}' state"),
        DcaRefusal.NOT_CANCELLED: Words("DCA order not in cancellation state"),
        **{AS_OURS[shared]: words for shared, words in SHARED.items()},
    }
)
assert set(WORDS) == set(DcaRefusal), "every refusal has its words"


def refused(refusal: DcaRefused, transaction: str) -> Answer:
    """`transaction`: what it is called."""
    state = "" if refusal.state is None else DCA[refusal.state].value
    return said(
        WORDS[refusal.refusal],
        verb="cancel",
        transaction=transaction,
        state=state,
        detail=refusal.detail,
        order_id=refusal.order_id,
    )
