"""The messages of tanX: clients and their tests look for these very words."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.dialects.tanx.wire import State
from countermand.orders.book.model.order import CancelReason, OrderStatus

WORKING: Final = "Working fine!"
RETRIEVED: Final = "Retrieval Successful"
BALANCE_RETRIEVED: Final = "Retrieved Successfully"
NONCE_CREATED: Final = "order nonce created successfully, please sign the msg_hash to place the order"
ORDER_CREATED: Final = "Created Order Successfully"
ORDER_RETRIEVED: Final = "Order Retrieved Successfully"
ORDERS_RETRIEVED: Final = "Orders Retrieved Successfully"
TRADES_RETRIEVED: Final = "Trades Retrieved Successfully"
CANCEL_QUEUED: Final = "Order is successfully queued for cancellation"
CANCELS_QUEUED: Final = "Orders are successfully queued for cancellation"

CANCEL_REASONS: Final[Mapping[CancelReason, str]] = MappingProxyType(
    {
        CancelReason.USER: "Order cancelled by user",
        CancelReason.SLIPPAGE: "Slippage greater than 30%. Order cancelled to prevent loss of funds",
        CancelReason.SYSTEM: "Order cancellation was initiated by system",
        CancelReason.FAILED: "Something went wrong, order was cancelled to prevent loss of funds",
    }
)
assert set(CANCEL_REASONS) == set(CancelReason), "every reason has its words"

STATES: Final[Mapping[OrderStatus, State]] = MappingProxyType(
    {
        OrderStatus.PENDING: "pending",
        OrderStatus.OPEN: "wait",
        OrderStatus.FILLED: "done",
        OrderStatus.CANCELLED: "cancel",
    }
)
assert set(STATES) == set(OrderStatus), "every status has its word"
STATUSES: Final[Mapping[str, OrderStatus]] = MappingProxyType({state: status for status, state in STATES.items()})
