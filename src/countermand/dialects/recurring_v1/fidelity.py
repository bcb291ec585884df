"""Where each answer of Recurring v1 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.orders.recurring.model.refusals import RecurringRefusal
from countermand.sources import OURS, KnownAnswer, Source, documented, observed, ours

_API: Final = "Recurring v1, OpenAPI"
_BOUND: Final = ours("the bound is documented, the text is ours")
_SERDE: Final = ours("in the words of serde, of which `missing field …` was seen live (Artomik)")

REFUSALS: Final[Mapping[RecurringRefusal, Source]] = MappingProxyType(
    {
        RecurringRefusal.ORDER_UNREADABLE: documented("the seed's page, cancel order"),
        RecurringRefusal.TOO_FEW_CYCLES: _BOUND,
        RecurringRefusal.TOO_FREQUENT: ours("the program's bound of 30 s"),
        RecurringRefusal.TOO_RARE: OURS,
        RecurringRefusal.START_TOO_FAR: OURS,
        RecurringRefusal.START_PAST: OURS,
        RecurringRefusal.PRICES_CROSSED: OURS,
        RecurringRefusal.SAME_MINT: ours("as documented for Trigger v2"),
        RecurringRefusal.MINT_UNKNOWN: OURS,
        RecurringRefusal.MINT_UNSUPPORTED: _BOUND,
        RecurringRefusal.PRICE_UNKNOWN: OURS,
        RecurringRefusal.ORDER_TOO_SMALL: documented(_API),
        RecurringRefusal.CYCLE_TOO_SMALL: _BOUND,
        RecurringRefusal.PRICE_UNFIT: ours("the program keeps whole base units, and 0 for no bound"),
    }
)
assert set(REFUSALS) == set(RecurringRefusal), "every refusal has a source"

ANSWERS: Final = (
    KnownAnswer(
        400, "missing field `recurringType`", "getRecurringOrders, cancelOrder", observed("Artomik, a DX report")
    ),
    KnownAnswer(400, "missing field `{field}`", "all", _SERDE),
    KnownAnswer(400, "page: invalid value: expected an integer of at least 1", "getRecurringOrders", _SERDE),
    KnownAnswer(400, "page: invalid value: expected an integer of at most {most}", "getRecurringOrders", _SERDE),
    KnownAnswer(400, "id: differs from requestId", "execute", OURS),
    KnownAnswer(400, "duplicate field `{field}`", "all", _SERDE),
    KnownAnswer(400, "{field}: unknown variant `{given}`, expected one of {expected}", "all", _SERDE),
    KnownAnswer(400, "{path}: {words}", "all", _SERDE),
    KnownAnswer(400, "{field}: invalid type: {given}, expected a floating point number or null", "createOrder", _SERDE),
    KnownAnswer(400, "{field}: invalid value: {words}", "createOrder, of a price", _SERDE),
    KnownAnswer(400, "{field}: Invalid Base58 string", "all", _SERDE),
    KnownAnswer(400, "{field}: String is the wrong size", "all", _SERDE),
    KnownAnswer(400, "params: expected exactly one of `time`, `price`", "createOrder", _SERDE),
    KnownAnswer(400, "Failed to parse the request body as JSON", "all", ours("in the words of axum")),
    KnownAnswer(
        400,
        "price-based recurring orders are not supported",
        "createOrder, cancelOrder, priceDeposit, priceWithdraw",
        ours("the layout of their program is not known"),
    ),
    KnownAnswer(400, "invalid transaction", "execute", ours("as documented for Trigger v1")),
    KnownAnswer(
        200, "Insufficient funds for the operation requested.", "execute, as `error` of a `Failed`", documented(_API)
    ),
    KnownAnswer(200, "custom program error code: {code}", "execute, as `error` of a `Failed`", ours("as Trigger v1")),
    KnownAnswer(500, "unable to confirm transaction", "execute", ours("as documented for Trigger v1")),
    KnownAnswer(500, "transaction cannot be paid for: {why}", "execute", OURS),
    KnownAnswer(500, "Internal server error", "all", documented(_API)),
    KnownAnswer(503, "Service temporarily unavailable. Please retry.", "all", OURS),
    KnownAnswer(503, "The outcome of this request is unknown. Please repeat the same request.", "all", OURS),
    KnownAnswer(503, "The outcome of this transaction is unknown. Please repeat the same request.", "execute", OURS),
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "/recurring/v1/createOrder": documented(_API),
        "/recurring/v1/cancelOrder": documented("two forms: the OpenAPI's, and the seed's `{id, tx}`"),
        "/recurring/v1/execute": documented(_API),
        "/recurring/v1/priceDeposit": ours("refused"),
        "/recurring/v1/priceWithdraw": ours("refused"),
        "/recurring/v1/getRecurringOrders": observed(
            "rows as captured in 2025-03; `totalItems` as JupSwift, 2025-06, asks for it"
        ),
    }
)
"""The good answers, by path."""
