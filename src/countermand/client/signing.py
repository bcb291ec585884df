"""Signs what was checked, and only that."""

import base64

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from countermand.client.checks.acts import Checked
from countermand.client.effects import Flow, Sign, Wallet
from countermand.client.errors import ClientError


def sign(wallet: Wallet, payload: bytes) -> Flow[Signature]:
    """Raises `ClientError` if the signer gives what is no signature of the wallet."""
    given = yield Sign(wallet.sign, payload)
    try:
        signature = given if isinstance(given, Signature) else Signature(bytes(given))
    except (TypeError, ValueError) as problem:
        raise ClientError(f"the signer of {wallet.address} gave no signature of 64 bytes") from problem
    if not signature.verify(Pubkey.from_string(wallet.address), payload):
        raise ClientError(f"the signer of {wallet.address} gave a signature that is not this wallet's")
    return signature


def sign_transaction(wallet: Wallet, checked: Checked) -> Flow[tuple[str, str]]:
    """The transaction with the wallet's signature in its slot, in base64, and that signature.

    The signature of who pays is the id of the transaction, before anything is sent.
    """
    assert checked.signer == wallet.address, "what was checked for one wallet is signed by it"
    wire = checked.wire
    signature = yield from sign(wallet, wire.message_bytes)
    signatures = list(wire.versioned.signatures)
    signatures[[str(key) for key in wire.static_keys].index(wallet.address)] = signature
    signed = VersionedTransaction.populate(wire.message, signatures)
    return base64.b64encode(bytes(signed)).decode(), str(signature)
