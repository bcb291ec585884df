"""What Trigger v2 answers when the client may not ask, or when we fail."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from countermand.kernel.ports import CommitUnknown, Unavailable
from tests.dialects.fakes import FakeVenue

NOWHERE = "019f053d-3f0c-70ad-bb5e-76d633291f80"


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


ALL_ENDPOINTS = [
    ("GET", "/trigger/v2/vault"),
    ("GET", "/trigger/v2/vault/register"),
    ("POST", "/trigger/v2/deposit/craft"),
    ("POST", "/trigger/v2/orders/price"),
    ("PATCH", f"/trigger/v2/orders/price/{NOWHERE}"),
    ("POST", f"/trigger/v2/orders/price/cancel/{NOWHERE}"),
    ("POST", f"/trigger/v2/orders/price/confirm-cancel/{NOWHERE}"),
    ("GET", "/trigger/v2/orders/history"),
    ("GET", f"/trigger/v2/orders/history/{NOWHERE}"),
]


NOTHING_CHANGED = "Service temporarily unavailable. Nothing was changed. Please retry."
OUTCOME_UNKNOWN = "The outcome of this request is unknown. Please repeat the same request."
READS = [path for method, path in ALL_ENDPOINTS if method == "GET" and not path.endswith("register")]


@pytest.mark.parametrize(("method", "path"), ALL_ENDPOINTS)
@pytest.mark.parametrize(
    ("failing", "status", "error"),
    [
        (Unavailable("the chain"), 503, NOTHING_CHANGED),
        (CommitUnknown("lost"), 503, OUTCOME_UNKNOWN),
        (KeyError("a bug with a secret"), 500, "Internal server error"),
    ],
)
def test_a_failure_is_answered_and_says_nothing_of_itself(
    venue: FakeVenue, method: str, path: str, failing: Exception, status: int, error: str
) -> None:
    alice = venue.user()
    crafted = alice.crafts()
    bodies: dict[str, Any] = {
        "craft": alice.craft_body(),
        "price": alice.order_body(crafted),
        NOWHERE: {"orderType": "single", "slippageBps": 1, "signedTransaction": "AA==", "cancelRequestId": NOWHERE},
    }
    venue.orders.failing = failing
    if path in READS and error == OUTCOME_UNKNOWN:
        error = NOTHING_CHANGED  # A read has no outcome: what it waited for was another's.
    with capture_logs() as logged:
        answer = alice.ask(method, path, bodies.get(path.rsplit("/", 1)[1]))
    assert [line["path"] for line in logged] == ([path] if status == 500 else [])
    assert (answer.status_code, answer.json) == (status, {"error": error})


@pytest.mark.parametrize(("method", "path"), ALL_ENDPOINTS)
def test_who_has_no_token_learns_nothing(venue: FakeVenue, method: str, path: str) -> None:
    answer = venue.ask(method, path, raw=b"{")
    assert (answer.status_code, answer.text) == (401, '{"error":"Unauthorized"}')
