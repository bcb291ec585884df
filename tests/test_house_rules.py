"""The rules of the house that neither the type checker nor the import contracts can see."""

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "countermand"
SETS = {"set", "frozenset", "Set", "AbstractSet", "FrozenSet", "MutableSet"}
IN_ORDER_OF_ITERATION = {"list", "tuple", "iter", "enumerate", "next", "map", "filter", "zip"}
PURE = re.compile(r"countermand\.(values|orders\.\w+\.model)\.")
SPECIAL_FIELD = re.compile(r"field\(.*(repr|compare|init)=False")
THREADS = {"threading", "concurrent", "multiprocessing", "_thread"}
THREADS_OF_ASYNCIO = {"to_thread", "run_in_executor", "run_coroutine_threadsafe"}

Finding = tuple[int, str]
Rule = Callable[[ast.AST], Iterator[Finding]]


def floats(tree: ast.AST) -> Iterator[Finding]:
    """Money and prices are whole numbers: no float by name, by literal, or by true division."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="float"):
                yield node.lineno, "float"
            case ast.Constant(value=float() | complex()):
                yield node.lineno, f"the literal {node.value!r}"
            case ast.BinOp(op=ast.Div(), lineno=line) | ast.AugAssign(op=ast.Div(), lineno=line):
                yield line, "true division"


def foreign_imports(tree: ast.AST) -> Iterator[Finding]:
    """A model imports the standard library, the values and itself. (Import contracts keep it from other families.)

    `values/structs.py` alone imports a library for them.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if node.level == 0 else ["(a relative import)"]
        else:
            continue
        for name in names:
            if name.split(".")[0] not in sys.stdlib_module_names and not PURE.match(f"{name}."):
                yield node.lineno, f"imports {name}"


def dataclasses(tree: ast.AST) -> Iterator[Finding]:
    """Python makes a dataclass forty times slower than a `Struct`. It is for what a `Struct` cannot do with a field."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name, decorator_list=[ast.expr() as decorator, *_]):
                if "dataclass" in ast.unparse(decorator) and not SPECIAL_FIELD.search(ast.unparse(node)):
                    yield node.lineno, f"the dataclass {name}"


def foreign_fields(tree: ast.AST) -> Iterator[Finding]:
    """In a `Struct`, the `field` of a dataclass is the default itself. No type checker says so."""
    nodes = list(ast.walk(tree))
    imports = [each for each in nodes if isinstance(each, ast.ImportFrom) and each.module == "dataclasses"]
    if "field" not in [alias.asname or alias.name for each in imports for alias in each.names]:
        return
    for node in nodes:
        if isinstance(node, ast.ClassDef) and any("Struct" in ast.unparse(base) for base in node.bases):
            for call in ast.walk(node):
                match call:
                    case ast.Call(func=ast.Name(id="field")):
                        yield call.lineno, f"a dataclass's field in {node.name}"


def changing_values(tree: ast.AST) -> Iterator[Finding]:
    """Python does not look for garbage at a `Struct` of the values, unless it says so; one that changes may be some."""
    nodes = list(ast.walk(tree))
    imports = [
        each for each in nodes if isinstance(each, ast.ImportFrom) and each.module == "countermand.values.structs"
    ]
    if "Struct" not in [alias.name for each in imports for alias in each.names]:
        return
    for node in nodes:
        match node:
            case ast.ClassDef(name=name, bases=[ast.Name(id="Struct"), *_], keywords=keywords):
                said = {
                    each.arg for each in keywords if isinstance(each.value, ast.Constant) and each.value.value is True
                }
                if not said & {"frozen", "gc"}:
                    yield node.lineno, f"{name} changes, and is not looked at"


def stand_ins(tree: ast.AST) -> Iterator[Finding]:
    """The kernel is typed to its door: nothing stands in for a type. (mypy refuses an explicit `Any` there.)"""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="cast" | "object" as name):
                yield node.lineno, name


def iterated_sets(tree: ast.AST) -> Iterator[Finding]:
    """The order of a set differs from process to process, and a replay must not. `sorted(a_set)` is fine."""
    known = _names_of_sets(tree)
    for node in ast.walk(tree):
        iterated: list[ast.expr] = []
        match node:
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                iterated = [node.iter]
            case ast.Starred(value=value) | ast.YieldFrom(value=value):
                iterated = [value]
            case ast.Call(func=ast.Name(id=name)) if name in IN_ORDER_OF_ITERATION:
                iterated = node.args
            case ast.Call(func=ast.Attribute(attr="pop", value=value), args=[]):
                iterated = [value]
        for expression in iterated:
            if _is_a_set(expression, known):
                yield expression.lineno, f"iterates over {ast.unparse(expression)}"


def threads(tree: ast.AST) -> Iterator[Finding]:
    """Under virtual time there is one thread; and `asyncio.wait` answers with sets."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if any(alias.name.split(".")[0] in THREADS for alias in names):
                yield node.lineno, "imports threads"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in THREADS:
                yield node.lineno, "imports threads"
            case ast.ImportFrom(module="asyncio", names=names) if any(alias.name == "wait" for alias in names):
                yield node.lineno, "asyncio.wait"
            case ast.Attribute(value=ast.Name(id="asyncio"), attr="wait"):
                yield node.lineno, "asyncio.wait"
            case ast.Attribute(attr=name) if name in THREADS_OF_ASYNCIO:
                yield node.lineno, name


def _names_of_sets(tree: ast.AST) -> set[str]:
    """What in this file is a set by its annotation or its first value: variables, attributes, parameters, functions."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name)) if _annotates_a_set(
                node.annotation
            ):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)]) if _is_a_set(node.value, set()):
                names.add(name)
            case ast.arg(arg=name, annotation=ast.expr() as annotation) if _annotates_a_set(annotation):
                names.add(name)
            case ast.FunctionDef(name=name, returns=ast.expr() as annotation) if _annotates_a_set(annotation):
                names.add(name)
    return names


def _annotates_a_set(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Subscript):
        if isinstance(annotation.value, ast.Name) and annotation.value.id == "Final":
            return _annotates_a_set(annotation.slice)
        annotation = annotation.value
    return isinstance(annotation, ast.Name) and annotation.id in SETS


def _is_a_set(expression: ast.expr, known: set[str]) -> bool:
    match expression:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in known
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in known or name in SETS or name in {"union", "intersection", "difference"}
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return _is_a_set(expression.left, known) or _is_a_set(expression.right, known)
    return False


MODELS = "orders/*/model"
LIBRARY_OF_VALUES = PACKAGE / "values" / "structs.py"
OF_A_VENUE = sorted({file.parent.name for file in PACKAGE.glob("*/__init__.py")} - {"client", "curves", "testkit"})

RULES: list[tuple[Rule, str]] = [
    (floats, MODELS),
    (floats, "values"),
    (foreign_imports, MODELS),
    (foreign_imports, "values"),
    (iterated_sets, "kernel"),
    (iterated_sets, "orders"),
    (iterated_sets, "services"),
    (iterated_sets, "values"),
    (stand_ins, "kernel"),
    (threads, "kernel"),
    (threads, "orders"),
    (threads, "services"),
    *((dataclasses, part) for part in OF_A_VENUE),
    *((foreign_fields, part) for part in OF_A_VENUE),
    *((changing_values, part) for part in OF_A_VENUE),
]


@pytest.mark.parametrize(("rule", "part"), RULES, ids=lambda value: getattr(value, "__name__", value))
def test_the_house_keeps_its_rules(rule: Rule, part: str) -> None:
    files = sorted(file for folder in PACKAGE.glob(part) for file in folder.rglob("*.py"))
    assert files
    broken = [
        f"{file.relative_to(PACKAGE)}:{line}: {what}"
        for file in files
        if (rule, file) != (foreign_imports, LIBRARY_OF_VALUES)
        for line, what in rule(ast.parse(file.read_text()))
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (floats, "def price() -> float: ..."),
        (floats, "x = 0.5"),
        (floats, "x = a / b"),
        (foreign_imports, "import msgspec"),
        (foreign_imports, "from countermand.kernel import shard"),
        (foreign_imports, "from . import order"),
        (dataclasses, "@dataclass(frozen=True, slots=True)\nclass Order: ..."),
        (
            foreign_fields,
            "from dataclasses import field\nclass A(Struct):\n    x: set[int] = field(default_factory=set)",
        ),
        (changing_values, "from countermand.values.structs import Struct\nclass A(Struct): ..."),
        (changing_values, "from countermand.values.structs import Struct\nclass A(Struct, frozen=False): ..."),
        (stand_ins, "x: object = 1"),
        (stand_ins, "x = cast(int, y)"),
        (iterated_sets, "for x in {1, 2}: ..."),
        (iterated_sets, "def f(crossed: set[int]) -> list[int]: return [x for x in crossed]"),
        (
            iterated_sets,
            "class C:\n    def __init__(self) -> None:\n        self.due = set()\n        print(*self.due)",
        ),
        (iterated_sets, "x = list(frozenset(y))"),
        (iterated_sets, "x: Final[frozenset[int]] = f()\ny = tuple(x - z)"),
        (iterated_sets, "x = set()\nx.pop()"),
        (threads, "import threading"),
        (threads, "from concurrent.futures import ThreadPoolExecutor"),
        (threads, "await asyncio.wait(tasks)"),
        (threads, "await loop.run_in_executor(None, f)"),
    ],
)
def test_each_rule_sees_what_breaks_it(rule: Rule, broken: str) -> None:
    assert list(rule(ast.parse(broken)))


@pytest.mark.parametrize(
    ("rule", "sound"),
    [
        (floats, "x = a // b"),
        (foreign_imports, "import enum\nfrom countermand.values.quantities import BaseLots"),
        (dataclasses, "@dataclass\nclass Key:\n    secret: bytes = field(repr=False)"),
        (
            foreign_fields,
            "from msgspec import Struct, field\nclass A(Struct):\n    x: set[int] = field(default_factory=set)",
        ),
        (changing_values, "from countermand.values.structs import Struct\nclass A(Struct, gc=True): ..."),
        (
            changing_values,
            "from countermand.values.structs import Struct\nclass A(Struct, Generic[T], frozen=True): ...",
        ),
        (changing_values, "from msgspec import Struct\nclass A(Struct): ..."),
        (iterated_sets, "x = {1, 2}\nfor y in sorted(x): ...\nz = 1 in x"),
        (iterated_sets, "x = {}\nfor y in x: ...\nx.pop(y)"),
        (threads, "await asyncio.wait_for(x, 1)"),
    ],
)
def test_no_rule_sees_more(rule: Rule, sound: str) -> None:
    assert not list(rule(ast.parse(sound)))


INSIDE = (
    "admin",
    "app",
    "audit",
    "gateway",
    "inspection",
    "kernel",
    "orders",
    "rescue",
    "sandbox",
    "services",
    "solana",
    "store",
    "values",
)
"""Without dialects and clients, whose shapes have the names of their APIs."""


def test_a_class_name_has_one_meaning() -> None:
    """But for what families have at the same place. `Token`: the models' look at the one of the registry."""
    found: dict[str, dict[str, None]] = {}
    for file in sorted(file for part in INSIDE for file in (PACKAGE / part).rglob("*.py")):
        place = re.sub(r"^orders/\w+/", "orders/*/", file.relative_to(PACKAGE).as_posix())
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, {})[place] = None
    assert {name: [*places] for name, places in found.items() if len(places) > 1 and name != "Token"} == {}


def test_each_family_has_its_refusals_at_the_same_place() -> None:
    for file in (PACKAGE / "orders").rglob("*.py"):
        names = [node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)]
        if any(name.endswith("Refusal") for name in names):
            assert file.parts[-2:] == ("model", "refusals.py"), file


ROOT = PACKAGE.parents[1]
WRITTEN_IN = ("benchmarks", "console/src", "docs", "examples", "programs", "scripts", "src", "tests")
TEXTS = {".c", ".h", ".js", ".md", ".mjs", ".py", ".sql", ".ts", ".tsx"}
OF_OTHERS = {"__pycache__", ".venvs", "built", "node_modules"}
VAGUE = re.compile(r"(?i)whoever|somebody|anybody|(?<!\")nobody|nobody(?!\")|(?<![a-z])whom(?![a-z])")
"""`"nobody"` is the name of a user of the machine."""


def written() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    for part in WRITTEN_IN:
        for folder, folders, files in os.walk(ROOT / part):
            folders[:] = sorted({*folders} - OF_OTHERS)
            yield from (Path(folder, name) for name in sorted(files) if Path(name).suffix in TEXTS)


def test_names_and_prose_say_who() -> None:
    """A caller, a client, a wallet, a maker, or what is not waited for."""
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in written()
        if file != Path(__file__)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if VAGUE.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "vague",
    ["def test_whoever_asks(): ...", "# Nobody asks.", "NOBODYS = 1", "by whom", "somebody's", "not_anybody_else"],
)
def test_vague_words_are_seen(vague: str) -> None:
    assert VAGUE.search(vague)


@pytest.mark.parametrize("plain", ['getpwnam("nobody")', "no body", "any wallet", "the whole"])
def test_plain_words_are_not(plain: str) -> None:
    assert not VAGUE.search(plain)
