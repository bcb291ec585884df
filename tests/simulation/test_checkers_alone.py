"""The checkers share no code with what they check."""

import ast
from pathlib import Path

from countermand.simulation import checkers

ALLOWED = (
    "countermand.simulation.checkers",
    "countermand.simulation.landings",
    "countermand.simulation.violation",
)


def test_the_checkers_import_nothing_of_ours_but_themselves() -> None:
    files = sorted(Path(checkers.__file__).parent.glob("*.py"))
    assert len(files) > 3
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            foreign = [name for name in names if name.startswith("countermand") and not name.startswith(ALLOWED)]
            assert not foreign, f"{file.name} imports {foreign}"
