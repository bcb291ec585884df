"""The instructions by which keepers run recurring orders: borrow and repay, pay out, end."""

from typing import Final

from solders.instruction import Instruction

from countermand.solana.port import Address
from countermand.solana.programs.anchor import (
    derived,
    instruction_discriminator,
    key,
    paying_signer,
    readonly,
    u64,
    writable,
    writable_or_absent,
)
from countermand.solana.programs.dca import EVENT_AUTHORITY, FEE_AUTHORITY, FEE_BPS, PROGRAM, Dca, DcaBalance, DcaKeys
from countermand.solana.programs.keepers import keepers_address
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    INSTRUCTIONS_SYSVAR,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_address,
)

INITIATE_FLASH_FILL: Final = instruction_discriminator("initiate_flash_fill")
FULFILL_FLASH_FILL: Final = instruction_discriminator("fulfill_flash_fill")
TRANSFER: Final = instruction_discriminator("transfer")
END_AND_CLOSE: Final = instruction_discriminator("end_and_close")

KEEPERS: Final = keepers_address(PROGRAM)

_BPS_ONE: Final = 10_000
_PROGRAMS: Final = (SYSTEM_PROGRAM, TOKEN_PROGRAM, ASSOCIATED_TOKEN_PROGRAM)


def cycle_amount(order: Dca) -> int:
    """The input of the next cycle, as the program counts it. The last one takes what the division left over."""
    amount = order.next_cycle_amount_left
    rest = order.in_left - amount
    if rest <= 0:
        return order.in_left
    return order.in_left if rest < min(amount, order.in_deposited // order.in_amount_per_cycle) else amount


def fee_of(repaid: int) -> int:
    """What of the output goes to the program's fee account."""
    return repaid * FEE_BPS // _BPS_ONE


def is_within_bounds(order: Dca, used: int, received: int) -> bool:
    """Whether the user takes so much, after the fee, for a cycle of so much input."""
    least, most = bounds_of(order, used)
    return received >= least and (most is None or received <= most)


def bounds_of(order: Dca, used: int) -> tuple[int, int | None]:
    """The least and the most that the user takes, after the fee, for a cycle of so much input. None: any amount."""
    whole = order.in_amount_per_cycle
    most = -(-order.max_out * used // whole) if order.max_out else None
    return -(-order.min_out * used // whole), most


def initiate_flash_fill(keys: DcaKeys, keeper: Address) -> Instruction:
    """Lends the keeper the input of a cycle; a later instruction of the transaction must be its repayment."""
    metas = [
        paying_signer(keeper),
        writable(keys.dca),
        readonly(keys.input_mint),
        writable(associated_token_address(keeper, keys.input_mint)),
        writable(keys.own(DcaBalance.IN)),
        readonly(keys.own(DcaBalance.OUT)),
        readonly(INSTRUCTIONS_SYSVAR),
        *(readonly(each) for each in _PROGRAMS),
        readonly(KEEPERS),
    ]
    return Instruction(key(PROGRAM), INITIATE_FLASH_FILL, metas)


def fulfill_flash_fill(keys: DcaKeys, keeper: Address, repaid: int) -> Instruction:
    """`repaid`: what has come into the order's account for the output since the borrow."""
    metas = [
        paying_signer(keeper),
        writable(keys.dca),
        readonly(keys.input_mint),
        readonly(keys.output_mint),
        readonly(associated_token_address(keeper, keys.input_mint)),
        readonly(keys.own(DcaBalance.IN)),
        readonly(keys.own(DcaBalance.OUT)),
        readonly(FEE_AUTHORITY),
        writable(associated_token_address(FEE_AUTHORITY, keys.output_mint)),
        readonly(INSTRUCTIONS_SYSVAR),
        *(readonly(each) for each in _PROGRAMS),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
        readonly(KEEPERS),
    ]
    return Instruction(key(PROGRAM), FULFILL_FLASH_FILL + u64(repaid), metas)


def intermediate_of(dca: Address) -> Address:
    """Where wrapped SOL becomes lamports on its way to the user."""
    return derived(PROGRAM, b"intermediate", bytes(key(dca)))[0]


def transfer(keys: DcaKeys, keeper: Address, *, lamports: bool) -> Instruction:
    """Pays out what was bought. `lamports`: an output of SOL comes unwrapped."""
    metas = [
        paying_signer(keeper),
        writable(keys.dca),
        writable(keys.user),
        readonly(keys.output_mint),
        writable(keys.own(DcaBalance.OUT)),
        writable_or_absent(None if lamports else keys.users(DcaBalance.OUT), PROGRAM),
        writable_or_absent(intermediate_of(keys.dca) if lamports else None, PROGRAM),
        *(readonly(each) for each in _PROGRAMS),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
        readonly(KEEPERS),
    ]
    return Instruction(key(PROGRAM), TRANSFER, metas)


def end_and_close(keys: DcaKeys, keeper: Address) -> Instruction:
    """Of an order that has sold everything. The user's accounts are named, and made if they are missing and needed."""
    metas = [
        paying_signer(keeper),
        writable(keys.dca),
        readonly(keys.input_mint),
        readonly(keys.output_mint),
        writable(keys.own(DcaBalance.IN)),
        writable(keys.own(DcaBalance.OUT)),
        writable(keys.user),
        writable(keys.users(DcaBalance.OUT)),
        writable_or_absent(None, PROGRAM),
        writable_or_absent(None, PROGRAM),
        *(readonly(each) for each in _PROGRAMS),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
        readonly(KEEPERS),
        writable(keys.users(DcaBalance.IN)),
    ]
    return Instruction(key(PROGRAM), END_AND_CLOSE, metas)
