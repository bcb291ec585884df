"""The status and the words of each refusal in this API."""

from enum import Enum
from types import MappingProxyType
from typing import Final

from countermand.answering import Answer
from countermand.dialects.trigger_v2.states import display_state
from countermand.dialects.trigger_v2.words import SHARED, Words, said
from countermand.orders.trigger.model.refusals import AS_OURS, TriggerRefusal, TriggerRefused


class Act(Enum):
    """What was asked for: the verb, and what its transaction is called."""

    CREATE = ("create", "signed deposit transaction")
    UPDATE = ("update", "")
    CANCEL = ("cancel", "withdrawal transaction")


WORDS: Final = MappingProxyType(
    {
        TriggerRefusal.ORDER_UNKNOWN: Words("Order not found", 404),
        TriggerRefusal.ORDER_FOREIGN: Words("Forbidden: order belongs to a different wallet", 403),
        TriggerRefusal.DEPOSIT_UNLIKE_CRAFT: Words("Differs from the crafted deposit", field="{detail}"),
        TriggerRefusal.EXPIRY_PAST: Words("Expiry time must be in the future", field="expiresAt"),
        TriggerRefusal.TRAILING_HAS_NO_PRICE: Words("Cannot set trigger price on trailing stop loss order"),
        TriggerRefusal.TRAILING_NOT_CONVERTIBLE: Words("Cannot convert to trailing stop loss order"),
        TriggerRefusal.TRAILING_TRIGGERS: Words("Trailing order would immediately trigger"),
        TriggerRefusal.PARENT_EXECUTED: Words("Cannot update the parent of an OTOCO order that has executed"),
        TriggerRefusal.PRICES_CROSSED: Words("tpPriceUsd must be greater than slPriceUsd", field="tpPriceUsd"),
        TriggerRefusal.PRICE_UNKNOWN: Words("Market price is unavailable for trailing order"),
        TriggerRefusal.STATE_FORBIDS_CANCEL: Words("Cannot {verb} order in '{state}' state"),
        TriggerRefusal.STATE_FORBIDS_AMENDMENT: Words("Cannot {verb} order in '{state}' state"),
        TriggerRefusal.FILL_UNDER_WAY: Words("Cannot {verb} order in '{state}' state: a fill is under way"),
        TriggerRefusal.AMENDMENT_UNLIKE_ORDER: Words("Differs from the order", field="{detail}"),
        **{AS_OURS[shared]: words for shared, words in SHARED.items()},
    }
)
assert set(WORDS) == set(TriggerRefusal), "every refusal has its words"


def refused(refusal: TriggerRefused, act: Act) -> Answer:
    verb, transaction = act.value
    state = "" if refusal.state is None else display_state(refusal.state).value
    return said(
        WORDS[refusal.refusal],
        verb=verb,
        transaction=transaction,
        state=state,
        detail=refusal.detail,
        order_id=refusal.order_id,
    )
