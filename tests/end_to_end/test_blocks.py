"""Blocks and counts of a venue on PostgreSQL, through a reset, a snapshot and its restoration (E6)."""

from typing import Any

from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import USDC, Venue

VERSIONS = {"maxSupportedTransactionVersion": 0}


def newest(venue: Venue, trader: Trader) -> dict[str, Any]:
    found: list[dict[str, Any]] = venue.rpc("getSignaturesForAddress", trader.wallet, {"limit": 1})
    return found[0]


def signatures(venue: Venue, slot: int) -> list[str]:
    block = venue.rpc("getBlock", slot, {"transactionDetails": "signatures"})
    found: list[str] = block["signatures"]
    return found


def test_a_block_stays_through_a_snapshot_and_ends_with_a_reset(venue: Venue, alice: Trader) -> None:
    landed = newest(venue, alice)
    assert landed["signature"] in signatures(venue, landed["slot"])
    count = venue.rpc("getTransactionCount")
    assert count > 0
    told = venue.rpc("getBlock", landed["slot"], VERSIONS)
    venue.ask("POST", "/sandbox/snapshots", {"name": "before"}).ok()
    venue.resets()
    assert venue.rpc("getTransactionCount") < count
    assert signatures(venue, landed["slot"]) == []
    venue.ask("POST", "/sandbox/snapshots/before/restore", {}).ok()
    assert venue.rpc("getTransactionCount") >= count
    again = venue.rpc("getBlock", landed["slot"], VERSIONS)
    assert (again["transactions"], again["blockTime"]) == (told["transactions"], told["blockTime"])


def test_the_supply_is_what_the_accounts_hold(venue: Venue, alice: Trader) -> None:
    """An airdrop moves lamports from the faucet, and burns a fee."""
    before = venue.rpc("getSupply")
    venue.rpc("requestAirdrop", alice.wallet, 10**9)
    after = venue.rpc("getSupply")
    assert after["circulating"] - before["circulating"] == 10**9
    fee = before["total"] - after["total"]
    assert 0 <= fee <= 10_000
    (faucet,) = after["nonCirculatingAccounts"]
    assert after["nonCirculating"] == venue.lamports(faucet)
    largest = venue.rpc("getLargestAccounts", {"filter": "nonCirculating"})
    assert largest == [{"address": faucet, "lamports": after["nonCirculating"]}]


def test_the_largest_holders_and_the_minutes(venue: Venue, alice: Trader) -> None:
    largest = venue.rpc("getTokenLargestAccounts", USDC.mint)
    assert [int(each["amount"]) for each in largest] == sorted((int(each["amount"]) for each in largest), reverse=True)
    samples = venue.rpc("getRecentPerformanceSamples", 3)
    assert [sample["numSlots"] for sample in samples] == [150] * 3
