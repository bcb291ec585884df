"""A venue that is no sandbox: nothing from nothing, prices by an operator, no fill, and always a way out."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from solders.keypair import Keypair

from countermand.store.embedded import running_dsn
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.told import Reader
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue
from tests.forked import COUNTERMAND, run

ROOT = Path(__file__).parents[2]


def launch(funds: Path) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.end_to_end.venue_root", str(funds), "serve", "--no-sandbox"


def countermand(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return run(COUNTERMAND, *arguments, seconds=60)


def made_key(data: Path, scopes: str, *options: str) -> str:
    made = countermand("keys", "add", "--scopes", scopes, "--data", str(data / "data"), *options)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def agrees(data: Path) -> bool:
    audit = countermand("audit", "--data", str(data / "data"))
    return audit.returncode == 0 and audit.stdout.endswith("Everything agrees.\n")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("venue-root")


@pytest.fixture(scope="module")
def alice_key() -> Keypair:
    return Keypair()


@pytest.fixture(scope="module")
def venue(directory: Path, alice_key: Keypair, module_monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    wallet = str(alice_key.pubkey())
    funds = directory / "funds.json"
    funds.write_text(json.dumps({"SOL": {wallet: 10 * 10**9}, "USDC": {wallet: 1_000 * 10**6}}))
    module_monkeypatch.chdir(ROOT)
    with running_venue(directory, launch=launch(funds)) as venue:
        yield venue
    modules = (directory / "funds.modules").read_text().split()
    assert "countermand.app.venue" in modules
    assert [name for name in modules if name.startswith(("countermand.sandbox", "countermand.app.sandbox"))] == []


@pytest.fixture(scope="module")
def module_monkeypatch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def admin(venue: Venue, directory: Path) -> str:
    return made_key(directory, "admin")


def sets_prices(venue: Venue, key: str | None, **dollars: object) -> Any:
    headers = {} if key is None else {"x-api-key": key}
    return venue.ask("PUT", "/admin/prices", dollars, headers=headers)


@pytest.fixture
def priced(venue: Venue, admin: str) -> Venue:
    assert sets_prices(venue, admin, SOL="150", USDC="1").status == 200
    return venue


@pytest.fixture(scope="module")
def alice(venue: Venue, alice_key: Keypair) -> Trader:
    return Trader(venue, alice_key).joins()


def test_nothing_comes_from_nothing(venue: Venue, alice_key: Keypair) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [str(alice_key.pubkey()), 1]}
    assert venue.ask("POST", "/rpc", asked).ok()["error"] == {"code": -32600, "message": "Invalid request"}
    for method, path in (("GET", "/sandbox"), ("POST", "/sandbox/airdrop"), ("PUT", "/sandbox/faults")):
        assert venue.ask(method, path, None if method == "GET" else {}).status == 404
    page = venue.ask("GET", "/")
    assert "sandbox" not in page.raw.decode()
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert venue.ask("GET", "/openapi/sandbox.json").status == 404


def test_no_price_is_invented_and_a_create_that_needs_one_says_so(venue: Venue, alice: Trader) -> None:
    assert venue.ask("GET", f"/price/v3?ids={JUP.mint}").ok() == {}
    order = single(sell=20 * USDC, buy=JUP, below=0.4)
    answer = alice.asks_to_deposit(order)
    assert answer.error == (500, f"Failed to fetch the price of {USDC.mint}")
    assert venue.units(alice.wallet, USDC) == 1_000 * 10**6


def test_readiness_names_what_is_missing(priced: Venue) -> None:
    answer = priced.ask("GET", "/health/ready").ok()
    assert answer["status"] == "ready"
    assert any("no router" in each for each in answer["missing"])
    assert any("JUP" in each and "/admin/prices" in each for each in answer["missing"])


def test_an_operator_says_what_tokens_cost(priced: Venue, admin: str) -> None:
    answer = sets_prices(priced, admin, **{SOL.mint: "151.5", "USDC": 1.0}).ok()
    assert (answer["prices"][SOL.mint], answer["prices"][JUP.mint]) == ("151.5", None)
    shown = priced.ask("GET", f"/price/v3?ids={SOL.mint}").ok()[SOL.mint]
    assert (shown["usdPrice"], shown["liquidity"]) == (151.5, 0)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"SOL": "160", "SOLL": "1"}, "SOLL"),
        ({"SOL": "160", SOL.mint: "161"}, SOL.mint),
        ({"SOL": "160", "USDC": "0"}, "USDC"),
        ({"SOL": "160", "USDC": "1e999999"}, "USDC"),
        ({"SOL": "160", "USDC": None}, "USDC"),
    ],
)
def test_prices_are_set_all_or_none(priced: Venue, admin: str, body: dict[str, object], named: str) -> None:
    answer = sets_prices(priced, admin, **body)
    assert answer.status == 400
    assert named in answer.body["error"]["details"]
    assert priced.ask("GET", f"/price/v3?ids={SOL.mint}").ok()[SOL.mint]["usdPrice"] == 150


def test_admin_never_opens_without_a_key_of_its_scope(venue: Venue, directory: Path) -> None:
    for key in (None, "", "your-api-key", "x" * 10_000):
        answer = sets_prices(venue, key, SOL="1")
        assert (answer.status, answer.body["error"]["code"]) == (401, "unauthorized")
    reads = made_key(directory, "read,trade,cancel")
    answer = sets_prices(venue, reads, SOL="1")
    assert (answer.status, answer.body["error"]["code"]) == (403, "forbidden")


def test_a_key_works_and_stops_working_without_a_restart(venue: Venue, directory: Path) -> None:
    key = made_key(directory, "admin")
    assert sets_prices(venue, key, SOL="150").status == 200
    listed = countermand("keys", "list", "--json", "--data", str(directory / "data"))
    assert key not in listed.stdout
    assert countermand("keys", "revoke", key, "--data", str(directory / "data")).returncode == 0
    assert sets_prices(venue, key, SOL="1").status == 401
    again = countermand("keys", "revoke", key, "--data", str(directory / "data"))
    assert (again.returncode, key in again.stderr) == (2, False)


def test_an_order_is_not_filled_and_its_funds_come_back(priced: Venue, alice: Trader, admin: str) -> None:
    before = priced.lamports(alice.wallet)
    order = alice.places(single(sell=1 * SOL, above=200))
    assert sets_prices(priced, admin, SOL="250").status == 200
    for _ in range(3):
        state = alice.state_of(order)
        assert state in ("open", "executing")
    assert alice.confirms(order, alice.cancels(order)).status == 200
    assert alice.state_of(order) == "cancelled"
    assert before - priced.lamports(alice.wallet) < 10**6


def test_what_an_operator_said_outlives_the_process(directory: Path, tmp_path: Path) -> None:
    """A restart of a venue keeps its prices; a database that began as a venue never becomes a sandbox."""
    with running_venue(tmp_path, "--no-sandbox") as venue:
        key = made_key(tmp_path, "admin")
        assert sets_prices(venue, key, SOL="123").status == 200
        assert agrees(tmp_path)
    assert agrees(tmp_path)
    with running_venue(tmp_path, "--no-sandbox") as venue:
        assert venue.ask("GET", f"/price/v3?ids={SOL.mint}").ok()[SOL.mint]["usdPrice"] == 123
    refused = countermand("serve", "--port", "0", "--data", str(tmp_path / "data"))
    assert refused.returncode == 2
    assert "began as a venue" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_what_a_sandbox_invented_does_not_outlive_it(tmp_path: Path) -> None:
    """Its orders do: they can be cancelled, and their funds come back."""
    with running_venue(tmp_path) as sandbox:
        alice = Trader(sandbox).joins()
        alice.has(3 * SOL)
        order = alice.places(single(sell=1 * SOL, above=200))
    with running_venue(tmp_path, "--no-sandbox") as venue:
        assert venue.ask("GET", f"/price/v3?ids={SOL.mint}").ok() == {}
        alice.venue = venue
        alice.signs_in()
        assert alice.confirms(order, alice.cancels(order)).status == 200
        assert alice.state_of(order) == "cancelled"
        assert agrees(tmp_path)
    with running_venue(tmp_path) as sandbox:
        assert sandbox.sandbox()["tokens"][0]["price"] == "150"
        assert sandbox.audit()["ok"] is True


FULL = f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END$$;
CREATE TRIGGER full_disk BEFORE INSERT ON prices FOR EACH ROW WHEN (NEW.mint = '{JUP.mint}') EXECUTE FUNCTION refuse();
"""


def test_prices_are_stored_all_or_none(priced: Venue, admin: str, directory: Path) -> None:
    """Each was stored by itself: SOL cost 160 dollars, and the answer said that nothing was changed."""

    async def does(sql: str) -> None:
        database = await asyncpg.connect(running_dsn(directory / "data"))
        await database.execute(sql)
        await database.close()

    asyncio.run(does(FULL))
    try:
        assert sets_prices(priced, admin, SOL="160", JUP="0.5").status == 503
        assert priced.ask("GET", f"/price/v3?ids={SOL.mint}").ok()[SOL.mint]["usdPrice"] == 150
    finally:
        asyncio.run(does("DROP TRIGGER full_disk ON prices; DROP FUNCTION refuse"))


# --- what it shows its operator

SHOWN = ("/admin/venue", "/admin/orders", "/admin/orders/1", "/admin/prices/SOL", "/admin/books", "/admin/events")


def looks(venue: Venue, key: str, path: str) -> Any:
    return venue.ask("GET", path, headers={"x-api-key": key})


def test_it_shows_itself_to_its_operator_alone(venue: Venue, directory: Path) -> None:
    others = made_key(directory, "read,trade,cancel")
    for path in SHOWN:
        assert venue.ask("GET", path).body["error"]["code"] == "unauthorized"
        for key, refused in (("your-api-key", (401, "unauthorized")), (others, (403, "forbidden"))):
            answer = looks(venue, key, path)
            assert (answer.status, answer.body["error"]["code"]) == refused


def test_it_shows_an_order_with_its_timeline_and_why_it_waits(priced: Venue, alice: Trader, admin: str) -> None:
    order = alice.places(single(sell=1 * SOL, above=200))
    listed = looks(priced, admin, f"/admin/orders?family=trigger&wallet={alice.wallet}&state=open").ok()["orders"]
    assert [row["id"] for row in listed] == [order]
    shown = looks(priced, admin, f"/admin/orders/{order}").ok()
    assert shown["waitsFor"] == "triggers at ≥ 200, the price is 150"
    assert [entry["event"] for entry in shown["timeline"]] == ["order_placed", "deposit_landed"]
    alice.withdraws(order, alice.cancels(order))


def test_an_order_on_the_chain_says_that_no_keeper_runs(priced: Venue, alice: Trader, admin: str) -> None:
    trader = LimitTrader(priced, alice)
    order = trader.places(1 * SOL, USDC, take=200_000_000)
    (row,) = looks(priced, admin, "/admin/orders?family=limit").ok()["orders"]
    asks = "asks for 200 USDC for 1 SOL, which is worth 150 USDC before the fee, 25 % less"
    assert (row["id"], row["waitsFor"]) == (order, f"{asks}; no keeper runs at this venue")
    assert row["waiting"]["worth"] == "150000000"
    trader.executes(trader.builds_cancels(order)[0]).ok()


def test_it_shows_prices_books_and_what_it_lacks(priced: Venue, admin: str) -> None:
    sets_prices(priced, admin, SOL="151").ok()
    sets_prices(priced, admin, SOL="150").ok()
    history = looks(priced, admin, "/admin/prices/SOL?limit=2").ok()
    assert (history["mint"], [point["price"] for point in history["prices"]]) == (SOL.mint, ["151", "150"])
    shown = looks(priced, admin, "/admin/venue").ok()
    assert {token["symbol"]: token["price"] for token in shown["tokens"]}["SOL"] == "150"
    assert any("no router" in each for each in shown["missing"])
    assert "btcusdc" in [book["market"] for book in looks(priced, admin, "/admin/books").ok()["books"]]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/admin/orders?limt=2", 400, "limt: unknown query parameter; did you mean limit?"),
        ("/admin/prices?token=SOL", 400, "token: unknown query parameter; this path takes none"),
        ("/admin/books?market=btcusdc", 400, "market: unknown query parameter; this path takes none"),
        ("/admin/orders/7?limit=1", 400, "limit: unknown query parameter; this path takes none"),
        ("/admin/orders/%00", 400, "The path holds the character NUL"),
        ("/admin/orders?state=opne", 400, "state: expected "),
        ("/admin/orders/7", 404, "7: no order of this venue; GET /admin/orders lists them"),
        ("/admin/prices/SOLL", 404, "'SOLL' is neither the mint nor the symbol of a token of this venue"),
        ("/admin/prices/SOL?limit=0", 400, "limit: '0' is no whole number from 1 to 5000"),
        ("/admin/events?include=requests", 400, 'include: expected orders or prices, got the text "requests"'),
        ("/admin/events?from=x", 400, "from: 'x' is no cursor"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(venue: Venue, admin: str, path: str, status: int, words: str) -> None:
    answer = looks(venue, admin, path)
    assert answer.status == status
    assert answer.body["error"]["code"] == {400: "invalid_request", 404: "not_found"}[status]
    assert answer.body["error"]["message"].startswith(words)


def test_prices_are_set_by_a_body_alone(priced: Venue, admin: str) -> None:
    headers = {"x-api-key": admin, "content-type": "application/json"}
    answer = priced.ask("PUT", "/admin/prices?SOL=1", {"SOL": "160"}, headers=headers)
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_request")
    assert priced.ask("GET", f"/price/v3?ids={SOL.mint}").ok()[SOL.mint]["usdPrice"] == 150


def test_it_tells_what_happens(priced: Venue, alice: Trader, admin: str) -> None:
    with Reader(priced, "include=orders,prices", path="/admin/events", headers={"x-api-key": admin}) as reader:
        order = alice.places(single(sell=1 * SOL, above=200))
        reader.until(order, "deposit_landed")
        sets_prices(priced, admin, SOL="152").ok()
        told = next(each for each in reader if each["event"] == "price")
        assert (told["data"]["mint"], told["data"]["price"]) == (SOL.mint, "152")
    alice.withdraws(order, alice.cancels(order))
