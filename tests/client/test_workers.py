"""One client in several threads, processes, and on several event loops; one account by several clients."""

import asyncio
import gc
import multiprocessing
import os
import secrets
import threading
import warnings
from collections.abc import Awaitable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

from solders.keypair import Keypair

from countermand.client import SOL, USDC, AsyncClient, AsyncTanxClient, Client, Single, TanxClient, TanxKeys
from tests.client.conftest import POLICY
from tests.client.test_lives import soon
from tests.end_to_end.venue import Venue

FORKS, ORDERS = 3, 8
AT_ONCE, ACCOUNTS = 8, 3
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


def test_a_fork_does_not_wait_for_a_thread_of_its_parent_to_log_in(venue: Venue) -> None:
    """The thread does not go on in the fork, which waited for ever."""
    parent, asked, signs = os.getpid(), threading.Event(), threading.Event()
    keys = keys_of_tanx()

    def sign(text: str) -> str | Awaitable[str]:
        if os.getpid() == parent:
            asked.set()
            assert signs.wait(60)
        return keys.sign_text(text)

    with TanxClient(replace(keys, sign_text=sign), venue.url, policy=POLICY) as client, ThreadPoolExecutor(1) as thread:
        logging_in = thread.submit(client.balances)
        assert asked.wait(60)
        fork = multiprocessing.get_context("fork").Process(target=client.balances)
        fork.start()
        fork.join(10)
        hangs = fork.is_alive()
        fork.kill()
        signs.set()
        assert logging_in.result(60)
    assert not hangs
    assert fork.exitcode == 0


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


def ask_at_once(clients: Sequence[TanxClient]) -> None:
    """Each asks what only members are told."""
    with ThreadPoolExecutor(len(clients)) as threads:
        for asked in [threads.submit(client.balances) for client in clients]:
            assert asked.result(60)


def keys_of_tanx() -> TanxKeys:
    return TanxKeys.of(secrets.randbits(250) + 1)


def test_threads_of_one_client_of_tanx_log_in_once(venue: Venue) -> None:
    """A text of a login serves once, and so does a refresh token."""
    for _ in range(ACCOUNTS):
        with TanxClient(keys_of_tanx(), venue.url, policy=POLICY) as client:
            ask_at_once([client] * AT_ONCE)
            venue.faults(expireTokens=True)
            ask_at_once([client] * AT_ONCE)


def test_tasks_of_one_client_of_tanx_log_in_once(venue: Venue) -> None:
    async def ask_all_at_once() -> None:
        async with AsyncTanxClient(keys_of_tanx(), venue.url, policy=POLICY) as client:
            await asyncio.gather(*(client.balances() for _ in range(AT_ONCE)))
            venue.faults(expireTokens=True)
            await asyncio.gather(*(client.balances() for _ in range(AT_ONCE)))

    asyncio.run(ask_all_at_once())


def test_clients_of_one_account_of_tanx_log_in_side_by_side(venue: Venue) -> None:
    """They are given the same text, and all but one of them another."""
    for _ in range(ACCOUNTS):
        keys = keys_of_tanx()
        clients = [TanxClient(keys, venue.url, policy=POLICY) for _ in range(AT_ONCE)]
        ask_at_once(clients)
        for client in clients:
            client.close()
