"""Whole lives of orders of each family, by both clients, and with answers lost on the way."""

import asyncio
import secrets
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from solders.keypair import Keypair

from countermand.client import (
    SOL,
    USDC,
    AsyncClient,
    ClientError,
    Cycles,
    Limit,
    Oco,
    Otoco,
    PriceOrder,
    Recurring,
    Refused,
    Single,
    TanxKeys,
    Trailing,
    Unsafe,
    Wallet,
    histories,
    tanx,
)
from tests.client.conftest import POLICY, Clients
from tests.end_to_end.venue import Venue

HOUR_MS = 3_600_000


def soon() -> int:
    return time.time_ns() // 1_000_000 + HOUR_MS


def a_sale(above: str = "210.5") -> Single:
    return Single(sell=SOL, amount=10**9, buy=USDC, watch=SOL, above=above, expires_at=soon())


def price_orders() -> dict[str, PriceOrder]:
    usdc, sol = {"sell": USDC, "amount": 50 * 10**6, "buy": SOL}, {"sell": SOL, "amount": 10**9, "buy": USDC}
    by = {"watch": SOL, "expires_at": soon()}
    return {
        "single": Single(**usdc, **by, below=Decimal("120.25")),  # type: ignore[arg-type]
        "oco": Oco(**sol, **by, take_profit=200, stop_loss="100.5", sl_slippage_bps=500),  # type: ignore[arg-type]
        "otoco": Otoco(**usdc, **by, below=140, take_profit=200, stop_loss=100),  # type: ignore[arg-type]
        "trailing": Trailing(**sol, **by, condition="below", trailing_bps=500),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("kind", price_orders())
def test_a_price_order_is_placed_and_withdrawn(clients: Clients, venue: Venue, kind: str) -> None:
    client, order = clients.rich(), price_orders()[kind]
    placed = client.trigger.place(order)
    row = client.trigger.order(placed.id)
    assert (row.order_state, row.initial_input_amount) == ("open", order.amount)
    withdrawn = client.trigger.withdraw(placed.id)
    assert client.trigger.order(placed.id).order_state == "cancelled"
    assert client.trigger.withdraw(placed.id) == withdrawn
    [event] = [each for each in client.trigger.order(placed.id).events if each.type == "withdrawal"]
    assert event.tx_signature == withdrawn.tx_signature
    assert client.sandbox.audit()["ok"]


def test_an_otoco_whose_parent_is_filled_gives_back_what_it_bought(clients: Clients) -> None:
    client = clients.rich()
    placed = client.trigger.place(price_orders()["otoco"])
    client.sandbox.price("SOL", 139)
    client.sandbox.settle()
    assert client.trigger.order(placed.id).remaining_input_amount == 0
    client.trigger.withdraw(placed.id)
    assert client.trigger.order(placed.id).order_state == "cancelled"


def test_a_cancel_in_two_steps_tells_what_comes_back(clients: Clients) -> None:
    client = clients.rich()
    placed = client.trigger.place(price_orders()["single"])
    cancelling = client.trigger.cancel(placed.id)
    assert cancelling.back == {USDC: 50 * 10**6}
    withdrawn = client.trigger.confirm(cancelling)
    assert client.trigger.confirm(cancelling) == withdrawn


def test_an_order_is_updated_exactly(clients: Clients) -> None:
    client = clients.rich()
    placed = client.trigger.place(a_sale())
    client.trigger.update(placed.id, price="220.123456789012", slippage_bps=70)
    row = client.trigger.order(placed.id)
    assert (row.trigger_price_usd, row.slippage_bps) == (Decimal("220.123456789012"), 70)


def test_an_order_that_was_filled_is_not_withdrawn(clients: Clients) -> None:
    client = clients.rich()
    placed = client.trigger.place(a_sale())
    client.sandbox.price("SOL", 215)
    client.sandbox.settle()
    with pytest.raises(Refused, match="Cannot cancel order in 'filled' state"):
        client.trigger.withdraw(placed.id)


def test_a_deposit_is_submitted_once_however_often(clients: Clients) -> None:
    client, order = clients.rich(), a_sale()
    deposit = client.trigger.craft(order)
    first = client.trigger.submit(order, deposit)
    assert client.trigger.submit(order, deposit).id == first.id
    assert len(list(client.trigger.orders())) == 1


def test_signing_in_by_a_transaction(clients: Clients) -> None:
    client = clients()
    client.trigger.sign_in("transaction")
    assert client.trigger.vault() == client.trigger.vault()


def test_pages_of_orders_give_each_order_once(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countermand.client.histories._ROWS", 2)
    client = clients.rich()
    placed = [client.trigger.place(a_sale(above=str(200 + number))).id for number in range(5)]
    assert [row.id for row in client.trigger.orders("active")] == placed[::-1]
    assert list(client.trigger.orders("past")) == []


def test_a_recurring_order_of_a_vault(clients: Clients) -> None:
    client = clients.rich()
    placed = client.dca.place(Recurring(sell=USDC, amount=40 * 10**6, buy=SOL, rounds=3, interval_s=3600))
    client.sandbox.settle()
    row = client.dca.order(placed.id)
    assert (row.rounds_filled, row.amount_per_round) == (1, 13_333_333)
    cancelling = client.dca.cancel(placed.id)
    assert (cancelling.rounds_remaining, cancelling.back) == (2, {USDC: 40 * 10**6 - 13_333_333})
    withdrawn = client.dca.confirm(cancelling)
    assert client.dca.withdraw(placed.id) == withdrawn
    assert [order.state for order in client.dca.orders("past")] == ["cancelled"]


@pytest.mark.parametrize("root", ["/trigger/v1", "/limit/v2"])
def test_orders_on_the_chain(clients: Clients, root: str) -> None:
    client = clients.rich(limit_root=root)
    expires = soon() // 1000
    sale = client.limit.place(Limit(sell=SOL, making=10**9, buy=USDC, taking=300 * 10**6, expires_at_s=expires))
    more = [client.limit.place(Limit(sell=USDC, making=10**7, buy=SOL, taking=10**9)).order for _ in range(6)]
    found = client.limit.open_orders()
    assert {row.public_key for row in found} == {sale.order, *more}
    if root == "/trigger/v1":
        assert {row.order_key for row in client.limit.orders()} == {sale.order, *more}
    assert list(client.limit.orders("history")) == []
    [landed] = client.limit.cancel(sale.order)
    assert landed.orders == (sale.order,)
    cancelled = client.limit.cancel_all()
    assert [len(each.orders) for each in cancelled] == [5, 1]
    assert client.limit.open_orders() == []
    with pytest.raises(Refused, match="no matching orders found"):
        client.limit.cancel(sale.order)


@pytest.mark.parametrize("sell", [SOL, USDC])
def test_recurring_orders_on_the_chain(clients: Clients, sell: str) -> None:
    client = clients.rich()
    amount, buy = (10**9, USDC) if sell == SOL else (101 * 10**6, SOL)
    landed = client.recurring.place(Cycles(sell=sell, amount=amount, buy=buy, cycles=2, interval_s=60))
    [row] = client.recurring.orders()
    assert (row.order_key, row.raw_in_deposited) == (landed.order, amount)
    client.recurring.cancel(landed.order)
    assert list(client.recurring.orders()) == []
    with pytest.raises(Refused, match="Failed to deserialize"):
        client.recurring.cancel(landed.order)


@pytest.mark.parametrize("bounds", [{"min_price": 100}, {"max_price": "333.3333333"}, {"min_price": 1, "max_price": 7}])
def test_recurring_orders_within_prices(clients: Clients, bounds: dict[str, int | str]) -> None:
    """What the server built is what these prices mean, also where they do not divide."""
    client = clients.rich()
    order = Cycles(sell=USDC, amount=101 * 10**6, buy=SOL, cycles=2, interval_s=60, decimals=(6, 9), **bounds)  # type: ignore[arg-type]
    landed = client.recurring.place(order)
    assert [row.order_key for row in client.recurring.orders()] == [landed.order]
    client.recurring.cancel(landed.order)
    for decimals in (None, 9, (6,), ("6", "9")):
        with pytest.raises(ValueError, match=r"decimals: give those of `sell` and `buy`, such as \(6, 9\), not "):
            client.recurring.place(replace(order, decimals=decimals))  # type: ignore[arg-type]
    with pytest.raises(Unsafe, match="a cycle must give at"):
        client.recurring.place(replace(order, decimals=(6, 8)))


def test_an_order_of_the_books(clients: Clients) -> None:
    buyer, seller = (clients.tanx(TanxKeys.of(secrets.randbits(250) + 1)) for _ in range(2))
    for client, currency, amount in ((buyer, "usdc", "1000.5"), (seller, "btc", "1")):
        client.register_stark_key()
        client.sandbox.credit(client._session.keys.address, currency, amount)  # type: ignore[union-attr]
    order = buyer.place("btcusdc", "buy", "0.02", "40000.5")
    assert order.state == "pending"
    assert buyer.balances()["usdc"].locked == Decimal("800.01")
    assert [each.price for each in buyer.book("btcusdc").bids] == [Decimal("40000.5")]
    seller.place("btcusdc", "sell", Decimal("0.005"), 40_000)
    [trade] = buyer.trades()
    assert (trade.amount, trade.price) == (Decimal("0.005"), Decimal("40000.5"))
    before = buyer.cancel(order.id)
    assert (before.state, before.remaining_volume) == ("wait", Decimal("0.015"))
    assert buyer.cancel(order.id).state == "cancel"
    assert [each.state for each in buyer.orders("btcusdc")] == ["cancel"]
    assert buyer.order(order.uuid).cancel_reason == "Order cancelled by user"
    buyer.cancel_all("btcusdc")


@pytest.mark.parametrize("runs", ["sync"], indirect=True)
def test_of_the_orders_of_the_books_that_wait_each_can_be_cancelled_as_it_comes(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tanx, "_ROWS", 2)
    keys = TanxKeys.of(secrets.randbits(250) + 1)
    client = clients.tanx(keys)
    client.register_stark_key()
    client.sandbox.credit(keys.address, "usdc", 1000)
    placed = {client.place("btcusdc", "buy", "0.01", 10_000).id for _ in range(5)}
    for order in client.orders(state="wait"):
        client.cancel(order.id)
        placed.remove(order.id)
    assert (placed, list(client.orders(state="wait"))) == (set(), [])
    assert len(list(client.orders())) == 5


@pytest.mark.parametrize("runs", ["sync"], indirect=True)
def test_of_the_orders_in_vaults_that_are_active_each_can_be_withdrawn_as_it_comes(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "_ROWS", 1)
    client = clients.rich()
    for _ in range(3):
        client.trigger.place(a_sale())
        client.dca.place(Recurring(sell=USDC, amount=40 * 10**6, buy=SOL, rounds=2, interval_s=3600))
    for order in client.trigger.orders("active"):
        client.trigger.withdraw(order.id)
    for recurring in client.dca.orders("active"):
        client.dca.withdraw(recurring.id)
    assert [*client.trigger.orders("active"), *client.dca.orders("active")] == []
    assert (len(list(client.trigger.orders("past"))), len(list(client.dca.orders("past")))) == (3, 3)


@pytest.mark.parametrize("runs", ["sync"], indirect=True)
def test_of_the_orders_on_the_chain_that_are_open_each_can_be_cancelled_as_it_comes(clients: Clients) -> None:
    client = clients.rich()
    for _ in range(12):  # Of which a page has ten.
        client.limit.place(Limit(sell=USDC, making=10**7, buy=SOL, taking=10**9))
        client.recurring.place(Cycles(sell=USDC, amount=100 * 10**6, buy=SOL, cycles=2, interval_s=60))
    for order in client.limit.orders():
        client.limit.cancel(order.order_key)
    for recurring in client.recurring.orders():
        client.recurring.cancel(recurring.order_key)
    assert [*client.limit.orders(), *client.recurring.orders()] == []


def test_a_callback_signs_in_place_of_a_key(clients: Clients, venue: Venue) -> None:
    key, signed = Keypair(), list[bytes]()

    def sign(payload: bytes) -> bytes:
        signed.append(payload)
        return bytes(key.sign_message(payload))

    client = clients.rich(Wallet(str(key.pubkey()), sign))
    client.trigger.withdraw(client.trigger.place(a_sale()).id)
    assert len(signed) == 3, "a challenge, a deposit, a withdrawal"


def test_a_callback_may_be_awaited_by_the_async_client(clients: Clients, runs: asyncio.Runner | None) -> None:
    key = Keypair()

    async def sign(payload: bytes) -> bytes:
        return bytes(key.sign_message(payload))

    client = clients(Wallet(str(key.pubkey()), sign))
    if runs is None:
        with pytest.raises(TypeError, match="async client"):
            client.trigger.vault()
    else:
        assert client.trigger.vault()


def test_a_signature_of_another_key_is_noticed(clients: Clients) -> None:
    client = clients(Wallet(str(Keypair().pubkey()), Keypair().sign_message))
    with pytest.raises(ClientError, match="not this wallet's"):
        client.trigger.vault()


def test_an_answer_that_is_lost_is_asked_for_again(clients: Clients, venue: Venue) -> None:
    client, order = clients.rich(), a_sale()
    deposit = client.trigger.craft(order)
    venue.faults(loseAnswers=2)
    placed = client.trigger.submit(order, deposit)
    assert placed.found
    assert [row.id for row in client.trigger.orders()] == [placed.id]


def test_after_a_reset_the_client_signs_in_and_registers_anew(clients: Clients) -> None:
    client = clients.rich()
    client.trigger.place(a_sale())
    client.sandbox.reset()
    client.sandbox.airdrop("SOL", 5 * 10**9)
    placed = client.trigger.place(a_sale())
    assert [row.id for row in client.trigger.orders()] == [placed.id]


async def test_many_orders_at_once_by_one_async_client(venue: Venue) -> None:
    async with AsyncClient(Keypair(), venue.url, policy=POLICY) as client:
        await client.sandbox.airdrop("SOL", 20 * 10**9)
        placed = await asyncio.gather(*(client.trigger.place(a_sale()) for _ in range(16)))
        assert {row.id async for row in client.trigger.orders()} == {each.id for each in placed}
        await asyncio.gather(*(client.trigger.withdraw(each.id) for each in placed))
        assert {row.order_state async for row in client.trigger.orders()} == {"cancelled"}
