"""The words of servers from which something follows: as published, and as seen of the originals."""

from typing import Final

UNAUTHORIZED: Final = "Unauthorized"
NO_VAULT: Final = "Vault not found"
NO_CHALLENGE: Final = "Challenge not found"
NOT_LOGGED_IN: Final = "Kindly login again"
DUPLICATE_DEPOSIT: Final = "Duplicate deposit"
DEPOSIT_FORGOTTEN: Final = "Deposit transaction not found in cache"
DEPOSIT_DEAD: Final = "Deposit failed. Please craft a new deposit"
NOT_LANDED: Final = "did not land"
CANCEL_AGAIN: Final = (
    "Please initiate cancel again",
    "a newer cancel replaced it",
)
"""The withdrawal that was signed can land no more, or was forgotten: another is to be asked for."""
WITHDRAWAL_FORGOTTEN: Final = "Withdrawal transaction not found in cache"
EXECUTING: Final = ("'executing' state", "a fill is under way", "not ready", "not yet ready")
IS_CANCELLED: Final = "'cancelled' state"
FAILED_ON_CHAIN: Final = "custom program error"
NONE_OPEN: Final = "no matching orders found"
UNCONFIRMED: Final = "unable to confirm transaction"
ALREADY_CANCELLED: Final = "Order is already cancelled"


def says(words: str, *texts: str) -> bool:
    return any(text in words for text in texts)
