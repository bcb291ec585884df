"""Where each answer of Trigger v1 and limit/v2 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.orders.limit.model.refusals import LimitRefusal
from countermand.sources import OURS, KnownAnswer, Source, documented, observed, ours

_V1: Final = "Trigger v1, OpenAPI"
_OLD: Final = "limit/v2, pages of 2024-10 to 2025-03"

REFUSALS: Final[Mapping[LimitRefusal, Source]] = MappingProxyType(
    {
        LimitRefusal.MINT_UNKNOWN: ours("stands in `cause` of `invalid create order request`"),
        LimitRefusal.MINT_UNSAFE: ours("that such mints are refused is documented; stands in `cause`"),
        LimitRefusal.FEE_ACCOUNT_UNFIT: ours("stands in `cause`"),
        LimitRefusal.FEE_TOO_HIGH: ours("stands in `cause`"),
    }
)
assert set(REFUSALS) == set(LimitRefusal), "every refusal has a source"

ANSWERS: Final = (
    KnownAnswer(
        400,
        "invalid create order request",
        "createOrder",
        documented(
            "with `cause` `input mint making amount must be at least 5 USD, received: …`; other causes are ours"
        ),
    ),
    KnownAnswer(400, "invalid cancel order request", "cancels", OURS),
    KnownAnswer(400, "invalid request", "lists", OURS),
    KnownAnswer(400, "invalid maker pubkey", "createOrder, cancels", documented(_V1)),
    KnownAnswer(400, "no matching orders found", "cancels", documented("the seed's page, cancel order")),
    KnownAnswer(400, "invalid transaction", "execute", documented(_V1)),
    KnownAnswer(500, "unable to get latest blockhash", "createOrder", documented(_V1)),
    KnownAnswer(500, "something went wrong while generating cancel instructions", "cancels", documented(_V1)),
    KnownAnswer(500, "unable to confirm transaction", "execute", documented(_V1)),
    KnownAnswer(500, "custom program error code: {code}", "execute", documented(_V1)),
    KnownAnswer(500, "transaction cannot be paid for: {why}", "execute", OURS),
    KnownAnswer(500, "internal server error", "all", OURS),
    KnownAnswer(503, "service temporarily unavailable, nothing was changed, please retry", "all", OURS),
    KnownAnswer(503, "the outcome of this request is unknown, please repeat the same request", "all", OURS),
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "/trigger/v1/createOrder": observed(
            "documented; `code` 0 beside it, since a live test of jup-ag-sdk asks for it"
        ),
        "/trigger/v1/execute": documented(_V1),
        "/trigger/v1/executeOrder": documented("the setup page, 2025-03"),
        "/trigger/v1/cancelOrder": documented(_V1),
        "/trigger/v1/cancelOrders": documented("`transactions`; `txs` is the seed's page"),
        "/trigger/v1/openOrders": documented(
            "the seed's page names it; the shape is that of limit/v2, or with `responseV2` that of 2025-03"
        ),
        "/trigger/v1/orderHistory": documented("2025-03"),
        "/trigger/v1/getTriggerOrders": observed("rows as captured in 2025-03; `slippageBps` from the OpenAPI"),
        "/limit/v2/createOrder": documented(_OLD),
        "/limit/v2/execute": documented("by the migration text: as Trigger v1"),
        "/limit/v2/executeOrder": documented("the setup page, 2025-03"),
        "/limit/v2/cancelOrder": ours("only cancelOrders is documented"),
        "/limit/v2/cancelOrders": documented("the seed's page"),
        "/limit/v2/openOrders": documented(_OLD),
        "/limit/v2/orderHistory": documented("2024-10"),
        "/limit/v2/getTriggerOrders": ours("documented below /trigger/v1"),
    }
)
"""The good answers, by path."""
