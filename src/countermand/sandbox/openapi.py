"""The OpenAPI document of the sandbox, from the types that decode its requests and write its answers."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from countermand.sandbox import wire

_REF: Final = "#/components/schemas/{name}"
_NUMBER: Final = {"description": "A decimal string.", "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"}


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    summary: str
    body: Any = None
    answer: Any = wire.SandboxWire


_OPERATIONS: Final = (
    _Operation("get", "/sandbox", "The sandbox as it is"),
    _Operation("post", "/sandbox/airdrop", "Fund a wallet", wire.AirdropRequest, wire.AirdropAnswer),
    _Operation("put", "/sandbox/prices", "Set prices, US dollars by mint", dict[str, str]),
    _Operation(
        "put", "/sandbox/liquidity", "How far a fill moves the price, by input mint", dict[str, wire.LiquidityRequest]
    ),
    _Operation("post", "/sandbox/tokens", "Add a token", wire.TokenRequest),
    _Operation("post", "/sandbox/settle", "Wait until nothing is under way", wire.SettleRequest, wire.SettleAnswer),
    _Operation("post", "/sandbox/clock", "Freeze or run the clock", wire.ClockRequest),
    _Operation("post", "/sandbox/clock/advance", "Move the clock forward", wire.AdvanceRequest),
    _Operation("put", "/sandbox/faults", "Switch faults on; {} clears them", wire.FaultsWire),
    _Operation("post", "/sandbox/reset", "An empty venue again", wire.ResetRequest),
    _Operation("post", "/sandbox/tanx/credit", "Credit a balance at tanX", wire.TanxCreditRequest),
    _Operation("post", "/sandbox/tanx/stark-key", "Register who signs orders at tanX", wire.TanxStarkKeyRequest),
    _Operation("post", "/sandbox/tanx/cancel", "Cancel an order at tanX as an operator", wire.TanxCancelRequest),
    _Operation("get", "/sandbox/audit", "Replay the journal and compare", None, wire.AuditWire),
)


def openapi() -> dict[str, Any]:
    kinds = [kind for operation in _OPERATIONS for kind in (operation.body, operation.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components(kinds, schema_hook=_schema_of, ref_template=_REF)
    by_kind = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Countermand sandbox", "version": "1", "description": "Answers only to this machine."},
        "paths": paths,
        "components": {"schemas": components},
    }


def _described(operation: _Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    answers = {"200": {"description": "Done", "content": _json(schemas[repr(operation.answer)])}}
    described: dict[str, Any] = {"summary": operation.summary, "responses": answers}
    if operation.body is not None:
        answers["400"] = {"description": "Not possible; `error` says why", "content": _json({"type": "object"})}
        described["requestBody"] = {"required": True, "content": _json(schemas[repr(operation.body)])}
    return described


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return dict(_NUMBER)
    raise NotImplementedError(f"no schema for {kind}")
