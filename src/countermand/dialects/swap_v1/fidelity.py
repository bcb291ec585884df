"""Where each answer of Swap v1 comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.orders.swap.model.refusals import QuoteRefusal
from countermand.sources import OURS, KnownAnswer, Source, documented, observed, ours

_V1: Final = "Metis Swap API, OpenAPI"
_ERRORS: Final = "Metis Swap API, common errors"
_CAPTURED: Final = "answers captured by clients in 2025 and 2026"

REFUSALS: Final[Mapping[QuoteRefusal, Source]] = MappingProxyType(
    {
        QuoteRefusal.NO_ROUTE: observed("jup-ag/metis-binary, issue 109; also for an amount of 0"),
        QuoteRefusal.TAKES_LESS: documented(f"{_ERRORS}; the text is ours"),
    }
)
assert set(REFUSALS) == set(QuoteRefusal), "every refusal has a source"

ANSWERS: Final = (
    KnownAnswer(
        400,
        "Query parameter {field} cannot be parsed: {why}",
        "quote",
        observed("jup-ag/metis-binary, issue 36, then with 500; the causes Invalid and WrongSize by clients, 2026"),
    ),
    KnownAnswer(400, "The token {mint} is not tradable", "all", observed("TOKEN_NOT_TRADABLE, by clients, 2026")),
    KnownAnswer(400, "No routes found", "quote", observed("NO_ROUTES_FOUND, by a client, 2026; here for `dexes`")),
    KnownAnswer(
        400,
        "Input and output mints are not allowed to be equal",
        "all",
        observed("CIRCULAR_ARBITRAGE_IS_DISABLED, by clients, 2026"),
    ),
    KnownAnswer(
        400,
        "Failed to deserialize the JSON body into the target type: {why}",
        "swap, swap-instructions",
        observed("jup-ag/jupiter-quote-api-node, issue 88, with 422; the cause is in our words"),
    ),
    KnownAnswer(
        400,
        "Both compute unit price and prioritization fee were specified",
        "swap, swap-instructions",
        documented(f"{_ERRORS}: INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE; the text is ours"),
    ),
    KnownAnswer(
        400,
        "{field} is not supported in this sandbox",
        "swap, swap-instructions",
        ours("NOT_SUPPORTED is documented; for Jito tips, token ledgers and `nativeDestinationAccount`"),
    ),
    KnownAnswer(
        400,
        "feeAccount: required, since the quote has a platform fee",
        "swap, swap-instructions",
        ours("that both must be passed is documented"),
    ),
    KnownAnswer(500, "Internal server error", "all", OURS),
    KnownAnswer(503, "Service temporarily unavailable, please retry", "all", OURS),
    KnownAnswer(503, "The outcome of this request is unknown, please repeat the same request", "all", OURS),
)

SHAPES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "/swap/v1/quote": observed(
            f"{_CAPTURED}; one route through one pool, whose `label` is Countermand; `timeTaken` is 0"
        ),
        "/swap/v1/swap": observed(f"{_CAPTURED}; always shared accounts and no lookup table"),
        "/swap/v1/swap-instructions": observed(f"{_CAPTURED}; without `blockhashWithMetadata`"),
        "/swap/v1/program-id-to-label": documented(_V1),
    }
)
"""The good answers, by path."""
