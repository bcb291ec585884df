"""`GET /price/v2`, and the tokens of `/tokens/v2`."""

import pytest

from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice
from tests.dialects.fakes import SOL, UNKNOWN_MINT, USDC, FakeVenue


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


def test_prices_are_texts(venue: FakeVenue) -> None:
    venue.prices[Mint(SOL)] = UsdPrice(147_479_263_573_101)
    answer = venue.ask("GET", f"/price/v2?ids={SOL},{UNKNOWN_MINT}")
    assert answer.text == (
        f'{{"data":{{"{SOL}":{{"id":"{SOL}","type":"derivedPrice","price":"147.479263573101"}},'
        f'"{UNKNOWN_MINT}":null}},"timeTaken":0}}'
    )


def test_prices_in_another_token(venue: FakeVenue) -> None:
    venue.prices[Mint(SOL)], venue.prices[Mint(USDC)] = UsdPrice(150 * 10**12), UsdPrice(10**12)
    data = venue.ask("GET", f"/price/v2?ids={SOL},{USDC}&vsToken={SOL}").json["data"]
    assert [data[mint]["price"] for mint in (SOL, USDC)] == ["1", "0.006666666666"]
    assert data[USDC]["type"] == "buyPrice"


def test_parameters_without_a_value_count_as_left_out(venue: FakeVenue) -> None:
    venue.prices[Mint(SOL)] = UsdPrice(150 * 10**12)
    answer = venue.ask("GET", f"/price/v2?ids={SOL}&vsToken=&showExtraInfo=")
    assert (answer.status_code, answer.json["data"][SOL]["type"]) == (200, "derivedPrice")
    assert venue.ask("GET", f"/price/v2?ids={SOL}&vsToken=&showExtraInfo=true").status_code == 200


@pytest.mark.parametrize("true", ["true", "True"])
def test_what_is_behind_a_price(venue: FakeVenue, true: str) -> None:
    venue.prices[Mint(SOL)] = UsdPrice(150 * 10**12)
    told = venue.ask("GET", f"/price/v2?ids={SOL}&showExtraInfo={true}").json["data"][SOL]["extraInfo"]
    assert list(told) == ["lastSwappedPrice", "quotedPrice", "confidenceLevel", "depth"]
    assert told["quotedPrice"] == {
        "buyPrice": "150",
        "buyAt": 1_788_655_966,
        "sellPrice": "150",
        "sellAt": 1_788_655_966,
    }
    assert told["depth"]["buyPriceImpactRatio"]["depth"] == {"10": 0, "100": 0, "1000": 0}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "invalid query: Object missing required field `ids`"),
        ("ids=", "invalid query: ids is empty: mints, joined by commas"),
        ("ids=a&ids=b", "invalid query: ids: Given more than once"),
        ("ids=" + "," * 100, "ids: at most 100 mints"),
        (f"ids={SOL}&vsToken={SOL}&showExtraInfo=True", "showExtraInfo cannot be used with vsToken"),
        (f"ids={SOL}&vsToken={UNKNOWN_MINT}", "vsToken: its price is not known"),
    ],
)
def test_prices_that_cannot_be_told(venue: FakeVenue, query: str, words: str) -> None:
    answer = venue.ask("GET", f"/price/v2?{query}")
    assert (answer.status_code, answer.json) == (400, {"error": words})
