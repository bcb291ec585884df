"""`GET /price/v3`."""

import pytest

from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice
from tests.dialects.fakes import SOL, UNKNOWN_MINT, USDC, FakeVenue


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


def test_the_price_of_a_token(venue: FakeVenue) -> None:
    venue.prices[Mint(SOL)] = UsdPrice(147_479_263_573_101)
    answer = venue.ask("GET", f"/price/v3?ids={SOL}")
    assert answer.status_code == 200
    assert answer.text == (
        f'{{"{SOL}":{{"createdAt":"2026-09-06T00:52:46.838Z","liquidity":1000000000,"usdPrice":147.479263573101,'
        '"blockId":348004023,"decimals":9,"priceChange24h":null}}'
    )
    assert answer.headers["content-type"] == "application/json"


def test_what_has_no_price_is_absent(venue: FakeVenue) -> None:
    del venue.prices[Mint(USDC)]
    ids = f"{USDC},{UNKNOWN_MINT},nonsense,,%00,{SOL},{SOL}"
    assert list(venue.ask("GET", f"/price/v3?ids={ids}").json) == [SOL]
    assert venue.ask("GET", "/price/v3?ids=nonsense").text == "{}"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "ids is required: mints, joined by commas"),
        ("?ids=", "ids is required: mints, joined by commas"),
        ("?ids=a&ids=b", "ids is given more than once: join the mints by commas"),
        ("?ids=" + ",".join(["a"] * 51), "ids: at most 50 mints"),
        ("?ids=" + "," * 9_999, "ids: at most 50 mints"),
    ],
)
def test_a_question_that_cannot_be_answered(venue: FakeVenue, query: str, says: str) -> None:
    answer = venue.ask("GET", f"/price/v3{query}")
    assert (answer.status_code, answer.json) == (400, {"error": says})


def test_fifty_at_once(venue: FakeVenue) -> None:
    assert list(venue.ask("GET", "/price/v3?ids=" + ",".join(["a"] * 49 + [SOL])).json) == [SOL]
