"""The published SDK of the recurring orders' program, which builds its instructions by itself."""

import json
from pathlib import Path

import pytest
from solders.keypair import Keypair

from tests.clients.node import run_node
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.venue import JUP, SOL, USDC, Token, Venue

SCRIPT = Path(__file__).with_name("dca_sdk.mjs")
ACCOUNT_RENT = 2_039_280


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize(("sells", "buys"), [(USDC, JUP), (USDC, SOL), (SOL, USDC)])
def test_an_order_by_the_sdk(venue: Venue, sells: Token, buys: Token, *, older: bool) -> None:
    """It asks for no bounds by 0, reads events, and closes the account for SOL after it has closed the order."""
    owner = Keypair()
    wallet = str(owner.pubkey())
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(wallet, funds)
    lamports = venue.lamports(wallet)
    terms = (sells.mint, buys.mint, str((200 * USDC).units if sells == USDC else (2 * SOL).units))
    secret = json.dumps(list(bytes(owner)))
    done = run_node(SCRIPT, f"{venue.url}/rpc", secret, *terms, json.dumps(older))
    assert done.returncode == 0, done.stderr[-4_000:]
    answer = json.loads(done.stdout)
    total = int(terms[2])
    assert answer["seen"] == [str(each) for each in (total, total * 11 // 10, total)][: len(answer["seen"])]
    told = dict(answer["events"])
    # It withdraws nothing from an order that buys SOL.
    assert [name for name, _ in answer["events"]] == ["Opened", "Deposit", *["Withdraw"][buys == SOL :], "Closed"]
    left, came = int(answer["seen"][-1]), total * 11 // 10
    same = {"userKey": wallet, "dcaKey": answer["order"], "inputMint": sells.mint, "outputMint": buys.mint}
    same |= {"cycleFrequency": "86400", "inAmountPerCycle": str(total // 4), "createdAt": told["Opened"]["createdAt"]}
    assert told["Opened"] == {**same, "inDeposited": str(total)}
    assert told["Deposit"] == {"dcaKey": answer["order"], "amount": str(total // 10)}
    totals = {"totalInWithdrawn": str(came), "totalOutWithdrawn": "0", "unfilledAmount": str(left), "userClosed": True}
    assert told["Closed"] == {**same, "inDeposited": str(came), **totals}
    assert (answer["open"], answer["left"], Saver(venue, owner).lists()["time"]) == ([answer["order"]], [], [])
    assert venue.units(wallet, USDC) == 1_000_000_000
    # It made an account for what it would have bought, which is the user's.
    kept = ACCOUNT_RENT if buys == JUP else 0
    assert 0 < lamports - venue.lamports(wallet) - kept < 100_000
