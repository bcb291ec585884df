"""tanX between any two steps of a user: restarts, and kills before and after a commit."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import Server, running_apart
from tests.end_to_end.member import Member
from tests.end_to_end.venue import LostAnswer, Venue, running_venue

NO_PROCESS = cast("subprocess.Popen[str]", None)
CREATE = "/sapi/v1/orders/create/"
USER = ("cancel", "Order cancelled by user")


def test_all_that_was_answered_outlives_a_restart(tmp_path: Path) -> None:
    with running_venue(tmp_path) as venue:
        alice, bob = (Member(venue).joins().has(btc="1", usdc="10000") for _ in range(2))
        request = alice.signs(alice.draft("buy", 0.02, 1000))
        first = alice.ask("POST", CREATE, request)
        order = first.ok()["payload"]["id"]
        unsigned = alice.draft("buy", 0.01, 900)
        bob.places("sell", 0.005, 990)
        stop = alice.places("buy", 0.01, 2000, ord_type="stop_limit", stop_price=1500)
        seen, ticker = alice.sees(order), ticker_of(venue)
        trades = alice.get("/sapi/v1/trades/")
    with running_venue(tmp_path) as venue:
        alice.venue = bob.venue = venue
        assert alice.sees(order) == seen
        assert alice.get("/sapi/v1/trades/") == trades
        assert ticker_of(venue) == ticker
        assert ticker["amount"] == "0.005"
        assert alice.ask("POST", CREATE, request).raw == first.raw
        assert alice.balance("usdc") == ("9960.0", "35.0")
        assert alice.post(CREATE, alice.signs(unsigned))["id"] == stop + 1
        assert alice.cancels(order).ok()["payload"]["executed_volume"] == "0.005"
        assert alice.cancels(stop).ok()["payload"]["state"] == "pending"
        ended = alice.sees(order)
    with running_venue(tmp_path) as venue:
        alice.venue = venue
        assert alice.sees(order) == ended
        assert alice.state(order) == alice.state(stop) == USER
        assert alice.cancels(order).body["message"] == "Order is already cancelled"
        assert alice.ask("POST", CREATE, request).raw == first.raw
        assert venue.audit()["ok"] is True

        venue.resets()
        assert alice.ask("GET", "/sapi/v1/user/balance").body["payload"]["code"] == "token_not_valid"
        alice.logs_in()
        assert alice.balance("usdc") == ("0.0", "0.0")
        assert alice.get("/sapi/v1/orders") == alice.get("/sapi/v1/trades") == []
        assert alice.ask("POST", CREATE, request).body["message"] == "Invalid nonce"
        assert "No Stark key" in alice.ask("POST", CREATE, alice.signs(alice.draft("buy", 1, 1))).body["message"]
        assert alice.joins().has(usdc="10").places("buy", 0.01, 1000) == 1


def ticker_of(venue: Venue) -> dict[str, str]:
    ticker: dict[str, str] = venue.ask("GET", "/sapi/v1/market/tickers/").ok()["payload"]["btcusdc"]["ticker"]
    del ticker["at"]
    return ticker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_apart(postgres, tmp_path_factory.mktemp("tanx")) as server:
        yield server


class Doors:
    """The venue as clients see it, which is another one after each start."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._seen: list[Venue] = []

    def now(self) -> Venue:
        self._seen.append(Venue(f"http://127.0.0.1:{self._server.port}", NO_PROCESS, Path()))
        return self._seen[-1]

    def hang_up(self) -> None:
        for seen in self._seen:
            seen.hang_up()


@pytest.fixture
def venue(server: Server) -> Iterator[Doors]:
    doors = Doors(server)
    yield doors
    doors.hang_up()


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
async def test_a_cancel_that_a_crash_interrupted_is_asked_again(server: Server, venue: Doors, point: str) -> None:
    alice = Member(venue.now()).joins().has(usdc="10000")
    order = alice.places("buy", 0.02, 1000)
    alice.venue.faults(crash=point)
    with pytest.raises(LostAnswer):
        alice.cancels(order)
    await server.ended()
    await server.start()
    alice.venue = venue.now()
    again = alice.cancels(order)
    if point == "before-commit":
        assert again.ok()["payload"]["state"] == "wait"
    else:
        assert (again.status, again.body["message"]) == (400, "Order is already cancelled")
    assert alice.state(order) == USER
    assert alice.balance("usdc") == ("10000.0", "0.0")


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
async def test_a_creation_that_a_crash_interrupted_is_one_order(server: Server, venue: Doors, point: str) -> None:
    seen = venue.now()
    alice, bob = (Member(seen).joins().has(btc="1", usdc="10000") for _ in range(2))
    resting = bob.places("sell", 0.01, 1000)
    request = alice.signs(alice.draft("buy", 0.02, 1000))
    alice.venue.faults(crash=point)
    with pytest.raises(LostAnswer):
        alice.ask("POST", CREATE, request)
    await server.ended()
    await server.start()
    alice.venue = bob.venue = venue.now()
    assert bob.sees(resting)["state"] == ("wait" if point == "before-commit" else "done")
    order = alice.post(CREATE, request)["id"]
    assert [each["id"] for each in alice.get("/sapi/v1/orders")] == [order] == [resting + 1]
    shown = alice.sees(order)
    assert (shown["state"], shown["executed_volume"], len(shown["trades"])) == ("wait", "0.01", 1)
    assert alice.balance("usdc") == ("9980.0", "10.0")
    alice.cancels(order).ok()  # The next test has the book for itself.


async def test_a_bulk_cancel_is_whole_or_not_at_all(server: Server, venue: Doors) -> None:
    alice = Member(venue.now()).joins().has(usdc="10000")
    orders = [alice.places("buy", 0.01, 1000 + number) for number in range(5)]
    alice.venue.faults(crash="before-commit")
    with pytest.raises(LostAnswer):
        alice.ask("POST", "/sapi/v1/user/bulkcancel/", {"market": "btcusdc"})
    await server.ended()
    await server.start()
    alice.venue = venue.now()
    assert [alice.state(order) for order in orders] == [("wait", None)] * 5
    alice.post("/sapi/v1/user/bulkcancel/", {"market": "btcusdc"})
    await server.kill()
    await server.start()
    alice.venue = venue.now()
    assert [alice.state(order) for order in orders] == [USER] * 5
