"""A maker with orders on the chain, whichever family they are of."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from solders.keypair import Keypair

from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Answer, Venue
from tests.solana.chain_support import another_signature, signature_of


@dataclass(frozen=True)
class Maker:
    """All that either can do."""

    venue: Venue
    key: Keypair
    opens: Callable[[], tuple[str, str]]
    """Builds a transaction that opens an order: its request id, and itself."""
    cancels: Callable[[str], tuple[str, str]]
    executes: Callable[..., Answer]
    orders: Callable[[], list[str]]

    def sends_otherwise(self, transaction: str) -> str:
        """Signed anew, and past the venue."""
        raw = another_signature(base64.b64decode(transaction), self.key)
        settings = {"encoding": "base64", "skipPreflight": True}
        signature: str = self.venue.rpc("sendTransaction", base64.b64encode(raw).decode(), settings)
        assert signature == signature_of(raw)
        return signature

    def has_open(self) -> str:
        request_id, transaction = self.opens()
        self.executes(transaction, requestId=request_id).ok()
        (order,) = self.orders()
        return order


def limit_maker(venue: Venue) -> Maker:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    limit = LimitTrader(venue, trader)

    def opens() -> tuple[str, str]:
        built = limit.builds(10 * USDC, JUP)
        return built["requestId"], built["transaction"]

    def cancels(order: str) -> tuple[str, str]:
        built = limit.post("cancelOrders", maker=limit.wallet, orders=[order]).ok()
        return built["requestId"], built["transactions"][0]

    return Maker(venue, trader.key, opens, cancels, limit.executes, limit.open_orders)


def saver(venue: Venue) -> Maker:
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)

    def named(built: Any) -> tuple[str, str]:
        return built["requestId"], built["transaction"]

    return Maker(
        venue,
        saver.key,
        lambda: named(saver.asks_to_create(104 * USDC, SOL).ok()),
        lambda order: named(saver.asks_to_cancel(order).ok()),
        saver.executes,
        lambda: [row["orderKey"] for row in saver.lists()["time"]],
    )
