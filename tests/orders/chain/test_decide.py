"""What the index makes of landed transactions: each once, in order, of the orders that it knows."""

import pytest

from countermand.kernel.ports import JournalRow
from countermand.orders.chain.journal import LANDED, body_of, read
from countermand.orders.chain.landed import PROGRAMS
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.decide import FAILURES_KEPT, IndexRefused
from countermand.orders.chain.model.events import (
    CycleFilled,
    Event,
    FillFailed,
    LimitCancelled,
    LimitFilled,
    LimitOpened,
    RecurringClosed,
    RecurringDeposited,
    RecurringOpened,
    RecurringWithdrawn,
)
from countermand.orders.chain.model.lifecycle import NotOfThisOrder, evolve
from countermand.orders.chain.model.order import ChainOrderState, IndexedLimitOrder, IndexedRecurringOrder
from countermand.orders.chain.rows import decode_order, decode_trade
from countermand.orders.chain.state import ChainIndexState
from countermand.values.identity import Address, Mint, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.structs import replace

LIMIT, DCA = PROGRAMS
ORDER, OTHER = Address("order"), Address("other")
OWNER = Wallet("owner")
AT = Instant(0)

OPENED = LimitOpened(
    order=ORDER,
    owner=OWNER,
    input_mint=Mint("in"),
    output_mint=Mint("out"),
    making=1_000,
    taking=2_000,
    expires_at_s=None,
    fee_bps=10,
    fee_account=Address("fees"),
    slippage_bps=0,
)
PLANNED = RecurringOpened(
    order=ORDER,
    owner=OWNER,
    input_mint=Mint("in"),
    output_mint=Mint("out"),
    deposited=300,
    per_cycle=100,
    interval_s=60,
    out_min=0,
    out_max=0,
    created_at_s=7,
)
CANCELLED = LimitCancelled(order=ORDER)


def filled(making: int, rest: int) -> LimitFilled:
    return LimitFilled(
        order=ORDER,
        keeper=Address("keeper"),
        making=making,
        taking=2 * making,
        remaining_making=rest,
        remaining_taking=2 * rest,
    )


def cycle(used: int) -> CycleFilled:
    return CycleFilled(order=ORDER, keeper=Address("keeper"), used=used, received=3 * used, fee_mint=Mint("out"), fee=1)


class Index:
    """An index in memory. Each transaction lands in a slot of its own, unless one is named."""

    def __init__(self) -> None:
        self.state = ChainIndexState()
        self.slot = 0

    def lands(self, *did: Event, slot: int | None = None, program: Address = LIMIT) -> TransactionLanded:
        self.slot = self.slot + 1 if slot is None else slot
        name = f"{self.slot}-{len(did)}-{'-'.join(type(each).__name__ for each in did)}"
        return TransactionLanded(program, Signature(name), self.slot, 100 + self.slot, did)

    def told(self, *did: Event, slot: int | None = None, program: Address = LIMIT) -> tuple[Event, ...]:
        return self.tells(self.lands(*did, slot=slot, program=program))

    def tells(self, landed: TransactionLanded) -> tuple[Event, ...]:
        news = self.state.decide(landed, AT)
        assert not isinstance(news, IndexRefused)
        if news:
            self.state.apply(landed, news, AT)
        return news

    def ended(self) -> list[IndexedLimitOrder | IndexedRecurringOrder]:
        return [decode_order(row.family, row.body) for row in self.state.take_rows().orders if not row.live]


@pytest.fixture
def index() -> Index:
    return Index()


def test_an_order_is_opened_filled_in_parts_and_completed(index: Index) -> None:
    opening = index.lands(OPENED)
    index.tells(opening)
    index.told(filled(400, 600))
    assert index.state.open[ORDER].state is ChainOrderState.OPEN
    index.told(filled(600, 0))
    assert not index.state.open
    rows = index.state.take_rows()
    (order,) = (decode_order(row.family, row.body) for row in rows.orders)
    assert isinstance(order, IndexedLimitOrder)
    assert (order.state, order.remaining_making, order.trades) == (ChainOrderState.COMPLETED, 0, 2)
    assert (order.opened_by, order.closed_by) == (opening.signature, Signature(f"3-1-{LimitFilled.__name__}"))
    assert (order.created_at_s, order.updated_at_s) == (101, 103)
    first, second = (decode_trade(row.body) for row in rows.trades)
    assert [(each.n, each.given, each.received, each.fee) for each in (first, second)] == [
        (1, 400, 800, 0),
        (2, 600, 1200, 1),
    ]


def test_a_cancel_leaves_what_was_left(index: Index) -> None:
    for did in (OPENED, filled(400, 600), CANCELLED):
        index.told(did)
    (order,) = index.ended()
    assert isinstance(order, IndexedLimitOrder)
    assert (order.state, order.remaining_making, order.trades) == (ChainOrderState.CANCELLED, 600, 1)


def test_what_was_told_is_no_news(index: Index) -> None:
    landed = [index.lands(OPENED), index.lands(filled(400, 600)), index.lands(filled(500, 100))]
    assert all(index.tells(each) for each in landed)
    assert not any(index.tells(each) for each in landed)


def test_two_of_one_slot_are_told_each_once(index: Index) -> None:
    opening, fill = index.lands(OPENED, slot=5), index.lands(filled(400, 600), slot=5)
    assert [bool(index.tells(each)) for each in (opening, fill, opening, fill)] == [True, True, False, False]


def test_the_slots_of_one_program_say_nothing_of_the_other(index: Index) -> None:
    index.told(OPENED, slot=9)
    assert index.told(replace(PLANNED, order=OTHER), slot=5, program=DCA)


@pytest.mark.parametrize("event", [CANCELLED, filled(1, 0), FillFailed(order=ORDER, keeper=Address("keeper"))])
def test_what_happens_to_an_unknown_order_is_no_news(index: Index, event: Event) -> None:
    assert index.told(event) == ()


def test_a_cancel_after_the_last_fill_ends_nothing(index: Index) -> None:
    """It clears away what a stranger had sent."""
    index.told(OPENED)
    index.told(filled(1_000, 0))
    assert index.told(CANCELLED) == ()


def test_an_address_that_is_used_again_is_another_order(index: Index) -> None:
    index.told(OPENED)
    index.told(CANCELLED)
    index.told(OPENED)
    index.told(filled(1_000, 0))
    orders = index.ended()
    assert [order.state for order in orders] == [ChainOrderState.CANCELLED, ChainOrderState.COMPLETED]
    assert len({order.opened_by for order in orders}) == 2


def test_all_of_a_life_in_one_transaction(index: Index) -> None:
    assert index.told(OPENED, filled(1_000, 0), OPENED, CANCELLED, CANCELLED) == (
        OPENED,
        filled(1_000, 0),
        OPENED,
        CANCELLED,
    )


def test_orders_that_one_transaction_opens_at_one_address(index: Index) -> None:
    """Each has rows of its own: a stranger can make such a transaction, and its commit must not fail."""
    life = (OPENED, filled(1_000, 0))
    index.told(*life, *life, OPENED)
    assert index.state.open[ORDER].nth == 2
    rows = index.state.take_rows()
    assert len({(row.address, row.opened_by) for row in rows.orders}) == 1
    assert [(row.nth, row.live, row.ended_slot) for row in rows.orders] == [(0, False, 1), (1, False, 1), (2, True, 0)]
    assert [(row.nth, row.n) for row in rows.trades] == [(0, 1), (1, 1)]
    assert [decode_order(row.family, row.body).nth for row in rows.orders] == [0, 1, 2]
    index.told(filled(1_000, 0))
    (row,) = index.state.take_rows().orders
    assert (row.nth, row.ended_slot) == (2, 2)


def test_where_in_a_slot_an_order_ended(index: Index) -> None:
    """By two transactions, the second of which ends two."""
    index.told(OPENED)
    index.told(CANCELLED, slot=2)
    index.told(OPENED, CANCELLED, OPENED, CANCELLED, slot=2)
    index.told(OPENED, CANCELLED)
    ended = [(row.opened_by, row.ended_slot, row.ended_nth) for row in index.state.take_rows().orders]
    assert [(slot, nth) for _, slot, nth in ended] == [(2, 0), (2, 1_001), (2, 1_003), (3, 1)]


def test_failures_are_kept_up_to_a_number(index: Index) -> None:
    """A stranger can have any number of transactions fail that name an order."""
    failure = FillFailed(order=ORDER, keeper=Address("stranger"))
    index.told(OPENED)
    assert all(index.told(failure) for _ in range(FAILURES_KEPT))
    assert index.told(failure) == ()
    assert index.told(filled(1_000, 0))


@pytest.mark.parametrize("by_owner", [False, True])
def test_a_plan_gives_back_all_that_it_holds(index: Index, by_owner: bool) -> None:
    for did in (
        PLANNED,
        cycle(100),
        RecurringWithdrawn(order=ORDER, sold=0, bought=300, by_owner=False),
        RecurringDeposited(order=ORDER, amount=50),
        cycle(100),
        RecurringClosed(order=ORDER, by_owner=by_owner),
    ):
        index.told(did, program=DCA)
    (order,) = index.ended()
    assert isinstance(order, IndexedRecurringOrder)
    assert order.deposited == order.used + order.withdrawn == 350
    assert order.received == order.paid_out == 600
    assert (order.user_closed, order.trades) == (by_owner, 2)
    assert order.state is (ChainOrderState.CANCELLED if by_owner else ChainOrderState.COMPLETED)


def test_a_cycle_is_no_update_of_a_plan_and_what_its_owner_does_is(index: Index) -> None:
    index.told(PLANNED, program=DCA)
    index.told(cycle(100), program=DCA)
    index.told(RecurringWithdrawn(order=ORDER, sold=0, bought=1, by_owner=False), program=DCA)
    assert index.state.open[ORDER].updated_at_s == PLANNED.created_at_s
    index.told(RecurringWithdrawn(order=ORDER, sold=1, bought=0, by_owner=True), program=DCA)
    assert index.state.open[ORDER].updated_at_s == 104


@pytest.mark.parametrize(
    ("opened", "event"),
    [(PLANNED, filled(1, 0)), (OPENED, cycle(1)), (OPENED, OPENED), (None, CANCELLED)],
)
def test_an_event_of_another_kind_of_order_is_a_bug(index: Index, opened: Event | None, event: Event) -> None:
    order = None if opened is None else evolve(None, opened, index.lands(opened))
    with pytest.raises(NotOfThisOrder):
        evolve(order, event, index.lands(event))


@pytest.mark.parametrize("news", [slice(None), slice(1), slice(0)])
def test_an_entry_is_read_back(index: Index, news: slice) -> None:
    every = (OPENED, filled(4, 6), CANCELLED, replace(PLANNED), cycle(1), FillFailed(order=ORDER, keeper=OTHER))
    landed = index.lands(*every, RecurringDeposited(order=ORDER, amount=1), RecurringClosed(order=ORDER, by_owner=True))
    entry = read(JournalRow(3, AT, LANDED, body_of(landed, landed.did[news]), b""))
    assert (entry.command, entry.events, entry.seq) == (landed, landed.did[news], 3)


def test_an_entry_of_another_kind_is_refused(index: Index) -> None:
    with pytest.raises(KeyError):
        read(JournalRow(3, AT, "place_order", body_of(index.lands(), ()), b""))
