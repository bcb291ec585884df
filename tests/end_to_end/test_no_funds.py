"""Wallets that cannot pay for a transaction (D2): they are told at once what they hold and what is needed."""

import pytest

from tests.end_to_end.limit_trader import FEE_LAMPORTS, LimitTrader, fees_of
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, PRICES, SOL, USDC, Funds, Venue

FEE_OF_WITHDRAWAL = 15_148
"""Three signatures, and 592 compute units at a quarter of a lamport."""
FEE_WITH_ACCOUNT = 30_000
ACCOUNT_RENT, WALLET_RENT = 2_039_280, 890_880
STAYS = f"{WALLET_RENT} that must stay in the account"


def lamports(units: int) -> Funds:
    return Funds(SOL, units)


def keeps(trader: Trader, units: int) -> None:
    """All but this much goes away."""
    trader.pays(str(Trader(trader.venue).wallet), lamports(trader.holds(SOL) - units - FEE_LAMPORTS))
    assert trader.holds(SOL) == units


@pytest.fixture
def order(alice: Trader) -> str:
    return alice.places(single(sell=200 * USDC, buy=SOL, below=100))


def words(wallet: str, held: int, fee: int, beside: str) -> str:
    needed = fee + int(beside.split(maxsplit=1)[0])
    return f"cannot be paid for: {wallet} holds {held} lamports, and {needed} are needed: {fee} for the fee, {beside}"


def unpayable(wallet: str, held: int, fee: int, beside: str) -> tuple[int, str]:
    fund = "Fund the wallet and retry confirm with the same cancelRequestId."
    return 400, f"Withdrawal transaction {words(wallet, held, fee, beside)}. {fund}"


def test_a_confirm_without_the_fee_is_refused_and_can_be_retried(alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    keeps(alice, 0)
    refused = alice.confirms(order, cancelling)
    assert refused.error == unpayable(alice.wallet, 0, FEE_OF_WITHDRAWAL, STAYS)
    assert alice.sees(order)["rawState"] == "ready_to_cancel"
    assert alice.confirms(order, cancelling).error == refused.error
    alice.has(lamports(FEE_OF_WITHDRAWAL + WALLET_RENT))
    assert alice.confirms(order, cancelling).status == 200
    assert alice.holds(USDC) == 1_000 * 10**6
    assert alice.holds(SOL) == WALLET_RENT + ACCOUNT_RENT


def test_a_withdrawal_of_sol_needs_the_fee_before_it_pays_out(alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200))
    cancelling = alice.cancels(order)
    keeps(alice, 0)
    assert alice.confirms(order, cancelling).error == unpayable(alice.wallet, 0, FEE_OF_WITHDRAWAL, STAYS)
    alice.has(1 * SOL)
    assert alice.confirms(order, cancelling).status == 200


def test_a_wallet_that_would_fall_below_its_rent_is_told_what_must_stay(alice: Trader, order: str) -> None:
    cancelling, held = alice.cancels(order), WALLET_RENT + 100
    keeps(alice, held)
    assert alice.confirms(order, cancelling).error == unpayable(alice.wallet, held, FEE_OF_WITHDRAWAL, STAYS)
    alice.has(lamports(FEE_OF_WITHDRAWAL - 100))
    assert alice.confirms(order, cancelling).status == 200


def test_the_rent_of_a_token_account_is_needed_where_the_withdrawal_makes_one(alice: Trader, order: str) -> None:
    alice.pays(str(alice.accounts[order]), 800 * USDC)  # What is sent there comes back with the withdrawal.
    alice.closes_account_of(USDC)
    cancelling, held = alice.cancels(order), 1_500_000
    keeps(alice, held)
    account = f"{ACCOUNT_RENT} for a new account"
    assert alice.confirms(order, cancelling).error == unpayable(alice.wallet, held, FEE_WITH_ACCOUNT, account)
    assert alice.sees(order)["rawState"] == "ready_to_cancel"
    alice.has(lamports(FEE_WITH_ACCOUNT + ACCOUNT_RENT - held))
    assert alice.confirms(order, cancelling).status == 200
    assert alice.holds(USDC) == 1_000 * 10**6


def test_what_is_unpayable_is_told_after_what_is_wrong(alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    keeps(alice, 0)
    unsigned = alice.hands_in(order, cancelling.transaction, cancelling.request_id)
    assert unsigned.error == (400, "Invalid withdrawal transaction: the wallet's signature is missing")


def test_a_landed_withdrawal_stays_confirmed_when_the_wallet_is_empty(alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    first = alice.withdraws(order, cancelling)
    keeps(alice, 0)
    assert alice.withdraws(order, cancelling) == first


def test_a_create_without_lamports_is_refused_as_its_simulation_says(alice: Trader) -> None:
    order = single(sell=200 * USDC, buy=SOL, below=100)
    craft = alice.crafts(order)
    body, flawed = alice.body_for(order, craft), "Invalid signed deposit transaction: "
    keeps(alice, 0)
    no_account = "Attempt to debit an account but found no record of a prior credit."
    assert alice.creates(body).error == (400, f"{flawed}{no_account} (the wallet lacks 0.00204978 SOL)")
    alice.has(lamports(WALLET_RENT))
    rent = "Transaction results in an account (0) with insufficient funds for rent"
    assert alice.creates(body).error == (400, f"{flawed}{rent} (the wallet lacks 0.0011589 SOL)")
    assert alice.history() == []
    alice.has(lamports(1_158_900))
    assert alice.creates(body).status == 200


# --- orders on the chain


@pytest.fixture(params=["/trigger/v1", "/limit/v2"])
def maker(venue: Venue, request: pytest.FixtureRequest) -> LimitTrader:
    venue.prices(PRICES)
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    return LimitTrader(venue, trader, request.param)


def test_an_execute_of_trigger_v1_without_the_fee_is_told_at_once(maker: LimitTrader) -> None:
    order = maker.places(100 * USDC, JUP)
    (cancel,) = maker.builds_cancels(order)
    keeps(maker.trader, 0)
    answer = maker.executes(cancel)
    assert answer.error == (500, f"transaction {words(maker.wallet, 0, fees_of(cancel), STAYS)}")
    assert (answer.body["code"], answer.body["status"]) == (500, "Failed")
    assert maker.open_orders() == [order]
    maker.trader.has(lamports(fees_of(cancel) + WALLET_RENT))
    assert maker.executes(cancel).ok()["status"] == "Success"


def test_a_creation_of_trigger_v1_without_the_fee_is_told_at_once(maker: LimitTrader) -> None:
    keeps(maker.trader, WALLET_RENT)
    built = maker.builds(100 * USDC, JUP)
    creation = built.get("transaction") or built["tx"]
    answer = maker.executes(creation)
    assert answer.error == (500, f"transaction {words(maker.wallet, WALLET_RENT, fees_of(creation), STAYS)}")
    assert maker.rows() == []


def test_an_execute_of_recurring_v1_without_the_fee_is_told_at_once(venue: Venue) -> None:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    saver = Saver(venue, trader.key)
    order = saver.executes(saver.asks_to_create(200 * USDC, JUP).ok()["transaction"]).ok()["order"]
    cancel = saver.asks_to_cancel(order).ok()["transaction"]
    keeps(trader, 0)
    answer = saver.executes(cancel)
    assert answer.status == 500
    assert answer.body["error"] == f"transaction {words(trader.wallet, 0, fees_of(cancel), STAYS)}"
    assert (answer.body["status"], answer.body["order"]) == ("Failed", None)
    trader.has(lamports(fees_of(cancel) + WALLET_RENT))
    assert saver.executes(cancel).ok()["status"] == "Success"
