"""What trigger orders and recurring orders have alike on the wire. Pure; what is wrong raises `Declined`."""

from enum import Enum

from msgspec import UNSET, Raw, UnsetType

from countermand.dialects.trigger_v2.reading import Flaws
from countermand.dialects.trigger_v2.wire import HistoryPageParams
from countermand.orders.vaults.ports import HistoryQuery
from countermand.values.identity import Mint, Wallet
from countermand.values.quantities import decimal_text


def history_query(params: HistoryPageParams, sort: Enum, wallet: Wallet) -> HistoryQuery:
    mint: Mint | None = None
    if not isinstance(params.mint, UnsetType):
        flaws = Flaws()
        mint = flaws.public_key("mint", params.mint)
        flaws.refuse()
    return HistoryQuery(
        wallet=wallet,
        active=None if params.state is UNSET else params.state == "active",
        mint=mint,
        sort=sort,
        descending=params.dir == "desc",
        limit=params.limit,
        offset=params.offset,
    )


def json_number(number: int, scale: int) -> Raw:
    """`number` / 10^`scale`, exactly."""
    return Raw(decimal_text(number, scale).encode())
