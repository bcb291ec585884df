"""The venue is killed between any two steps of an OTOCO and of a trailing order, and starts again on the same data."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.trader import Trader, otoco, trailing
from tests.end_to_end.venue import SOL, USDC, Venue, running_venue


class Killed(Exception):
    """The venue did not stop in good order, as is meant."""


class Mortal:
    """A venue that is killed and comes back, and one who trades there."""

    def __init__(self, data: Path, database_url: str) -> None:
        self._data = data
        self._database_url = database_url
        self.trader = with_funds(Trader(self._start()))

    @property
    def venue(self) -> Venue:
        return self.trader.venue

    def _start(self) -> Venue:
        self._running = running_venue(self._data, "--database-url", self._database_url)
        return self._running.__enter__()

    def dies(self) -> None:
        self.venue.process.kill()
        self.venue.process.wait()
        self._running.__exit__(Killed, Killed(), None)
        self.trader.venue = self._start()

    def stops(self) -> None:
        self._running.__exit__(None, None, None)


@pytest.fixture
def mortal(database_url: str, tmp_path: Path) -> Iterator[Mortal]:
    """On a PostgreSQL that outlives it, so that it is back at once."""
    mortal = Mortal(tmp_path / "venue", database_url)
    yield mortal
    mortal.stops()


def test_an_otoco_is_killed_at_each_step_of_its_life(mortal: Mortal) -> None:
    alice = mortal.trader
    wish = otoco(120 * USDC, SOL, below=120, take_profit=150, stop_loss=100)
    body = alice.body_for(wish, alice.crafts(wish))
    mortal.dies()
    order = alice.creates(body).ok()["id"]
    steps: list[tuple[Callable[[], object], str, int]] = [
        (lambda: None, "open", 1),
        (lambda: mortal.venue.price(SOL, "119"), "open", 2),
        (lambda: alice.patch(f"/orders/price/{order}", {"orderType": "otoco", "slPriceUsd": 110}).ok(), "open", 2),
        (lambda: mortal.venue.price(SOL, "109"), "filled", 3),
    ]
    for act, state, events in steps:
        act()
        mortal.dies()
        mortal.venue.settles()
        row = alice.sees(order)
        assert (row["orderState"], len(row["events"])) == (state, events)
    assert mortal.venue.audit()["ok"]


def test_an_otoco_that_is_cancelled_after_its_parent(mortal: Mortal) -> None:
    alice = mortal.trader
    order = alice.places(otoco(120 * USDC, SOL, below=120, take_profit=150, stop_loss=100))
    mortal.venue.price(SOL, "119")
    mortal.dies()
    mortal.venue.settles()
    bought = mortal.venue.units_in(alice.outputs[order])
    cancelling = alice.cancels(order)
    mortal.dies()
    mortal.venue.price(SOL, "200")
    mortal.venue.settles()
    assert alice.sees(order)["rawState"] == "ready_to_cancel"
    assert mortal.venue.units_in(alice.outputs[order]) == bought
    confirmed = alice.withdraws(order, cancelling)
    mortal.dies()
    assert alice.withdraws(order, cancelling) == confirmed
    assert alice.state_of(order) == "cancelled"
    assert mortal.venue.audit()["ok"]


def test_a_watermark_survives(mortal: Mortal) -> None:
    alice = mortal.trader
    mortal.venue.price(SOL, "150")
    order = alice.places(trailing(1 * SOL, bps=1_000))
    mortal.venue.price(SOL, "200")
    mortal.venue.price(SOL, "190")
    mortal.dies()
    row = alice.sees(order)
    assert (row["highWatermark"], row["triggerPriceUsd"]) == (200, 180)
    mortal.venue.price(SOL, "220")
    mortal.dies()
    assert alice.sees(order)["highWatermark"] == 220
    mortal.venue.price(SOL, "198")
    mortal.dies()
    mortal.venue.settles()
    assert alice.state_of(order) == "filled"
    assert mortal.venue.audit()["ok"]
