"""The console at `/`, and the rest of it at `/console/…`."""

from pathlib import Path
from typing import Final

from countermand.gateway.files import BuiltFiles, built_files, policy

BUILT: Final = Path(__file__).parent / "built"
VENUE_PAGE: Final = "venue.html"
"""The page of a venue, which asks for an operator's key first."""


def console_files() -> BuiltFiles | None:
    return built_files(BUILT, policy())
