"""What a trigger order is."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from sys import intern
from types import MappingProxyType
from typing import Final

from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.trailing import Trail, trigger_price
from countermand.orders.vaults.model.order import Phase, StateOfPhase
from countermand.values.holding import Holding
from countermand.values.identity import Address, Mint, OrderId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import NONE_CAME, NOTHING, BaseUnits, Bps, TotalUnits, UsdPrice
from countermand.values.structs import Struct, force_setattr, replace
from countermand.values.transactions import Attempt
from countermand.values.withdrawal import Withdrawal


class Family(Enum):
    SINGLE = "single"
    OCO = "oco"
    OTOCO = "otoco"

    __hash__ = object.__hash__
    """By identity. An enum's own hashes its name, which would cost more than all else that a price asks an order."""


class Role(Enum):
    """Which leg of its group: the trigger of a single order or of an OTOCO's parent, or one of two siblings."""

    TRIGGER = "trigger"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"


class Stage(Struct, frozen=True):
    """What the legs of a group do together."""

    armed: tuple[Role, ...]
    """Those that a price can trigger when the order is open. The others are closed."""
    sells_proceeds: bool = False
    """They sell what the stage before gave, and else the deposit."""
    is_kept: bool = False
    """What they buy is kept for the stage after. Else the user gets it."""


STAGES: Final[Mapping[Family, tuple[Stage, ...]]] = MappingProxyType(
    {
        Family.SINGLE: (Stage(armed=(Role.TRIGGER,)),),
        # One remainder, and one attempt: after a part both legs are armed on what is left.
        Family.OCO: (Stage(armed=(Role.TAKE_PROFIT, Role.STOP_LOSS)),),
        # The children are closed until the parent is done, and then sell what it gave, no more and no less.
        Family.OTOCO: (
            Stage(armed=(Role.TRIGGER,), is_kept=True),
            Stage(armed=(Role.TAKE_PROFIT, Role.STOP_LOSS), sells_proceeds=True),
        ),
    }
)
"""The joint states of a group's legs, one after the other: the last begins when nothing is left of the deposit.

The order ends, and with it every leg, when nothing is left of what its last stage sells.
"""


class State(StateOfPhase):
    """Where an order group is in its life. `lifecycle` says how it moves; dialects say what outsiders call it."""

    DEPOSITING = "depositing", Phase.DEPOSITING
    OPEN = "open", Phase.RESTING
    TRIGGERED = "triggered", Phase.RESTING
    EXECUTING = "executing", Phase.FILLING
    PARTLY_FILLED = "partly_filled", Phase.RESTING
    EXPIRED = "expired", Phase.RESTING
    WITHDRAWING = "withdrawing", Phase.WITHDRAWING
    FILLED = "filled", Phase.FILLED
    CANCELLED = "cancelled", Phase.CANCELLED
    DEPOSIT_FAILED = "deposit_failed", Phase.DEPOSIT_FAILED


class Leg(Struct, frozen=True):
    role: Role
    condition: Condition
    slippage: Bps | None
    """None: the venue's default for this kind of leg."""
    trail: Trail | None = None
    """None: the condition stands still. Else its price is what the trail says, as of the last event."""

    def __post_init__(self) -> None:
        """Equal slippages are kept once: there are few, and each would weigh as much as the leg itself."""
        if self.slippage is not None:
            force_setattr(self, "slippage", _SLIPPAGES.setdefault(self.slippage.bps, self.slippage))


def are_crossed(legs: Sequence[Leg]) -> bool:
    """Whether a take profit is not above its stop loss: one price could then trigger both."""
    prices = {leg.role: leg.condition.price for leg in legs}
    take_profit, stop_loss = prices.get(Role.TAKE_PROFIT), prices.get(Role.STOP_LOSS)
    return take_profit is not None and stop_loss is not None and take_profit <= stop_loss


NOWHERE: Final = UsdPrice(1)
"""The price of a condition that trails, before it is placed."""


def as_asked(leg: Leg) -> Leg:
    """The leg without what the market has done to it."""
    if leg.trail is None:
        return leg
    return replace(leg, condition=replace(leg.condition, price=NOWHERE), trail=Trail(leg.trail.distance))


def following(leg: Leg, watermark: UsdPrice, mark: int) -> Leg:
    """The leg with its watermark there."""
    assert leg.trail is not None, "it stands still"
    direction, distance = leg.condition.direction, leg.trail.distance
    condition = Condition(direction, trigger_price(direction, watermark, distance))
    return replace(leg, condition=condition, trail=Trail(distance, watermark, mark))


_SLIPPAGES: Final[dict[int, Bps]] = {}
"""At most the 10⁴ that dialects let in."""


class TriggerTerms(Struct, frozen=True):
    """What the user asked for and may never change."""

    wallet: Wallet
    family: Family
    input_mint: Mint
    output_mint: Mint
    trigger_mint: Mint
    input_account: Address
    """The order's own token account, under the wallet's vault."""
    deposited: BaseUnits
    output_account: Address | None = None
    """An OTOCO's second token account: it gets what the parent buys, and the children sell it."""

    def __post_init__(self) -> None:
        """Names that many orders have in common are kept once: they would be a quarter of an order's memory."""
        for name in ("wallet", "input_mint", "output_mint", "trigger_mint"):
            force_setattr(self, name, intern(getattr(self, name)))


class Original(Struct, frozen=True):
    """What an order was before it was amended: by it the repetition of its creation is recognised."""

    legs: tuple[Leg, ...]
    expires_at: Instant


class Progress(Struct, frozen=True):
    """What was done about an order beyond its deposit. Orders that rest share one, since nothing was."""

    attempts: int = 1
    attempt: Attempt | None = None
    posted: BaseUnits = NOTHING
    """Of the deposit: what fills took."""
    voided: BaseUnits = NOTHING
    """Of the deposit: what went back to the user."""
    triggered_leg: int | None = None
    triggered_at: Instant | None = None
    received: TotalUnits = NONE_CAME
    """By the user."""
    proceeds: Holding | None = None
    """What an OTOCO's parent gave, and where it went. None: it gave nothing yet."""
    bought_at: Instant | None = None
    """When it gave something first."""
    failed_fills: int = 0
    """In a row: they stretch the pause before the next try."""
    retry_at: Instant | None = None
    """The end of the pause after a failed fill or sweep."""
    close_rejections: int = 0
    """How often the chain refused to close the input account: from two, transactions leave its close out."""
    output_close_rejections: int = 0
    """The same of the output account."""
    sweep_due: bool = False
    """A token account was left open, to be closed when the order has ended."""
    withdrawal: Withdrawal | None = None
    original: Original | None = None
    """None: the order was never amended."""


AT_REST: Final = Progress()
"""That of an order whose deposit landed, and that is as it was asked for."""


class OrderGroup(Struct, frozen=True):
    """One id, one life, one or more legs."""

    id: OrderId
    terms: TriggerTerms
    legs: tuple[Leg, ...]
    expires_at: Instant
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
        progress = self.progress
        # Of most orders nothing has left yet, and a cancel asks several times.
        return self.funds.left if progress.posted or progress.voided else self.terms.deposited

    @property
    def stage(self) -> Stage:
        stages = STAGES[self.terms.family]
        return stages[0] if self.remaining else stages[-1]

    @property
    def parent_is_done(self) -> bool:
        """An OTOCO's parent has sold all that there is."""
        return self.terms.family is Family.OTOCO and not self.remaining

    @property
    def sells(self) -> Holding:
        """What the armed legs sell, and where it went."""
        proceeds = self.progress.proceeds
        return proceeds if proceeds is not None and self.stage.sells_proceeds else self.funds

    def is_following(self) -> bool:
        """Its trigger moves with the market. Once it has triggered, its trigger is that of the crossing."""
        return self.legs[0].trail is not None and self.state in (State.DEPOSITING, State.OPEN)

    def is_trailing(self) -> bool:
        """Its watermark moves, also while it is filled: the rest may be open again."""
        return self.legs[0].trail is not None and self.state in _TRAILING

    def armed(self) -> Iterable[tuple[int, Leg]]:
        """The legs that a price can trigger when the order is open, with their numbers."""
        armed = self.stage.armed
        return [(number, leg) for number, leg in enumerate(self.legs) if leg.role in armed]

    def sale(self) -> "Sale":
        """What the armed legs do."""
        terms, stage, output = self.terms, self.stage, self.terms.output_account
        assert output is not None or not (stage.is_kept or stage.sells_proceeds), (
            f"order {self.id} has no second account"
        )
        if stage.sells_proceeds and output is not None:
            return Sale(output, terms.output_mint, terms.input_mint, self.sells.left)
        to = output if stage.is_kept else None
        return Sale(terms.input_account, terms.input_mint, terms.output_mint, self.remaining, to)

    def triggered_by(self) -> Leg:
        number = self.progress.triggered_leg
        assert number is not None, f"order {self.id} has not triggered"
        return self.legs[number]


class Sale(Struct, frozen=True):
    """An amount of a token account, for another token. `to` None: the user gets that."""

    account: Address
    sold: Mint
    bought: Mint
    amount: BaseUnits
    to: Address | None = None


_TRAILING: Final = (State.DEPOSITING, State.OPEN, State.TRIGGERED, State.EXECUTING, State.PARTLY_FILLED)


class Purpose(Enum):
    """What a leg is for. A sell order watches the token that it sells, a buy order the one that it buys."""

    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    BUY_ABOVE = "buy_above"
    BUY_BELOW = "buy_below"


def traded(terms: TriggerTerms, leg: Leg) -> tuple[Mint, Mint]:
    """What the leg sells, and what it buys. The children of an OTOCO sell what its parent bought."""
    sells_proceeds = any(stage.sells_proceeds and leg.role in stage.armed for stage in STAGES[terms.family])
    return (terms.output_mint, terms.input_mint) if sells_proceeds else (terms.input_mint, terms.output_mint)


def purpose(terms: TriggerTerms, leg: Leg) -> Purpose:
    rises = leg.condition.direction is Direction.ABOVE
    _, bought = traded(terms, leg)
    if terms.trigger_mint == bought:
        return Purpose.BUY_ABOVE if rises else Purpose.BUY_BELOW
    return Purpose.TAKE_PROFIT if rises else Purpose.STOP_LOSS
