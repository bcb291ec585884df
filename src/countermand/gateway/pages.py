"""Two small HTML pages. They load nothing else: no script, no font, no picture."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final

from msgspec import Struct

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_DEPTH_MAX: Final = 6

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6675; --line: #dde2ea; --paper: #fff; --code: #f4f6f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --soft: #9aa5b4; --line: #2f3845; --paper: #14181f; --code: #1d232c; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 56rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { margin: 2.5rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); font-size: 1.2rem; }
p { margin: .25rem 0 .75rem; }
.soft { color: var(--soft); }
a { color: inherit; }
a:focus-visible, summary:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { margin: .5rem 0; padding: .75rem; overflow-x: auto; background: var(--code); border-radius: .375rem; }
details { border-bottom: 1px solid var(--line); }
summary { padding: .5rem 0; cursor: pointer; overflow-wrap: anywhere; }
summary .soft { margin-left: .5rem; }
.method { display: inline-block; min-width: 4.2rem; font: 600 .8rem ui-monospace, monospace; }
table { border-collapse: collapse; }
td { padding: .3rem 1.5rem .3rem 0; vertical-align: top; }
td + td { overflow-wrap: anywhere; }
"""


def commands(documents: Mapping[str, Mapping[str, Any]], base_url: str) -> str:
    """All operations of the OpenAPI documents, each with a curl command against `base_url`."""
    contents = " · ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in documents)
    sections = "".join(_section(name, document, base_url) for name, document in documents.items())
    return _page(
        "Countermand: the API",
        f'<h1>The API</h1><p class="soft"><a href="/">{escape(base_url)}</a></p><nav><p>{contents}</p></nav>{sections}',
    )


def front(document_names: Iterable[str], base_url: str, *, sandbox: bool, rpc: bool = True) -> str:
    """The URLs of the venue. `rpc`: it shows a chain of its own."""
    chain = f" Solana JSON-RPC: <code>{escape(base_url)}/rpc</code>." if rpc else ""
    ways = [
        ("/docs", "every operation of the order APIs, to be tried out"),
        ("/docs/curl", "the same as curl commands, without a script"),
        *((f"/openapi/{name}.json", "OpenAPI") for name in document_names),
        ("/health/live", "the process answers"),
        ("/health/ready", "200 when the venue would serve orders"),
        ("/metrics", "Prometheus"),
    ]
    if sandbox:
        ways.insert(1, ("/sandbox", "the sandbox: clock, prices, faults"))
    rows = "".join(
        f'<tr><td><a href="{escape(path)}">{escape(path)}</a></td><td>{what}</td></tr>' for path, what in ways
    )
    return _page(
        "Countermand",
        "<h1>Countermand</h1><p>An order server for crypto trading, whose cancel keeps its promise.</p>"
        f'<p class="soft">Base URL of the APIs: <code>{escape(base_url)}</code>.{chain}</p><table>{rows}</table>',
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )


class _Operation(Struct, frozen=True):
    method: str
    path: str
    spec: Mapping[str, Any]
    shared: tuple[Mapping[str, Any], ...]


def _section(name: str, document: Mapping[str, Any], base_url: str) -> str:
    info = document.get("info", {})
    words = f"<p>{_marked(info['description'])}</p>" if info.get("description") else ""
    operations = "".join(_operation(operation, document, base_url) for operation in _operations(document))
    return (
        f'<section id="{escape(name)}"><h2>{escape(str(info.get("title", name)))}</h2>{words}'
        f'<p class="soft"><a href="/openapi/{escape(name)}.json">OpenAPI document</a></p>'
        f"{_variables(document)}{operations}</section>"
    )


def _variables(document: Mapping[str, Any]) -> str:
    """What the commands take from the shell."""
    meanings: Mapping[str, str] = document.get("x-variables", {})
    if not meanings:
        return ""
    rows = ((f"<code>${escape(name)}</code>", _marked(meaning)) for name, meaning in meanings.items())
    return f"<p>The commands take what only you know from variables of your shell:</p>{_table(rows)}"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _marked(text: object) -> str:
    """Escaped, with what stands in backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(str(text)))


def _operations(document: Mapping[str, Any]) -> Iterator[_Operation]:
    for path, item in document.get("paths", {}).items():
        shared = tuple(item.get("parameters", ()))
        for method in _METHODS:
            if method in item:
                yield _Operation(method, path, item[method], shared)


def _operation(operation: _Operation, document: Mapping[str, Any], base_url: str) -> str:
    spec = operation.spec
    description = f"<p>{_marked(spec['description'])}</p>" if spec.get("description") else ""
    return (
        f'<details><summary><span class="method">{operation.method.upper()}</span><code>{escape(operation.path)}</code>'
        f'<span class="soft">{_marked(spec.get("summary", ""))}</span></summary>{description}'
        f"{_commands(operation, document, base_url)}"
        f"{_parameter_table(operation, document)}{_answer_table(spec, document)}</details>"
    )


def _parameter_table(operation: _Operation, document: Mapping[str, Any]) -> str:
    parameters = [_resolved(raw, document) for raw in (*operation.shared, *operation.spec.get("parameters", ()))]
    rows = (
        (
            f"<code>{escape(parameter['name'])}</code>",
            f"{escape(parameter['in'])}{', required' if parameter.get('required') else ''}",
            _values(_resolved(parameter.get("schema", {}), document)),
        )
        for parameter in parameters
    )
    return _table(rows) if parameters else ""


def _values(schema: Mapping[str, Any]) -> str:
    """What a parameter may be, as far as its schema says so in a few words."""
    kinds = [_resolved(each, {}) for each in schema.get("anyOf", (schema,)) if each.get("type") != "null"]
    said = [" | ".join(map(str, kind["enum"])) if "enum" in kind else str(kind.get("type", "")) for kind in kinds]
    default = f", {schema['default']} if not given" if schema.get("default") is not None else ""
    return escape(" or ".join(filter(None, said)) + default)


def _answer_table(spec: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """By status: what it means, and the plainest body that it may have."""
    rows = []
    for status, raw in spec.get("responses", {}).items():
        answer = _resolved(raw, document)
        content = answer.get("content", {}).get("application/json", {})
        body = json.dumps(_example(content["schema"], document, 3), ensure_ascii=False) if "schema" in content else ""
        rows.append(
            (f"<code>{escape(status)}</code>", _marked(answer.get("description", "")), f"<code>{escape(body)}</code>")
        )
    return _table(rows) if rows else ""


def _commands(operation: _Operation, document: Mapping[str, Any], base_url: str) -> str:
    """One for each example of the body; several have names."""
    examples = _body_examples(operation.spec, document)
    shown = []
    for name, body in examples.items():
        named = f"<p>{_marked(name)}:</p>" if len(examples) > 1 else ""
        shown.append(f"{named}<pre>{escape(_curl(operation, document, base_url, body))}</pre>")
    return "".join(shown)


def _curl(operation: _Operation, document: Mapping[str, Any], base_url: str, example: Any) -> str:
    """A command that can be pasted into a shell, which fills in the variables. What has no example is in capitals."""
    path, query, headers = operation.path, [], []
    for raw in (*operation.shared, *operation.spec.get("parameters", ())):
        parameter = _resolved(raw, document)
        name, value = parameter["name"], _parameter_example(parameter, document)
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", value)
        elif parameter["in"] == "query" and (parameter.get("required") or "example" in parameter):
            query.append(f"{name}={value}")
        elif parameter["in"] == "header" and parameter.get("required"):
            headers.append(f"{name}: {value}")
    headers += _authorization(operation.spec.get("security", document.get("security")), document)
    words = ["curl"] if operation.method == "get" else ["curl", "-X", operation.method.upper()]
    words.append(_quoted(base_url + path + ("?" + "&".join(query) if query else "")))
    lines = [" ".join(words)]
    body = _body(operation.spec, document, example)
    if body is not None:
        headers.append("content-type: application/json")
    # In double quotes the shell fills in its variables.
    lines += [f'  -H "{header}"' for header in headers]
    if body is not None:
        lines.append(f"  -d {body}")
    return " \\\n".join(lines)


def _authorization(security: Any, document: Mapping[str, Any]) -> list[str]:
    if not security:
        return []
    schemes = document.get("components", {}).get("securitySchemes", {})
    shown = [schemes.get(name, {}).get("x-header") for each in security for name in each]
    return [f"authorization: {next((header for header in shown if header), 'Bearer $TOKEN')}"]


def _quoted(url: str) -> str:
    return f'"{url}"' if "$" in url else shlex.quote(url)


def _body(spec: Mapping[str, Any], document: Mapping[str, Any], body: Any) -> str | None:
    """The body as a word of the shell, which fills in the variables."""
    if body is None:
        return None
    content = _resolved(spec["requestBody"], document)["content"]["application/json"]
    word = shlex.quote(json.dumps(_with_marks(body, content.get("x-variables", {})), ensure_ascii=False))
    return _MARK.sub(_variable_of_shell, word)


def _variable_of_shell(mark: re.Match[str]) -> str:
    """Ends the quotation, gives the variable in double quotes, and begins another. Text keeps its quotes of JSON."""
    value = f"'\"${mark[2]}\"'"
    return f'"{value}"' if mark[1] == "text" else value


_MARK: Final = re.compile(r'"@(text|number):(\w+)@"')


def _with_marks(value: Any, variables: Mapping[str, str], pointer: str = "") -> Any:
    """The example with a mark in the place of each variable."""
    if pointer in variables:
        return f"@{'text' if isinstance(value, str) else 'number'}:{variables[pointer]}@"
    if isinstance(value, Mapping):
        return {name: _with_marks(each, variables, f"{pointer}/{name}") for name, each in value.items()}
    if isinstance(value, list):
        return [_with_marks(each, variables, f"{pointer}/{number}") for number, each in enumerate(value)]
    return value


def _parameter_example(parameter: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if "x-variable" in parameter:
        return f"${parameter['x-variable']}"
    if "example" in parameter:
        return str(parameter["example"])
    schema = _resolved(parameter.get("schema", {}), document)
    for key in ("example", "default"):
        if key in schema:
            return str(schema[key])
    if schema.get("enum"):
        return str(schema["enum"][0])
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parameter["name"]).upper()


def _body_examples(spec: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """By name. Of a request without a body, None."""
    content = _resolved(spec.get("requestBody", {}), document).get("content", {}).get("application/json")
    if content is None:
        return {"": None}
    if "example" in content:
        return {"": content["example"]}
    named = {name: _resolved(each, document).get("value") for name, each in content.get("examples", {}).items()}
    return named or {"": _example(content.get("schema", {}), document, _DEPTH_MAX)}


def _example(raw: Mapping[str, Any], document: Mapping[str, Any], depth: int) -> Any:
    """A value of that schema: its example or default, else the plainest one."""
    schema = _resolved(raw, document)
    for key in ("example", "default", "const"):
        if schema.get(key) is not None:
            return schema[key]
    if schema.get("examples") or schema.get("enum"):
        return (schema.get("examples") or schema["enum"])[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _example(schema[key][0], document, depth - 1) if depth else None
    if "properties" in schema or schema.get("type") == "object":
        if not depth:
            return {}
        required = schema.get("required", ())
        fields = schema.get("properties", {})
        return {name: _example(fields[name], document, depth - 1) for name in fields if name in required}
    if schema.get("type") == "array":
        return [_example(schema.get("items", {}), document, depth - 1)] if depth else []
    return {"integer": 1, "number": 1, "boolean": True, "null": None}.get(str(schema.get("type")), "…")


def _resolved(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follows a `$ref` inside the document."""
    for _ in range(_DEPTH_MAX):
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return node
        target: Any = document
        for part in reference[2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node
