"""What a market counts in. Callers use these types; the book itself works with the whole numbers inside them."""

from typing import Final

from countermand.values.structs import Struct

RATE_SCALE: Final = 6
"""A fee's rate is a whole multiple of 10⁻⁶."""


class Ticks(Struct, frozen=True, order=True):
    """A price in the market's smallest price steps."""

    ticks: int

    def __post_init__(self) -> None:
        assert self.ticks > 0, f"{self.ticks} ticks are no price"


class Lots(Struct, frozen=True, order=True):
    """A volume in the market's smallest volume steps."""

    lots: int

    def __post_init__(self) -> None:
        assert self.lots >= 0, f"{self.lots} lots are no volume"

    def __add__(self, other: "Lots") -> "Lots":
        return Lots(self.lots + other.lots)

    def __sub__(self, other: "Lots") -> "Lots":
        return Lots(self.lots - other.lots)

    def __bool__(self) -> bool:
        return self.lots != 0


NO_LOTS: Final = Lots(0)


class Rate(Struct, frozen=True, order=True):
    """A fee's rate, in millionths of what is received."""

    millionths: int

    def __post_init__(self) -> None:
        assert 0 <= self.millionths <= 10**RATE_SCALE // 2, f"{self.millionths} millionths are no rate of a fee"
