"""Where each answer of Trigger v2 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.orders.dca.model.refusals import DcaRefusal
from countermand.orders.trigger.model.refusals import TriggerRefusal
from countermand.sources import OURS, KnownAnswer, Source, documented, observed, ours

_ERRORS: Final = "Trigger v2, errors page"
_MANAGE: Final = "Trigger v2, manage orders"
_STATUS: Final = ours("the status is documented, the text is ours")
_CACHE: Final = observed("docs team of Jupiter, 2026-06, for recurring orders, whose flow is shared")
_NOTES: Final = observed("docs team of Jupiter, 2026-06")
_REPO: Final = documented("jup-ag/docs, as of 2026-08")

REFUSALS: Final[Mapping[TriggerRefusal, Source]] = MappingProxyType(
    {
        TriggerRefusal.ORDER_UNKNOWN: documented(_ERRORS),
        TriggerRefusal.ORDER_FOREIGN: _STATUS,
        TriggerRefusal.DEPOSIT_DUPLICATE: ours("that a duplicate is refused is documented; the `id` beside it is ours"),
        TriggerRefusal.DEPOSIT_FAILED_BEFORE: OURS,
        TriggerRefusal.DEPOSIT_UNLIKE_CRAFT: OURS,
        TriggerRefusal.EXPIRY_PAST: _STATUS,
        TriggerRefusal.PRICE_UNKNOWN: _REPO,
        TriggerRefusal.STATE_FORBIDS_CANCEL: ours("as observed for recurring orders"),
        TriggerRefusal.STATE_FORBIDS_AMENDMENT: ours("as observed for recurring orders"),
        TriggerRefusal.FILL_UNDER_WAY: OURS,
        TriggerRefusal.AMENDMENT_UNLIKE_ORDER: OURS,
        TriggerRefusal.TRAILING_HAS_NO_PRICE: _REPO,
        TriggerRefusal.TRAILING_NOT_CONVERTIBLE: _REPO,
        TriggerRefusal.TRAILING_TRIGGERS: _REPO,
        TriggerRefusal.PARENT_EXECUTED: OURS,
        TriggerRefusal.PRICES_CROSSED: _STATUS,
        TriggerRefusal.WITHDRAWAL_UNKNOWN: _CACHE,
        TriggerRefusal.WITHDRAWAL_REJECTED: OURS,
        TriggerRefusal.WITHDRAWAL_EXPIRED: OURS,
        TriggerRefusal.WITHDRAWAL_SUPERSEDED: OURS,
        TriggerRefusal.TRANSACTION_UNREADABLE: _CACHE,
        TriggerRefusal.TRANSACTION_NOT_CANONICAL: OURS,
        TriggerRefusal.TRANSACTION_OTHER: ours(
            "of a withdrawal's signers it is observed: docs team of Jupiter, 2026-06"
        ),
        TriggerRefusal.TRANSACTION_UNSIGNED: OURS,
        TriggerRefusal.TRANSACTION_WRONG_SIGNATURE: OURS,
        TriggerRefusal.DEPOSIT_FLAWED: OURS,
        TriggerRefusal.WITHDRAWAL_UNPAYABLE: OURS,
        TriggerRefusal.CRAFT_STALE: ours("never answered: the engine crafts again"),
        TriggerRefusal.NOTHING_TO_DO: ours("never answered: the engine's own commands"),
    }
)
assert set(REFUSALS) == set(TriggerRefusal), "every refusal has a source"

DCA_REFUSALS: Final[Mapping[DcaRefusal, Source]] = MappingProxyType(
    {
        DcaRefusal.ORDER_UNKNOWN: _NOTES,
        DcaRefusal.DEPOSIT_DUPLICATE: ours("as for price orders"),
        DcaRefusal.DEPOSIT_FAILED_BEFORE: OURS,
        DcaRefusal.DEPOSIT_UNLIKE_CRAFT: OURS,
        DcaRefusal.BEGIN_PAST: _NOTES,
        DcaRefusal.BEGIN_TOO_LATE: _NOTES,
        DcaRefusal.PRICE_UNKNOWN: OURS,
        DcaRefusal.ROUND_TOO_SMALL: _NOTES,
        DcaRefusal.TOO_MANY_ACTIVE: _NOTES,
        DcaRefusal.STATE_FORBIDS_CANCEL: _NOTES,
        DcaRefusal.NOT_CANCELLED: _NOTES,
        DcaRefusal.WITHDRAWAL_UNKNOWN: _NOTES,
        DcaRefusal.WITHDRAWAL_REJECTED: OURS,
        DcaRefusal.WITHDRAWAL_EXPIRED: OURS,
        DcaRefusal.WITHDRAWAL_SUPERSEDED: OURS,
        DcaRefusal.TRANSACTION_UNREADABLE: _NOTES,
        DcaRefusal.TRANSACTION_NOT_CANONICAL: OURS,
        DcaRefusal.TRANSACTION_OTHER: ours("of a withdrawal's signers it is observed: docs team of Jupiter, 2026-06"),
        DcaRefusal.TRANSACTION_UNSIGNED: OURS,
        DcaRefusal.TRANSACTION_WRONG_SIGNATURE: OURS,
        DcaRefusal.DEPOSIT_FLAWED: OURS,
        DcaRefusal.WITHDRAWAL_UNPAYABLE: OURS,
        DcaRefusal.CRAFT_STALE: ours("never answered: the engine crafts again"),
        DcaRefusal.NOTHING_TO_DO: ours("never answered: the engine's own commands"),
    }
)
assert set(DCA_REFUSALS) == set(DcaRefusal), "every refusal has a source"

ANSWERS: Final = (
    KnownAnswer(400, "Request validation failed", "all", observed("the texts of `details`: docs team of Jupiter")),
    KnownAnswer(400, "Malformed JSON in request body", "all", OURS),
    KnownAnswer(400, "Invalid order ID", "those with an id", documented(_MANAGE)),
    KnownAnswer(401, "Unauthorized", "those with a token", documented(_ERRORS)),
    KnownAnswer(401, "Invalid signature", "verify", documented(_ERRORS)),
    KnownAnswer(400, "Challenge not found", "verify", observed("docs team of Jupiter, 2026-06")),
    KnownAnswer(400, "Invalid signature format", "verify", OURS),
    KnownAnswer(400, "Expected a base58-encoded signature", "verify", OURS),
    KnownAnswer(400, "Invalid transaction format", "verify", ours("as observed of a confirm")),
    KnownAnswer(404, "Vault not found", "vault", documented(_ERRORS)),
    KnownAnswer(409, "Vault already registered", "register", observed("two texts are known; `details` are documented")),
    KnownAnswer(403, "Vault not found", "craft", _STATUS),
    KnownAnswer(403, "Forbidden: {field} must match authenticated user", "craft, create", _REPO),
    KnownAnswer(400, "{field} must not be the vault address", "craft, create", _STATUS),
    KnownAnswer(400, "orderSubType must be omitted when orderType is 'dca'", "craft", _REPO),
    KnownAnswer(400, "Input mint and output mint cannot be the same", "craft, create", _REPO),
    KnownAnswer(400, "Mint pair is not supported", "craft, create", _REPO),
    KnownAnswer(400, "Trigger mint is not supported", "create", _REPO),
    KnownAnswer(400, "exactly one of triggerPriceUsd or trailingBps must be set", "create", _REPO),
    KnownAnswer(400, "Order must be at least {dollars} USD (current value: {worth} USD)", "craft", _REPO),
    KnownAnswer(500, "Failed to fetch the price of {mint}", "craft", _STATUS),
    KnownAnswer(400, "Deposit transaction not found in cache. Please craft a new deposit first.", "create", _CACHE),
    KnownAnswer(400, "Vault not found", "create", _STATUS),
    KnownAnswer(400, "jlMint does not match the JL token for this input mint", "craft", _NOTES),
    KnownAnswer(400, "jlMint is not supported by this venue", "craft", OURS),
    KnownAnswer(400, "jlEnabled is only supported for time_based orders", "create, recurring", _NOTES),
    KnownAnswer(400, "jlEnabled is not supported for this input mint", "create, recurring", _NOTES),
    KnownAnswer(500, "Deposit transaction did not land. Retry with the same depositRequestId.", "create", OURS),
    KnownAnswer(
        500,
        "Order will not fill any more, but its withdrawal could not be built. Please initiate cancel again.",
        "cancel",
        OURS,
    ),
    KnownAnswer(
        500,
        "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId.",
        "confirm",
        ours("that one may retry so is documented"),
    ),
    KnownAnswer(500, "Internal server error", "all", OURS),
    KnownAnswer(503, "Service temporarily unavailable. Nothing was changed. Please retry.", "all", OURS),
    KnownAnswer(503, "The outcome of this request is unknown. Please repeat the same request.", "all", OURS),
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "/auth/challenge": observed("the shape is documented, the text live, 2026-09 (Solgrid, Solera)"),
        "/auth/verify": observed("`authMode` beside the documented token: live, 2026-09"),
        "/vault": documented("Trigger v2, OpenAPI"),
        "/vault/register": observed("200: live; the OpenAPI says 201"),
        "/deposit/craft": documented("Trigger v2, OpenAPI"),
        "/orders/price": ours(
            "documented; `message` of a repeated create is ours, where a field of that name is documented"
        ),
        "/orders/price/{order_id}": documented(_MANAGE),
        "/orders/price/cancel/{order_id}": documented(_MANAGE),
        "/orders/price/confirm-cancel/{order_id}": documented(_MANAGE),
        "/orders/history": observed(
            "rows as in the fixtures of Solgrid.Jupiter, 2026-09; the fields of pairs are ours"
        ),
        "/orders/history/{order_id}": observed("works live, and is not in the OpenAPI"),
        "/orders/dca": documented("Trigger v2, OpenAPI"),
        "/orders/dca/cancel/{order_id}": documented("Trigger v2, OpenAPI"),
        "/orders/dca/confirm-cancel/{order_id}": documented("Trigger v2, OpenAPI"),
        "/orders/history/dca": documented("Trigger v2, OpenAPI"),
        "/orders/history/dca/{order_id}": documented("Trigger v2, OpenAPI"),
    }
)
"""The good answers, by path."""
