"""Messages compiled as the services do whose transactions are published: the same instructions, two orders of keys.

Both put signers before others, and within each the writable before the readonly. Within such a class web3.js compares
the addresses as text and the Rust SDK compares the keys as bytes. Both are legacy messages. Swaps have version 0.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from msgspec import Struct
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import CompiledInstruction, Instruction
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey

from countermand.solana.port import PACKET_BYTES_MAX, Address, Blockhash
from countermand.solana.programs.anchor import key
from countermand.solana.wire import SIGNATURE_BYTES

_VERSIONED: Final = 0x80


class KeyOrder(Enum):
    JAVASCRIPT = auto()
    """`Transaction.compileMessage` of @solana/web3.js 1: Trigger v1 and limit/v2."""
    RUST = auto()
    """`Message::new` of the Rust SDK: Recurring v1."""


class Budget(Struct, frozen=True):
    """How many compute units a transaction may use, and what it offers for each, in micro-lamports."""

    units: int
    price: int

    def instructions(self) -> tuple[Instruction, Instruction]:
        return set_compute_unit_limit(self.units), set_compute_unit_price(self.price)


class _Use(Struct):
    """How the instructions of a message use a key."""

    key: Pubkey
    signs: bool = False
    writes: bool = False


def compile_message(
    instructions: Sequence[Instruction], payer: Address, blockhash: Blockhash, order: KeyOrder
) -> bytes:
    """The bytes that signers sign. Raises ValueError for more keys than a message can name."""
    recent = Hash.from_string(blockhash)
    if order is KeyOrder.RUST:
        return bytes(Message.new_with_blockhash(list(instructions), key(payer), recent))
    return bytes(_compiled_as_javascript(instructions, key(payer), recent))


def compile_v0(instructions: Sequence[Instruction], payer: Address, blockhash: Blockhash) -> bytes:
    """A message of version 0 without lookup tables. Raises ValueError for more keys than a message can name."""
    return to_bytes_versioned(MessageV0.try_compile(key(payer), list(instructions), [], Hash.from_string(blockhash)))


def unsigned_transaction(message: bytes) -> bytes:
    """The wire form with zeros for the signatures."""
    signers = _signers(message)
    return bytes([signers]) + bytes(SIGNATURE_BYTES * signers) + message


def transaction_size(message: bytes) -> int:
    """Bytes of the transaction, signed or not."""
    return 1 + SIGNATURE_BYTES * _signers(message) + len(message)


def _signers(message: bytes) -> int:
    """A message begins with the number of its signers; before it, one that is not legacy says its version."""
    return message[1] if message[0] & _VERSIONED else message[0]


def fits_packet(message: bytes) -> bool:
    """Whether the chain would take so large a transaction."""
    return transaction_size(message) <= PACKET_BYTES_MAX


def _compiled_as_javascript(instructions: Sequence[Instruction], payer: Pubkey, blockhash: Hash) -> Message:
    uses = _uses(instructions)
    own = uses.pop(payer, _Use(payer))
    own.signs = own.writes = True
    ordered = [own, *sorted(uses.values(), key=_javascript_order)]
    index = {use.key: at for at, use in enumerate(ordered)}
    compiled = [
        CompiledInstruction(
            index[each.program_id], bytes(each.data), bytes(index[meta.pubkey] for meta in each.accounts)
        )
        for each in instructions
    ]
    return Message.new_with_compiled_instructions(
        sum(use.signs for use in ordered),
        sum(use.signs and not use.writes for use in ordered),
        sum(not use.signs and not use.writes for use in ordered),
        [use.key for use in ordered],
        blockhash,
        compiled,
    )


def _uses(instructions: Sequence[Instruction]) -> dict[Pubkey, _Use]:
    uses: dict[Pubkey, _Use] = {}
    for each in instructions:
        for meta in each.accounts:
            use = uses.setdefault(meta.pubkey, _Use(meta.pubkey))
            use.signs |= meta.is_signer
            use.writes |= meta.is_writable
    for each in instructions:
        uses.setdefault(each.program_id, _Use(each.program_id))
    return uses


def _javascript_order(use: _Use) -> tuple[bool, bool, str, Sequence[bool]]:
    """As `localeCompare` in English with `caseFirst: "lower"`: letters before case, and case only to decide a tie."""
    text = str(use.key)
    return not use.signs, not use.writes, text.lower(), [letter.isupper() for letter in text]
