"""What `countermand serve --demo` shows: a wallet with an order of each kind, and prices that move."""

from typing import Any

from countermand.testkit.process import Announced
from countermand.testkit.venue import Venue
from countermand.testkit.wallet import Wallet

WALK_SEED = 1


def play_at(url: str) -> str | None:
    """As `play`, at a sandbox with this address."""
    venue = Venue(Announced.at(url))
    try:
        return play(venue)
    finally:
        venue.close()


def play(venue: Venue) -> str | None:
    """The address of the wallet; None if the venue has orders already, which are left as they are.

    Raises `LostAnswer` and `RequestRefused`.
    """
    wallet = None
    if not venue.orders(limit=1):
        wallet = venue.wallet(sol=20, usdc=5_000)
        orders = wallet.trigger
        orders.place("SOL", 1, "USDC", above="153")
        orders.place("SOL", 2, "USDC", order_type="oco", tp_price_usd=160, sl_price_usd=140)
        orders.place("USDC", 450, "SOL", below=148, order_type="otoco", tp_price_usd=158, sl_price_usd=138)
        orders.place("SOL", 1, "USDC", trigger_condition="below", trailing_bps=300)
        orders.place_recurring("USDC", 1_000, "SOL", rounds=10, every_s=60)
        _place_on_chain(venue, wallet)
    walk = {"seed": WALK_SEED, "bps": 25, "everyMs": 1_000}
    venue.sandbox("POST", "/playback", {"mint": "SOL", "walk": walk})
    venue.sandbox("POST", "/tanx/market-maker", {"market": "btcusdc", "price": "60000", "volume": "0.2"})
    return None if wallet is None else wallet.address


def _place_on_chain(venue: Venue, wallet: Wallet) -> None:
    """A limit order of Trigger v1, and a recurring order of Recurring v1."""
    pair = {"inputMint": venue.token("USDC").mint, "outputMint": venue.token("SOL").mint}
    terms = {"makingAmount": "60000000", "takingAmount": "416666667"}
    limit = {**pair, "maker": wallet.address, "payer": wallet.address, "params": terms}
    cycles = {"inAmount": 200_000_000, "numberOfOrders": 4, "interval": 120}
    for root, order in (
        ("/trigger/v1", limit),
        ("/recurring/v1", {**pair, "user": wallet.address, "params": {"time": cycles}}),
    ):
        built: Any = venue.ask("POST", f"{root}/createOrder", order).ok()
        signed = wallet.sign_transaction(built["transaction"])
        venue.ask("POST", f"{root}/execute", {"requestId": built["requestId"], "signedTransaction": signed}).ok()
