"""Histories of orders on the chain, over the APIs alone: whatever landed, and however the venue was stopped."""

import asyncio
import base64
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from solders.compute_budget import set_compute_unit_limit

from countermand.services.transactions.builder import unsigned_text
from countermand.solana.programs import dca, limit_order, limit_order_fills
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message
from countermand.solana.programs.dca import DcaBalance
from countermand.solana.programs.limit_order_fills import Taking
from countermand.solana.tokens import TOKEN_PROGRAM
from countermand.store.beside import database_beside
from tests.audit.complete import run
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, PRICES, SOL, USDC, Venue, running_venue

_FORGET = (
    "DELETE FROM onchain_orders",
    "DELETE FROM onchain_trades",
    "DELETE FROM onchain_cursors",
    "DELETE FROM journal WHERE shard = 3",
    "DELETE FROM events WHERE shard = 3",
    "UPDATE shards SET seq = began, head = '', last_at = 0 WHERE shard = 3",
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("histories"), "--keeper") as venue:
        yield venue


@pytest.fixture
def venue(kept: Venue) -> Iterator[Venue]:
    kept.prices(PRICES)
    kept.deepens_pools()
    yield kept
    kept.settles()
    assert kept.audit().get("differences", []) == []


@pytest.fixture
def alice(venue: Venue) -> LimitTrader:
    return trader_in(venue)


def trader_in(venue: Venue) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 10_000 * USDC, 1_000 * JUP)
    return LimitTrader(venue, trader)


def saver_in(venue: Venue) -> Saver:
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)
    return saver


def history(of: LimitTrader, **query: str) -> list[Any]:
    rows: list[Any] = of.get("getTriggerOrders", user=of.wallet, orderStatus="history", **query)["orders"]
    return rows


def cancels(alice: LimitTrader, *orders: str) -> str:
    (built,) = alice.builds_cancels(*orders)
    signature: str = alice.executes(built).ok()["signature"]
    return signature


# --- limit orders


def test_a_cancelled_order(alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=10**12)
    assert history(alice) == []
    signature = cancels(alice, order)
    (row,) = history(alice)
    assert (row["orderKey"], row["status"], row["closeTx"], row["trades"]) == (order, "Cancelled", signature, [])
    assert (row["remainingMakingAmount"], row["rawRemainingTakingAmount"]) == ("100", "1000000000000")
    assert list(row) == [
        "userPubkey",
        "orderKey",
        "inputMint",
        "outputMint",
        "makingAmount",
        "takingAmount",
        "remainingMakingAmount",
        "remainingTakingAmount",
        "rawMakingAmount",
        "rawTakingAmount",
        "rawRemainingMakingAmount",
        "rawRemainingTakingAmount",
        "slippageBps",
        "expiredAt",
        "createdAt",
        "updatedAt",
        "status",
        "openTx",
        "closeTx",
        "programVersion",
        "trades",
    ]


def test_an_order_that_is_filled_in_parts(venue: Venue, alice: LimitTrader) -> None:
    venue.pool(USDC, most=30_000_000)
    order = alice.places(100 * USDC, SOL, take=10**8)
    venue.settles()
    (row,) = history(alice)
    assert (row["orderKey"], row["status"], row["rawRemainingMakingAmount"]) == (order, "Completed", "0")
    assert [trade["inputAmount"] for trade in row["trades"]] == ["10", "30", "30", "30"]
    assert sum(int(trade["rawOutputAmount"]) for trade in row["trades"]) >= 10**8
    assert row["closeTx"] == row["trades"][0]["txId"]


def test_a_filled_order_as_captured(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(1 * SOL, USDC, take=100_000_000)
    venue.settles()
    (row,) = history(alice)
    assert (row["orderKey"], row["status"], row["remainingMakingAmount"]) == (order, "Completed", "0")
    (trade,) = row["trades"]
    assert list(trade) == [
        "orderKey",
        "keeper",
        "inputMint",
        "outputMint",
        "inputAmount",
        "outputAmount",
        "rawInputAmount",
        "rawOutputAmount",
        "feeMint",
        "feeAmount",
        "rawFeeAmount",
        "txId",
        "confirmedAt",
        "action",
        "productMeta",
    ]
    assert (trade["inputAmount"], trade["outputAmount"], trade["feeAmount"], trade["action"]) == (
        "1",
        "100",
        "0.1",
        "Fill",
    )
    assert (row["closeTx"], row["updatedAt"]) == (trade["txId"], trade["confirmedAt"])


def test_pages_of_ten_and_filters(alice: LimitTrader) -> None:
    orders = [alice.places(10 * USDC, JUP, take=10**12) for _ in range(11)]
    orders.append(alice.places(10 * USDC, SOL, take=10**12))
    for order in orders:
        cancels(alice, order)
    first = alice.get("orderHistory", wallet=alice.wallet)
    second = alice.get("orderHistory", wallet=alice.wallet, page="2")
    assert [len(page["orders"]) for page in (first, second)] == [10, 2]
    assert [(page["page"], page["totalPages"], page["hasMoreData"]) for page in (first, second)] == [
        (1, 2, True),
        (2, 2, False),
    ]
    assert sorted(row["orderKey"] for page in (first, second) for row in page["orders"]) == sorted(orders)
    assert "slippageBps" not in first["orders"][0]
    assert [row["orderKey"] for row in history(alice, outputMint=SOL.mint)] == orders[-1:]
    assert history(alice, inputMint=SOL.mint) == []
    older = LimitTrader(alice.venue, alice.trader, "/limit/v2").get("orderHistory", wallet=alice.wallet, page="2")
    assert list(older) == ["orders", "hasMoreData", "page"]
    assert not [name for name in older["orders"][0] if name.startswith("raw")]


def test_d1_open_orders_by_page(alice: LimitTrader) -> None:
    for root in ("/trigger/v1", "/limit/v2"):
        alice.root = root
        order = alice.places(10 * USDC, JUP, take=10**12)
        (row,) = alice.get("openOrders", wallet=alice.wallet, responseV2="true")["orders"]
        assert (row["orderKey"], row["status"], row["closeTx"], row["trades"]) == (order, "Open", "", [])
        assert alice.venue.rpc("getTransaction", row["openTx"], {"encoding": "base64"})
        page = alice.get("openOrders", wallet=alice.wallet, responseV2="1", page="2")
        assert page == {"orders": [], "totalPages": 1, "page": 2, "hasMoreData": False}
        assert isinstance(alice.get("openOrders", wallet=alice.wallet), list)
        cancels(alice, order)


def test_orders_that_ended_within_a_second_come_in_the_order_of_the_chain(venue: Venue, alice: LimitTrader) -> None:
    venue.freezes()
    try:
        orders = [alice.places(10 * USDC, JUP, take=10**12) for _ in range(5)]
        for order in orders:
            cancels(alice, order)
            venue.passes_slots(1)
        rows = history(alice)
    finally:
        venue.runs()
    assert len({row["updatedAt"] for row in rows}) == 1
    assert [row["orderKey"] for row in rows] == orders[::-1]


def test_orders_that_ended_in_one_slot_come_in_the_order_of_the_block(venue: Venue, alice: LimitTrader) -> None:
    """Five by a transaction of each, and five by one."""
    venue.freezes()
    try:
        orders = [alice.places(10 * USDC, JUP, take=10**12) for _ in range(10)]
        for order in orders[:5]:
            cancels(alice, order)
        cancels(alice, *orders[5:])
        rows = history(alice)
    finally:
        venue.runs()
    assert [row["orderKey"] for row in rows] == orders[::-1]


def test_an_address_that_one_transaction_uses_again_and_again(venue: Venue, alice: LimitTrader) -> None:
    """The same account opened and cancelled twice, and left open: three orders of one opening."""
    new = limit_order.NewOrder(
        maker=alice.wallet,
        payer=alice.wallet,
        input_mint=USDC.mint,
        output_mint=JUP.mint,
        unique_id=7,
        making_amount=10_000_000,
        taking_amount=10**12,
    )
    order, opens = new.address, limit_order.initialize_order(new)
    closes = limit_order.cancel_order(
        limit_order.Cancellation.to_maker(order, alice.wallet, USDC.mint, TOKEN_PROGRAM), alice.wallet
    )
    blockhash = venue.rpc("getLatestBlockhash")["blockhash"]
    wants = set_compute_unit_limit(1_000_000)
    sent = compile_message([wants, opens, closes, opens, closes, opens], alice.wallet, blockhash, KeyOrder.RUST)
    signature = alice.sends(base64.b64encode(bytes([1]) + bytes(64) + sent).decode())
    venue.settles()
    assert venue.rpc("getSignatureStatuses", [signature])[0]["err"] is None
    assert [(row["orderKey"], row["openTx"], row["closeTx"]) for row in history(alice)] == 2 * [
        (order, signature, signature)
    ]
    assert [(row["orderKey"], row["openTx"]) for row in alice.trigger_orders()] == [(order, signature)]
    cancels(alice, order)
    assert len(history(alice)) == 3


def test_a_fill_that_failed_is_a_trade_without_amounts(venue: Venue, alice: LimitTrader) -> None:
    """By one who is no keeper."""
    order = alice.places(10 * USDC, JUP, take=10**12)
    account = venue.rpc("getAccountInfo", order, {"encoding": "base64"})
    read = limit_order.read_order(base64.b64decode(account["data"][0]))
    assert read is not None
    fill = limit_order_fills.fill_order(Taking.of(alice.wallet, order, read), 1_000)
    blockhash = venue.rpc("getLatestBlockhash")["blockhash"]
    message = compile_message([fill], alice.wallet, blockhash, KeyOrder.RUST)
    signature = alice.sends(base64.b64encode(bytes([1]) + bytes(64) + message).decode())
    venue.settles()
    status = venue.rpc("getSignatureStatuses", [signature])[0]
    assert status["err"] is not None
    assert [row["trades"] for row in alice.trigger_orders()] == [[]]
    cancels(alice, order)
    assert [row["trades"] for row in history(alice)] == [[]]
    (row,) = history(alice, includeFailedTx="true")
    (trade,) = row["trades"]
    assert (trade["txId"], trade["keeper"], trade["inputAmount"], trade["outputAmount"]) == (
        signature,
        alice.wallet,
        "0",
        "0",
    )


def test_what_is_left_and_the_trades_are_of_one_instant(venue: Venue, alice: LimitTrader) -> None:
    venue.pool(USDC, most=5_000_000)
    order = alice.places(750 * USDC, JUP, take=1_000_000_000)
    seen = 0
    while rows := alice.trigger_orders():
        (row,) = rows
        filled = sum(int(trade["rawInputAmount"]) for trade in row["trades"])
        assert filled == int(row["rawMakingAmount"]) - int(row["rawRemainingMakingAmount"])
        seen += 1
    assert seen > 10
    (row,) = history(alice)
    assert (row["orderKey"], row["rawRemainingMakingAmount"], len(row["trades"])) == (order, "0", 150)


# --- recurring ones


def test_what_was_sold_and_the_trades_are_of_one_instant(venue: Venue) -> None:
    saver = saver_in(venue)
    for _ in range(3):
        saver.opens(300 * USDC, SOL, numberOfOrders=6, interval=30)

    def moves() -> None:
        for _ in range(60):
            venue.advances(30)

    with ThreadPoolExecutor(1) as threads:
        moving = threads.submit(moves)
        while not moving.done():
            for row in saver.lists()["time"]:
                assert sum(int(trade["rawInputAmount"]) for trade in row["trades"]) == int(row["rawInUsed"])
                assert sum(int(trade["rawOutputAmount"]) for trade in row["trades"]) == int(row["rawOutReceived"])
    venue.settles()


def test_a_plan_from_its_first_cycle_to_its_end(venue: Venue) -> None:
    saver = saver_in(venue)
    order, opening = saver.opens(104 * USDC, SOL, interval=60)
    venue.settles()
    (row,) = saver.lists()["time"]
    assert (row["inUsed"], len(row["trades"]), row["closeTx"]) == ("52", 1, "")
    assert row["outReceived"] == row["outWithdrawn"] == row["trades"][0]["outputAmount"]
    venue.advances(100)
    venue.settles()
    assert saver.lists()["time"] == []
    answer = saver.lists(orderStatus="history", recurringType="all")
    (row,) = answer["all"]
    assert (row["orderKey"], row["openTx"], row["userClosed"], row["recurringType"]) == (order, opening, False, "time")
    assert (row["inDeposited"], row["inUsed"], row["inWithdrawn"], len(row["trades"])) == ("104", "104", "0", 2)
    assert row["trades"][0]["confirmedAt"] >= row["trades"][1]["confirmedAt"]
    assert row["closeTx"]
    assert saver.lists(orderStatus="history", mint=JUP.mint)["time"] == []
    assert len(saver.lists(orderStatus="history", mint=SOL.mint)["time"]) == 1


def test_a_plan_that_its_owner_closes(venue: Venue) -> None:
    saver = saver_in(venue)
    order, _ = saver.opens(104 * USDC, SOL)
    venue.settles()
    built = saver.asks_to_cancel(order).ok()
    signature = saver.executes(built["transaction"], requestId=built["requestId"]).ok()["signature"]
    (row,) = saver.lists(orderStatus="history")["time"]
    assert (row["closeTx"], row["userClosed"]) == (signature, True)
    assert (row["inUsed"], row["inWithdrawn"], len(row["trades"])) == ("52", "52", 1)


def test_a_plan_is_updated_by_its_owner_alone(venue: Venue) -> None:
    """Not by a cycle."""
    venue.freezes()
    saver = saver_in(venue)
    order, _ = saver.opens(104 * USDC, SOL, interval=60)
    venue.settles()
    keys = dca.DcaKeys(dca=order, user=saver.wallet, input_mint=USDC.mint, output_mint=SOL.mint)

    def moves(message: Callable[[str], bytes]) -> tuple[str, str]:
        venue.advances(10)
        saver.sends(unsigned_text(message(venue.rpc("getLatestBlockhash")["blockhash"])))
        (row,) = saver.lists()["time"]
        assert (row["inUsed"], row["createdAt"]) == ("52", opened)
        return row["inDeposited"], row["updatedAt"]

    opened = iso(venue.now())
    budget = Budget(200_000, 0)
    assert moves(partial(dca.deposit_message, keys, 1_000_000, budget)) == ("105", iso(venue.now()))
    assert moves(partial(dca.withdraw_message, keys, DcaBalance.IN, 1_000_000, budget)) == ("105", iso(venue.now()))
    venue.runs()


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- however it was stopped


def lives(venue: Venue) -> list[tuple[LimitTrader, Saver]]:
    people = []
    for _ in range(3):
        alice, saver = trader_in(venue), saver_in(venue)
        alice.places(1 * SOL, USDC, take=100_000_000)
        cancels(alice, alice.places(10 * USDC, JUP, take=10**12))
        alice.places(10 * USDC, JUP, take=10**12)
        saver.opens(104 * USDC, SOL, interval=60)
        people.append((alice, saver))
    venue.settles()
    return people


def shown(people: list[tuple[LimitTrader, Saver]]) -> list[Any]:
    return [
        (
            history(alice, includeFailedTx="true"),
            alice.trigger_orders(),
            saver.lists(),
            saver.lists(orderStatus="history"),
        )
        for alice, saver in people
    ]


def moved(people: list[tuple[LimitTrader, Saver]], venue: Venue) -> list[tuple[LimitTrader, Saver]]:
    """The same people at a venue that began again."""
    for alice, saver in people:
        alice.venue = alice.trader.venue = saver.venue = venue
    return people


def test_a_history_outlives_a_stop_a_kill_and_an_index_that_begins_late(tmp_path: Path) -> None:
    with running_venue(tmp_path, "--keeper") as venue:
        people = lives(venue)
        before = shown(people)
        assert [len(rows[0]) for rows in before] == [2, 2, 2]
    with running_venue(tmp_path, "--keeper") as venue:
        assert shown(moved(people, venue)) == before
    asyncio.run(_forget(tmp_path / "data"))
    with running_venue(tmp_path, "--keeper") as venue:
        assert shown(moved(people, venue)) == before
        assert venue.audit().get("differences", []) == []


def test_what_is_known_of_before_is_no_news_to_wait_for(tmp_path: Path) -> None:
    with running_venue(tmp_path) as venue:
        alice = trader_in(venue)
        alice.places(10 * USDC, JUP, take=10**12)
        before = alice.trigger_orders()
        assert len(before) == 1
    with running_venue(tmp_path) as venue:
        alice.venue = alice.trader.venue = venue
        assert alice.trigger_orders() == before
        assert "is late" not in venue.log.read_text()


def test_a_kill_in_the_middle_of_business(tmp_path: Path) -> None:
    people: list[tuple[LimitTrader, Saver]] = []
    with pytest.raises(AssertionError):
        _is_killed_at_work(tmp_path, people)
    with running_venue(tmp_path, "--keeper") as venue:
        moved(people, venue)
        venue.settles()
        for rows, *_ in shown(people):
            assert sorted(row["status"] for row in rows) == ["Cancelled", "Completed", "Completed"]
            assert len({row["openTx"] for row in rows}) == 3
            assert [len(row["trades"]) for row in rows if row["status"] == "Completed"] == [1, 1]
        assert venue.audit().get("differences", []) == []


def _is_killed_at_work(data: Path, people: list[tuple[LimitTrader, Saver]]) -> None:
    with running_venue(data, "--keeper") as venue:
        people += lives(venue)
        for alice, _ in people:
            alice.places(1 * SOL, USDC, take=100_000_000)
        os.kill(venue.process.pid, signal.SIGKILL)
        venue.process.wait()


def test_a_reset_forgets_it(venue: Venue, alice: LimitTrader) -> None:
    cancels(alice, alice.places(10 * USDC, JUP, take=10**12))
    assert history(alice)
    venue.resets()
    assert history(alice) == []
    venue.prices(PRICES)
    anew = trader_in(venue)
    cancels(anew, anew.places(10 * USDC, JUP, take=10**12))
    assert len(history(anew)) == 1


async def _forget(data: Path) -> None:
    """As if no index had ever run."""
    async with database_beside(data, None) as dsn:
        for statement in _FORGET:
            await run(dsn, statement)
