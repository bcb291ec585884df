"""The program of Recurring v1 (time-based orders): its instructions, transactions, accounts and events.

A DCA is an account of the program that owns two token accounts, one for what it sells and one for what it bought.
Sources: the interface in `@jup-ag/dca-sdk` 3.0.1 and the sample transactions of jup-ag/docs. The
program knows the Token program only.
"""

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from countermand.solana.ledger import LedgerTransaction
from countermand.solana.port import Address, Blockhash
from countermand.solana.programs.accounts import create_associated, unwrap_sol, wrap_sol
from countermand.solana.programs.anchor import (
    DISCRIMINATOR_BYTES,
    FRAMEWORK_ERRORS,
    Fields,
    ProgramCall,
    ProgramEvents,
    Unreadable,
    account_discriminator,
    calls_of,
    derived,
    event_authority_of,
    event_discriminator,
    i64,
    instruction_discriminator,
    key,
    option,
    paying_signer,
    readonly,
    signer,
    u64,
    writable,
    writable_or_absent,
)
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_address,
)

PROGRAM: Final[Address] = "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M"
EVENT_AUTHORITY: Final = event_authority_of(PROGRAM)
FEE_AUTHORITY: Final = derived(PROGRAM, b"fee")[0]

OPEN_DCA: Final = instruction_discriminator("open_dca")
OPEN_DCA_V2: Final = instruction_discriminator("open_dca_v2")
CLOSE_DCA: Final = instruction_discriminator("close_dca")
DEPOSIT: Final = instruction_discriminator("deposit")
WITHDRAW: Final = instruction_discriminator("withdraw")

_BEFORE_BOUNDS: Final = 4 * 8
"""Bytes of `idx`, `in_amount`, `in_amount_per_cycle` and `cycle_frequency`."""
FEE_BPS: Final = 10

# What `getProgramAccounts` filters by: `dataSize`, and `memcmp` at these offsets.
DCA_BYTES: Final = 289
DCA_DISCRIMINATOR: Final = account_discriminator("Dca")
DCA_DISCRIMINATOR_AT: Final = 0
DCA_USER_AT: Final = 8

_ERROR_NAMES: Final = """
    InvalidAmount InvalidCycleAmount InvalidPair TooFrequent InvalidMinPrice InvalidMaxPrice InAmountInsufficient
    Unauthorized NoInATA NoUserInATA NoOutATA NoUserOutATA InsufficientBalanceInProgram InvalidDepositAmount
    UserInsufficientBalance UnauthorizedKeeper UnrecognizedProgram MathErrors KeeperNotTimeToFill
    OrderFillAmountWrong SwapOutAmountBelowMinimum WrongAdmin MathOverflow AddressMismatch ProgramMismatch
    IncorrectRepaymentAmount CannotBorrowBeforeRepay NoRepaymentInstructionFound MissingSwapInstructions
    UnexpectedSwapProgram InvalidSwapMint UnknownInstruction MissingRepayInstructions KeeperShortchanged
    WrongSwapOutAccount WrongTransferAmount InsufficientBalanceForRent UnexpectedSolBalance
    InsufficientWsolForTransfer MissedInstruction WrongProgram BalanceNotZero UnexpectedWSOLLeftover
    IntermediateAccountNotSet UnexpectedSwapInstruction SwapOutLessThanUserMinimum SwapOutMoreThanUserMaximum
"""
ERRORS: Final[Mapping[int, str]] = MappingProxyType(dict(enumerate(_ERROR_NAMES.split(), start=6000)))

_ACCOUNT = struct.Struct("<8s32s32s32sQqQQQQQQqQ32s32sQQQQqB")
assert _ACCOUNT.size == DCA_BYTES


class DcaBalance(IntEnum):
    """Which of its two balances a withdrawal takes from."""

    IN = 0
    OUT = 1


def error_name(code: int) -> str | None:
    return ERRORS.get(code) or FRAMEWORK_ERRORS.get(code)


@lru_cache(maxsize=65_536)
def dca_address(user: Address, input_mint: Address, output_mint: Address, idx: int) -> tuple[Address, int]:
    """The address of a user's DCA, and its bump. Jupiter's `idx` is the second of its creation."""
    return derived(PROGRAM, b"dca", *(bytes(key(each)) for each in (user, input_mint, output_mint)), u64(idx))


class DcaKeys(Struct, frozen=True, kw_only=True):
    """What names a DCA and its tokens."""

    dca: Address
    user: Address
    input_mint: Address
    output_mint: Address

    def own(self, side: DcaBalance) -> Address:
        """The DCA's token account."""
        return associated_token_address(self.dca, self.mint(side))

    def users(self, side: DcaBalance) -> Address:
        """The user's token account."""
        return associated_token_address(self.user, self.mint(side))

    def mint(self, side: DcaBalance) -> Address:
        return self.input_mint if side is DcaBalance.IN else self.output_mint


class NewDca(Struct, frozen=True, kw_only=True):
    """What a user asks for: amounts in base units, `cycle_frequency` in seconds, `start_at` in seconds since the epoch.

    `min_out` and `max_out` bound what a cycle may give. The payer pays the rents.
    """

    user: Address
    payer: Address
    input_mint: Address
    output_mint: Address
    idx: int
    in_amount: int
    in_amount_per_cycle: int
    cycle_frequency: int
    min_out: int | None = None
    max_out: int | None = None
    start_at: int | None = None

    @property
    def keys(self) -> DcaKeys:
        dca = dca_address(self.user, self.input_mint, self.output_mint, self.idx)[0]
        return DcaKeys(dca=dca, user=self.user, input_mint=self.input_mint, output_mint=self.output_mint)

    @property
    def arguments(self) -> bytes:
        return (
            u64(self.idx)
            + u64(self.in_amount)
            + u64(self.in_amount_per_cycle)
            + i64(self.cycle_frequency)
            + option(self.min_out, u64)
            + option(self.max_out, u64)
            + option(self.start_at, i64)
        )


class Opening(Struct, frozen=True):
    """What an instruction asks of the order that it opens, and that no event tells; 0 where it asks nothing."""

    dca: Address
    min_out: int
    max_out: int
    start_at: int


def opening_of(call: ProgramCall) -> Opening | None:
    """None: it opens no order."""
    if call.data[:DISCRIMINATOR_BYTES] not in (OPEN_DCA, OPEN_DCA_V2) or not call.accounts:
        return None
    fields = Fields(call.data, DISCRIMINATOR_BYTES)
    try:
        fields.take(_BEFORE_BOUNDS)
        least, most, start = fields.option(fields.u64), fields.option(fields.u64), fields.option(fields.i64)
    except Unreadable:
        return None
    return Opening(call.accounts[0], least or 0, most or 0, start or 0)


def openings_of(transaction: LedgerTransaction) -> dict[Address, list[Opening]]:
    """By order. One transaction may open it several times, which are told in the order of its events."""
    openings: dict[Address, list[Opening]] = {}
    for call in calls_of(transaction, PROGRAM):
        opening = opening_of(call)
        if opening is not None:
            openings.setdefault(opening.dca, []).append(opening)
    return openings


def open_dca_v2(new: NewDca) -> Instruction:
    """Takes the input from the user's associated token account."""
    keys = new.keys
    metas = [
        writable(keys.dca),
        signer(new.user),
        paying_signer(new.payer),
        readonly(new.input_mint),
        readonly(new.output_mint),
        writable(keys.users(DcaBalance.IN)),
        writable(keys.own(DcaBalance.IN)),
        writable(keys.own(DcaBalance.OUT)),
        *_programs(),
    ]
    return Instruction(key(PROGRAM), OPEN_DCA_V2 + new.arguments, metas)


def open_dca(new: NewDca, *, closes_wrapped: bool | None = None) -> Instruction:
    """The older form, which the user pays; `closes_wrapped`: it closes the user's wrapped SOL account itself."""
    assert new.payer == new.user, "the older form knows no payer beside the user"
    keys = new.keys
    metas = [
        writable(keys.dca),
        paying_signer(new.user),
        readonly(new.input_mint),
        readonly(new.output_mint),
        writable(keys.users(DcaBalance.IN)),
        writable(keys.own(DcaBalance.IN)),
        writable(keys.own(DcaBalance.OUT)),
        *_programs(),
    ]
    closes = option(closes_wrapped, lambda yes: bytes([yes]))
    return Instruction(key(PROGRAM), OPEN_DCA + new.arguments + closes, metas)


def close_dca(keys: DcaKeys) -> Instruction:
    """Gives back what was not sold and what was bought."""
    metas = [
        paying_signer(keys.user),
        writable(keys.dca),
        readonly(keys.input_mint),
        readonly(keys.output_mint),
        writable(keys.own(DcaBalance.IN)),
        writable(keys.own(DcaBalance.OUT)),
        writable(keys.users(DcaBalance.IN)),
        writable(keys.users(DcaBalance.OUT)),
        *_programs(),
    ]
    return Instruction(key(PROGRAM), CLOSE_DCA, metas)


def deposit(keys: DcaKeys, amount: int) -> Instruction:
    """Adds to what the DCA sells."""
    metas = [
        paying_signer(keys.user),
        writable(keys.dca),
        writable(keys.own(DcaBalance.IN)),
        writable(keys.users(DcaBalance.IN)),
        readonly(TOKEN_PROGRAM),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
    ]
    return Instruction(key(PROGRAM), DEPOSIT + u64(amount), metas)


def withdraw(keys: DcaKeys, side: DcaBalance, amount: int) -> Instruction:
    """Takes from one side; the account of the user that the other side would need is left out."""
    metas = [
        paying_signer(keys.user),
        writable(keys.dca),
        readonly(keys.input_mint),
        readonly(keys.output_mint),
        writable(keys.own(side)),
        *(writable_or_absent(keys.users(each) if each is side else None, PROGRAM) for each in DcaBalance),
        *_programs(),
    ]
    return Instruction(key(PROGRAM), WITHDRAW + u64(amount) + bytes([side]), metas)


def open_message(new: NewDca, budget: Budget, blockhash: Blockhash, *, wraps_sol: bool = True) -> bytes:
    """The transaction that opens a DCA, as published; user and payer sign. `wraps_sol`: the user gives lamports."""
    instructions = [*budget.instructions(), open_dca_v2(new)]
    if wraps_sol and new.input_mint == SOL_MINT:
        instructions[2:2] = wrap_sol(new.user, new.in_amount)
        instructions.append(unwrap_sol(new.user, repeats_signer=True))
    return compile_message(instructions, new.payer, blockhash, KeyOrder.RUST)


def open_older_message(new: NewDca, budget: Budget, blockhash: Blockhash, *, wraps_sol: bool = True) -> bytes:
    """The same by the older instruction, which closes the wrapped SOL account itself."""
    wraps = wraps_sol and new.input_mint == SOL_MINT
    wrapping = wrap_sol(new.user, new.in_amount) if wraps else ()
    instructions = [*budget.instructions(), *wrapping, open_dca(new, closes_wrapped=wraps)]
    return compile_message(instructions, new.user, blockhash, KeyOrder.RUST)


def close_message(
    keys: DcaKeys,
    budget: Budget,
    blockhash: Blockhash,
    *,
    creates: Sequence[DcaBalance] = (),
    payer: Address | None = None,
) -> bytes:
    """The transaction that cancels a DCA, as published.

    `creates`: accounts of the user that are missing; they are made first, and one for wrapped SOL is closed again.
    `payer` pays fee and rents, and signs too; None: the user.
    """
    payer = payer or keys.user
    instructions = [
        *budget.instructions(),
        *(create_associated(payer, keys.user, keys.mint(side)) for side in creates),
        close_dca(keys),
    ]
    if any(keys.mint(side) == SOL_MINT for side in creates):
        instructions.append(unwrap_sol(keys.user, repeats_signer=True))
    return compile_message(instructions, payer, blockhash, KeyOrder.RUST)


def deposit_message(
    keys: DcaKeys, amount: int, budget: Budget, blockhash: Blockhash, *, wraps_sol: bool = True
) -> bytes:
    instructions = [*budget.instructions(), deposit(keys, amount)]
    if wraps_sol and keys.input_mint == SOL_MINT:
        instructions[2:2] = wrap_sol(keys.user, amount)
        instructions.append(unwrap_sol(keys.user, repeats_signer=True))
    return compile_message(instructions, keys.user, blockhash, KeyOrder.RUST)


def withdraw_message(
    keys: DcaKeys, side: DcaBalance, amount: int, budget: Budget, blockhash: Blockhash, *, unwraps_sol: bool = True
) -> bytes:
    """Creates the user's token account if it is missing. `unwraps_sol`: SOL comes as lamports."""
    instructions = [
        *budget.instructions(),
        create_associated(keys.user, keys.user, keys.mint(side)),
        withdraw(keys, side, amount),
    ]
    if unwraps_sol and keys.mint(side) == SOL_MINT:
        instructions.append(unwrap_sol(keys.user, repeats_signer=True))
    return compile_message(instructions, keys.user, blockhash, KeyOrder.RUST)


class Dca(Struct, frozen=True, kw_only=True):
    """A DCA on chain: amounts in base units, times in seconds since the epoch, 0 for a bound that is not set."""

    user: Address
    input_mint: Address
    output_mint: Address
    idx: int
    next_cycle_at: int
    in_deposited: int
    in_withdrawn: int
    out_withdrawn: int
    in_used: int
    out_received: int
    in_amount_per_cycle: int
    cycle_frequency: int
    next_cycle_amount_left: int
    in_account: Address
    out_account: Address
    min_out: int
    max_out: int
    keeper_in_balance_before_borrow: int
    dca_out_balance_before_swap: int
    created_at: int
    bump: int

    @property
    def in_left(self) -> int:
        """What it still has to sell."""
        return self.in_deposited - self.in_used - self.in_withdrawn


def read_dca(data: bytes) -> Dca | None:
    """None unless these are the bytes of a DCA. What a newer program adds at the end is ignored."""
    if len(data) < DCA_BYTES or not data.startswith(DCA_DISCRIMINATOR):
        return None
    _, *values = _ACCOUNT.unpack_from(data)
    fields: dict[str, Any] = {
        name: str(Pubkey(value)) if isinstance(value, bytes) else value
        for name, value in zip(Dca.__struct_fields__, values, strict=True)
    }
    return Dca(**fields)


def dca_bytes(dca: Dca) -> bytes:
    """The data of the account, for tests and for a chain that starts with orders."""
    values = (getattr(dca, name) for name in Dca.__struct_fields__)
    return _ACCOUNT.pack(
        DCA_DISCRIMINATOR, *(bytes(key(value)) if isinstance(value, str) else value for value in values)
    )


class DcaOpened(Struct, frozen=True):
    user: Address
    dca: Address
    in_deposited: int
    input_mint: Address
    output_mint: Address
    cycle_frequency: int
    in_amount_per_cycle: int
    created_at: int


class DcaFilled(Struct, frozen=True):
    """A cycle. `out_amount` is without the fee."""

    user: Address
    dca: Address
    input_mint: Address
    output_mint: Address
    in_amount: int
    out_amount: int
    fee_mint: Address
    fee: int


class DcaClosed(Struct, frozen=True):
    user: Address
    dca: Address
    in_deposited: int
    input_mint: Address
    output_mint: Address
    cycle_frequency: int
    in_amount_per_cycle: int
    created_at: int
    total_in_withdrawn: int
    total_out_withdrawn: int
    unfilled_amount: int
    user_closed: bool


class DcaWithdrawn(Struct, frozen=True):
    """The event `Withdraw`. `user_withdraw`: the user asked for it; otherwise a keeper paid out."""

    dca: Address
    in_amount: int
    out_amount: int
    user_withdraw: bool


class DcaDeposited(Struct, frozen=True):
    """The event `Deposit`."""

    dca: Address
    amount: int


class DcaFeeCollected(Struct, frozen=True):
    user: Address
    dca: Address
    mint: Address
    amount: int


DcaEvent = DcaOpened | DcaFilled | DcaClosed | DcaWithdrawn | DcaDeposited | DcaFeeCollected


def _read_opened(of: Fields) -> DcaOpened:
    return DcaOpened(of.key(), of.key(), of.u64(), of.key(), of.key(), of.i64(), of.u64(), of.i64())


def _read_filled(of: Fields) -> DcaFilled:
    return DcaFilled(of.key(), of.key(), of.key(), of.key(), of.u64(), of.u64(), of.key(), of.u64())


def _read_closed(of: Fields) -> DcaClosed:
    opened = of.key(), of.key(), of.u64(), of.key(), of.key(), of.i64(), of.u64(), of.i64()
    return DcaClosed(*opened, of.u64(), of.u64(), of.u64(), of.flag())


def _read_withdrawn(of: Fields) -> DcaWithdrawn:
    return DcaWithdrawn(of.key(), of.u64(), of.u64(), of.flag())


def _read_deposited(of: Fields) -> DcaDeposited:
    return DcaDeposited(of.key(), of.u64())


def _read_collected_fee(of: Fields) -> DcaFeeCollected:
    return DcaFeeCollected(of.key(), of.key(), of.key(), of.u64())


_EVENTS: Final = ProgramEvents[DcaEvent](
    PROGRAM,
    EVENT_AUTHORITY,
    {
        event_discriminator("Opened"): _read_opened,
        event_discriminator("Filled"): _read_filled,
        event_discriminator("Closed"): _read_closed,
        event_discriminator("Withdraw"): _read_withdrawn,
        event_discriminator("Deposit"): _read_deposited,
        event_discriminator("CollectedFee"): _read_collected_fee,
    },
)
events_of = _EVENTS.of
read_event = _EVENTS.read


def _programs() -> list[AccountMeta]:
    """What most of its instructions end with."""
    programs = SYSTEM_PROGRAM, TOKEN_PROGRAM, ASSOCIATED_TOKEN_PROGRAM, EVENT_AUTHORITY, PROGRAM
    return [readonly(each) for each in programs]
