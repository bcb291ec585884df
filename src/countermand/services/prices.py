"""The newest price of each mint: stored, then shown, then told to the orders that it may concern."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Protocol

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice


class PriceStore(Protocol):
    """Every method may raise `Unavailable`."""

    async def prices(self) -> Sequence[tuple[Mint, UsdPrice]]: ...

    async def set_prices(self, prices: Mapping[Mint, UsdPrice]) -> None:
        """Stores all of them, or none. Raises `CommitUnknown`."""

    async def clear(self) -> None: ...


class PriceObserver(Protocol):
    async def __call__(self, prices: Mapping[Mint, UsdPrice], /, *, at_once: bool) -> None:
        """Once it returns, every order that these newest prices concern has been judged by them.

        May raise `Unavailable` or `CommitUnknown`.
        """


class Prices:
    """One price after the other: the next is set when all orders were judged by the one before."""

    def __init__(self, store: PriceStore) -> None:
        self._store = store
        self._newest: dict[Mint, UsdPrice] = {}
        self._observers: list[PriceObserver] = []
        self._one_at_a_time = asyncio.Lock()
        self._changes = 0
        self._was_loaded = False
        self._setting: list[asyncio.Task[None]] = []

    @property
    def newest(self) -> Mapping[Mint, UsdPrice]:
        return self._newest

    def price_of(self, mint: Mint) -> UsdPrice | None:
        """None: none was ever set."""
        return self._newest.get(mint)

    def add_observer(self, observer: PriceObserver) -> None:
        self._observers.append(observer)

    async def load(self) -> None:
        """Takes in what is stored. Each load of orders begins with it, since they are judged by it.

        It may be a price that was set though its answers were lost: orders that are loaded already are told of it, too.
        """
        while True:
            changes = self._changes
            stored = await self._store.prices()
            if changes == self._changes:
                break  # Else what was read may be older than what was set meanwhile.
        before = dict(self._newest)
        self._newest.clear()
        self._newest.update(stored)
        changed = [mint for mint, price in stored if before.get(mint) != price]
        if self._was_loaded and changed:
            self._begun(self._tell_late(changed))
        self._was_loaded = True

    async def set(self, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        """All are stored in one commit. `at_once`: they also start orders that pause after a failed fill.

        Goes on to its end also when its caller has left. Raises `Unavailable` where nothing was stored, and
        `CommitUnknown` where that is not known, or where an order that they concern may not have been judged yet.
        """
        await asyncio.shield(self._begun(self._set(prices, at_once=at_once)))

    def _begun(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._setting.append(task)
        task.add_done_callback(self._done)
        return task

    async def _set(self, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        async with self._one_at_a_time:
            await self._stored(prices)
            self._newest.update(prices)
            self._changes += 1
            await self._tell(prices, at_once=at_once)

    async def _stored(self, prices: Mapping[Mint, UsdPrice]) -> None:
        """To store a price twice is to store it once."""
        try:
            await self._store.set_prices(prices)
        except CommitUnknown:
            try:
                await self._store.set_prices(prices)
            except Unavailable as away:
                raise CommitUnknown(str(away)) from away  # The first time, it may have been.

    async def _tell_late(self, mints: Sequence[Mint]) -> None:
        async with self._one_at_a_time:
            newest = {mint: self._newest[mint] for mint in mints if mint in self._newest}
            await self._tell(newest, at_once=False)

    async def _tell(self, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        """One observer's failure is raised when all the others have been told: the price is there for them, too.

        For the same reason it is never `Unavailable`, which says that nothing was changed.
        """
        failure: Unavailable | CommitUnknown | None = None
        for observer in self._observers:
            try:
                await observer(prices, at_once=at_once)
            except (Unavailable, CommitUnknown) as problem:
                failure = failure or problem
        if failure is not None:
            raise CommitUnknown(str(failure)) from failure

    def is_settled(self) -> bool:
        """Nothing is being set: each price that is stored has been told to all orders."""
        return not self._setting

    async def settled(self) -> None:
        """What is being set, has been. For who ends what sets prices, and may not wait for each."""
        while self._setting:
            await asyncio.gather(*self._setting, return_exceptions=True)

    def _done(self, setting: "asyncio.Task[None]") -> None:
        self._setting.remove(setting)
        if not setting.cancelled():
            setting.exception()  # Its caller may have left.

    async def clear(self) -> None:
        """As if none was ever set. While no order is served."""
        await self._store.clear()
        self._newest.clear()
