"""Money moves in two phases, each at most once, and none is made or lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, ZERO, Account, Amount, Currency
from countermand.orders.book.model.ledger.ledger import Balance, Hold, Ledger
from countermand.orders.book.model.ledger.transfer import Deposit, HoldId, Post, Reserve, Shortfall, Transfer, Void

ALICE, BOB = Account("alice"), Account("bob")
BTC, USDC = Currency("btc"), Currency("usdc")
H = HoldId(1)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.apply(Deposit(ALICE, USDC, Amount(100)))
    return ledger


def balance(ledger: Ledger, account: Account, currency: Currency = USDC) -> tuple[int, int]:
    found = ledger.balance(account, currency)
    return found.available.quanta, found.locked.quanta


def test_a_deposit_can_be_used(ledger: Ledger) -> None:
    assert balance(ledger, ALICE) == (100, 0)
    assert balance(ledger, BOB) == balance(ledger, ALICE, BTC) == (0, 0)
    assert ledger.deposited() == {USDC: Amount(100)}


def test_what_is_reserved_is_locked_until_it_is_posted_or_voided(ledger: Ledger) -> None:
    assert ledger.apply(Reserve(H, ALICE, USDC, Amount(60))) == [(ALICE, USDC)]
    assert balance(ledger, ALICE) == (40, 60)
    assert ledger.apply(Post(H, BOB, Amount(25))) == [(ALICE, USDC), (BOB, USDC)]
    assert (balance(ledger, ALICE), balance(ledger, BOB)) == ((40, 35), (25, 0))
    ledger.apply(Void(H, Amount(35)))
    assert (balance(ledger, ALICE), ledger.holds) == ((75, 0), {})


def test_an_owner_can_be_paid_by_himself(ledger: Ledger) -> None:
    ledger.apply(Reserve(H, ALICE, USDC, Amount(60)))
    ledger.apply(Post(H, ALICE, Amount(60)))
    assert balance(ledger, ALICE) == (100, 0)


@pytest.mark.parametrize("second", [Post(H, BOB, Amount(1)), Void(H, Amount(1))])
@pytest.mark.parametrize("first", [Post(H, BOB, Amount(60)), Void(H, Amount(60))])
def test_what_is_used_up_is_used_once(ledger: Ledger, first: Transfer, second: Transfer) -> None:
    ledger.apply(Reserve(H, ALICE, USDC, Amount(60)))
    ledger.apply(first)
    before = list(ledger.balances())
    with pytest.raises(AssertionError):
        ledger.apply(second)
    assert list(ledger.balances()) == before
    assert ledger.imbalances() == []


@pytest.mark.parametrize(
    "impossible",
    [
        Post(H, BOB, Amount(61)),
        Void(H, Amount(61)),
        Void(H, ZERO),
        Void(HoldId(2), Amount(1)),
        Reserve(H, ALICE, USDC, Amount(1)),
        Reserve(HoldId(2), ALICE, USDC, ZERO),
        Reserve(HoldId(2), ALICE, USDC, Amount(41)),
    ],
)
def test_what_cannot_be_stops_us_before_it_is_written(ledger: Ledger, impossible: Transfer) -> None:
    ledger.apply(Reserve(H, ALICE, USDC, Amount(60)))
    with pytest.raises(AssertionError):
        ledger.apply(impossible)
    assert balance(ledger, ALICE) == (40, 60)
    assert ledger.imbalances() == []


def test_an_account_that_asks_for_too_much_is_told(ledger: Ledger) -> None:
    assert ledger.shortfall(Reserve(H, ALICE, USDC, Amount(101))) is Shortfall.INSUFFICIENT_FUNDS
    assert ledger.shortfall(Reserve(H, ALICE, USDC, Amount(100))) is None
    assert ledger.shortfall(Deposit(BOB, USDC, Amount(AMOUNT_MAX - 99))) is Shortfall.TOO_MUCH
    assert ledger.shortfall(Deposit(BOB, USDC, Amount(AMOUNT_MAX - 100))) is None


def test_what_is_stored_is_what_was(ledger: Ledger) -> None:
    ledger.apply(Reserve(H, ALICE, USDC, Amount(60)))
    loaded = Ledger()
    for stored in ledger.balances():
        loaded.adopt(*stored)
    loaded.adopt_hold(H, ledger.holds[H])
    assert list(loaded.balances()) == list(ledger.balances())
    assert (loaded.holds, loaded.imbalances()) == (ledger.holds, [])


def test_whatever_does_not_add_up_is_named(ledger: Ledger) -> None:
    loaded = Ledger()
    loaded.adopt(ALICE, USDC, Balance(Amount(40), Amount(60)))
    loaded.adopt_hold(H, Hold(ALICE, USDC, Amount(59)))
    loaded.adopt_hold(HoldId(2), Hold(BOB, BTC, Amount(1)))
    assert loaded.imbalances() == [
        "alice has 60 usdc locked, but holds of 59",
        "bob has holds of 1 btc, but no balance",
    ]
    ledger._deposited[USDC] += 1
    assert ledger.imbalances() == ["101 usdc were deposited, and there are 100"]
    with pytest.raises(AssertionError, match="makes or loses usdc"):
        ledger.apply(Deposit(ALICE, USDC, Amount(1)))


accounts, amounts, holds = st.sampled_from([ALICE, BOB]), st.integers(0, 30).map(Amount), st.integers(1, 4).map(HoldId)
transfers: st.SearchStrategy[Transfer] = st.one_of(
    st.builds(Deposit, accounts, st.sampled_from([BTC, USDC]), amounts),
    st.builds(Reserve, holds, accounts, st.sampled_from([BTC, USDC]), amounts),
    st.builds(Post, holds, accounts, amounts),
    st.builds(Void, holds, amounts),
)


@given(st.lists(transfers, max_size=60))
def test_nothing_that_is_done_or_refused_makes_or_loses_money(steps: list[Any]) -> None:
    ledger, deposited = Ledger(), {BTC: 0, USDC: 0}
    for step in steps:
        try:
            ledger.apply(step)
        except AssertionError:
            continue
        finally:
            assert ledger.imbalances() == []
        if isinstance(step, Deposit):
            deposited[step.currency] += step.amount.quanta
        there = dict.fromkeys(deposited, 0)
        for _, currency, found in ledger.balances():
            there[currency] += found.total.quanta
        assert there == deposited
