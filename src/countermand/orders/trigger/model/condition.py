"""When an order triggers."""

from dataclasses import dataclass
from enum import Enum

from countermand.values.quantities import UsdPrice


class Direction(Enum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds once the trigger mint's price is at or beyond `price`."""

    direction: Direction
    price: UsdPrice

    def holds_at(self, price: UsdPrice) -> bool:
        if self.direction is Direction.ABOVE:
            return price.picodollars >= self.price.picodollars
        return price.picodollars <= self.price.picodollars
