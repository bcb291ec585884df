"""Whether the database is one that this program can audit, and whether it was made by the migrations that it names."""

from typing import Final

from countermand.audit.findings import Audit
from countermand.audit.not_checked import TABLES
from countermand.store.migrations import MigrationRefused, packaged
from countermand.store.snapshot import Snapshot

_TABLES: Final = "SELECT relname::text FROM pg_catalog.pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid)"
"""In whatever schema they are: one of the role's own name goes before `public`."""
_MIGRATIONS: Final = "SELECT number, name, checksum FROM migrations ORDER BY number"


async def check_migrations(snapshot: Snapshot, found: Audit) -> None:
    """Raises `MigrationRefused` for a database of an older or a newer version."""
    there = dict.fromkeys(name for (name,) in await snapshot.fetch(_TABLES))
    lacking = [table for table in TABLES if table not in there]
    if lacking:
        raise MigrationRefused(
            f"the database has no table {lacking[0]}: it is none of a venue, or of an older Countermand; "
            "audit it with the version that served it last"
        )
    applied = {number: (name, checksum) for number, name, checksum in await snapshot.fetch(_MIGRATIONS)}
    newest = max(applied, default=0)
    for migration in packaged():
        if migration.number > newest:
            raise MigrationRefused(
                f"migrations {migration.number}: the database lacks {migration.name}: it is of an older Countermand; "
                "audit it with the version that served it last"
            )
        row = applied.pop(migration.number, None)
        if row is None:
            found.differs("migrations", migration.number, f"the row of {migration.name} is missing")
        elif row != (migration.name, migration.checksum):
            found.differs("migrations", migration.number, f"{row[0]} is not the {migration.name} of this version")
    for number, (name, _) in applied.items():
        raise MigrationRefused(
            f"migrations {number}: this version does not know {name}; audit with the version that served it last"
        )
