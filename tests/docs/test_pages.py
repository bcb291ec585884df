"""The pages: their blocks run, their links lead somewhere, and what they repeat of the code is what the code says."""

import re
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from countermand.dialects.trigger_v2.states import DISPLAY, RAW
from scripts.write_docs import README, ROOT, STATES, states_page, with_examples
from tests.docs.blocks import FIRST, PAGES, matches, run, runnable
from tests.end_to_end.venue import Venue

RUNNABLE = [page for page in PAGES if any(runnable(page))]
OTHERS = [page for page in RUNNABLE if page != FIRST]
GIVEN = ("VENUE", "SOL", "USDC", "ask", "signed", "alice", "token", "wallet", "place", "look")
"""What the other pages take from the tutorial."""
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def session(documented: Venue) -> dict[str, Any]:
    """The names of a prompt into which the tutorial was pasted."""
    documented.ask("POST", "/sandbox/reset", {}).ok()
    names: dict[str, Any] = {}
    run(FIRST, documented.url, names)
    return names


@pytest.mark.parametrize("page", [FIRST, *OTHERS, OTHERS[0]], ids=named)
def test_the_blocks_of_a_page_run_and_print_what_it_shows(
    documented: Venue, session: dict[str, Any], page: Path
) -> None:
    """One after the other in one session, and the first of them again: none takes what the tutorial gave."""
    names = dict(session)
    if page != FIRST:
        run(page, documented.url, names)
    assert [name for name in GIVEN if names[name] is not session[name]] == []
    documented.ask("PUT", "/sandbox/faults", {}).ok()
    documented.ask("POST", "/sandbox/settle", {}).ok()
    assert documented.ask("GET", "/sandbox/audit").ok()["ok"]


def test_there_are_blocks_to_run() -> None:
    assert FIRST in RUNNABLE
    assert len(RUNNABLE) >= 4


def test_what_a_page_shows_is_compared_with_what_is_printed() -> None:
    assert matches("a … c", "a b c\n")
    assert not matches("a", "a b")
    assert not matches("a … c", "a b")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(file), f"{target} leads to no heading"


def anchors(page: Path) -> list[str]:
    """As GitHub makes them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_table_has_as_many_cells_in_each_row(page: Path) -> None:
    lines = FENCED.sub("", page.read_text(encoding="utf-8")).splitlines()
    for above, line in pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert bars(above) == bars(line), line


def bars(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = {README}, [README]
    while ahead:
        page = ahead.pop()
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.exists() and file not in reached:
                reached.add(file)
                ahead.append(file)
    readme = README.read_text(encoding="utf-8")
    assert [name for page in PAGES if page not in reached and (name := named(page)) not in readme] == []


def test_the_readme_shows_the_examples_as_they_are() -> None:
    page = README.read_text(encoding="utf-8")
    for example in ("examples/first_order.mjs", "examples/first_order.py"):
        assert (ROOT / example).read_text(encoding="utf-8").rstrip() in page, (
            f"run python -m scripts.write_docs: {example}"
        )
    assert page == with_examples(page)


def test_the_states_are_drawn_from_the_table() -> None:
    assert STATES.read_text(encoding="utf-8") == states_page(), "run python -m scripts.write_docs"


def test_every_raw_state_is_listed_with_the_reason_if_it_is_never_entered() -> None:
    page = (ROOT / "docs" / "reference" / "raw-states.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (yes|no) \| (.*)\|$", page, re.MULTILINE)
    entered = {raw.value for raw in RAW.values()}
    assert [row[:3] for row in rows] == [
        (raw.value, display.value, "yes" if raw.value in entered else "no") for raw, display in DISPLAY.items()
    ]
    assert all(bool(why.strip()) == (answer == "no") for _, _, answer, why in rows)


def test_what_the_pages_make_in_a_clone_is_not_committed() -> None:
    """A venue's data, its backup and a copy of its seed: who has one of them can move the funds."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    made = set(re.findall(r"--data \./(\w+)|--file (\w+\.[\w.]+)|master-seed (\w+\.seed)", text))
    names = {name for each in made for name in each if name}
    assert {"venue", "restored", "venue.dump", "venue.tar.gz", "venue.seed"} <= names
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
    assert [name for name in sorted(names) if not any(fnmatch(name, pattern) for pattern in ignored)] == []
