"""Makers who ask no API of ours: they know the order programs and the chain's JSON-RPC. All APIs see their orders."""

import json
from pathlib import Path
from typing import Any

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.models import MemcmpOpts
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from tests.clients.node import run_node
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Venue
from tests.programs.world import LIMIT, Limit

SCRIPT = Path(__file__).with_name("orders_alone.mjs")
HAS = 1_000_000_000


@pytest.fixture
def alice(venue: Venue) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC, 1 * JUP)
    return LimitTrader(venue, trader)


def by_web3(alice: LimitTrader, *what: str) -> list[str]:
    secret = json.dumps(list(bytes(alice.trader.key)))
    done = run_node(SCRIPT, f"{alice.venue.url}/rpc", secret, USDC.mint, JUP.mint, *what)
    assert done.returncode == 0, done.stderr[-4_000:]
    answer: list[str] = json.loads(done.stdout)
    return answer


def test_one_six_and_all_by_web3(alice: LimitTrader) -> None:
    orders = by_web3(alice, "open", "10")
    assert sorted(alice.open_orders()) == sorted(orders)
    assert alice.trader.holds(USDC) == HAS - 100_000_000
    assert all(row["openTx"] for row in alice.trigger_orders())
    assert sorted(by_web3(alice, "cancel", orders[4])) == sorted(set(orders) - {orders[4]})
    left = [*orders[:3], *orders[9:]]
    assert sorted(by_web3(alice, "cancel", orders[3], *orders[5:9], orders[0])) == sorted(left[1:])
    assert sorted(alice.open_orders()) == sorted(left[1:])
    assert by_web3(alice, "cancel") == []
    assert (alice.open_orders(), alice.trader.holds(USDC)) == ([], HAS)


def test_what_was_opened_alone_is_cancelled_by_the_api(alice: LimitTrader) -> None:
    orders = by_web3(alice, "open", "6")
    for transaction in alice.builds_cancels(*orders):
        assert alice.executes(transaction).ok()["status"] == "Success"
    assert alice.trader.holds(USDC) == HAS


def test_a_recurring_order_by_web3(venue: Venue, alice: LimitTrader) -> None:
    saver = Saver(venue, alice.trader.key)
    (order,) = by_web3(alice, "save")
    (row,) = saver.lists()["time"]
    assert (row["orderKey"], row["inDeposited"], row["inAmountPerCycle"]) == (order, "104", "52")
    assert row["openTx"]
    assert by_web3(alice, "close", order) == []
    assert (saver.lists()["time"], alice.trader.holds(USDC)) == ([], HAS)


async def test_one_six_and_all_by_solana_py(venue: Venue, alice: LimitTrader) -> None:
    key = alice.trader.key
    maker = key.pubkey()
    limits = [Limit(maker=maker, unique_id=number, making=10_000_000) for number in range(9)]
    async with AsyncClient(f"{venue.url}/rpc", Confirmed) as client:

        async def sends(*instructions: Instruction) -> None:
            blockhash = (await client.get_latest_blockhash()).value.blockhash
            message = Message.new_with_blockhash(list(instructions), maker, blockhash)
            sent = await client.send_transaction(VersionedTransaction(message, [key]))
            (status,) = (await client.confirm_transaction(sent.value, sleep_seconds=0.01)).value
            assert status is not None
            assert status.err is None

        async def has() -> list[Pubkey]:
            filters: list[Any] = [372, MemcmpOpts(offset=8, bytes=str(maker))]
            found = await client.get_program_accounts(LIMIT, encoding="base64", filters=filters)
            return [each.pubkey for each in found.value]

        for limit in limits:
            await sends(limit.initialize())
        assert set(await has()) == {limit.key for limit in limits}
        assert sorted(alice.open_orders()) == sorted(str(limit.key) for limit in limits)
        await sends(limits[8].cancel())
        for batch in (limits[:5], limits[5:6]):
            await sends(*(limit.cancel() for limit in batch))
        assert set(await has()) == {limits[6].key, limits[7].key}
        theirs = {limit.key: limit for limit in limits}
        await sends(*[theirs[order].cancel() for order in await has()])
        assert (await has(), alice.open_orders()) == ([], [])
    assert alice.trader.holds(USDC) == HAS
