"""The states that Trigger v2 shows of an order: two projections of the one that it has, for each of its families."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from countermand.orders.dca.model import order as dca
from countermand.orders.trigger.model.order import State


class RawState(Enum):
    """The nineteen states that Trigger v2 shows as `rawState`."""

    PENDING_DEPOSIT = "pending_deposit"
    DEPOSITING = "depositing"
    OPEN = "open"
    READY_EXECUTE = "ready_execute"
    READY_EXPIRE = "ready_expire"
    EXECUTING = "executing"
    EXECUTE_SUCCESS = "execute_success"
    EXECUTE_FAILED = "execute_failed"
    READY_WITHDRAW_OUTPUT = "ready_withdraw_output"
    WITHDRAWING = "withdrawing"
    PARTIAL_FILL_SUCCESS = "partial_fill_success"
    FILL_SUCCESS = "fill_success"
    READY_TO_CANCEL = "ready_to_cancel"
    CANCELLED = "cancelled"
    OCO_CANCELLED = "oco_cancelled"
    EXPIRED = "expired"
    DEPOSIT_FAILED = "deposit_failed"
    WITHDRAW_FAILED = "withdraw_failed"
    FILL_FAILED = "fill_failed"


class DisplayState(Enum):
    """The eight states that Trigger v2 shows as `orderState`."""

    PENDING = "pending"
    OPEN = "open"
    EXECUTING = "executing"
    FILLED = "filled"
    PENDING_WITHDRAW = "pending_withdraw"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


RAW: Final[Mapping[State, RawState]] = MappingProxyType(
    {
        State.DEPOSITING: RawState.DEPOSITING,
        State.OPEN: RawState.OPEN,
        State.TRIGGERED: RawState.READY_EXECUTE,
        State.EXECUTING: RawState.EXECUTING,
        State.PARTLY_FILLED: RawState.PARTIAL_FILL_SUCCESS,
        State.EXPIRED: RawState.EXPIRED,
        State.WITHDRAWING: RawState.READY_TO_CANCEL,
        State.FILLED: RawState.FILL_SUCCESS,
        State.CANCELLED: RawState.CANCELLED,
        State.DEPOSIT_FAILED: RawState.DEPOSIT_FAILED,
    }
)


DISPLAY: Final[Mapping[RawState, DisplayState]] = MappingProxyType(
    {
        RawState.PENDING_DEPOSIT: DisplayState.PENDING,
        RawState.DEPOSITING: DisplayState.PENDING,
        RawState.OPEN: DisplayState.OPEN,
        RawState.READY_EXECUTE: DisplayState.EXECUTING,
        RawState.READY_EXPIRE: DisplayState.EXECUTING,
        RawState.EXECUTING: DisplayState.EXECUTING,
        RawState.EXECUTE_SUCCESS: DisplayState.EXECUTING,
        RawState.EXECUTE_FAILED: DisplayState.EXECUTING,
        RawState.READY_WITHDRAW_OUTPUT: DisplayState.EXECUTING,
        RawState.WITHDRAWING: DisplayState.EXECUTING,
        RawState.PARTIAL_FILL_SUCCESS: DisplayState.EXECUTING,
        RawState.FILL_SUCCESS: DisplayState.FILLED,
        RawState.READY_TO_CANCEL: DisplayState.PENDING_WITHDRAW,
        RawState.CANCELLED: DisplayState.CANCELLED,
        RawState.OCO_CANCELLED: DisplayState.CANCELLED,
        RawState.EXPIRED: DisplayState.EXPIRED,
        RawState.DEPOSIT_FAILED: DisplayState.FAILED,
        RawState.WITHDRAW_FAILED: DisplayState.FAILED,
        RawState.FILL_FAILED: DisplayState.FAILED,
    }
)


def display_state(state: State) -> DisplayState:
    return DISPLAY[RAW[state]]


# --- recurring orders


class DcaRawState(Enum):
    """The seven states that Trigger v2 shows as `state` of a recurring order."""

    DEPOSITING = "depositing"
    ACTIVE = "active"
    EXECUTING = "executing"
    WITHDRAWING = "withdrawing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DEPOSIT_FAILED = "deposit_failed"


class DcaDisplayState(Enum):
    """What Trigger v2 shows as its `displayState`."""

    PENDING = "pending"
    ACTIVE = "active"
    EXECUTING = "executing"
    PENDING_WITHDRAW = "pending_withdraw"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


DCA: Final[Mapping[dca.State, DcaRawState]] = MappingProxyType(
    {
        dca.State.DEPOSITING: DcaRawState.DEPOSITING,
        dca.State.ACTIVE: DcaRawState.ACTIVE,
        # It can still be cancelled, as what is active can.
        dca.State.ROUND_DUE: DcaRawState.ACTIVE,
        dca.State.EXECUTING: DcaRawState.EXECUTING,
        dca.State.WITHDRAWING: DcaRawState.WITHDRAWING,
        dca.State.COMPLETED: DcaRawState.COMPLETED,
        dca.State.CANCELLED: DcaRawState.CANCELLED,
        dca.State.DEPOSIT_FAILED: DcaRawState.DEPOSIT_FAILED,
    }
)

DCA_DISPLAY: Final[Mapping[DcaRawState, DcaDisplayState]] = MappingProxyType(
    {
        DcaRawState.DEPOSITING: DcaDisplayState.PENDING,
        DcaRawState.ACTIVE: DcaDisplayState.ACTIVE,
        DcaRawState.EXECUTING: DcaDisplayState.EXECUTING,
        DcaRawState.WITHDRAWING: DcaDisplayState.PENDING_WITHDRAW,
        DcaRawState.COMPLETED: DcaDisplayState.COMPLETED,
        DcaRawState.CANCELLED: DcaDisplayState.CANCELLED,
        DcaRawState.DEPOSIT_FAILED: DcaDisplayState.FAILED,
    }
)
