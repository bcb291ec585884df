"""The OpenAPI document of Swap v1, from the very types that decode its requests and write its answers."""

from typing import Any, Final

from countermand.dialects.swap_v1 import wire
from countermand.dialects.swap_v1.routes import ROOT
from countermand.examples import SOL, USDC, WALLET
from countermand.openapi import Operation, document, query

_UNAVAILABLE: Final = {503: ("Unavailable: repeat the request", wire.ErrorAnswer)}
_ASKED: Final = {"inputMint": SOL, "outputMint": USDC, "amount": "100000000", "slippageBps": 50}
_SWAP: Final = {
    "userPublicKey": WALLET,
    "quoteResponse": {
        "inputMint": SOL,
        "inAmount": "100000000",
        "outputMint": USDC,
        "outAmount": "14985000",
        "otherAmountThreshold": "14910075",
        "swapMode": "ExactIn",
        "slippageBps": 50,
        "platformFee": None,
        "priceImpactPct": "0",
        "routePlan": [],
    },
    "dynamicComputeUnitLimit": True,
    "prioritizationFeeLamports": {
        "priorityLevelWithMaxLamports": {"maxLamports": 1_000_000, "priorityLevel": "veryHigh"}
    },
}
_OPERATIONS: Final = (
    Operation(
        "get",
        f"{ROOT}/quote",
        "What a swap gives now",
        {200: ("A quote", wire.QuoteAnswer), 400: ("Invalid, or no route", wire.ErrorAnswer)},
        query(wire.QuoteParams, _ASKED),
    ),
    Operation(
        "post",
        f"{ROOT}/swap",
        "Build the transaction of a swap, to be signed and sent",
        {200: ("Built", wire.SwapAnswer), 400: ("Invalid, or not supported", wire.ErrorAnswer), **_UNAVAILABLE},
        body=wire.SwapRequest,
        example=_SWAP,
    ),
    Operation(
        "post",
        f"{ROOT}/swap-instructions",
        "The instructions of a swap, for a transaction of your own",
        {200: ("Built", wire.InstructionsAnswer), 400: ("Invalid, or not supported", wire.ErrorAnswer), **_UNAVAILABLE},
        body=wire.SwapRequest,
        example=_SWAP,
    ),
    Operation(
        "get",
        f"{ROOT}/program-id-to-label",
        "The names of programs that swaps go through",
        {200: ("By program", dict[str, str]), 503: _UNAVAILABLE[503]},
    ),
)


def openapi() -> dict[str, Any]:
    return document("Swap v1", "1.0.0", _OPERATIONS)
