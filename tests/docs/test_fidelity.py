"""The page that says where each answer comes from: it is as the tables are, and leaves no answer out."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from countermand import dialects
from countermand.dialects.price_v2 import fidelity as price_v2
from countermand.dialects.price_v2 import routes as price_v2_routes
from countermand.dialects.price_v3 import fidelity as price_v3
from countermand.dialects.price_v3 import routes as price_v3_routes
from countermand.dialects.recurring_v1 import fidelity as recurring_v1
from countermand.dialects.recurring_v1 import routes as recurring_v1_routes
from countermand.dialects.swap_v1 import fidelity as swap_v1
from countermand.dialects.swap_v1 import routes as swap_v1_routes
from countermand.dialects.swap_v1.refusals import WORDS as SWAP_WORDS
from countermand.dialects.tanx import auth, public_routes
from countermand.dialects.tanx import fidelity as tanx
from countermand.dialects.tanx import routes as tanx_routes
from countermand.dialects.tokens_v2 import fidelity as tokens_v2
from countermand.dialects.tokens_v2 import routes as tokens_v2_routes
from countermand.dialects.trigger_v1 import fidelity as trigger_v1
from countermand.dialects.trigger_v1 import routes as trigger_v1_routes
from countermand.dialects.trigger_v2 import fidelity as trigger_v2
from countermand.dialects.trigger_v2 import routes as trigger_v2_routes
from countermand.dialects.trigger_v2.refusals import WORDS
from countermand.sources import KnownAnswer, Source, SourceKind
from scripts.write_docs import FIDELITY, fidelity_page

PACKAGE = Path(next(iter(dialects.__path__)))
SHARED = PACKAGE.parent / "error_answers.py"
NOTHING: Any = SimpleNamespace(orders=None, dca=None)
PLACE = re.compile(r"\{[^}]*\}")


def test_the_page_is_as_the_tables_are() -> None:
    assert FIDELITY.read_text(encoding="utf-8") == fidelity_page(), "run python -m scripts.write_docs"


@pytest.mark.parametrize("module", [trigger_v2, trigger_v1, recurring_v1, tanx, swap_v1, price_v2, price_v3, tokens_v2])
def test_every_source_names_what_it_is(module: ModuleType) -> None:
    """What is documented or observed says where."""
    sources: list[Source] = [each.source for each in module.ANSWERS]
    tables: list[Mapping[Any, Source]] = [
        module.SHAPES,
        getattr(module, "REFUSALS", {}),
        getattr(module, "DCA_REFUSALS", {}),
    ]
    for table in tables:
        sources += table.values()
    assert all(source.where or source.kind is SourceKind.OURS for source in sources)


def test_every_path_of_each_dialect_has_a_source() -> None:
    v2 = {path.removeprefix(trigger_v2_routes.ROOT) for path, _ in trigger_v2_routes.resources(NOTHING)}
    assert v2 == set(trigger_v2.SHAPES)
    assert {path for path, _ in trigger_v1_routes.resources(NOTHING)} == set(trigger_v1.SHAPES)
    assert {path for path, _ in recurring_v1_routes.resources(NOTHING)} == set(recurring_v1.SHAPES)
    assert {path for path, _ in swap_v1_routes.resources(NOTHING)} == set(swap_v1.SHAPES)
    assert {path for path, _ in price_v2_routes.resources(NOTHING, NOTHING, NOTHING)} == set(price_v2.SHAPES)
    v3 = price_v3_routes.resources(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
    assert {path for path, _ in v3} == set(price_v3.SHAPES)
    assert {path for path, _ in tokens_v2_routes.resources(NOTHING)} == set(tokens_v2.SHAPES)
    paths = {
        *(path.replace("{which}", "{id}") for path, _ in tanx_routes.resources(NOTHING)),
        *(path for path, _ in public_routes.resources(NOTHING, NOTHING)),
        *(path for path, _ in auth.resources(NOTHING)),
    }
    older = {*auth.NONCE_PATHS[1:], *auth.LOGIN_PATHS[1:], *auth.REFRESH_PATHS[1:]}
    assert paths - older == set(tanx.SHAPES)


@pytest.mark.parametrize(
    ("name", "module", "makers"),
    [
        ("trigger_v2", trigger_v2, {"error"}),
        ("trigger_v1", trigger_v1, {"error", "failed", "complains"}),
        ("recurring_v1", recurring_v1, {"RecurringDeclined"}),
        ("tanx", tanx, {"problem"}),
        ("swap_v1", swap_v1, {"error"}),
        ("price_v2", price_v2, {"error"}),
        ("price_v3", price_v3, {"error"}),
        ("tokens_v2", tokens_v2, {"error"}),
    ],
)
def test_every_answer_that_a_dialect_words_is_in_its_table(name: str, module: ModuleType, makers: set[str]) -> None:
    known = {PLACE.sub("{}", each.words) for each in module.ANSWERS} | {each.text for each in WORDS.values()}
    known |= {words for words, _ in SWAP_WORDS.values()}
    files = list((PACKAGE / name).glob("*.py"))
    if any("from countermand.error_answers" in file.read_text(encoding="utf-8") for file in files):
        files.append(SHARED)
    worded = {words for file in files for words in _worded(file, makers)}
    assert len(worded) > 4
    assert worded - known == set()


def _worded(file: Path, makers: set[str]) -> Iterator[str]:
    """The texts of the answers that are made in a file, `{}` for what varies. A text by its name is looked up."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    texts: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                texts[name] = text
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
            for argument in node.args[:2]:
                match argument:
                    case ast.Constant(value=str(words)):
                        yield PLACE.sub("{}", words)
                    case ast.JoinedStr(values=parts):
                        yield "".join(
                            each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else "{}"
                            for each in parts
                        )
                    case ast.Name(id=called) if called in texts:
                        yield PLACE.sub("{}", texts[called])


def test_a_word_that_is_not_listed_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "routes.py"
    file.write_text('WORDS: Final = "by its name"\na = error(400, "new"), error(404, f"no {x}"), error(400, WORDS)\n')
    assert set(_worded(file, {"error"})) == {"new", "no {}", "by its name"}
    assert PLACE.sub("{}", KnownAnswer(400, "a {b}", "all", Source(SourceKind.OURS)).words) == "a {}"
