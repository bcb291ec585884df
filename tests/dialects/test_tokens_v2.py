"""`GET /tokens/v2/search` and `/tag`."""

import json

import pytest

from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice
from tests.dialects.fakes import SOL, UNKNOWN_MINT, USDC, USDT, FakeVenue

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


def found(venue: FakeVenue, query: str, path: str = "search") -> list[str]:
    return [token["id"] for token in venue.ask("GET", f"/tokens/v2/{path}?query={query}").json]


def test_a_token(venue: FakeVenue) -> None:
    venue.prices[Mint(USDC)] = UsdPrice(999_812_345_678)
    answer = venue.ask("GET", f"/tokens/v2/search?query={USDC}")
    assert '"usdPrice":0.999812345678,' in answer.text, "exact"
    (token,) = json.loads(answer.text)
    assert {name: value for name, value in token.items() if value is not None} == {
        "id": USDC,
        "name": "USD Coin",
        "symbol": "USDC",
        "decimals": 6,
        "tokenProgram": TOKEN_PROGRAM,
        "createdAt": "2026-09-06T00:52:46Z",
        "organicScore": 100,
        "organicScoreLabel": "high",
        "isVerified": True,
        "cexes": [],
        "tags": ["verified"],
        "usdPrice": 0.999812345678,
        "priceBlockId": 348_004_023,
        "liquidity": 1_000_000_000,
        "updatedAt": "2026-09-06T00:52:46Z",
    }


def test_tokens_are_found_by_symbol_name_or_mint(venue: FakeVenue) -> None:
    assert found(venue, "sol") == [SOL]
    assert found(venue, "Wrapped+SOL") == [SOL]
    assert found(venue, "usd") == [USDC, USDT]
    assert found(venue, "usdt") == [USDT]
    assert found(venue, f"{USDT},{UNKNOWN_MINT},{SOL},{SOL}") == [USDT, SOL]
    assert found(venue, "nothing") == []


def test_a_token_without_a_price_is_found(venue: FakeVenue) -> None:
    del venue.prices[Mint(USDC)]
    (token,) = venue.ask("GET", f"/tokens/v2/search?query={USDC}").json
    assert (token["usdPrice"], token["priceBlockId"]) == (None, None)


def test_tags(venue: FakeVenue) -> None:
    assert found(venue, "verified", "tag") == [SOL, USDC, USDT]
    assert found(venue, "lst", "tag") == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("search", "query: required"),
        ("search?query=", "query: required"),
        ("search?query=a&query=b", "query: Given more than once"),
        ("search?query=" + "," * 100, "query: at most 100 mints"),
        ("tag?query=hot", "query: Invalid enum value 'hot'"),
    ],
)
def test_what_cannot_be_searched(venue: FakeVenue, path: str, words: str) -> None:
    answer = venue.ask("GET", f"/tokens/v2/{path}")
    assert (answer.status_code, answer.json) == (400, {"error": words})
