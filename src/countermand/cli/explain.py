"""`countermand explain`."""

from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from countermand.cli.reasons import examined
from countermand.cli.streams import read_standard_input
from countermand.settings import StartRefused
from countermand.solana.explain import explain_base64
from countermand.solana.wire import MalformedTransaction

STANDARD_INPUT: Final = "-"
_BYTES_MAX: Final = 1 << 20


class Explained(msgspec.Struct):
    sentences: list[str]


def explain(
    tx: Annotated[
        str,
        Parameter(
            help="a transaction in base64, signed or not; - reads it from standard input", allow_leading_hyphen=True
        ),
    ],
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON", negative="")] = False,
) -> int:
    """Say in plain sentences what a transaction does: who signs and pays, what moves and where to, under which program.

    It reads the bytes alone and asks no chain. Exit status 2 if they are no transaction.
    """
    return examined(lambda: _explain(_read() if tx == STANDARD_INPUT else tx, as_json=as_json))


def _explain(tx: str, *, as_json: bool) -> int:
    try:
        sentences = explain_base64(tx)
    except MalformedTransaction as error:
        raise StartRefused(str(error)) from error
    print(msgspec.json.encode(Explained(list(sentences))).decode() if as_json else "\n".join(sentences))
    return 0


def _read() -> str:
    """Spaces and line ends do not count: other commands wrap what is long."""
    raw = read_standard_input(lambda stdin: stdin.read(_BYTES_MAX + 1))
    if len(raw) > _BYTES_MAX:
        raise StartRefused(f"standard input has more than {_BYTES_MAX} bytes; no transaction is so long")
    try:
        return "".join(raw.decode("ascii").split())
    except UnicodeDecodeError as error:
        raise StartRefused(f"standard input is no base64: byte {error.start} is not ASCII") from error
