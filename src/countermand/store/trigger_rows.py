"""How trigger orders are written, see `store.writer.FamilyStatements`."""

from typing import Any, Final

from countermand.orders.trigger.ports import TriggerRows
from countermand.store.rows_inserted import as_columns, inserted
from countermand.store.vault_rows import vault_family
from countermand.store.writer import FIRST_PARAMETER
from countermand.values.structs import replace

_SHARED: Final = vault_family("", "expires_at")
_WATERMARK: Final = {"mint": "text", "direction": "text", "body": "bytea"}
_WATERMARKS_AT: Final = FIRST_PARAMETER + len(_SHARED.arguments(TriggerRows()))
_OF_WATERMARKS: Final = as_columns(_WATERMARK)


def _arguments(rows: TriggerRows) -> tuple[Any, ...]:
    return (*_SHARED.arguments(rows), *_OF_WATERMARKS(rows.watermarks))


TRIGGER_FAMILY: Final = replace(
    _SHARED,
    parts={
        **_SHARED.parts,
        "watermark_rows": inserted("watermarks", _WATERMARK, _WATERMARKS_AT)
        + " ON CONFLICT (shard, mint, direction) DO UPDATE SET body = excluded.body",
    },
    resets=(*_SHARED.resets, "DELETE FROM watermarks WHERE shard = $1"),
    arguments=_arguments,
)
