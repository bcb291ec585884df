"""Snapshots of a whole sandbox: all that it was comes back, in a new incarnation, and the books agree."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from countermand.testkit.http import LostAnswer
from countermand.testkit.process import STOP_S, Announced, SandboxProcess
from countermand.testkit.venue import Countermand
from tests.clusters import gets_cluster
from tests.end_to_end.conftest import with_funds
from tests.end_to_end.dca_trader import DcaTrader, dca
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.member import Member
from tests.end_to_end.trader import Trader, otoco, single, trailing
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue
from tests.forked import COUNTERMAND, Forked


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """One of its own: a restore ends the tokens of all."""
    with running_venue(tmp_path_factory.mktemp("snapshots"), "--throwaway") as venue:
        yield venue


@pytest.fixture
def venue(other: Venue) -> Iterator[Venue]:
    other.resets()
    yield other
    other.settles()
    assert other.audit()["ok"], other.audit()


def keeps(venue: Venue, name: str = "before") -> Any:
    return venue.ask("POST", "/sandbox/snapshots", {"name": name}).ok()


def restores(venue: Venue, name: str = "before") -> Any:
    return venue.ask("POST", f"/sandbox/snapshots/{name}/restore").ok()


def orders(venue: Venue) -> dict[str, Any]:
    """All, with their timelines but for the journal's numbers, which go on rising."""
    listed = venue.ask("GET", "/sandbox/orders?limit=500").ok()["orders"]
    found = {str(each["id"]): venue.ask("GET", f"/sandbox/orders/{each['id']}").ok() for each in listed}
    for each in found.values():
        for entry in each["timeline"]:
            entry.pop("seq", None)
    return found


def newest_seq(venue: Venue, order: str) -> int:
    timeline = venue.ask("GET", f"/sandbox/orders/{order}").ok()["timeline"]
    return max(int(entry["seq"]) for entry in timeline)


def test_all_that_it_was_comes_back(venue: Venue) -> None:
    alice, bob = with_funds(Trader(venue)), with_funds(Trader(venue))
    filled = alice.places(single(1 * SOL, above=160))
    cancelled = bob.places(single(1 * SOL, above=170))
    bob.withdraws(cancelled, bob.cancels(cancelled))
    venue.price(SOL, "161")
    venue.settles()
    resting = alice.places(otoco(50 * USDC, SOL, below=100, take_profit=900, stop_loss=20))
    trailed = bob.places(trailing(1 * SOL, bps=5_000))
    half_cancelled = bob.places(single(1 * SOL, above=300))
    bob.cancels(half_cancelled)
    plan = DcaTrader(alice).places(dca(100 * USDC, rounds=4, every_s=60))
    venue.settles()
    limit = LimitTrader(venue, bob)
    limit.places(10 * USDC, JUP)
    member = Member(venue).joins().has(usdc="1000", btc="2")
    bid = member.places("buy", "0.01", "50000")
    venue.pool(USDC, most=7_000_000, impact_bps=3)
    venue.ask("POST", "/sandbox/tokens", {"symbol": "KEPT", "decimals": 3, "price": "2"}).ok()
    venue.freezes()
    shown, story, pools = venue.sandbox(), orders(venue), venue.ask("GET", "/sandbox/liquidity").ok()
    held = [trader.holds(token) for trader in (alice, bob) for token in (SOL, USDC, JUP)]
    balance, books = member.balance("usdc"), venue.audit()
    assert {filled, cancelled, resting, trailed, half_cancelled, plan, str(bid)} < set(story)

    keeps(venue)
    venue.price(SOL, "400")
    venue.advances(3_600)
    venue.ask("POST", "/sandbox/tokens", {"symbol": "GONE", "decimals": 3, "price": "2"}).ok()
    venue.deepens_pools()
    venue.settles()
    member.cancels(bid).ok()
    with_funds(Trader(venue)).places(single(1 * SOL, above=1_000))
    venue.faults(failSwaps=5, rateLimit=1)
    assert orders(venue) != story

    answer = restores(venue)
    assert answer == venue.sandbox()
    assert answer | {"chain": None} == shown | {"chain": None}
    assert venue.ask("GET", "/sandbox/liquidity").ok() == pools
    assert orders(venue) == story
    assert [trader.holds(token) for trader in (alice, bob) for token in (SOL, USDC, JUP)] == held
    member.logs_in()
    assert (member.balance("usdc"), member.state(bid)) == (balance, ("wait", None))
    assert venue.audit() == books
    assert books["ok"]


def test_what_came_back_goes_on(venue: Venue) -> None:
    alice = with_funds(Trader(venue))
    sold, kept = alice.places(single(1 * SOL, above=200)), alice.places(single(2 * SOL, above=300))
    keeps(venue)
    for _ in range(2):
        restores(venue)
        alice.signs_in()
        venue.price(SOL, "201")
        venue.settles()
        assert (alice.state_of(sold), alice.state_of(kept)) == ("filled", "open")
        alice.withdraws(kept, alice.cancels(kept))
        assert alice.state_of(alice.places(single(1 * SOL, above=400))) == "open"
        assert venue.audit()["ok"]


def test_a_restore_begins_a_new_incarnation(venue: Venue) -> None:
    alice = with_funds(Trader(venue))
    order = alice.places(single(1 * SOL, above=200))
    unsigned = alice.cancels(alice.places(single(1 * SOL, above=250)))
    kept = keeps(venue)
    blockhash, genesis = venue.rpc("getLatestBlockhash")["blockhash"], venue.rpc("getGenesisHash")
    later = alice.places(single(1 * SOL, above=210))
    seq, slot = newest_seq(venue, later), venue.sandbox()["chain"]["slot"]
    assert kept == {"name": "before", "seq": newest_seq(venue, order) + 3}
    craft = alice.crafts(single(1 * SOL, above=220))
    stale = alice.body_for(single(1 * SOL, above=220), craft)
    restores(venue)
    assert alice.get("/orders/history").status == 401
    alice.signs_in()
    assert newest_seq(venue, order) > seq, "no position is given twice"
    assert venue.sandbox()["chain"]["slot"] > slot + 150
    assert not venue.rpc("isBlockhashValid", blockhash)
    assert venue.rpc("getGenesisHash") != genesis
    assert alice.creates(stale).status == 400
    assert alice.hands_in(order, alice.signs(unsigned.transaction), unsigned.request_id).status == 400
    assert venue.ask("GET", f"/sandbox/orders/{later}").status == 404


def test_no_nonce_of_tanx_is_given_twice(venue: Venue) -> None:
    member = Member(venue).joins().has(usdc="1000")
    keeps(venue)
    given = [member.draft("buy", "0.01", "1000")["nonce"] for _ in range(3)]
    restores(venue)
    member.logs_in()
    assert member.draft("buy", "0.01", "1000")["nonce"] > max(given)
    order = member.places("buy", "0.01", "1000")
    venue.settles()
    assert member.state(order) == ("wait", None)


def test_a_swap_that_was_under_way_is_made_anew(venue: Venue) -> None:
    alice = with_funds(Trader(venue))
    order = alice.places(single(1 * SOL, above=200))
    venue.faults(landDelayMs=60_000)
    venue.price(SOL, "201")
    while alice.sees(order)["rawState"] != "executing":
        time.sleep(0.01)
    keeps(venue)
    restores(venue)
    alice.signs_in()
    venue.settles()
    venue.advances(2)  # Its first attempt is dead, so it pauses.
    venue.settles()
    assert alice.state_of(order) == "filled"


def test_a_snapshot_outlives_a_reset_and_others_of_its_past(venue: Venue) -> None:
    alice = with_funds(Trader(venue))
    first = alice.places(single(1 * SOL, above=200))
    keeps(venue, "one")
    second = alice.places(single(1 * SOL, above=210))
    keeps(venue, "two")
    venue.resets(seed=7)
    assert orders(venue) == {}
    restores(venue, "one")
    assert set(orders(venue)) == {first}
    assert venue.sandbox()["seed"] is None
    alice.signs_in()
    third = alice.places(single(1 * SOL, above=220))
    keeps(venue, "three")
    restores(venue, "two")
    assert set(orders(venue)) == {first, second}
    restores(venue, "three")
    assert set(orders(venue)) == {first, third}
    assert venue.audit()["ok"]


def test_a_seed_gives_no_id_twice(venue: Venue) -> None:
    venue.resets(seed=11)
    venue.freezes()
    alice = with_funds(Trader(venue))
    keeps(venue)
    first = alice.places(single(1 * SOL, above=200))
    restores(venue)
    assert venue.sandbox()["seed"] == 11
    alice.signs_in()
    assert alice.places(single(1 * SOL, above=200)) != first


def test_snapshots_are_listed_replaced_and_deleted(venue: Venue) -> None:
    for each in venue.ask("GET", "/sandbox/snapshots").ok()["snapshots"]:
        venue.ask("DELETE", f"/sandbox/snapshots/{each['name']}").ok()
    venue.freezes()
    keeps(venue, "a")
    keeps(venue, "b")
    venue.advances(5)
    again = keeps(venue, "a")
    listed = venue.ask("GET", "/sandbox/snapshots").ok()["snapshots"]
    now = venue.now()
    assert [(each["name"], each["takenAt"]) for each in listed] == [("b", now - 5_000), ("a", now)]
    assert again == {"name": "a", "seq": listed[1]["seq"]}
    assert venue.ask("DELETE", "/sandbox/snapshots/b").ok() == venue.sandbox()
    assert [each["name"] for each in venue.ask("GET", "/sandbox/snapshots").ok()["snapshots"]] == ["a"]
    for method, path in (("DELETE", "b"), ("POST", "b/restore")):
        refused = venue.ask(method, f"/sandbox/snapshots/{path}")
        assert refused.error == (404, "b: no snapshot of this sandbox; GET /sandbox/snapshots lists them")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "body: empty; send a JSON object with name"),
        ({"nam": "a"}, "nam: unknown field; did you mean name?"),
        ({"name": ""}, "name: '' is none; send 1 to 64 letters"),
        ({"name": "a b"}, "name: 'a b' is none"),
        ({"name": "x" * 65}, "is none; send 1 to 64 letters"),
        ({"name": "-"}, "_ or -, a letter or a digit first"),
        ({"name": 7}, "name: expected a text, got the number 7"),
    ],
)
def test_a_name_that_is_none_is_refused(other: Venue, body: object, words: str) -> None:
    refused = other.ask("POST", "/sandbox/snapshots", body)
    assert refused.status == 400
    assert words in refused.body["error"]


def test_a_restore_takes_no_body(venue: Venue) -> None:
    keeps(venue)
    refused = venue.ask("POST", "/sandbox/snapshots/before/restore", {"seed": 3})
    assert refused.error == (400, "seed: unknown field; this request takes no body")


# --- crashes


class ForkedSandbox(SandboxProcess):
    """It is started as the testkit starts one, but forked: the import is most of what a start costs."""

    def start(self) -> Announced:
        announced = self._directory / "announced.json"
        announced.unlink(missing_ok=True)
        gets_cluster(self._directory / "data")
        words = ("--port", str(self._port), "--data", str(self._directory / "data"), "--announce", str(announced))
        with self.log.open("ab") as log, Path(os.devnull).open("w") as nothing:
            out, err = nothing.fileno(), log.fileno()
            forked = Forked(COUNTERMAND, "serve", "--throwaway", *words, stdout=out, stderr=err)
        self._process = cast("subprocess.Popen[bytes]", forked)
        found = self._announced(announced)
        self._port = urlsplit(found.url).port or 0
        return found

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_S)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Countermand]:
    process = ForkedSandbox(tmp_path)
    venue = Countermand(process)
    yield venue
    venue.close()
    process.stop()


def stands(venue: Countermand, order: str, gone: str) -> bool:
    """True: it is as the snapshot has it; False: as it was after it. Nothing in between."""
    found = {each["id"] for each in venue.orders()}
    prices = {each["symbol"]: each["price"] for each in venue.state()["tokens"]}
    assert (found, prices["SOL"], prices.get("NEW")) in (({order}, "150", None), ({order, gone}, "160", "3"))
    venue.assert_promise()
    return gone not in found


@pytest.mark.parametrize(("point", "is_restored"), [("before-commit", False), ("after-commit", True)])
def test_a_crash_in_a_restore_leaves_it_done_or_not_begun(
    mortal: Countermand, point: str, *, is_restored: bool
) -> None:
    order, gone = _a_past_and_a_present(mortal)
    mortal.faults(crash=point)
    with pytest.raises(LostAnswer):
        mortal.sandbox("POST", "/snapshots/before/restore")
    mortal.restart()
    assert stands(mortal, order, gone) is is_restored
    mortal.sandbox("POST", "/snapshots/before/restore")
    assert stands(mortal, order, gone)
    mortal.restart()
    assert stands(mortal, order, gone)


def test_a_kill_at_any_moment_of_a_restore_leaves_it_done_or_not_begun(mortal: Countermand) -> None:
    order, gone = _a_past_and_a_present(mortal)
    mortal.sandbox("POST", "/snapshots", {"name": "after"})
    chance, seen = random.Random(4), set[bool]()
    for _ in range(6):
        with ThreadPoolExecutor() as pool:
            restoring = pool.submit(mortal.sandbox, "POST", "/snapshots/before/restore")
            time.sleep(chance.uniform(0.02, 0.4))
            mortal.kill()
            assert isinstance(restoring.exception(), LostAnswer | None)
        mortal.restart()
        seen.add(stands(mortal, order, gone))
        mortal.sandbox("POST", "/snapshots/after/restore")
        assert not stands(mortal, order, gone)
    assert seen


def _a_past_and_a_present(venue: Countermand) -> tuple[str, str]:
    w = venue.wallet(sol=10)
    order = w.trigger.place("SOL", 1, "USDC", above=200)
    venue.sandbox("POST", "/snapshots", {"name": "before"})
    venue.price("SOL", 160)
    venue.sandbox("POST", "/tokens", {"symbol": "NEW", "decimals": 3, "price": "3"})
    return order, w.trigger.place("SOL", 1, "USDC", above=210)
