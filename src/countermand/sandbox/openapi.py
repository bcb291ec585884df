"""The OpenAPI document of the sandbox, from the types that decode its requests and write its answers."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields, replace

from countermand.examples import USDC, WALLET, Variable
from countermand.inspection import price_history, stream
from countermand.inspection import wire as inspected
from countermand.inspection.orders import LIMIT, LIMIT_MAX, STATES
from countermand.openapi import Operation, Responses, Schema, Streamed, document, in_path, query
from countermand.sandbox import feeds, requests, wire

_ABOUT: Final = (
    "Answers only to this machine. Every request refuses, by name, what it does not know: nothing is ignored. "
    "A token is named by its mint, or by its symbol as it is written."
)
_ACCOUNT: Final = Variable("ETH_ADDRESS", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "an Ethereum address")
_STARK_KEY: Final = Variable("STARK_KEY", "0x1ef1…", "the public key that signs the orders, 0x and hex")
_BOOK_ORDER: Final = Variable("BOOK_ORDER", 1, "the `id` of an order at tanX")
_SNAPSHOT: Final = Variable("SNAPSHOT", "before", "the name of a snapshot")
_ANY_ORDER: Final = Variable(
    "ORDER", "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c", "an order's id, or its account on the chain"
)
_OPEN_ORDER: Final = Variable("OPEN_ORDER", "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c", "the id of an open trigger order")
_REQUEST: Final = Variable("REQUEST", 1, "the `number` of a request")
_FILTERS: Final[Mapping[str, dict[str, Any]]] = {
    "family": {"type": "string", "enum": list(STATES)},
    "wallet": {"type": "string", "description": "A wallet, or the Ethereum address of an account"},
    "state": {"type": "string", "enum": list(dict.fromkeys(each for states in STATES.values() for each in states))},
    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT},
}


def _limited(most: int, given: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": given}


def _responses(answer: Schema = wire.SandboxWire, *, not_found: str | None = None) -> Responses:
    refused = {400: "Not possible, or not known: `error` names the field, and says why"}
    if not_found is not None:
        refused[404] = not_found
    refused[503] = "Unavailable: repeat the request"
    return {200: ("Done", answer), **{status: (meaning, wire.ErrorWire) for status, meaning in refused.items()}}


_OPERATIONS: Final = (
    Operation("get", "/sandbox", "The sandbox as it is", _responses()),
    Operation(
        "post",
        "/sandbox/airdrop",
        "Fund a wallet; SOL means lamports",
        _responses(wire.AirdropAnswer),
        body=wire.AirdropRequest,
        example={"wallet": WALLET, "mint": "SOL", "amount": "2000000000"},
    ),
    Operation(
        "put",
        "/sandbox/prices",
        "Set prices, US dollars by mint or symbol",
        _responses(),
        body=dict[str, wire.Number],
        example={"SOL": "151.50", USDC: "1"},
    ),
    Operation(
        "get",
        "/sandbox/liquidity",
        "How much one fill takes, and how far it moves the price, where that was set",
        _responses(dict[str, wire.LiquidityWire]),
    ),
    Operation(
        "put",
        "/sandbox/liquidity",
        "How much one fill takes, and how far it moves the price, by input mint or symbol; others keep theirs",
        _responses(),
        body=dict[str, wire.LiquidityRequest],
        example={"SOL": {"maxInput": "1000000000", "impactBps": 25}},
    ),
    Operation(
        "post",
        "/sandbox/tokens",
        "Add a token",
        _responses(),
        body=wire.TokenRequest,
        example={"symbol": "BONK", "decimals": 5, "price": "0.00002"},
    ),
    Operation(
        "post",
        "/sandbox/settle",
        "Wait until nothing is under way",
        _responses(wire.SettleAnswer),
        body=wire.SettleRequest,
        example={"timeoutMs": 5000},
    ),
    Operation(
        "post",
        "/sandbox/clock",
        "Freeze or run the clock",
        _responses(),
        body=wire.ClockRequest,
        example={"mode": "running"},
    ),
    Operation(
        "post",
        "/sandbox/clock/advance",
        "Move the clock forward",
        _responses(),
        body=wire.AdvanceRequest,
        example={"seconds": 1.5},
    ),
    Operation(
        "put",
        "/sandbox/faults",
        "Switch faults on, and all others off; {} clears them",
        _responses(),
        body=wire.FaultsWire,
        example={"failSwaps": 1},
    ),
    Operation(
        "post", "/sandbox/reset", "An empty venue again", _responses(), body=wire.ResetRequest, example={"seed": 4}
    ),
    Operation("get", "/sandbox/playback", "Which prices move by themselves", _responses(wire.PlaybacksWire)),
    Operation(
        "post",
        "/sandbox/playback",
        "Let the price of a token move by itself: from a table, or a seeded random walk",
        _responses(wire.PlaybacksWire),
        body=wire.PlaybackRequest,
        example={"mint": "SOL", "walk": {"seed": 1, "bps": 20, "everyMs": 1000}, "speed": 1},
    ),
    Operation(
        "delete",
        "/sandbox/playback",
        "Let the price of one token, or of all, stand still again",
        _responses(wire.PlaybacksWire),
        query({"mint": {"type": "string"}}, {"mint": "SOL"}),
    ),
    Operation("get", "/sandbox/snapshots", "The snapshots of this sandbox", _responses(wire.SnapshotsWire)),
    Operation(
        "post",
        "/sandbox/snapshots",
        "Keep all of the sandbox as it is under a name",
        _responses(wire.SnapshotAnswer),
        body=wire.SnapshotRequest,
        example={"name": "before"},
    ),
    Operation(
        "post",
        "/sandbox/snapshots/{name}/restore",
        "The whole sandbox as it was, in a new incarnation",
        _responses(not_found="No snapshot of this sandbox"),
        (in_path("name", {"type": "string"}, _SNAPSHOT),),
    ),
    Operation(
        "delete",
        "/sandbox/snapshots/{name}",
        "Forget a snapshot",
        _responses(not_found="No snapshot of this sandbox"),
        (in_path("name", {"type": "string"}, _SNAPSHOT),),
    ),
    Operation(
        "post",
        "/sandbox/tanx/credit",
        "Credit a balance at tanX",
        _responses(),
        body=wire.TanxCreditRequest,
        example={"eth_address": _ACCOUNT, "currency": "usdc", "amount": "1000.50"},
    ),
    Operation(
        "post",
        "/sandbox/tanx/stark-key",
        "Register who signs orders at tanX",
        _responses(),
        body=wire.TanxStarkKeyRequest,
        example={"eth_address": _ACCOUNT, "stark_key": _STARK_KEY},
    ),
    Operation(
        "post",
        "/sandbox/tanx/cancel",
        "Cancel an order at tanX as an operator",
        _responses(not_found="No order of this venue"),
        body=wire.TanxCancelRequest,
        example={"order_id": _BOOK_ORDER},
    ),
    Operation("get", "/sandbox/tanx/market-maker", "Who quotes which market", _responses(wire.MarketMakersWire)),
    Operation(
        "post",
        "/sandbox/tanx/market-maker",
        "Quote a market of tanX on both sides of a price that moves, and trade now and then",
        _responses(wire.MarketMakersWire),
        body=wire.MarketMakerRequest,
        example={"market": "btcusdc", "price": "60000", "volume": "0.1", "seed": 1},
    ),
    Operation(
        "delete",
        "/sandbox/tanx/market-maker",
        "Take the quotes of one market, or of all, out of the books",
        _responses(wire.MarketMakersWire),
        query({"market": {"type": "string"}}, {"market": "btcusdc"}),
    ),
    Operation("get", "/sandbox/audit", "Replay the journal and compare", _responses(wire.AuditWire)),
    Operation(
        "get",
        "/sandbox/orders",
        "The newest orders of any family, and what each waits for",
        _responses(inspected.OrdersWire),
        query(_FILTERS, {"family": "trigger", "limit": 10}),
    ),
    Operation(
        "get",
        "/sandbox/orders/{order_id}",
        "An order of any family, its timeline with reasons, what it waits for",
        _responses(inspected.OrderWire, not_found="No order of this venue"),
        (in_path("order_id", {"type": "string"}, _ANY_ORDER),),
    ),
    Operation(
        "patch",
        "/sandbox/orders/{order_id}",
        "Amend a trigger order as an operator, whosever it is",
        _responses(inspected.OrderWire, not_found="No order of this venue"),
        (in_path("order_id", {"type": "string"}, _OPEN_ORDER),),
        body=wire.AmendRequest,
        example={"triggerPriceUsd": "1200.5"},
    ),
    Operation(
        "delete",
        "/sandbox/orders/{order_id}",
        "Cancel an order as an operator: nothing of it trades any more, and its owner withdraws",
        _responses(inspected.OrderWire, not_found="No order of this venue"),
        (in_path("order_id", {"type": "string"}, _OPEN_ORDER),),
    ),
    Operation(
        "get",
        "/sandbox/prices",
        "The prices of a token since the process started, the oldest first",
        _responses(inspected.PricesWire),
        (
            {"name": "mint", "in": "query", "required": True, "schema": {"type": "string"}, "example": "SOL"},
            *query({"limit": _limited(price_history.KEPT, 1_000)}, {}),
        ),
    ),
    Operation(
        "get",
        "/sandbox/requests",
        "The newest requests of the order APIs and their answers; secrets, tokens and signatures are hidden",
        _responses(wire.RequestsWire),
        query({"limit": _limited(requests.KEPT, 50)}, {"limit": 10}),
    ),
    Operation(
        "get",
        "/sandbox/requests/{number}",
        "One of them",
        _responses(wire.RequestWire, not_found="It is not among the newest"),
        (in_path("number", {"type": "integer", "minimum": 1}, _REQUEST),),
    ),
    Operation(
        "get",
        "/sandbox/events",
        "What happens, as server-sent events: from any past position on, and then live",
        _responses(Streamed({"oneOf": [inspected.EventWire, wire.RequestSummaryWire, inspected.PriceEventWire]})),
        query(
            {
                "from": {
                    "type": "string",
                    "default": "now",
                    "description": "start, recent, now, or the id of an event",
                },
                "include": {"type": "string", "default": "orders", "description": ", ".join(feeds.INCLUDED)},
                "limit": {"type": "integer", "minimum": 1, "maximum": stream.LIMIT_MAX},
            },
            {"from": "start", "limit": 3},
        ),
    ),
    Operation("get", "/sandbox/books", "Depth and newest trades of tanX's books", _responses(inspected.BooksWire)),
    Operation("get", "/sandbox/wallets", "The wallets with a vault, and what they hold", _responses(wire.WalletsWire)),
)


def openapi() -> dict[str, Any]:
    operations = [replace(each, may_be_empty=_may_be_empty(each)) for each in _OPERATIONS]
    return document("Countermand sandbox", "1", operations, description=_ABOUT)


def _may_be_empty(operation: Operation) -> bool:
    """As `reading.Body` takes it: all of it has defaults. A patch must change something."""
    body = operation.body
    if operation.method == "patch" or not (isinstance(body, type) and issubclass(body, Struct)):
        return False
    return not any(each.required for each in fields(body))
