"""The instructions by which limit orders are filled, and by which keepers return what is worth less than a dollar.

On the embedded chain a fill calls no aggregator: where the published program has the data of a swap, ours has the
amount that the taker gives, or nothing, which means what the order's rate asks. Where an integrator has a part in the
fee, the program's account of rates and the one for its own part stand behind the published accounts and the keepers'. A
taker that ends before them gives the whole fee to the order's account.
"""

from typing import Final

from msgspec import Struct
from solders.instruction import AccountMeta, Instruction

from countermand.solana.port import Address
from countermand.solana.programs import swap
from countermand.solana.programs.anchor import (
    instruction_discriminator,
    key,
    paying_signer,
    readonly,
    signer,
    u64,
    writable,
    writable_or_absent,
)
from countermand.solana.programs.keepers import keepers_address
from countermand.solana.programs.limit_order import (
    EVENT_AUTHORITY,
    FEE_ACCOUNT,
    PROGRAM,
    LimitOrderAccount,
    own_fee_account,
)
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    INSTRUCTIONS_SYSVAR,
    SOL_MINT,
    SYSTEM_PROGRAM,
    associated_token_address,
)

FILL_ORDER: Final = instruction_discriminator("fill_order")
PRE_FLASH_FILL_ORDER: Final = instruction_discriminator("pre_flash_fill_order")
FLASH_FILL_ORDER: Final = instruction_discriminator("flash_fill_order")
CANCEL_DUST_ORDER: Final = instruction_discriminator("cancel_dust_order")

KEEPERS: Final = keepers_address(PROGRAM)

_BPS_ONE: Final = 10_000


def asked_for(order: LimitOrderAccount, making: int) -> int:
    """What the maker's rate asks for a part of the input, before the fee: by the original amounts, rounded up."""
    return -(-order.ori_taking_amount * making // order.ori_making_amount)


def least_for(order: LimitOrderAccount, making: int) -> int:
    """The least that a keeper may give for a part, if it uses all the slippage that the maker allows."""
    return max(1, -(-asked_for(order, making) * (_BPS_ONE - order.slippage_bps) // _BPS_ONE))


def fee_of(order: LimitOrderAccount, given: int) -> int:
    """What of a fill's output does not go to the maker: the program's own fee and the integrator's."""
    return given * order.fee_bps // _BPS_ONE


class Taking(Struct, frozen=True, kw_only=True):
    """A taker and an order. All token accounts but the fee's are the associated ones.

    `lamports`: an output of SOL goes to the maker as lamports, which the taker pays from its own.
    """

    taker: Address
    address: Address
    order: LimitOrderAccount
    lamports: bool = False

    @classmethod
    def of(cls, taker: Address, address: Address, order: LimitOrderAccount) -> "Taking":
        """The maker gets SOL as lamports, as from a cancel."""
        return cls(taker=taker, address=address, order=order, lamports=order.output_mint == SOL_MINT)

    @property
    def taker_input(self) -> Address:
        return associated_token_address(self.taker, self.order.input_mint, self.order.input_program)

    @property
    def taker_output(self) -> Address:
        return associated_token_address(self.taker, self.order.output_mint, self.order.output_program)

    @property
    def maker_output(self) -> Address | None:
        if self.lamports:
            return None
        return associated_token_address(self.order.maker, self.order.output_mint, self.order.output_program)


def fill_order(of: Taking, making: int, given: int | None = None) -> Instruction:
    """`given`: the output for so much of the input; None, what the rate asks."""
    order, swap_data = of.order, b"" if given is None else u64(given)
    metas = [
        paying_signer(of.taker),
        writable(order.maker),
        writable(of.address),
        writable(of.taker_input),
        writable(of.taker_output),
        writable_or_absent(of.maker_output, PROGRAM),
        writable(order.fee_account),
        writable(order.input_mint_reserve),
        readonly(order.input_mint),
        readonly(order.input_program),
        readonly(order.output_mint),
        readonly(order.output_program),
        readonly(swap.PROGRAM),
        readonly(SYSTEM_PROGRAM),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
        readonly(KEEPERS),
        *_own_fee(order),
    ]
    data = FILL_ORDER + u64(making) + len(swap_data).to_bytes(4, "little") + swap_data
    return Instruction(key(PROGRAM), data, metas)


def pre_flash_fill_order(of: Taking, making: int) -> Instruction:
    """The taker gets the input; a later instruction of the transaction must be its `flash_fill_order`."""
    metas = [
        signer(of.taker),
        writable(of.address),
        writable(of.order.input_mint_reserve),
        writable(of.taker_input),
        readonly(of.order.input_mint),
        readonly(of.order.input_program),
        readonly(INSTRUCTIONS_SYSVAR),
    ]
    return Instruction(key(PROGRAM), PRE_FLASH_FILL_ORDER + u64(making), metas)


def flash_fill_order(of: Taking, taking_max: int) -> Instruction:
    """The taker pays what the rate asks for what it borrowed, at most `taking_max`."""
    order = of.order
    metas = [
        paying_signer(of.taker),
        writable(order.maker),
        writable(of.address),
        writable(order.input_mint_reserve),
        writable_or_absent(of.maker_output, PROGRAM),
        writable_or_absent(None if of.lamports else of.taker_output, PROGRAM),
        writable(order.fee_account),
        readonly(order.input_program),
        readonly(order.output_mint),
        readonly(order.output_program),
        readonly(SYSTEM_PROGRAM),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
        *_own_fee(order),
    ]
    return Instruction(key(PROGRAM), FLASH_FILL_ORDER + u64(taking_max), metas)


def cancel_dust_order(keeper: Address, address: Address, order: LimitOrderAccount, dollar: int) -> Instruction:
    """`dollar`: so many base units of the input are worth one. The maker's account is made if it is missing."""
    own = associated_token_address(order.maker, order.input_mint, order.input_program)
    metas = [
        paying_signer(keeper),
        writable(order.maker),
        writable(address),
        writable(order.input_mint_reserve),
        writable(own),
        readonly(order.input_mint),
        readonly(order.input_program),
        readonly(SYSTEM_PROGRAM),
        readonly(ASSOCIATED_TOKEN_PROGRAM),
        readonly(EVENT_AUTHORITY),
        readonly(PROGRAM),
        readonly(KEEPERS),
    ]
    return Instruction(key(PROGRAM), CANCEL_DUST_ORDER + u64(dollar), metas)


def _own_fee(order: LimitOrderAccount) -> list[AccountMeta]:
    """Of an order with an integrator: the program's rates, and the account for its own part of the fee."""
    own = own_fee_account(order.output_mint, order.output_program)
    return [] if order.fee_account == own else [readonly(FEE_ACCOUNT), writable(own)]
