"""What the index is told: that a transaction landed for good."""

from typing import TypeAlias

from countermand.orders.chain.model.events import Event
from countermand.values.identity import Address, Signature
from countermand.values.structs import Struct


class TransactionLanded(Struct, frozen=True):
    """A final transaction that names `program`, and what it did to that program's orders, in its order.

    Of one program, transactions come in the order of their slots; within a slot, in the order of the block.
    """

    program: Address
    signature: Signature
    slot: int
    at_s: int
    did: tuple[Event, ...]


Command: TypeAlias = TransactionLanded
