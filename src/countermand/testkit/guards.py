"""What wallets do to a transaction before they sign it: they insert instructions of their own.

A transaction that has to stay as it was crafted is then another one, and a client must notice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.compute_budget import set_compute_unit_price
from solders.instruction import CompiledInstruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

Guard = Literal["lighthouse", "compute-budget"]
GUARDS: Final = get_args(Guard)
AnyMessage = Message | MessageV0

LIGHTHOUSE: Final = Pubkey.from_string("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")
_ASSERTS_AN_ACCOUNT: Final = b"\x09\x00\x01"
_PRICE: Final = bytes(set_compute_unit_price(7).data)
"""Another fee than any that is crafted: 7 micro-lamports for each compute unit."""


def guarded(message: AnyMessage, guard: Guard) -> AnyMessage:
    """The message as a wallet with this guard signs it."""
    return _GUARDS[guard](message)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A message, and the index of one more program in it."""

    message: AnyMessage
    keys: Sequence[Pubkey]
    instructions: Sequence[CompiledInstruction]
    program: int
    keys_added: int

    def with_instructions(self, instructions: Sequence[CompiledInstruction]) -> AnyMessage:
        header, keys = self.message.header, list(self.keys)
        signers, readonly_signers = header.num_required_signatures, header.num_readonly_signed_accounts
        readonly = header.num_readonly_unsigned_accounts + self.keys_added
        blockhash = self.message.recent_blockhash
        if isinstance(self.message, Message):
            return Message.new_with_compiled_instructions(
                signers, readonly_signers, readonly, keys, blockhash, list(instructions)
            )
        lookups = self.message.address_table_lookups
        # Its constructor takes a header; there is no other way to make one than from a message.
        shape = Message.new_with_compiled_instructions(signers, readonly_signers, readonly, keys, blockhash, [])
        return MessageV0(shape.header, keys, blockhash, list(instructions), lookups)


def _with_program(message: AnyMessage, program: Pubkey) -> _Parts:
    keys, instructions = list(message.account_keys), list(message.instructions)
    if program in keys:
        return _Parts(message, keys, instructions, keys.index(program), 0)
    # Behind the last of its own keys, which are the readonly ones; accounts that lookup tables name come after them.
    at = len(keys)
    moved = [
        CompiledInstruction(
            _moved(each.program_id_index, at), bytes(each.data), bytes(_moved(i, at) for i in each.accounts)
        )
        for each in instructions
    ]
    return _Parts(message, [*keys, program], moved, at, 1)


def _moved(index: int, at: int) -> int:
    return index + 1 if index >= at else index


def _with_lighthouse(message: AnyMessage) -> AnyMessage:
    """An assert about the payer's account, at the end."""
    parts = _with_program(message, LIGHTHOUSE)
    asserted = CompiledInstruction(parts.program, _ASSERTS_AN_ACCOUNT, bytes([0]))
    return parts.with_instructions([*parts.instructions, asserted])


def _with_budget(message: AnyMessage) -> AnyMessage:
    """Another price for compute units: in the place of the one that is there, or at the front."""
    parts = _with_program(message, COMPUTE_BUDGET)
    priced = CompiledInstruction(parts.program, _PRICE, b"")
    others = list(parts.instructions)
    for at, each in enumerate(others):
        if each.program_id_index == parts.program and bytes(each.data)[:1] == _PRICE[:1]:
            others[at] = priced
            return parts.with_instructions(others)
    return parts.with_instructions([priced, *others])


_GUARDS: Final[Mapping[Guard, Callable[[AnyMessage], AnyMessage]]] = MappingProxyType(
    {"lighthouse": _with_lighthouse, "compute-budget": _with_budget}
)
