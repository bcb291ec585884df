"""The store of recurring orders: PostgreSQL."""

from countermand.orders.dca.ports import DcaRows
from countermand.orders.dca.records import SHOWN
from countermand.store.vault_postgres import VaultPostgres
from countermand.store.vault_rows import vault_family


class PostgresDcaStore(VaultPostgres[DcaRows]):
    """`orders.dca.ports.Store`. Expects the schema to be there: `migrate` comes first."""

    prefix = "dca_"
    instant = "next_fill_at"
    shown = SHOWN
    family = vault_family(prefix, instant)
