"""How recurring orders are written, see `store.writer.Family`."""

from typing import Any, Final

from countermand.orders.dca.ports import DcaRows
from countermand.store.writer import FamilyStatements

_ORDERS: Final = """
INSERT INTO dca_orders (
    shard, id, bucket, wallet, live, active, input_mint, output_mint, created_at, updated_at, next_fill_at, body
)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($18::uuid[], $19::smallint[], $20::text[], $21::boolean[], $22::boolean[], $23::text[], $24::text[],
           $25::bigint[], $26::bigint[], $27::bigint[], $28::bytea[]) AS added
ON CONFLICT (id) DO UPDATE SET
    bucket = excluded.bucket, wallet = excluded.wallet, live = excluded.live, active = excluded.active,
    input_mint = excluded.input_mint, output_mint = excluded.output_mint, created_at = excluded.created_at,
    updated_at = excluded.updated_at, next_fill_at = excluded.next_fill_at, body = excluded.body
"""
_CRAFTS: Final = """
INSERT INTO dca_crafts (shard, request_id, bucket, order_id, last_valid_height, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($29::uuid[], $30::smallint[], $31::uuid[], $32::bigint[], $33::bytea[]) AS added
ON CONFLICT (request_id) DO NOTHING
"""


def _arguments(rows: DcaRows) -> tuple[Any, ...]:
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
        [row.next_fill_at for row in orders],
        [row.body for row in orders],
        [row.request_id for row in crafts],
        [row.bucket for row in crafts],
        [row.order_id for row in crafts],
        [row.last_valid_height for row in crafts],
        [row.body for row in crafts],
    )


DCA_FAMILY: Final = FamilyStatements(
    {
        "order_rows": _ORDERS,
        "craft_rows": _CRAFTS,
    },
    (
        "DELETE FROM dca_orders WHERE shard = $1",
        "DELETE FROM dca_crafts WHERE shard = $1",
    ),
    _arguments,
)
