"""The chain as all above it see it: the semantics of Solana's JSON-RPC, and nothing that only one adapter can do.

Two adapters implement it: `embedded` (a Solana VM in this process) and, for a real node, `rpc`.
Addresses, signatures and blockhashes are base58 text, as on the wire; transactions are wire bytes.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, TypeAlias

from countermand.values.structs import Struct

Address: TypeAlias = str
Signature: TypeAlias = str
Blockhash: TypeAlias = str
JsonError: TypeAlias = str | dict[str, Any]
"""A transaction error as a node writes it: `"BlockhashNotFound"`, `{"InstructionError": [1, {"Custom": 1}]}`."""

PACKET_BYTES_MAX = 1232
UNITS_MAX: Final = 1_400_000
"""Compute units of a transaction."""
LAMPORTS_PER_SIGNATURE: Final = 5_000
FILTERS_MAX: Final = 4
MEMCMP_BYTES_MAX: Final = 128
HISTORY_PAGE_MAX: Final = 1_000
FEE_ADDRESSES_MAX: Final = 128
TRANSACTIONS_MAX: Final = 100
LANDED_ADDRESSES_MAX: Final = 100
LANDED_WAITING_MAX: Final = 10_000


class ChainUnavailable(Exception):
    """The chain does not answer now. Nothing is known about what was asked; asking again is right."""


class QuestionRefused(ChainUnavailable):
    """The chain answers, but not this question: asking it again is of no use."""


class LatestBlockhash(Struct, frozen=True):
    blockhash: Blockhash
    last_valid_block_height: int


class AccountInfo(Struct, frozen=True):
    lamports: int
    owner: Address
    data: bytes
    executable: bool


class SignatureStatus(Struct, frozen=True):
    """A transaction that the chain knows. `finalized` false means: it may still be forgotten."""

    slot: int
    finalized: bool
    error: JsonError | None


class Simulation(Struct, frozen=True):
    """What would happen. `error` None means that it would succeed."""

    error: JsonError | None
    logs: tuple[str, ...]
    units_consumed: int


class TokenBalance(Struct, frozen=True):
    """`account_index` counts all keys of the transaction."""

    account_index: int
    mint: Address
    owner: Address
    program: Address
    amount: int
    decimals: int


class InnerInstruction(Struct, frozen=True):
    """`accounts` are indices into all keys of the transaction, static and loaded."""

    program_index: int
    accounts: bytes
    data: bytes
    stack_height: int


class InnerInstructions(Struct, frozen=True):
    """What the instruction at `index` of the message called."""

    index: int
    instructions: tuple[InnerInstruction, ...]


class ReturnData(Struct, frozen=True):
    program: Address
    data: bytes


class LedgerTransaction(Struct, frozen=True):
    """A transaction that landed. `block_time` is in Unix seconds.

    Balances stand in the order of its keys: static (they are in `raw`), loaded writable, loaded readonly. The loaded
    ones are what address lookup tables added.
    """

    signature: Signature
    slot: int
    block_time: int
    raw: bytes
    error: JsonError | None
    fee: int
    units_consumed: int
    logs: tuple[str, ...]
    pre_balances: tuple[int, ...]
    post_balances: tuple[int, ...]
    pre_token_balances: tuple[TokenBalance, ...]
    post_token_balances: tuple[TokenBalance, ...]
    inner_instructions: tuple[InnerInstructions, ...]
    return_data: ReturnData | None
    loaded_writable: tuple[Address, ...]
    loaded_readonly: tuple[Address, ...]


class AddressSignature(Struct, frozen=True):
    """`block_time` is in Unix seconds. `memo`, where it is told: `[bytes] text` of each memo, joined by `; `."""

    signature: Signature
    slot: int
    error: JsonError | None
    block_time: int
    memo: str | None = None


class LandedSignature(AddressSignature, frozen=True, kw_only=True):
    """`position` orders what one subscription tells of one slot. It means nothing elsewhere."""

    position: int


Memcmp: TypeAlias = tuple[int, bytes]
"""The account's data has these bytes at this offset."""


class Chain(Protocol):
    """What it takes to act on the chain and to learn what became of it. Every method may raise `ChainUnavailable`.

    `signature_status` tells what is final. Everything else is as of a state that a supermajority has voted for, and
    never of an older one than the newest height or final status that this chain has told.
    """

    async def latest_blockhash(self) -> LatestBlockhash: ...

    async def finalized_block_height(self) -> int:
        """Counts blocks. Not every slot has one, so it is at most the slot, and the two are never compared."""

    async def signature_status(self, signature: Signature) -> SignatureStatus | None:
        """The status with history searched, or None if this node, at its present height, knows none."""

    async def accounts(self, addresses: list[Address]) -> list[AccountInfo | None]: ...

    async def simulate(self, transaction: bytes) -> Simulation:
        """Signatures are not verified, the blockhash is."""

    async def send(self, transaction: bytes) -> None:
        """Hands over a signed transaction without preflight. Returning says nothing about landing."""


class ChainRecords(Protocol):
    """What the chain holds and remembers. Every method may raise `ChainUnavailable`; the state is as with `Chain`."""

    async def program_accounts(
        self, program: Address, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> Sequence[tuple[Address, AccountInfo]]:
        """The accounts that a program owns and that pass every filter, in the order of their keys' bytes.

        Raises `ValueError` for more than `FILTERS_MAX` filters, or more than `MEMCMP_BYTES_MAX` bytes in one.
        """

    async def recent_prioritization_fees(self, addresses: Sequence[Address]) -> Sequence[int]:
        """What it took, in micro-lamports per compute unit, to write all these accounts in recent slots, oldest first.

        One number a slot, 0 where it took nothing; it may be empty. At most `FEE_ADDRESSES_MAX` addresses. Raises
        `QuestionRefused` where a node does not offer it.
        """

    async def transactions(self, signatures: Sequence[Signature]) -> Sequence[LedgerTransaction | None]:
        """What landed under each signature, with or without success. A new landing may take a moment to show.

        Raises `ValueError` for more than `TRANSACTIONS_MAX` signatures.
        """

    async def signatures_for_address(
        self,
        address: Address,
        *,
        limit: int = HISTORY_PAGE_MAX,
        before: Signature | None = None,
        until: Signature | None = None,
    ) -> Sequence[AddressSignature]:
        """What landed with this address in it, newest first and at most `HISTORY_PAGE_MAX`.

        Both bounds are exclusive. An unknown `before` finds nothing, an unknown `until` bounds nothing.
        """

    async def newest_final(self, address: Address) -> Signature | None:
        """The newest transaction with this address in it that is final; None: there is none."""

    def landings(self, touching: Sequence[Address]) -> AbstractAsyncContextManager[AsyncIterator[LandedSignature]]:
        """What becomes final from now on and mentions one of these programs or accounts, also by a lookup table.

        Once it is entered, every such transaction is told, with or without success, at least once and in the order of
        (slot, position). The position is that of the block for any two transactions that have one of the addresses in
        common. The iterator raises `ChainUnavailable` when it may have missed one: when the chain or its connection
        fails, and when `LANDED_WAITING_MAX` of them wait to be read.

        A reader that can begin at any point keeps a cursor of its own. It enters, then lists what came after the
        cursor (`signatures_for_address`), and then iterates. So it has no gap, and meets again what it listed; when
        the iterator raises, it begins anew.

        Raises `ValueError` for no address, or for more than `LANDED_ADDRESSES_MAX`.
        """


class Node(Chain, ChainRecords, Protocol):
    """Both halves of the port: what either adapter is."""


def check_signatures(signatures: Sequence[Signature]) -> None:
    """Raises `ValueError` where there are more than one question may have."""
    if len(signatures) > TRANSACTIONS_MAX:
        raise ValueError(f"{len(signatures)} signatures (max: {TRANSACTIONS_MAX})")


def check_touching(addresses: Sequence[Address]) -> None:
    """Raises `ValueError` unless a subscription can be for them."""
    if not 0 < len(addresses) <= LANDED_ADDRESSES_MAX:
        raise ValueError(f"{len(addresses)} addresses to listen for (1 to {LANDED_ADDRESSES_MAX})")


def check_filters(data_size: int | None, memcmp: Sequence[Memcmp]) -> None:
    """Raises `ValueError` where a node would refuse."""
    filters = len(memcmp) + (data_size is not None)
    if filters > FILTERS_MAX:
        raise ValueError(f"{filters} filters (max: {FILTERS_MAX})")
    for offset, wanted in memcmp:
        if offset < 0 or not 0 < len(wanted) <= MEMCMP_BYTES_MAX:
            raise ValueError(f"{len(wanted)} bytes at {offset} to compare (1 to {MEMCMP_BYTES_MAX} at 0 or later)")
