"""Where trailing triggers are: of all moves of a watermark, the best since an order was placed."""

from collections.abc import Iterator, Mapping
from typing import Final

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.fold import Json
from countermand_simulator.violation import broken

_ONE: Final = 10_000
_FOLLOWING: Final = ("depositing", "open")
_TRAILING: Final = (*_FOLLOWING, "triggered", "executing", "partly_filled")


class Trails:
    def __init__(self) -> None:
        self._moves: dict[tuple[str, str], list[tuple[int, int]]] = {}
        """By mint and direction: the entry that told of each move, and its price."""

    def placed(self, order: Json) -> Json:
        """A new order knows all moves until now."""
        if not _trails(order):
            return order
        leg = order["legs"][0]
        return _with(order, {**leg, "trail": {**leg["trail"], "mark": len(self._of(order))}})

    def moved(self, seq: int, event: Json, orders: Mapping[str, Json]) -> None:
        mint, direction, price = event["mint"], event["direction"], event["price"]["picodollars"]
        for order in orders.values():
            if not _trails(order) or order["state"] not in _TRAILING:
                continue
            leg = order["legs"][0]
            own = order["terms"]["trigger_mint"] == mint and leg["condition"]["direction"] == direction
            if own and _is_beyond(direction, price, self._watermark(order, None)):
                break
        else:
            broken(Claim.WATERMARK_IS_TRUE, f"{price} moved what trails {mint} {direction}, and is beyond none of it")
        self._moves.setdefault((mint, direction), []).append((seq, price))

    def now(self, order: Json) -> Json:
        """The order, with its trigger where it is now."""
        return self._at(order, None)

    def as_of(self, order: Json, seq: int) -> Json:
        """The order, with its trigger where it was after that entry."""
        return self._at(order, seq)

    def since(self, order: Json, seq: int) -> Iterator[Json]:
        """The same as of the entry, and as of each move that came after it."""
        yield order
        if _trails(order):
            yield from (self._at(order, told) for told, _ in self._of(order) if told > seq)
            yield self._at(order, seq)

    def must_follow(self, order: Json, price: int) -> None:
        """The price is acknowledged: no watermark is behind it."""
        if _trails(order) and order["state"] in _TRAILING:
            direction, watermark = order["legs"][0]["condition"]["direction"], self._watermark(order, None)
            if _is_beyond(direction, price, watermark):
                broken(Claim.WATERMARK_IS_TRUE, f"order {order['id']} trails {watermark}, though {price} came")

    def _at(self, order: Json, seq: int | None) -> Json:
        if not _trails(order) or order["state"] not in _FOLLOWING:
            return order
        leg, moves, watermark = order["legs"][0], self._of(order), self._watermark(order, seq)
        distance, below = leg["trail"]["distance"]["bps"], leg["condition"]["direction"] == "below"
        factor = _ONE - distance if below else _ONE + distance
        trigger = max(1, watermark * factor // _ONE) if below else -(-watermark * factor // _ONE)
        known = sum(1 for told, _ in moves if seq is None or told <= seq)
        trail = {**leg["trail"], "watermark": {"picodollars": watermark}, "mark": known}
        return _with(
            order, {**leg, "condition": {**leg["condition"], "price": {"picodollars": trigger}}, "trail": trail}
        )

    def _watermark(self, order: Json, seq: int | None) -> int:
        leg = order["legs"][0]
        since = self._of(order)[leg["trail"]["mark"] :]
        prices = [price for told, price in since if seq is None or told <= seq]
        best = max if leg["condition"]["direction"] == "below" else min
        watermark: int = best([leg["trail"]["watermark"]["picodollars"], *prices])
        return watermark

    def _of(self, order: Json) -> list[tuple[int, int]]:
        direction = order["legs"][0]["condition"]["direction"]
        return self._moves.get((order["terms"]["trigger_mint"], direction), [])


def _trails(order: Json) -> bool:
    return order["legs"][0]["trail"] is not None


def _with(order: Json, leg: Json) -> Json:
    return {**order, "legs": [leg]}


def _is_beyond(direction: str, price: int, watermark: int) -> bool:
    return price > watermark if direction == "below" else price < watermark
