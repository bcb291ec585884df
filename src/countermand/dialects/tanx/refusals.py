"""The words of each refusal in this API."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.answering import Answer
from countermand.dialects.tanx.envelope import problem
from countermand.dialects.tanx.render import Renderer, decimal
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.refusals import BookRefusal, BookRefused

INVALID_NONCE: Final = "Invalid nonce"
MARKET_UNKNOWN: Final = "please enter a valid market"
ORDER_NOT_FOUND: Final = problem(404, "Order not found", {})

WORDS: Final[Mapping[BookRefusal, str]] = MappingProxyType(
    {
        BookRefusal.NONCE_USED: f"{INVALID_NONCE}: it was used with another signature",
        BookRefusal.MARKET_UNKNOWN: MARKET_UNKNOWN,
        BookRefusal.PRICE_MISSING: "price: This field is required.",
        BookRefusal.STOP_MISSING: "stop_price: This field is required.",
        BookRefusal.VOLUME_TOO_SMALL: "Minimum volume allowed is {volume_min} in {market} market",
        BookRefusal.VOLUME_TOO_BIG: "Maximum volume allowed is {volume_max} in {market} market",
        BookRefusal.PRICE_TOO_LOW: "Minimum {field} allowed is {price_min} in {market} market",
        BookRefusal.PRICE_TOO_HIGH: "Maximum {field} allowed is {price_max} in {market} market",
        BookRefusal.PRICE_OUTSIDE_BAND: "{field} is too far from the last trade in {market} market",
        BookRefusal.INSUFFICIENT_FUNDS: "Insufficient balance",
        BookRefusal.ORDER_UNKNOWN: "Order not found",
        BookRefusal.ORDER_DONE: "Order is already executed",
        BookRefusal.ORDER_CANCELLED: "Order is already cancelled",
        BookRefusal.AMOUNT_TOO_BIG: "amount: There would be more of the currency than can be counted.",
        BookRefusal.NOTHING_TO_DO: "There is nothing to do",
    }
)
assert set(WORDS) == set(BookRefusal), "every refusal has its words"


def words_of(refusal: BookRefusal, market: Market | None = None, field: str = "") -> str:
    """`market`: that of the order, if it is about one."""
    if market is None:
        return WORDS[refusal]
    return WORDS[refusal].format(
        market=market.symbol,
        field=field,
        volume_min=decimal(market.volume_min.lots, market.volume_decimals),
        volume_max=decimal(market.volume_max.lots, market.volume_decimals),
        price_min=decimal(market.price_min.ticks, market.price_decimals),
        price_max=decimal(market.price_max.ticks, market.price_decimals),
    )


def answer_to(refused: BookRefused, renderer: Renderer, market: Market | None = None) -> Answer:
    if refused.refusal is BookRefusal.ORDER_UNKNOWN:
        return ORDER_NOT_FOUND
    words = words_of(refused.refusal, market, refused.detail)
    return problem(400, words) if refused.order is None else problem(400, words, renderer.order(refused.order))
