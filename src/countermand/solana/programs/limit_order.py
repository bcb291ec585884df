"""The program of Trigger v1 and limit/v2: its instructions, transactions, accounts and events.

An order is an account of the program, and its input waits in a token account, the reserve, that the order owns.
Sources: jup-ag/docs (the sample transactions), and the interface that the program publishes on its chain, as
rpcpool/yellowstone-vixen keeps it (`jupiter-limit-order-2.json`). The slippage came to it later than the samples.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.solana.port import Address, Blockhash
from countermand.solana.programs.accounts import create_associated, unwrap_sol, wrap_sol
from countermand.solana.programs.anchor import (
    FRAMEWORK_ERRORS,
    Fields,
    ProgramEvents,
    account_discriminator,
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
    u16,
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
    USDC_MINT,
    USDT_MINT,
    associated_token_address,
)

PROGRAM: Final[Address] = "j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X"
EVENT_AUTHORITY: Final = event_authority_of(PROGRAM)
FEE_ACCOUNT: Final = derived(PROGRAM, b"fee")[0]
"""Where the program keeps its own fee rates."""

INITIALIZE_ORDER: Final = instruction_discriminator("initialize_order")
CANCEL_ORDER: Final = instruction_discriminator("cancel_order")
UNITS_OF_A_CANCEL: Final = 43_200
"""The compute limit of the published cancels, for each order. None of them makes an account for what comes back."""

# What `getProgramAccounts` filters by: `dataSize`, and `memcmp` at these offsets.
ORDER_BYTES: Final = 372
ORDER_DISCRIMINATOR: Final = account_discriminator("Order")
ORDER_DISCRIMINATOR_AT: Final = 0
ORDER_MAKER_AT: Final = 8
ORDER_INPUT_MINT_AT: Final = 40
ORDER_OUTPUT_MINT_AT: Final = 72

ERRORS: Final[Mapping[int, str]] = MappingProxyType(
    {
        6000: "InvalidMakingAmount",
        6001: "InvalidTakingAmount",
        6002: "InvalidMaxTakingAmount",
        6003: "InvalidInputAccount",
        6004: "InvalidMakerOutputAccount",
        6005: "InvalidTakerOutputAccount",
        6006: "InvalidPair",
        6007: "OrderExpired",
        6008: "OrderNotExpired",
        6009: "InvalidAdmin",
        6010: "InvalidKeeper",
        6011: "MathOverflow",
        6012: "ProgramMismatch",
        6013: "UnknownInstruction",
        6014: "MissingRepayInstructions",
        6015: "InvalidOrder",
        6016: "InvalidBorrowMakingAmount",
        6017: "InvalidExpiredDate",
        6018: "FeeBpsTooLow",
        6019: "FeeBpsTooHigh",
        6020: "TransferTaxMint",
        6021: "InvalidOutputMint",
        6022: "InvalidMinTakingAmount",
        6023: "InvalidSwapData",
        6024: "InvalidSwapInputAmount",
        6025: "InvalidSwappedAmount",
        6026: "InvalidDustOrder",
        6027: "UnsupportedMint",
    }
)

_HEAD = struct.Struct("<8s32s32s32s32s32s32sQQQQQQ")
_TAIL = struct.Struct("<H32sqqBH")
_EXPIRY_AT: Final = _HEAD.size
_FEE = struct.Struct("<8sHH")
_FEE_DISCRIMINATOR: Final = account_discriminator("Fee")


def error_name(code: int) -> str | None:
    return ERRORS.get(code) or FRAMEWORK_ERRORS.get(code)


@lru_cache(maxsize=65_536)
def order_address(maker: Address, unique_id: int) -> tuple[Address, int]:
    """The address of a maker's order, and its bump."""
    return derived(PROGRAM, b"order", bytes(key(maker)), u64(unique_id))


def reserve_of(order: Address, input_mint: Address, input_program: Address = TOKEN_PROGRAM) -> Address:
    """The token account that holds the order's input."""
    return associated_token_address(order, input_mint, input_program)


class NewOrder(Struct, frozen=True, kw_only=True):
    """What a maker asks for. Amounts are base units, `expired_at` is in seconds since the epoch.

    The payer pays the rents. `fee_account`: the integrator's token account for the output, which goes with
    `fee_bps`. The program's own fee comes on top.
    `slippage_bps`: how much less than asked for a fill may give. The published samples are older, and do not say.
    """

    maker: Address
    payer: Address
    unique_id: int
    input_mint: Address
    output_mint: Address
    making_amount: int
    taking_amount: int
    expired_at: int | None = None
    fee_bps: int | None = None
    fee_account: Address | None = None
    slippage_bps: int | None = None
    input_program: Address = TOKEN_PROGRAM
    output_program: Address = TOKEN_PROGRAM

    @property
    def address(self) -> Address:
        return order_address(self.maker, self.unique_id)[0]


class Cancellation(Struct, frozen=True, kw_only=True):
    """An order to cancel. The rents of order and reserve go to the maker.

    `returns_to`: the maker's token account that gets the input; None, for wrapped SOL only, pays it as lamports.
    `creates`: that account is missing and the transaction creates it first.
    """

    order: Address
    maker: Address
    input_mint: Address
    input_program: Address = TOKEN_PROGRAM
    returns_to: Address | None = None
    creates: bool = False

    @classmethod
    def to_maker(
        cls,
        order: Address,
        maker: Address,
        input_mint: Address,
        input_program: Address = TOKEN_PROGRAM,
        *,
        creates: bool = False,
    ) -> "Cancellation":
        """SOL comes back as lamports, other tokens to the maker's associated account."""
        native = input_mint == SOL_MINT
        return cls(
            order=order,
            maker=maker,
            input_mint=input_mint,
            input_program=input_program,
            returns_to=None if native else associated_token_address(maker, input_mint, input_program),
            creates=creates and not native,
        )


def initialize_order(order: NewOrder) -> Instruction:
    """Takes the input from the maker's associated token account, and the rents from the payer."""
    address, own = order.address, associated_token_address(order.maker, order.input_mint, order.input_program)
    data = (
        INITIALIZE_ORDER
        + u64(order.unique_id)
        + u64(order.making_amount)
        + u64(order.taking_amount)
        + option(order.expired_at, i64)
        + option(order.fee_bps, u16)
    )
    if order.slippage_bps is not None:
        data += option(order.slippage_bps, u16)
    metas = [
        paying_signer(order.payer),
        signer(order.maker),
        writable(address),
        writable(reserve_of(address, order.input_mint, order.input_program)),
        writable(own),
        readonly(FEE_ACCOUNT),
        readonly(order.fee_account or PROGRAM),
        readonly(order.input_mint),
        readonly(order.output_mint),
        readonly(order.input_program),
        readonly(order.output_program),
        readonly(SYSTEM_PROGRAM),
        readonly(ASSOCIATED_TOKEN_PROGRAM),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
    ]
    return Instruction(key(PROGRAM), data, metas)


def cancel_order(cancel: Cancellation, by: Address | None = None) -> Instruction:
    """`by` signs: the maker, or, for an expired order, any wallet."""
    metas = [
        paying_signer(by or cancel.maker),
        writable(cancel.maker),
        writable(cancel.order),
        writable(reserve_of(cancel.order, cancel.input_mint, cancel.input_program)),
        writable_or_absent(cancel.returns_to, PROGRAM),
        readonly(cancel.input_mint),
        readonly(cancel.input_program),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
    ]
    return Instruction(key(PROGRAM), CANCEL_ORDER, metas)


def create_message(order: NewOrder, budget: Budget, blockhash: Blockhash, *, wraps_sol: bool = True) -> bytes:
    """The transaction that places an order, as published: it prepares the maker's accounts, and payer and maker sign.

    `wraps_sol`: the maker gives SOL as lamports; an output of SOL needs no account, since it will come as lamports.
    """
    wraps = wraps_sol and order.input_mint == SOL_MINT
    instructions = [*budget.instructions()]
    if wraps:
        instructions += wrap_sol(order.maker, order.making_amount)
    if not (wraps_sol and order.output_mint == SOL_MINT):
        instructions.append(create_associated(order.payer, order.maker, order.output_mint, order.output_program))
    instructions.append(initialize_order(order))
    if wraps:
        instructions.append(unwrap_sol(order.maker))
    return compile_message(instructions, order.payer, blockhash, KeyOrder.JAVASCRIPT)


def cancel_message(
    cancels: Sequence[Cancellation],
    budget: Budget,
    blockhash: Blockhash,
    by: Address | None = None,
    payer: Address | None = None,
) -> bytes:
    """The transaction that cancels these orders of one maker, all or none. `by` signs: the maker, if None.

    `payer` pays fee and rents, and signs too; None: `by`. How many fit is the caller's care: `fits_packet` tells.
    """
    payer = payer or by or cancels[0].maker
    created = dict.fromkeys((each.input_mint, each.input_program, each.maker) for each in cancels if each.creates)
    instructions = [
        *budget.instructions(),
        *(create_associated(payer, maker, mint, program) for mint, program, maker in created),
        *(cancel_order(each, by) for each in cancels),
    ]
    return compile_message(instructions, payer, blockhash, KeyOrder.JAVASCRIPT)


class LimitOrderAccount(Struct, frozen=True, kw_only=True):
    """An order on chain. `making_amount` and `taking_amount` are what remains of the `ori_` ones; times in seconds.

    `borrow_making_amount` is what a keeper has taken within the transaction of a fill, and 0 outside. `fee_bps` is the
    whole fee, the program's own and the integrator's; `fee_account` is the integrator's, or the program's own.
    """

    maker: Address
    input_mint: Address
    output_mint: Address
    input_program: Address
    output_program: Address
    input_mint_reserve: Address
    unique_id: int
    ori_making_amount: int
    ori_taking_amount: int
    making_amount: int
    taking_amount: int
    borrow_making_amount: int
    expired_at: int | None
    fee_bps: int
    fee_account: Address
    created_at: int
    updated_at: int
    bump: int
    slippage_bps: int = 0


class FeeRates(Struct, frozen=True):
    """What the program takes of a fill's output itself."""

    normal_bps: int
    stable_bps: int

    def of(self, input_mint: Address, output_mint: Address) -> int:
        return self.stable_bps if _STABLE_MINTS.issuperset((input_mint, output_mint)) else self.normal_bps


USUAL_RATES: Final = FeeRates(normal_bps=10, stable_bps=3)
"""They apply while the program's fee account does not exist."""
_STABLE_MINTS: Final = frozenset((USDC_MINT, USDT_MINT))


def own_fee_account(output_mint: Address, output_program: Address = TOKEN_PROGRAM) -> Address:
    """The token account that gets the program's own fees."""
    return associated_token_address(FEE_ACCOUNT, output_mint, output_program)


def read_order(data: bytes) -> LimitOrderAccount | None:
    """None unless these are the bytes of an order. What a newer program adds at the end is ignored."""
    if len(data) < ORDER_BYTES or not data.startswith(ORDER_DISCRIMINATOR) or data[_EXPIRY_AT] > 1:
        return None
    _, maker, input_mint, output_mint, input_program, output_program, reserve, *numbers = _HEAD.unpack_from(data)
    unique_id, ori_making, ori_taking, making, taking, borrowed = numbers
    # An expiry takes eight bytes more, and moves all that follows.
    at = _EXPIRY_AT + 1
    expired_at = None
    if data[_EXPIRY_AT]:
        expired_at, at = int.from_bytes(data[at : at + 8], "little", signed=True), at + 8
    fee_bps, fee_account, created_at, updated_at, bump, slippage_bps = _TAIL.unpack_from(data, at)
    return LimitOrderAccount(
        maker=_address(maker),
        input_mint=_address(input_mint),
        output_mint=_address(output_mint),
        input_program=_address(input_program),
        output_program=_address(output_program),
        input_mint_reserve=_address(reserve),
        unique_id=unique_id,
        ori_making_amount=ori_making,
        ori_taking_amount=ori_taking,
        making_amount=making,
        taking_amount=taking,
        borrow_making_amount=borrowed,
        expired_at=expired_at,
        fee_bps=fee_bps,
        fee_account=_address(fee_account),
        created_at=created_at,
        updated_at=updated_at,
        bump=bump,
        slippage_bps=slippage_bps,
    )


def order_bytes(order: LimitOrderAccount) -> bytes:
    """The data of the account, for tests and for a chain that starts with orders."""
    keys = order.maker, order.input_mint, order.output_mint, order.input_program, order.output_program
    head = _HEAD.pack(
        ORDER_DISCRIMINATOR,
        *(bytes(key(each)) for each in (*keys, order.input_mint_reserve)),
        order.unique_id,
        order.ori_making_amount,
        order.ori_taking_amount,
        order.making_amount,
        order.taking_amount,
        order.borrow_making_amount,
    )
    fee_account = bytes(key(order.fee_account))
    times = order.created_at, order.updated_at
    tail = _TAIL.pack(order.fee_bps, fee_account, *times, order.bump, order.slippage_bps)
    return (head + option(order.expired_at, i64) + tail).ljust(ORDER_BYTES, b"\0")


def read_fee_rates(data: bytes) -> FeeRates | None:
    """What the program's fee account says; None unless these are its bytes."""
    if len(data) < _FEE.size or not data.startswith(_FEE_DISCRIMINATOR):
        return None
    _, normal, stable = _FEE.unpack_from(data)
    return FeeRates(normal, stable)


def fee_rates_bytes(rates: FeeRates) -> bytes:
    return _FEE.pack(_FEE_DISCRIMINATOR, rates.normal_bps, rates.stable_bps)


class CreateOrderEvent(Struct, frozen=True):
    order: Address
    maker: Address
    input_mint: Address
    output_mint: Address
    input_program: Address
    output_program: Address
    making_amount: int
    taking_amount: int
    expired_at: int | None
    fee_bps: int
    fee_account: Address
    slippage_bps: int = 0


class CancelOrderEvent(Struct, frozen=True):
    order: Address


class CancelDustOrderEvent(Struct, frozen=True):
    """A keeper returned an order that was worth less than a dollar."""

    order: Address
    one_usd_input_mint_amount: int


class TradeEvent(Struct, frozen=True):
    """A fill. The amounts without `remaining` are those of this fill; the taking amount is before the fee."""

    order: Address
    taker: Address
    remaining_making_amount: int
    remaining_taking_amount: int
    making_amount: int
    taking_amount: int


LimitOrderEvent = CreateOrderEvent | CancelOrderEvent | CancelDustOrderEvent | TradeEvent


def _read_create(of: Fields) -> CreateOrderEvent:
    order, maker, input_mint, output_mint, input_program, output_program = (of.key() for _ in range(6))
    making, taking = of.u64(), of.u64()
    expired_at, fee_bps, fee_account = of.option(of.i64), of.u16(), of.key()
    slippage_bps = of.u16() if of.left else 0  # Events from before the slippage have none.
    tokens = input_mint, output_mint, input_program, output_program
    return CreateOrderEvent(order, maker, *tokens, making, taking, expired_at, fee_bps, fee_account, slippage_bps)


def _read_cancel(of: Fields) -> CancelOrderEvent:
    return CancelOrderEvent(of.key())


def _read_dust_cancel(of: Fields) -> CancelDustOrderEvent:
    return CancelDustOrderEvent(of.key(), of.u64())


def _read_trade(of: Fields) -> TradeEvent:
    return TradeEvent(of.key(), of.key(), of.u64(), of.u64(), of.u64(), of.u64())


_EVENTS: Final = ProgramEvents[LimitOrderEvent](
    PROGRAM,
    EVENT_AUTHORITY,
    {
        event_discriminator("CreateOrderEvent"): _read_create,
        event_discriminator("CancelOrderEvent"): _read_cancel,
        event_discriminator("CancelDustOrderEvent"): _read_dust_cancel,
        event_discriminator("TradeEvent"): _read_trade,
    },
)
events_of = _EVENTS.of
read_event = _EVENTS.read


def _address(raw: bytes) -> Address:
    return str(Pubkey(raw))
