"""The sandbox's own endpoints: money, prices, tokens, an empty venue again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from solders.keypair import Keypair

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.trader import Trader, signed, single
from tests.end_to_end.venue import JUP, PRICES, SOL, USDC, USDT, Funds, Token, Venue, running_venue

FOR_EVER = 1_000_000


def test_what_a_new_venue_shows(venue: Venue) -> None:
    shown = venue.sandbox()
    assert list(shown) == ["now", "clock", "seed", "tokens", "chain", "faults"]
    assert shown["clock"] == {"mode": "running"}
    assert [(token["symbol"], token["mint"], token["decimals"], token["price"]) for token in shown["tokens"][:4]] == [
        (token.symbol, token.mint, token.decimals, PRICES[token]) for token in (SOL, USDC, USDT, JUP)
    ]
    assert list(shown["chain"]) == ["slot", "blockHeight"]


# --- airdrops


@pytest.mark.parametrize("funds", [2 * SOL, 5 * USDC, 7 * USDT, 11 * JUP], ids=lambda funds: funds.token.symbol)
def test_an_airdrop(venue: Venue, funds: Funds) -> None:
    trader = Trader(venue)
    signature = venue.gives(trader.wallet, funds)
    (status,) = venue.rpc("getSignatureStatuses", [signature])
    assert status["err"] is None
    assert trader.holds(funds.token) == funds.units
    venue.gives(trader.wallet, funds)
    assert trader.holds(funds.token) == 2 * funds.units


def test_wrapped_sol(venue: Venue) -> None:
    trader = Trader(venue)
    venue.ask("POST", "/sandbox/airdrop", {"wallet": trader.wallet, "mint": SOL.mint, "amount": "5"}).ok()
    assert (trader.holds(SOL), venue.units(trader.wallet, SOL)) == (0, 5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("wallet", "x"),
        ("wallet", 7),
        ("wallet", "1" * 32 + " "),
        ("mint", "sol"),
        ("mint", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"),
        ("amount", "0.5"),
        ("amount", "-1"),
        ("amount", str(2**64)),
        ("amount", "1e9999999"),
        ("amount", None),
        ("amount", []),
        ("amount", "x"),
    ],
)
def test_an_airdrop_that_makes_no_sense(venue: Venue, field: str, value: object) -> None:
    good = {"wallet": str(Keypair().pubkey()), "mint": "SOL", "amount": "5"}
    answer = venue.ask("POST", "/sandbox/airdrop", good | {field: value})
    assert answer.status == 400
    assert list(answer.body) == ["error"]


@pytest.mark.parametrize(("asked", "status"), [("?wallet={}", 400), ("/{}", 404)])
@pytest.mark.parametrize("space", ["%20", "%0A"])
def test_an_address_with_a_space_after_it_is_none(venue: Venue, asked: str, status: int, space: str) -> None:
    assert venue.ask("GET", f"/sandbox/orders{asked.format('1' * 32 + space)}").status == status


# --- prices, tokens, liquidity


@pytest.mark.parametrize(
    "prices",
    [
        {SOL.mint: "0"},
        {SOL.mint: "-1"},
        {SOL.mint: "NaN"},
        {SOL.mint: "1e9999999"},
        {SOL.mint: "10000000000000"},
        {SOL.mint: None},
        {"x": "1"},
        {"EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o": "1"},
        [],
    ],
)
def test_a_price_that_makes_no_sense_changes_nothing(venue: Venue, prices: object) -> None:
    before = venue.sandbox()["tokens"]
    together = {JUP.mint: "3"} | prices if isinstance(prices, dict) else prices
    assert venue.ask("PUT", "/sandbox/prices", together).status == 400
    assert venue.sandbox()["tokens"] == before


def test_when_prices_are_answered_what_they_cross_has_left_open(venue: Venue, alice: Trader) -> None:
    orders = [alice.places(single(sell=0.1 * SOL, above=200)) for _ in range(10)]
    venue.price(SOL, "200")
    assert "open" not in {row["orderState"] for row in alice.history()}
    venue.settles()
    assert {alice.state_of(order) for order in orders} == {"filled"}


@pytest.mark.parametrize("most", ["-1", "1.5", "x", "", 1.5, True, str(2**64)])
def test_a_bound_of_the_pool_that_makes_no_sense(venue: Venue, most: object) -> None:
    answer = venue.ask("PUT", "/sandbox/liquidity", {SOL.mint: {"maxInput": most, "impactBps": 0}})
    assert answer.status == 400
    assert "maxInput" in answer.body["error"]


@pytest.mark.parametrize("bps", [-1, 10_001, 0.5, "1", None])
def test_an_impact_that_makes_no_sense(venue: Venue, bps: object) -> None:
    assert venue.ask("PUT", "/sandbox/liquidity", {SOL.mint: {"impactBps": bps}}).status == 400


def test_a_token_at_an_address_that_is_given(venue: Venue) -> None:
    mint = str(Keypair().pubkey())
    asked = {"symbol": "MINE", "decimals": 0, "price": "12.5", "mint": mint}
    tokens = venue.ask("POST", "/sandbox/tokens", asked).ok()["tokens"]
    assert {"symbol": "MINE", "mint": mint, "decimals": 0, "price": "12.5"} in tokens
    assert venue.ask("POST", "/sandbox/tokens", asked).status == 400
    assert venue.ask("GET", f"/price/v3?ids={mint}").ok()[mint]["usdPrice"] == 12.5


@pytest.mark.parametrize(
    "fields",
    [
        {"symbol": ""},
        {"decimals": 19},
        {"decimals": -1},
        {"decimals": "6"},
        {"price": "0"},
        {"mint": "x"},
        {"program": "x"},
        {"program": None},
    ],
)
def test_a_token_that_makes_no_sense(venue: Venue, fields: dict[str, object]) -> None:
    before = venue.sandbox()["tokens"]
    assert venue.ask("POST", "/sandbox/tokens", {"symbol": "T", "decimals": 6, "price": "1"} | fields).status == 400
    assert venue.sandbox()["tokens"] == before


def test_tokens_that_are_added_at_once(venue: Venue) -> None:
    symbols = [f"AT{number}" for number in range(12)]
    with ThreadPoolExecutor(len(symbols)) as clients:
        asked = [{"symbol": symbol, "decimals": 6, "price": "1"} for symbol in symbols]
        for answer in clients.map(lambda body: venue.ask("POST", "/sandbox/tokens", body), asked):
            answer.ok()
    added = {token["symbol"]: token["mint"] for token in venue.sandbox()["tokens"] if token["symbol"] in symbols}
    assert sorted(added) == sorted(symbols)
    assert len(set(added.values())) == len(symbols)


# --- settle


def test_settling_waits_for_what_is_under_way(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1 * SOL, above=200))
    venue.faults(dropTransactions=FOR_EVER)
    venue.price(SOL, "200")
    waiting = venue.ask("POST", "/sandbox/settle", {"timeoutMs": 0}).ok()
    assert waiting == {"settled": False, "waitingFor": [order]}
    venue.faults()
    venue.settles()
    assert venue.ask("POST", "/sandbox/settle").ok() == {"settled": True}
    assert alice.state_of(order) == "filled"


def test_what_has_not_settled_says_so_also_where_it_is_no_order(venue: Venue, alice: Trader) -> None:
    """A transaction that a wallet sends itself is under way, and no order waits for it."""
    terms = {"makingAmount": "1000000000", "takingAmount": "300000000"}
    asked = {"inputMint": SOL.mint, "outputMint": USDC.mint, "maker": alice.wallet, "payer": alice.wallet}
    built = venue.ask("POST", "/trigger/v1/createOrder", asked | {"params": terms}).ok()
    venue.faults(landDelayMs=1_000)
    venue.rpc("sendTransaction", signed(built["transaction"], alice.key), {"encoding": "base64"})
    assert venue.ask("POST", "/sandbox/settle", {"timeoutMs": 0}).ok() == {"settled": False, "waitingFor": []}
    venue.faults()
    venue.settles()


@pytest.mark.parametrize("timeout", [-1, "5", 1.5, 10**9, None])
def test_a_patience_that_makes_no_sense(venue: Venue, timeout: object) -> None:
    assert venue.ask("POST", "/sandbox/settle", {"timeoutMs": timeout}).status == 400


# --- reset


def test_a_reset_leaves_an_empty_venue_and_the_master_seed(venue: Venue) -> None:
    alice = with_funds(Trader(venue))
    venue.ask("POST", "/sandbox/tokens", {"symbol": "GONE", "decimals": 6, "price": "1"}).ok()
    order = alice.places(single(sell=1 * SOL, above=200))
    craft = alice.crafts(single(sell=1 * SOL, above=200))
    body = alice.body_for(single(sell=1 * SOL, above=200), craft)
    venue.price(SOL, "151")
    venue.freezes()
    venue.faults(failSwaps=3)
    before = venue.sandbox()["chain"]
    genesis, vault = venue.rpc("getGenesisHash"), alice.vault

    venue.resets()
    shown = venue.sandbox()
    assert [token["price"] for token in shown["tokens"]] == list(PRICES.values())
    assert shown["clock"] == {"mode": "running"}
    assert venue.remaining_faults() == {}
    assert shown["chain"]["slot"] > before["slot"]
    assert venue.audit() == {"ok": True, "mints": {}, "currencies": {}}
    assert alice.get("/vault").error == (401, "Unauthorized")
    assert alice.holds(SOL) == 0
    assert venue.rpc("getGenesisHash") != genesis

    alice.signs_in()
    assert alice.get("/vault").error == (404, "Vault not found")
    alice.has(10 * SOL)
    alice.joins()
    assert alice.vault == vault
    assert alice.get(f"/orders/history/{order}").error == (404, "Order not found")
    assert alice.history() == []
    assert alice.creates(body).error == (
        400,
        "Deposit transaction not found in cache. Please craft a new deposit first.",
    )
    again = alice.places(single(sell=1 * SOL, above=200))
    assert again != order
    assert alice.confirms(again, alice.cancels(again)).status == 200


def test_a_seed_makes_the_same_ids(venue: Venue) -> None:
    def request_ids(seed: int) -> list[str]:
        venue.resets(seed=seed)
        assert venue.sandbox()["seed"] == seed
        alice = with_funds(Trader(venue))
        return [alice.crafts(single(sell=1 * SOL, above=200))["requestId"] for _ in range(3)]

    assert request_ids(7) == request_ids(7) != request_ids(8)
    venue.resets()
    assert venue.sandbox()["seed"] is None


def test_a_request_during_a_reset_finds_all_of_the_sandbox(venue: Venue) -> None:
    """A request waits for the end of it: before, for a moment no token had a price."""
    resetting, unlike = True, list[object]()

    def asks() -> None:
        while resetting:
            answer = venue.ask("GET", f"/price/v3?ids={SOL.mint}")
            if answer.status != 200 or SOL.mint not in answer.body:
                unlike.append(answer.body)

    with ThreadPoolExecutor(3) as pool:
        threads = [pool.submit(asks) for _ in range(3)]
        try:
            for _ in range(4):
                venue.resets()
        finally:
            resetting = False
        for thread in threads:
            thread.result()
    assert unlike == []


def test_a_reset_while_much_is_under_way(venue: Venue, alice: Trader, bob: Trader) -> None:
    for trader in (alice, bob):
        for _ in range(3):
            trader.places(single(sell=0.1 * SOL, above=200))
    venue.faults(landDelayMs=50)
    venue.price(SOL, "200")
    venue.resets()
    venue.settles()
    assert venue.audit() == {"ok": True, "mints": {}, "currencies": {}}


# --- a venue started otherwise


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """It takes two API keys, was given a seed, and has no sandbox but for what its start needs."""
    directory: Path = tmp_path_factory.mktemp("keyed")
    keys = directory / "keys"
    keys.write_text("first-key\n# a comment\nsecond-key\n")
    with running_venue(directory, "--api-keys", str(keys), "--no-sandbox") as venue:
        yield venue


def test_keys_are_judged_before_tokens(keyed: Venue) -> None:
    path = "/trigger/v2/vault"
    wrong = keyed.ask("GET", path, headers={"x-api-key": "wrong"})
    assert (wrong.status, wrong.body) == (401, {"code": 401, "message": "Invalid API key"})
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "first-key"}, {"x-api-key": "second-key"}):
        assert keyed.ask("GET", path, headers=headers).error == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/sandbox"), ("POST", "/sandbox/airdrop"), ("GET", "/sandbox/audit")]
)
def test_no_sandbox_without_the_option(keyed: Venue, method: str, path: str) -> None:
    answer = keyed.ask(method, path, {} if method == "POST" else None)
    assert (answer.status, answer.body) == (404, {"error": "Not found"})


def test_any_key_will_do_where_none_is_configured(venue: Venue) -> None:
    asked = {"walletPubkey": str(Keypair().pubkey()), "type": "message"}
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "your-api-key"}):
        assert venue.ask("POST", "/trigger/v2/auth/challenge", asked, headers=headers).status == 200


def test_the_tokens_named_here_are_those_of_the_venue(venue: Venue) -> None:
    named = {token.mint: token for token in (SOL, USDC, USDT, JUP)}
    for shown in venue.sandbox()["tokens"][:4]:
        assert named[shown["mint"]] == Token(shown["symbol"], shown["mint"], shown["decimals"])
