"""`serve --chain rpc`: a venue over a node in another process, for the families whose orders live on the chain."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from countermand.store.embedded import running_dsn
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.test_venue_root import countermand, made_key, sets_prices
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue
from tests.forked import COUNTERMAND, Forked


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain-rpc")


@pytest.fixture(scope="module")
def over_a_node(house: Venue, directory: Path) -> Iterator[Venue]:
    """Its node is the sandbox of the other tests, behind its `/rpc`."""
    options = ("--chain", "rpc", "--rpc-url", f"{house.url}/rpc")
    with running_venue(directory, *options, confirm_timeout_ms=5_000) as venue:
        key = made_key(directory, "admin")
        assert sets_prices(venue, key, SOL="150", USDC="1", JUP="0.5").status == 200
        yield venue


@pytest.fixture
def alice(house: Venue) -> Trader:
    trader = Trader(house)
    trader.has(10 * SOL, 1_000 * USDC)
    return trader


def test_a_limit_order_is_opened_read_and_cancelled(over_a_node: Venue, alice: Trader) -> None:
    maker = LimitTrader(over_a_node, alice)
    built = maker.builds(10 * USDC, JUP)
    maker.executes(built["transaction"], requestId=built["requestId"]).ok()
    assert maker.open_orders() == [built["order"]]
    (cancel,) = maker.builds_cancels(built["order"])
    maker.executes(cancel).ok()
    assert maker.open_orders() == []
    assert alice.holds(USDC) == 1_000 * 10**6


def test_a_recurring_order_is_opened_read_and_cancelled(over_a_node: Venue, alice: Trader) -> None:
    saver = Saver(over_a_node, alice.key)
    order, _ = saver.opens(100 * USDC, JUP)
    assert [each["orderKey"] for each in saver.lists()["time"]] == [order]
    built = saver.asks_to_cancel(order).ok()
    saver.executes(built["transaction"], requestId=built["requestId"]).ok()
    assert saver.lists()["time"] == []
    assert alice.holds(USDC) == 1_000 * 10**6


def test_its_operator_sees_the_orders_of_a_wallet_that_is_named(
    over_a_node: Venue, alice: Trader, directory: Path
) -> None:
    """The chain has others than this venue's, which no test wants to load."""
    maker, key = LimitTrader(over_a_node, alice), made_key(directory, "admin")
    order = maker.places(10 * USDC, JUP)

    def listed(query: str) -> list[tuple[str, str]]:
        rows = over_a_node.ask("GET", f"/admin/orders?{query}", headers={"x-api-key": key}).ok()["orders"]
        return [(row["id"], row["waitsFor"].rpartition("; ")[2]) for row in rows]

    assert listed("family=limit") == []
    assert listed(f"family=limit&wallet={maker.wallet}") == [(order, "the chain's own keepers fill it")]
    maker.executes(maker.builds_cancels(order)[0]).ok()


def test_a_trigger_order_cannot_be_placed_without_a_router(over_a_node: Venue, alice: Trader) -> None:
    bob = Trader(over_a_node, alice.key).joins()
    order = single(sell=1 * SOL, above=200)
    answer = bob.creates(bob.body_for(order, bob.crafts(order)))
    assert answer.error == (503, "no router")
    assert bob.history() == []
    anonymous = over_a_node.ask("POST", "/trigger/v2/orders/price", {})
    assert anonymous.status == 401


def test_it_has_no_chain_of_its_own(over_a_node: Venue) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "getSlot"}
    assert over_a_node.ask("POST", "/rpc", asked).status == 404
    assert over_a_node.ask("GET", "/sandbox").status == 404
    assert any("no router" in each for each in missing(over_a_node))


def test_a_node_that_does_not_answer_any_more_is_missing(over_a_node: Venue, house: Venue, alice: Trader) -> None:
    maker = LimitTrader(over_a_node, alice)
    params = {"makingAmount": "10000000", "takingAmount": "1000"}
    tokens = {"inputMint": USDC.mint, "outputMint": JUP.mint}
    body = {**tokens, "maker": maker.wallet, "payer": maker.wallet, "params": params}
    house.faults(rpcDown=True)
    try:
        assert maker.post("createOrder", **body).status >= 500
        assert any("does not answer" in each for each in missing(over_a_node))
    finally:
        house.faults(rpcDown=False)
    maker.post("createOrder", **body).ok()
    assert not any("does not answer" in each for each in missing(over_a_node))


def missing(venue: Venue) -> list[str]:
    named: list[str] = venue.ask("GET", "/health/ready").ok()["missing"]
    return named


def test_funds_are_never_looked_for_on_another_chain(over_a_node: Venue, directory: Path) -> None:
    seed = ("--master-seed", str(directory / "data" / "master-seed"))
    refused = countermand("serve", "--no-sandbox", "--port", "0", "--database-url", dsn_of(directory), *seed)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "on another chain" in refused.stderr


def test_a_venue_ends_when_its_node_begins_another_chain(tmp_path: Path) -> None:
    log = tmp_path / "log"
    options = ("--chain", "rpc", "--port", "0", "--data", str(tmp_path / "venue"))
    with running_venue(tmp_path / "node") as node, log.open("w") as errors:
        url = f"{node.url}/rpc"
        with Forked(COUNTERMAND, "serve", *options, "--rpc-url", url, stderr=errors.fileno()) as venue:
            assert venue.stdout is not None
            assert "is ready" in venue.stdout.readline()
            node.resets()
            assert venue.wait(30) == 2
    assert "serves another chain now" in log.read_text().splitlines()[-1]


def test_a_node_that_does_not_answer_is_named_without_its_key(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/?api-key=secret"
    refused = countermand("serve", "--port", "0", "--data", str(tmp_path), "--chain", "rpc", "--rpc-url", url)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "127.0.0.1" in refused.stderr
    assert "secret" not in refused.stderr


def dsn_of(directory: Path) -> str:
    """Of the PostgreSQL that the venue of this directory runs."""
    dsn = running_dsn(directory / "data")
    assert dsn is not None
    return dsn
