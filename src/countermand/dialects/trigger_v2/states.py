"""The states that Trigger v2 shows of an order: two projections of the one that it has."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

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
        State.READY_EXECUTE: RawState.READY_EXECUTE,
        State.EXECUTING: RawState.EXECUTING,
        State.PARTLY_FILLED: RawState.PARTIAL_FILL_SUCCESS,
        State.EXPIRED: RawState.EXPIRED,
        State.READY_TO_CANCEL: RawState.READY_TO_CANCEL,
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
