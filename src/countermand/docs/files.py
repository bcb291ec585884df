"""The viewer of the OpenAPI documents, Swagger UI, at `/docs`."""

from pathlib import Path
from typing import Final

from countermand.gateway.files import BuiltFiles, built_files, policy

BUILT: Final = Path(__file__).parent / "built"


def viewer_files() -> BuiltFiles | None:
    """The icons of Swagger UI are `data:` in its style sheet."""
    return built_files(BUILT, policy(images="'self' data:"))
