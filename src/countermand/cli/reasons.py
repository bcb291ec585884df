"""What may go wrong outside of us when a command begins, in one line and without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from countermand.engine.ports import Unavailable
from countermand.settings import StartRefused
from countermand.store.embedded import PostgresUnavailable
from countermand.store.migrations import MigrationRefused
from countermand.store.venue_postgres import VenueRefused


@contextmanager
def one_line_reasons() -> Iterator[None]:
    """Turns what the store says when it cannot be opened into a refusal to start."""
    try:
        yield
    except (PostgresUnavailable, Unavailable, MigrationRefused, VenueRefused) as error:
        raise StartRefused(str(error)) from error
