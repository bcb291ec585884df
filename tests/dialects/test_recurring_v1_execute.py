"""Executing the transactions of Recurring v1, and what happens when the world does not answer."""

import base64
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.signature import Signature

from countermand.kernel.ports import CommitUnknown
from countermand.solana.port import JsonError
from countermand.solana.programs.dca import dca_address
from tests.orders.recurring.stage import (
    CANCELLED_ORDER,
    NOW_S,
    SEED_ORDER,
    SOL,
    USDC,
    USER,
    Stage,
    a_cancel,
    a_create,
    an_order,
    in_shape,
    older_cancel,
    signed,
)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.chain.has_order(SEED_ORDER, an_order(USER))
    return stage


@pytest.fixture
def user() -> Keypair:
    return Keypair.from_seed(bytes(range(32)))


def opened_by(stage: Stage, user: Keypair) -> Any:
    return stage.post("createOrder", a_create() | {"user": str(user.pubkey())}).json


def execution(built: Any, user: Keypair) -> dict[str, str]:
    return {"requestId": built["requestId"], "signedTransaction": signed(built["transaction"], user)}


def signature_in(body: dict[str, str]) -> str:
    raw = base64.b64decode(body["signedTransaction"])
    return str(Signature(raw[1:65]))


def test_a_create_is_executed(stage: Stage, user: Keypair) -> None:
    body = execution(opened_by(stage, user), user)
    order = dca_address(str(user.pubkey()), USDC, SOL, NOW_S)[0]
    answer = stage.post("execute", body)
    assert answer.status_code == 200
    assert answer.text == (f'{{"signature":"{signature_in(body)}","status":"Success","order":"{order}","error":null}}')
    again = stage.post("execute", body)
    assert (again.status_code, again.text) == (200, answer.text)
    assert stage.chain.sent == [base64.b64decode(body["signedTransaction"])]


@pytest.mark.parametrize("older", [False, True])
def test_a_cancel_is_executed(stage: Stage, user: Keypair, older: bool) -> None:
    wallet = str(user.pubkey())
    stage.chain.has_order(CANCELLED_ORDER, an_order(wallet))
    asked = older_cancel if older else a_cancel
    built = stage.post("cancelOrder", asked(order=CANCELLED_ORDER, user=wallet)).json
    name, transaction = ("id", built["tx"]) if older else ("requestId", built["transaction"])
    body = {"requestId": built[name], "signedTransaction": signed(transaction, user)}
    answer = stage.post("execute", body)
    assert answer.text == f'{{"signature":"{signature_in(body)}","status":"Success","order":null,"error":null}}'


def test_a_cancel_that_is_asked_for_twice_within_a_blockhash_is_one(stage: Stage, user: Keypair) -> None:
    wallet = str(user.pubkey())
    stage.chain.has_order(CANCELLED_ORDER, an_order(wallet))
    older = stage.post("cancelOrder", older_cancel(order=CANCELLED_ORDER, user=wallet)).json
    newer = stage.post("cancelOrder", a_cancel(order=CANCELLED_ORDER, user=wallet)).json
    assert (older["id"], older["tx"]) == (newer["requestId"], newer["transaction"])
    assert stage.post("execute", execution(newer, user)).json["status"] == "Success"


def test_the_ways_to_name_a_build(stage: Stage, user: Keypair) -> None:
    first, second = opened_by(stage, user), opened_by(stage, user)
    body = execution(first, user)
    mine, others = first["requestId"], second["requestId"]
    transaction = {"signedTransaction": body["signedTransaction"]}
    for good in ({}, {"requestId": mine}, {"id": mine}, {"requestId": mine.upper(), "id": mine}, {"requestId": None}):
        assert stage.post("execute", transaction | good).json["status"] == "Success"
    for bad in ({"requestId": others}, {"id": others}, {"requestId": ""}, {"requestId": "x"}):
        not_ours(stage.post("execute", transaction | bad))
    in_shape(stage.post("execute", transaction | {"requestId": mine, "id": others}), 400, "id: differs from requestId")


def not_ours(answer: Any) -> None:
    assert answer.status_code == 400
    assert answer.text == '{"error":"invalid transaction","code":400,"status":"Failed"}'


def test_what_is_not_a_signed_build(stage: Stage, user: Keypair) -> None:
    built = opened_by(stage, user)
    good = signed(built["transaction"], user)
    raw = bytearray(base64.b64decode(good))
    raw[-1] ^= 1
    for bad in (
        built["transaction"],
        base64.b64encode(raw).decode(),
        "",
        "AAAA",
        good + "AAAA",
        good[:-4],
        "é",
    ):
        not_ours(stage.post("execute", {"signedTransaction": bad, "requestId": built["requestId"]}))
    not_ours(stage.post("execute", {"signedTransaction": signed_by_another(built["transaction"])}))
    assert stage.chain.sent == []


def signed_by_another(transaction: str) -> str:
    message = base64.b64decode(transaction)[65:]
    signature = bytes(Keypair().sign_message(message))
    return base64.b64encode(b"\x01" + signature + message).decode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"requestId": "x"}, "missing field `signedTransaction`"),
        ({"signedTransaction": 5}, "signedTransaction: invalid type: integer, expected a string"),
        ({"signedTransaction": "", "requestId": 5}, "requestId: invalid type: integer, expected a string or null"),
    ],
)
def test_executions_that_are_none(stage: Stage, body: object, words: str) -> None:
    in_shape(stage.post("execute", body), 400, words)


@pytest.mark.parametrize(
    ("rejection", "words"),
    [
        ({"InstructionError": [5, {"Custom": 1}]}, "Insufficient funds for the operation requested."),
        ({"InstructionError": [2, {"Custom": 6014}]}, "Insufficient funds for the operation requested."),
        ({"InstructionError": [2, {"Custom": 3012}]}, "Insufficient funds for the operation requested."),
        ({"InstructionError": [2, {"Custom": 6003}]}, "custom program error code: 6003"),
    ],
)
def test_what_fails_on_chain(stage: Stage, user: Keypair, rejection: JsonError, words: str) -> None:
    stage.chain.rejection = rejection
    body = execution(opened_by(stage, user), user)
    for _ in range(2):
        answer = stage.post("execute", body)
        assert answer.status_code == 200
        assert answer.text == (
            f'{{"signature":"{signature_in(body)}","status":"Failed","order":null,"error":"{words}"}}'
        )


def test_what_does_not_land_can_be_executed_again(stage: Stage, user: Keypair) -> None:
    stage.chain.lands = False
    body = execution(opened_by(stage, user), user)
    answer = stage.post("execute", body)
    assert answer.status_code == 500
    assert answer.json == {
        "signature": signature_in(body),
        "status": "Failed",
        "order": None,
        "error": "unable to confirm transaction",
    }
    stage.chain.lands = True
    assert stage.post("execute", body).json["status"] == "Success"


def test_a_chain_that_is_down(stage: Stage, user: Keypair) -> None:
    body = execution(opened_by(stage, user), user)
    stage.chain.down = True
    words = "Service temporarily unavailable. Please retry."
    in_shape(stage.post("createOrder", a_create()), 503, words)
    in_shape(stage.post("cancelOrder", a_cancel()), 503, words)
    answer = stage.post("cancelOrder", older_cancel())
    assert answer.json == {"code": 503, "message": words, "status": "Service Unavailable"}
    in_shape(stage.get(user=USER, recurringType="time", orderStatus="active"), 503, words)
    unknown = "The outcome of this transaction is unknown. Please repeat the same request."
    in_shape(stage.post("execute", body), 503, unknown)
    stage.chain.down = False
    assert stage.post("execute", body).json["status"] == "Success"


def test_a_commit_whose_answer_is_lost(stage: Stage) -> None:
    stage.drawer.failing = CommitUnknown()
    words = "The outcome of this request is unknown. Please repeat the same request."
    in_shape(stage.post("createOrder", a_create()), 503, words)


def test_a_bug_is_no_traceback(stage: Stage) -> None:
    stage.drawer.failing = ZeroDivisionError("secret")
    in_shape(stage.post("createOrder", a_create()), 500, "Internal server error")


def test_an_order_that_is_there_was_opened_though_the_node_forgot_by_what(stage: Stage, user: Keypair) -> None:
    """As a node does that was restored from a snapshot."""
    body = execution(opened_by(stage, user), user)
    stage.chain.lands = False
    stage.chain.height += 200
    assert stage.post("execute", body).json["error"] == "unable to confirm transaction"
    order = dca_address(str(user.pubkey()), USDC, SOL, NOW_S)[0]
    stage.chain.has_order(order, an_order(str(user.pubkey())))
    answer = stage.post("execute", body)
    assert answer.text == f'{{"signature":"{signature_in(body)}","status":"Success","order":"{order}","error":null}}'
