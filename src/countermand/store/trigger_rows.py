"""How trigger orders are written, see `store.writer.FamilyStatements`."""

from typing import Any, Final

from countermand.orders.trigger.ports import TriggerRows
from countermand.store.vault_rows import vault_family
from countermand.store.writer import FIRST_PARAMETER
from countermand.values.structs import replace

_SHARED: Final = vault_family("", "expires_at")
_FIRST: Final = FIRST_PARAMETER + len(_SHARED.arguments(TriggerRows()))
_WATERMARKS: Final = f"""
INSERT INTO watermarks (shard, mint, direction, body)
SELECT fence.shard, added.* FROM fence
    CROSS JOIN unnest(${_FIRST}::text[], ${_FIRST + 1}::text[], ${_FIRST + 2}::bytea[]) AS added
ON CONFLICT (shard, mint, direction) DO UPDATE SET body = excluded.body
"""  # noqa: S608


def _arguments(rows: TriggerRows) -> tuple[Any, ...]:
    return (
        *_SHARED.arguments(rows),
        [row.mint for row in rows.watermarks],
        [row.direction for row in rows.watermarks],
        [row.body for row in rows.watermarks],
    )


TRIGGER_FAMILY: Final = replace(
    _SHARED,
    parts={**_SHARED.parts, "watermark_rows": _WATERMARKS},
    resets=(*_SHARED.resets, "DELETE FROM watermarks WHERE shard = $1"),
    arguments=_arguments,
)
