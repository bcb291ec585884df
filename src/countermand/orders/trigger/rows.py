"""Trigger orders, their deposits, their vaults and what they trail, as they are stored."""

from collections.abc import Sequence
from typing import Final

import msgspec

from countermand.kernel.journal import encode
from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.lifecycle import ACTIVE, is_dormant
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.model.trailing import Move, Watermarks
from countermand.orders.trigger.ports import OrderRow, WatermarkRow
from countermand.values.bucket import bucket_of
from countermand.values.identity import Mint


def watermark_row(mint: Mint, watermarks: Watermarks) -> WatermarkRow:
    return WatermarkRow(mint, watermarks.direction.value, encode(StoredWatermarks(watermarks.mark, watermarks.moves)))


def watermarks_of(row: WatermarkRow) -> Watermarks:
    """Raises one of `stored_rows.UNREADABLE`."""
    stored = _WATERMARKS.decode(row.body)
    return Watermarks(Direction(row.direction), stored.mark, stored.moves)


class StoredWatermarks(msgspec.Struct, frozen=True):
    mark: int
    moves: Sequence[Move]


_WATERMARKS: Final = msgspec.json.Decoder(StoredWatermarks)


def order_row(group: OrderGroup) -> OrderRow:
    terms = group.terms
    return OrderRow(
        id=group.id,
        bucket=bucket_of(terms.wallet),
        wallet=terms.wallet,
        live=not is_dormant(group),
        active=group.state in ACTIVE,
        input_mint=terms.input_mint,
        output_mint=terms.output_mint,
        created_at=group.created_at,
        updated_at=group.updated_at,
        expires_at=group.expires_at,
        body=encode(group),
    )
