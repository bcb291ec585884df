"""Money that was set aside for one purpose, and how it leaves again: posted to others, or voided, back to its owner."""

from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.structs import Struct, replace


class Overdrawn(ArithmeticError):
    """More was to leave than is held: our own mistake, or a damaged row's. Nothing was changed."""


class Holding(Struct, frozen=True):
    """At any time reserved = posted + voided + what is left. No unit leaves twice."""

    reserved: BaseUnits
    posted: BaseUnits = NOTHING
    voided: BaseUnits = NOTHING

    def __post_init__(self) -> None:
        if self.posted.units + self.voided.units > self.reserved.units:
            gone = f"{self.posted.units} posted and {self.voided.units} voided"
            raise Overdrawn(f"{gone} of {self.reserved.units} units that were reserved")

    @property
    def left(self) -> BaseUnits:
        return self.reserved - self.posted - self.voided

    def reserve(self, amount: BaseUnits) -> "Holding":
        """More of the same."""
        return replace(self, reserved=self.reserved + amount)

    def post(self, amount: BaseUnits) -> "Holding":
        return replace(self, posted=self.posted + amount)

    def void(self, amount: BaseUnits) -> "Holding":
        return replace(self, voided=self.voided + amount)
