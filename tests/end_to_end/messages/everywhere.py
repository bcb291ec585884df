"""What every endpoint may answer, and what those of a login and of a vault do."""

import base58

from countermand.kernel.ports import CommitUnknown
from tests.dialects.fakes import FakeVenue
from tests.end_to_end.messages.row import SELL, Provoked, Scene, answered, says
from tests.end_to_end.trader import ROOT, Trader
from tests.end_to_end.venue import Answer

# --- every endpoint


@says("any", 400, "Malformed JSON in request body")
def no_json(s: Scene) -> Answer:
    return s.alice.post("/orders/price", b"{")


@says("any", 401, "Unauthorized")
def no_token(s: Scene) -> Answer:
    return s.venue.ask("GET", f"{ROOT}/vault")


@says("any", 503, "Service temporarily unavailable. Nothing was changed. Please retry.")
def a_chain_that_is_silent(s: Scene) -> Answer:
    s.venue.passes_slots(6)  # The venue knows no blockhash that is new enough.
    s.venue.faults(rpcDown=True)
    return s.alice.asks_to_deposit(SELL)


@says("any", 503, "The outcome of this request is unknown. Please repeat the same request.")
def a_commit_whose_answer_is_lost(_: Scene) -> Answer:
    """In a venue in memory; for the real one a reset has to come in the middle (test_contract_edges.py)."""
    venue = FakeVenue()
    alice = venue.user()
    venue.orders.failing = CommitUnknown("lost")
    return answered(alice.ask("GET", f"{ROOT}/vault/register"))


@says("any", 500, "Internal server error")
def a_bug(_: Scene) -> Answer:
    """None is known: it is planted into a venue in memory."""
    venue = FakeVenue()
    alice = venue.user()
    venue.orders.failing = KeyError("a bug")
    return answered(alice.ask("GET", f"{ROOT}/vault"))


@says("gateway", 404, "Not found")
def no_such_path(s: Scene) -> Answer:
    return s.alice.post("/orders/price/", {})


@says("gateway", 405, "Method not allowed")
def no_such_method(s: Scene) -> Answer:
    return s.alice.patch("/vault", {})


@says("gateway", 413, "The body is larger than 262144 bytes")
def too_large(s: Scene) -> Answer:
    return s.alice.post("/orders/price", b" " * 262_145)


@says("gateway", 429, "[API Gateway] Too many requests")
def too_many(s: Scene) -> Answer:
    s.venue.faults(rateLimit=1)
    return s.alice.get("/vault")


# --- signing in


@says("challenge", 400, 'Invalid option: expected one of "message"|"transaction"', "type")
def a_challenge_of_another_type(s: Scene) -> Answer:
    asked = {"walletPubkey": s.alice.wallet, "type": "text"}
    return s.venue.ask("POST", f"{ROOT}/auth/challenge", asked)


@says("challenge", 400, "Invalid input: expected a base58 public key of 32 bytes", "walletPubkey")
def a_challenge_to_no_wallet(s: Scene) -> Answer:
    return s.venue.ask("POST", f"{ROOT}/auth/challenge", {"walletPubkey": "me", "type": "message"})


@says("verify", 400, "Challenge not found")
def no_challenge(s: Scene) -> Answer:
    proof = {"walletPubkey": str(Trader(s.venue).wallet), "type": "message", "signature": "1" * 64}
    return s.venue.ask("POST", f"{ROOT}/auth/verify", proof)


@says("verify", 400, "Expected a base58-encoded signature")
def a_signature_in_another_alphabet(s: Scene) -> Answer:
    return s.verifies(signature="0OIl")


@says("verify", 400, "Expected base58-encoded signature to decode to a byte array of length 64. Actual length: 32.")
def a_signature_of_half_its_length(s: Scene) -> Answer:
    return s.verifies(signature=base58.b58encode(bytes(range(32))).decode())


@says("verify", 400, "Invalid signature format")
def a_signature_without_end(s: Scene) -> Answer:
    return s.verifies(signature="1" * 129)


@says("verify", 400, "Invalid transaction format")
def a_proof_that_is_no_transaction(s: Scene) -> Answer:
    return s.verifies(type="transaction", signedTransaction="nonsense")


@says("verify", 401, "Invalid signature")
def a_signature_of_something_else(s: Scene) -> Answer:
    return s.verifies(signature=str(s.alice.key.sign_message(b"something else")))


@says("vault", 404, "Vault not found")
def no_vault(s: Scene) -> Answer:
    return s.stranger().get("/vault")


@says("register", 409, "Vault already registered")
def a_second_registration(s: Scene) -> Provoked:
    return s.alice.get("/vault/register"), {"details": s.alice.get("/vault").ok()}
