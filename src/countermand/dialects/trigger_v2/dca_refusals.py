"""The status and the words of each refusal of a recurring order."""

from types import MappingProxyType
from typing import Final

from countermand.answering import Answer
from countermand.dialects.trigger_v2.envelope import error, invalid
from countermand.dialects.trigger_v2.refusals import ASK_AGAIN, Words
from countermand.dialects.trigger_v2.states import DCA
from countermand.orders.dca.model.refusals import Refusal, Refused

DEPOSIT: Final = "signed deposit transaction"
WITHDRAWAL: Final = "withdrawal transaction"
"""What a transaction is called."""

WORDS: Final = MappingProxyType(
    {
        Refusal.ORDER_UNKNOWN: Words("DCA order not found or you do not own it", 404),
        Refusal.DEPOSIT_DUPLICATE: Words("Duplicate deposit"),
        Refusal.DEPOSIT_FAILED_BEFORE: Words("Deposit failed. Please craft a new deposit."),
        Refusal.DEPOSIT_UNLIKE_CRAFT: Words("Differs from the crafted deposit", field="{detail}"),
        Refusal.BEGIN_PAST: Words("Begin fill time must be in the future"),
        Refusal.BEGIN_TOO_LATE: Words("Begin fill time cannot be more than 30 days in the future"),
        Refusal.PRICE_UNKNOWN: Words("Failed to fetch the price of {detail}", 500),
        Refusal.ROUND_TOO_SMALL: Words("Each order must be at least 10 USD (current value: {detail} USD)"),
        Refusal.TOO_MANY_ACTIVE: Words("Maximum of 10 active DCA orders allowed per user"),
        Refusal.STATE_FORBIDS_CANCEL: Words("Cannot cancel DCA order in '{state}' state"),
        Refusal.NOT_CANCELLED: Words("DCA order not in cancellation state"),
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


def refused(refusal: Refused, transaction: str) -> Answer:
    """`transaction`: what it is called."""
    words = WORDS[refusal.refusal]
    state = "" if refusal.state is None else DCA[refusal.state].value
    text = words.text.format(transaction=transaction, state=state, detail=refusal.detail)
    if words.field:
        return invalid({words.field.format(detail=refusal.detail): text})
    return error(words.status, text, order_id=refusal.order_id)
