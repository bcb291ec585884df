"""Trigger v1 and limit/v2 over a real venue: what lands, lands on its chain."""

import itertools
from base64 import b64decode
from collections.abc import Iterator

import pytest
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.keypair import Keypair

from countermand.solana.programs import limit_order
from countermand.solana.programs.accounts import create_associated
from countermand.solana.programs.limit_order_fills import Taking, fill_order
from countermand.values.identity import Address
from tests.end_to_end.limit_trader import LimitTrader, fees_of
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, PRICES, SOL, USDC, Funds, Venue, associated


@pytest.fixture
def venue(house: Venue) -> Iterator[Venue]:
    house.prices(PRICES)
    yield house
    house.faults()
    house.runs()
    house.settles()


@pytest.fixture(params=["/trigger/v1", "/limit/v2"])
def alice(venue: Venue, request: pytest.FixtureRequest) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC, 1_000 * JUP)
    return LimitTrader(venue, trader, request.param)


@pytest.mark.parametrize("by_itself", [False, True])
def test_an_order_of_sol_comes_and_goes(alice: LimitTrader, *, by_itself: bool) -> None:
    before = alice.trader.holds(SOL)
    built = alice.builds(1 * SOL, JUP, 500_000)
    creation = built.get("transaction") or built["tx"]
    assert alice.rows() == []
    signature = alice.sends(creation) if by_itself else alice.executes(creation).ok()["signature"]
    (row,) = alice.rows()
    assert (row["publicKey"], row["account"]["makingAmount"]) == (built["order"], "1000000000")
    (shown,) = alice.trigger_orders()
    assert (shown["openTx"], shown["makingAmount"], shown["takingAmount"]) == (signature, "1", "0.5")
    assert alice.venue.lamports(row["account"]["inputMintReserve"]) == 10**9 + 2_039_280

    (cancel,) = alice.builds_cancels(built["order"])
    ended = alice.sends(cancel) if by_itself else alice.executes(cancel).ok()["signature"]
    assert ended != signature
    assert (alice.rows(), alice.trigger_orders()) == ([], [])
    assert before - alice.trader.holds(SOL) == fees_of(creation) + fees_of(cancel)
    # Who sent it does not matter to a client that asks afterwards.
    assert alice.executes(creation).ok() == {"status": "Success", "signature": signature, "code": 0}
    assert alice.executes(cancel).ok() == {"status": "Success", "signature": ended, "code": 0}


def test_tokens_come_back_with_both_rents(alice: LimitTrader) -> None:
    lamports, dollars = alice.trader.holds(SOL), alice.trader.holds(USDC)
    built = alice.builds(100 * USDC, SOL)
    creation = built.get("transaction") or built["tx"]
    alice.executes(creation).ok()
    assert dollars - alice.trader.holds(USDC) == 100_000_000
    (cancel,) = alice.builds_cancels()
    alice.executes(cancel).ok()
    assert alice.trader.holds(USDC) == dollars
    assert lamports - alice.trader.holds(SOL) == fees_of(creation) + fees_of(cancel)


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("named", [False, True])
def test_one_and_six_and_all(alice: LimitTrader, count: int, *, named: bool) -> None:
    orders = [alice.places(10 * USDC, SOL, take) for take in range(1, count + 1)]
    assert sorted(alice.open_orders()) == sorted(orders)
    transactions = alice.builds_cancels(*(orders if named else ()))
    assert len(transactions) == -(-count // 5)
    for transaction in transactions:
        assert alice.executes(transaction).status == 200
    assert alice.open_orders() == []
    assert alice.trader.holds(USDC) == 1_000_000_000
    refused = alice.post("cancelOrders", maker=alice.wallet)
    assert (refused.status, refused.body) == (400, {"error": "no matching orders found", "code": 400})


@pytest.mark.parametrize("first", [0, 1])
def test_each_of_an_array_counts_alone_and_in_any_order(alice: LimitTrader, first: int) -> None:
    orders = [alice.places(10 * USDC, SOL, take) for take in range(1, 7)]
    fives = alice.builds_cancels(*orders)
    alice.sends(fives[first])
    assert sorted(alice.open_orders()) == sorted(orders[:5] if first else orders[5:])
    alice.sends(fives[1 - first])
    assert alice.open_orders() == []


def test_a_batch_with_an_order_that_is_gone_fails_whole(alice: LimitTrader) -> None:
    orders = [alice.places(10 * USDC, SOL, take) for take in range(1, 6)]
    (batch,) = alice.builds_cancels(*orders)
    (one,) = alice.builds_cancels(orders[2])
    alice.sends(one)
    failed = alice.executes(batch)
    assert (failed.status, failed.body["code"], failed.body["status"]) == (500, 500, "Failed")
    assert failed.body["error"].startswith("custom program error code: ")
    assert failed.body["error"].rpartition(" ")[2].isdigit()
    assert alice.executes(batch).body == failed.body
    left = [order for order in orders if order != orders[2]]
    assert sorted(alice.open_orders()) == sorted(left)
    (again,) = alice.builds_cancels(*orders)
    assert alice.executes(again).status == 200
    assert (alice.open_orders(), alice.trader.holds(USDC)) == ([], 1_000_000_000)


def test_the_maker_s_account_is_made_again(alice: LimitTrader) -> None:
    alice.places(1_000 * USDC, SOL)
    alice.trader.closes_account_of(USDC)
    (cancel,) = alice.builds_cancels()
    alice.executes(cancel).ok()
    assert alice.trader.holds(USDC) == 1_000_000_000


def test_another_wallet_pays(alice: LimitTrader) -> None:
    payer = Keypair()
    alice.venue.gives(str(payer.pubkey()), 1 * SOL)
    before = alice.trader.holds(SOL)
    built = alice.builds(10 * USDC, JUP, payer=str(payer.pubkey()))
    transaction = built.get("transaction") or built["tx"]
    refused = alice.executes(transaction)
    assert refused.body == {"error": "invalid transaction", "code": 400, "status": "Failed"}
    both = alice.signs(transaction, payer)
    assert alice.post("execute", signedTransaction=both).ok()["status"] == "Success"
    assert (alice.trader.holds(SOL), alice.open_orders()) == (before, [built["order"]])


def test_a_filled_order_that_a_gift_keeps_on_the_chain_is_cancelled_by_its_maker(alice: LimitTrader) -> None:
    """It is no open order any more, and has the maker's rents."""
    venue, order = alice.venue, alice.places(10 * USDC, JUP, take=10**6)
    read = limit_order.read_order(b64decode(venue.rpc("getAccountInfo", order, {"encoding": "base64"})["data"][0]))
    assert read is not None
    bob = Trader(venue)
    bob.has(1 * SOL, 1 * USDC, 10 * JUP)
    bob.pays(read.input_mint_reserve, Funds(USDC, 777))
    venue.gives(limit_order.FEE_ACCOUNT, 1 * JUP)
    bob.sends(fill_order(Taking.of(bob.wallet, Address(order), read), read.making_amount))
    assert (alice.open_orders(), venue.exists(order)) == ([], True)
    units, lamports = venue.units(alice.wallet, USDC), venue.lamports(alice.wallet)
    (cancel,) = alice.builds_cancels(order)
    assert alice.executes(cancel).ok()["status"] == "Success"
    assert (venue.exists(order), venue.exists(read.input_mint_reserve)) == (False, False)
    assert venue.units(alice.wallet, USDC) == units + 777
    assert venue.lamports(alice.wallet) > lamports + 5_000_000
    assert alice.post("cancelOrders", maker=alice.wallet, orders=[order]).error == (400, "no matching orders found")


def test_a_fee_for_an_integrator_is_in_the_order(alice: LimitTrader) -> None:
    bob = Trader(alice.venue)
    bob.has(1 * JUP)
    account = str(associated(bob.wallet, JUP))
    alice.places(10 * USDC, JUP, params={"feeBps": "50"}, feeAccount=account)
    (row,) = alice.rows()
    assert (row["account"]["feeAccount"], row["account"]["feeBps"]) == (account, 60)


def test_all_of_the_output_is_the_most_that_an_integrator_and_the_program_take(alice: LimitTrader) -> None:
    bob = Trader(alice.venue)
    bob.has(1 * JUP)
    account = str(associated(bob.wallet, JUP))
    alice.places(10 * USDC, JUP, params={"feeBps": "9990"}, feeAccount=account)
    assert alice.rows()[0]["account"]["feeBps"] == 10_000


@pytest.mark.parametrize(("given", "shown"), [({}, "0"), ({"slippageBps": "0"}, "0"), ({"slippageBps": 69}, "69")])
def test_the_slippage_is_in_the_order(alice: LimitTrader, given: dict[str, object], shown: str) -> None:
    alice.places(10 * USDC, JUP, params={**given, "expiredAt": alice.venue.now() // 1000 + 600})
    alice.places(10 * USDC, JUP, params=given)
    assert [row["slippageBps"] for row in alice.trigger_orders()] == [shown, shown]


def test_an_expiry_in_seconds(alice: LimitTrader) -> None:
    at = alice.venue.now() // 1000 + 60
    order = alice.places(10 * USDC, JUP, params={"expiredAt": str(at)})
    (shown,) = alice.trigger_orders()
    assert shown["expiredAt"].endswith("Z")
    alice.venue.advances(120)
    assert alice.open_orders() == [order], "it is over, but its funds are still there"
    (cancel,) = alice.builds_cancels()
    assert alice.executes(cancel).status == 200
    assert alice.trader.holds(USDC) == 1_000_000_000


def test_wrapped_sol_that_the_maker_has(alice: LimitTrader) -> None:
    refused = alice.builds(1 * SOL, USDC, wrapAndUnwrapSol=False)
    failed = alice.executes(refused.get("transaction") or refused["tx"])
    assert (failed.status, failed.body["status"]) == (500, "Failed")
    assert alice.open_orders() == []


def test_orders_that_sell_sol_are_built_together(alice: LimitTrader) -> None:
    """The first closes the account for wrapped SOL that was there when both were built."""
    alice.trader.sends(create_associated(alice.wallet, alice.wallet, SOL.mint))
    built = [alice.builds(1 * SOL, USDC) for _ in range(2)]
    for each in built:
        assert alice.executes(each.get("transaction") or each["tx"]).ok()["status"] == "Success"
    assert len(alice.open_orders()) == 2


def test_what_cannot_land_any_more(alice: LimitTrader) -> None:
    built = alice.builds(10 * USDC, JUP)
    transaction = built.get("transaction") or built["tx"]
    alice.venue.faults(expireBlockhashes=True)
    refused = alice.executes(transaction)
    assert (refused.status, refused.body["error"]) == (500, "unable to confirm transaction")
    assert alice.places(10 * USDC, JUP) in alice.open_orders()


def test_what_gets_lost_is_sent_again(alice: LimitTrader) -> None:
    built = alice.builds(10 * USDC, JUP)
    transaction = built.get("transaction") or built["tx"]
    alice.venue.faults(dropTransactions=1)
    lost = alice.executes(transaction)
    assert (lost.status, lost.body["error"]) == (500, "unable to confirm transaction")
    assert alice.executes(transaction).ok()["signature"] == lost.body["signature"]
    assert alice.open_orders() == [built["order"]]


def test_both_roots_see_the_same_orders(alice: LimitTrader) -> None:
    other = LimitTrader(alice.venue, alice.trader, "/limit/v2" if alice.root == "/trigger/v1" else "/trigger/v1")
    order = alice.places(10 * USDC, JUP)
    assert other.rows() == alice.rows()
    (cancel,) = other.builds_cancels(order)
    assert alice.executes(cancel).status == 200
    assert other.rows() == []


@pytest.mark.parametrize("path", ["/trigger/v1/createOrder", "/limit/v2/openOrders", "/trigger/v1/cancelOrders"])
def test_no_slash_at_the_end(venue: Venue, path: str) -> None:
    for method in ("GET", "POST"):
        assert venue.ask(method, f"{path}/").body == {"code": 404, "message": "Not found"}


def test_a_payer_that_is_a_program_gets_what_nothing_can_sign(alice: LimitTrader) -> None:
    built = alice.builds(10 * USDC, JUP, payer=str(COMPUTE_BUDGET))
    assert built.get("transaction") or built["tx"]


def test_the_page_of_pages(venue: Venue) -> None:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    bob = LimitTrader(venue, trader)
    orders = [bob.places(10 * USDC, SOL, take) for take in range(1, 12)]
    pages = [bob.get("getTriggerOrders", user=bob.wallet, orderStatus="active", page=str(number)) for number in (1, 2)]
    shown = list(itertools.chain.from_iterable(page["orders"] for page in pages))
    assert sorted(row["orderKey"] for row in shown) == sorted(orders)
    assert [page["totalPages"] for page in pages] == [2, 2]
    assert all(row["openTx"] for row in shown)
