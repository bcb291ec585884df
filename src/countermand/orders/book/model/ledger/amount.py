"""Amounts of currencies, and whose they are.

One scale for all: 10⁻¹⁶ of a unit. A price times a volume has at most ten decimals and a fee's rate six, so every total
and every fee is exact: nothing in the ledger is ever rounded.
"""

from typing import Final, NewType

from countermand.values.structs import Struct

Account = NewType("Account", str)
"""Names an owner of balances: a user's address in lower case."""
Currency = NewType("Currency", str)
"""The symbol in lower case, such as `btc`."""

FEES: Final = Account("fees")
"""The venue's own account: what it earns."""

AMOUNT_SCALE: Final = 16
AMOUNT_MAX: Final = 10**32 - 1


class Amount(Struct, frozen=True, order=True):
    """An amount of a currency in 10⁻¹⁶ units, less than 10¹⁶ units."""

    quanta: int

    def __post_init__(self) -> None:
        assert 0 <= self.quanta <= AMOUNT_MAX, f"{self.quanta} is no amount"

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.quanta + other.quanta)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.quanta - other.quanta)

    def __bool__(self) -> bool:
        return self.quanta != 0


ZERO: Final = Amount(0)
