"""The fault `strict`: the weaknesses of the originals one by one, and bots that live with all of them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from urllib.parse import urlencode

import pytest
from solders.keypair import Keypair

from countermand.client import SOL as SOL_MINT
from countermand.client import USDC as USDC_MINT
from countermand.client import Client, Limit, Policy, Recurring, Single
from countermand.sandbox.strict import BURST, KEYLESS_S, LAG_S, SLOW_LANDING_MS, Weakness
from countermand.sandbox.wire import WeaknessName
from tests.end_to_end.conftest import with_funds
from tests.end_to_end.trader import Trader, landed, single
from tests.end_to_end.venue import CONFIRM_TIMEOUT_MS, SOL, USDC, Venue, running_venue
from tests.forked import COUNTERMAND

UNKNOWN_ID = "01a20000-0000-7000-8000-000000000000"
FORGOTTEN = (400, "Deposit transaction not found in cache. Please craft a new deposit first.")


STILL = f"""
import pathlib
from countermand.app import sandbox
from countermand.sandbox.strict import Strict
path = pathlib.Path({{path!r}})
sandbox.Strict = lambda _: Strict(lambda: float(path.read_text()))
{COUNTERMAND}
"""


@dataclass(frozen=True)
class Still:
    """A venue whose limits and histories know a time that passes when a test says so, however long requests take."""

    venue: Venue
    path: Path

    @property
    def now(self) -> float:
        return float(self.path.read_text())

    def passes(self, seconds: float) -> None:
        other = self.path.with_suffix(".new")
        other.write_text(str(self.now + seconds))
        other.replace(self.path)


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Still]:
    folder = tmp_path_factory.mktemp("still")
    path = folder / "now"
    path.write_text(str(time.time()))
    with running_venue(folder, program=STILL.format(path=str(path))) as venue:
        yield Still(venue, path)
        assert venue.audit()["ok"]


@pytest.fixture
def still(stands: Still) -> Iterator[Still]:
    yield stands
    stands.venue.restores()
    stands.venue.settles()


def weak(venue: Venue, *names: str) -> None:
    venue.faults(strict=list(names))


def test_every_weakness_has_a_name_on_the_wire() -> None:
    assert [each.value for each in Weakness] == list(get_args(WeaknessName))


def test_they_are_shown_and_cleared(venue: Venue) -> None:
    venue.faults(strict=True)
    assert venue.sandbox()["faults"]["strict"] == [each.value for each in Weakness]
    weak(venue, "slowLanding", "busyCancel")
    assert venue.sandbox()["faults"]["strict"] == ["busyCancel", "slowLanding"]
    venue.faults()
    assert venue.sandbox()["faults"]["strict"] is False
    for asked, words in (
        (["busyCansel"], "did you mean busyCancel?"),
        ("busyCancel", "expected true or false or a list"),
        ([1], "strict[0]"),
    ):
        answer = venue.ask("PUT", "/sandbox/faults", {"strict": asked})
        assert answer.status == 400
        assert words in answer.body["error"]


def test_a_first_deposit_is_forgotten_and_nothing_of_it_taken(venue: Venue, alice: Trader) -> None:
    weak(venue, "forgottenCrafts")
    before = alice.holds(USDC)
    order = single(60 * USDC, SOL, below=120)
    body = alice.body_for(order, alice.crafts(order))
    assert alice.creates(body).error == FORGOTTEN
    assert alice.creates(body).error == FORGOTTEN
    assert alice.holds(USDC) == before
    assert alice.state_of(alice.places(order)) == "open"


def test_a_first_withdrawal_is_forgotten_until_it_is_asked_for_again(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(60 * USDC, SOL, below=120))
    weak(venue, "forgottenCrafts")
    cancelling = alice.cancels(order)
    words = "Withdrawal transaction not found in cache. Please initiate cancel again."
    assert alice.confirms(order, cancelling).error == (400, words)
    assert alice.confirms(order, cancelling).error == (400, words)
    alice.withdraws(order, alice.cancels(order))
    assert alice.state_of(order) == "cancelled"


def test_a_first_deposit_stays_forgotten_however_its_id_is_written(venue: Venue, alice: Trader) -> None:
    weak(venue, "forgottenCrafts")
    order = single(60 * USDC, SOL, below=120)
    body = alice.body_for(order, alice.crafts(order))
    assert alice.creates(body).error == FORGOTTEN
    assert alice.creates(body | {"depositRequestId": str(body["depositRequestId"]).upper()}).error == FORGOTTEN


def test_another_wallet_s_request_is_not_a_first_deposit(venue: Venue, alice: Trader, bob: Trader) -> None:
    weak(venue, "forgottenCrafts")
    order = single(60 * USDC, SOL, below=120)
    body = alice.body_for(order, alice.crafts(order))
    forbidden = (403, "Forbidden: userPubkey must match authenticated user")
    assert bob.creates(body | {"depositRequestId": UNKNOWN_ID}).error == forbidden
    assert alice.creates(body).error == FORGOTTEN


def test_only_a_cancel_that_succeeds_brings_a_forgotten_withdrawal_back(
    venue: Venue, alice: Trader, bob: Trader
) -> None:
    order = alice.places(single(60 * USDC, SOL, below=120))
    weak(venue, "forgottenCrafts")
    cancelling = alice.cancels(order)
    assert alice.confirms(order, cancelling).status == 400
    assert bob.asks_to_cancel(order).status == 403
    assert alice.confirms(order, cancelling).status == 400
    again = alice.asks_to_cancel(order.upper()).ok()
    alice.hands_in(order, alice.signs(again["transaction"]), again["requestId"]).ok()


def test_of_an_order_that_is_not_being_cancelled_no_withdrawal_is_forgotten(
    venue: Venue, alice: Trader, bob: Trader
) -> None:
    order = alice.places(single(60 * USDC, SOL, below=120))
    cancelling = alice.cancels(order)
    weak(venue, "forgottenCrafts")
    assert alice.confirms(UNKNOWN_ID, cancelling).error == (404, "Order not found")
    assert bob.hands_in(order, alice.signs(cancelling.transaction), cancelling.request_id).status == 403
    venue.faults()
    signature = alice.withdraws(order, cancelling)["txSignature"]
    weak(venue, "forgottenCrafts")
    assert alice.withdraws(order, cancelling)["txSignature"] == signature


def test_a_client_that_is_not_signed_in_is_told_so_first(venue: Venue) -> None:
    weak(venue, *(each.value for each in Weakness if each is not Weakness.RATE_LIMITS))
    stranger = Trader(venue)
    assert stranger.creates({"userPubkey": "a", "depositRequestId": "b"}).status == 401
    assert stranger.get("/orders/history").status == 401


def test_histories_lag(still: Still) -> None:
    alice = with_funds(Trader(still.venue))
    weak(still.venue, "laggingHistory")
    order = alice.places(single(60 * USDC, SOL, below=120))
    assert alice.get(f"/orders/history/{order}").error == (404, "Order not found")
    page = alice.get("/orders/history").ok()
    assert (page["orders"], page["pagination"]["total"]) == ([], 0)
    still.passes(LAG_S)
    assert alice.get(f"/orders/history/{order}").status == 200
    [row] = alice.history()
    assert alice.sees(order) == row
    alice.cancels(order)
    assert alice.sees(order) == row, "as it was"
    assert alice.history() == [row]
    still.passes(LAG_S)
    assert alice.state_of(order) == "pending_withdraw"


def test_an_order_that_was_shown_does_not_vanish(venue: Venue, alice: Trader) -> None:
    """Not even one whose create is under way while the history is read."""
    venue.faults(strict=["laggingHistory"], landDelayMs=CONFIRM_TIMEOUT_MS // 2)
    order = single(60 * USDC, SOL, below=120)
    body = alice.body_for(order, alice.crafts(order))
    reader, shown = Trader(venue, key=alice.key, token=alice.token), list[int]()
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(landed, lambda: alice.creates(body))
        while not creating.done():
            shown.append(len(reader.history()))
    creating.result().ok()
    while not shown or shown[-1] == 0:
        shown.append(len(reader.history()))
    assert shown == sorted(shown)


def test_a_lagging_history_agrees_with_itself(still: Still) -> None:
    """Filters, totals and pages are of the rows that are shown."""
    alice = with_funds(Trader(still.venue))
    first, second = (alice.places(single(60 * USDC, SOL, below=120)) for _ in range(2))
    weak(still.venue, "laggingHistory")
    rows = alice.history()
    alice.confirms(first, alice.cancels(first))
    alice.places(single(60 * USDC, SOL, below=120))
    assert alice.history(state="active") == rows, "as they were"
    assert alice.history(state="past") == []
    assert pages(alice, limit=1, sort="created_at") == [second, first]
    still.passes(LAG_S)
    assert alice.state_of(first) == "cancelled"
    assert [row["id"] for row in alice.history(state="past")] == [first]
    assert pages(alice, limit=2, sort="created_at", dir="asc")[:2] == [first, second]


def pages(trader: Trader, **query: object) -> list[str]:
    """The ids of all rows, page by page, until there are as many as the total says. No page is short but the last."""
    found, total = list[str](), 1
    while len(found) < total:
        page = trader.get("/orders/history?" + urlencode(query | {"offset": len(found)})).ok()
        total = page["pagination"]["total"]
        assert len(page["orders"]) == min(page["pagination"]["limit"], total - len(found))
        found += [row["id"] for row in page["orders"]]
    return found


def test_a_history_without_the_fault_is_the_same_text(venue: Venue, alice: Trader) -> None:
    alice.places(single(60 * USDC, SOL, below=120.25))
    plain = alice.get("/orders/history").raw
    weak(venue, "laggingHistory")
    assert alice.get("/orders/history").raw == plain


def test_a_cancel_is_refused_once_the_price_crossed(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(60 * USDC, SOL, below=120))
    weak(venue, "busyCancel")
    venue.faults(strict=["busyCancel"], rpcDown=True)
    venue.price(SOL, "110")
    assert alice.sees(order)["rawState"] == "ready_execute"
    assert alice.asks_to_cancel(order).error == (400, "Cannot cancel order in 'executing' state")
    venue.faults(rpcDown=True)
    assert alice.asks_to_cancel(order).status != 400
    venue.faults()


def test_a_repeated_create_is_a_duplicate_without_an_id(venue: Venue, alice: Trader) -> None:
    order = single(60 * USDC, SOL, below=120)
    body = alice.body_for(order, alice.crafts(order))
    placed = alice.creates(body).ok()["id"]
    assert alice.creates(body).ok()["id"] == placed
    weak(venue, "duplicateDeposit")
    assert alice.creates(body).body == {"error": "Duplicate deposit"}
    assert alice.creates(body | {"triggerPriceUsd": 110}).body == {"error": "Duplicate deposit"}


def test_amounts_of_trigger_v1_are_texts(venue: Venue) -> None:
    key = str(Keypair().pubkey())
    asked = {"inputMint": SOL.mint, "outputMint": USDC.mint, "maker": key, "payer": key}
    amounts = {"makingAmount": 10**9, "takingAmount": "300000000"}
    path = "/trigger/v1/createOrder"
    venue.ask("POST", path, asked | {"params": amounts}).ok()
    weak(venue, "textAmounts")
    answer = venue.ask("POST", path, asked | {"params": amounts})
    assert (answer.status, answer.body["error"]) == (400, "invalid create order request")
    assert answer.body["cause"] == "params.makingAmount: expected a string"
    venue.ask("POST", path, asked | {"params": {name: str(each) for name, each in amounts.items()}}).ok()


def test_no_keeper_gives_an_expired_order_back(venue: Venue) -> None:
    weak(venue, "noRefunds")
    expires = venue.now() // 1000 + 60
    with Client(Keypair(), venue.url) as client:
        client.sandbox.airdrop("SOL", 2 * 10**9)
        order = client.limit.place(
            Limit(sell=SOL_MINT, making=10**9, buy=USDC_MINT, taking=300 * 10**6, expires_at_s=expires)
        )
        venue.advances(3_600)
        venue.settles()
        assert [row.public_key for row in client.limit.open_orders()] == [order.order]
        client.limit.cancel(order.order)


def test_requests_are_limited_as_without_a_key(still: Still) -> None:
    venue = still.venue
    weak(venue, "rateLimits")
    path = f"/price/v3?ids={SOL.mint}"
    answers = [venue.ask("GET", path) for _ in range(BURST + 1)]
    assert [each.status for each in answers] == [*[200] * BURST, 429]
    assert answers[-1].body == {"code": 429, "message": "[API Gateway] Too many requests"}
    assert "retry-after" not in answers[-1].headers
    assert answers[-1].headers["x-ratelimit-remaining"] == "0"
    assert int(answers[-1].headers["x-ratelimit-reset"]) >= still.now
    assert venue.ask("GET", path, headers={"x-api-key": "another"}).status == 200
    still.passes(KEYLESS_S - 0.5)
    assert venue.ask("GET", path).status == 429
    still.passes(0.5)
    assert [venue.ask("GET", path).status for _ in range(2)] == [200, 429]


def test_each_answer_says_what_is_left(still: Still) -> None:
    venue = still.venue
    weak(venue, "rateLimits")
    answers = [venue.ask("GET", f"/price/v3?ids={SOL.mint}") for _ in range(BURST + 1)]
    told = [
        tuple(int(each.headers[f"x-ratelimit-{name}"]) for name in ("remaining", "current", "reset"))
        for each in answers
    ]
    assert [remaining for remaining, _, _ in told] == [*reversed(range(BURST)), 0]
    assert {remaining + current for remaining, current, _ in told} == {BURST}
    assert all(reset - still.now <= KEYLESS_S + 1 for _, _, reset in told)
    assert int(venue.ask("GET", "/sapi/v1/health").headers["x-ratelimit-remaining"]) > BURST


@pytest.mark.parametrize(
    "path",
    [
        "/trigger/v2/vault",
        "/trigger/v1/openOrders",
        "/limit/v2/openOrders",
        "/recurring/v1/getRecurringOrders",
        "/swap/v1/quote",
        "/price/v2",
        "/tokens/v2/search",
    ],
)
def test_all_of_jupiter_s_paths_share_one_limit(still: Still, path: str) -> None:
    venue = still.venue
    weak(venue, "rateLimits")
    for _ in range(BURST):
        assert venue.ask("GET", f"/price/v3?ids={SOL.mint}").status == 200
    assert venue.ask("GET", path).status == 429


def test_tanx_and_the_sandbox_are_not_limited(venue: Venue) -> None:
    weak(venue, "rateLimits")
    for path in ("/sapi/v1/health", "/sandbox"):
        assert {venue.ask("GET", path).status for _ in range(BURST + 2)} == {200}


def test_transactions_land_slowly(venue: Venue, alice: Trader) -> None:
    weak(venue, "slowLanding")
    order = single(60 * USDC, SOL, below=120)
    body = alice.body_for(order, alice.crafts(order))
    assert SLOW_LANDING_MS > 300, "longer than this venue waits"
    assert alice.creates(body).error == (500, "Deposit transaction did not land. Retry with the same depositRequestId.")
    eventually(lambda: alice.creates(body).status == 200)


def eventually(holds: object) -> None:
    """Soon, even on a busy machine."""
    assert callable(holds)
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


QUICKLY_LIMITED = f"from countermand.sandbox import strict; strict.KEYED_S = 0.1; {COUNTERMAND}"
"""A request more each tenth of a second. The client waits for whole seconds anyway."""


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Venue]:
    with running_venue(tmp_path, program=QUICKLY_LIMITED) as venue:
        yield venue
        assert venue.audit()["ok"]


@pytest.fixture
def patient(limited: Venue) -> Iterator[Client]:
    with Client(Keypair(), limited.url, api_key="free", policy=Policy(pause_s=0.1, pause_max_s=1)) as client:
        client.sandbox.airdrop("SOL", 5 * 10**9)
        client.sandbox.airdrop("USDC", 500 * 10**6)
        yield client


def test_the_client_lives_with_all_of_them_at_once(limited: Venue, patient: Client) -> None:
    """With an answer to its create lost, too: by then the server knows only that there is one."""
    patient.sandbox.faults(strict=True)
    order = Single(
        sell=SOL_MINT, amount=10**9, buy=USDC_MINT, watch=SOL_MINT, above=210, expires_at=limited.now() + 3_600_000
    )
    first = patient.trigger.place(order)
    recurring = patient.dca.place(Recurring(sell=USDC_MINT, amount=60 * 10**6, buy=SOL_MINT, rounds=3, interval_s=3600))
    deposit = patient.trigger.craft(order)
    patient.sandbox.faults(strict=True, loseAnswers=1)
    second = patient.trigger.submit(order, deposit)
    assert second.found
    for each in (first, second):
        patient.trigger.withdraw(each.id)
    patient.dca.withdraw(recurring.id)
    patient.sandbox.faults()
    rows = {row.id: row.order_state for row in patient.trigger.orders()}
    assert rows == {first.id: "cancelled", second.id: "cancelled"}
    assert [row.state for row in patient.dca.orders()] == ["cancelled"]
