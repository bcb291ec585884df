"""The sandbox remembers the newest requests, and of each no more than so much."""

from typing import Any

import msgspec
import pytest

from countermand.gateway.asgi import Event
from countermand.inspection.bell import Bell
from countermand.sandbox.requests import BODY_BYTES_KEPT, RequestLog, order_of, summary

ORDER = "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c"


async def told(_event: Event) -> None: ...


async def exchange(
    log: RequestLog, path: str = "/trigger/v2/vault", *, body: bytes = b"", answer: bytes = b"{}", whole: bool = True
) -> None:
    scope: dict[str, Any] = {"method": "POST", "path": path, "query_string": b"", "headers": []}
    seen = log(scope)
    seen.has_body(body)
    send = seen.watching(told)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer[:5], "more_body": True})
    await send({"type": "http.response.body", "body": answer[5:], "more_body": not whole})
    seen.ends()


def a_log(kept: int = 1_000) -> RequestLog:
    return RequestLog(lambda: 7, Bell(), kept)


async def test_the_oldest_is_forgotten() -> None:
    log = a_log(kept=3)
    for number in range(5):
        await exchange(log, f"/{number}")
    assert [each.path for each in log.newest(10)] == ["/4", "/3", "/2"]
    assert [each.number for each in log.newest(2)] == [5, 4]
    assert log.find(1) is None
    assert log.find(4) is not None


async def test_long_bodies_are_kept_in_part() -> None:
    log = a_log()
    await exchange(log, body=b"x" * 100_000, answer=b"y" * 200_000)
    (kept,) = log.newest(1)
    assert (len(kept.body), len(kept.answer)) == (BODY_BYTES_KEPT, BODY_BYTES_KEPT)
    assert (kept.body_bytes, kept.answer_bytes, kept.is_whole) == (100_000, 200_000, True)


async def test_an_answer_without_an_end_was_cut() -> None:
    log = a_log()
    await exchange(log, whole=False)
    assert summary(next(log.newest(1))).cut is True


async def test_a_reader_sees_what_came_after_what_it_saw() -> None:
    log = a_log(kept=3)
    assert log.after(None, 10) == []
    for number in range(2):
        await exchange(log, f"/{number}")
    seen = next(log.newest(1))
    for number in range(2, 4):
        await exchange(log, f"/{number}")
    assert [each.path for each in log.after(seen, 10)] == ["/2", "/3"]
    for number in range(4, 9):  # What it saw is gone: it sees all that is left.
        await exchange(log, f"/{number}")
    assert [each.path for each in log.after(seen, 10)] == ["/6", "/7", "/8"]


async def test_the_order_of_a_request() -> None:
    log = a_log()
    for path, body, answer in (
        (f"/trigger/v2/orders/price/cancel/{ORDER.upper()}", b"", b"{}"),
        ("/trigger/v2/orders/price", b"{}", b'{"id": "%s"}' % ORDER.encode()),
        ("/sapi/v1/orders/create/", b"{}", b'{"payload": {"id": 17}}'),
        ("/trigger/v1/cancelOrder", b'{"order": "So1"}', b'{"error": "no"}'),
        ("/trigger/v2/vault", b"[1]", b'{"id": true}'),
    ):
        await exchange(log, path, body=body, answer=answer)
    assert [order_of(each) for each in log.newest(9)][::-1] == [ORDER, ORDER, "17", "So1", None]


@pytest.mark.parametrize(
    "body", [b'{"a":"\\ud800"}', b'{"\\ud800":1}', b'{"signature":"\\ud800"}', b'["\\udc00"]', b'{"order":"\\ud800"}']
)
async def test_half_of_a_surrogate_pair_is_shown_as_its_escape(body: bytes) -> None:
    """C3. The gateway has refused it, and what it refuses is remembered, too."""
    log = a_log()
    await exchange(log, body=body, answer=body)
    (kept,) = log.newest(1)
    shown = msgspec.json.encode(log.shown(kept, "http://127.0.0.1"))
    assert b"(hidden)" in shown or rb"\\ud800" in shown or rb"\\udc00" in shown
    msgspec.json.encode(summary(kept))
