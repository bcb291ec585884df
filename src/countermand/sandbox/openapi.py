"""The OpenAPI document of the sandbox, from the types that decode its requests and write its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand import examples
from countermand.examples import USDC, WALLET, Variable
from countermand.sandbox import wire
from countermand.sandbox.orders import LIMIT, LIMIT_MAX, STATES

_REF: Final = "#/components/schemas/{name}"
_NUMBER: Final = {"description": "A decimal string.", "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"}
_ABOUT: Final = (
    "Answers only to this machine. Every request refuses, by name, what it does not know: nothing is ignored. "
    "A token is named by its mint, or by its symbol as it is written."
)


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    summary: str
    body: Any = None
    answer: Any = wire.SandboxWire
    example: Any = None
    """Of the body, or of the parameters."""
    parameters: Mapping[str, dict[str, Any]] | None = None
    """Those of the query by their names, with their schemas."""


_ACCOUNT: Final = Variable("ETH_ADDRESS", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "an Ethereum address")
_STARK_KEY: Final = Variable("STARK_KEY", "0x1ef1…", "the public key that signs the orders, 0x and hex")
_BOOK_ORDER: Final = Variable("BOOK_ORDER", 1, "the `id` of an order at tanX")
_ANY_ORDER: Final = Variable(
    "ORDER", "0199c36d-3a0e-7c1e-8f5b-6d3f0f6f5d3c", "an order's id, or its account on the chain"
)
_FILTERS: Final[Mapping[str, dict[str, Any]]] = {
    "family": {"type": "string", "enum": list(STATES)},
    "wallet": {"type": "string", "description": "A wallet, or the Ethereum address of an account"},
    "state": {"type": "string", "enum": list(dict.fromkeys(each for states in STATES.values() for each in states))},
    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT},
}

_OPERATIONS: Final = (
    _Operation("get", "/sandbox", "The sandbox as it is"),
    _Operation(
        *("post", "/sandbox/airdrop", "Fund a wallet; SOL means lamports", wire.AirdropRequest, wire.AirdropAnswer),
        example={"wallet": WALLET, "mint": "SOL", "amount": "2000000000"},
    ),
    _Operation(
        *("put", "/sandbox/prices", "Set prices, US dollars by mint or symbol", dict[str, str]),
        example={"SOL": "151.50", USDC: "1"},
    ),
    _Operation(
        "get",
        "/sandbox/liquidity",
        "How far fills move the price, where that was set",
        None,
        dict[str, wire.LiquidityWire],
    ),
    _Operation(
        *("put", "/sandbox/liquidity", "How far a fill moves the price, by input mint or symbol; others keep theirs"),
        body=dict[str, wire.LiquidityRequest],
        example={"SOL": {"impactBps": 25}},
    ),
    _Operation(
        *("post", "/sandbox/tokens", "Add a token", wire.TokenRequest),
        example={"symbol": "BONK", "decimals": 5, "price": "0.00002"},
    ),
    _Operation(
        *("post", "/sandbox/settle", "Wait until nothing is under way", wire.SettleRequest, wire.SettleAnswer),
        example={"timeoutMs": 5000},
    ),
    _Operation("post", "/sandbox/clock", "Freeze or run the clock", wire.ClockRequest, example={"mode": "running"}),
    _Operation(
        *("post", "/sandbox/clock/advance", "Move the clock forward", wire.AdvanceRequest), example={"seconds": 1.5}
    ),
    _Operation(
        *("put", "/sandbox/faults", "Switch faults on, and all others off; {} clears them", wire.FaultsWire),
        example={"failSwaps": 1},
    ),
    _Operation("post", "/sandbox/reset", "An empty venue again", wire.ResetRequest, example={"seed": 4}),
    _Operation(
        *("post", "/sandbox/tanx/credit", "Credit a balance at tanX", wire.TanxCreditRequest),
        example={"eth_address": _ACCOUNT, "currency": "usdc", "amount": "1000.50"},
    ),
    _Operation(
        *("post", "/sandbox/tanx/stark-key", "Register who signs orders at tanX", wire.TanxStarkKeyRequest),
        example={"eth_address": _ACCOUNT, "stark_key": _STARK_KEY},
    ),
    _Operation(
        *("post", "/sandbox/tanx/cancel", "Cancel an order at tanX as an operator", wire.TanxCancelRequest),
        example={"order_id": _BOOK_ORDER},
    ),
    _Operation("get", "/sandbox/audit", "Replay the journal and compare", None, wire.AuditWire),
    _Operation(
        *("get", "/sandbox/orders", "The newest orders of any family, and what each waits for", None, wire.OrdersWire),
        example={"family": "trigger", "limit": 10},
        parameters=_FILTERS,
    ),
    _Operation(
        *("get", "/sandbox/orders/{order_id}", "An order of any family, its timeline with reasons, what it waits for"),
        answer=wire.OrderWire,
        example={"order_id": _ANY_ORDER},
    ),
)


def openapi() -> dict[str, Any]:
    kinds = [kind for operation in _OPERATIONS for kind in (operation.body, operation.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        [*kinds, wire.ErrorWire], schema_hook=_schema_of, ref_template=_REF
    )
    by_kind = dict(zip(map(repr, [*kinds, wire.ErrorWire]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Countermand sandbox", "version": "1", "description": _ABOUT},
        examples.VARIABLES: examples.meanings(*(operation.example for operation in _OPERATIONS)),
        "paths": paths,
        "components": {"schemas": components},
    }


def _described(operation: _Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    refused = _json(schemas[repr(wire.ErrorWire)])
    answers = {
        "200": {"description": "Done", "content": _json(schemas[repr(operation.answer)])},
        "400": {"description": "Not possible, or not known: `error` names the field, and says why", "content": refused},
    }
    described: dict[str, Any] = {"summary": operation.summary, "responses": answers}
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if "{order_id}" in operation.path:
        answers["404"] = {"description": "No order of this venue", "content": refused}
    if operation.body is not None:
        content = examples.show_body(_json(schemas[repr(operation.body)]), operation.example)
        described["requestBody"] = {"required": True, "content": content}
    answers["503"] = {"description": "Unavailable: repeat the request", "content": refused}
    return described


def _parameters(operation: _Operation) -> list[dict[str, Any]]:
    named: list[dict[str, Any]] = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in (operation.parameters or {}).items()
    ]
    if "{order_id}" in operation.path:
        named.append({"name": "order_id", "in": "path", "required": True, "schema": {"type": "string"}})
    return examples.show_parameters(named, operation.example) if named else []


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return dict(_NUMBER)
    raise NotImplementedError(f"no schema for {kind}")
