"""Both families whose orders live on the chain, over a node in another process: what serves Jupiter's own programs."""

import time
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from solders.compute_budget import set_compute_unit_price

from countermand.orders.limit.model.order import LimitTerms, Unsigned
from countermand.orders.limit.service import LimitService
from countermand.orders.recurring.model.order import RecurringTerms
from countermand.orders.recurring.service import RecurringService
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import TransactionBuilder, unsigned_text
from countermand.services.transactions.client_transactions import Build, ClientTransactions, Executed
from countermand.services.transactions.landing import ChainLanding
from countermand.solana.rpc import RpcChain
from countermand.values.identity import Mint, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand_simulator.untold import NothingTold
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.limiting_node import limiting_node
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader, signed
from tests.end_to_end.venue import JUP, SOL, USDC, Funds, Venue, running_venue
from tests.orders.recurring.stage import Drawer

PATIENCE_MS = 2_000
FEES = "getRecentPrioritizationFees"


class WallClock:
    def now(self) -> Instant:
        return Instant(self.wall_ms())

    def wall_ms(self) -> int:
        return time.time_ns() // 10**6

    def elapsed_ms(self) -> int:
        return self.wall_ms()

    async def sleep(self, ms: int) -> None:
        raise AssertionError("nothing sleeps here")


@pytest.fixture
async def node(venue: Venue) -> AsyncIterator[RpcChain]:
    chain = RpcChain(f"{venue.url}/rpc")
    yield chain
    await chain.close()


@pytest.fixture
def alice(venue: Venue) -> Trader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    return trader


async def executes(builds: ClientTransactions, alice: Trader, transaction: str) -> Executed:
    executed = await builds.execute(signed(transaction, alice.key), None)
    assert isinstance(executed, Executed)
    return executed


def builds_on(node: RpcChain) -> ClientTransactions:
    drawer = Drawer()
    return ClientTransactions(drawer, ChainLanding(node), WallClock(), confirm_timeout_ms=PATIENCE_MS)


@pytest.mark.parametrize("sells", [10 * USDC, 1 * SOL])
async def test_a_limit_order(node: RpcChain, alice: Trader, sells: Funds) -> None:
    builds, maker = builds_on(node), Wallet(alice.wallet)
    limits = LimitService(
        node, node, TransactionBuilder(node, node, RecentBlockhash(node, WallClock().wall_ms)), time.time_ns
    )

    async def lands(unsigned: Unsigned, *, opens: bool) -> Executed:
        build = Build(
            RequestId("id"), maker, "any", unsigned.order, opens, unsigned.message, unsigned.last_valid_height
        )
        await builds.remember([build])
        return await executes(builds, alice, unsigned.transaction)

    terms = LimitTerms(
        maker=maker,
        payer=maker,
        input_mint=Mint(sells.token.mint),
        output_mint=Mint(JUP.mint),
        making=BaseUnits(sells.units),
        taking=BaseUnits(7),
        slippage_bps=69,
    )
    creation = await limits.build_create(terms, None)
    assert isinstance(creation, Unsigned)
    opened = await lands(creation, opens=True)
    assert opened.error is None
    (order,) = await limits.open_orders(maker, Mint(sells.token.mint))
    assert (order.address, order.making, order.slippage_bps) == (creation.order, BaseUnits(sells.units), 69)
    assert await limits.opened_by(order) == opened.signature
    assert await limits.decimals_of([order.input_mint]) == {order.input_mint: sells.token.decimals}

    (cancel,) = await limits.build_cancels(maker, None, 1)
    assert (await lands(cancel, opens=False)).error is None
    assert await limits.open_orders(maker) == []
    assert await limits.build_cancels(maker, [order.address], 1) == []
    late = await executes(builds, alice, creation.transaction)
    assert (late.signature, late.error) == (opened.signature, None)


@pytest.mark.parametrize("buys", [SOL.mint, JUP.mint])
async def test_a_recurring_order(node: RpcChain, alice: Trader, buys: str) -> None:
    builds, wallet = builds_on(node), Wallet(alice.wallet)
    blocks = TransactionBuilder(node, node, RecentBlockhash(node, WallClock().wall_ms))
    orders = RecurringService(builds, node, node, blocks, NothingTold(), WallClock(), lambda _: UsdPrice(10**12))
    terms = RecurringTerms(
        wallet=wallet,
        input_mint=Mint(USDC.mint),
        output_mint=Mint(buys),
        amount=BaseUnits(200_000_000),
        cycles=4,
        interval_s=60,
    )
    creation = await orders.create(terms)
    assert isinstance(creation, Build)
    opened = await executes(builds, alice, unsigned_text(creation.message))
    page = await orders.open_orders(wallet, 1)
    assert [(order.order, order.deposited.units, order.opened_by) for order in page.orders] == [
        (creation.order, 200_000_000, opened.signature)
    ]
    cancel = await orders.cancel(creation.order, wallet)
    assert isinstance(cancel, Build)
    assert (await executes(builds, alice, unsigned_text(cancel.message))).error is None
    assert (await orders.open_orders(wallet, 1)).orders == ()
    assert alice.holds(USDC) == 1_000_000_000


@pytest.mark.parametrize("forbidden", [True, False])
def test_a_node_that_does_not_tell_fees(venue: Venue, alice: Trader, tmp_path: Path, *, forbidden: bool) -> None:
    """`auto` is what it is on the embedded chain, and the log tells the question once."""
    limit = LimitTrader(venue, alice).places(1 * SOL, USDC)
    recurring, _ = Saver(venue, alice.key).opens(200 * USDC, JUP)
    with limiting_node(f"{venue.url}/rpc") as node:
        if forbidden:
            node.forbids = {FEES}
        else:
            node.refuses, node.code = {FEES: "Method not found"}, -32601
        with running_venue(tmp_path, "--no-sandbox", "--chain", "rpc", "--rpc-url", node.url) as over_a_node:
            for _ in range(2):
                (cancel,) = LimitTrader(over_a_node, alice).builds_cancels(limit)
            assert bytes(set_compute_unit_price(15_406).data) in b64decode(cancel)
            cancel = Saver(over_a_node, alice.key).asks_to_cancel(recurring).ok()["transaction"]
            assert bytes(set_compute_unit_price(200_000).data) in b64decode(cancel)
        assert len([line for line in (tmp_path / "log").read_text().splitlines() if FEES in line]) == 1
