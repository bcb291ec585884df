"""Examples of requests, for the OpenAPI documents: what a client can send as it stands, but for what only it knows.

A `Variable` is that: a wallet, a token, a signed transaction. The document shows its example, and under `x-variables`
says which it is; the commands of `/docs` take it from the shell's variable of that name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VARIABLES = "x-variables"
VARIABLE = "x-variable"
HEADER = "x-header"
"""Of a security scheme: the `authorization` header that it means, with the variable."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`meaning`: what to set it to, and where that comes from."""

    name: str
    example: Any
    meaning: str


def show_body(content: dict[str, Any], example: Any) -> dict[str, Any]:
    """The content of a request's body, with the example."""
    used = {pointer: variable.name for pointer, variable in _variables(example, "")}
    content["application/json"] |= {"example": _plain(example)} | ({VARIABLES: used} if used else {})
    return content


def show_parameters(parameters: list[dict[str, Any]], example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters of a request, with the examples by name."""
    for parameter in parameters:
        given = example.get(parameter["name"])
        if given is not None:
            parameter["example"] = _plain(given)
        if isinstance(given, Variable):
            parameter[VARIABLE] = given.name
    return parameters


def meanings(*examples: Any) -> dict[str, str]:
    """The variables of these examples: for the document itself, under `x-variables`."""
    return {variable.name: variable.meaning for each in examples for _, variable in _variables(each, "")}


def _variables(example: Any, pointer: str) -> Iterator[tuple[str, Variable]]:
    if isinstance(example, Variable):
        yield pointer, example
    elif isinstance(example, Mapping):
        for name, value in example.items():
            yield from _variables(value, f"{pointer}/{name}")
    elif isinstance(example, list):
        for number, value in enumerate(example):
            yield from _variables(value, f"{pointer}/{number}")


def _plain(example: Any) -> Any:
    if isinstance(example, Variable):
        return example.example
    if isinstance(example, Mapping):
        return {name: _plain(value) for name, value in example.items()}
    return [_plain(value) for value in example] if isinstance(example, list) else example


# --- what several APIs have in common

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
IN_2100_MS = 4_102_444_800_000
IN_2100_S = IN_2100_MS // 1000

WALLET = Variable("WALLET", "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o", "your wallet's public key, base58")
SIGNED_TRANSACTION = Variable(
    "SIGNED_TRANSACTION", "AQAB…", "the transaction that was built last, signed by your wallet, base64"
)
