"""Reads signed transactions as users hand them in. Whatever comes, it answers and never raises."""

from typing import Final

from solders.pubkey import Pubkey
from solders.signature import Signature as RawSignature

from countermand.base64_text import bytes_of
from countermand.solana.alterations import alteration_of
from countermand.solana.port import PACKET_BYTES_MAX
from countermand.solana.wire import MalformedTransaction, NotCanonical, WireTransaction, is_signature, read_transaction
from countermand.values.identity import Signature, Wallet
from countermand.values.transactions import Alteration, Submission, SubmissionFault, UnsignedTransaction

_UNSIGNED: Final = RawSignature.default()


def read_submission(transaction: str, wallet: Wallet) -> Submission:
    """The message as it was presented, and the wallet's signature on just these bytes."""
    raw = bytes_of(transaction, PACKET_BYTES_MAX)
    if raw is None:
        return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)
    try:
        return _judged(read_transaction(raw), wallet)
    except NotCanonical:
        return Submission(b"", None, SubmissionFault.NOT_CANONICAL)
    except MalformedTransaction:
        return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)


def alteration(built: UnsignedTransaction, submission: Submission) -> Alteration:
    """How a signed message, which is not the built one, differs from it."""
    return alteration_of(built.message, submission.message)


def _judged(read: WireTransaction, wallet: Wallet) -> Submission:
    signed, signatures = read.message_bytes, read.versioned.signatures
    try:
        key = Pubkey.from_string(wallet)
        signature = signatures[read.static_keys[: len(signatures)].index(key)]
    except ValueError:  # The wallet signs nothing here.
        return Submission(signed, None, SubmissionFault.UNSIGNED)
    if signature == _UNSIGNED:
        return Submission(signed, None, SubmissionFault.UNSIGNED)
    if not is_signature(signature, key, signed):
        return Submission(signed, None, SubmissionFault.WRONG_SIGNATURE)
    return Submission(signed, Signature(str(signature)), None)
