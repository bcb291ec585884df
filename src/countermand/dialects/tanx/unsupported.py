"""Fields of orders that other exchanges know, and this one does not support yet.

Unknown fields are ignored. These would change what an order does or how it is found, so they are refused unless they
ask for what happens anyhow. An order that was meant to be immediate-or-cancel must not rest.
"""

from collections.abc import Mapping
from typing import Final

from countermand.answering import Declined
from countermand.dialects.tanx.reading import invalid
from countermand.orders.book.model.order import Kind

CLIENT_IDS: Final = (
    "client_order_id",
    "clientOrderId",
    "client_oid",
    "clientOid",
    "client_id",
    "clientId",
    "cl_ord_id",
    "clOrdId",
    "newClientOrderId",
)
TIMES_IN_FORCE: Final = ("time_in_force", "timeInForce", "tif")
POST_ONLY: Final = ("post_only", "postOnly")
NAMES: Final = (*CLIENT_IDS, *TIMES_IN_FORCE, *POST_ONLY)

_ABSENT: Final = (None, "")
_FALSE: Final = (*_ABSENT, False, "false")


def refuse_unsupported(given: Mapping[str, object], kind: Kind) -> None:
    """`given`: the values under `NAMES`. Raises `Declined`."""
    for name in CLIENT_IDS:
        if given.get(name) not in _ABSENT:
            words = "Not supported yet. An order is found by the id and the uuid that its creation answers."
            raise Declined(invalid(name, words))
    for name in TIMES_IN_FORCE:
        if (value := given.get(name)) not in _ABSENT:
            _refuse_other_than(_in_force(kind), name, value, kind)
    for name in POST_ONLY:
        if given.get(name) not in _FALSE and kind is not Kind.LIMIT_MAKER:
            raise Declined(invalid(name, "Not supported. Ask for ord_type limit_maker."))


def _in_force(kind: Kind) -> str:
    """What is left of a market order is cancelled at once; all others wait for their price."""
    return "IOC" if kind is Kind.MARKET else "GTC"


def _refuse_other_than(expected: str, name: str, value: object, kind: Kind) -> None:
    if isinstance(value, str) and value.upper() == expected:
        return
    words = f"Only {expected} is supported yet. A {kind.value} order is {expected} without being asked."
    raise Declined(invalid(name, words))
