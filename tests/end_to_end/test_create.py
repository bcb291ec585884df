"""From the deposit to the open order: once, whatever gets lost and however often it is asked for."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction

from tests.end_to_end.trader import ROOT, Trader, single
from tests.end_to_end.venue import CONFIRM_TIMEOUT_MS, JUP, SOL, USDC, USDT, Venue

LATE_MS = CONFIRM_TIMEOUT_MS * 3 // 2
DID_NOT_LAND = (500, "Deposit transaction did not land. Retry with the same depositRequestId.")
DUPLICATE = (400, "Duplicate deposit")
FAILED = (400, "Deposit failed. Please craft a new deposit.")
NOT_FOUND = (400, "Deposit transaction not found in cache. Please craft a new deposit first.")
FLAWED = "Invalid signed deposit transaction: "
FOR_EVER = 1_000_000
RENT = 2_039_280
NOWHERE = "019f053d-3f0c-70ad-bb5e-76d633291f80"

SELL = single(sell=1 * SOL, above=200)


@pytest.fixture
def body(alice: Trader) -> dict[str, Any]:
    """A create whose deposit is signed."""
    return alice.body_for(SELL, alice.crafts(SELL))


def details(answer: Any) -> list[str]:
    assert answer.error == (400, "Request validation failed")
    return list(answer.body["details"])


# --- once


def test_a_repeated_create_finds_its_order(alice: Trader, body: dict[str, Any]) -> None:
    first = alice.creates(body).ok()
    again = alice.creates(body).ok()
    assert again == first | {"message": "Order already created"}
    assert list(again) == ["id", "txSignature", "depositConfirmed", "message"]
    assert len(alice.history()) == 1


@pytest.mark.parametrize("price", [200, 200.0, "200", "200.00", "2e2"])
def test_the_same_fields_in_other_spellings_are_the_same(alice: Trader, body: dict[str, Any], price: object) -> None:
    first = alice.creates(body).ok()
    spelled = {"triggerPriceUsd": price, "inputAmount": 10**9, "depositRequestId": body["depositRequestId"].upper()}
    again = alice.creates(dict(reversed((body | spelled | {"unknown": 1}).items()))).ok()
    assert again == first | {"message": "Order already created"}


@pytest.mark.parametrize(
    "other",
    [
        {"triggerPriceUsd": 201},
        {"triggerCondition": "below"},
        {"slippageBps": 50},
        {"inputAmount": "999999999"},
        {"outputMint": JUP.mint},
        {"triggerMint": JUP.mint, "outputMint": JUP.mint},
    ],
)
def test_other_fields_are_a_duplicate_deposit(alice: Trader, body: dict[str, Any], other: dict[str, object]) -> None:
    alice.creates(body).ok()
    assert alice.creates(body | other).error == DUPLICATE
    assert alice.creates(body | {"expiresAt": body["expiresAt"] + 1}).error == DUPLICATE


def test_another_wallet_cannot_take_the_order(alice: Trader, bob: Trader, body: dict[str, Any]) -> None:
    assert bob.creates(body).error == (403, "Forbidden: userPubkey must match authenticated user")
    assert details(bob.creates(body | {"userPubkey": bob.wallet})) == ["userPubkey"]
    alice.creates(body).ok()
    assert bob.creates(body | {"userPubkey": bob.wallet}).error == DUPLICATE
    assert bob.history() == []


def test_many_creates_at_once_are_one_order(alice: Trader, body: dict[str, Any]) -> None:
    before = alice.holds(SOL)
    with ThreadPoolExecutor(8) as threads:
        answers = [answer.ok() for answer in threads.map(lambda _: alice.creates(body), range(16))]
    assert len({(answer["id"], answer["txSignature"]) for answer in answers}) == 1
    assert sum("message" not in answer for answer in answers) == 1
    assert before - alice.holds(SOL) < 10**9 + RENT + 100_000
    assert len(alice.history()) == 1


# --- deposits that do not land


def test_a_dropped_deposit_is_pending_until_it_lands(venue: Venue, alice: Trader, body: dict[str, Any]) -> None:
    venue.faults(dropTransactions=FOR_EVER)
    assert alice.creates(body).error == DID_NOT_LAND
    (row,) = alice.history(state="active")
    assert (row["orderState"], row["events"]) == ("pending", [])
    assert alice.creates(body).error == DID_NOT_LAND
    venue.faults()
    created = alice.creates(body).ok()
    assert (created["id"], created["message"]) == (row["id"], "Order already created")
    assert alice.state_of(row["id"]) == "open"


def test_a_repeated_create_sends_at_once(venue: Venue, alice: Trader, body: dict[str, Any]) -> None:
    venue.faults(dropTransactions=1)
    assert alice.creates(body).error == DID_NOT_LAND
    assert alice.creates(body).status == 200


def test_a_dropped_deposit_lands_without_the_user(venue: Venue, alice: Trader, body: dict[str, Any]) -> None:
    venue.faults(dropTransactions=1)
    assert alice.creates(body).error == DID_NOT_LAND
    venue.settles()
    assert [row["orderState"] for row in alice.history()] == ["open"]


def test_a_late_deposit(venue: Venue, alice: Trader, body: dict[str, Any]) -> None:
    venue.faults(landDelayMs=LATE_MS)
    assert alice.creates(body).error == DID_NOT_LAND
    while (again := alice.creates(body)).status != 200:  # Once is enough, but where the machine is busy.
        assert again.error == DID_NOT_LAND
    assert again.ok()["message"] == "Order already created"


def test_a_deposit_that_never_lands_takes_nothing(venue: Venue, alice: Trader, body: dict[str, Any]) -> None:
    before = alice.holds(SOL)
    venue.faults(dropTransactions=1)
    assert alice.creates(body).error == DID_NOT_LAND
    venue.faults(dropTransactions=FOR_EVER, expireBlockhashes=True)
    venue.settles()
    (row,) = alice.history(state="past")
    assert (row["orderState"], row["rawState"]) == ("failed", "deposit_failed")
    assert alice.events_of(row["id"]) == [("deposit", "failed")]
    assert alice.creates(body).error == FAILED
    assert alice.creates(body | {"triggerPriceUsd": 300}).error == DUPLICATE
    assert alice.holds(SOL) == before


def test_a_deposit_that_the_chain_refuses_costs_its_fee(venue: Venue, alice: Trader) -> None:
    """A stranger gives lamports to the order's account between the simulation and the landing."""
    craft = alice.crafts(SELL)
    body = alice.body_for(SELL, craft)
    before = alice.holds(SOL)
    venue.faults(landDelayMs=LATE_MS)
    assert alice.creates(body).error == DID_NOT_LAND
    venue.gives(craft["inputTokenAccount"], 0.001 * SOL)
    venue.settles()
    (row,) = alice.history()
    assert row["rawState"] == "deposit_failed"
    assert alice.creates(body).error == FAILED
    assert 0 < before - alice.holds(SOL) < 100_000


def test_an_account_that_was_prefunded_is_found_out_before(alice: Trader, bob: Trader) -> None:
    craft = alice.crafts(SELL)
    bob.pays(craft["inputTokenAccount"], 0.001 * SOL)
    status, words = alice.creates(alice.body_for(SELL, craft)).error
    assert status == 400
    assert words.startswith(FLAWED)
    assert alice.history() == []


def test_a_deposit_without_funds_makes_no_order(alice: Trader) -> None:
    order = single(sell=1_001 * USDC, buy=SOL, below=100)
    status, words = alice.creates(alice.body_for(order, alice.crafts(order))).error
    assert status == 400
    assert words.startswith(FLAWED)
    assert alice.history() == []
    alice.has(1 * USDC)
    alice.places(order)


def test_a_craft_that_died_makes_no_order(venue: Venue, alice: Trader, body: dict[str, Any]) -> None:
    venue.faults(expireBlockhashes=True)
    assert alice.creates(body).error == (400, FLAWED + "Blockhash not found")
    assert alice.history() == []


# --- what is handed in


def of_a_stranger(transaction: str) -> str:
    read = VersionedTransaction.from_bytes(base64.b64decode(transaction))
    forged = Keypair().sign_message(bytes(read.message))
    return base64.b64encode(bytes(VersionedTransaction.populate(read.message, [forged, *read.signatures[1:]]))).decode()


def test_only_the_deposit_that_was_crafted_is_taken(alice: Trader) -> None:
    craft = alice.crafts(SELL)
    body = alice.body_for(SELL, craft)
    unsigned, good = craft["transaction"], body["depositSignedTx"]
    other = alice.signs(alice.crafts(SELL)["transaction"])
    more = base64.b64encode(base64.b64decode(str(good)) + b"\x00").decode()
    for handed_in, words in [
        (unsigned, FLAWED + "the wallet's signature is missing"),
        (of_a_stranger(unsigned), FLAWED + "the wallet's signature is wrong"),
        (other, FLAWED + "Transaction accounts modified"),
        (more, FLAWED + "its bytes are not in the canonical form"),
        ("", "Invalid transaction format"),
        ("AAAA", "Invalid transaction format"),
        (str(good)[:100], "Invalid transaction format"),
    ]:
        assert alice.creates(body | {"depositSignedTx": handed_in}).error == (400, words)
    assert alice.history() == []
    assert alice.creates(body).status == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("inputAmount", "999999999"),
        ("inputAmount", "1000000001"),
        ("outputMint", JUP.mint),
        ("inputMint", JUP.mint),
    ],
)
def test_what_is_unlike_the_craft_is_named(alice: Trader, body: dict[str, Any], field: str, value: str) -> None:
    changed = body | {field: value, "triggerMint": value if field == "inputMint" else SOL.mint}
    assert details(alice.creates(changed)) == [field]
    assert alice.creates(body).status == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("inputAmount", "0"),
        ("inputAmount", "-1"),
        ("inputAmount", "1.5"),
        ("inputAmount", "1e9"),
        ("inputAmount", 1.5),
        ("inputAmount", 2**64),
        ("inputAmount", "9" * 100_000),
        ("inputAmount", None),
        ("inputMint", "x"),
        ("outputMint", ""),
        ("outputMint", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"),
        ("triggerMint", "0" * 44),
        ("triggerMint", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"),
        ("triggerCondition", "at"),
        ("triggerPriceUsd", 0),
        ("triggerPriceUsd", "NaN"),
        ("triggerPriceUsd", "1e9999999"),
        ("triggerPriceUsd", 10**13),
        ("triggerPriceUsd", "0.0000000000001"),
        ("slippageBps", 10_001),
        ("slippageBps", -1),
        ("slippageBps", "100"),
        ("expiresAt", 1_700_000_000_000),
        ("expiresAt", -1),
        ("expiresAt", 1.5),
        ("expiresAt", "1900000000000"),
        ("orderType", "market"),
        ("userPubkey", "x"),
        ("depositRequestId", 7),
        ("depositSignedTx", None),
    ],
)
def test_a_field_that_makes_no_sense_is_named(alice: Trader, body: dict[str, Any], field: str, value: object) -> None:
    assert details(alice.creates(body | {field: value})) == [field]
    assert alice.creates(body).status == 200


@pytest.mark.parametrize("field", ["depositRequestId", "depositSignedTx", "userPubkey", "inputAmount", "expiresAt"])
def test_a_field_that_is_missing_is_named(alice: Trader, body: dict[str, Any], field: str) -> None:
    assert details(alice.creates({name: value for name, value in body.items() if name != field})) == [field]


def test_what_singles_cannot_be(alice: Trader, body: dict[str, Any]) -> None:
    others: list[tuple[dict[str, object], str]] = [
        ({"triggerMint": USDC.mint}, "Trigger mint is not supported"),
        ({"inputMint": USDT.mint, "triggerMint": USDC.mint}, "Mint pair is not supported"),
        ({"outputMint": SOL.mint}, "Input mint and output mint cannot be the same"),
        ({"trailingBps": 100}, "exactly one of triggerPriceUsd or trailingBps must be set"),
    ]
    for other, words in others:
        assert alice.creates(body | other).error == (400, words)
    assert alice.creates(body).status == 200


@pytest.mark.parametrize("request_id", [NOWHERE, "", "x", "../../vault", "é" * 50])
def test_an_unknown_deposit(alice: Trader, body: dict[str, Any], request_id: str) -> None:
    assert alice.creates(body | {"depositRequestId": request_id}).error == NOT_FOUND


# --- craft


def craft_body(trader: Trader, **fields: object) -> dict[str, object]:
    return {
        "inputMint": SOL.mint,
        "outputMint": USDC.mint,
        "userAddress": trader.wallet,
        "amount": "1000000000",
        "orderType": "price",
        "orderSubType": "single",
    } | fields


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"amount": "533333"}, (400, "Order must be at least 10 USD (current value: 0.07 USD)")),
        ({"amount": "66666666"}, (400, "Order must be at least 10 USD (current value: 9.99 USD)")),
        ({"outputMint": SOL.mint}, (400, "Input mint and output mint cannot be the same")),
        ({"inputMint": USDC.mint, "outputMint": USDT.mint}, (400, "Mint pair is not supported")),
        (
            {"userAddress": "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"},
            (403, "Forbidden: userAddress must match authenticated user"),
        ),
    ],
)
def test_a_craft_that_is_refused(alice: Trader, fields: dict[str, object], refusal: tuple[int, str]) -> None:
    assert alice.post("/deposit/craft", craft_body(alice, **fields)).error == refusal


def test_the_vault_cannot_deposit(alice: Trader, body: dict[str, Any]) -> None:
    assert alice.post("/deposit/craft", craft_body(alice, userAddress=alice.vault)).status == 400
    assert alice.creates(body | {"userPubkey": alice.vault}).status == 400


def test_ten_dollars_are_enough(alice: Trader) -> None:
    assert alice.post("/deposit/craft", craft_body(alice, amount="66666667")).status == 200


def test_there_is_no_deposit_without_a_vault(venue: Venue) -> None:
    stranger = Trader(venue)
    stranger.signs_in()
    assert stranger.get("/vault").error == (404, "Vault not found")
    assert stranger.post("/deposit/craft", craft_body(stranger)).error == (403, "Vault not found")
    body = SELL.fields() | {
        "depositRequestId": NOWHERE,
        "depositSignedTx": "",
        "userPubkey": stranger.wallet,
        "expiresAt": venue.now() + 60_000,
    }
    assert stranger.creates(body).error == (400, "Vault not found")
    registered = stranger.get("/vault/register").ok()
    assert list(registered) == ["userPubkey", "vaultPubkey", "privyVaultId"]
    again = stranger.get("/vault/register")
    assert again.error == (409, "Vault already registered")
    assert again.body["details"] == registered == stranger.get("/vault").ok()


def test_of_those_that_register_a_vault_at_once_one_is_the_first(venue: Venue) -> None:
    stranger = Trader(venue)
    stranger.signs_in()
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: stranger.get("/vault/register"), range(8)))
    assert sorted(answer.status for answer in answers) == [200, *[409] * 7]
    vault = stranger.get("/vault").ok()
    assert [answer.body.get("details", answer.body) for answer in answers] == [vault] * 8


def test_the_deposit_is_a_legacy_transaction_of_two_signers(alice: Trader) -> None:
    craft = alice.crafts(SELL)
    raw = base64.b64decode(craft["transaction"])
    assert raw[:129] == b"\x02" + bytes(128)
    message = VersionedTransaction.from_bytes(raw).message
    assert isinstance(message, Message)
    header = message.header
    assert (header.num_required_signatures, header.num_readonly_signed_accounts) == (2, 1)
    assert [str(key) for key in message.account_keys[:2]] == [alice.wallet, alice.vault]
    programs = [str(message.account_keys[each.program_id_index]) for each in message.instructions]
    assert [program[:6] for program in programs] == ["Comput", "Comput", "111111", "Tokenk", "111111", "Tokenk"]
    seed = craft["requestId"].replace("-", "").encode()
    assert seed in bytes(message.instructions[2].data)


# --- signing in


def test_signing_in_by_transaction(venue: Venue) -> None:
    trader = Trader(venue)
    asked = {"walletPubkey": trader.wallet, "type": "transaction"}
    challenge = venue.ask("POST", f"{ROOT}/auth/challenge", asked).ok()
    assert list(challenge) == ["type", "transaction"]
    proof = asked | {"signedTransaction": trader.signs(challenge["transaction"])}
    verified = venue.ask("POST", f"{ROOT}/auth/verify", proof).ok()
    assert list(verified) == ["authMode", "token"]
    assert verified["authMode"] == "access_only"
    trader.token = verified["token"]
    assert trader.history() == []
    assert venue.ask("POST", f"{ROOT}/auth/verify", proof).error == (400, "Challenge not found")
