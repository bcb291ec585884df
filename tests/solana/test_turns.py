"""Who gets the loop, and when."""

import asyncio
import contextlib

from countermand.solana.turns import LEISURE_TURNS, Turns

BUDGET_NS = 10


class Stopwatch:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Workshop:
    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.turns = Turns(BUDGET_NS, self.watch)
        self.done: list[str] = []

    def is_over(self) -> None:
        """Nothing is left of this turn, and those that begin in it wait."""
        with self.turns.work():
            self.watch.now_ns += BUDGET_NS

    async def works(self, name: str, shares: int, each_ns: int) -> None:
        for _ in range(shares):
            await self.turns.mine()
            with self.turns.work():
                self.watch.now_ns += each_ns
                self.done.append(name)


async def test_much_work_does_not_keep_little_from_its_turn() -> None:
    shop = Workshop()
    much = asyncio.create_task(shop.works("much", 100, 2 * BUDGET_NS))
    while len(shop.done) < 3:
        await asyncio.sleep(0)
    await shop.works("little", 2, 1)
    assert len(shop.done) <= 3 + 2 * 2 + 1, "after each of its shares at most one of the other"
    await much


async def test_those_that_wait_go_in_their_order_and_as_many_as_a_turn_holds() -> None:
    shop = Workshop()
    waiting = [asyncio.create_task(shop.works(name, 2, 4)) for name in "abcde"]
    shop.is_over()
    turns = 0
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0)
        turns += 1
    assert "".join(shop.done) == "abcdeabcde"
    assert turns < 12


async def test_one_that_no_longer_waits_holds_no_other_up() -> None:
    shop = Workshop()
    gone, next_one = [asyncio.create_task(shop.works(name, 1, 1)) for name in ("gone", "next")]
    shop.is_over()
    await asyncio.sleep(0)
    gone.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await gone
    await asyncio.wait_for(next_one, 30)
    assert shop.done == ["next"]


async def test_an_unused_turn_is_the_next_one_s() -> None:
    shop = Workshop()
    idle, busy = asyncio.create_task(shop.turns.mine()), asyncio.create_task(shop.works("busy", 1, 1))
    shop.is_over()
    await asyncio.wait_for(asyncio.gather(idle, busy), 30)
    assert shop.done == ["busy"]


async def test_leisure_comes_after_all_that_waits() -> None:
    """Also after what came later."""
    shop = Workshop()

    async def at_leisure() -> None:
        await shop.turns.leisure()
        await shop.works("leisure", 1, BUDGET_NS)

    tasks = (shop.works("a", 2, BUDGET_NS), at_leisure(), shop.works("b", 2, BUDGET_NS))
    await asyncio.gather(*map(asyncio.create_task, tasks))
    assert sorted(shop.done[:4]) == ["a", "a", "b", "b"], shop.done
    shop.is_over()
    await shop.turns.leisure()


async def test_leisure_comes_in_the_end_if_there_is_never_any() -> None:
    """Others that always have more work get many turns, and then one less."""
    shop = Workshop()

    async def at_leisure() -> None:
        await shop.turns.leisure()
        await shop.works("leisure", 1, BUDGET_NS)

    busy = [asyncio.create_task(shop.works(name, 3 * LEISURE_TURNS, BUDGET_NS)) for name in "ab"]
    await asyncio.wait_for(at_leisure(), 30)
    assert LEISURE_TURNS <= shop.done.index("leisure") < LEISURE_TURNS + 10
    await asyncio.gather(*busy)
