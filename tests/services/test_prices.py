"""One price after the other: stored, then shown, then told to the orders."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.services.prices import Prices
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice

SOL = Mint("SOL")


class Stored:
    """`raises` are raised one by one; what was asked for has happened if it is a lost answer."""

    def __init__(self) -> None:
        self.kept: dict[Mint, UsdPrice] = {}
        self.raises: list[Exception] = []
        self.reading: asyncio.Event | None = None

    async def prices(self) -> Sequence[tuple[Mint, UsdPrice]]:
        read = list(self.kept.items())
        if self.reading is not None:
            await self.reading.wait()
        return read

    async def set_prices(self, prices: Mapping[Mint, UsdPrice]) -> None:
        await asyncio.sleep(0)
        if self.raises:
            problem = self.raises.pop(0)
            if isinstance(problem, CommitUnknown):
                self.kept.update(prices)
            raise problem
        self.kept.update(prices)

    async def clear(self) -> None:
        self.kept.clear()


async def test_a_price_is_stored_before_it_is_shown_and_shown_before_orders_are_judged() -> None:
    store = Stored()
    prices = Prices(store)
    seen: list[tuple[UsdPrice | None, UsdPrice | None]] = []

    async def observe(observed: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        assert (observed, at_once) == ({SOL: UsdPrice(7)}, True)
        seen.append((store.kept.get(SOL), prices.price_of(SOL)))

    prices.add_observer(observe)
    await prices.set({SOL: UsdPrice(7)}, at_once=True)
    assert seen == [(UsdPrice(7), UsdPrice(7))]


async def test_the_next_price_waits_until_all_orders_were_judged_by_the_one_before() -> None:
    prices, judged, go_on = Prices(Stored()), list[int](), asyncio.Event()

    async def observe(observed: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        if observed[SOL] == UsdPrice(1):
            await go_on.wait()
        judged.append(observed[SOL].picodollars)

    prices.add_observer(observe)
    both = [asyncio.create_task(prices.set({SOL: UsdPrice(n)}, at_once=False)) for n in (1, 2)]
    while prices.price_of(SOL) is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert prices.price_of(SOL) == UsdPrice(1)
    go_on.set()
    await asyncio.gather(*both)
    assert judged == [1, 2]


@pytest.mark.parametrize("problem", [CommitUnknown("lost"), Unavailable("the orders are being loaded")])
async def test_what_fails_for_one_observer_is_told_to_the_others(problem: Exception) -> None:
    prices, told = Prices(Stored()), list[UsdPrice]()

    async def fails(_observed: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        raise problem

    async def observe(observed: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        told.append(observed[SOL])

    prices.add_observer(fails)
    prices.add_observer(observe)
    with pytest.raises(CommitUnknown, match=str(problem)):  # "Unavailable" says that nothing was changed.
        await prices.set({SOL: UsdPrice(7)}, at_once=False)
    assert (told, prices.price_of(SOL)) == ([UsdPrice(7)], UsdPrice(7))


async def test_a_lost_answer_is_asked_for_once_more() -> None:
    store = Stored()
    prices = Prices(store)
    store.raises = [CommitUnknown("lost")]
    await prices.set({SOL: UsdPrice(7)}, at_once=False)
    assert prices.price_of(SOL) == UsdPrice(7)
    store.raises = [CommitUnknown("lost"), CommitUnknown("lost")]
    with pytest.raises(CommitUnknown):
        await prices.set({SOL: UsdPrice(8)}, at_once=False)
    assert prices.price_of(SOL) == UsdPrice(7), "until the next load it is not known"
    await prices.load()
    assert prices.price_of(SOL) == UsdPrice(8)


async def test_of_a_price_that_may_be_stored_it_is_not_said_that_nothing_was_changed() -> None:
    store = Stored()
    prices = Prices(store)
    store.raises = [CommitUnknown("lost"), Unavailable("away")]
    with pytest.raises(CommitUnknown, match="away"):
        await prices.set({SOL: UsdPrice(7)}, at_once=False)


async def test_a_price_that_was_not_stored_is_not_shown() -> None:
    store = Stored()
    prices = Prices(store)
    store.raises = [Unavailable("away")]
    with pytest.raises(Unavailable):
        await prices.set({SOL: UsdPrice(7)}, at_once=False)
    assert prices.price_of(SOL) is None


async def test_a_load_does_not_bring_back_what_was_read_before_a_newer_price() -> None:
    store = Stored()
    prices = Prices(store)
    await prices.set({SOL: UsdPrice(1)}, at_once=False)
    store.reading = asyncio.Event()
    loading = asyncio.create_task(prices.load())
    await asyncio.sleep(0)
    await prices.set({SOL: UsdPrice(2)}, at_once=False)
    store.reading.set()
    await loading
    assert prices.price_of(SOL) == UsdPrice(2)


async def test_what_a_caller_who_left_set_has_been_set_before_all_is_forgotten() -> None:
    store = Stored()
    prices = Prices(store)
    setting = asyncio.create_task(prices.set({SOL: UsdPrice(7)}, at_once=False))
    await asyncio.sleep(0)
    setting.cancel()
    await prices.settled()
    await prices.clear()
    await asyncio.sleep(0.01)
    assert (store.kept, prices.newest) == ({}, {})


async def test_a_price_whose_answers_were_lost_is_told_when_it_is_found_stored() -> None:
    store = Stored()
    prices, told = Prices(store), list[Mapping[Mint, UsdPrice]]()

    async def observe(observed: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
        assert not at_once
        told.append(observed)

    prices.add_observer(observe)
    store.kept[Mint("JUP")] = UsdPrice(2)
    await prices.load()
    await prices.settled()
    assert told == [], "orders are judged by it when they are loaded themselves"
    store.raises = [CommitUnknown("lost"), CommitUnknown("lost again")]
    with pytest.raises(CommitUnknown):
        await prices.set({SOL: UsdPrice(7)}, at_once=False)
    assert (prices.price_of(SOL), told) == (None, [])
    await prices.load()
    await prices.settled()
    assert (prices.price_of(SOL), told) == (UsdPrice(7), [{SOL: UsdPrice(7)}])
    await prices.load()
    await prices.settled()
    assert len(told) == 1
