"""What a recurring order is."""

from sys import intern
from typing import Final

from countermand.orders.vaults.model.order import Phase, StateOfPhase
from countermand.values.holding import Holding
from countermand.values.identity import Address, Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import NONE_CAME, NOTHING, BaseUnits, TotalUnits, UsdPrice
from countermand.values.structs import Struct, force_setattr
from countermand.values.transactions import Attempt
from countermand.values.withdrawal import Withdrawal

RETRY_WINDOW_S_MIN: Final = 30
RETRY_WINDOW_S_MAX: Final = 7_200


class State(StateOfPhase):
    """Where an order is in its life. `lifecycle` says how it moves."""

    DEPOSITING = "depositing", Phase.DEPOSITING
    ACTIVE = "active", Phase.RESTING
    """It waits for its next round, or for another try of the present one."""
    ROUND_DUE = "round_due", Phase.RESTING
    """The fill of a round is being built."""
    EXECUTING = "executing", Phase.FILLING
    """The fill of a round is committed, and may land at any time."""
    WITHDRAWING = "withdrawing", Phase.WITHDRAWING
    COMPLETED = "completed", Phase.FILLED
    CANCELLED = "cancelled", Phase.CANCELLED
    DEPOSIT_FAILED = "deposit_failed", Phase.DEPOSIT_FAILED


class PriceBand(Struct, frozen=True):
    """A round is filled only at a price of `mint` from `least` to `most`, both included. At least one is set."""

    mint: Mint
    least: UsdPrice | None
    most: UsdPrice | None

    def __post_init__(self) -> None:
        force_setattr(self, "mint", intern(self.mint))

    def holds(self, price: UsdPrice) -> bool:
        return (self.least is None or self.least <= price) and (self.most is None or price <= self.most)


class DcaPlan(Struct, frozen=True):
    """What is to be done, when, and on which condition, as it was asked for."""

    rounds: int
    interval_s: int
    begin_at: Instant | None
    """None: at once."""
    band: PriceBand | None
    """None: whatever the price is."""

    @property
    def interval_ms(self) -> int:
        return self.interval_s * 1_000

    @property
    def retry_window_s(self) -> int:
        """For so long a round is tried again, if its swaps fail."""
        return max(RETRY_WINDOW_S_MIN, min(self.interval_s // 2, RETRY_WINDOW_S_MAX))


class DcaTerms(Struct, frozen=True):
    """What the user asked for and may never change."""

    wallet: Wallet
    deposit_request_id: RequestId
    input_mint: Mint
    output_mint: Mint
    input_account: Address
    """The order's own token account, under the wallet's vault."""
    deposited: BaseUnits
    plan: DcaPlan

    def __post_init__(self) -> None:
        """Names that many orders have in common are kept once."""
        for name in ("wallet", "input_mint", "output_mint"):
            force_setattr(self, name, intern(getattr(self, name)))

    @property
    def per_round(self) -> BaseUnits:
        """What does not divide is swapped in the last round."""
        return BaseUnits(self.deposited.units // self.plan.rounds)


class Progress(Struct, frozen=True):
    """What was done about an order."""

    next_fill_at: Instant
    """When its present round was due first, or its next one is due."""
    attempts: int = 1
    attempt: Attempt | None = None
    posted: BaseUnits = NOTHING
    """Of the deposit: what rounds took."""
    voided: BaseUnits = NOTHING
    """Of the deposit: what went back to the user."""
    rounds_filled: int = 0
    received: TotalUnits = NONE_CAME
    last_fill_at: Instant | None = None
    began_at: Instant | None = None
    """When its present round was tried first. None: it was not tried yet."""
    failures: int = 0
    """In a row, of the present round, or of the sweep: they stretch the pause before the next try."""
    retry_at: Instant | None = None
    """The end of the pause after a failed fill or sweep."""
    close_rejections: int = 0
    """How often the chain refused to close the account: from two, transactions leave the close out."""
    sweep_due: bool = False
    withdrawal: Withdrawal | None = None


class DcaOrder(Struct, frozen=True):
    id: OrderId
    terms: DcaTerms
    state: State
    version: int
    """Grows with every event: what was made from an older version is stale."""
    created_at: Instant
    updated_at: Instant
    progress: Progress

    @property
    def funds(self) -> Holding:
        """What was deposited, and where it went."""
        return Holding(self.terms.deposited, self.progress.posted, self.progress.voided)

    @property
    def remaining(self) -> BaseUnits:
        return self.funds.left

    @property
    def rounds_remaining(self) -> int:
        return self.terms.plan.rounds - self.progress.rounds_filled

    @property
    def round_number(self) -> int:
        """Of the present round, or the next one, from 1 on."""
        return min(self.progress.rounds_filled + 1, self.terms.plan.rounds)

    @property
    def is_last_round(self) -> bool:
        return self.rounds_remaining <= 1

    @property
    def round_amount(self) -> BaseUnits:
        """What the present round is to swap. The last one takes all that is left."""
        return self.remaining if self.is_last_round else min(self.terms.per_round, self.remaining)
