"""Code blocks of the documentation, and how the runnable ones are run.

A `python run` block is pasted into a prompt; a `text` block right after it is what it prints, where `…` stands for
anything. All blocks of a page share one namespace, and those of `FIRST` are run before it.
"""

import code
import contextlib
import io
import re
import sys
import traceback
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
    language: str


def blocks(page: Path) -> Iterator[Block]:
    """All of them but those without a language."""
    text = page.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    for fence, after in zip_longest(fences, fences[1:]):
        told = after is not None and after[1] == "text" and _BETWEEN.fullmatch(text, fence.end(), after.start())
        prints = after[2] if told and after is not None else None
        if fence[1]:
            yield Block(text.count("\n", 0, fence.start()) + 2, fence[2], prints, fence[1])


def runnable(page: Path) -> Iterator[Block]:
    return (block for block in blocks(page) if block.language == "python run")


def run(page: Path, url: str, names: dict[str, Any]) -> None:
    """Pastes the blocks of a page, one after the other, against the venue at `url`."""
    prompt = Prompt(names)
    for block in runnable(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            prompt.paste(block.code.replace(DEFAULT_URL, url))
        assert not prompt.complaint, f"{page.relative_to(ROOT)}, block at line {block.line}: {prompt.complaint}"
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if block.prints is None:
            assert not printed.getvalue(), f"{where} prints what the page does not show: {printed.getvalue()}"
        else:
            assert matches(block.prints, printed.getvalue()), f"{where} prints\n{printed.getvalue()}"


class Prompt(code.InteractiveConsole):
    """Python's prompt up to 3.12, into which text is pasted: each line is judged by itself.

    There a blank line ends an indented block, and only a blank line does.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(names)
        self.complaint = ""

    def paste(self, text: str) -> None:
        """Stops at the first complaint. A block that waits for more at its end is one."""
        more, before = False, sys.displayhook
        # What an expression gives is echoed; a page shows what is printed.
        sys.displayhook = lambda _: None
        try:
            for number, line in enumerate(text.splitlines(), start=1):
                more = self.push(line)
                if self.complaint:
                    self.complaint = f"line {number}, {line!r}: {self.complaint}"
                    return
        finally:
            sys.displayhook = before
        if more:
            self.complaint = "its last line leaves the prompt waiting: end it with a statement that is not indented"

    def showsyntaxerror(self, filename: str | None = None, **_: Any) -> None:
        self.complaint = traceback.format_exc()

    def showtraceback(self) -> None:
        self.complaint = traceback.format_exc()


def matches(shown: str, printed: str) -> bool:
    pattern = ".*?".join(map(re.escape, shown.strip().split("…")))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
