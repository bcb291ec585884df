"""The transaction that gives an order's funds back: the user pays; user, vault and tracker sign.

The layout is that of the published sample, byte for byte, and fixed, so the message is put together from pieces: every
cancel waits for one. The plan says the same in words, and is compared with it before a vault signs.
"""

from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey

from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.instructions import UNIT_PRICE_MICROLAMPORTS, key
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
)

_UNIT_LIMIT: Final = (592).to_bytes(4, "little")
"""As in the published sample."""
_UNIT_LIMIT_2022: Final = (20_000).to_bytes(4, "little")
_UNIT_LIMIT_CREATING: Final = (60_000).to_bytes(4, "little")

_BUDGET_PROGRAM: Final = bytes(key(COMPUTE_BUDGET_PROGRAM))
_SYSTEM_PROGRAM: Final = bytes(key(SYSTEM_PROGRAM))
_ASSOCIATED_PROGRAM: Final = bytes(key(ASSOCIATED_TOKEN_PROGRAM))

# A message: signers, of them readonly, other readonly keys; the keys; the blockhash; the instructions, each as program,
# accounts and data, with their counts.
# 0 user, 1 vault, 2 tracker, 3 the order's account, 4 the user's account, 5 compute budget, 6 token program;
# where the user's account is missing also 7 associated token program, 8 system program, 9 mint.
_HEAD: Final = bytes([3, 1, 2, 7])
_HEAD_CREATING: Final = bytes([3, 1, 5, 10])
_LIMIT: Final = bytes([5, 0, 5, 2])
_PRICE: Final = bytes([5, 0, 9, 3])
_CREATE: Final = bytes([7, 6, 0, 4, 0, 9, 8, 6, 1, 1])
_TRANSFER: Final = bytes([6, 4, 3, 4, 1, 2, 9, 3])
_CLOSE: Final = bytes([6, 3, 3, 0, 1, 1, 9])
# SOL: 0 user, 1 vault, 2 tracker, 3 the order's account, 4 compute budget, 5 token program.
_HEAD_SOL: Final = bytes([3, 1, 2, 6])
_BUDGET_SOL: Final = bytes([3, 4, 0, 5, 2]) + _UNIT_LIMIT + bytes([4, 0, 9, 3])
_CLOSE_SOL: Final = bytes([5, 4, 3, 0, 1, 2, 1, 9])


def two_account_limit(accounts: Sequence[OrderAccounts], creates: int) -> int:
    """The compute units of a withdrawal from two accounts, of which the user's own have to be made first."""
    limits = [_UNIT_LIMIT_2022 if each.token.program == TOKEN_2022_PROGRAM else _UNIT_LIMIT for each in accounts]
    plain = sum(int.from_bytes(limit, "little") for limit in limits)
    return plain + creates * int.from_bytes(_UNIT_LIMIT_CREATING, "little")


class WithdrawalLayout:
    """All withdrawals of a wallet in one token, but for what differs from one to the next."""

    __slots__ = ("_after_account", "_created_by", "_limit", "_signers", "accounts", "own")

    def __init__(self, accounts: OrderAccounts, tracker: Pubkey) -> None:
        self.accounts = accounts
        self.own = str(accounts.own)
        self._signers = bytes(accounts.user) + bytes(accounts.vault) + bytes(tracker)
        own = b"" if accounts.native else bytes(accounts.own)
        self._after_account = own + _BUDGET_PROGRAM + bytes(accounts.program)
        self._limit = _UNIT_LIMIT_2022 if accounts.token.program == TOKEN_2022_PROGRAM else _UNIT_LIMIT
        self._created_by = _ASSOCIATED_PROGRAM + _SYSTEM_PROGRAM + bytes(accounts.mint)

    def message(
        self, account: bytes, blockhash: bytes, amount: int, *, variant: int, creates: bool, closes: bool
    ) -> bytes:
        """Takes `amount`, all that the account holds. Each `variant` is another message; 0 is the published one."""
        price = (UNIT_PRICE_MICROLAMPORTS + variant).to_bytes(8, "little")
        if self.accounts.native:
            keys = _HEAD_SOL + self._signers + account + self._after_account
            return keys + blockhash + _BUDGET_SOL + price + _CLOSE_SOL
        close = _CLOSE if closes else b""
        take = _TRANSFER + amount.to_bytes(8, "little") + close
        count = bytes([3 + creates + closes])
        if creates:
            keys = _HEAD_CREATING + self._signers + account + self._after_account + self._created_by
            return keys + blockhash + count + _LIMIT + _UNIT_LIMIT_CREATING + _PRICE + price + _CREATE + take
        keys = _HEAD + self._signers + account + self._after_account
        return keys + blockhash + count + _LIMIT + self._limit + _PRICE + price + take
