"""The two-step cancel: after the answer to the first step nothing fills; the second brings the funds back, once."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from tests.end_to_end.trader import Trader, signed, single
from tests.end_to_end.venue import CONFIRM_TIMEOUT_MS, SOL, USDC, Venue
from tests.solana.chain_support import another_signature

LATE_MS = CONFIRM_TIMEOUT_MS * 3 // 2
DID_NOT_LAND = (500, "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId.")
EXPIRED = (400, "Withdrawal transaction expired. Please initiate cancel again.")
NOT_FOUND = (400, "Withdrawal transaction not found in cache. Please initiate cancel again.")
SUPERSEDED = (400, "Invalid withdrawal transaction: a newer cancel replaced it; sign the newest one")
NOT_BUILT = (
    500,
    "Order will not fill any more, but its withdrawal could not be built. Please initiate cancel again.",
)
UNREADABLE = (400, "Invalid transaction format")
NOT_CANONICAL = (400, "Invalid withdrawal transaction: its bytes are not in the canonical form")
OTHER = (400, "Invalid withdrawal transaction: Transaction accounts modified")
UNSIGNED = (400, "Invalid withdrawal transaction: the wallet's signature is missing")
WRONG_SIGNATURE = (400, "Invalid withdrawal transaction: the wallet's signature is wrong")

FOR_EVER = 1_000_000
"""So many transactions are dropped."""
FEE_OF_TWO = 10_000
"""Lamports for two signatures; small priority fees come on top."""
FEES_MAX = 60_000


@pytest.fixture
def order(alice: Trader) -> str:
    """Waits for SOL to cost 200 dollars."""
    return alice.places(single(sell=1 * SOL, above=200))


@pytest.fixture
def usdc_order(alice: Trader) -> str:
    return alice.places(single(sell=200 * USDC, buy=SOL, below=100))


# --- the plain way


def test_sol_comes_back_as_lamports(venue: Venue, alice: Trader) -> None:
    before = alice.holds(SOL)
    order = alice.places(single(sell=1 * SOL, above=200))
    confirmed = alice.withdraws(order, alice.cancels(order))
    assert list(confirmed) == ["id", "txSignature"]
    assert confirmed["id"] == order
    assert before - FEES_MAX < alice.holds(SOL) < before - FEE_OF_TWO  # All but the network's fees; the rent too.
    assert alice.venue.units(alice.wallet, SOL) == 0  # None of it is wrapped.
    assert not venue.exists(alice.accounts[order])
    assert alice.state_of(order) == "cancelled"
    (status,) = venue.rpc("getSignatureStatuses", [confirmed["txSignature"]])
    assert (status["confirmationStatus"], status["err"]) == ("finalized", None)


def test_tokens_come_back_to_the_wallets_account(venue: Venue, alice: Trader, usdc_order: str) -> None:
    assert alice.holds(USDC) == 800_000_000
    alice.withdraws(usdc_order, alice.cancels(usdc_order))
    assert alice.holds(USDC) == 1_000_000_000
    assert not venue.exists(alice.accounts[usdc_order])


def test_the_wallets_account_is_created_where_it_is_gone(venue: Venue, alice: Trader) -> None:
    order = alice.places(single(sell=1_000 * USDC, buy=SOL, below=100))
    alice.closes_account_of(USDC)
    alice.withdraws(order, alice.cancels(order))
    assert alice.holds(USDC) == 1_000_000_000


def test_a_cancelled_order_does_not_fill_even_if_the_price_crosses(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    venue.price(SOL, "250")
    venue.settles()
    assert alice.state_of(order) == "pending_withdraw"
    assert venue.units_in(alice.accounts[order]) == 10**9
    assert alice.events_of(order) == [("deposit", "success")]  # Nothing more while mid-cancel.
    alice.withdraws(order, cancelling)
    assert alice.events_of(order) == [("withdrawal", "success"), ("cancelled", "success"), ("deposit", "success")]


@pytest.mark.parametrize("body", [None, b"", b"{}", b"null", b"no JSON", b'{"a":1,"a":2}'])
def test_the_body_of_a_cancel_is_ignored(alice: Trader, order: str, body: bytes | None) -> None:
    assert alice.post(f"/orders/price/cancel/{order}", body).status == 200


def test_ids_are_read_in_either_case(alice: Trader, order: str) -> None:
    cancelling = alice.asks_to_cancel(order.upper()).ok()
    transaction = alice.signs(cancelling["transaction"])
    confirmed = alice.hands_in(order.upper(), transaction, cancelling["requestId"].upper()).ok()
    assert confirmed["id"] == order


# --- again and again


def test_a_repeated_cancel_keeps_its_request_id_and_crafts_anew(alice: Trader, order: str) -> None:
    first, second, third = (alice.cancels(order) for _ in range(3))
    assert first.request_id == second.request_id == third.request_id
    assert len({first.transaction, second.transaction, third.transaction}) == 3
    assert alice.confirms(order, first).error == SUPERSEDED
    assert alice.confirms(order, second).error == SUPERSEDED
    assert alice.confirms(order, third).status == 200


def test_a_confirm_is_answered_the_same_for_ever(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    transaction = alice.signs(cancelling.transaction)
    first = alice.hands_in(order, transaction, cancelling.request_id).ok()
    for _ in range(3):
        assert alice.hands_in(order, transaction, cancelling.request_id).ok() == first
    venue.faults(expireBlockhashes=True)
    assert alice.hands_in(order, transaction, cancelling.request_id).ok() == first
    # Landed wins before any bytes are looked at.
    assert alice.hands_in(order, cancelling.transaction, cancelling.request_id).ok() == first
    assert alice.hands_in(order, "no transaction", cancelling.request_id).ok() == first
    assert alice.asks_to_cancel(order).error == (400, "Cannot cancel order in 'cancelled' state")


def test_many_confirms_at_once_land_one_transaction(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    before = alice.holds(SOL)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: alice.confirms(order, cancelling), range(24)))
    assert {answer.raw for answer in answers} == {answers[0].raw}
    assert answers[0].status == 200
    assert 10**9 - FEES_MAX < alice.holds(SOL) - before - 2_039_280 < 10**9


def test_many_cancels_at_once_are_one_cancellation(venue: Venue, alice: Trader, order: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        cancels = list(threads.map(lambda _: alice.cancels(order), range(8)))
    assert len({cancel.request_id for cancel in cancels}) == 1
    answers = [alice.confirms(order, cancel) for cancel in cancels]
    assert {answer.error for answer in answers if answer.status != 200} <= {SUPERSEDED}
    assert [answer.status for answer in answers].count(200) >= 1


# --- transactions that do not land


def test_a_dropped_withdrawal_is_confirmed_again(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    transaction = alice.signs(cancelling.transaction)
    venue.faults(dropTransactions=FOR_EVER)
    assert alice.hands_in(order, transaction, cancelling.request_id).error == DID_NOT_LAND
    assert alice.state_of(order) == "pending_withdraw"
    assert alice.hands_in(order, transaction, cancelling.request_id).error == DID_NOT_LAND
    venue.faults()
    assert alice.hands_in(order, transaction, cancelling.request_id).status == 200
    assert alice.state_of(order) == "cancelled"


def test_a_repeated_confirm_sends_at_once(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    venue.faults(dropTransactions=1)
    assert alice.confirms(order, cancelling).error == DID_NOT_LAND
    assert alice.confirms(order, cancelling).status == 200


def test_what_was_confirmed_lands_without_the_user(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    venue.faults(dropTransactions=1)
    assert alice.confirms(order, cancelling).error == DID_NOT_LAND
    venue.settles()
    assert alice.state_of(order) == "cancelled"


def test_a_late_withdrawal_is_not_sent_twice(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    venue.faults(landDelayMs=LATE_MS)
    assert alice.confirms(order, cancelling).error == DID_NOT_LAND
    while (again := alice.confirms(order, cancelling)).status != 200:  # Once is enough, but where the machine is busy.
        assert again.error == DID_NOT_LAND
    signature = again.ok()["txSignature"]
    venue.settles()
    assert alice.sees(order)["events"][0]["txSignature"] == signature


def test_while_a_confirmed_one_is_unresolved_cancel_answers_with_it(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    venue.faults(dropTransactions=FOR_EVER)
    assert alice.confirms(order, cancelling).error == DID_NOT_LAND
    assert alice.cancels(order) == cancelling  # With its signature slots empty, as at first.
    assert alice.state_of(order) == "pending_withdraw"


def test_dropped_and_dead_it_is_signed_anew_under_the_first_request_id(venue: Venue, alice: Trader, order: str) -> None:
    first = alice.cancels(order)
    venue.faults(dropTransactions=1)
    assert alice.confirms(order, first).error == DID_NOT_LAND
    venue.faults(dropTransactions=FOR_EVER)
    venue.faults(expireBlockhashes=True)
    assert alice.confirms(order, first).error == EXPIRED
    assert alice.confirms(order, first).error == EXPIRED
    second = alice.cancels(order)
    assert second.request_id == first.request_id
    assert second.transaction != first.transaction
    assert alice.confirms(order, first).error == EXPIRED
    assert alice.hands_in(order, alice.signs(second.transaction), first.request_id).status == 200
    assert alice.confirms(order, first).status == 200


def test_a_craft_that_died_unsigned_is_told_so(venue: Venue, alice: Trader, order: str) -> None:
    first = alice.cancels(order)
    venue.faults(expireBlockhashes=True)
    assert alice.confirms(order, first).error == EXPIRED
    assert alice.confirms(order, alice.cancels(order)).status == 200


# --- what is handed in


def flipped(transaction: str, at: int) -> str:
    raw = bytearray(base64.b64decode(transaction))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


def appended(transaction: str) -> str:
    return base64.b64encode(base64.b64decode(transaction) + b"\x00").decode()


def longer_count(transaction: str) -> str:
    """The number of signatures, 3, spelled in two bytes."""
    return base64.b64encode(b"\x83\x00" + base64.b64decode(transaction)[1:]).decode()


def of_a_stranger(transaction: str) -> str:
    """Signed with another key in the wallet's slot."""
    read = VersionedTransaction.from_bytes(base64.b64decode(transaction))
    forged = Keypair().sign_message(bytes(read.message))
    return base64.b64encode(bytes(VersionedTransaction.populate(read.message, [forged, *read.signatures[1:]]))).decode()


def without_its_last_instruction(alice: Trader, transaction: str) -> str:
    message = VersionedTransaction.from_bytes(base64.b64decode(transaction)).message
    assert isinstance(message, Message)
    header = (message.header.num_required_signatures, message.header.num_readonly_signed_accounts)
    less = Message.new_with_compiled_instructions(
        *header,
        message.header.num_readonly_unsigned_accounts,
        message.account_keys,
        message.recent_blockhash,
        message.instructions[:-1],
    )
    unsigned = bytes([header[0]]) + bytes(64 * header[0]) + bytes(less)
    return alice.signs(base64.b64encode(unsigned).decode())


TAMPERED: dict[str, tuple[Callable[[Trader, str], object], tuple[int, str]]] = {
    "unsigned": (lambda _, craft: craft, UNSIGNED),
    "signed by a stranger": (lambda _, craft: of_a_stranger(craft), WRONG_SIGNATURE),
    "a bit of the signature": (lambda alice, craft: flipped(alice.signs(craft), 20), WRONG_SIGNATURE),
    "a bit of the amount": (lambda alice, craft: alice.signs(flipped(craft, -13)), OTHER),
    "a bit after signing": (lambda alice, craft: flipped(alice.signs(craft), -13), OTHER),
    "an instruction less": (without_its_last_instruction, OTHER),
    "a byte more": (lambda alice, craft: appended(alice.signs(craft)), NOT_CANONICAL),
    "a longer count": (lambda alice, craft: longer_count(alice.signs(craft)), UNREADABLE),
    "a part": (lambda alice, craft: alice.signs(craft)[:200], UNREADABLE),
    "nothing": (lambda *_: "", UNREADABLE),
    "no base64": (lambda alice, craft: "!" + alice.signs(craft)[1:], UNREADABLE),
    "a packet too long": (lambda *_: base64.b64encode(bytes(1_233)).decode(), UNREADABLE),
    "zeros": (lambda *_: base64.b64encode(bytes(400)).decode(), UNREADABLE),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_only_the_very_transaction_that_was_crafted_is_taken(alice: Trader, usdc_order: str, what: str) -> None:
    make, refusal = TAMPERED[what]
    cancelling = alice.cancels(usdc_order)
    answer = alice.hands_in(usdc_order, make(alice, cancelling.transaction), cancelling.request_id)
    assert answer.error == refusal
    assert alice.confirms(usdc_order, cancelling).status == 200  # It did no harm.


def test_signatures_of_others_in_the_venues_slots_do_not_matter(alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    transaction = bytearray(base64.b64decode(alice.signs(cancelling.transaction)))
    transaction[1 + 64 : 1 + 3 * 64] = bytes(range(128))
    answer = alice.hands_in(order, base64.b64encode(transaction).decode(), cancelling.request_id)
    assert answer.status == 200


def test_the_first_valid_signature_is_the_only_one_ever_sent(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    first = base64.b64decode(alice.signs(cancelling.transaction))
    message = first[1 + 3 * 64 :]
    second = another_signature(b"\x01" + bytes(64) + message, alice.key)[1:65]
    venue.faults(dropTransactions=1)
    assert alice.confirms(order, cancelling).error == DID_NOT_LAND
    other = base64.b64encode(first[:1] + second + first[1 + 64 :]).decode()
    answer = alice.hands_in(order, other, cancelling.request_id).ok()
    assert answer["txSignature"] == str(Signature.from_bytes(first[1:65])) != str(Signature.from_bytes(second))
    (status,) = venue.rpc("getSignatureStatuses", [str(Signature.from_bytes(second))])
    assert status is None


def test_an_unknown_request_id(alice: Trader, order: str) -> None:
    other = alice.places(single(sell=1 * SOL, above=200))
    cancelling = alice.cancels(order)
    transaction = alice.signs(cancelling.transaction)
    for request_id in ("", "x", "00000000-0000-0000-0000-000000000000", alice.cancels(other).request_id):
        assert alice.hands_in(order, transaction, request_id).error == NOT_FOUND
    assert alice.hands_in(order, transaction, cancelling.request_id).status == 200


def test_an_open_order_has_no_withdrawal(alice: Trader, order: str) -> None:
    other = alice.places(single(sell=1 * SOL, above=200))
    cancelling = alice.cancels(other)
    assert alice.confirms(order, cancelling).error == NOT_FOUND
    assert alice.state_of(order) == "open"


def test_the_withdrawal_of_another_order_is_not_taken(alice: Trader, order: str) -> None:
    other = alice.places(single(sell=1 * SOL, above=200))
    mine, others = alice.cancels(order), alice.cancels(other)
    assert alice.hands_in(order, alice.signs(others.transaction), mine.request_id).error == OTHER


@pytest.mark.parametrize("field", ["signedTransaction", "cancelRequestId"])
@pytest.mark.parametrize("value", [None, 7, [], {}, True])
def test_the_fields_of_a_confirm_are_strings(alice: Trader, order: str, field: str, value: object) -> None:
    good = {"signedTransaction": "", "cancelRequestId": ""}
    answer = alice.post(f"/orders/price/confirm-cancel/{order}", good | {field: value})
    assert answer.error == (400, "Request validation failed")
    assert list(answer.body["details"]) == [field]


# --- a stranger's dust


def test_dust_makes_the_chain_refuse_and_the_next_withdrawal_takes_it(
    venue: Venue, alice: Trader, bob: Trader, usdc_order: str
) -> None:
    cancelling = alice.cancels(usdc_order)
    bob.pays(alice.accounts[usdc_order], 0.000007 * USDC)
    refused = alice.confirms(usdc_order, cancelling)
    status, words = refused.error
    assert status == 400
    assert words.startswith("Withdrawal transaction failed on chain (")
    assert words.endswith("). Please initiate cancel again.")
    assert alice.confirms(usdc_order, cancelling).error == refused.error
    assert alice.state_of(usdc_order) == "pending_withdraw"

    again = alice.cancels(usdc_order)
    assert again.request_id == cancelling.request_id
    assert alice.confirms(usdc_order, cancelling).error == refused.error
    assert alice.confirms(usdc_order, again).status == 200
    assert alice.holds(USDC) == 1_000_000_007
    assert not venue.exists(alice.accounts[usdc_order])
    assert alice.sees(usdc_order)["events"][0]["amount"] == "200000000"


def test_dust_three_times_and_a_sweep(venue: Venue, alice: Trader, bob: Trader, usdc_order: str) -> None:
    account = alice.accounts[usdc_order]
    for dust in (0.000007, 0.000008):
        cancelling = alice.cancels(usdc_order)
        bob.pays(account, dust * USDC)
        assert alice.confirms(usdc_order, cancelling).status == 400
    lamports = alice.holds(SOL)
    cancelling = alice.cancels(usdc_order)  # From two failures on it leaves the account open.
    bob.pays(account, 0.000009 * USDC)
    assert alice.confirms(usdc_order, cancelling).status == 200
    assert alice.state_of(usdc_order) == "cancelled"
    venue.settles()
    assert alice.holds(USDC) == 1_000_000_024  # The sweep gives the last dust, and the rent.
    assert not venue.exists(account)
    assert alice.holds(SOL) > lamports


def test_dust_in_sol_comes_along(venue: Venue, alice: Trader, bob: Trader, order: str) -> None:
    before = alice.holds(SOL)
    cancelling = alice.cancels(order)
    bob.pays(alice.accounts[order], 0.5 * SOL)
    alice.withdraws(order, cancelling)
    assert 1_500_000_000 + 2_039_280 - FEES_MAX < alice.holds(SOL) - before < 1_500_000_000 + 2_039_280
    assert alice.sees(order)["events"][0]["amount"] == "1000000000"


# --- the chain does not answer


def test_a_cancel_stops_the_fills_even_if_the_chain_is_away(venue: Venue, alice: Trader, order: str) -> None:
    venue.faults(rpcDown=True)
    assert alice.asks_to_cancel(order).error == NOT_BUILT
    assert alice.sees(order)["rawState"] == "ready_to_cancel"
    venue.price(SOL, "250")
    assert alice.asks_to_cancel(order).error == NOT_BUILT
    venue.faults()
    venue.settles()
    assert alice.state_of(order) == "pending_withdraw"
    assert alice.confirms(order, alice.cancels(order)).status == 200


def test_a_crossed_order_can_be_cancelled_until_its_fill_is_made(venue: Venue, alice: Trader, order: str) -> None:
    venue.faults(rpcDown=True)
    venue.price(SOL, "250")
    assert alice.sees(order)["rawState"] == "ready_execute"
    assert alice.asks_to_cancel(order).error == NOT_BUILT
    venue.faults()
    venue.settles()
    assert alice.sees(order)["rawState"] == "ready_to_cancel"
    assert alice.confirms(order, alice.cancels(order)).status == 200


def test_a_confirm_while_the_chain_is_away_lands_later(venue: Venue, alice: Trader, order: str) -> None:
    cancelling = alice.cancels(order)
    venue.faults(rpcDown=True)
    assert alice.confirms(order, cancelling).error == DID_NOT_LAND
    assert alice.cancels(order) == cancelling
    venue.faults()
    assert alice.confirms(order, cancelling).status == 200


def test_the_facade_is_away_with_the_chain(venue: Venue) -> None:
    venue.faults(rpcDown=True)
    assert venue.ask("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": "getSlot"}).status == 503
    assert venue.sandbox()["faults"]["rpcDown"] is True
    venue.faults()
    assert venue.rpc("getSlot") > 0


def test_signing_with_a_key_that_has_no_slot_is_the_clients_mistake(alice: Trader, order: str) -> None:
    with pytest.raises(ValueError, match="is not in list"):
        signed(alice.cancels(order).transaction, Keypair())
