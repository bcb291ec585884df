"""What of a request may be shown: never a secret, a token or a signature.

Signed transactions are hidden too, since they hold signatures: how they differ from what was built is said beside them.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

import msgspec

from countermand.inspection.queries import bare, printable

HIDDEN: Final = "(hidden)"
_IN_PATH: Final = "/:@!$&'()*+,;=~"
_IN_QUERY: Final = _IN_PATH + "?%"
_HEADERS: Final = {
    "proxy-authorization": HIDDEN,
    "x-api-key": "$API_KEY",
    "cookie": HIDDEN,
    "set-cookie": HIDDEN,
}
_SECRET: Final = frozenset(
    {
        "accesstoken",
        "access",
        "apikey",
        "authheader",
        "authorization",
        "depositsignedtx",
        "jwt",
        "organizationkey",
        "password",
        "privatekey",
        "r",
        "refresh",
        "refreshtoken",
        "s",
        "secret",
        "signature",
        "signatures",
        "signedtransaction",
        "signedtransactions",
        "signedtx",
        "token",
        "usersignature",
    }
)
"""Names of fields, without underscores and in lower case. `r` and `s` are the two numbers of a Stark signature.

`auth_header` is the token in the address of tanX's private stream.
"""
_OF_HEADERS: Final = ("apikey", "jwt", "password", "secret", "signature", "token")
"""With what the name of a header ends that is one of these, such as `x-auth-token`."""
_PAIR: Final = re.compile(r"(?<![^&])(?P<name>[^&=]+)=(?P<value>[^&]+)")
"""Of a form."""
_SCHEME: Final = re.compile(r"[A-Za-z]{1,16}(?= )", re.ASCII)
_LONG: Final = re.compile(r"[A-Za-z0-9+/=_.-]{40,}")
"""What may be a token or a signature, in a body that is no JSON."""
_DEPTH_MAX: Final = 64


def shown_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    named = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return {
        name: _authorization(value) if name == "authorization" else _HEADERS.get(name, _header(name, value))
        for name, value in named
    }


def _header(name: str, value: str) -> str:
    return HIDDEN if value and bare(name).endswith(_OF_HEADERS) else value


def _authorization(value: str) -> str:
    """With its scheme, since a token without one is refused."""
    if not value:
        return value
    scheme = _SCHEME.match(value)
    return "$TOKEN" if scheme is None else f"{scheme[0]} $TOKEN"


def shown_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_is_secret(name) for name, _ in pairs):
        return query
    return urlencode([(name, HIDDEN if _is_secret(name) else value) for name, value in pairs])


def shown_body(body: bytes) -> Any:
    """JSON with its secrets hidden, a text without what may be one, or None for nothing.

    A text of JSON that is in no object has no name, which would say what it is.
    """
    if not body:
        return None
    try:
        return _without_secrets(json.loads(body, parse_float=_as_written, parse_constant=_no_number), 0)
    except (ValueError, RecursionError):
        return _LONG.sub(HIDDEN, _PAIR.sub(_shown_pair, body.decode(errors="replace")))


def _as_written(number: str) -> msgspec.Raw:
    """Digit for digit: a volume may be refused for the digits that a float would lose."""
    return msgspec.Raw(number.encode())


def _no_number(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _shown_pair(pair: re.Match[str]) -> str:
    return f"{pair['name']}={HIDDEN}" if _is_secret(unquote_plus(pair["name"])) else pair[0]


def _without_secrets(value: Any, depth: int, *, named: bool = False) -> Any:
    if depth > _DEPTH_MAX:
        return HIDDEN
    if isinstance(value, dict):
        return {
            printable(name): _hidden(each) if _is_secret(name) else _without_secrets(each, depth + 1, named=True)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each, depth + 1, named=named) for each in value]
    if not isinstance(value, str):
        return value
    return printable(value if named else _LONG.sub(HIDDEN, value))


def _hidden(value: Any) -> Any:
    """Emptiness is no secret, and worth to see."""
    return HIDDEN if value else value


def _is_secret(name: str) -> bool:
    return bare(name.removeprefix("x-")) in _SECRET


def url_of(base: str, path: str, query: str) -> str:
    """As curl takes it, which reads `[` and `{` as patterns. `path` is decoded, `query` is as it came."""
    asked = f"?{quote(query.encode('latin-1', 'replace'), safe=_IN_QUERY)}" if query else ""
    return base + quote(path, safe=_IN_PATH) + asked


def as_curl(method: str, url: str, headers: dict[str, str], body: Any) -> str:
    """A command for the shell. What was hidden is to be filled in."""
    words = [f"{_command(method, has_body=body is not None)} {_word(url)}"]
    told = (name for name in ("authorization", "x-api-key", "content-type") if name in headers)
    words += [f'-H "{name}: {_in_double_quotes(headers[name])}"' for name in told]
    if body is not None:
        text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
        words.append(f"{'--data-raw' if text.startswith('@') else '-d'} {_word(text)}")  # -d takes @ for a file's name.
    return " \\\n  ".join(words)


def _command(method: str, *, has_body: bool) -> str:
    """A body makes a POST of what names no method: tanX's client sends GETs with one."""
    if method == "HEAD":
        return "curl --head"
    return "curl" if method == "GET" and not has_body else f"curl -X {method}"


def _word(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _in_double_quotes(text: str) -> str:
    return re.sub(r'(["`\\])', r"\\\1", text)
