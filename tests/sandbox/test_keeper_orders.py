"""How the keeper finds the orders that a price or the clock concerns, and in whose turn it serves them."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from countermand.orders.trigger.model.condition import Direction
from countermand.sandbox.keeper_orders import IN_HAND, FairQueue, KeptOrders
from countermand.sandbox.keeper_tasks import Judge, Market, Order, Task, Wait
from countermand.sandbox.pool import Liquidity, SandboxPool
from countermand.services.tokens import TokenRegistry
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.solana.tokens import JUP_MINT, SOL_MINT, TOKEN_PROGRAM, USDC_MINT
from countermand.values.identity import Address, Mint
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from tests.orders.recurring.stage import USER, an_order

A = Address("a")
NOW_S = 1_800_000_000
RISES: Market = ("in", "out", Direction.ABOVE)
DAY_S = 86_400

amounts = st.one_of(st.integers(1, 50), st.integers(1, 10**12))


def limit(making: int, taking: int, *, left: int | None = None, **changes: Any) -> LimitOrderAccount:
    fields: dict[str, Any] = {
        "maker": USER,
        "input_mint": SOL_MINT,
        "output_mint": USDC_MINT,
        "input_program": TOKEN_PROGRAM,
        "output_program": TOKEN_PROGRAM,
        "input_mint_reserve": USER,
        "unique_id": 1,
        "ori_making_amount": making,
        "ori_taking_amount": taking,
        "making_amount": making if left is None else left,
        "taking_amount": taking,
        "borrow_making_amount": 0,
        "expired_at": None,
        "fee_bps": 10,
        "fee_account": USER,
        "created_at": NOW_S,
        "updated_at": NOW_S,
        "bump": 255,
    }
    return LimitOrderAccount(**(fields | changes))


@dataclass
class Bazaar:
    """A pool, its prices and a clock that a test sets, and a judge of orders by them."""

    prices: dict[Mint, UsdPrice] = field(default_factory=dict)
    now_ms: int = NOW_S * 1000
    jitter_s: int = 0
    delay_ms: int = 0
    holds: bool = False

    def __post_init__(self) -> None:
        self.pool = SandboxPool(Address(USER), self.prices.get)
        self.judge = Judge(
            self.pool,
            TokenRegistry(),
            self.prices.get,
            lambda: Instant(self.now_ms),
            lambda _, __: self.jitter_s,
            self.delay_ms,
            lambda: self.holds,
        )

    def costs(self, mint: str, picodollars: int) -> None:
        self.prices[Mint(mint)] = UsdPrice(picodollars)

    def judges(self, order: Order) -> Task | Wait:
        return self.judge.judge(A, order)

    def reaches(self, wait: Wait) -> bool:
        reached = self.judge.reaches([Mint(SOL_MINT), Mint(USDC_MINT), Mint(JUP_MINT)])
        return any(market in reached and level <= reached[market] for market, level in wait.levels)


def priced(sol: int, usdc: int, impact: int = 0) -> Bazaar:
    market = Bazaar()
    market.costs(SOL_MINT, sol)
    market.costs(USDC_MINT, usdc)
    market.pool.liquidity[Mint(SOL_MINT)] = Liquidity(Bps(impact), None)
    return market


def edge(market: Bazaar, order: Order, *, allowed: int, refused: int) -> int:
    """Of the prices of SOL between these two, the last one on the way at which something is to be done."""
    while abs(allowed - refused) > 1:
        middle = (allowed + refused) // 2
        market.costs(SOL_MINT, middle)
        if isinstance(market.judges(order), Task):
            allowed = middle
        else:
            refused = middle
    return allowed


def is_found_at_the_edge(market: Bazaar, order: Order, *, allowed: int, refused: int) -> None:
    """What waits at a price that allows nothing is found by the very first price that allows something."""
    market.costs(SOL_MINT, allowed)
    assume(isinstance(market.judges(order), Task))
    market.costs(SOL_MINT, refused)
    waits = market.judges(order)
    assume(isinstance(waits, Wait))
    assert isinstance(waits, Wait)
    market.costs(SOL_MINT, edge(market, order, allowed=allowed, refused=refused))
    assert market.reaches(waits)


LOW, HIGH = 1, 10**24


@given(amounts, amounts, st.integers(0, 10_000), st.integers(0, 9_000))
def test_no_price_that_fills_a_limit_order_is_missed(making: int, taking: int, slippage: int, impact: int) -> None:
    order = limit(making, taking, slippage_bps=slippage)
    is_found_at_the_edge(priced(LOW, 10**12, impact), order, allowed=HIGH, refused=LOW)


def cycling(used: int, **bounds: int) -> Order:
    return an_order(
        USER,
        input_mint=SOL_MINT,
        output_mint=USDC_MINT,
        next_cycle_at=NOW_S,
        in_deposited=2 * used,
        in_amount_per_cycle=used,
        next_cycle_amount_left=used,
        **bounds,
    )


@given(amounts, amounts)
def test_no_price_that_lets_a_cycle_happen_is_missed(used: int, bound: int) -> None:
    is_found_at_the_edge(priced(LOW, 10**12), cycling(used, min_out=bound), allowed=HIGH, refused=LOW)
    market, order = priced(LOW, 10**12), cycling(used, max_out=bound)
    least = edge(market, cycling(used), allowed=HIGH, refused=LOW)
    is_found_at_the_edge(market, order, allowed=least, refused=HIGH)


@given(st.integers(1, 10**12))
def test_no_price_that_makes_a_rest_dust_is_missed(left: int) -> None:
    dear = 10**18
    market, order = priced(dear, 10**12), limit(10**12 + 1, 2**63, left=left)
    is_found_at_the_edge(market, order, allowed=LOW, refused=dear)
    dearest = edge(market, order, allowed=LOW, refused=dear)
    assert left * dearest < 10 ** (9 + 12) <= left * (dearest + 1)
    market.costs(SOL_MINT, dearest)
    dust = market.judges(order)
    assert isinstance(dust, Task)
    assert (dust.kind, left < dust.takes) == ("dust", True)


def test_an_order_waits_for_a_level_above_the_market() -> None:
    """Else each price would look at it."""
    market = priced(150 * 10**12, 10**12)
    assert not market.reaches(wait_of(market, limit(10**9, 151_000_000)))
    for bounds in ({"min_out": 160_000_000}, {"max_out": 1_000_000}):
        cycle = {"in_amount_per_cycle": 10**9, "next_cycle_amount_left": 10**9, "in_deposited": 2 * 10**9}
        mints = {"input_mint": SOL_MINT, "output_mint": USDC_MINT}
        order = an_order(USER, next_cycle_at=NOW_S, **mints, **cycle, **bounds)
        assert not market.reaches(wait_of(market, order))


def wait_of(market: Bazaar, order: Order) -> Wait:
    judged = market.judges(order)
    assert isinstance(judged, Wait)
    return judged


def test_an_order_never_begun_is_no_dust() -> None:
    assert isinstance(priced(10**9, 10**12).judges(limit(10**9, 10**9)), Wait)


def test_a_pool_that_takes_nothing_reaches_no_level() -> None:
    market = priced(150 * 10**12, 10**12)
    order = limit(10**9, 100_000_000)
    market.pool.liquidity[Mint(SOL_MINT)] = Liquidity(Bps(0), BaseUnits(0))
    waits = wait_of(market, order)
    assert not market.reaches(waits)
    market.pool.liquidity[Mint(SOL_MINT)] = Liquidity(Bps(0), BaseUnits(10**8))
    assert market.reaches(waits)
    assert market.judges(order) == Task("fill", 10**8, 10_000_000)


def test_an_expired_order_is_returned_after_the_delay() -> None:
    market = Bazaar(delay_ms=60_000)
    order = limit(10**9, 100_000_000, expired_at=NOW_S)
    assert wait_of(market, order).due == (NOW_S + 1) * 1000, "at the second of its expiry it can still fill"
    market.now_ms = (NOW_S + 1) * 1000
    assert wait_of(market, order) == Wait(due=Instant((NOW_S + 61) * 1000))
    market.now_ms += 60_000
    assert market.judges(order) == Task("refund")
    market.holds = True
    assert market.judges(order) == Wait(held=True)


def test_what_keeps_an_expired_order_from_being_returned_is_told_and_nothing_about_swaps() -> None:
    market = Bazaar(delay_ms=60_000)
    order = limit(10**9, 100_000_000, expired_at=NOW_S, output_mint=USER)
    assert market.judge.obstacle(order) == f"the sandbox does not know {USER}"
    market.now_ms = (NOW_S + 1) * 1000 + 500
    assert market.judge.obstacle(order) == "the keeper waits 59.5 s more, by --keeper-refund-delay"
    market.holds = True
    assert market.judge.obstacle(order) == "the fault noRefunds holds the keeper back"
    market.holds, market.now_ms = False, (NOW_S + 61) * 1000
    assert market.judge.obstacle(order) is None


def test_an_order_that_has_sold_everything_needs_no_swap_to_end() -> None:
    assert Bazaar().judge.obstacle(an_order(USER, in_deposited=100, in_used=100)) is None


def test_the_first_cycle_comes_at_its_time_and_the_others_up_to_half_a_minute_later() -> None:
    market = priced(150 * 10**12, 10**12)
    market.jitter_s = 2**31 + 30
    late = market.jitter_s % 31
    first, second = an_order(USER, next_cycle_at=NOW_S + 5), an_order(USER, next_cycle_at=NOW_S + 5, in_used=1)
    assert wait_of(market, first).due == (NOW_S + 5) * 1000
    assert 0 < late <= 30
    assert wait_of(market, second).due == (NOW_S + 5 + late) * 1000
    market.jitter_s = 0
    assert wait_of(market, second).due == (NOW_S + 5) * 1000


# --- where they are kept


def test_a_price_that_reaches_none_looks_at_none() -> None:
    orders = KeptOrders()
    for number in range(1_000):
        orders.keep(Address(str(number)), limit(1, 1), Wait(((RISES, 100 + number),)))
    looked: list[int] = []

    def is_level(_: Market, entry: tuple[int, Address]) -> bool:
        looked.append(entry[0])
        return True

    orders._is_level = is_level  # type: ignore[method-assign,assignment]
    assert orders.take_reached({RISES: 99}, 10) == ([], False)
    assert looked == []
    assert orders.take_reached({RISES: 103}, 10) == (["0", "1", "2", "3"], False)
    assert looked == [100, 101, 102, 103]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 20), st.booleans()), max_size=120))
def test_the_orders_that_are_found_are_those_that_a_look_at_each_finds(steps: list[tuple[str, int, bool]]) -> None:
    orders, naive, now = KeptOrders(), dict[str, int](), -1
    by_time = {name: ord(name) for name in "abcdefgh"}
    for name, level, keeps in steps:
        if keeps:
            orders.keep(Address(name), limit(1, 1), Wait(((RISES, level),), Instant(by_time[name] + level)))
            naive[name] = level
            continue
        now = level
        found, more = dict[str, None](), True
        while more:
            some, more = orders.take_reached({RISES: now}, 2)
            assert len(some) <= 2
            found |= dict.fromkeys(some)
        assert sorted(found) == sorted(each for each, at in naive.items() if at <= now)
        for each in found:
            orders.keep(Address(each), limit(1, 1), IN_HAND)
            del naive[each]
    due = orders.take_due(Instant(10**6), 100)
    assert sorted(due) == sorted(naive), "the time of one that is in hand counts no more"


def test_one_wallet_with_many_orders_delays_no_other() -> None:
    queue = FairQueue()
    for number in range(100):
        queue.add(Address(f"whale {number}"), "whale")
    for name in ("alice", "bob"):
        queue.add(Address(name), name)
        queue.add(Address(name), name)
    assert [queue.take() for _ in range(5)] == ["whale 0", "alice", "bob", "whale 1", "whale 2"]
    queue.discard(Address("whale 3"))
    queue.add(Address("alice 2"), "alice")
    assert [queue.take() for _ in range(3)] == ["whale 4", "alice 2", "whale 5"]
    assert len(queue) == 94
    assert len(list(queue)) == 94
