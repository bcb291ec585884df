"""The status and the words of each refusal in this API."""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from countermand.answering import Answer
from countermand.dialects.trigger_v2.envelope import error, invalid
from countermand.dialects.trigger_v2.states import display_state
from countermand.orders.trigger.model.refusals import Refusal, Refused


class Act(Enum):
    """What was asked for: the verb, and what its transaction is called."""

    CREATE = ("create", "signed deposit transaction")
    UPDATE = ("update", "")
    CANCEL = ("cancel", "withdrawal transaction")


@dataclass(frozen=True, slots=True)
class Words:
    """`{verb}` and `{transaction}` are the act's; `{state}` is the order's display state; `{detail}` the refusal's."""

    text: str
    status: int = 400
    field: str = ""
    """Where it is the value of one field that is refused."""


ASK_AGAIN: Final = Words("Service temporarily unavailable. Nothing was changed. Please retry.", 503)

WORDS: Final = MappingProxyType(
    {
        Refusal.ORDER_UNKNOWN: Words("Order not found", 404),
        Refusal.ORDER_FOREIGN: Words("Forbidden: order belongs to a different wallet", 403),
        Refusal.DEPOSIT_DUPLICATE: Words("Duplicate deposit"),
        Refusal.DEPOSIT_FAILED_BEFORE: Words("Deposit failed. Please craft a new deposit."),
        Refusal.DEPOSIT_UNLIKE_CRAFT: Words("Differs from the crafted deposit", field="{detail}"),
        Refusal.EXPIRY_PAST: Words("Expiry time must be in the future", field="expiresAt"),
        Refusal.TRAILING_HAS_NO_PRICE: Words("Cannot set trigger price on trailing stop loss order"),
        Refusal.TRAILING_NOT_CONVERTIBLE: Words("Cannot convert to trailing stop loss order"),
        Refusal.TRAILING_TRIGGERS: Words("Trailing order would immediately trigger"),
        Refusal.PARENT_EXECUTED: Words("Cannot update the parent of an OTOCO order that has executed"),
        Refusal.PRICES_CROSSED: Words("tpPriceUsd must be greater than slPriceUsd", field="tpPriceUsd"),
        Refusal.PRICE_UNKNOWN: Words("Market price is unavailable for trailing order"),
        Refusal.STATE_FORBIDS_CANCEL: Words("Cannot {verb} order in '{state}' state"),
        Refusal.STATE_FORBIDS_AMENDMENT: Words("Cannot {verb} order in '{state}' state"),
        Refusal.FILL_UNDER_WAY: Words("Cannot {verb} order in '{state}' state: a fill is under way"),
        Refusal.AMENDMENT_UNLIKE_ORDER: Words("Differs from the order", field="{detail}"),
        Refusal.WITHDRAWAL_UNKNOWN: Words("Withdrawal transaction not found in cache. Please initiate cancel again."),
        Refusal.WITHDRAWAL_REJECTED: Words(
            "Withdrawal transaction failed on chain ({detail}). Please initiate cancel again."
        ),
        Refusal.WITHDRAWAL_EXPIRED: Words("Withdrawal transaction expired. Please initiate cancel again."),
        Refusal.WITHDRAWAL_SUPERSEDED: Words("Invalid {transaction}: a newer cancel replaced it; sign the newest one"),
        Refusal.TRANSACTION_UNREADABLE: Words("Invalid transaction format"),
        Refusal.TRANSACTION_NOT_CANONICAL: Words("Invalid {transaction}: its bytes are not in the canonical form"),
        Refusal.TRANSACTION_OTHER: Words("Invalid {transaction}: Transaction {detail} modified"),
        Refusal.TRANSACTION_UNSIGNED: Words("Invalid {transaction}: the wallet's signature is missing"),
        Refusal.TRANSACTION_WRONG_SIGNATURE: Words("Invalid {transaction}: the wallet's signature is wrong"),
        Refusal.DEPOSIT_FLAWED: Words("Invalid {transaction}: {detail}"),
        Refusal.WITHDRAWAL_UNPAYABLE: Words(
            "Withdrawal transaction cannot be paid for: {detail}. Fund the wallet and retry confirm with the same "
            "cancelRequestId."
        ),
        # The engine keeps these to itself.
        Refusal.CRAFT_STALE: ASK_AGAIN,
        Refusal.NOTHING_TO_DO: ASK_AGAIN,
    }
)
assert set(WORDS) == set(Refusal), "every refusal has its words"


def refused(refusal: Refused, act: Act) -> Answer:
    words = WORDS[refusal.refusal]
    verb, transaction = act.value
    state = "" if refusal.state is None else display_state(refusal.state).value
    text = words.text.format(verb=verb, transaction=transaction, state=state, detail=refusal.detail)
    if words.field:
        return invalid({words.field.format(detail=refusal.detail): text})
    return error(words.status, text, order_id=refusal.order_id)
