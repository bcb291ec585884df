"""Whether a transaction does what was asked for, and nothing else, before it is signed.

All of it is judged: an instruction that is not expected, or that cannot be read, makes the transaction unsafe, and so
does an account that only a lookup table knows. What a wallet's signature can do is then what was asked for: it pays
the fee and the rents, within bounds, and moves the amount to where it belongs.
"""

from countermand.client.checks.acts import Checked
from countermand.client.checks.limits import check_limit_cancels, check_limit_create
from countermand.client.checks.recurring import check_dca_close, check_dca_open
from countermand.client.checks.vaults import check_challenge, check_challenge_text, check_deposit, check_withdrawal

__all__ = [
    "Checked",
    "check_challenge",
    "check_challenge_text",
    "check_dca_close",
    "check_dca_open",
    "check_deposit",
    "check_limit_cancels",
    "check_limit_create",
    "check_withdrawal",
]
