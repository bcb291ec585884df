"""How orders in vaults and their deposits are written, see `store.writer.FamilyStatements`."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from countermand.orders.vaults.ports import CraftRow, VaultOrderRow
from countermand.store.rows_inserted import as_columns, inserted
from countermand.store.writer import FIRST_PARAMETER, FamilyStatements

_SHARED: Final = {
    "id": "uuid",
    "bucket": "smallint",
    "wallet": "text",
    "live": "boolean",
    "active": "boolean",
    "input_mint": "text",
    "output_mint": "text",
    "created_at": "bigint",
    "updated_at": "bigint",
    "body": "bytea",
}
_CRAFT: Final = {
    "request_id": "uuid",
    "bucket": "smallint",
    "order_id": "uuid",
    "last_valid_height": "bigint",
    "body": "bytea",
}


class VaultRows(Protocol):
    @property
    def orders(self) -> Sequence[VaultOrderRow]: ...

    @property
    def crafts(self) -> Sequence[CraftRow]: ...


def vault_family(prefix: str, instant: str) -> FamilyStatements:
    """The statements of a family whose tables begin with `prefix`. `instant`: the column that it alone has."""
    orders, crafts = f"{prefix}orders", f"{prefix}crafts"
    columns = {**_SHARED, instant: "bigint"}
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
    parts = {
        "order_rows": f"{inserted(orders, columns, FIRST_PARAMETER)} ON CONFLICT (id) DO UPDATE SET {changed}",
        "craft_rows": f"{inserted(crafts, _CRAFT, FIRST_PARAMETER + len(columns))} ON CONFLICT (request_id) DO NOTHING",
    }
    of_orders, of_crafts = as_columns(columns), as_columns(_CRAFT)

    def arguments(rows: VaultRows) -> tuple[Any, ...]:
        return (*of_orders(rows.orders), *of_crafts(rows.crafts))

    resets = (f"DELETE FROM {orders} WHERE shard = $1", f"DELETE FROM {crafts} WHERE shard = $1")  # noqa: S608
    return FamilyStatements(parts, resets, arguments)
