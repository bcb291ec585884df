"""What Trigger v2 refuses, in which order, and in which words."""

from typing import Any

import pytest

from countermand.dialects.trigger_v2.refusals import WORDS, Act, refused
from countermand.orders.trigger.model.order import State
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from tests.dialects.fakes import DAY_MS, SOL, START_MS, UNKNOWN_MINT, USDC, USDT, FakeVenue, User

NOWHERE = "019f053d-3f0c-70ad-bb5e-76d633291f80"
SHOWN = {
    State.DEPOSITING: "pending",
    State.OPEN: "open",
    State.TRIGGERED: "executing",
    State.EXECUTING: "executing",
    State.PARTLY_FILLED: "executing",
    State.EXPIRED: "expired",
    State.WITHDRAWING: "pending_withdraw",
    State.FILLED: "filled",
    State.CANCELLED: "cancelled",
    State.DEPOSIT_FAILED: "failed",
}
NOT_IN_CACHE = "Withdrawal transaction not found in cache. Please initiate cancel again."
UNDER_WAY = "Cannot {} order in 'executing' state: a fill is under way"


def in_seconds(given: int) -> str:
    """D3: what is told to who gives seconds where milliseconds belong."""
    return (
        f"Expiry time must be in the future: {given} is in 1973 or before; "
        "it is in milliseconds since the Unix epoch, not seconds"
    )


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


@pytest.mark.parametrize("state", State)
def test_an_update_in_each_state(venue: FakeVenue, state: State) -> None:
    alice = venue.user()
    order = alice.has_order_in(state)
    answer = alice.ask("PATCH", f"/trigger/v2/orders/price/{order}", {"orderType": "single", "slippageBps": 7})
    if state is State.OPEN:
        assert (answer.status_code, answer.json) == (200, {"id": order})
        return
    words = f"Cannot update order in '{SHOWN[state]}' state"
    if state in (State.TRIGGERED, State.EXECUTING, State.PARTLY_FILLED):
        words = UNDER_WAY.format("update")
    assert (answer.status_code, answer.json) == (400, {"error": words})


@pytest.mark.parametrize("state", State)
def test_a_cancel_in_each_state(venue: FakeVenue, state: State) -> None:
    alice = venue.user()
    order = alice.has_order_in(state)
    answer = alice.ask("POST", f"/trigger/v2/orders/price/cancel/{order}")
    if state in (State.OPEN, State.TRIGGERED, State.PARTLY_FILLED, State.EXPIRED, State.WITHDRAWING):
        assert (answer.status_code, list(answer.json)) == (200, ["id", "transaction", "requestId"])
        return
    words = UNDER_WAY.format("cancel") if state is State.EXECUTING else f"Cannot cancel order in '{SHOWN[state]}' state"
    assert (answer.status_code, answer.json) == (400, {"error": words})


@pytest.mark.parametrize("state", State)
def test_a_confirm_in_each_state(venue: FakeVenue, state: State) -> None:
    alice = venue.user()
    order = alice.has_order_in(state)
    withdrawal = venue.orders.desk.groups[order].progress.withdrawal
    body = {"signedTransaction": "AA==", "cancelRequestId": NOWHERE if withdrawal is None else withdrawal.request_id}
    if state is State.WITHDRAWING:
        body = alice.confirm_body(alice.cancels(order))
    answer = alice.confirms(order, body)
    if state in (State.WITHDRAWING, State.CANCELLED):
        assert (answer.status_code, answer.json["id"]) == (200, order)
    else:
        assert (answer.status_code, answer.json) == (400, {"error": NOT_IN_CACHE})


@pytest.mark.parametrize("state", State)
def test_the_history_in_each_state(venue: FakeVenue, state: State) -> None:
    alice = venue.user()
    assert alice.sees(alice.has_order_in(state))["orderState"] == SHOWN[state]


ORDER_ENDPOINTS: list[tuple[str, str, Any]] = [
    ("PATCH", "/trigger/v2/orders/price/{}", {"orderType": "single", "slippageBps": 7}),
    ("POST", "/trigger/v2/orders/price/cancel/{}", None),
    (
        "POST",
        "/trigger/v2/orders/price/confirm-cancel/{}",
        {"signedTransaction": "AA==", "cancelRequestId": NOWHERE},
    ),
    ("GET", "/trigger/v2/orders/history/{}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ORDER_ENDPOINTS)
def test_what_is_wrong_is_told_in_order(venue: FakeVenue, method: str, path: str, body: dict[str, Any] | None) -> None:
    alice, mallory, stranger = venue.user(), venue.user(), venue.stranger()
    order = alice.has_order_in(State.FILLED)

    def asked(user: User, order: str, body: object) -> tuple[int, dict[str, Any]]:
        answer = user.ask(method, path.format(order), body)
        return answer.status_code, answer.json

    assert asked(stranger, "nonsense", []) == (401, {"error": "Unauthorized"})
    assert asked(mallory, "nonsense", []) == (400, {"error": "Invalid order ID"})
    if body is not None:
        assert asked(mallory, NOWHERE, [])[0] == 400
        for field in body:
            rest = {name: value for name, value in body.items() if name != field}
            status, said = asked(mallory, NOWHERE, rest)
            assert (status, said["error"]) == (400, "Request validation failed")
    assert asked(mallory, NOWHERE, body) == (404, {"error": "Order not found"})
    assert asked(mallory, order, body) == (403, {"error": "Forbidden: order belongs to a different wallet"})
    if method != "GET":
        assert asked(alice, order, body)[0] == 400


@pytest.mark.parametrize(
    "given",
    ["1", "dca1", "019f053d3f0c70adbb5e76d633291f80", NOWHERE + "0", "{" + NOWHERE + "}", "%00", "..", "1e99", "é"],
)
@pytest.mark.parametrize(("method", "path", "body"), ORDER_ENDPOINTS)
def test_an_order_id_is_a_uuid(venue: FakeVenue, method: str, path: str, body: object, given: str) -> None:
    answer = venue.user().ask(method, path.format(given), body)
    assert (answer.status_code, answer.json) == (400, {"error": "Invalid order ID"})


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (
            {"orderType": "single"},
            {"body": "Give at least one of triggerPriceUsd, trailingBps, slippageBps, expiresAt"},
        ),
        ({}, {"orderType": 'Invalid option: expected one of "single"|"oco"|"otoco"'}),
        (
            {"orderType": "dca", "slippageBps": 1},
            {"orderType": 'Invalid option: expected one of "single"|"oco"|"otoco"'},
        ),
        ({"orderType": "single", "tpPriceUsd": 1}, {"tpPriceUsd": "Not a field of single orders"}),
        (
            {"orderType": "single", "slippageBps": 1, "slSlippageBps": 1},
            {"slSlippageBps": "Not a field of single orders"},
        ),
        ({"orderType": "oco", "triggerPriceUsd": 1}, {"triggerPriceUsd": "Not a field of oco orders"}),
        ({"orderType": "oco", "tpPriceUsd": 260.0, "slPriceUsd": 145.0}, {"orderType": "Differs from the order"}),
        ({"orderType": "otoco", "tpPriceUsd": 230.0}, {"orderType": "Differs from the order"}),
        ({"orderType": "single", "expiresAt": START_MS}, {"expiresAt": "Expiry time must be in the future"}),
        ({"orderType": "single", "expiresAt": START_MS // 1000}, {"expiresAt": in_seconds(START_MS // 1000)}),
        (
            {"orderType": "single", "expiresAt": 1e16},
            {"expiresAt": "Too big: expected number to be <=8640000000000000"},
        ),
        ({"orderType": "single", "slippageBps": 10_001}, {"slippageBps": "Too big: expected number to be <=10000"}),
        ({"orderType": "single", "slippageBps": -1}, {"slippageBps": "Too small: expected number to be >=0"}),
        (
            {"orderType": "single", "slippageBps": "150"},
            {"slippageBps": "Invalid input: expected number, received string"},
        ),
        (
            {"orderType": "single", "slippageBps": None},
            {"slippageBps": "Invalid input: expected number, received null"},
        ),
        ({"orderType": "single", "triggerPriceUsd": 0}, {"triggerPriceUsd": "Too small: expected number to be >0"}),
        ({"orderType": "single", "triggerPriceUsd": -210}, {"triggerPriceUsd": "Too small: expected number to be >0"}),
    ],
)
def test_an_update_that_says_nothing_or_too_much(
    venue: FakeVenue, body: dict[str, object], details: dict[str, str]
) -> None:
    alice = venue.user()
    answer = alice.ask("PATCH", f"/trigger/v2/orders/price/{alice.places()}", body)
    assert (answer.status_code, answer.json) == (400, {"error": "Request validation failed", "details": details})


def test_an_order_does_not_become_a_trailing_one(venue: FakeVenue) -> None:
    alice = venue.user()
    body = {"orderType": "single", "trailingBps": 500}
    answer = alice.ask("PATCH", f"/trigger/v2/orders/price/{alice.places()}", body)
    assert (answer.status_code, answer.json) == (400, {"error": "Cannot convert to trailing stop loss order"})


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"amount": "533333"}, 400, "Order must be at least 10 USD (current value: 0.07 USD)"),
        ({"amount": "66666666"}, 400, "Order must be at least 10 USD (current value: 9.99 USD)"),
        ({"outputMint": SOL}, 400, "Input mint and output mint cannot be the same"),
        ({"inputMint": USDC, "outputMint": USDT}, 400, "Mint pair is not supported"),
        ({"orderType": "dca"}, 400, "orderSubType must be omitted when orderType is 'dca'"),
        (
            {"orderType": "dca", "orderSubType": None, "jlMint": USDC},
            400,
            "jlMint does not match the JL token for this input mint",
        ),
        ({"userAddress": USDC}, 403, "Forbidden: userAddress must match authenticated user"),
    ],
)
def test_a_deposit_that_is_not_crafted(venue: FakeVenue, changes: dict[str, Any], status: int, error: str) -> None:
    alice = venue.user()
    answer = alice.ask("POST", "/trigger/v2/deposit/craft", alice.craft_body(**changes))
    assert (answer.status_code, answer.json) == (status, {"error": error})


def test_ten_dollars_are_enough(venue: FakeVenue) -> None:
    assert venue.user().crafts(amount="66666667")["amount"] == "66666667"


def test_a_deposit_needs_a_vault_that_is_not_the_user_and_a_price(venue: FakeVenue) -> None:
    alice = venue.user()

    def asked(**changes: object) -> tuple[int, dict[str, Any]]:
        answer = alice.ask("POST", "/trigger/v2/deposit/craft", alice.craft_body(**changes))
        return answer.status_code, answer.json

    assert asked(userAddress=alice.vault) == (400, {"error": "userAddress must not be the vault address"})
    venue.prices.clear()
    assert asked() == (500, {"error": f"Failed to fetch the price of {SOL}"})
    venue.orders.vaults.clear()
    assert asked() == (403, {"error": "Vault not found"})


CRAFT_DETAILS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"inputMint": UNKNOWN_MINT}, {"inputMint": "Token is not known"}),
    ({"outputMint": UNKNOWN_MINT}, {"outputMint": "Token is not known"}),
    ({"inputMint": "SOL"}, {"inputMint": "Invalid input: expected a base58 public key of 32 bytes"}),
    ({"userAddress": "0" * 44}, {"userAddress": "Invalid input: expected a base58 public key of 32 bytes"}),
    ({"orderSubType": None}, {"orderSubType": 'Invalid option: expected one of "single"|"oco"|"otoco"'}),
    ({"orderType": "limit"}, {"orderType": 'Invalid option: expected one of "price"|"dca"'}),
    ({"amount": None}, {"amount": "Invalid input: expected string, received undefined"}),
    ({"amount": "0"}, {"amount": "Too small: expected number to be >0"}),
    ({"amount": -1}, {"amount": "Too small: expected number to be >0"}),
    ({"amount": "-1"}, {"amount": "Invalid input: expected a whole number of base units"}),
    ({"amount": "1.5"}, {"amount": "Invalid input: expected a whole number of base units"}),
    ({"amount": 1.5}, {"amount": "Invalid input: expected string, received number"}),
    ({"amount": "1e9"}, {"amount": "Invalid input: expected a whole number of base units"}),
    ({"amount": "１"}, {"amount": "Invalid input: expected a whole number of base units"}),
    ({"amount": ""}, {"amount": "Invalid input: expected a whole number of base units"}),
    ({"amount": "0100"}, {"amount": "Invalid input: expected a whole number of base units"}),
    ({"amount": str(2**64)}, {"amount": "Invalid input: is too big"}),
    ({"amount": 2**64}, {"amount": "Invalid input: is too big"}),
    ({"amount": "9" * 5_000}, {"amount": "Invalid input: has too many digits"}),
    ({"amount": True}, {"amount": "Invalid input: expected string, received boolean"}),
    ({"amount": []}, {"amount": "Invalid input: expected string, received array"}),
    (
        {"amount": {}, "inputMint": 7, "outputMint": None},
        {
            "inputMint": "Invalid input: expected string, received number",
            "outputMint": "Invalid input: expected string, received undefined",
            "amount": "Invalid input: expected string, received object",
        },
    ),
]


@pytest.mark.parametrize(("changes", "details"), CRAFT_DETAILS)
def test_what_is_wrong_with_a_craft_is_said_by_field(
    venue: FakeVenue, changes: dict[str, Any], details: dict[str, str]
) -> None:
    alice = venue.user()
    answer = alice.ask("POST", "/trigger/v2/deposit/craft", alice.craft_body(**changes))
    assert (answer.status_code, answer.json) == (400, {"error": "Request validation failed", "details": details})


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"triggerPriceUsd": None}, 400, "exactly one of triggerPriceUsd or trailingBps must be set"),
        ({"trailingBps": 500}, 400, "exactly one of triggerPriceUsd or trailingBps must be set"),
        ({"triggerMint": USDC}, 400, "Trigger mint is not supported"),
        ({"outputMint": SOL}, 400, "Input mint and output mint cannot be the same"),
        ({"inputMint": USDC, "outputMint": USDT}, 400, "Mint pair is not supported"),
        ({"userPubkey": USDC}, 403, "Forbidden: userPubkey must match authenticated user"),
        (
            {"depositRequestId": NOWHERE},
            400,
            "Deposit transaction not found in cache. Please craft a new deposit first.",
        ),
        (
            {"depositRequestId": "\x00"},
            400,
            "Deposit transaction not found in cache. Please craft a new deposit first.",
        ),
        ({"depositSignedTx": "%%%"}, 400, "Invalid transaction format"),
        ({"depositSignedTx": ""}, 400, "Invalid transaction format"),
    ],
)
def test_an_order_that_is_not_placed(venue: FakeVenue, changes: dict[str, Any], status: int, error: str) -> None:
    alice = venue.user()
    answer = alice.ask("POST", "/trigger/v2/orders/price", alice.order_body(alice.crafts(), **changes))
    assert (answer.status_code, answer.json) == (status, {"error": error})
    assert not venue.orders.desk.groups


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        ({"triggerMint": UNKNOWN_MINT}, {"triggerMint": "Token is not known"}),
        ({"triggerCondition": None}, {"triggerCondition": 'Invalid option: expected one of "above"|"below"'}),
        ({"triggerCondition": "over"}, {"triggerCondition": 'Invalid option: expected one of "above"|"below"'}),
        ({"slPriceUsd": 100}, {"slPriceUsd": "Not a field of single orders"}),
        ({"slippageBps": 10_001}, {"slippageBps": "Too big: expected number to be <=10000"}),
        ({"expiresAt": START_MS}, {"expiresAt": "Expiry time must be in the future"}),
        ({"expiresAt": START_MS // 1000}, {"expiresAt": in_seconds(START_MS // 1000)}),
        ({"expiresAt": 0}, {"expiresAt": in_seconds(0)}),
        ({"expiresAt": 10**11}, {"expiresAt": "Expiry time must be in the future"}),
        ({"expiresAt": 10**30}, {"expiresAt": "Too big: expected number to be <=8640000000000000"}),
        ({"expiresAt": "tomorrow"}, {"expiresAt": "Invalid input: expected number, received string"}),
        ({"expiresAt": None}, {"expiresAt": "Invalid input: expected number, received undefined"}),
        ({"inputAmount": "999999999"}, {"inputAmount": "Differs from the crafted deposit"}),
        ({"outputMint": USDT}, {"outputMint": "Differs from the crafted deposit"}),
        ({"userPubkey": "me"}, {"userPubkey": "Invalid input: expected a base58 public key of 32 bytes"}),
    ],
)
def test_what_is_wrong_with_an_order_is_said_by_field(
    venue: FakeVenue, changes: dict[str, Any], details: dict[str, str]
) -> None:
    alice = venue.user()
    answer = alice.ask("POST", "/trigger/v2/orders/price", alice.order_body(alice.crafts(), **changes))
    assert (answer.status_code, answer.json) == (400, {"error": "Request validation failed", "details": details})
    assert not venue.orders.desk.groups


def test_an_order_needs_a_vault_and_a_deposit_of_its_own(venue: FakeVenue) -> None:
    alice, mallory = venue.user(), venue.user()
    crafted = alice.crafts()

    def asked(user: User, **changes: object) -> tuple[int, dict[str, Any]]:
        answer = user.ask("POST", "/trigger/v2/orders/price", user.order_body(crafted, **changes))
        return answer.status_code, answer.json

    assert asked(mallory)[1]["details"] == {"userPubkey": "Differs from the crafted deposit"}
    assert asked(alice, userPubkey=alice.vault) == (400, {"error": "userPubkey must not be the vault address"})
    assert asked(alice, depositSignedTx=crafted["transaction"]) == (
        400,
        {"error": "Invalid signed deposit transaction: the wallet's signature is missing"},
    )
    assert asked(alice, depositSignedTx=alice.sign(alice.crafts()["transaction"])) == (
        400,
        {"error": "Invalid signed deposit transaction: Transaction accounts modified"},
    )
    assert asked(alice, depositSignedTx=mallory.sign(crafted["transaction"])) == (
        400,
        {"error": "Invalid signed deposit transaction: the wallet's signature is wrong"},
    )
    venue.orders.flaw = "insufficient funds {0}"
    assert asked(alice) == (400, {"error": "Invalid signed deposit transaction: insufficient funds {0}"})
    venue.orders.flaw = None
    venue.orders.vaults.clear()
    assert asked(alice, depositRequestId=NOWHERE) == (400, {"error": "Vault not found"})
    assert not venue.orders.desk.groups


def test_a_deposit_that_does_not_land(venue: FakeVenue) -> None:
    alice = venue.user()
    body = alice.order_body(alice.crafts())
    venue.orders.lands = False
    slow = alice.ask("POST", "/trigger/v2/orders/price", body)
    words = "Deposit transaction did not land. Retry with the same depositRequestId."
    assert (slow.status_code, slow.json) == (500, {"error": words})
    venue.orders.lands, venue.orders.rejection = True, "AccountInUse"
    failed = alice.ask("POST", "/trigger/v2/orders/price", body)
    words = "Deposit failed. Please craft a new deposit."
    assert (failed.status_code, failed.json) == (400, {"error": words})
    again = alice.ask("POST", "/trigger/v2/orders/price", body)
    assert (again.status_code, again.json) == (400, {"error": words})


def test_an_order_that_is_repeated_after_its_expiry_is_the_same_order(venue: FakeVenue) -> None:
    alice = venue.user()
    body = alice.order_body(alice.crafts())
    assert alice.ask("POST", "/trigger/v2/orders/price", body).status_code == 200
    venue.clock.venue += 2 * DAY_MS
    again = alice.ask("POST", "/trigger/v2/orders/price", body)
    assert (again.status_code, again.json["message"]) == (200, "Order already created")


def test_a_cancel_whose_withdrawal_cannot_be_built(venue: FakeVenue) -> None:
    alice = venue.user()
    order = alice.places()
    venue.orders.builds = False
    answer = alice.ask("POST", f"/trigger/v2/orders/price/cancel/{order}")
    words = "Order will not fill any more, but its withdrawal could not be built. Please initiate cancel again."
    assert (answer.status_code, answer.json) == (500, {"error": words})
    assert alice.sees(order)["rawState"] == "ready_to_cancel"
    venue.orders.builds = True
    assert alice.withdraws(order).status_code == 200


def test_a_cancel_looks_at_no_body(venue: FakeVenue) -> None:
    alice = venue.user()
    path = f"/trigger/v2/orders/price/cancel/{alice.places()}"
    assert venue.ask("POST", path, token=alice.token, raw=b"{{{").status_code == 200


def test_a_confirm_says_which_thing_is_wrong(venue: FakeVenue) -> None:
    alice, mallory = venue.user(), venue.user()
    order = alice.places()
    first = alice.cancels(order)
    older = alice.confirm_body(first)
    newest = alice.cancels(order)

    def asked(transaction: str, request_id: str = first["requestId"]) -> tuple[int, dict[str, Any]]:
        answer = alice.confirms(order, {"signedTransaction": transaction, "cancelRequestId": request_id})
        return answer.status_code, answer.json

    signed = alice.sign(newest["transaction"])
    assert asked(signed, NOWHERE) == (400, {"error": NOT_IN_CACHE})
    assert asked(signed, "nonsense") == (400, {"error": NOT_IN_CACHE})
    assert asked("nonsense") == (400, {"error": "Invalid transaction format"})
    invalid = "Invalid withdrawal transaction: "
    newer = "a newer cancel replaced it; sign the newest one"
    assert asked(older["signedTransaction"]) == (400, {"error": invalid + newer})
    assert asked(newest["transaction"]) == (400, {"error": invalid + "the wallet's signature is missing"})
    wrong = mallory.sign(newest["transaction"])
    assert asked(wrong) == (400, {"error": invalid + "the wallet's signature is wrong"})
    other = alice.sign(alice.crafts()["transaction"])
    assert asked(other) == (400, {"error": invalid + "Transaction accounts modified"})
    venue.orders.height = 151
    expired = "Withdrawal transaction expired. Please initiate cancel again."
    assert asked(signed) == (400, {"error": expired})
    assert asked(older["signedTransaction"]) == (400, {"error": expired})
    venue.orders.height = 150
    venue.orders.lands = False
    slow = "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId."
    assert asked(signed) == (500, {"error": slow})
    venue.orders.lands, venue.orders.rejection = True, "Custom(1)"
    rejected = "Withdrawal transaction failed on chain (Custom(1)). Please initiate cancel again."
    assert asked(signed) == (400, {"error": rejected})
    assert asked(signed) == (400, {"error": rejected})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=open", "state"),
        ("state=", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("sort=price", "sort"),
        ("dir=up", "dir"),
        ("mint=SOL", "mint"),
        ("mint=%00", "mint"),
    ],
)
def test_a_history_that_cannot_be_asked_for(venue: FakeVenue, query: str, field: str) -> None:
    answer = venue.user().ask("GET", f"/trigger/v2/orders/history?{query}")
    assert (answer.status_code, answer.json["error"]) == (400, "Request validation failed")
    assert list(answer.json["details"]) == [field]


def test_what_does_not_exist_is_the_gateways_to_answer(venue: FakeVenue) -> None:
    alice = venue.user()
    for method, path in (
        ("PATCH", "/trigger/v2/orders/dca/0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c"),
        ("POST", "/trigger/v2/orders/dca/"),
        ("POST", "/trigger/v2/orders/price/"),
        ("GET", "/trigger/v2/vault/"),
        ("GET", "/price/v3/"),
    ):
        for user in (alice, venue.stranger()):
            assert user.ask(method, path, {}).status_code == 404, path


@pytest.mark.parametrize("refusal", TriggerRefusal)
@pytest.mark.parametrize("act", Act)
def test_every_refusal_can_be_said(refusal: TriggerRefusal, act: Act) -> None:
    answer = refused(TriggerRefused(refusal, State.OPEN, "some {detail}"), act)
    assert answer.status == WORDS[refusal].status
    assert b'"error":"' in answer.body


def test_an_expiry_that_is_past_is_told_before_the_order_is_looked_for(venue: FakeVenue) -> None:
    path = "/trigger/v2/orders/price/01a0723a-f41a-707a-bd36-f8a162597304"
    answer = venue.user().ask("PATCH", path, {"orderType": "single", "expiresAt": START_MS})
    assert answer.status_code == 400
    assert answer.json["details"] == {"expiresAt": "Expiry time must be in the future"}
