"""A client that Anchor makes from the published interface of the limit orders' program, and that knows no venue."""

import json
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from tests.clients.node import run_node
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Venue

SCRIPT = Path(__file__).with_name("limit_anchor.mjs")
PROGRAM = "j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X"
FEE_ACCOUNT = "27ZASRjinQgXKsrijKqb9xyRnH6W5KWgLSDveRghvHqc"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


def order_of(maker: Keypair, unique_id: int) -> str:
    seeds = [b"order", bytes(maker.pubkey()), unique_id.to_bytes(8, "little")]
    return str(Pubkey.find_program_address(seeds, Pubkey.from_string(PROGRAM))[0])


def account_of(owner: str, mint: str) -> str:
    seeds = [bytes(Pubkey.from_string(each)) for each in (owner, TOKEN, mint)]
    return str(Pubkey.find_program_address(seeds, ASSOCIATED)[0])


def test_orders_events_and_errors_by_anchor(venue: Venue) -> None:
    trader = Trader(venue)
    trader.has(1 * SOL, 10 * USDC)
    maker, stranger = LimitTrader(venue, trader), Keypair()
    expiring, lasting = order_of(trader.key, 1), order_of(trader.key, 2**64 - 1)
    expires_at = venue.now() // 1000 + 600

    def run(expiry: int) -> Any:
        secrets = (json.dumps(list(bytes(each))) for each in (trader.key, stranger))
        done = run_node(SCRIPT, f"{venue.url}/rpc", *secrets, USDC.mint, JUP.mint, str(expiry))
        assert done.returncode == 0, done.stderr[-4_000:]
        return json.loads(done.stdout)

    saw = run(expires_at)
    fee_account = account_of(FEE_ACCOUNT, JUP.mint)
    terms = {"maker": trader.wallet, "inputMint": USDC.mint, "outputMint": JUP.mint, "feeBps": 10, "slippageBps": 69}
    programs = {"inputTokenProgram": TOKEN, "outputTokenProgram": TOKEN, "feeAccount": fee_account}
    amounts = {"makingAmount": "4c4b40", "takingAmount": "07", "expiredAt": None}
    data = {"orderKey": lasting, **terms, **programs, **amounts}
    assert saw["created"] == [{"name": "CreateOrderEvent", "data": data}]
    order = {key: value for key, value in saw["order"].items() if key not in {"bump", "createdAt", "updatedAt"}}
    assert order == {
        **terms,
        **programs,
        **amounts,
        "inputMintReserve": account_of(lasting, USDC.mint),
        "uniqueId": "ffffffffffffffff",
        "oriMakingAmount": "4c4b40",
        "oriTakingAmount": "07",
        "borrowMakingAmount": "00",
    }
    assert saw["listed"] == sorted([expiring, lasting])
    assert saw["refusals"] == [
        [6008, "OrderNotExpired", PROGRAM],
        [6000, "InvalidMakingAmount", PROGRAM],
        [6017, "InvalidExpiredDate", PROGRAM],
    ]
    assert saw["cancelled"] == [{"name": "CancelOrderEvent", "data": {"orderKey": lasting}}]
    assert (saw["left"], maker.open_orders()) == ([expiring], [expiring])

    venue.advances(601)
    saw = run(0)
    assert saw == {"cancelled": [{"name": "CancelOrderEvent", "data": {"orderKey": expiring}}], "left": []}
    assert (maker.open_orders(), trader.holds(USDC)) == ([], 10_000_000)
