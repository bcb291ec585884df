"""Whether a refusal was right at some time while its request was under way."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from countermand_simulator.book.checkers.floor import Floor
from countermand_simulator.book.checkers.fold import Json, ticks

_AMOUNT_MAX: Final = 10**32 - 1


class Request(Protocol):
    @property
    def who(self) -> str: ...
    @property
    def what(self) -> Any: ...
    @property
    def seq(self) -> int: ...


def is_right(floor: Floor, asked: Request, answer: Json) -> bool:
    match answer["refusal"]:
        case "NONCE_USED":
            order_id = floor.of_nonce.get((asked.who, asked.what["nonce"]))
            return order_id is not None and floor.order(order_id)["placement"] != asked.what["placement"]
        case "ORDER_UNKNOWN":
            line = floor.orders.get(asked.what)
            first = None if line is None else line.at(asked.seq)
            return first is None or asked.who not in (first["terms"]["account"], "operator")
        case "ORDER_DONE" | "ORDER_CANCELLED" as refusal:
            state = "done" if refusal == "ORDER_DONE" else "cancel"
            order = floor.order(asked.what)
            return bool(order["state"] == state and answer["body"] == order)
        case "INSUFFICIENT_FUNDS":
            return _is_too_poor(floor, asked)
        case "AMOUNT_TOO_BIG":
            return floor.credited[asked.what["currency"]] + int(asked.what["amount"]["quanta"]) > _AMOUNT_MAX
        case refusal:
            return refusal in _flaws(floor, asked)


def _is_too_poor(floor: Floor, asked: Request) -> bool:
    terms = asked.what["terms"]
    market, side, price = floor.markets[terms["market"]], terms["side"], ticks(terms["price"])
    had = [purse.get(market.spent(side), (0, 0))[0] for purse in floor.purse(asked.who).since(asked.seq)]
    if terms["kind"] == "market" and side == "buy":
        return min(had) == 0
    lots = terms["lots"]["lots"]
    return min(had) < (market.volume(lots) if price is None else market.needed(side, price, lots))


def _flaws(floor: Floor, asked: Request) -> Sequence[str]:
    """What is wrong with an order by itself."""
    if not isinstance(asked.what, dict) or "terms" not in asked.what:
        return []
    terms = asked.what["terms"]
    market = floor.markets.get(terms["market"])
    if market is None:
        return ["MARKET_UNKNOWN"]
    lots, price, stop = terms["lots"]["lots"], ticks(terms["price"]), ticks(terms["stop"])
    prices = [each for each in (price, stop) if each is not None and terms["kind"] != "market"]
    lasts = floor.last[market.symbol].since(asked.seq)
    flaws = {
        "PRICE_MISSING": price is None and terms["kind"] != "market",
        "STOP_MISSING": stop is None and terms["kind"] == "stop_limit",
        "VOLUME_TOO_SMALL": lots < market.volume_min,
        "VOLUME_TOO_BIG": lots > market.volume_max,
        "PRICE_TOO_LOW": any(each < market.price_min for each in prices),
        "PRICE_TOO_HIGH": any(each > market.price_max for each in prices),
        "PRICE_OUTSIDE_BAND": any(market.is_outside_band(each, last) for each in prices for last in lasts),
    }
    return [flaw for flaw, is_so in flaws.items() if is_so]
