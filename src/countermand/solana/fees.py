"""The cost of a message: a fee for each signature, and the priority fee that its compute budget promises."""

from typing import Final

from msgspec import Struct
from solders.message import Message, MessageV0

from countermand.solana.port import LAMPORTS_PER_SIGNATURE, UNITS_MAX
from countermand.solana.tokens import COMPUTE_BUDGET_PROGRAM, SYSTEM_PROGRAM

_MICRO: Final = 1_000_000
_UNITS_OF_A_PROGRAM: Final = 200_000
_UNITS_OF_A_BUILTIN: Final = 3_000
_BUILTINS: Final = (
    COMPUTE_BUDGET_PROGRAM,
    SYSTEM_PROGRAM,
    "BPFLoader1111111111111111111111111111111111",
    "BPFLoader2111111111111111111111111111111111",
    "BPFLoaderUpgradeab1e11111111111111111111111",
    "LoaderV411111111111111111111111111111111111",
    "Ed25519SigVerify111111111111111111111111111",
    "KeccakSecp256k11111111111111111111111111111",
)
"""What a node counts so: not the third of the precompiles, nor what became an ordinary program."""

_SET_LIMIT, _SET_PRICE = 2, 3
_PRECOMPILES: Final = (
    "Ed25519SigVerify111111111111111111111111111",
    "KeccakSecp256k11111111111111111111111111111",
    "Secp256r1SigVerify1111111111111111111111111",
)
"""Programs that verify signatures themselves; the first byte of their data counts them."""


class Cost(Struct, frozen=True, kw_only=True):
    """What a message costs: signatures of its own and those that programs verify, and compute units at a price."""

    signatures: int
    verified: int
    units: int
    unit_price: int
    """Micro-lamports."""

    @property
    def priority(self) -> int:
        return -(-self.units * self.unit_price // _MICRO)

    @property
    def lamports(self) -> int:
        return LAMPORTS_PER_SIGNATURE * (self.signatures + self.verified) + self.priority


def cost_of(message: Message | MessageV0) -> Cost:
    """Compute units that a message does not limit count as a node counts them; it gives no more than its own limit."""
    verified, price, limit, units = 0, 0, None, 0
    for instruction in message.instructions:
        program, data = str(message.account_keys[instruction.program_id_index]), bytes(instruction.data)
        units += _UNITS_OF_A_BUILTIN if program in _BUILTINS else _UNITS_OF_A_PROGRAM
        if program in _PRECOMPILES and data:
            verified += data[0]
        elif program == COMPUTE_BUDGET_PROGRAM and data[:1] == bytes([_SET_LIMIT]):
            limit = int.from_bytes(data[1:5], "little")
        elif program == COMPUTE_BUDGET_PROGRAM and data[:1] == bytes([_SET_PRICE]):
            price = int.from_bytes(data[1:9], "little")
    return Cost(
        signatures=message.header.num_required_signatures,
        verified=verified,
        units=min(units if limit is None else limit, UNITS_MAX),
        unit_price=price,
    )


def fee_of(message: Message | MessageV0) -> int:
    """Lamports."""
    return cost_of(message).lamports
