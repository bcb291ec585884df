"""How trigger orders are written, see `store.writer.Family`."""

from typing import Any, Final

from countermand.orders.trigger.ports import TriggerRows
from countermand.store.writer import FamilyStatements

_ORDERS: Final = """
INSERT INTO orders (shard, id, wallet, live, active, input_mint, output_mint, created_at, updated_at, expires_at, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($18::uuid[], $19::text[], $20::boolean[], $21::boolean[], $22::text[], $23::text[],
           $24::bigint[], $25::bigint[], $26::bigint[], $27::bytea[]) AS added
ON CONFLICT (id) DO UPDATE SET
    wallet = excluded.wallet, live = excluded.live, active = excluded.active,
    input_mint = excluded.input_mint, output_mint = excluded.output_mint, created_at = excluded.created_at,
    updated_at = excluded.updated_at, expires_at = excluded.expires_at, body = excluded.body
"""
_CRAFTS: Final = """
INSERT INTO crafts (shard, request_id, order_id, last_valid_height, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($28::uuid[], $29::uuid[], $30::bigint[], $31::bytea[]) AS added
ON CONFLICT (request_id) DO NOTHING
"""
_VAULTS: Final = """
INSERT INTO vaults (shard, wallet, registered_at)
SELECT fence.shard, added.* FROM fence CROSS JOIN unnest($32::text[], $33::bigint[]) AS added
ON CONFLICT (wallet) DO NOTHING
"""
_BUILDS: Final = """
INSERT INTO builds (shard, digest, request_id, last_valid_height, body)
SELECT fence.shard, added.* FROM fence CROSS JOIN
    unnest($34::bytea[], $35::uuid[], $36::bigint[], $37::bytea[]) AS added
ON CONFLICT (digest) DO NOTHING
"""


def _arguments(rows: TriggerRows) -> tuple[Any, ...]:
    orders, crafts, builds = rows.orders, rows.crafts, rows.builds
    return (
        [row.id for row in orders],
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
        [row.order_id for row in crafts],
        [row.last_valid_height for row in crafts],
        [row.body for row in crafts],
        [wallet for wallet, _ in rows.vaults],
        [at for _, at in rows.vaults],
        [row.digest for row in builds],
        [row.request_id for row in builds],
        [row.last_valid_height for row in builds],
        [row.body for row in builds],
    )


TRIGGER_FAMILY: Final = FamilyStatements(
    {
        "order_rows": _ORDERS,
        "craft_rows": _CRAFTS,
        "vault_rows": _VAULTS,
        "build_rows": _BUILDS,
    },
    (
        "DELETE FROM orders WHERE shard = $1",
        "DELETE FROM crafts WHERE shard = $1",
        "DELETE FROM builds WHERE shard = $1",
        "DELETE FROM vaults WHERE shard = $1",
    ),
    _arguments,
)
