"""Why a command is refused that concerns what all orders in vaults have in common."""

from enum import Enum, auto
from typing import Generic, TypeVar

from countermand.values.identity import OrderId
from countermand.values.refusal import CommandRefused
from countermand.values.structs import Struct

Refusal_co = TypeVar("Refusal_co", bound=Enum, covariant=True)
State_co = TypeVar("State_co", bound=Enum, covariant=True)


class VaultRefusal(Enum):
    """Each family has a refusal of the same name, in its own order of precedence."""

    DEPOSIT_DUPLICATE = auto()
    DEPOSIT_FAILED_BEFORE = auto()
    DEPOSIT_FLAWED = auto()
    WITHDRAWAL_UNKNOWN = auto()
    WITHDRAWAL_REJECTED = auto()
    WITHDRAWAL_EXPIRED = auto()
    WITHDRAWAL_SUPERSEDED = auto()
    WITHDRAWAL_UNPAYABLE = auto()
    TRANSACTION_UNREADABLE = auto()
    TRANSACTION_NOT_CANONICAL = auto()
    TRANSACTION_OTHER = auto()
    TRANSACTION_UNSIGNED = auto()
    TRANSACTION_WRONG_SIGNATURE = auto()
    CRAFT_STALE = auto()
    """The order changed while the craft was made: make another one."""
    NOTHING_TO_DO = auto()
    """What the command would do is done, or its reason is gone."""


class Objection(Struct, frozen=True):
    """A refusal, before a family says it as its own."""

    refusal: VaultRefusal
    detail: str = ""


class VaultRefused(CommandRefused, Generic[Refusal_co, State_co], frozen=True):
    refusal: Refusal_co
    state: State_co | None = None
    detail: str = ""
    """The field of the command, the amount, or the chain's words."""
    order_id: OrderId | None = None
    """The order that stands in the way, where it is the asker's own."""

    def is_for(self, reason: VaultRefusal) -> bool:
        return self.refusal.name == reason.name
