"""Lines of the contract at their edges: what lies between two other cases, or at the end of a range."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.trader import Trader, single, trailing
from tests.end_to_end.venue import JUP, LAUNCH, SOL, USDC, Answer, Funds, Token, Venue, running_venue

OUTCOME_UNKNOWN = (503, "The outcome of this request is unknown. Please repeat the same request.")


def added(venue: Venue, symbol: str, decimals: int, price: str) -> Token:
    before = {token["mint"] for token in venue.sandbox()["tokens"]}
    body = {"symbol": symbol, "decimals": decimals, "price": price}
    shown = venue.ask("POST", "/sandbox/tokens", body).ok()["tokens"]
    (mint,) = (token["mint"] for token in shown if token["mint"] not in before)
    return Token(symbol, mint, decimals)


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A second venue beside the one of all tests, which waits a minute for a landing."""
    directory: Path = tmp_path_factory.mktemp("another")
    with running_venue(directory, confirm_timeout_ms=60_000) as venue:
        yield venue


# --- a reset while a client waits


def test_a_reset_while_a_create_waits(another: Venue) -> None:
    alice = with_funds(Trader(another))
    another.faults(landDelayMs=60_000)
    order = single(sell=1 * SOL, above=200)
    body = alice.body_for(order, alice.crafts(order))
    answer = answer_of_one_who_waits(another, lambda: alice.creates(body), lambda: bool(alice.history()))
    assert answer.error == OUTCOME_UNKNOWN
    assert alice.creates(body).error == (401, "Unauthorized")


def test_a_reset_while_a_confirm_waits(another: Venue) -> None:
    alice = with_funds(Trader(another))
    order = alice.places(single(sell=1 * SOL, above=200))
    cancelling = alice.cancels(order)
    another.faults(landDelayMs=60_000)
    answer = answer_of_one_who_waits(
        another,
        lambda: alice.confirms(order, cancelling),
        lambda: (
            another.ask("POST", "/sandbox/settle", {"timeoutMs": 0}).ok() == {"settled": False, "waitingFor": [order]}
        ),
    )
    assert answer.error == OUTCOME_UNKNOWN


def answer_of_one_who_waits(venue: Venue, asks: Callable[[], Answer], waits: Callable[[], bool]) -> Answer:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(asks)
        while not waits():
            assert not answer.done()
        venue.resets()
        venue.settles()  # What was on its way is gone with the rest.
        return answer.result()


# --- what is watched


def test_an_order_may_watch_a_token_that_it_does_not_trade(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=0.75, trigger=JUP))
    venue.price(SOL, "300")
    venue.settles()
    assert alice.state_of(order) == "open"
    venue.price(JUP, "0.75")
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["triggerMint"], row["outputAmount"]) == ("filled", JUP.mint, "299700000")


def test_a_deposit_of_another_token_is_named_first(venue: Venue, alice: Trader) -> None:
    order = single(sell=1 * SOL, above=200)
    body = alice.body_for(order, alice.crafts(order)) | {"inputMint": JUP.mint}
    refused = alice.creates(body)
    assert refused.error == (400, "Request validation failed")
    assert refused.body["details"] == {"inputMint": "Differs from the crafted deposit"}


# --- the wallet's account


def test_the_wallets_account_is_gone_between_the_two_steps(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1_000 * USDC, buy=SOL, below=100))
    first = alice.cancels(order)
    alice.closes_account_of(USDC)
    for _ in range(2):
        status, words = alice.confirms(order, first).error
        assert status == 400
        assert words.startswith("Withdrawal transaction failed on chain (")
        assert words.endswith("). Please initiate cancel again.")
    assert alice.state_of(order) == "pending_withdraw"
    assert [kind for kind, _ in alice.events_of(order)] == ["deposit"]

    second = alice.cancels(order)
    assert second.request_id == first.request_id
    alice.withdraws(order, second)
    assert alice.holds(USDC) == 1_000_000_000


# --- numbers


@pytest.mark.parametrize(("decimals", "units", "gives"), [(0, 1_000, "999000000"), (18, 10**19, "9990000")])
def test_a_token_of_few_or_many_decimals(venue: Venue, alice: Trader, decimals: int, units: int, gives: str) -> None:
    token = added(venue, f"D{decimals}", decimals, "1")
    alice.has(Funds(token, units))
    order = alice.places(single(sell=Funds(token, units), above=1))
    venue.settles()
    row = alice.sees(order)
    assert (row["orderState"], row["initialInputAmount"], row["outputAmount"]) == ("filled", str(units), gives)


def test_an_output_that_no_account_can_hold_is_a_failed_fill(venue: Venue, alice: Trader) -> None:
    """1,000 dollars are 10²¹ units of a token with 18 decimals, and an account holds less than 2⁶⁴."""
    token = added(venue, "MANY", 18, "1")
    order = alice.places(single(sell=1_000 * USDC, buy=token, above=1))
    venue.settles()
    assert (alice.state_of(order), alice.events_of(order)) == (
        "open",
        [("fill", "failed"), ("deposit", "success")],
    )
    alice.withdraws(order, alice.cancels(order))
    assert alice.holds(USDC) == 1_000_000_000


@pytest.mark.parametrize("price", ["0.000000000001", "1000000000000"])
def test_a_price_at_the_end_of_the_range(venue: Venue, alice: Trader, price: str) -> None:
    order = single(sell=1 * SOL, below=1e-12) if price.startswith("0") else single(sell=1 * SOL, above=10**12)
    placed = alice.places(order)
    assert f'"triggerPriceUsd":{price},'.encode() in alice.get(f"/orders/history/{placed}").raw
    venue.price(SOL, price)
    venue.settles()
    given = alice.sees(placed)["outputAmount"]
    # 10¹² dollars a SOL, less a tenth of a percent; for a picodollar there is nothing to give, and nothing is taken.
    assert given == ("999000000000000000" if order.above else None)


def test_a_trigger_that_trails_beyond_the_end_of_the_range_stands_at_it(venue: Venue, alice: Trader) -> None:
    token = added(venue, "DEAR", 6, "600000000000")
    order = alice.places(trailing(sell=100 * USDC, buy=token, condition="above", bps=5_000))
    assert alice.sees(order)["triggerPriceUsd"] == 900_000_000_000
    alice.amends(order, trailingBps=9_000).ok()
    assert alice.sees(order)["triggerPriceUsd"] == 10**12
    placed = alice.places(trailing(sell=100 * USDC, buy=token, condition="above", bps=9_000))
    assert alice.sees(placed)["triggerPriceUsd"] == 10**12
    venue.price(token, "500000000000")
    assert alice.sees(order)["triggerPriceUsd"] == 950_000_000_000


# --- a start that cannot be


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_a_data_directory_that_cannot_be_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").touch()
    data = str(tmp_path / place)
    done = subprocess.run([*LAUNCH, "--port", "0", "--data", data], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"countermand: the data directory {data} cannot be used: ")


# --- two venues


def test_two_venues_on_one_machine_know_nothing_of_each_other(venue: Venue, another: Venue, alice: Trader) -> None:
    there = with_funds(Trader(another, alice.key))
    assert there.vault != alice.vault
    order = alice.places(single(sell=1 * SOL, above=200))
    assert there.get(f"/orders/history/{order}").error == (404, "Order not found")
    with_her_token = another.ask("GET", "/trigger/v2/vault", token=alice.token)
    assert with_her_token.error == (401, "Unauthorized")
    another.price(SOL, "250")
    another.settles()
    assert alice.state_of(order) == "open"
