"""One client in several processes, and on several event loops."""

import asyncio
import gc
import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal

from solders.keypair import Keypair

from countermand.client import SOL, USDC, AsyncClient, Client, Single
from tests.client.conftest import POLICY
from tests.client.test_lives import soon
from tests.end_to_end.venue import Venue

FORKS, ORDERS = 3, 8
_client: Client | None = None


def above(dollars: int) -> Single:
    return Single(sell=SOL, amount=10**8, buy=USDC, watch=SOL, above=dollars, expires_at=soon())


def places(dollars: int) -> set[Decimal | None]:
    """At which prices the orders are that it was told of."""
    assert _client is not None
    placed = [_client.trigger.place(above(dollars)).id for _ in range(ORDERS)]
    return {_client.trigger.order(order).trigger_price_usd for order in placed}


def test_each_fork_reads_its_own_answers(venue: Venue) -> None:
    global _client
    with Client(Keypair(), venue.url, policy=POLICY) as _client:
        _client.sandbox.airdrop("SOL", 10 * 10**9)
        _client.trigger.vault()
        prices = [200 + number for number in range(FORKS)]
        with ProcessPoolExecutor(FORKS, multiprocessing.get_context("fork")) as forks:
            asked = [forks.submit(places, price) for price in prices]
            own = places(300)
            assert [each.result(60) for each in asked] == [{price} for price in prices]
        assert own == {300}
        assert len(list(_client.trigger.orders("active"))) == (FORKS + 1) * ORDERS


def test_a_client_outlasts_its_event_loop(venue: Venue) -> None:
    """As with one `asyncio.run` after the other."""
    client = AsyncClient(Keypair(), venue.url, policy=POLICY)

    async def asks() -> int:
        return int((await client.sandbox.state())["now"])

    async def asks_and_closes() -> int:
        async with client:
            return await asks()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # What the first loop left open cannot be closed any more.
        assert asyncio.run(asks()) <= asyncio.run(asks_and_closes())
        gc.collect()
