"""Writes what the documentation repeats of the code: the state diagram, the examples in the README, the sources.

.venv/bin/python -m scripts.write_docs
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

from countermand.dialects.price_v2 import fidelity as price_v2
from countermand.dialects.price_v3 import fidelity as price_v3
from countermand.dialects.recurring_v1 import fidelity as recurring_v1
from countermand.dialects.recurring_v1.refusals import WORDS as RECURRING_WORDS
from countermand.dialects.swap_v1 import fidelity as swap_v1
from countermand.dialects.swap_v1.refusals import WORDS as SWAP_WORDS
from countermand.dialects.tanx import fidelity as tanx
from countermand.dialects.tanx.names import STATES as TANX_STATES
from countermand.dialects.tanx.refusals import WORDS as TANX_WORDS
from countermand.dialects.tokens_v2 import fidelity as tokens_v2
from countermand.dialects.trigger_v1 import fidelity as trigger_v1
from countermand.dialects.trigger_v1.refusals import CAUSES
from countermand.dialects.trigger_v2 import fidelity as trigger_v2
from countermand.dialects.trigger_v2.dca_refusals import WORDS as DCA_WORDS
from countermand.dialects.trigger_v2.refusals import WORDS
from countermand.dialects.trigger_v2.states import DCA, DCA_DISPLAY, DISPLAY, RAW
from countermand.orders.book.model import order as book
from countermand.orders.book.model.lifecycle import TRANSITIONS as BOOK
from countermand.orders.dca.model import order as dca
from countermand.orders.dca.model.lifecycle import TRANSITIONS as DCA_TRANSITIONS
from countermand.orders.trigger.model.lifecycle import TRANSITIONS
from countermand.orders.trigger.model.order import STAGES, State
from countermand.sources import GATEWAY, KnownAnswer, Source, SourceKind
from countermand.values.transitions import outcomes

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
STATES: Final = ROOT / "docs" / "states.md"
FIDELITY: Final = ROOT / "docs" / "reference" / "fidelity.md"

_Table = Mapping[Any, Mapping[type[Any], Any]]
_INCLUDED: Final = re.compile(r"(<!-- begin (examples/\S+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
_LANGUAGES: Final = {".py": "python", ".mjs": "js"}
_STATES_PAGE: Final = """\
# The states of an order

Drawn from the tables in `orders/*/model/lifecycle.py` by `scripts/write_docs.py`; do not edit. Arrows are events. An
event that has no arrow from a state raises, and changes nothing.

## A trigger order

```mermaid
{diagram}
```

| state | `rawState` | `orderState` | events and where they lead |
|---|---|---|---|
{rows}

What each event means is in `orders/trigger/model/events.py`, which command leads to it in
`orders/trigger/model/decide.py`.

What its legs do together is a table beside (`STAGES` in `orders/trigger/model/order.py`). A leg that is not named is
closed: no price triggers it. The second stage begins when nothing is left of the deposit, and an order ends when
nothing is left of what its last stage sells.

| order | stage | armed when open | sells | what that gives |
|---|---|---|---|---|
{stages}

Raw states that no order enters are [listed with the reasons](reference/raw-states.md).

## A recurring order in a vault

```mermaid
{dca}
```

| state | `state` | `displayState` |
|---|---|---|
{dca_rows}

What each event means is in `orders/dca/model/events.py`, which command leads to it in `orders/dca/model/decide.py`.

## An order of the books

```mermaid
{book}
```

tanX shows these names. A trade after which nothing remains leads to `done`. A stop order that a trade triggered stays
`pending` until it enters the book, right after. What each event means is in `orders/book/model/events.py`.
"""


_FIDELITY_PAGE: Final = """\
# Where each answer comes from

Written by `scripts/write_docs.py` from the tables beside each API's refusals (`dialects/*/fidelity.py`); do not edit.

- **documented**: on a published page of the original, which is named.
- **observed**: the original was seen to answer so; the source is named. It may have changed since.
- **ours**: what the original does is not published. Do not rely on the text there.

{totals}

`{{…}}` stands for what varies. What the fault [`strict`](sandbox.md#as-weak-as-the-originals) answers is told there.
[`countermand conformance`](cli.md#countermand-conformance) compares a server with some of this.

{sections}
"""


def fidelity_page() -> str:
    """Every answer of each dialect, with its source."""
    v2 = [(name.name, words.status, words.text) for name, words in WORDS.items()]
    dca_words = [(name.name, words.status, words.text) for name, words in DCA_WORDS.items()]
    sources: list[Source] = []
    sections = [
        _answers("Before all of Jupiter's", GATEWAY, sources),
        _refusals("Trigger v2: refusals of price orders", v2, trigger_v2.REFUSALS, sources),
        _refusals("Trigger v2: refusals of recurring orders", dca_words, trigger_v2.DCA_REFUSALS, sources),
        _answers("Trigger v2: other answers", trigger_v2.ANSWERS, sources),
        _good("Trigger v2: good answers", trigger_v2.SHAPES, sources),
        _refusals(
            "Trigger v1 and limit/v2: refusals",
            [(name.name, 400, words) for name, words in CAUSES.items()],
            trigger_v1.REFUSALS,
            sources,
        ),
        _answers("Trigger v1 and limit/v2: other answers", trigger_v1.ANSWERS, sources),
        _good("Trigger v1 and limit/v2: good answers", trigger_v1.SHAPES, sources),
        _refusals(
            "Recurring v1: refusals",
            [(name.name, 400, words) for name, words in RECURRING_WORDS.items()],
            recurring_v1.REFUSALS,
            sources,
        ),
        _answers("Recurring v1: other answers", recurring_v1.ANSWERS, sources),
        _good("Recurring v1: good answers", recurring_v1.SHAPES, sources),
        _refusals(
            "Swap v1: refusals",
            [(name.name, 400, words) for name, (words, _) in SWAP_WORDS.items()],
            swap_v1.REFUSALS,
            sources,
        ),
        _answers("Swap v1: other answers", swap_v1.ANSWERS, sources),
        _good("Swap v1: good answers", swap_v1.SHAPES, sources),
        _answers("Price v3: answers", price_v3.ANSWERS, sources),
        _good("Price v3: good answers", price_v3.SHAPES, sources),
        _answers("Price v2: answers", price_v2.ANSWERS, sources),
        _good("Price v2: good answers", price_v2.SHAPES, sources),
        _answers("Tokens v2: answers", tokens_v2.ANSWERS, sources),
        _good("Tokens v2: good answers", tokens_v2.SHAPES, sources),
        _refusals(
            "tanX: refusals",
            [(name.name, 404 if name.name == "ORDER_UNKNOWN" else 400, words) for name, words in TANX_WORDS.items()],
            tanx.REFUSALS,
            sources,
        ),
        _answers("tanX: other answers", tanx.ANSWERS, sources),
        _good("tanX: good answers", tanx.SHAPES, sources),
    ]
    totals = ", ".join(f"{sum(each.kind is kind for each in sources)} are {kind.value}" for kind in SourceKind)
    return _FIDELITY_PAGE.format(totals=f"Of {len(sources)} answers, {totals}.", sections="\n\n".join(sections))


def _refusals(title: str, rows: list[tuple[str, int, str]], of: Mapping[Any, Source], sources: list[Source]) -> str:
    by_name = {refusal.name: source for refusal, source in of.items()}
    sources += by_name.values()
    lines = (f"| `{name}` | {status} | `{_cell(text)}` | {_told(by_name[name])} |" for name, status, text in rows)
    return _section(title, "| refusal | status | message | source |\n|---|---|---|---|", lines)


def _answers(title: str, answers: tuple[KnownAnswer, ...], sources: list[Source]) -> str:
    sources += [each.source for each in answers]
    lines = (
        f"| {each.status} | `{_cell(each.words)}` | {_cell(each.endpoints)} | {_told(each.source)} |"
        for each in answers
    )
    return _section(title, "| status | message | endpoints | source |\n|---|---|---|---|", lines)


def _good(title: str, shapes: Mapping[str, Source], sources: list[Source]) -> str:
    sources += shapes.values()
    lines = (f"| `{path}` | {_told(source)} |" for path, source in shapes.items())
    return _section(title, "| path | source |\n|---|---|", lines)


def _section(title: str, head: str, lines: Iterator[str]) -> str:
    return f"## {title}\n\n{head}\n" + "\n".join(lines)


def _told(source: Source) -> str:
    return f"**{source.kind.value}**{f': {_cell(source.where)}' if source.where else ''}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def states_page() -> str:
    rows = "\n".join(_row(state) for state in State)
    return _STATES_PAGE.format(
        diagram=diagram(State.DEPOSITING, TRANSITIONS),
        rows=rows,
        stages="\n".join(_stages()),
        dca=diagram(dca.State.DEPOSITING, DCA_TRANSITIONS),
        dca_rows="\n".join(
            f"| `{state.value}` | `{DCA[state].value}` | `{DCA_DISPLAY[DCA[state]].value}` |" for state in dca.State
        ),
        book=diagram(book.OrderStatus.PENDING, BOOK, TANX_STATES),
    )


def diagram(first: Enum, transitions: _Table, names: Mapping[Any, str] | None = None) -> str:
    """A state diagram in Mermaid's language: one arrow for each pair of states, with all its events."""
    name = {state: state.value if names is None else names[state] for state in transitions}
    lines = ["stateDiagram-v2", f"    [*] --> {name[first]}: OrderPlaced"]
    for state, moves in transitions.items():
        arrows: dict[Enum, list[str]] = {}
        for event, leads in moves.items():
            for target in outcomes(leads):
                arrows.setdefault(target, []).append(event.__name__)
        lines += [f"    {name[state]} --> {name[target]}: {', '.join(events)}" for target, events in arrows.items()]
        if all(target is state for target in arrows):
            lines.append(f"    {name[state]} --> [*]")
    return "\n".join(lines)


def _row(state: State) -> str:
    raw = RAW[state]
    moves = (f"{event.__name__} → {_leads_to(leads)}" for event, leads in TRANSITIONS[state].items())
    return f"| `{state.value}` | `{raw.value}` | `{DISPLAY[raw].value}` | {', '.join(moves) or 'none'} |"


def _stages() -> Iterator[str]:
    for family, stages in STAGES.items():
        for number, stage in enumerate(stages, 1):
            armed = " and ".join(f"`{role.value}`" for role in stage.armed)
            sells = "what the stage before gave" if stage.sells_proceeds else "the deposit"
            gives = "is kept" if stage.is_kept else "goes to the user"
            yield f"| `{family.value}` | {number} | {armed} | {sells} | {gives} |"


def _leads_to(leads: Any) -> str:
    return " or ".join(f"`{state.value}`" for state in outcomes(leads))


def with_examples(page: str) -> str:
    """The page, with each example between its markers as it is in its file."""
    return _INCLUDED.sub(lambda found: found[1] + _example(ROOT / found[2]) + found[3], page)


def _example(file: Path) -> str:
    return f"```{_LANGUAGES[file.suffix]}\n{file.read_text(encoding='utf-8').rstrip()}\n```\n"


def main() -> None:
    STATES.write_text(states_page(), encoding="utf-8")
    FIDELITY.write_text(fidelity_page(), encoding="utf-8")
    README.write_text(with_examples(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
