"""Names of things. They are opaque text here: what they look like is the business of their maker."""

from typing import NewType

OrderId = NewType("OrderId", str)
"""Names an order group: a single order, or the legs of an OCO or OTOCO. A version 7 UUID in canonical text, whose last
byte hints at the bucket of its wallet."""
RequestId = NewType("RequestId", str)
"""Names one craft of a deposit, or one cancellation. A version 4 UUID in canonical text."""
Wallet = NewType("Wallet", str)
"""The public key of a user, base58."""
Address = NewType("Address", str)
"""An account on the chain, base58."""
Mint = NewType("Mint", str)
"""The address of a token's mint, base58; native SOL goes by the wrapped mint."""
Signature = NewType("Signature", str)
"""The id of a transaction, or a signature in it, base58."""
