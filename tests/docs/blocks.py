"""Code blocks of the documentation, and how the runnable ones are run.

A `python run` block is run; a `text` block right after it is what it prints, where `…` stands for anything. All blocks
of a page share one namespace, and those of `FIRST` are run before it.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FIRST: Final = ROOT / "docs" / "tutorial.md"
DEFAULT_URL: Final = "http://127.0.0.1:8080"

_FENCE: Final = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BETWEEN: Final = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Block:
    line: int
    code: str
    prints: str | None
    """None: the page does not say."""


def runnable(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    for fence, after in zip_longest(fences, fences[1:]):
        if fence[1] != "python run":
            continue
        told = after is not None and after[1] == "text" and _BETWEEN.fullmatch(text, fence.end(), after.start())
        prints = after[2] if told and after is not None else None
        yield Block(text.count("\n", 0, fence.start()) + 2, fence[2], prints)


def run(page: Path, url: str, names: dict[str, Any]) -> None:
    """Runs the blocks of a page in order against the venue at `url`."""
    for block in runnable(page):
        printed = io.StringIO()
        # The line numbers of a traceback are those of the page.
        code = "\n" * (block.line - 1) + block.code.replace(DEFAULT_URL, url)
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(page), "exec"), names)
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if block.prints is None:
            assert not printed.getvalue(), f"{where} prints what the page does not show: {printed.getvalue()}"
        else:
            assert matches(block.prints, printed.getvalue()), f"{where} prints\n{printed.getvalue()}"


def matches(shown: str, printed: str) -> bool:
    pattern = ".*?".join(map(re.escape, shown.strip().split("…")))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
