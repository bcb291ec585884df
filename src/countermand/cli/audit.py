"""`countermand audit`."""

from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import Parameter

from countermand.audit import run
from countermand.cli.reasons import examined
from countermand.settings import ENV_PREFIX, Settings


def audit(
    *,
    data: Annotated[Path, Parameter(help="the venue's data directory", env_var=f"{ENV_PREFIX}DATA")] = Path(
        "./.countermand"
    ),
    database_url: Annotated[
        str | None, Parameter(help="the venue's PostgreSQL", env_var=f"{ENV_PREFIX}DATABASE_URL")
    ] = None,
) -> int:
    """Replay the journal, compare it with the rows and the chain, and print the conservation table.

    Exit status 1 if anything differs. A venue that runs meanwhile is not disturbed.
    """
    settings = Settings(data=data, database_url=database_url)
    of = (None, settings.database_url) if settings.database_url is not None else (settings.data, None)
    return examined(lambda: uvloop.run(run.main(*of)))
