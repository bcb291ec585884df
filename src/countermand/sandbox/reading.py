"""Requests of the sandbox, read strictly: what is unknown, missing, doubled or of a wrong type is refused by name.

A test that switches on a fault which does not exist would pass without having tested anything.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from countermand.inspection.queries import (
    QueryRefused,
    WrittenNumber,
    described,
    keepable,
    listed,
    refused_choice,
    remedy_for,
    shown,
)
from countermand.values.quantities import Inexact, exact

_T = TypeVar("_T")
_WHOLE_MAX: Final = 10**30
"""More than any field takes: the range of each is its own to judge."""


class SandboxRefused(QueryRefused):
    """The same of a body."""


class OrderNotHere(SandboxRefused):
    """No order of this venue has this id."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"{order_id}: no order of this venue; GET /sandbox/orders lists them")


class Body(msgspec.Struct, frozen=True):
    """A body that is a JSON object, or empty."""

    raw: bytes
    fields: Mapping[str, Any]

    def is_empty(self) -> bool:
        return not self.raw.strip()

    def into(self, kind: type[_T]) -> _T:
        """Raises `SandboxRefused` for the first thing that is wrong, in the order of the body."""
        info = _info_of(kind)
        if self.is_empty() and (needed := _required(info)):
            raise SandboxRefused(f"body: empty; send a JSON object with {listed(needed)}")
        return msgspec.json.decode(msgspec.json.encode(_read(self.fields, info, "")), type=kind)

    def refuse_any(self) -> None:
        for name in self.fields:
            raise SandboxRefused(f"{shown(name)}: unknown field; this request takes no body")


def parsed(raw: bytes) -> Body:
    """Raises `SandboxRefused` for what is no JSON object, and for a key that is given twice at any depth."""
    if not raw.strip():
        return Body(raw, {})
    try:
        tree = json.loads(
            raw.decode(),
            object_pairs_hook=_unique,
            parse_int=WrittenNumber,
            parse_float=WrittenNumber,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as error:
        raise SandboxRefused(f"body: not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise SandboxRefused(f"body: not valid JSON at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise SandboxRefused("body: nested too deeply") from None
    if not isinstance(tree, dict):
        raise SandboxRefused(f"body: expected a JSON object, got {described(tree)}")
    return Body(raw, tree)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise SandboxRefused(f"{shown(name)}: given twice")
        found[keepable("body", name)] = value
    return found


def _no_constant(name: str) -> Any:
    raise SandboxRefused(f"body: {name} is no JSON number")


# --- a value against a type


_INFOS: Final[dict[Any, inspect.Type]] = {}
"""Of the few types of our bodies: to look at one takes as long as to answer a request."""


def _info_of(kind: Any) -> inspect.Type:
    info = _INFOS.get(kind)
    if info is None:
        info = _INFOS[kind] = inspect.type_info(kind)
    return info


def _read(value: Any, info: inspect.Type, path: str) -> Any:
    """The value as msgspec decodes it: whole numbers are integers, and what is read elsewhere stays as written."""
    match info:
        case inspect.Metadata(type=kind):
            return _read(value, kind, path)
        case inspect.StructType():
            return _read_fields(_object(value, info, path), info, path)
        case inspect.DictType():
            fields = _object(value, info, path)
            return {name: _read(each, info.value_type, _joined(path, name)) for name, each in fields.items()}
        case inspect.UnionType(types=kinds):
            if value is None and info.includes_none:
                return None
            if lists := [kind for kind in kinds if isinstance(kind, inspect.ListType)]:
                return _read_flag_or_list(value, info, lists[0], path)
            return _read(value, next(kind for kind in kinds if not isinstance(kind, inspect.NoneType)), path)
        case inspect.ListType(item_type=item) if isinstance(value, list):
            return [_read(each, item, f"{path}[{index}]") for index, each in enumerate(value)]
        case inspect.LiteralType(values=values):
            return _read_choice(value, [str(each) for each in values], path)
        case inspect.IntType() if isinstance(value, WrittenNumber):
            return _whole(value, path)
        case inspect.RawType() if isinstance(value, WrittenNumber):
            return msgspec.Raw(value.encode())
        case inspect.RawType() if isinstance(value, str):
            return keepable(path, value)
        case inspect.StrType() if isinstance(value, str) and not isinstance(value, WrittenNumber):
            return keepable(path, value)
        case inspect.BoolType() if isinstance(value, bool):
            return value
    raise SandboxRefused(f"{path}: expected {_wanted(info)}, got {described(value)}")


def _read_flag_or_list(value: Any, info: inspect.Type, wanted: inspect.ListType, path: str) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return _read(value, wanted, path)
    raise SandboxRefused(f"{path}: expected {_wanted(info)}, got {described(value)}")


def _object(value: Any, info: inspect.Type, path: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise SandboxRefused(f"{path or 'body'}: expected {_wanted(info)}, got {described(value)}")


def _read_fields(fields: Mapping[str, Any], info: inspect.StructType, path: str) -> dict[str, Any]:
    known = {field.encode_name: field for field in info.fields}
    read: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in known:
            remedy = remedy_for(name, tuple(known), "no field is known", "fields")
            raise SandboxRefused(f"{_joined(path, name)}: unknown field; {remedy}")
        read[name] = _read(value, known[name].type, _joined(path, name))
    for name, field in known.items():
        if field.required and name not in fields:
            raise SandboxRefused(f"{_joined(path, name)}: missing; expected {_wanted(field.type)}")
    return read


def _read_choice(value: Any, choices: Sequence[str], path: str) -> str:
    is_text = isinstance(value, str) and not isinstance(value, WrittenNumber)
    if is_text and value in choices:
        return str(value)
    raise refused_choice(path, value, choices)


def _whole(number: str, path: str) -> int:
    """`5.0` and `5e0` are 5, as they are to JavaScript."""
    found = exact(number.removeprefix("-"), scale=0, bound=_WHOLE_MAX)
    if isinstance(found, int):
        return -found if number.startswith("-") else found
    if found in (Inexact.TOO_BIG, Inexact.TOO_LONG):
        raise SandboxRefused(f"{path}: {shown(number)} is too big")
    raise SandboxRefused(f"{path}: expected a whole number, got {described(WrittenNumber(number))}")


def _required(info: inspect.Type) -> Sequence[str]:
    return [each.encode_name for each in info.fields if each.required] if isinstance(info, inspect.StructType) else ()


def _wanted(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(type=kind):
            return _wanted(kind)
        case inspect.StructType():
            return f"an object with {listed([each.encode_name for each in info.fields])}"
        case inspect.DictType():
            return "a JSON object"
        case inspect.ListType(item_type=item):
            return f"a list of {_wanted(item)}"
        case inspect.UnionType(types=kinds):
            return " or ".join(_wanted(kind) for kind in kinds)
        case inspect.LiteralType(values=values):
            return listed([str(each) for each in values], "or")
    return _WANTED[type(info)]


_WANTED: Final[Mapping[type[inspect.Type], str]] = {
    inspect.IntType: "a whole number",
    inspect.StrType: "a text",
    inspect.BoolType: "true or false",
    inspect.RawType: "a decimal number, as text or as a JSON number",
    inspect.NoneType: "null",
}


def _joined(path: str, name: str) -> str:
    return f"{path}.{shown(name)}" if path else shown(name)
