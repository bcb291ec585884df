"""What one run of the order books is like, beside the faults of its world: its markets, its users, their moods."""

import dataclasses
from dataclasses import dataclass
from random import Random
from typing import Final

from countermand.orders.book.model.market import Market, SelfTrade
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.quantities import Lots, Rate, Ticks
from countermand.values.quantities import Bps
from countermand.values.structs import replace
from countermand_simulator.book.checkers import MarketRules

MID: Final = 100
"""The price in ticks about which traders trade. Few prices make many trades."""
LOTS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Options:
    """Probabilities are per occasion."""

    markets: tuple[Market, ...]
    users: int
    orders_at_once: int
    wealth: int
    """How many orders of the middling size each trader can pay at first."""
    spread: int
    """How far from the middle limits are, in ticks."""
    ended_kept: int
    drafts_kept: int
    orders_per_turn: int
    per_slice: int
    """So many events, and what is due goes on in a slice of its own."""
    wild: float
    """A price is far away."""
    greedy: float
    """An order takes all that the other side has near the middle."""
    patient: float
    """A stop order waits beyond the middle."""
    flawed: float
    guessed: float
    """A cancel names an order that may come to be just now."""
    foreign: float
    forgotten: float
    """An order that was drafted is never signed."""
    reused: float
    """A nonce is used for another placement."""
    match_fails: float
    pause_ms: int
    """Between two actions of a user, on average."""
    operator_pause_ms: int


def drawn(random: Random) -> Options:
    def rarely(most: float) -> float:
        return 0.0 if random.random() < 0.3 else random.random() * most

    options = Options(
        markets=tuple(_market(market, random) for market in MARKETS),
        users=random.randint(2, 4),
        orders_at_once=random.choice((4, 8, 16)),
        wealth=random.choice((3, 10, 40)),
        spread=random.choice((2, 5, 12)),
        ended_kept=random.choice((0, 0, 1, 5, 10_000)),
        drafts_kept=random.choice((0, 2, 10_000)),
        wild=rarely(0.2),
        greedy=rarely(0.2),
        flawed=rarely(0.1),
        guessed=rarely(0.4),
        foreign=rarely(0.1),
        forgotten=rarely(0.2),
        reused=rarely(0.3),
        match_fails=rarely(0.5),
        pause_ms=random.choice((5, 20, 100, 300)),
        operator_pause_ms=random.choice((200, 1_000)),
        orders_per_turn=random.choice((1, 1, 2, 32)),
        per_slice=random.choice((1, 1, 4, 64)),
        patient=rarely(0.3),
    )
    return _crowded(options) if random.random() < 1 / 6 else options


def _crowded(options: Options) -> Options:
    """Much is more than a turn serves, and each turn is a slice of its own."""
    return dataclasses.replace(
        options, orders_at_once=24, wealth=100, greedy=0.15, patient=0.6, orders_per_turn=1, per_slice=1
    )


def _market(market: Market, random: Random) -> Market:
    return replace(
        market,
        maker_fee=Rate(random.choice((0, 400, 1))),
        taker_fee=Rate(random.choice((400, 0, 500_000))),
        volume_min=Lots(random.choice((1, 1, 3, 6))),
        volume_max=Lots(LOTS_MAX),
        price_min=Ticks(random.choice((1, MID - 20))),
        price_max=Ticks(random.choice((10**6, MID * 2))),
        price_band=random.choice((None, None, Bps(2_000))),
        slippage_max=Bps(random.choice((3_000, 3_000, 200))),
        self_trade=random.choice(tuple(SelfTrade)),
        max_order_age_ms=random.choice((500, 5_000, 60_000, market.max_order_age_ms)),
    )


def rules_of(market: Market) -> MarketRules:
    """A market as the checkers are told of it."""
    band = market.price_band
    return MarketRules(
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        price_decimals=market.price_decimals,
        volume_decimals=market.volume_decimals,
        maker_fee=market.maker_fee.millionths,
        taker_fee=market.taker_fee.millionths,
        volume_min=market.volume_min.lots,
        volume_max=market.volume_max.lots,
        price_min=market.price_min.ticks,
        price_max=market.price_max.ticks,
        price_band=None if band is None else band.bps,
        slippage_max=market.slippage_max.bps,
        self_trade=market.self_trade.value,
        max_age_ms=market.max_order_age_ms,
    )
