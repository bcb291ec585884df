"""The JavaScript of the page "Manage Orders", cut out of it and run as it stands, but for the base URL.

`seed_manage_orders.md` holds the page's code blocks as published. Each runs as a module of its own, which is given the
variables that the page takes for granted.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.clients.node import run_node
from tests.end_to_end.trader import Trader, oco, otoco, single
from tests.end_to_end.venue import SOL, USDC, Venue

PAGE = (Path(__file__).parent / "seed_manage_orders.md").read_text()
BLOCKS = re.findall(r"```(\w+)  theme=\{null\}\n(.*?)```", PAGE, re.DOTALL)
UPDATE, CANCEL, CONFIRM = [code for language, code in BLOCKS if language == "typescript"]
SINGLE, OCO, OTOCO, CANCEL_ANSWER = [json.loads(code) for language, code in BLOCKS if language == "json"]
PUBLISHED_URL = "https://api.jup.ag"

GIVEN = """
import { Keypair } from '@solana/web3.js';
const { orderId, token, secretKey, cancelData: given } = JSON.parse(process.env.GIVEN);
const keypair = Keypair.fromSecretKey(Uint8Array.from(secretKey));
const wallet = { publicKey: keypair.publicKey, signTransaction: async (tx) => { tx.sign([keypair]); return tx; } };
"""


class PageReader:
    """A trader who does what the page says."""

    def __init__(self, trader: Trader, order_id: str) -> None:
        self.trader = trader
        self.order_id = order_id
        self.cancel_data: Any = None

    def updates(self) -> Any:
        return self._runs(UPDATE, "[updateResponse.status, result]")

    def updates_with(self, body: Any) -> Any:
        """The page's request, with another of the bodies that it shows."""
        given = f"JSON.stringify({json.dumps(body)})"
        code, count = re.subn(r"JSON\.stringify\(\{.*?\}\)", lambda _: given, UPDATE, flags=re.DOTALL)
        assert count == 1
        return self._runs(code, "[updateResponse.status, result]")

    def asks_to_cancel(self) -> Any:
        status, self.cancel_data = self._runs(CANCEL, "[cancelResponse.status, cancelData]")
        return status, self.cancel_data

    def confirms(self) -> Any:
        return self._runs(CONFIRM, "[confirmResponse.status, result]", before="const cancelData = given;")

    def _runs(self, snippet: str, shown: str, before: str = "") -> Any:
        given = {
            "orderId": self.order_id,
            "token": self.trader.token,
            "secretKey": list(bytes(self.trader.key)),
            "cancelData": self.cancel_data,
        }
        assert PUBLISHED_URL in snippet
        code = snippet.replace(PUBLISHED_URL, self.trader.venue.url)
        done = run_node(
            f"{GIVEN}{before}\n{code}\nconsole.log(JSON.stringify({shown}));", env={"GIVEN": json.dumps(given)}
        )
        assert done.returncode == 0, done.stderr[-4_000:]
        status, answer = json.loads(done.stdout)
        return status, answer


@pytest.fixture
def alice(venue: Venue) -> Trader:
    alice = Trader(venue)
    alice.has(10 * SOL, 1_000 * USDC)
    return alice.joins()


@pytest.fixture
def reader(alice: Trader) -> PageReader:
    return PageReader(alice, alice.places(single(sell=1 * SOL, above=200)))


def test_the_page_updates_an_order(venue: Venue, alice: Trader, reader: PageReader) -> None:
    assert reader.updates() == (200, {"id": reader.order_id})
    row = alice.sees(reader.order_id)
    assert (row["triggerPriceUsd"], row["slippageBps"], row["orderState"]) == (210, 150, "open")


def test_the_page_cancels_an_order(venue: Venue, alice: Trader, reader: PageReader) -> None:
    before = alice.holds(SOL)
    status, cancel_data = reader.asks_to_cancel()
    assert status == 200
    assert list(cancel_data) == list(CANCEL_ANSWER)
    assert cancel_data["id"] == reader.order_id
    row = alice.sees(reader.order_id)
    assert (row["rawState"], row["orderState"]) == ("ready_to_cancel", "pending_withdraw")

    venue.price(SOL, "250")  # The order will no longer be filled, even if step 2 has not yet completed.
    venue.settles()
    assert alice.state_of(reader.order_id) == "pending_withdraw"

    status, result = reader.confirms()
    assert (status, list(result), result["id"]) == (200, ["id", "txSignature"], reader.order_id)
    assert alice.state_of(reader.order_id) == "cancelled"
    assert alice.holds(SOL) - before > 1_000_000_000  # The funds and the account's rent, less the fee.


def test_the_page_confirms_again_what_did_not_land(venue: Venue, alice: Trader, reader: PageReader) -> None:
    reader.asks_to_cancel()
    venue.faults(dropTransactions=1_000)  # Also what is sent again meanwhile.
    status, result = reader.confirms()
    assert status == 500
    assert result == {"error": "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId."}
    row = alice.sees(reader.order_id)
    assert row["rawState"] == "ready_to_cancel"
    venue.faults()
    status, result = reader.confirms()
    assert (status, list(result)) == (200, ["id", "txSignature"])
    assert alice.state_of(reader.order_id) == "cancelled"


def test_the_page_withdraws_an_expired_order(venue: Venue, alice: Trader) -> None:
    before = alice.holds(USDC)
    order = alice.places(single(sell=200 * USDC, buy=SOL, below=120, lives_ms=60_000))
    venue.advances(60)
    assert alice.state_of(order) == "expired"
    reader = PageReader(alice, order)
    assert reader.asks_to_cancel()[0] == 200
    assert alice.sees(order)["rawState"] == "ready_to_cancel"
    assert reader.confirms()[0] == 200
    assert alice.state_of(order) == "cancelled"
    assert alice.holds(USDC) == before


def test_the_page_updates_an_order_of_each_type(alice: Trader) -> None:
    shown = [
        (single(sell=1 * SOL, above=200), SINGLE),
        (oco(sell=1 * SOL, take_profit=300, stop_loss=100), OCO),
        (otoco(sell=1 * SOL, buy=USDC, above=200, take_profit=300, stop_loss=100), OTOCO),
    ]
    for wish, body in shown:
        order = alice.places(wish)
        assert PageReader(alice, order).updates_with(body) == (200, {"id": order})
        row = alice.sees(order)
        assert {name: row[name] for name in body} == body


def test_the_bodies_that_the_page_shows(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200))
    assert alice.patch(f"/orders/price/{order}", SINGLE).ok() == {"id": order}
    for other in (OCO, OTOCO):
        refused = alice.patch(f"/orders/price/{order}", other)
        assert refused.status == 400
        assert list(refused.body["details"]) == ["orderType"]
