"""The same lives while the world goes wrong: answers are lost, requests limited, tokens end, transactions vanish."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from solders.keypair import Keypair

from countermand.client import (
    SOL,
    USDC,
    Cycles,
    Limit,
    OutcomeUnknown,
    Policy,
    RateLimited,
    Recurring,
    TanxKeys,
    Unavailable,
    Wallet,
)
from tests.client.conftest import Clients
from tests.client.test_lives import a_sale
from tests.end_to_end.venue import Venue

pytestmark = pytest.mark.parametrize("runs", ["sync"], indirect=True)
"""The flows are the same in both clients, and `test_lives` loses an answer of each."""

FAULTS: Mapping[str, dict[str, int | bool]] = {
    "one answer lost": {"loseAnswers": 1},
    "three answers lost": {"loseAnswers": 3},
    "limited": {"rateLimit": 1},
    "tokens end": {"expireTokens": True},
    "a transaction dropped": {"dropTransactions": 1},
    "two transactions dropped": {"dropTransactions": 2},
    "transactions late": {"landDelayMs": 500},
    "an answer lost, tokens end": {"loseAnswers": 1, "expireTokens": True},
    "an answer lost, a transaction dropped": {"loseAnswers": 1, "dropTransactions": 1},
}


class Armed:
    """A wallet that switches faults on with every other signature: what is sent next meets them, its repetition not."""

    def __init__(self, venue: Venue, faults: Mapping[str, object]) -> None:
        self.key, self._venue, self._faults = Keypair(), venue, faults
        self.signed = 0

    def wallet(self) -> Wallet:
        return Wallet(str(self.key.pubkey()), self._sign)

    def _sign(self, payload: bytes) -> bytes:
        self.signed += 1
        if self.signed % 2:
            self._venue.faults(**self._faults)
        return bytes(self.key.sign_message(payload))


@pytest.mark.parametrize("name", FAULTS)
def test_a_price_order_survives(clients: Clients, venue: Venue, name: str) -> None:
    armed = Armed(venue, FAULTS[name])
    client = clients.rich(armed.wallet())
    placed = client.trigger.place(a_sale())
    venue.faults(**{fault: on for fault, on in FAULTS[name].items() if fault != "dropTransactions"})
    withdrawn = client.trigger.withdraw(placed.id)
    venue.faults()
    [row] = client.trigger.orders()
    assert (row.id, row.order_state) == (placed.id, "cancelled")
    assert [event.tx_signature for event in row.events if event.type == "withdrawal"] == [withdrawn.tx_signature]
    assert venue.lamports(str(armed.key.pubkey())) > 20 * 10**9 - 100_000


@pytest.mark.parametrize("name", FAULTS)
def test_a_recurring_order_of_a_vault_survives(clients: Clients, venue: Venue, name: str) -> None:
    client = clients.rich(Armed(venue, FAULTS[name]).wallet())
    placed = client.dca.place(Recurring(sell=USDC, amount=40 * 10**6, buy=SOL, rounds=3, interval_s=3600))
    venue.faults()
    client.sandbox.settle()
    withdrawn = client.dca.withdraw(placed.id)
    venue.faults()
    [row] = client.dca.orders()
    assert (row.id, row.state) == (placed.id, "cancelled")
    assert client.dca.withdraw(placed.id) == withdrawn


ON_CHAIN = {name: faults for name, faults in FAULTS.items() if "tokens" not in name}


@pytest.mark.parametrize("name", ON_CHAIN)
def test_orders_on_the_chain_survive(clients: Clients, venue: Venue, name: str) -> None:
    client = clients.rich(Armed(venue, FAULTS[name]).wallet())
    limit = client.limit.place(Limit(sell=SOL, making=10**9, buy=USDC, taking=300 * 10**6))
    cycles = client.recurring.place(Cycles(sell=USDC, amount=100 * 10**6, buy=SOL, cycles=2, interval_s=60))
    venue.faults()
    assert [row.public_key for row in client.limit.open_orders()] == [limit.order]
    assert [row.order_key for row in client.recurring.orders()] == [cycles.order]
    client.limit.cancel_all()
    client.recurring.cancel(cycles.order)
    venue.faults()
    assert client.limit.open_orders() == []
    assert list(client.recurring.orders()) == []


@pytest.mark.parametrize("name", ["one answer lost", "three answers lost", "limited", "tokens end"])
def test_an_order_of_the_books_survives(clients: Clients, venue: Venue, name: str) -> None:
    own = TanxKeys.of(secrets.randbits(250) + 1)

    def armed(sign: Callable[[Any], Any]) -> Callable[[Any], Any]:
        signed = 0

        def signing(payload: Any) -> Any:
            nonlocal signed
            signed += 1
            if signed % 2:
                venue.faults(**FAULTS[name])
            return sign(payload)

        return signing

    keys = TanxKeys(own.address, armed(own.sign_text), armed(own.sign_hash), own.stark_key)
    client = clients.tanx(keys)
    client.register_stark_key()
    client.sandbox.credit(own.address, "usdc", 1000)
    order = client.place("btcusdc", "buy", "0.02", 40_000)
    venue.faults(**FAULTS[name])
    assert client.cancel(order.id).id == order.id
    venue.faults()
    [row] = client.orders()
    assert (row.id, row.state) == (order.id, "cancel")


def test_a_cancel_of_so_many_orders_of_the_books_never_cancels_more(clients: Clients, venue: Venue) -> None:
    keys = TanxKeys.of(secrets.randbits(250) + 1)
    client = clients.tanx(keys)
    client.register_stark_key()
    client.sandbox.credit(keys.address, "usdc", 1000)
    for _ in range(3):
        client.place("btcusdc", "buy", "0.01", 10_000)
    venue.faults(loseAnswers=1)
    with pytest.raises(OutcomeUnknown):
        client.cancel_all("btcusdc", limit=1)
    assert [row.state for row in client.orders()] == ["wait", "wait", "cancel"]
    venue.faults(loseAnswers=1)
    client.cancel_all("btcusdc")
    assert {row.state for row in client.orders()} == {"cancel"}


def test_a_swap_that_fails_leaves_an_order_that_can_be_withdrawn(clients: Clients, venue: Venue) -> None:
    venue.resets()  # Or an order of another test fails in its place.
    client = clients.rich()
    placed = client.trigger.place(a_sale())
    client.sandbox.faults(failSwaps=1)
    client.sandbox.price("SOL", 215)
    client.sandbox.settle()
    assert client.trigger.order(placed.id).order_state == "open"
    client.trigger.withdraw(placed.id)
    assert client.trigger.order(placed.id).order_state == "cancelled"


def test_a_withdrawal_that_can_land_no_more_is_built_again(clients: Clients, venue: Venue) -> None:
    armed = Armed(venue, {})
    client = clients.rich(armed.wallet())
    placed = client.trigger.place(a_sale())
    armed._faults = {"dropTransactions": 1, "expireBlockhashes": True}
    assert armed.signed == 2, "a challenge and a deposit"
    client.trigger.withdraw(placed.id)
    assert armed.signed == 4, "two withdrawals"
    assert client.trigger.order(placed.id).order_state == "cancelled"


def test_an_order_whose_create_is_never_answered_is_found_by_its_deposit(clients: Clients, venue: Venue) -> None:
    """All answers to the create are lost, and the attempts run out."""
    armed = Armed(venue, {})
    client = clients.rich(armed.wallet(), policy=Policy(attempts=2, pause_s=0.02, find_s=3, lag_s=2))
    client.trigger.sign_in()
    client.trigger.sign_in()
    armed._faults = {"loseAnswers": 2}
    placed = client.trigger.place(a_sale())
    assert placed.found
    venue.faults()
    assert [row.id for row in client.trigger.orders()] == [placed.id]


def test_an_order_that_cannot_be_found_is_told_to_be_unknown(clients: Clients, venue: Venue) -> None:
    """The deposit does not land, so no history shows it; the reference says what to look for."""
    armed = Armed(venue, {})
    client = clients.rich(armed.wallet(), policy=Policy(attempts=2, pause_s=0.02, find_s=0.1, lag_s=0.1))
    client.trigger.sign_in()
    client.trigger.sign_in()
    armed._faults = {"landDelayMs": 3_000}
    with pytest.raises(OutcomeUnknown) as unknown:
        client.trigger.place(a_sale())
    assert set(unknown.value.reference) == {"deposit_request_id", "signature"}
    venue.faults()
    venue.settles()
    [row] = client.trigger.orders()
    assert row.events[-1].tx_signature == unknown.value.reference["signature"]


def test_limits_are_waited_out_as_the_server_says(clients: Clients, venue: Venue) -> None:
    client = clients()
    client.sandbox.faults(rateLimit=2)
    client.trigger.vault()
    client.sandbox.faults(rateLimit=100)
    impatient = clients(policy=Policy(limited_s=0))
    with pytest.raises(RateLimited):
        impatient.trigger.vault()


def test_a_chain_that_is_silent_is_told_apart_from_a_refusal(clients: Clients, venue: Venue) -> None:
    client = clients.rich(policy=Policy(attempts=2, pause_s=0.02))
    client.trigger.vault()
    client.sandbox.faults(rpcDown=True)
    with pytest.raises(Unavailable, match="Nothing was changed"):
        client.trigger.place(a_sale())


def test_a_server_that_is_not_there(clients: Clients) -> None:
    with pytest.raises(Unavailable, match="no answer after 6 attempts"):
        clients(url="http://127.0.0.1:1").prices.of(SOL)
