"""A venue for all tests of the client, and the same test for both clients."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from solders.keypair import Keypair

from countermand.client import AsyncClient, AsyncTanxClient, Client, Policy, TanxClient, TanxKeys
from tests.end_to_end.venue import Venue, running_venue

POLICY = Policy(pause_s=0.02, pause_max_s=0.1, find_s=3, lag_s=2)
"""Quick, since these venues answer at once."""


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("client")) as venue:
        yield venue


@pytest.fixture(scope="module")
def audited(house: Venue) -> Iterator[None]:
    house.restores()
    yield
    assert house.audit()["ok"]


@pytest.fixture
def venue(house: Venue, audited: None) -> Iterator[Venue]:
    yield house
    house.restores()
    house.settles()


class Awaited:
    """An async client, each of whose methods is awaited to its end: to a test it looks like the other one."""

    def __init__(self, api: object, runner: asyncio.Runner) -> None:
        self._api, self._runner = api, runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._api, name)
        if not callable(value):
            return Awaited(value, self._runner) if hasattr(value, "_runner") else value

        def call(*args: Any, **kwargs: Any) -> Any:
            result = value(*args, **kwargs)
            if inspect.isawaitable(result):
                return self._runner.run(cast(Any, result))
            return iter(self._runner.run(_all(result))) if hasattr(result, "__aiter__") else result

        return call


async def _all(rows: AsyncIterator[Any]) -> list[Any]:
    return [row async for row in rows]


@pytest.fixture(params=["sync", "async"])
def runs(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner | None]:
    if request.param == "sync":
        yield None
        return
    with asyncio.Runner() as runner:
        yield runner


class Clients:
    """Makes clients of one kind, with money."""

    def __init__(self, url: str, runner: asyncio.Runner | None) -> None:
        self.url, self._runner = url, runner
        self._made: list[Any] = []

    def __call__(self, wallet: Any = None, **options: Any) -> Client:
        options.setdefault("policy", POLICY)
        options.setdefault("url", self.url)
        return cast(Client, self._kept((Client, AsyncClient), wallet or Keypair(), options))

    def tanx(self, keys: TanxKeys) -> TanxClient:
        options = {"url": self.url, "policy": POLICY}
        return cast(TanxClient, self._kept((TanxClient, AsyncTanxClient), keys, options))

    def rich(self, wallet: Any = None, **options: Any) -> Client:
        """With 20 SOL and 2,000 USDC."""
        client = self(wallet, **options)
        client.sandbox.airdrop("SOL", 20 * 10**9)
        client.sandbox.airdrop("USDC", 2_000 * 10**6)
        return client

    def close(self) -> None:
        for client in self._made:
            client.close()

    def _kept(self, kinds: tuple[Any, Any], who: Any, options: Any) -> Any:
        runner = self._runner
        client = kinds[0](who, **options) if runner is None else Awaited(kinds[1](who, **options), runner)
        self._made.append(client)
        return client


@pytest.fixture
def clients(venue: Venue, runs: asyncio.Runner | None) -> Iterator[Clients]:
    clients = Clients(venue.url, runs)
    yield clients
    clients.close()
