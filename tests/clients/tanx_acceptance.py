"""A day at tanX by its own Python client, as it is published: `python tanx_acceptance.py http://127.0.0.1:8080`.

Two users log in, trade with each other, cancel what is left, and outlive their access tokens. It ends with status 0 and
prints `is content`, or says what it did not find.
"""

import secrets
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import requests
from eth_account import Account
from tanxconnector.bin.blockchain_utils import sign_msg
from tanxconnector.bin.signature import get_stark_key_pair_from_signature
from tanxconnector.client import Client

KEY_TEXT = "Get started with TanX. Make sure the origin is https://trade.tanx.fi"
MARKET = "ethusdc"
PATIENCE_S = 30


class User:
    """A new one, with money. The client is told nothing but where the venue is."""

    def __init__(self, url: str, **funds: str) -> None:
        self.url = url
        account = Account.from_key(secrets.token_bytes(32))
        self.address, self.private_key = account.address, account.key.hex()
        keys = get_stark_key_pair_from_signature(sign_msg(KEY_TEXT, self.private_key))
        self.stark_private_key = keys["stark_private_key"]
        self.client = Client()
        self.client.session.url_base = url
        self.client.complete_login(self.address, self.private_key)
        self._sandbox("POST", "tanx/stark-key", {"eth_address": self.address, "stark_key": keys["stark_public_key"]})
        for currency, amount in funds.items():
            body = {"eth_address": self.address, "currency": currency, "amount": amount}
            self._sandbox("POST", "tanx/credit", body)
        assert self.client.get_profile_info()["payload"]["stark_key"] == keys["stark_public_key"]

    def places(self, side: str, volume: float, price: float) -> dict[str, Any]:
        terms = {"market": MARKET, "ord_type": "limit", "side": side, "volume": volume, "price": price}
        created = self.client.create_complete_order(terms, self.stark_private_key)
        assert created["message"] == "Created Order Successfully", created
        return self.sees(created["payload"]["id"])

    def sees(self, order: int) -> dict[str, Any]:
        """The order, once it has met the book."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            shown: dict[str, Any] = self.client.get_order(order)["payload"]
            if shown["state"] != "pending":
                return shown
            assert time.monotonic() < deadline, f"{order} is pending"

    def has(self, currency: str) -> tuple[Decimal, Decimal]:
        """What can be used, and what is locked."""
        balance = self.client.get_balance(currency)["payload"]
        return Decimal(balance["balance"]), Decimal(balance["locked"])

    def expires(self) -> None:
        self._sandbox("PUT", "faults", {"expireTokens": True})

    def _sandbox(self, method: str, path: str, body: Any) -> None:
        answer = requests.request(method, f"{self.url}/sandbox/{path}", json=body, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text


def refusal(request: Callable[[], object]) -> dict[str, Any]:
    """The body of the 400 that this is answered with."""
    try:
        request()
    except requests.HTTPError as refused:
        answer = refused.response
        if answer is not None and answer.status_code == 400:
            body: dict[str, Any] = answer.json()
            return body
        raise
    raise AssertionError("this is refused")


def without_trades(order: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in order.items() if name != "trades"}


def trade_and_cancel(alice: User, bob: User) -> None:
    order = alice.places("buy", 0.5, 2000)
    assert (order["state"], order["executed_volume"]) == ("wait", "0.0"), order
    assert alice.has("usdc") == (Decimal(9000), Decimal(1000))
    bids = alice.client.get_orderbook(MARKET)["payload"]["bids"]
    assert [bid["id"] for bid in bids if bid["price"] == "2000.0"] == [order["id"]], bids

    filled = bob.places("sell", 0.2, 1990)
    assert (filled["state"], filled["avg_price"], filled["trades_count"]) == ("done", "2000.0", 1), filled
    partly = alice.sees(order["id"])
    assert (partly["state"], partly["executed_volume"], partly["remaining_volume"]) == ("wait", "0.2", "0.3"), partly

    cancelled = alice.client.cancel_order(order["id"])
    assert cancelled["message"] == "Order is successfully queued for cancellation", cancelled
    assert (cancelled["payload"]["id"], cancelled["payload"]["state"]) == (order["id"], "wait"), cancelled
    ended = alice.sees(order["id"])
    assert (ended["state"], ended["executed_volume"]) == ("cancel", "0.2"), ended
    assert ended["cancel_reason"] == "Order cancelled by user", ended
    assert alice.has("usdc") == (Decimal(9600), Decimal(0))
    refused = refusal(lambda: alice.client.cancel_order(order["id"]))
    assert (refused["message"], refused["payload"]) == ("Order is already cancelled", without_trades(ended)), refused


def fees(alice: User, bob: User) -> None:
    (bought,) = alice.client.list_trades(limit=10, market=MARKET)["payload"]
    assert (bought["side"], bought["fee_currency"]) == ("buy", "eth"), bought
    assert Decimal(bought["fee_amount"]) == Decimal("0.2") * Decimal(bought["fee"]) > 0, bought
    assert alice.has("eth") == (Decimal("0.2") - Decimal(bought["fee_amount"]), Decimal(0))
    (sold,) = bob.client.list_trades(limit=10, market=MARKET)["payload"]
    assert (sold["side"], sold["fee_currency"], sold["id"]) == ("sell", "usdc", bought["id"]), sold
    assert bob.has("usdc") == (400 - Decimal(sold["fee_amount"]), Decimal(0))


def cancel_all(alice: User) -> None:
    placed = [alice.places("buy", 0.1, price)["id"] for price in (1000, 1001, 1002)]
    waiting = alice.client.list_orders(market=MARKET, state="wait", side="buy")["payload"]
    assert sorted(order["id"] for order in waiting) == placed, waiting
    answer = alice.client.bulk_cancel({"market": MARKET, "side": "buy"})
    assert answer["message"] == "Orders are successfully queued for cancellation", answer
    assert alice.client.list_orders(state="wait")["payload"] == []
    assert alice.has("usdc") == (Decimal(9600), Decimal(0))


def outlive_tokens(alice: User) -> None:
    before = alice.client.refresh_token
    alice.client.set_access_token("ended")
    assert alice.has("usdc") == (Decimal(9600), Decimal(0))
    assert alice.client.refresh_token != before
    alice.expires()
    with suppress(requests.HTTPError):  # Its refresh token has ended, too.
        alice.has("usdc")
        raise AssertionError("the tokens go on")
    alice.client.logout()
    alice.client.complete_login(alice.address, alice.private_key)
    assert alice.has("usdc") == (Decimal(9600), Decimal(0))


def look_around(alice: User) -> None:
    client = alice.client
    assert "Working" in client.test_connection()["message"]
    assert client.get_24h_price(MARKET)["payload"][MARKET]["ticker"]["last"] == "2000.0"
    assert client.get_recent_trades(MARKET)["payload"][0]["price"] == 2000
    assert client.get_coin_stats()["status"] == "success"
    currencies = [balance["currency"] for balance in client.get_balance()["payload"]]
    assert {"eth", "usdc"} <= {*currencies}, currencies


def main(url: str) -> None:
    alice, bob = User(url, usdc="10000"), User(url, eth="1")
    trade_and_cancel(alice, bob)
    fees(alice, bob)
    cancel_all(alice)
    outlive_tokens(alice)
    look_around(alice)
    print(f"{alice.address} is content")


if __name__ == "__main__":
    main(sys.argv[1])
