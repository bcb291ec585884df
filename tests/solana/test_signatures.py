"""A signature is verified once, and one that was made here not at all."""

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from countermand.solana import wire
from countermand.solana.wire import VERIFIED_KEPT, is_signature, signature_of

PAIR, OTHER = Keypair.from_seed(bytes(32)), Keypair.from_seed(bytes([1]) * 32)
KEY = PAIR.pubkey()


@pytest.fixture(autouse=True)
def verified(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[Signature, Pubkey, bytes], bool]:
    known: dict[tuple[Signature, Pubkey, bytes], bool] = {}
    monkeypatch.setattr(wire, "_KNOWN", known)
    return known


def test_a_signature_is_of_one_key_and_one_message() -> None:
    signature = signature_of(PAIR, KEY, b"message")
    assert signature.verify(KEY, b"message")
    assert is_signature(signature, KEY, b"message")
    for wrong in (
        (signature, OTHER.pubkey(), b"message"),
        (signature, KEY, b"another"),
        (OTHER.sign_message(b"message"), KEY, b"message"),
    ):
        assert [is_signature(*wrong), is_signature(*wrong)] == [False, False]


def test_what_was_made_or_verified_is_looked_up(verified: dict[tuple[Signature, Pubkey, bytes], bool]) -> None:
    ours, theirs = signature_of(PAIR, KEY, b"ours"), OTHER.sign_message(b"theirs")
    assert list(verified) == [(ours, KEY, b"ours")]
    assert is_signature(theirs, OTHER.pubkey(), b"theirs")
    assert verified[theirs, OTHER.pubkey(), b"theirs"]


def test_the_oldest_are_forgotten(verified: dict[tuple[Signature, Pubkey, bytes], bool]) -> None:
    for number in range(VERIFIED_KEPT + 10):
        signature_of(PAIR, KEY, number.to_bytes(2))
    assert len(verified) == VERIFIED_KEPT
    assert next(iter(verified))[2] == (10).to_bytes(2)
