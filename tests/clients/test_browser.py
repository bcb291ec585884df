"""A page on another origin, in a real browser: what its JavaScript may ask and see, as the browser decides by CORS."""

import json
import platform
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.browser import Browser, Browsers, CannotRun, running_browsers, served_page
from tests.end_to_end.venue import SOL, Venue, running_venue

KEY = {"x-api-key": "your-api-key"}
JSON = {"Content-Type": "application/json"}
TOKEN = {"Authorization": "Bearer none"}
HISTORY = "/trigger/v2/orders/history"
ORDERS = "/trigger/v2/orders/price"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
REJECTED = {"status": 0, "rejected": "TypeError"}
PRICE = {"method": "GET", "path": f"/price/v3?ids={SOL.mint}", "headers": KEY}


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsers]:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the npm package's Chromium is for Linux on x86-64")
    directory = tmp_path_factory.mktemp("browser")
    try:
        with running_browsers(directory) as browsers:
            yield browsers
    except CannotRun as why:
        pytest.skip(f"Chromium does not run on this machine: {why}")


@pytest.fixture
def browser(browsers: Browsers) -> Browser:
    return browsers.current()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of the page."""
    with served_page() as port:
        yield port


@pytest.fixture(scope="module")
def page(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def listed_page(port: int) -> str:
    """The same page, at the origin that `choosy` lists."""
    return f"http://localhost:{port}/"


@pytest.fixture(scope="module")
def choosy(tmp_path_factory: pytest.TempPathFactory, listed_page: str) -> Iterator[Venue]:
    """A venue that lists an origin, and an API key."""
    directory = tmp_path_factory.mktemp("choosy")
    keys = directory / "keys"
    keys.write_text("listed-key\n")
    with running_venue(directory, "--cors-origins", listed_page.rstrip("/"), "--api-keys", str(keys)) as venue:
        yield venue


def answers(browser: Browser, page: str, venue: Venue, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page sees of the answer to each request."""
    seen: list[dict[str, Any]] = browser.calls(page, "asks", venue.url, requests).value
    return seen


@pytest.mark.parametrize("library", ["web3.js", "kit"])
def test_a_page_on_another_origin_trades(browser: Browser, page: str, venue: Venue, library: str) -> None:
    done = browser.calls(page, "trades", venue.url, library)
    traded = done.value
    order = traded["id"]
    assert traded["updated"] == {"id": order}
    assert traded["cancelling"]["orderState"] == "pending_withdraw"
    assert list(traded["confirmed"]) == ["id", "txSignature"]
    (row,) = traded["history"]["orders"]
    assert (row["id"], row["orderState"], row["triggerPriceUsd"], row["slippageBps"]) == (order, "cancelled", 210, 150)
    assert [event["type"] for event in row["events"]] == ["withdrawal", "cancelled", "deposit"]
    assert 10**9 < traded["back"] < 10**9 + 2_039_280
    (status,) = venue.rpc("getSignatureStatuses", [traded["confirmed"]["txSignature"]])
    assert (status["confirmationStatus"], status["err"]) == ("finalized", None)

    (sent,) = (each for each in done.sent if each["method"] == "PATCH")
    assert {"content-type", "x-api-key", "authorization"} <= set(sent["headers"])


def test_a_page_reads_the_gateway_s_headers(browser: Browser, page: str, venue: Venue) -> None:
    first, second = answers(browser, page, venue, PRICE, PRICE)
    assert first["status"] == 200
    assert first["body"][SOL.mint]["usdPrice"] == 150
    counted = {name: int(first["headers"][f"x-ratelimit-{name}"]) for name in ("remaining", "current", "reset")}
    assert counted["remaining"] + counted["current"] == 9_000
    assert counted["reset"] > 0
    assert first["headers"]["x-api-gateway-request-id"] != second["headers"]["x-api-gateway-request-id"]


def test_a_page_reads_refusals(browser: Browser, page: str, venue: Venue) -> None:
    no_token, no_such_path, no_such_method, too_large, far_too_large, no_json = answers(
        browser,
        page,
        venue,
        {"method": "GET", "path": HISTORY, "headers": KEY | TOKEN},
        {"method": "GET", "path": "/trigger/v2/nowhere", "headers": KEY},
        {"method": "DELETE", "path": f"{ORDERS}/{UNKNOWN}", "headers": KEY | TOKEN},
        {"method": "POST", "path": ORDERS, "headers": KEY | TOKEN | JSON, "body": " " * 300_000},
        {"method": "POST", "path": ORDERS, "headers": KEY | TOKEN | JSON, "body": " " * 4_000_000},
        {"method": "POST", "path": "/trigger/v2/auth/challenge", "headers": KEY | JSON, "body": "{"},
    )
    assert no_token["status"] == 401
    assert no_such_path["status"] == 404
    assert no_such_path["body"] == {"code": 404, "message": "Not found"}
    assert no_such_method["status"] == 405
    assert too_large["status"] == far_too_large["status"] == 413
    assert no_json["status"] == 400
    for refused in (no_token, no_such_path, no_such_method, too_large, far_too_large, no_json):
        assert refused["body"]
        assert refused["headers"]["x-api-gateway-request-id"]


def test_a_page_reads_that_it_asked_too_often(browser: Browser, page: str, venue: Venue) -> None:
    venue.faults(rateLimit=1)
    asked = {"method": "GET", "path": HISTORY, "headers": KEY | TOKEN}
    limited, after = answers(browser, page, venue, asked, asked)
    assert limited["status"] == 429  # The preflight was not.
    assert (limited["headers"]["retry-after"], limited["headers"]["x-ratelimit-remaining"]) == ("1", "0")
    assert after["status"] == 401


def test_a_page_speaks_to_the_chain(browser: Browser, page: str, venue: Venue) -> None:
    done = browser.calls(page, "speaksToTheChain", venue.url)
    assert done.value["err"] is None
    assert done.value["web3"] == done.value["kit"] == 10**9
    assert done.value["slot"] > 0
    sent = [each["headers"]["solana-client"] for each in done.sent if each["url"].endswith("/rpc")]
    assert len(sent) >= 3
    venue.faults(rpcDown=True)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getSlot"})
    (down,) = answers(browser, page, venue, {"method": "POST", "path": "/rpc", "headers": JSON, "body": body})
    assert down["status"] == 503
    assert down["body"]


def test_a_page_of_an_origin_that_is_not_listed_reads_nothing(browser: Browser, page: str, choosy: Venue) -> None:
    plain = {"method": "GET", "path": "/health/live"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getSlot"})
    rpc = {"method": "POST", "path": "/rpc", "headers": JSON, "body": body}
    unknown_path = {"method": "GET", "path": "/nowhere"}
    assert answers(browser, page, choosy, plain, PRICE, rpc, unknown_path) == [REJECTED] * 4
    # It is a page of this machine, and so the sandbox is open to it.
    (sandbox,) = answers(browser, page, choosy, {"method": "GET", "path": "/sandbox"})
    assert (sandbox["status"], sandbox["body"]["clock"]) == (200, {"mode": "running"})


def test_a_page_of_the_listed_origin_reads(browser: Browser, listed_page: str, choosy: Venue) -> None:
    unknown, listed = answers(browser, listed_page, choosy, PRICE, PRICE | {"headers": {"x-api-key": "listed-key"}})
    assert (unknown["status"], unknown["body"]) == (401, {"code": 401, "message": "Invalid API key"})
    assert listed["status"] == 200
    assert browser.calls(listed_page, "speaksToTheChain", choosy.url).value["web3"] == 10**9
