"""How trigger orders are written, see `store.writer.Family`."""

from typing import Any, Final

from countermand.orders.trigger.ports import TriggerRows
from countermand.store.writer import FamilyStatements

_ORDERS: Final = """
INSERT INTO orders (
    shard, id, bucket, wallet, live, active, input_mint, output_mint, created_at, updated_at, expires_at, body
)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($18::uuid[], $19::smallint[], $20::text[], $21::boolean[], $22::boolean[], $23::text[], $24::text[],
           $25::bigint[], $26::bigint[], $27::bigint[], $28::bytea[]) AS added
ON CONFLICT (id) DO UPDATE SET
    bucket = excluded.bucket, wallet = excluded.wallet, live = excluded.live, active = excluded.active,
    input_mint = excluded.input_mint, output_mint = excluded.output_mint, created_at = excluded.created_at,
    updated_at = excluded.updated_at, expires_at = excluded.expires_at, body = excluded.body
"""
_CRAFTS: Final = """
INSERT INTO crafts (shard, request_id, bucket, order_id, last_valid_height, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($29::uuid[], $30::smallint[], $31::uuid[], $32::bigint[], $33::bytea[]) AS added
ON CONFLICT (request_id) DO NOTHING
"""
_WATERMARKS: Final = """
INSERT INTO watermarks (shard, mint, direction, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN unnest($34::text[], $35::text[], $36::bytea[]) AS added
ON CONFLICT (shard, mint, direction) DO UPDATE SET body = excluded.body
"""


def _arguments(rows: TriggerRows) -> tuple[Any, ...]:
    orders, crafts = rows.orders, rows.crafts
    return (
        [row.id for row in orders],
        [row.bucket for row in orders],
        [row.wallet for row in orders],
        [row.live for row in orders],
        [row.active for row in orders],
        [row.input_mint for row in orders],
        [row.output_mint for row in orders],
        [row.created_at for row in orders],
        [row.updated_at for row in orders],
        [row.expires_at for row in orders],
        [row.body for row in orders],
        [row.request_id for row in crafts],
        [row.bucket for row in crafts],
        [row.order_id for row in crafts],
        [row.last_valid_height for row in crafts],
        [row.body for row in crafts],
        [row.mint for row in rows.watermarks],
        [row.direction for row in rows.watermarks],
        [row.body for row in rows.watermarks],
    )


TRIGGER_FAMILY: Final = FamilyStatements(
    {
        "order_rows": _ORDERS,
        "craft_rows": _CRAFTS,
        "watermark_rows": _WATERMARKS,
    },
    (
        "DELETE FROM orders WHERE shard = $1",
        "DELETE FROM crafts WHERE shard = $1",
        "DELETE FROM watermarks WHERE shard = $1",
    ),
    _arguments,
)
