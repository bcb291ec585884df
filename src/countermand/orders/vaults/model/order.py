"""What every order has whose funds are in a vault, whatever it waits for."""

from enum import Enum
from typing import Final, Protocol, Self, TypeVar

from countermand.values.identity import Address, Mint, OrderId, Wallet
from countermand.values.instant import Instant
from countermand.values.transactions import Attempt, UnsignedTransaction
from countermand.values.withdrawal import Withdrawal


class Phase(Enum):
    """Where an order's funds are on their way. Each state of a family belongs to one."""

    DEPOSITING = "depositing"
    DEPOSIT_FAILED = "deposit_failed"
    RESTING = "resting"
    """They are in the vault, and nothing is committed that could take them: a cancel is effective at once."""
    FILLING = "filling"
    """A fill is committed, and may land at any time."""
    WITHDRAWING = "withdrawing"
    CANCELLED = "cancelled"
    FILLED = "filled"


CANCELLABLE: Final = (Phase.RESTING, Phase.WITHDRAWING)


class StateOfPhase(Enum):
    """The states of a family: each with its name, and the phase that it belongs to."""

    phase: Phase

    def __new__(cls, value: str, phase: Phase) -> Self:
        state = object.__new__(cls)
        state._value_ = value
        state.phase = phase
        return state


class VaultTerms(Protocol):
    @property
    def wallet(self) -> Wallet: ...

    @property
    def input_mint(self) -> Mint: ...

    @property
    def input_account(self) -> Address:
        """The order's own token account, under the wallet's vault."""


class VaultProgress(Protocol):
    @property
    def attempts(self) -> int:
        """How many there were."""

    @property
    def attempt(self) -> Attempt | None:
        """The unresolved one."""

    @property
    def withdrawal(self) -> Withdrawal | None: ...

    @property
    def retry_at(self) -> Instant | None:
        """The end of the pause after a failed fill or sweep."""

    @property
    def sweep_due(self) -> bool: ...


class VaultOrder(Protocol):
    @property
    def id(self) -> OrderId: ...

    @property
    def version(self) -> int: ...

    @property
    def state(self) -> StateOfPhase: ...

    @property
    def terms(self) -> VaultTerms: ...

    @property
    def progress(self) -> VaultProgress: ...


Order = TypeVar("Order", bound=VaultOrder)


def withdrawal_of(order: VaultOrder) -> UnsignedTransaction | None:
    """The withdrawal that is to be confirmed."""
    attempt, withdrawal = order.progress.attempt, order.progress.withdrawal
    if withdrawal is None:
        return None
    return withdrawal.craft if attempt is None else attempt.craft


def is_funded(order: VaultOrder) -> bool:
    """Its deposit landed, so that what remains of it is on the chain."""
    return order.state.phase not in (Phase.DEPOSITING, Phase.DEPOSIT_FAILED)
