"""An order on the chain as its history tells of it, and its fills. Amounts are base units, times are in seconds."""

from enum import Enum
from typing import TypeAlias

from countermand.values.identity import Address, Mint, Signature, Wallet
from countermand.values.structs import Struct


class ChainFamily(Enum):
    LIMIT = "limit"
    RECURRING = "recurring"


class ChainOrderState(Enum):
    OPEN = "open"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class _Indexed(Struct, frozen=True, kw_only=True):
    """What both families have in common.

    An address can be used again once its order has ended, even within one transaction. So an order goes by its address,
    by the transaction that opened it, and by `nth`: how many that one had opened there before. `trades` counts its
    fills, those that failed among them.
    """

    address: Address
    opened_by: Signature
    owner: Wallet
    input_mint: Mint
    output_mint: Mint
    created_at_s: int
    updated_at_s: int
    state: ChainOrderState = ChainOrderState.OPEN
    closed_by: Signature | None = None
    trades: int = 0
    failures: int = 0
    nth: int = 0

    @property
    def is_open(self) -> bool:
        return self.state is ChainOrderState.OPEN


class IndexedLimitOrder(_Indexed, frozen=True, kw_only=True):
    """`remaining_making` and `remaining_taking` are what was left when it ended, or is left now."""

    making: int
    taking: int
    remaining_making: int
    remaining_taking: int
    expires_at_s: int | None
    fee_bps: int
    fee_account: Address
    slippage_bps: int


class IndexedRecurringOrder(_Indexed, frozen=True, kw_only=True):
    """`received` is without the fees. `out_min` and `out_max` bound what a cycle may give; 0: no bound."""

    deposited: int
    per_cycle: int
    interval_s: int
    out_min: int
    out_max: int
    withdrawn: int = 0
    used: int = 0
    received: int = 0
    paid_out: int = 0
    user_closed: bool = False


IndexedOrder: TypeAlias = IndexedLimitOrder | IndexedRecurringOrder


class Trade(Struct, frozen=True, kw_only=True):
    """A fill of an order, the `n`th. `failed`: its transaction failed, so nothing was given or received."""

    n: int
    signature: Signature
    at_s: int
    keeper: Address
    given: int = 0
    received: int = 0
    fee_mint: Address | None = None
    fee: int = 0
    failed: bool = False
