"""A wallet of a test: it signs, and it has what it was given."""

import base64
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from countermand.testkit.guards import Guard, guarded
from countermand.testkit.trigger import TriggerOrders

if TYPE_CHECKING:
    from countermand.testkit.venue import Venue


@dataclass(frozen=True)
class Wallet:
    """`guard`: what it does to a transaction before it signs. `trigger`: its orders by Trigger v2.

    A client takes `keypair`, or `address` with `sign_message` and `sign_transaction`.
    """

    venue: "Venue" = field(repr=False)
    keypair: Keypair = field(default_factory=Keypair, repr=False)
    guard: Guard | None = None

    @property
    def address(self) -> str:
        return str(self.keypair.pubkey())

    @property
    def trigger(self) -> TriggerOrders:
        return TriggerOrders(self.venue.ask, self)

    def balance(self, token: str) -> Decimal:
        """In whole tokens: of `SOL` what it has in lamports, of others what its associated account holds."""
        return self.venue.balance(self.address, token)

    def sign_message(self, message: bytes) -> bytes:
        """64 bytes. Guards concern transactions alone."""
        return bytes(self.keypair.sign_message(message))

    def sign_transaction(self, transaction: str) -> str:
        """A transaction in base64, with this wallet's signature in its place, and what its guard adds.

        Signatures from before are of what it was: if the guard alters it, those signatures are gone. Raises
        `ValueError` if this wallet is no signer.
        """
        read = VersionedTransaction.from_bytes(base64.b64decode(transaction))
        message, signatures = read.message, list(read.signatures)
        if self.guard is not None:
            if not isinstance(message, Message | MessageV0):
                raise ValueError(f"no wallet with a guard knows a {type(message).__name__}")
            message = guarded(message, self.guard)
            signatures = [Signature.default()] * len(signatures)
        signers = message.account_keys[: len(signatures)]
        own = self.keypair.pubkey()
        if own not in signers:
            raise ValueError(f"the transaction wants signatures of {', '.join(map(str, signers))}, and none of {own}")
        signatures[signers.index(own)] = self.keypair.sign_message(to_bytes_versioned(message))
        return base64.b64encode(bytes(VersionedTransaction.populate(message, signatures))).decode()
