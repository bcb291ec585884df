"""OpenAPI 3.1 documents from tables of operations.

Where a schema is expected, at any depth, a table may hold a Python type: `{"oneOf": [CancelAnswer, list[OrderRow]]}`.
Msgspec describes the type. A struct is described once, among the components, and referred to from everywhere else.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from countermand.examples import Variable

Schema: TypeAlias = Any
"""JSON Schema, or a type, or JSON Schema that holds types."""
Responses: TypeAlias = Mapping[int, tuple[str, Schema]]
"""By status, what it means and the schema of the body, in the order in which `/docs` shows them."""
Parameter: TypeAlias = Mapping[str, Any]
"""As OpenAPI writes it, but that its example may be a `Variable`."""


class Streamed(msgspec.Struct, frozen=True):
    """The schema of an answer that is a stream of server-sent events: that of the data of one."""

    schema: Schema


_REF: Final = "#/components/schemas/{name}"
_IN_BRACES: Final = re.compile(r"\{(\w+)\}")
_WORD: Final = re.compile(r"[A-Za-z0-9]+")

# Ours: `/docs` makes commands of them. By the place of a value in an example, or of a parameter, its variable; and the
# authorization header of a security scheme, with its variable.
_VARIABLES: Final = "x-variables"
_VARIABLE: Final = "x-variable"
_HEADER: Final = "x-header"


class Operation(msgspec.Struct, frozen=True):
    """`example`: of the body. `security`: the name of a security scheme of the document. `may_be_empty`: the body.

    `examples`: instead of one, several by name, which have the same variables in the same places.
    """

    method: str
    path: str
    summary: str
    responses: Responses
    parameters: Sequence[Parameter] = ()
    body: Schema | None = None
    example: Any = None
    examples: Mapping[str, Any] = {}
    security: str | None = None
    may_be_empty: bool = False


def one_of(*values: str) -> msgspec.Meta:
    """Of a field: says in the document what a text can be."""
    return msgspec.Meta(extra_json_schema={"enum": list(values)})


def document(
    title: str,
    version: str,
    operations: Iterable[Operation],
    *,
    description: str | None = None,
    security_schemes: Mapping[str, Mapping[str, Any]] | None = None,
    variables: Sequence[Variable] = (),
    described_as: Callable[[Any], Any] = lambda kind: kind,
) -> dict[str, Any]:
    """`variables`: those that no example holds. `described_as` gives the type that is described in place of another."""
    paths: dict[str, dict[str, Any]] = {}
    examples: list[Any] = [*variables]
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
        examples += [parameter.get("example") for parameter in operation.parameters]
        examples += [operation.example, *operation.examples.values()]
    resolved, components = _resolved(paths, described_as)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version} | ({"description": description} if description else {}),
        _VARIABLES: {variable.name: variable.meaning for _, variable in _variables(examples)},
        "paths": resolved,
        "components": {"schemas": components} | ({"securitySchemes": security_schemes} if security_schemes else {}),
    }


def query(fields: type[msgspec.Struct] | Mapping[str, Schema], example: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters of a query: the fields of a struct, or optional ones by their schemas."""
    if isinstance(fields, Mapping):
        schemas, required = fields, ()
    else:
        described = msgspec.json.schema(fields)["$defs"][fields.__name__]
        schemas, required = described["properties"], described["required"]
    return tuple(
        {"name": name, "in": "query", "required": name in required, "schema": _in_one_case(schema)}
        | ({"example": example[name]} if name in example else {})
        for name, schema in schemas.items()
    )


def _in_one_case(schema: Schema) -> Schema:
    """Where `True` is read as `true` is, only one is described: generators of code make the same name of both."""
    if not isinstance(schema, Mapping) or "enum" not in schema:
        return schema
    choices = schema["enum"]
    return {**schema, "enum": [each for each in choices if each == each.lower() or each.lower() not in choices]}


def in_path(name: str, schema: Schema, example: Any) -> Parameter:
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def bearer(header: str, **more: str) -> Mapping[str, Any]:
    """A security scheme. `header`: the `authorization` header as the shell writes it, with the token's variable."""
    return {"type": "http", "scheme": "bearer", **more, _HEADER: header}


def _operation(operation: Operation) -> dict[str, Any]:
    named = [parameter["name"] for parameter in operation.parameters if parameter["in"] == "path"]
    assert named == _IN_BRACES.findall(operation.path), f"{operation.path} does not have the parameters {named}"
    described: dict[str, Any] = {
        "operationId": operation_id(operation.method, operation.path),
        "summary": operation.summary,
        "responses": {
            str(status): {"description": meaning, "content": _content(schema)}
            for status, (meaning, schema) in operation.responses.items()
        },
    }
    if operation.parameters:
        described["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        content = _json(operation.body, _examples(operation))
        described["requestBody"] = {"required": not operation.may_be_empty, "content": content}
    if operation.security is not None:
        described["security"] = [{operation.security: []}]
    return described


def operation_id(method: str, path: str) -> str:
    """By which generators of code name a function: `patchTriggerV2OrdersPriceByOrderId`. No two share one."""
    words = _WORD.findall(_IN_BRACES.sub(r"by_\1", path))
    return method + "".join(word[0].upper() + word[1:] for word in words)


def _examples(operation: Operation) -> dict[str, Any]:
    """Of the body."""
    several = [*operation.examples.values()] or [operation.example]
    used, *others = ({pointer: variable.name for pointer, variable in _variables(each)} for each in several)
    assert all(other == used for other in others), f"the examples of {operation.path} have other variables"
    named = {name: {"value": _plain(each)} for name, each in operation.examples.items()}
    shown = {"examples": named} if named else {"example": _plain(operation.example)}
    return shown | ({_VARIABLES: used} if used else {})


def _content(schema: Schema) -> dict[str, Any]:
    return {"text/event-stream": {"schema": schema.schema}} if isinstance(schema, Streamed) else _json(schema)


def _json(schema: Schema, example: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"application/json": {"schema": schema, **(example or {})}}


def _parameter(parameter: Parameter) -> Parameter:
    example = parameter.get("example")
    if isinstance(example, Variable):
        return {**parameter, "example": example.example, _VARIABLE: example.name}
    return parameter


def _variables(example: Any, pointer: str = "") -> Iterator[tuple[str, Variable]]:
    """The variables of an example, each with the JSON pointer to it."""
    if isinstance(example, Variable):
        yield pointer, example
    elif isinstance(example, Mapping):
        for name, value in example.items():
            yield from _variables(value, f"{pointer}/{name}")
    elif isinstance(example, list):
        for number, value in enumerate(example):
            yield from _variables(value, f"{pointer}/{number}")


def _plain(example: Any) -> Any:
    """The example as JSON."""
    if isinstance(example, Variable):
        return example.example
    if isinstance(example, Mapping):
        return {name: _plain(value) for name, value in example.items()}
    return [_plain(value) for value in example] if isinstance(example, list) else example


def _resolved(node: Any, described_as: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    """The same JSON with a schema in the place of each type, and the components that those refer to."""
    places: list[tuple[dict[str, Any], Any]] = []

    def with_places(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {name: with_places(each) for name, each in node.items()}
        if isinstance(node, list | tuple):
            return [with_places(each) for each in node]
        if node is None or isinstance(node, str | int | float):
            return node
        place: dict[str, Any] = {}
        places.append((place, described_as(node)))
        return place

    tree = with_places(node)
    schemas, components = msgspec.json.schema_components([kind for _, kind in places], ref_template=_REF)
    for (place, _), schema in zip(places, schemas, strict=True):
        place.update(schema)
    return tree, components
