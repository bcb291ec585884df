"""Wallets that change a transaction before they sign it (D10): a documented refusal, the difference in the log."""

import json
from typing import Any

import pytest

from tests.altering import ALTERED, LIGHTHOUSE, SPONSOR, altered
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, SOL, USDC, Venue

SELL = single(sell=1 * SOL, above=200)


def told(venue: Venue, of: str) -> dict[str, Any]:
    """The newest line of the log about what was altered of that order or request."""
    lines = [json.loads(line) for line in venue.log.read_text().splitlines() if line.startswith("{")]
    return next(line for line in reversed(lines) if "not the one that was built" in line["event"] and line["of"] == of)


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_deposit_takes_nothing_and_the_crafted_one_still_works(alice: Trader, what: str) -> None:
    alter, _ = ALTERED[what]
    craft = alice.crafts(SELL)
    body, before = alice.body_for(SELL, craft), alice.holds(SOL)
    refused = alice.creates(body | {"depositSignedTx": altered(craft["transaction"], alter, alice.key)})
    assert refused.error == (400, "Invalid signed deposit transaction: Transaction accounts modified")
    assert (alice.holds(SOL), alice.history()) == (before, [])
    order = alice.creates(body).ok()["id"]
    line = told(alice.venue, order)
    assert (line["level"], line["kind"]) == ("info", "deposit")
    assert str(body["depositSignedTx"]) not in json.dumps(line)


@pytest.mark.parametrize("what", ALTERED)
@pytest.mark.parametrize("sell", [1 * SOL, 200 * USDC], ids=["SOL", "USDC"])
def test_an_altered_withdrawal_takes_nothing_and_the_crafted_one_still_works(
    alice: Trader, what: str, sell: Any
) -> None:
    alter, which = ALTERED[what]
    order = alice.places(single(sell=sell, buy=JUP, above=1_000, trigger=SOL))
    cancelling, before = alice.cancels(order), alice.holds(SOL)
    refused = alice.hands_in(order, altered(cancelling.transaction, alter, alice.key), cancelling.request_id)
    assert refused.error == (400, f"Invalid withdrawal transaction: Transaction {which} modified")
    assert (alice.holds(SOL), alice.sees(order)["rawState"]) == (before, "ready_to_cancel")
    assert told(alice.venue, order)["kind"] == "withdrawal"
    assert alice.confirms(order, cancelling).status == 200


def test_the_log_says_what_a_wallet_added(alice: Trader) -> None:
    order = alice.places(SELL)
    cancelling = alice.cancels(order)
    expected: list[tuple[str, dict[str, object]]] = [
        ("a Lighthouse assert", {"accounts_added": [str(LIGHTHOUSE)]}),
        ("another payer", {"payer": f"{alice.wallet} became {SPONSOR.pubkey()}"}),
        ("another signer", {"signers_added": [str(SPONSOR.pubkey())]}),
        ("version 0", {"version": "legacy became version 0"}),
    ]
    for alter, said in expected:
        alice.hands_in(order, altered(cancelling.transaction, ALTERED[alter][0], alice.key), cancelling.request_id)
        line = told(alice.venue, order)
        assert {name: line[name] for name in said} == said
    alice.hands_in(
        order, altered(cancelling.transaction, ALTERED["a compute budget"][0], alice.key), cancelling.request_id
    )
    line = told(alice.venue, order)
    assert line["instructions_added"] == ["Compute budget: an offer of 7 micro-lamports for each compute unit"]
    assert not {"signers_added", "payer", "accounts_added", "blockhash"} & set(line)


@pytest.mark.parametrize("root", ["/trigger/v1", "/limit/v2"])
@pytest.mark.parametrize("what", ["a compute budget", "a Lighthouse assert", "another payer", "version 0"])
def test_an_altered_transaction_of_trigger_v1_is_told_in_the_log(venue: Venue, root: str, what: str) -> None:
    trader = Trader(venue)
    trader.has(10 * SOL)
    alice = LimitTrader(venue, trader, root)
    built = alice.builds(1 * SOL, JUP, 500_000)
    creation = built.get("transaction") or built["tx"]
    refused = alice.post("execute", signedTransaction=altered(creation, ALTERED[what][0], trader.key))
    assert (refused.status, refused.body) == (400, {"error": "invalid transaction", "code": 400, "status": "Failed"})
    lines = [line for line in venue.log.read_text().splitlines() if '"limit.create"' in line]
    assert "not the one that was built" in lines[-1]
    assert alice.rows() == []
    assert alice.executes(creation).ok()["status"] == "Success"
