"""The joint states of the legs of an OCO and of an OTOCO, as tables that are walked pair by pair.

Each row says what its legs do, which of the order's two accounts they sell from, and what may follow. Every pair of a
row and an event is tried, with nothing filled before and with parts filled before: what the table allows leads where
it says, and all else raises and changes nothing. A leg counts as armed if a price that only it waits for triggers it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, get_args

import pytest

from countermand.orders.trigger.model import events
from countermand.orders.trigger.model.commands import TriggerOrders
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.decide import decide
from countermand.orders.trigger.model.events import Event, OrderTriggered
from countermand.orders.trigger.model.lifecycle import evolve, place
from countermand.orders.trigger.model.order import Family, Leg, OrderGroup, Role, State, TriggerTerms
from countermand.values.identity import Address
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import NOTHING, BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind
from countermand.values.transitions import IllegalTransition
from tests.orders.trigger.samples import (
    ALICE,
    DEPOSITED,
    EXPIRES_AT,
    ID,
    PLACED_AT,
    REQUEST,
    SOL,
    TXID,
    USDC,
    attempt,
    craft,
    usd,
)

LATER: Final = Instant(PLACED_AT + 5)
INPUT, OUTPUT = Address("input"), Address("output")
PARENT = Leg(Role.TRIGGER, Condition(Direction.BELOW, usd(120)), Bps(100))
TAKE_PROFIT = Leg(Role.TAKE_PROFIT, Condition(Direction.ABOVE, usd(150)), None)
STOP_LOSS = Leg(Role.STOP_LOSS, Condition(Direction.BELOW, usd(100)), None)
PRICES: Final[Mapping[Role, UsdPrice]] = {
    Role.TRIGGER: usd(119),
    Role.TAKE_PROFIT: usd(151),
    Role.STOP_LOSS: usd(99),
}
LEGS: Final[Mapping[Family, tuple[Leg, ...]]] = {
    Family.OCO: (TAKE_PROFIT, STOP_LOSS),
    Family.OTOCO: (PARENT, TAKE_PROFIT, STOP_LOSS),
}

NO_LEG: Final = 9

# --- what can happen

Happening: TypeAlias = Callable[[OrderGroup], Sequence[Event]]
"""The events of it, by what is left of the order."""


def filled(share: int, *, gives: int = 300, returns_the_rest: bool = False) -> Happening:
    """So many fifths of what is left are sold."""

    def happening(group: OrderGroup) -> Sequence[Event]:
        left = group.sells.left
        used = BaseUnits(left.units * share // 5)
        returned = left - used if returns_the_rest else NOTHING
        return [events.FillLanded(TXID, used, BaseUnits(gives), NOTHING, closed=True, returned=returned)]

    return happening


def triggered(role: Role) -> Happening:
    def happening(group: OrderGroup) -> Sequence[Event]:
        number = next((number for number, leg in enumerate(group.legs) if leg.role is role), NO_LEG)
        return [OrderTriggered(number, PRICES[role])]

    return happening


def withdrawn(group: OrderGroup) -> Sequence[Event]:
    proceeds = group.progress.proceeds
    given = NOTHING if proceeds is None else proceeds.left
    return [STARTED, events.WithdrawalLanded(TXID, group.remaining, NOTHING, closed=True, output_withdrawn=given)]


STARTED: Final = events.WithdrawalStarted(attempt(AttemptKind.WITHDRAWAL))
SWEEP: Final[Sequence[Event]] = [
    events.SweepStarted(attempt(AttemptKind.SWEEP)),
    events.SweepFailed(LATER),
    events.PauseEnded(),
    events.SweepDone(TXID, NOTHING),
]
HAPPENINGS: Final[Mapping[str, Happening]] = {
    "the deposit lands": lambda _: [events.DepositLanded(TXID)],
    "the deposit fails": lambda _: [events.DepositFailed(TXID, None)],
    "the owner amends it": lambda group: [events.OrderAmended(group.legs, EXPIRES_AT)],
    "a pause ends": lambda _: [events.PauseEnded()],
    "the parent triggers": triggered(Role.TRIGGER),
    "the take profit triggers": triggered(Role.TAKE_PROFIT),
    "the stop loss triggers": triggered(Role.STOP_LOSS),
    "its time is over": lambda _: [events.OrderExpired()],
    "a fill starts": lambda _: [events.FillStarted(attempt(AttemptKind.FILL))],
    "all is filled": filled(5),
    "a part is filled": filled(2),
    "a part is filled and the rest goes back": filled(4, returns_the_rest=True),
    "a fill fails": lambda _: [events.FillFailed("no", LATER, None, close_rejected=False)],
    "the rest goes on": lambda _: [events.OrderResumed()],
    "the owner cancels it": lambda _: [events.CancelRequested(REQUEST, craft())],
    "the withdrawal fails": lambda _: [STARTED, events.WithdrawalFailed(TXID, None, close_rejected=False)],
    "the withdrawal lands": withdrawn,
    "it is swept": lambda _: SWEEP,
}

# --- the tables


@dataclass(frozen=True)
class Row:
    state: State
    legs: str
    """A word for each: armed, triggered or closed."""
    sells: Address | None
    """None: nothing any more."""
    then: Mapping[str, str]


def closed(state: State, legs: int, sells: Address | None, then: Mapping[str, str]) -> Row:
    return Row(state, " ".join(["closed"] * legs), sells, then)


def endings(legs: int) -> dict[str, Row]:
    return {
        "filled": closed(State.FILLED, legs, None, {"it is swept": "filled", "a pause ends": "filled"}),
        "cancelled": closed(State.CANCELLED, legs, None, {"it is swept": "cancelled", "a pause ends": "cancelled"}),
        "failed": closed(State.DEPOSIT_FAILED, legs, None, {}),
    }


def crossed(state_after: str, legs: str, sells: Address, *, expired: str, cancelling: str, back: str) -> Row:
    """By a price, and nothing of it is committed."""
    then = {"a fill starts": state_after, "a fill fails": back}
    then |= {"its time is over": expired, "the owner cancels it": cancelling}
    return Row(State.TRIGGERED, legs, sells, then)


def cancelling(name: str, legs: int, sells: Address) -> Row:
    stays = dict.fromkeys(("the owner cancels it", "the withdrawal fails"), name)
    return closed(State.WITHDRAWING, legs, sells, {**stays, "the withdrawal lands": "cancelled"})


FILLS_OF_THE_LAST: Final = {
    "all is filled": "filled",
    "a part is filled and the rest goes back": "filled",
}

OCO: Final[Mapping[str, Row]] = {
    "depositing": closed(State.DEPOSITING, 2, INPUT, {"the deposit lands": "open", "the deposit fails": "failed"}),
    "open": Row(
        State.OPEN,
        "armed armed",
        INPUT,
        {
            "the owner amends it": "open",
            "a pause ends": "open",
            "the take profit triggers": "the take profit is crossed",
            "the stop loss triggers": "the stop loss is crossed",
            "its time is over": "expired",
            "the owner cancels it": "cancelling",
        },
    ),
    "the take profit is crossed": crossed(
        "the take profit fills", "triggered closed", INPUT, expired="expired", cancelling="cancelling", back="open"
    ),
    "the stop loss is crossed": crossed(
        "the stop loss fills", "closed triggered", INPUT, expired="expired", cancelling="cancelling", back="open"
    ),
    "the take profit fills": Row(
        State.EXECUTING,
        "triggered closed",
        INPUT,
        {**FILLS_OF_THE_LAST, "a part is filled": "partly filled", "a fill fails": "open"},
    ),
    "the stop loss fills": Row(
        State.EXECUTING,
        "closed triggered",
        INPUT,
        {**FILLS_OF_THE_LAST, "a part is filled": "partly filled", "a fill fails": "open"},
    ),
    # The sibling is not ended: both are armed again on what is left.
    "partly filled": closed(
        State.PARTLY_FILLED, 2, INPUT, {"the rest goes on": "open", "the owner cancels it": "cancelling"}
    ),
    "expired": closed(State.EXPIRED, 2, INPUT, {"the owner cancels it": "cancelling"}),
    "cancelling": cancelling("cancelling", 2, INPUT),
    **endings(2),
}

OTOCO: Final[Mapping[str, Row]] = {
    "depositing": closed(State.DEPOSITING, 3, INPUT, {"the deposit lands": "open", "the deposit fails": "failed"}),
    "open": Row(
        State.OPEN,
        "armed closed closed",
        INPUT,
        {
            "the owner amends it": "open",
            "a pause ends": "open",
            "the parent triggers": "the parent is crossed",
            "its time is over": "expired",
            "the owner cancels it": "cancelling",
        },
    ),
    "the parent is crossed": crossed(
        "the parent fills", "triggered closed closed", INPUT, expired="expired", cancelling="cancelling", back="open"
    ),
    "the parent fills": Row(
        State.EXECUTING,
        "triggered closed closed",
        INPUT,
        {
            "all is filled": "the parent is done",
            "a part is filled and the rest goes back": "the parent is done",
            # There is nothing that children could sell.
            "a part is filled": "the parent is partly filled",
            "a fill fails": "open",
        },
    ),
    "the parent is partly filled": closed(
        State.PARTLY_FILLED, 3, INPUT, {"the rest goes on": "open", "the owner cancels it": "cancelling"}
    ),
    "expired": closed(State.EXPIRED, 3, INPUT, {"the owner cancels it": "cancelling"}),
    "cancelling": cancelling("cancelling", 3, INPUT),
    "the parent is done": closed(
        State.PARTLY_FILLED,
        3,
        OUTPUT,
        {"the rest goes on": "the children are open", "the owner cancels it": "cancelling the children"},
    ),
    "the children are open": Row(
        State.OPEN,
        "closed armed armed",
        OUTPUT,
        {
            "the owner amends it": "the children are open",
            "a pause ends": "the children are open",
            "the take profit triggers": "the take profit is crossed",
            "the stop loss triggers": "the stop loss is crossed",
            "its time is over": "the children expired",
            "the owner cancels it": "cancelling the children",
        },
    ),
    "the take profit is crossed": crossed(
        "the take profit fills",
        "closed triggered closed",
        OUTPUT,
        expired="the children expired",
        cancelling="cancelling the children",
        back="the children are open",
    ),
    "the stop loss is crossed": crossed(
        "the stop loss fills",
        "closed closed triggered",
        OUTPUT,
        expired="the children expired",
        cancelling="cancelling the children",
        back="the children are open",
    ),
    "the take profit fills": Row(
        State.EXECUTING,
        "closed triggered closed",
        OUTPUT,
        {**FILLS_OF_THE_LAST, "a part is filled": "the parent is done", "a fill fails": "the children are open"},
    ),
    "the stop loss fills": Row(
        State.EXECUTING,
        "closed closed triggered",
        OUTPUT,
        {**FILLS_OF_THE_LAST, "a part is filled": "the parent is done", "a fill fails": "the children are open"},
    ),
    "the children expired": closed(State.EXPIRED, 3, OUTPUT, {"the owner cancels it": "cancelling the children"}),
    "cancelling the children": cancelling("cancelling the children", 3, OUTPUT),
    **endings(3),
}

TABLES: Final = {Family.OCO: OCO, Family.OTOCO: OTOCO}
PART: Final = ("a fill starts", "a part is filled", "the rest goes on")
PARENT_DONE: Final = ("the parent triggers", "a fill starts", "all is filled", "the rest goes on")
BEFORE: Final[Mapping[Family, Mapping[str, tuple[str, ...]]]] = {
    Family.OCO: {
        "nothing": (),
        "a part of the take profit": ("the deposit lands", "the take profit triggers", *PART),
        "a part of each": ("the deposit lands", "the take profit triggers", *PART, "the stop loss triggers", *PART),
    },
    Family.OTOCO: {
        "nothing": (),
        "a part of the parent": ("the deposit lands", "the parent triggers", *PART),
        "a part of a child": ("the deposit lands", *PARENT_DONE, "the take profit triggers", *PART),
        "parts of both": (
            "the deposit lands", "the parent triggers", *PART, *PARENT_DONE, "the stop loss triggers", *PART,
        ),
    },
}  # fmt: skip
"""What was filled before: all that follows is walked with that remainder."""


# --- the walk


def begun(family: Family) -> OrderGroup:
    output = OUTPUT if family is Family.OTOCO else None
    terms = TriggerTerms(ALICE, family, SOL, USDC, SOL, INPUT, DEPOSITED, output)
    return place(ID, events.OrderPlaced(terms, LEGS[family], EXPIRES_AT, attempt(AttemptKind.DEPOSIT, 1)), PLACED_AT)


def after(group: OrderGroup, happening: str) -> OrderGroup:
    for event in HAPPENINGS[happening](group):
        group = evolve(group, event, LATER)
    return group


def reached(family: Family, before: str) -> Mapping[str, OrderGroup]:
    """An order in each row that can be reached from there, by the shortest way."""
    row, group = "depositing", begun(family)
    for happening in BEFORE[family][before]:
        row, group = TABLES[family][row].then[happening], after(group, happening)
    found, to_do = {row: group}, deque([row])
    while to_do:
        row = to_do.popleft()
        for happening, follows in TABLES[family][row].then.items():
            if follows not in found:
                found[follows] = after(found[row], happening)
                to_do.append(follows)
    return found


REACHED: Final = {(family, before): reached(family, before) for family in BEFORE for before in BEFORE[family]}


def rows() -> Iterator[tuple[Family, str, str]]:
    for (family, before), groups in REACHED.items():
        for row in groups:
            yield family, before, row


def word(group: OrderGroup, number: int) -> str:
    """What a leg does, by what a price does to it."""
    price = PRICES[group.legs[number].role]
    decision = decide(group, TriggerOrders(SOL, price, at_once=True, order_ids=(ID,)), Moment(LATER, price))
    if decision == (OrderTriggered(number, price),):
        return "armed"
    under_way = group.state in (State.TRIGGERED, State.EXECUTING)
    return "triggered" if under_way and group.progress.triggered_leg == number else "closed"


def check(group: OrderGroup, row: Row) -> None:
    assert group.state is row.state
    assert " ".join(word(group, number) for number in range(len(group.legs))) == row.legs
    progress = group.progress
    assert group.remaining == DEPOSITED - progress.posted - progress.voided
    if row.sells is None:
        assert not group.remaining or group.state is State.DEPOSIT_FAILED
        assert progress.proceeds is None or not progress.proceeds.left
        return
    sale = group.sale()
    assert (sale.account, sale.to) == (row.sells, OUTPUT if group.terms.output_account and row.sells == INPUT else None)
    assert sale.amount == (group.remaining if row.sells == INPUT else progress.proceeds and progress.proceeds.left)
    assert sale.amount, "one remainder, and it is not nothing"


@pytest.mark.parametrize(
    ("family", "before", "row"),
    [*rows()],
    ids=lambda part: part.value if isinstance(part, Family) else part,
)
def test_every_pair_of_joint_state_and_event(family: Family, before: str, row: str) -> None:
    group = REACHED[family, before][row]
    check(group, TABLES[family][row])
    for happening in HAPPENINGS:
        try:
            follows(group, happening, family, row)
        except BaseException as wrong:
            wrong.add_note(f"when {happening}")
            raise


def follows(group: OrderGroup, happening: str, family: Family, row: str) -> None:
    then = TABLES[family][row].then.get(happening)
    if then is None:
        with pytest.raises(IllegalTransition):
            after(group, happening)
    else:
        check(after(group, happening), TABLES[family][then])


@pytest.mark.parametrize("family", TABLES)
def test_every_row_is_reached_and_every_event_is_tried(family: Family) -> None:
    rows = {row for (of, _), groups in REACHED.items() if of is family for row in groups}
    assert rows == set(TABLES[family])
    named = {happening for row in TABLES[family].values() for happening in row.then}
    assert named == {name for name in HAPPENINGS if family is Family.OTOCO or name != "the parent triggers"}
    kinds = {
        type(event) for happening in HAPPENINGS.values() for event in happening(REACHED[family, "nothing"]["open"])
    }
    # A placement begins a life, and a watermark is no order's own.
    assert kinds == {*get_args(Event)} - {events.OrderPlaced, events.WatermarkMoved}


# --- what follows from it


def test_an_oco_has_one_attempt_whichever_leg_it_is_of() -> None:
    for row in ("the take profit fills", "the stop loss fills"):
        group = REACHED[Family.OCO, "a part of each"][row]
        assert group.progress.attempt is not None
        with pytest.raises(IllegalTransition):
            after(group, "a fill starts")


def test_after_a_part_of_one_leg_both_legs_cover_the_same_remainder() -> None:
    group = REACHED[Family.OCO, "a part of the take profit"]["open"]
    assert group.remaining == BaseUnits(600)
    for row in ("the take profit is crossed", "the stop loss is crossed"):
        assert REACHED[Family.OCO, "a part of the take profit"][row].sale().amount == BaseUnits(600)


def test_the_sibling_ends_only_when_nothing_remains() -> None:
    filling = REACHED[Family.OCO, "a part of the take profit"]["the stop loss fills"]
    assert after(filling, "a part is filled").state is State.PARTLY_FILLED
    ended = after(filling, "all is filled")
    assert (ended.state, ended.remaining) == (State.FILLED, NOTHING)


def test_the_children_sell_exactly_what_the_parent_gave() -> None:
    """In two parts, of 300 each; what a stranger pays into the account is none of it."""
    group = REACHED[Family.OTOCO, "a part of the parent"]["the children are open"]
    assert group.sale().amount == BaseUnits(600)
    assert (group.sale().sold, group.sale().bought) == (USDC, SOL)


@pytest.mark.parametrize(
    ("before", "follows"), [("nothing", State.FILLED), ("a part of the parent", State.PARTLY_FILLED)]
)
def test_children_open_only_if_there_is_something_to_sell(before: str, follows: State) -> None:
    """The last part of the parent gives nothing, after another one did or as the only one."""
    group = REACHED[Family.OTOCO, before]["the parent fills"]
    (for_nothing,) = filled(5, gives=0)(group)
    ended = evolve(group, for_nothing, LATER)
    assert (ended.state, bool(ended.sells.left)) == (follows, follows is State.PARTLY_FILLED)


def test_a_leg_that_is_closed_cannot_trigger_whatever_the_price() -> None:
    group = REACHED[Family.OTOCO, "nothing"]["open"]
    for number in (1, 2):
        with pytest.raises(IllegalTransition):
            evolve(group, OrderTriggered(number, usd(1)), LATER)


def test_a_leg_that_there_is_not_cannot_trigger() -> None:
    with pytest.raises(IllegalTransition):
        evolve(REACHED[Family.OCO, "nothing"]["open"], OrderTriggered(2, usd(1)), LATER)


def test_an_amended_leg_keeps_its_place() -> None:
    group = REACHED[Family.OTOCO, "nothing"]["the children are open"]
    higher = replace(TAKE_PROFIT, condition=Condition(Direction.ABOVE, usd(200)))
    amended = evolve(group, events.OrderAmended((PARENT, higher, STOP_LOSS), EXPIRES_AT), LATER)
    assert [number for number, _ in amended.armed()] == [1, 2]
    assert word(amended, 1) == "closed", "151 dollars are not enough any more"
