"""The clients: one that blocks and one that awaits, for the APIs of Jupiter, and the same for tanX."""

from functools import partial
from types import TracebackType
from typing import Final, Generic, Self

import httpx2
from solders.keypair import Keypair

from countermand.client.dca import Dca
from countermand.client.effects import Wallet
from countermand.client.limit import LimitOrders, Root
from countermand.client.operations import R
from countermand.client.prices import Prices
from countermand.client.recurring import RecurringOrders
from countermand.client.runners import Async, Sync, server_address
from countermand.client.sandbox import Sandbox
from countermand.client.session import Policy, Session
from countermand.client.tanx import Tanx, TanxKeys, tanx_session
from countermand.client.trigger import Trigger

HERE: Final = "http://127.0.0.1:8080"
_TIMEOUT_S: Final = 60
"""A create, a confirm and an execute answer when their transaction has landed."""


class _Blocking:
    """Holds connections until it is closed."""

    _runner: Sync

    def close(self) -> None:
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Awaiting:
    _runner: Async

    async def close(self) -> None:
        await self._runner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


class _Apis(Generic[R]):
    """The APIs of one client."""

    def __init__(self, runner: R, session: Session, limit_root: Root) -> None:
        self._runner = runner
        self.trigger = Trigger(runner, session)
        self.dca = Dca(runner, session)
        self.limit = LimitOrders(runner, session, limit_root)
        self.recurring = RecurringOrders(runner, session)
        self.prices = Prices(runner, session)
        self.sandbox = Sandbox(runner, session)


class Client(_Apis[Sync], _Blocking):
    """Trigger v2, Trigger v1, Recurring v1 and prices, of a venue on one's own machine or of the real service.

    `wallet` is a solders Keypair, or a `Wallet` with a callback that signs; without one, only reads that need none
    work. `url`: `https://api.jup.ag` for the real one, with an `api_key`. `http`: an httpx2 client of one's own, for
    proxies and timeouts; it is closed with this one. `policy`: how patient this client is.
    """

    def __init__(
        self,
        wallet: Wallet | Keypair | None = None,
        url: str = HERE,
        *,
        api_key: str | None = None,
        limit_root: Root = "/trigger/v1",
        policy: Policy | None = None,
        http: httpx2.Client | None = None,
    ) -> None:
        super().__init__(_blocking(url, http), _session(wallet, api_key, policy), limit_root)


class AsyncClient(_Apis[Async], _Awaiting):
    """As `Client`, with methods to await, and callbacks that may be awaited."""

    def __init__(
        self,
        wallet: Wallet | Keypair | None = None,
        url: str = HERE,
        *,
        api_key: str | None = None,
        limit_root: Root = "/trigger/v1",
        policy: Policy | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        super().__init__(_awaiting(url, http), _session(wallet, api_key, policy), limit_root)


class TanxClient(Tanx[Sync], _Blocking):
    """tanX, of a venue on one's own machine or of the real service (`https://api.tanx.fi`)."""

    def __init__(
        self,
        keys: TanxKeys | None = None,
        url: str = HERE,
        *,
        api_key: str | None = None,
        policy: Policy | None = None,
        http: httpx2.Client | None = None,
    ) -> None:
        session = tanx_session(keys, api_key, policy or Policy())
        super().__init__(_blocking(url, http), session)
        self.sandbox = Sandbox(self._runner, session)


class AsyncTanxClient(Tanx[Async], _Awaiting):
    """As `TanxClient`, with methods to await, and callbacks that may be awaited."""

    def __init__(
        self,
        keys: TanxKeys | None = None,
        url: str = HERE,
        *,
        api_key: str | None = None,
        policy: Policy | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        session = tanx_session(keys, api_key, policy or Policy())
        super().__init__(_awaiting(url, http), session)
        self.sandbox = Sandbox(self._runner, session)


def _session(wallet: Wallet | Keypair | None, api_key: str | None, policy: Policy | None) -> Session:
    return Session(None if wallet is None else Wallet.of(wallet), api_key, policy or Policy())


def _blocking(url: str, http: httpx2.Client | None) -> Sync:
    if http is not None:
        http.base_url = server_address(url)
        return Sync(http)
    make = partial(httpx2.Client, base_url=server_address(url), timeout=_TIMEOUT_S)
    return Sync(make(), make)


def _awaiting(url: str, http: httpx2.AsyncClient | None) -> Async:
    if http is not None:
        http.base_url = server_address(url)
        return Async(http)
    make = partial(httpx2.AsyncClient, base_url=server_address(url), timeout=_TIMEOUT_S)
    return Async(make(), make)
