"""The bytes of Trigger v2, endpoint by endpoint: names, order of fields, kinds of values."""

import re
from collections.abc import Iterable

import pytest

from countermand.orders.trigger.model.order import State
from tests.dialects.fakes import DAY_MS, SOL, START_MS, USDC, FakeVenue

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ITEM_FIELDS = [
    "id",
    "orderType",
    "orderState",
    "rawState",
    "userPubkey",
    "privyWalletPubkey",
    "inputMint",
    "initialInputAmount",
    "remainingInputAmount",
    "outputMint",
    "triggerMint",
    "triggerCondition",
    "triggerPriceUsd",
    "slippageBps",
    "expiresAt",
    "createdAt",
    "updatedAt",
    "triggeredAt",
    "outputAmount",
    "inputUsed",
    "fillPercent",
    "trailingBps",
    "highWatermark",
    "lowWatermark",
    "tpPriceUsd",
    "slPriceUsd",
    "tpSlippageBps",
    "slSlippageBps",
    "events",
]


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


def test_a_vault_is_registered_once_and_then_shown(venue: FakeVenue) -> None:
    alice = venue.user()
    venue.orders.vaults.clear()
    missing = alice.ask("GET", "/trigger/v2/vault")
    assert (missing.status_code, missing.text) == (404, '{"error":"Vault not found"}')
    vault = (
        f'{{"userPubkey":"{alice.wallet}","vaultPubkey":"{alice.vault}","privyVaultId":"x7qm2p9rk4vt8wz1nb3jc5yd6"}}'
    )
    registered = alice.ask("GET", "/trigger/v2/vault/register")
    assert (registered.status_code, registered.text) == (200, vault)
    assert alice.ask("GET", "/trigger/v2/vault").text == vault
    again = alice.ask("GET", "/trigger/v2/vault/register")
    assert (again.status_code, again.text) == (409, f'{{"error":"Vault already registered","details":{vault}}}')


def test_a_crafted_deposit(venue: FakeVenue) -> None:
    alice = venue.user()
    answer = alice.ask("POST", "/trigger/v2/deposit/craft", alice.craft_body())
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(
        f'{{"transaction":"[A-Za-z0-9+/=]+","requestId":"{UUID}","receiverAddress":"{alice.vault}","mint":"{SOL}",'
        '"amount":"1000000000","tokenDecimals":9,"inputTokenAccount":"[1-9A-HJ-NP-Za-km-z]{32,44}"}',
        answer.text,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"orderType": None, "orderSubType": None},  # As clients before May 2026 sent it.
        {"orderType": None},
        {"amount": 1_000_000_000},
        {"jlMint": "ignored", "nested": {"a": [1, {"b": None}]}},
    ],
)
def test_a_craft_that_is_written_otherwise(venue: FakeVenue, changes: dict[str, object]) -> None:
    assert venue.user().crafts(**changes)["amount"] == "1000000000"


def test_a_placed_order_and_its_repetition(venue: FakeVenue) -> None:
    alice = venue.user()
    body = alice.order_body(alice.crafts())
    placed = alice.ask("POST", "/trigger/v2/orders/price", body)
    pattern = f'{{"id":"{UUID}","txSignature":"[1-9A-HJ-NP-Za-km-z]+","depositConfirmed":true}}'
    assert placed.status_code == 200
    assert re.fullmatch(pattern, placed.text)
    again = alice.ask("POST", "/trigger/v2/orders/price", body)
    assert (again.status_code, again.text) == (200, placed.text[:-1] + ',"message":"Order already created"}')


@pytest.mark.parametrize(
    "same",
    [
        {"triggerPriceUsd": "200.50"},
        {"triggerPriceUsd": 2005e-1},
        {"inputAmount": 1_000_000_000},
        {"unknown": 1},
    ],
)
def test_the_same_order_may_be_written_otherwise(venue: FakeVenue, same: dict[str, object]) -> None:
    alice = venue.user()
    body = alice.order_body(alice.crafts())
    assert alice.ask("POST", "/trigger/v2/orders/price", body).status_code == 200
    again = alice.ask("POST", "/trigger/v2/orders/price", body | same)
    assert (again.status_code, again.json.get("message")) == (200, "Order already created")


@pytest.mark.parametrize(
    "other",
    [
        {"triggerPriceUsd": "200.500000000001"},
        {"slippageBps": 101},
        {"expiresAt": START_MS + DAY_MS + 1},
        {"triggerCondition": "below"},
        {"inputAmount": "1000000001"},
    ],
)
def test_another_order_with_the_same_deposit_is_a_duplicate(venue: FakeVenue, other: dict[str, object]) -> None:
    alice = venue.user()
    body = alice.order_body(alice.crafts())
    first = alice.ask("POST", "/trigger/v2/orders/price", body)
    assert first.status_code == 200
    again = alice.ask("POST", "/trigger/v2/orders/price", body | other)
    assert (again.status_code, again.text) == (400, f'{{"error":"Duplicate deposit","id":"{first.json["id"]}"}}')


def test_the_order_of_a_duplicate_is_told_to_its_wallet_alone(venue: FakeVenue) -> None:
    """D8."""
    alice, mallory = venue.user(), venue.user()
    crafted = alice.crafts()
    assert alice.ask("POST", "/trigger/v2/orders/price", alice.order_body(crafted)).status_code == 200
    answer = mallory.ask("POST", "/trigger/v2/orders/price", mallory.order_body(crafted))
    assert (answer.status_code, answer.json) == (400, {"error": "Duplicate deposit"})


def test_another_transaction_is_another_order(venue: FakeVenue) -> None:
    alice = venue.user()
    body = alice.order_body(alice.crafts())
    first = alice.ask("POST", "/trigger/v2/orders/price", body).json
    other = alice.sign(alice.crafts()["transaction"])
    assert alice.ask("POST", "/trigger/v2/orders/price", body | {"depositSignedTx": other}).json == {
        "error": "Duplicate deposit",
        "id": first["id"],
    }


def test_slippage_that_is_left_out_is_another_order_than_none(venue: FakeVenue) -> None:
    alice = venue.user()
    body = alice.order_body(alice.crafts(), slippageBps=0)
    first = alice.ask("POST", "/trigger/v2/orders/price", body).json
    del body["slippageBps"]
    again = alice.ask("POST", "/trigger/v2/orders/price", body).json
    assert again == {"error": "Duplicate deposit", "id": first["id"]}


def test_the_update_of_the_published_page(venue: FakeVenue) -> None:
    alice = venue.user()
    order = alice.places()
    page = b"""{
  "orderType": "single",
  "triggerPriceUsd": 210.00,
  "slippageBps": 150
}"""
    answer = venue.ask("PATCH", f"/trigger/v2/orders/price/{order}", token=alice.token, raw=page)
    assert (answer.status_code, answer.text) == (200, f'{{"id":"{order}"}}')
    seen = alice.ask("GET", f"/trigger/v2/orders/history/{order}").text
    assert '"triggerPriceUsd":210,"slippageBps":150,' in seen


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"triggerPriceUsd": "0.000000000001"}, '"triggerPriceUsd":0.000000000001,'),
        ({"triggerPriceUsd": "1000000000000"}, '"triggerPriceUsd":1000000000000,'),
        ({"triggerPriceUsd": "123456789.123456789012"}, '"triggerPriceUsd":123456789.123456789012,'),
        ({"triggerPriceUsd": 0.1}, '"triggerPriceUsd":0.1,'),
        ({"slippageBps": 0}, '"slippageBps":0,'),
        ({"slippageBps": 10_000}, '"slippageBps":10000,'),
        ({"expiresAt": START_MS + 1}, f'"expiresAt":{START_MS + 1},'),
    ],
)
def test_any_part_of_an_order_can_be_updated_alone(venue: FakeVenue, change: dict[str, object], shown: str) -> None:
    alice = venue.user()
    order = alice.places()
    answer = alice.ask("PATCH", f"/trigger/v2/orders/price/{order}", {"orderType": "single"} | change)
    assert (answer.status_code, answer.text) == (200, f'{{"id":"{order}"}}')
    assert shown in alice.ask("GET", f"/trigger/v2/orders/history/{order}").text


def test_the_two_steps_of_a_cancel(venue: FakeVenue) -> None:
    alice = venue.user()
    order = alice.places()
    cancel = alice.ask("POST", f"/trigger/v2/orders/price/cancel/{order}")
    assert cancel.status_code == 200
    assert re.fullmatch(f'{{"id":"{order}","transaction":"[A-Za-z0-9+/=]+","requestId":"{UUID}"}}', cancel.text)
    again = alice.ask("POST", f"/trigger/v2/orders/price/cancel/{order.upper()}", {})
    assert again.json["id"] == order
    assert again.json["requestId"] == cancel.json["requestId"]
    assert again.json["transaction"] != cancel.json["transaction"]
    confirm = alice.confirms(order, alice.confirm_body(again.json))
    assert confirm.status_code == 200
    assert re.fullmatch(f'{{"id":"{order}","txSignature":"[1-9A-HJ-NP-Za-km-z]+"}}', confirm.text)
    repeated = alice.confirms(order, {"signedTransaction": "no matter", "cancelRequestId": cancel.json["requestId"]})
    assert (repeated.status_code, repeated.text) == (200, confirm.text)


def test_an_open_order_in_the_history(venue: FakeVenue) -> None:
    alice = venue.user()
    order = alice.places(triggerPriceUsd=10000, expiresAt=1_788_663_167_123)
    deposit = venue.orders.shown[order][0].signature
    item = (
        f'{{"id":"{order}","orderType":"single","orderState":"open","rawState":"open","userPubkey":"{alice.wallet}",'
        f'"privyWalletPubkey":"{alice.vault}","inputMint":"{SOL}","initialInputAmount":"1000000000",'
        f'"remainingInputAmount":"1000000000","outputMint":"{USDC}","triggerMint":"{SOL}","triggerCondition":"above",'
        '"triggerPriceUsd":10000,"slippageBps":100,"expiresAt":1788663167123,"createdAt":1788655966838,'
        '"updatedAt":1788655966838,"triggeredAt":null,"outputAmount":null,"inputUsed":null,"fillPercent":0,'
        '"trailingBps":null,"highWatermark":null,"lowWatermark":null,"tpPriceUsd":null,"slPriceUsd":null,'
        '"tpSlippageBps":null,"slSlippageBps":null,"events":[{"type":"deposit","timestamp":1788655966838,'
        f'"txSignature":"{deposit}","mint":"{SOL}","amount":"1000000000","state":"success"}}]}}'
    )
    assert alice.ask("GET", f"/trigger/v2/orders/history/{order}").text == item
    page = alice.ask("GET", "/trigger/v2/orders/history").text
    assert page == f'{{"orders":[{item}],"pagination":{{"total":1,"limit":20,"offset":0}}}}'


def test_a_cancelled_order_in_the_history(venue: FakeVenue) -> None:
    alice = venue.user()
    order = alice.has_order_in(State.WITHDRAWING)
    mid = alice.sees(order)
    assert (mid["orderState"], mid["rawState"]) == ("pending_withdraw", "ready_to_cancel")
    assert [event["type"] for event in mid["events"]] == ["deposit"]
    signature = alice.withdraws(order).json["txSignature"]
    seen = alice.sees(order)
    assert list(seen) == ITEM_FIELDS
    assert (seen["remainingInputAmount"], seen["inputUsed"], seen["outputAmount"]) == ("1000000000", None, None)
    withdrawal, cancelled, deposit = seen["events"]
    assert withdrawal == {
        "type": "withdrawal",
        "timestamp": START_MS,
        "txSignature": signature,
        "mint": SOL,
        "amount": "1000000000",
        "state": "success",
    }
    assert cancelled == {"type": "cancelled", "timestamp": START_MS, "state": "success"}
    assert deposit["type"] == "deposit"


def test_a_filled_order_in_the_history(venue: FakeVenue) -> None:
    alice = venue.user()
    order = alice.places()
    venue.clock.venue += 5_000
    venue.orders.observe(SOL, 250)
    for _ in range(6):
        venue.orders.fail_fill(order)
        venue.clock.venue += 60_000
        venue.orders.observe(SOL, 250)
    crossed = venue.clock.venue
    venue.orders.fill(order, receives=249_750_000)
    seen = alice.sees(order)
    assert (seen["orderState"], seen["rawState"], seen["triggeredAt"]) == ("filled", "fill_success", crossed)
    assert (seen["remainingInputAmount"], seen["inputUsed"], seen["outputAmount"]) == ("0", "1000000000", "249750000")
    assert seen["fillPercent"] == 1
    fill, *failed, _ = seen["events"]
    assert fill == {
        "type": "fill",
        "timestamp": crossed,
        "txSignature": fill["txSignature"],
        "outputMint": USDC,
        "outputAmount": "249750000",
        "orderContext": "take_profit",
        "state": "success",
    }
    newest = [crossed - 60_000 * n for n in range(1, 6)]
    assert failed == [
        {"type": "fill", "timestamp": at, "outputMint": USDC, "orderContext": "take_profit", "state": "failed"}
        for at in newest
    ]


def test_an_expired_order_in_the_history(venue: FakeVenue) -> None:
    alice = venue.user()
    order = alice.has_order_in(State.EXPIRED)
    seen = alice.sees(order)
    assert (seen["orderState"], seen["rawState"]) == ("expired", "expired")
    assert seen["events"][0] == {"type": "expired", "timestamp": START_MS + DAY_MS, "state": "success"}


def test_the_history_can_be_filtered_sorted_and_paged(venue: FakeVenue) -> None:
    alice = venue.user()
    first = alice.has_order_in(State.CANCELLED)
    venue.clock.venue += 1
    second = alice.places(expiresAt=START_MS + 2 * DAY_MS)
    bob = venue.user()
    bob.places()

    def ids(query: str) -> Iterable[str]:
        answer = alice.ask("GET", f"/trigger/v2/orders/history?{query}")
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json["orders"]]

    assert ids("") == [second, first]
    assert ids("state=active") == [second]
    assert ids("state=past") == [first]
    assert ids("dir=asc&sort=created_at") == [first, second]
    assert ids("limit=1&offset=1&sort=expires_at") == [first]
    assert ids(f"mint={USDC}") == [second, first]
    assert ids("mint=Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB") == []
    page = alice.ask("GET", "/trigger/v2/orders/history?limit=1&offset=7")
    assert page.text == '{"orders":[],"pagination":{"total":2,"limit":1,"offset":7}}'
