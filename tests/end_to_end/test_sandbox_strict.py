"""The sandbox does what it was asked for, or refuses it by name: case A1 of the control surface, and A3."""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from solders.keypair import Keypair

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import JUP, SOL, USDC, Answer, Venue, running_venue

WALLET = str(Keypair().pubkey())
MEMBER = "0x" + "ab" * 20
GOOD: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/sandbox/airdrop"): {"wallet": WALLET, "mint": "SOL", "amount": "5"},
    ("PUT", "/sandbox/prices"): {SOL.mint: "151", JUP.mint: "3"},
    ("PUT", "/sandbox/liquidity"): {SOL.mint: {"impactBps": 25}, JUP.mint: {"impactBps": 5}},
    ("POST", "/sandbox/tokens"): {"symbol": "T", "decimals": 6, "price": "1", "program": "spl-token"},
    ("POST", "/sandbox/settle"): {"timeoutMs": 0},
    ("POST", "/sandbox/clock"): {"mode": "frozen", "now": 8 * 10**12},
    ("POST", "/sandbox/clock/advance"): {"seconds": 3600},
    ("PUT", "/sandbox/faults"): {"failSwaps": 1, "landDelayMs": 5, "rpcDown": True, "crash": None},
    ("POST", "/sandbox/reset"): {"seed": 4},
    ("POST", "/sandbox/tanx/credit"): {"eth_address": MEMBER, "currency": "usdc", "amount": "5"},
    ("POST", "/sandbox/tanx/stark-key"): {"eth_address": MEMBER, "stark_key": "0x1"},
    ("POST", "/sandbox/tanx/cancel"): {"order_id": 1},
}
NEEDED = {
    "/sandbox/airdrop": ("wallet", "mint", "amount"),
    "/sandbox/tokens": ("symbol", "decimals", "price"),
    "/sandbox/clock": ("mode",),
    "/sandbox/clock/advance": ("seconds",),
    "/sandbox/tanx/credit": ("eth_address", "currency", "amount"),
    "/sandbox/tanx/stark-key": ("eth_address", "stark_key"),
    "/sandbox/tanx/cancel": ("order_id",),
}
BARE = [("GET", "/sandbox"), ("GET", "/sandbox/audit"), ("GET", "/sandbox/liquidity")]


def named(operation: object) -> str:
    return " ".join(operation) if isinstance(operation, tuple) else str(operation)


def standing(venue: Venue) -> object:
    """All that a request could have changed, and that does not move by itself, but for the books."""
    shown = venue.sandbox()
    kept = [shown[name] for name in ("clock", "seed", "tokens", "faults")]
    return kept, venue.ask("GET", "/sandbox/liquidity").ok(), venue.lamports(WALLET)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """One of its own, with an order that a reset would take. In no test do the books change."""
    with running_venue(tmp_path_factory.mktemp("strict")) as venue:
        with_funds(Trader(venue)).places(single(sell=1 * SOL, above=10_000))
        books = venue.audit()
        yield venue
        assert venue.audit() == books


@pytest.fixture
def unchanged(venue: Venue) -> Iterator[Venue]:
    """The venue, in which nothing of what the test asks for may happen."""
    before, now = standing(venue), venue.now()
    yield venue
    assert standing(venue) == before
    assert venue.now() - now < 60_000


def refused(answer: Answer) -> str:
    assert answer.status == 400, answer.raw
    assert list(answer.body) == ["error"]
    error: str = answer.body["error"]
    assert "msgspec" not in error
    assert "`" not in error
    return error


# --- case A1, literally


def test_a_misspelt_fault_is_named_with_the_nearest_one(unchanged: Venue) -> None:
    """A1."""
    error = refused(unchanged.ask("PUT", "/sandbox/faults", {"failSwap": 1}))
    assert error == "failSwap: unknown field; did you mean failSwaps?"


def test_a_misspelt_field_deep_inside_is_named_by_its_path(unchanged: Venue) -> None:
    """A1."""
    error = refused(unchanged.ask("PUT", "/sandbox/liquidity", {SOL.mint: {"impactBp": 25}}))
    assert error == f"{SOL.mint}.impactBp: unknown field; did you mean impactBps?"


def test_a_misspelt_seed(unchanged: Venue) -> None:
    """A1."""
    assert refused(unchanged.ask("POST", "/sandbox/reset", {"sede": 4})) == "sede: unknown field; did you mean seed?"


def test_a_field_that_is_like_none_gets_all_of_them(unchanged: Venue) -> None:
    error = refused(unchanged.ask("POST", "/sandbox/airdrop", GOOD["POST", "/sandbox/airdrop"] | {"memo": "x"}))
    assert error == "memo: unknown field; the fields here are wallet, mint and amount"


# --- its kind: every request, and everything that can be wrong with one


@pytest.mark.parametrize("operation", GOOD, ids=named)
def test_no_request_takes_a_field_that_it_does_not_know(unchanged: Venue, operation: tuple[str, str]) -> None:
    """A1."""
    error = refused(unchanged.ask(*operation, GOOD[operation] | {"extra": "1"}))
    assert error.startswith("extra: ")


@pytest.mark.parametrize("operation", GOOD, ids=named)
def test_no_request_takes_a_misspelt_field(unchanged: Venue, operation: tuple[str, str]) -> None:
    """A1."""
    for name in GOOD[operation]:
        wrong = name[:-1]
        body = {(wrong if each == name else each): value for each, value in GOOD[operation].items()}
        assert refused(unchanged.ask(*operation, body)).startswith(f"{wrong}: ")


@pytest.mark.parametrize("operation", GOOD, ids=named)
def test_no_request_takes_a_field_twice(unchanged: Venue, operation: tuple[str, str]) -> None:
    """A1."""
    for name, value in GOOD[operation].items():
        body = json.dumps(GOOD[operation])[:-1] + f", {json.dumps(name)}: {json.dumps(value)}}}"
        assert refused(unchanged.ask(*operation, body.encode())) == f"{name}: given twice"


def test_nor_one_given_twice_deep_inside(unchanged: Venue) -> None:
    body = b'{"SOL": {"impactBps": 1, "impactBps": 2}}'
    assert refused(unchanged.ask("PUT", "/sandbox/liquidity", body)) == "impactBps: given twice"


@pytest.mark.parametrize("operation", GOOD, ids=named)
def test_no_request_takes_a_query(unchanged: Venue, operation: tuple[str, str]) -> None:
    """A1."""
    method, path = operation
    error = refused(unchanged.ask(method, f"{path}?dryRun=true", GOOD[operation]))
    assert error == "dryRun: unknown query parameter; this path takes none"
    assert refused(unchanged.ask(method, f"{path}?dryRun", GOOD[operation])) == error


NO_OBJECTS = (
    *(b"[]", b"null", b"7", b'"x"', b"{", b"{}}", b"\xff", b"[" * 5_000, b"{'a': 1}", b"\xef\xbb\xbf{}"),
    *(rb'"\ud800"', rb'"a\udc00b"', rb'["\ud800"]'),
)


@pytest.mark.parametrize("operation", GOOD, ids=named)
def test_no_request_takes_what_is_no_json_object(unchanged: Venue, operation: tuple[str, str]) -> None:
    for body in NO_OBJECTS:
        assert refused(unchanged.ask(*operation, body)).startswith("body: "), body


WITHOUT_MEANING: Sequence[object] = (None, True, [], {}, "", "x", "\0", "\ud800", -1.5, "1e99", 10**40)


@pytest.mark.parametrize("operation", GOOD, ids=named)
def test_no_field_takes_a_value_that_has_no_meaning(unchanged: Venue, operation: tuple[str, str]) -> None:
    """A1. A token's symbol and a switch take some of these."""
    for name in GOOD[operation]:
        for value in WITHOUT_MEANING:
            if not is_meant(operation[1], name, value):
                error = refused(unchanged.ask(*operation, GOOD[operation] | {name: value}))
                assert error.startswith((name, "body: ")), value


def test_half_a_surrogate_pair_is_shown_as_its_escape(unchanged: Venue) -> None:
    error = refused(unchanged.ask("POST", "/sandbox/settle", rb'{"timeoutMs": "a\ud800"}'))
    assert error == 'timeoutMs: expected a whole number, got the text "a\\ud800"'


def test_an_airdrop_of_nothing_names_its_field(unchanged: Venue) -> None:
    error = refused(unchanged.ask("POST", "/sandbox/airdrop", {"wallet": WALLET, "mint": "SOL", "amount": "0"}))
    assert error == "amount: 0 is not between 1 and 1000000000000000000"


def is_meant(path: str, name: str, value: object) -> bool:
    if value is None:
        return name in ("crash", "now", "seed")
    return (name == "symbol" and value in ("x", "1e99")) or (name == "rpcDown" and value is True)


@pytest.mark.parametrize(("path", "fields"), NEEDED.items(), ids=named)
def test_a_field_that_is_missing_is_named(unchanged: Venue, path: str, fields: tuple[str, ...]) -> None:
    """A1."""
    good = GOOD["POST", path]
    for name in fields:
        body = {each: value for each, value in good.items() if each != name}
        assert refused(unchanged.ask("POST", path, body)).startswith(f"{name}: missing; expected ")
    for nothing in (None, b"", b" \n"):
        error = refused(unchanged.ask("POST", path, nothing))
        assert error.startswith("body: empty; send a JSON object with ")
        assert all(name in error for name in fields)


@pytest.mark.parametrize("path", ["/sandbox/prices", "/sandbox/liquidity"])
def test_a_request_that_names_no_token_would_change_nothing(unchanged: Venue, path: str) -> None:
    """A1: it was answered with 200."""
    for body in (None, b"{}"):
        assert refused(unchanged.ask("PUT", path, body)).startswith("body: names no token; send ")
    assert refused(unchanged.ask("PUT", "/sandbox/liquidity", {"SOL": {}})) == "SOL: send maxInput, impactBps, or both"


def test_faults_are_not_cleared_by_a_body_that_got_lost(venue: Venue) -> None:
    venue.faults(failSwaps=2)
    assert refused(venue.ask("PUT", "/sandbox/faults")).startswith("body: empty; send ")
    assert venue.remaining_faults() == {"failSwaps": 2}
    venue.ask("PUT", "/sandbox/faults", {}).ok()
    assert venue.remaining_faults() == {}


@pytest.mark.parametrize("operation", BARE, ids=named)
def test_what_takes_no_body_refuses_one(unchanged: Venue, operation: tuple[str, str]) -> None:
    """A1."""
    assert refused(unchanged.ask(*operation, {"limit": 1})) == "limit: unknown field; this request takes no body"
    assert unchanged.ask(*operation, {}).status == 200
    error = refused(unchanged.ask(operation[0], operation[1] + "?limt=1"))
    assert error == "limt: unknown query parameter; this path takes none"


def test_whole_numbers_may_be_written_as_any_javascript_writes_them(venue: Venue) -> None:
    venue.ask("PUT", "/sandbox/faults", b'{"failSwaps": 2.0, "dropTransactions": 1e2}').ok()
    assert venue.remaining_faults() == {"failSwaps": 2, "dropTransactions": 100}


def test_a_price_that_a_program_computed_is_the_nearest_of_twelve_decimals(venue: Venue) -> None:
    """A text is exact."""
    venue.ask("PUT", "/sandbox/prices", {"SOL": 200 * 1.1, "JUP": 1 / 3}).ok()
    venue.ask("POST", "/sandbox/tokens", {"symbol": "SUM", "decimals": 6, "price": 0.1 + 0.2}).ok()
    assert set(prices(venue).values()) >= {"220", "0.333333333333", "0.3"}
    assert venue.ask("PUT", "/sandbox/prices", {"SOL": "220.00000000000003"}).status == 400


# --- all or nothing


def test_one_bad_price_and_none_is_set(unchanged: Venue) -> None:
    """A1."""
    for bad in ({"NOPE": "1"}, {USDC.mint: "0"}, {USDC.mint: None}):
        refused(unchanged.ask("PUT", "/sandbox/prices", {SOL.mint: "7", JUP.mint: "7"} | bad))


def test_one_bad_impact_and_none_is_set(unchanged: Venue) -> None:
    """A1."""
    for bad in ({"NOPE": {"impactBps": 1}}, {"USDC": {"impactBps": 10_001}}, {"USDC": {"maxInput": "5.5"}}):
        refused(unchanged.ask("PUT", "/sandbox/liquidity", {"SOL": {"impactBps": 7}} | bad))


def test_one_bad_fault_and_none_is_switched(unchanged: Venue) -> None:
    """A1."""
    for bad in ({"failSwap": 1}, {"rateLimit": -1}, {"crash": "now"}):
        refused(unchanged.ask("PUT", "/sandbox/faults", {"dropTransactions": 3, "expireTokens": True} | bad))


# --- the fuzzer


def test_a_body_that_was_tampered_with_is_never_half_obeyed(unchanged: Venue) -> None:
    """A1: fields are dropped, added, misspelt, doubled, and given values of other types."""
    random = Random(20261128)
    for _ in range(400):
        operation = random.choice(list(GOOD))
        body, is_wrong = tampered(GOOD[operation], NEEDED.get(operation[1], ()), random)
        if is_wrong:
            refused(unchanged.ask(*operation, body))


def tampered(good: dict[str, Any], needed: tuple[str, ...], random: Random) -> tuple[bytes, bool]:
    """Some body, and whether it must be refused for its fields alone."""
    pairs = [(name, json.dumps(value)) for name, value in good.items()]
    is_wrong = False
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(pairs))
        name, value = pairs[at]
        match random.choice(("drop", "add", "misspell", "double", "nest")):
            case "drop" if name in needed and len(pairs) > 1 and [each for each, _ in pairs].count(name) == 1:
                del pairs[at]
                is_wrong = True
            case "add":
                pairs.insert(at, (f"{name}{random.choice('XyZ_9')}", value))
                is_wrong = True
            case "misspell":
                place = random.randrange(len(name))
                pairs[at] = (name[:place] + random.choice("#~^") + name[place + 1 :], value)
                is_wrong = True
            case "double":
                pairs.append((name, value))
                is_wrong = True
            case "nest":
                pairs[at] = (name, f"[{value}]")
                is_wrong = True
    random.shuffle(pairs)
    return ("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in pairs) + "}").encode(), is_wrong


# --- case A3: tokens by their symbols


def prices(venue: Venue) -> dict[str, str]:
    return {token["mint"]: token["price"] for token in venue.sandbox()["tokens"]}


def test_a_price_by_symbol(venue: Venue) -> None:
    """A3."""
    venue.ask("PUT", "/sandbox/prices", {"SOL": "210", "JUP": "0.75"}).ok()
    assert (prices(venue)[SOL.mint], prices(venue)[JUP.mint]) == ("210", "0.75")


def test_an_airdrop_by_symbol(venue: Venue) -> None:
    """A3. `SOL` is lamports; wrapped SOL goes by its mint."""
    trader = Trader(venue)
    for mint, amount in (("USDC", "7"), ("SOL", "9000000"), (SOL.mint, "11")):
        venue.ask("POST", "/sandbox/airdrop", {"wallet": trader.wallet, "mint": mint, "amount": amount}).ok()
    assert (trader.holds(USDC), trader.holds(SOL), venue.units(trader.wallet, SOL)) == (7, 9_000_000, 11)


def test_liquidity_by_symbol_and_only_of_the_named_tokens(venue: Venue) -> None:
    """A3."""
    venue.ask("PUT", "/sandbox/liquidity", {"SOL": {"impactBps": 25}}).ok()
    venue.ask("PUT", "/sandbox/liquidity", {JUP.mint: {"impactBps": 5}}).ok()
    shown = venue.ask("GET", "/sandbox/liquidity").ok()
    assert (shown[SOL.mint], shown[JUP.mint]) == (
        {"maxInput": None, "impactBps": 25},
        {"maxInput": None, "impactBps": 5},
    )
    venue.ask("PUT", "/sandbox/liquidity", {"SOL": {"impactBps": 0}, "JUP": {"impactBps": 0}}).ok()


def test_an_added_token_by_symbol_until_two_have_it(venue: Venue) -> None:
    """A3."""
    asked = {"symbol": "TWIN", "decimals": 0, "price": "1"}
    venue.ask("POST", "/sandbox/tokens", asked).ok()
    venue.ask("PUT", "/sandbox/prices", {"TWIN": "2"}).ok()
    gift = {"wallet": WALLET, "mint": "TWIN", "amount": "1"}
    venue.ask("POST", "/sandbox/airdrop", gift).ok()

    tokens = venue.ask("POST", "/sandbox/tokens", asked).ok()["tokens"]
    twins = [token["mint"] for token in tokens if token["symbol"] == "TWIN"]
    for answer in (
        venue.ask("PUT", "/sandbox/prices", {"TWIN": "3"}),
        venue.ask("PUT", "/sandbox/liquidity", {"TWIN": {"impactBps": 1}}),
        venue.ask("POST", "/sandbox/airdrop", gift),
    ):
        error = refused(answer)
        assert "TWIN" in error
        assert all(mint in error for mint in twins)
    venue.ask("PUT", "/sandbox/prices", dict.fromkeys(twins, "4")).ok()
    assert [prices(venue)[mint] for mint in twins] == ["4", "4"]


def test_one_token_by_two_names_in_one_body(unchanged: Venue) -> None:
    """A3."""
    for path, value in (("/sandbox/prices", "7"), ("/sandbox/liquidity", {"impactBps": 7})):
        error = refused(unchanged.ask("PUT", path, {"SOL": value, SOL.mint: value}))
        assert error == f"SOL and {SOL.mint}: both name one token; name it once"


def test_a_symbol_is_written_as_it_is(unchanged: Venue) -> None:
    """A3. Symbols differ by case on the chain (`mSOL`), so they do here."""
    assert refused(unchanged.ask("PUT", "/sandbox/prices", {"sol": "7"})) == (
        "sol: no token of this venue; did you mean SOL?"
    )
    gift = {"wallet": WALLET, "mint": "usdc", "amount": "1"}
    assert refused(unchanged.ask("POST", "/sandbox/airdrop", gift)) == (
        "mint: 'usdc' is no token of this venue; did you mean USDC?"
    )


def test_a_new_token_has_a_mint_of_its_own(unchanged: Venue) -> None:
    for mint in ("USDC", USDC.mint):
        error = refused(unchanged.ask("POST", "/sandbox/tokens", GOOD["POST", "/sandbox/tokens"] | {"mint": mint}))
        assert error.startswith("mint: ")
        assert "token of this venue already" in error


@pytest.mark.parametrize("symbol", ["", " ", " X", "a\0b", "a\nb", "\ud800", "x" * 33])
def test_a_symbol_that_cannot_be_shown(unchanged: Venue, symbol: str) -> None:
    body = GOOD["POST", "/sandbox/tokens"] | {"symbol": symbol}
    assert refused(unchanged.ask("POST", "/sandbox/tokens", body)).startswith("symbol: ")
