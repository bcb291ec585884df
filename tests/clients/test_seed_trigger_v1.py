"""The JavaScript of the page "Cancel Order", cut out of it and run as it stands, but for the base URL.

`seed_cancel_order.md` holds the page's code blocks as published. Then the maker signs and sends, as the page says: by
`/execute`, or by itself with nothing but @solana/web3.js.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed

from tests.clients.node import run_node
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import SOL, USDC, Venue

CLIENTS = Path(__file__).parent
PAGE = (CLIENTS / "seed_cancel_order.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
((_, SNIPPET), (_, SUCCESS), (_, FAILURE)) = BLOCKS
PUBLISHED_URL = "https://api.jup.ag"
PUBLISHED_MAKER = "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"


@pytest.fixture
def alice(venue: Venue) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    return LimitTrader(venue, trader)


def run_page(venue: Venue, orders: list[str] | None, maker: str = PUBLISHED_MAKER) -> Any:
    assert PUBLISHED_URL in SNIPPET
    assert PUBLISHED_MAKER in SNIPPET
    code = SNIPPET.replace(PUBLISHED_URL, venue.url).replace(PUBLISHED_MAKER, maker)
    given = "undefined" if orders is None else json.dumps(orders)
    done = run_node(f"const orderAccounts = {given};\n{code}\nconsole.log(JSON.stringify(cancelOrderResponse));")
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(done.stdout)


def send_alone(alice: LimitTrader, transactions: list[str]) -> list[str]:
    secret = json.dumps(list(bytes(alice.trader.key)))
    done = run_node(CLIENTS / "limit_web3.mjs", f"{alice.venue.url}/rpc", secret, *transactions)
    assert done.returncode == 0, done.stderr[-4_000:]
    signatures: list[str] = json.loads(done.stdout)
    return signatures


@pytest.mark.parametrize("orders", [None, [], ["GLDig3MURFwkbdo3gDCGp6qqLYvN3ZsmThVahYoY5ayG"]])
def test_the_page_as_it_stands_finds_nothing_of_its_maker_s(venue: Venue, orders: list[str] | None) -> None:
    assert run_page(venue, orders) == json.loads(FAILURE)


@pytest.mark.parametrize("named", [True, False])
def test_the_page_cancels_six_orders(venue: Venue, alice: LimitTrader, *, named: bool) -> None:
    orders = [alice.places(10 * USDC, SOL, take) for take in range(1, 7)]
    answer = run_page(venue, orders if named else None, alice.wallet)
    assert list(answer) == list(json.loads(SUCCESS))
    assert len(answer["txs"]) == 2
    for transaction in answer["txs"]:
        assert alice.executes(transaction).ok()["status"] == "Success"
    assert alice.open_orders() == []
    assert run_page(venue, None, alice.wallet) == json.loads(FAILURE)


def test_a_maker_with_nothing_but_web3(venue: Venue, alice: LimitTrader) -> None:
    """Six orders created and cancelled, each transaction sent by itself; the cancels in the reverse order."""
    built = [alice.builds(1 * SOL if take % 2 else 10 * USDC, USDC if take % 2 else SOL, take) for take in range(1, 7)]
    opened = send_alone(alice, [each["transaction"] for each in built])
    assert sorted(alice.open_orders()) == sorted(each["order"] for each in built)
    assert sorted(row["openTx"] for row in alice.trigger_orders()) == sorted(opened)
    cancels = alice.builds_cancels()
    assert len(cancels) == 2
    send_alone(alice, cancels[::-1])
    assert alice.open_orders() == []
    assert alice.trader.holds(USDC) == 1_000_000_000


async def test_a_maker_with_nothing_but_solana_py(venue: Venue, alice: LimitTrader) -> None:
    built = [alice.builds(10 * USDC, SOL, take) for take in range(1, 7)]
    async with AsyncClient(f"{venue.url}/rpc", Confirmed) as client:

        async def send(transaction: str) -> None:
            raw = base64.b64decode(alice.signs(transaction))
            sent = await client.send_raw_transaction(raw)
            (status,) = (await client.get_signature_statuses([sent.value])).value
            assert status is not None
            assert status.err is None

        for each in built:
            await send(each["transaction"])
        assert sorted(alice.open_orders()) == sorted(each["order"] for each in built)
        for transaction in alice.builds_cancels():
            await send(transaction)
    assert (alice.open_orders(), alice.trader.holds(USDC)) == ([], 1_000_000_000)
