"""When an order triggers."""

from enum import Enum

from countermand.values.quantities import UsdPrice
from countermand.values.structs import Struct


class Direction(Enum):
    ABOVE = "above"
    BELOW = "below"


class Condition(Struct, frozen=True):
    """Holds once the trigger mint's price is at or beyond `price`."""

    direction: Direction
    price: UsdPrice

    def holds_at(self, price: UsdPrice) -> bool:
        if self.direction is Direction.ABOVE:
            return price.picodollars >= self.price.picodollars
        return price.picodollars <= self.price.picodollars
