"""Reads signed transactions as users hand them in. Whatever comes, it answers and never raises."""

from typing import Final

from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from countermand.base64_text import bytes_of
from countermand.solana.port import PACKET_BYTES_MAX
from countermand.solana.wire import SIGNATURE_BYTES
from countermand.values.identity import Signature as SignatureText
from countermand.values.identity import Wallet
from countermand.values.transactions import Submission, SubmissionFault

_UNSIGNED: Final = Signature.default()


def read_submission(transaction: str, wallet: Wallet) -> Submission:
    """The message as it was presented, and the wallet's signature on just these bytes."""
    raw = bytes_of(transaction, PACKET_BYTES_MAX)
    if raw is None:
        return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)
    try:
        read = VersionedTransaction.from_bytes(raw)
        read.sanitize()
    except (ValueError, SanitizeError):
        return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)
    if not isinstance(read.message, Message | MessageV0):
        return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)
    # The decoder alone ignores bytes that follow, and reads some counts in more than one spelling.
    if bytes(read) != raw:
        return Submission(b"", None, SubmissionFault.NOT_CANONICAL)
    return _judged(read.message, raw, read.signatures, wallet)


def _judged(message: Message | MessageV0, raw: bytes, signatures: list[Signature], wallet: Wallet) -> Submission:
    signed = raw[1 + SIGNATURE_BYTES * len(signatures) :]
    try:
        slot = message.account_keys[: len(signatures)].index(Pubkey.from_string(wallet))
    except ValueError:  # The wallet signs nothing here.
        return Submission(signed, None, SubmissionFault.UNSIGNED)
    signature = signatures[slot]
    if signature == _UNSIGNED:
        return Submission(signed, None, SubmissionFault.UNSIGNED)
    if not signature.verify(Pubkey.from_string(wallet), signed):
        return Submission(signed, None, SubmissionFault.WRONG_SIGNATURE)
    return Submission(signed, SignatureText(str(signature)), None)
