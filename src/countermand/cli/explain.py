"""`countermand explain`."""

from typing import Annotated

from cyclopts import Parameter

from countermand.cli.reasons import examined
from countermand.settings import StartRefused
from countermand.solana.explain import explain_base64
from countermand.solana.wire import MalformedTransaction


def explain(
    tx: Annotated[str, Parameter(help="a transaction in base64, signed or not", allow_leading_hyphen=True)], /
) -> int:
    """Say in plain sentences what a transaction does: who signs, who pays, what moves, to whom, under which program.

    It reads the bytes alone and asks no chain. Exit status 2 if they are no transaction.
    """
    return examined(lambda: _explain(tx))


def _explain(tx: str) -> int:
    try:
        sentences = explain_base64(tx)
    except MalformedTransaction as error:
        raise StartRefused(str(error)) from error
    print("\n".join(sentences))
    return 0
