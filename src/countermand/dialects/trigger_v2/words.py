"""What is said of refusals, and what is said in the same words of all orders in vaults."""

from types import MappingProxyType
from typing import Final

from msgspec import Struct

from countermand.answering import Answer
from countermand.dialects.trigger_v2.envelope import error, invalid
from countermand.orders.vaults.model.refusals import VaultRefusal
from countermand.values.identity import OrderId


class Words(Struct, frozen=True):
    """`{verb}` and `{transaction}` are of what was asked; `{state}` is a display state; `{detail}` the refusal's."""

    text: str
    status: int = 400
    field: str = ""
    """Where it is the value of one field that is refused."""


ASK_AGAIN: Final = Words("Service temporarily unavailable. Nothing was changed. Please retry.", 503)

SHARED: Final = MappingProxyType(
    {
        VaultRefusal.DEPOSIT_DUPLICATE: Words("Duplicate deposit"),
        VaultRefusal.DEPOSIT_FAILED_BEFORE: Words("Deposit failed. Please craft a new deposit."),
        VaultRefusal.DEPOSIT_FLAWED: Words("Invalid {transaction}: {detail}"),
        VaultRefusal.WITHDRAWAL_UNKNOWN: Words(
            "Withdrawal transaction not found in cache. Please initiate cancel again."
        ),
        VaultRefusal.WITHDRAWAL_REJECTED: Words(
            "Withdrawal transaction failed on chain ({detail}). Please initiate cancel again."
        ),
        VaultRefusal.WITHDRAWAL_EXPIRED: Words("Withdrawal transaction expired. Please initiate cancel again."),
        VaultRefusal.WITHDRAWAL_SUPERSEDED: Words(
            "Invalid {transaction}: a newer cancel replaced it; sign the newest one"
        ),
        VaultRefusal.TRANSACTION_UNREADABLE: Words("Invalid transaction format"),
        VaultRefusal.TRANSACTION_NOT_CANONICAL: Words("Invalid {transaction}: its bytes are not in the canonical form"),
        VaultRefusal.TRANSACTION_OTHER: Words("Invalid {transaction}: Transaction {detail} modified"),
        VaultRefusal.TRANSACTION_UNSIGNED: Words("Invalid {transaction}: the wallet's signature is missing"),
        VaultRefusal.TRANSACTION_WRONG_SIGNATURE: Words("Invalid {transaction}: the wallet's signature is wrong"),
        VaultRefusal.WITHDRAWAL_UNPAYABLE: Words(
            "Withdrawal transaction cannot be paid for: {detail}. Fund the wallet and retry confirm with the same "
            "cancelRequestId."
        ),
        # The engine keeps these to itself.
        VaultRefusal.CRAFT_STALE: ASK_AGAIN,
        VaultRefusal.NOTHING_TO_DO: ASK_AGAIN,
    }
)
assert set(SHARED) == set(VaultRefusal), "every refusal has its words"


_FIELDS: Final = MappingProxyType(
    {
        "wallet": "userPubkey",
        "input_mint": "inputMint",
        "output_mint": "outputMint",
        "amount": "inputAmount",
        "family": "orderType",
    }
)
"""On the wire, by the name of the command's field."""


def answer_of(words: Words) -> Answer:
    """Of words that vary with nothing."""
    return error(words.status, words.text)


def said(words: Words, *, verb: str, transaction: str, state: str, detail: str, order_id: OrderId | None) -> Answer:
    text = words.text.format(verb=verb, transaction=transaction, state=state, detail=detail)
    if words.field:
        return invalid({words.field.format(detail=_FIELDS.get(detail, detail)): text})
    return error(words.status, text, order_id=order_id)
