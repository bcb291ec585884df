import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from countermand.services.transactions.submissions import read_submission
from countermand.values.identity import Signature as SignatureText
from countermand.values.identity import Wallet
from countermand.values.transactions import Submission, SubmissionFault

USER, OTHER = Keypair.from_seed(bytes([7] * 32)), Keypair.from_seed(bytes([8] * 32))
WALLET = Wallet(str(USER.pubkey()))
NOTHING_READ = Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)


def message(version: str = "legacy", payer: Keypair = USER, blockhash: bytes = bytes(32)) -> Message | MessageV0:
    """The payer and the other key sign."""
    moves = [
        transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=Pubkey.default(), lamports=1))
        for key in (USER, OTHER)
    ]
    if version == "legacy":
        return Message.new_with_blockhash(moves, payer.pubkey(), Hash(blockhash))
    return MessageV0.try_compile(payer.pubkey(), moves, [], Hash(bytes(32)))


def signed(what: Message | MessageV0, *keys: Keypair) -> bytes:
    """Signed by these keys; the other slots are empty."""
    signers = what.account_keys[: what.header.num_required_signatures]
    found = {key.pubkey(): key.sign_message(to_bytes_versioned(what)) for key in keys}
    return bytes(VersionedTransaction.populate(what, [found.get(key, Signature.default()) for key in signers]))


def read(raw: bytes) -> Submission:
    return read_submission(base64.b64encode(raw).decode(), WALLET)


@pytest.mark.parametrize("version", ["legacy", "v0"])
@pytest.mark.parametrize("payer", [USER, OTHER])
def test_the_wallets_signature_is_found_and_verified(version: str, payer: Keypair) -> None:
    what = message(version, payer)
    text = SignatureText(str(USER.sign_message(to_bytes_versioned(what))))
    assert read(signed(what, USER)) == Submission(to_bytes_versioned(what), text, None)
    assert read(signed(what, USER, OTHER)).user_signature == text


def test_an_empty_slot_is_unsigned() -> None:
    what = message()
    assert read(signed(what, OTHER)) == Submission(bytes(what), None, SubmissionFault.UNSIGNED)


def test_a_wallet_that_is_no_signer_has_not_signed() -> None:
    what = message()
    stranger = Wallet(str(Keypair().pubkey()))
    text = base64.b64encode(signed(what, USER, OTHER)).decode()
    assert read_submission(text, stranger) == Submission(bytes(what), None, SubmissionFault.UNSIGNED)
    # The destination of the transfers is in the message, but signs nothing.
    destination = Wallet(str(Pubkey.default()))
    assert read_submission(text, destination).fault is SubmissionFault.UNSIGNED


def test_a_signature_must_be_of_these_bytes_by_this_key() -> None:
    what = message()
    for signature in (USER.sign_message(bytes(what) + b"x"), OTHER.sign_message(bytes(what))):
        raw = bytes(VersionedTransaction.populate(what, [signature, Signature.default()]))
        assert read(raw) == Submission(bytes(what), None, SubmissionFault.WRONG_SIGNATURE)


def test_bytes_that_follow_are_not_canonical() -> None:
    assert read(signed(message(), USER) + b"\0") == Submission(b"", None, SubmissionFault.NOT_CANONICAL)


def test_another_spelling_of_a_count_is_not_canonical() -> None:
    raw = signed(message(), USER)
    assert raw[0] == 2
    assert read(b"\x82\0" + raw[1:]).fault in (SubmissionFault.NOT_CANONICAL, SubmissionFault.NOT_A_TRANSACTION)


def test_a_transaction_with_too_few_signatures_is_none() -> None:
    raw = signed(message(), USER)
    assert read(b"\1" + raw[1:65] + raw[129:]) == NOTHING_READ


@pytest.mark.parametrize(
    ("size", "fault"),
    [(1232, None), (1233, SubmissionFault.NOT_A_TRANSACTION), (1234, SubmissionFault.NOT_A_TRANSACTION)],
)
def test_more_than_a_packet_is_no_transaction(size: int, fault: SubmissionFault | None) -> None:
    def with_data(length: int) -> bytes:
        says = Instruction(Pubkey.default(), bytes(length), [])
        return signed(Message.new_with_blockhash([says], USER.pubkey(), Hash(bytes(32))), USER)

    raw = with_data(1_000 + size - len(with_data(1_000)))
    assert len(raw) == size
    assert read(raw).fault is fault


def wrapped(text: str, end: str = "\n") -> str:
    """As MIME has it: lines of 76 characters."""
    return "".join(text[start : start + 76] + end for start in range(0, len(text), 76))


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text + "\n",
        lambda text: "\r\n " + text + "\t",
        wrapped,
        lambda text: wrapped(text, "\r\n"),
        " ".join,
        lambda text: text.rstrip("="),
        lambda text: text + "=",
        lambda text: text.replace("=", " = "),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: wrapped(text.replace("+", "-").replace("/", "_").rstrip("=")),
        lambda text: text[:-2] + chr(ord(text[-2]) + 1) + "=",  # Differs in bits that mean nothing.
    ],
)
def test_base64_is_read_in_every_spelling_that_javascript_takes(spell: Callable[[str], str]) -> None:
    """D5. What is verified are the bytes, and they are the same."""
    raw = signed(message(blockhash=bytes([255]) * 32), USER)
    text = base64.b64encode(raw).decode()
    assert text.endswith("A="), "the sample has padding, and its last digit two bits that mean nothing"
    assert {"+", "/"} <= set(text), "the sample differs in the URL-safe alphabet"
    assert read_submission(spell(text), WALLET) == read(raw) != NOTHING_READ


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + text,
        lambda text: text[:-1] + "A",
        lambda text: text.rstrip("=")[:-1],
        lambda text: "=" + text,
        lambda text: text.replace("A", "*", 1),
        lambda text: text.replace("A", "\u0410", 1),
        lambda text: text.replace("A", "\u00a0", 1),
        lambda text: text.replace("A", "\ud800", 1),
        lambda text: text.replace("A", "\0", 1),
        lambda text: text[:0],
        lambda text: text * 100_000,
        lambda text: "data:application/octet-stream;base64," + text,
    ],
)
def test_a_damaged_text_is_no_transaction(spoil: Callable[[str], str]) -> None:
    text = base64.b64encode(signed(message(), USER)).decode()
    assert read_submission(spoil(text), WALLET).user_signature is None
    assert read_submission(spoil(text), WALLET).fault in (
        SubmissionFault.NOT_A_TRANSACTION,
        SubmissionFault.NOT_CANONICAL,
    )


SAMPLES = [
    signed(message(version, payer), *keys)
    for version in ("legacy", "v0")
    for payer in (USER, OTHER)
    for keys in ((USER,), ())
]


@given(st.binary(max_size=1300))
def test_random_bytes_are_never_more_than_a_fault(raw: bytes) -> None:
    assert read(raw).fault is not None


@given(st.text(max_size=300))
def test_random_text_is_never_more_than_a_fault(text: str) -> None:
    assert read_submission(text, WALLET) == NOTHING_READ


@given(st.sampled_from(SAMPLES), st.integers(0, 1232))
def test_truncations_are_never_more_than_a_fault(raw: bytes, length: int) -> None:
    if length < len(raw):
        assert read(raw[:length]).user_signature is None


@given(st.sampled_from(SAMPLES), st.lists(st.integers(0, 8 * 300), min_size=1, max_size=4, unique=True))
def test_flipped_bits_never_pass_for_a_signature(raw: bytes, bits: list[int]) -> None:
    spoilt = bytearray(raw)
    for bit in bits:
        spoilt[bit // 8 % len(raw)] ^= 1 << bit % 8
    seen = read(bytes(spoilt))
    if seen.user_signature is not None:  # What was flipped is another's signature, or nothing after all.
        signed_before = read(raw)
        assert (seen.message, seen.user_signature) == (signed_before.message, signed_before.user_signature)


@given(st.sampled_from(SAMPLES), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_replaced_bytes_raise_nothing(raw: bytes, at: int, patch: bytes) -> None:
    read(raw[:at] + patch + raw[at + len(patch) :])
