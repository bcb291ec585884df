"""Takes the pictures of the console in `docs/images`: `python -m tests.clients.pictures`.

Look at them, and make them small, before you commit them: 256 colours do.
"""

import random
import tempfile
import time
from pathlib import Path

from tests.clients.browser import running_browsers
from tests.clients.node import CLIENTS
from tests.end_to_end.conftest import with_funds
from tests.end_to_end.dca_trader import DcaTrader, dca
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.test_venue_root import made_key, sets_prices
from tests.end_to_end.trader import Trader, oco, otoco, single, trailing
from tests.end_to_end.venue import SOL, USDC, Venue, running_venue

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SEED = 7
STEPS = 230
SPIKE, DIP = 60, 120
"""When the price crosses an order, whose first fill fails, and another."""


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="countermand-pictures-") as directory:
        where = Path(directory)
        with running_browsers(where, CLIENTS / "console.mjs") as browsers:
            browser = browsers.current()
            with running_venue(where / "venue", "--keeper") as venue:
                order = scene(venue)
                browser.calls(f"{venue.url}/", "pictures", str(IMAGES), order)
            with running_venue(where / "venue", "--no-sandbox") as venue:
                key = made_key(where / "venue", "admin")
                sets_prices(venue, key, SOL="151.25", USDC="1", USDT="1", JUP="0.5").ok()
                browser.calls(f"{venue.url}/", "pictureOfAVenue", str(IMAGES), key)


def scene(venue: Venue) -> str:
    """A market that moves, and an order of each kind. The one that failed once, and then filled."""
    alice, bob = with_funds(Trader(venue)), with_funds(Trader(venue))
    DcaTrader(alice).places(dca(sell=300 * USDC, rounds=6, every_s=60))
    alice.places(oco(sell=1 * SOL, take_profit=164, stop_loss=141))
    alice.places(otoco(sell=200 * USDC, buy=SOL, below=145, take_profit=161, stop_loss=138.5))
    alice.places(trailing(sell=2 * SOL, bps=300))
    bob.places(single(sell=1 * SOL, above=158))
    failed = bob.places(single(sell=1 * SOL, above=152.6))
    LimitTrader(venue, bob).places(1 * SOL, USDC, take=156_500_000)
    LimitTrader(venue, bob).places(147 * USDC, SOL, take=1_000_000_000)
    Saver(venue, alice.key).opens(200 * USDC, SOL)
    bob.places(single(sell=150 * USDC, buy=SOL, below=149.2))
    withdrawn = bob.places(single(sell=1 * SOL, above=170))
    bob.withdraws(withdrawn, bob.cancels(withdrawn))
    venue.settles()
    chance, price = random.Random(SEED), 150.0
    for step in range(STEPS):
        price += chance.gauss(0, 0.16) - (price - 150.8) * 0.015
        if step == SPIKE:
            venue.faults(failSwaps=1)
            price = 152.7
        elif step == SPIKE + 10:
            price = 152.65
        elif step == DIP:
            price = 149.0
        venue.price(SOL, f"{price:.3f}")
        time.sleep(0.12)
    bob.places(single(sell=1 * SOL, above=round(price + 3.5, 2)))
    return failed


if __name__ == "__main__":
    main()
