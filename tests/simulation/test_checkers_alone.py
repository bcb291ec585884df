"""The checkers share no code with what they check."""

import ast
from pathlib import Path
from types import ModuleType

import pytest

from countermand_simulator import checkers, violation
from countermand_simulator.book import checkers as book_checkers

SHARED = ("countermand_simulator.chained", "countermand_simulator.landings", "countermand_simulator.violation")


@pytest.mark.parametrize("package", [checkers, book_checkers])
def test_the_checkers_import_nothing_of_ours_but_themselves(package: ModuleType) -> None:
    files = [*sorted(Path(str(package.__file__)).parent.glob("*.py")), Path(violation.__file__)]
    assert len(files) > 4
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = [name for name in names if name.startswith("countermand")]
            foreign = [name for name in ours if not name.startswith((package.__name__, *SHARED))]
            assert not foreign, f"{file.name} imports {foreign}"
