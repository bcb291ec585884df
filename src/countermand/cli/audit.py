"""`countermand audit`."""

from pathlib import Path
from typing import Annotated

import msgspec
import uvloop
from cyclopts import Parameter
from rich.console import Console

from countermand.audit import run
from countermand.audit.wire import as_wire
from countermand.cli.options import File
from countermand.cli.progress import progress
from countermand.cli.reasons import examined
from countermand.services.custody.vaults import SeedRefused
from countermand.settings import ENV_PREFIX, Settings, StartRefused


def audit(
    *,
    data: Annotated[File, Parameter(help="the venue's data directory", env_var=f"{ENV_PREFIX}DATA")] = Path(
        "./.countermand"
    ),
    database_url: Annotated[
        str | None, Parameter(help="the venue's PostgreSQL", env_var=f"{ENV_PREFIX}DATABASE_URL")
    ] = None,
    master_seed: Annotated[
        File | None,
        Parameter(
            help="the file of the master seed, if it is not in the data directory", env_var=f"{ENV_PREFIX}MASTER_SEED"
        ),
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON", negative="")] = False,
) -> int:
    """Replay the journal, compare it with every table and the chain, and print what differs and what is not checked.

    Exit status 1 if anything differs. A venue that runs meanwhile is not disturbed.
    """
    settings = Settings(data=data, database_url=database_url, master_seed=master_seed)
    watched = run.Watched()
    of = None if settings.database_url is not None else settings.data

    def audited() -> int:
        try:
            with progress(lambda: f"{watched.entries} journal entries replayed" if watched.entries else "auditing"):
                found = uvloop.run(
                    run.audited(of, settings.database_url, master_seed=settings.master_seed, watch=watched)
                )
        except SeedRefused as refused:
            raise StartRefused(str(refused)) from refused
        if as_json:
            print(msgspec.json.encode(as_wire(found)).decode())
        else:
            run.show(found, Console())
        return 0 if found.ok else 1

    return examined(audited)
