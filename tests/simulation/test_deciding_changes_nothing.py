"""`decide` only looks: what a refused or a lost command left behind would be seen by no commit and no replay."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

import pytest

from countermand.orders.book.state import MATCHES_SUCCEED, BookState
from countermand.orders.chain.state import ChainIndexState
from countermand.orders.dca.state import DcaState
from countermand.orders.trigger.state import TriggerState
from countermand_simulator.book.run import simulate as simulate_books
from countermand_simulator.run import SIDES, simulate

STATES = (TriggerState, DcaState, ChainIndexState, BookState)


def test_whatever_is_decided_and_whatever_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: Counter[tuple[str, bool]] = Counter()
    for state in STATES:
        monkeypatch.setattr(state, "decide", watched(state.decide, looked))
    for seed in (3, 10):
        assert simulate(seed, 120, side=SIDES["svm"]).violation is None
        assert simulate_books(seed, 150).violation is None
    assert {name for name, _ in looked} == {state.__name__ for state in STATES}
    assert {made for _, made in looked} == {True, False}


def test_a_change_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(state: BookState, command: Any, at: Any) -> Any:
        state.exchange.orders_placed += 1
        return ()

    decide = watched(careless, Counter())
    with pytest.raises(AssertionError, match="changed something"):
        decide(BookState([], MATCHES_SUCCEED), None, 0)


def watched(decide: Callable[..., Any], looked: Counter[tuple[str, bool]]) -> Callable[..., Any]:
    def deciding(state: Any, command: Any, at: Any) -> Any:
        before = list(parts(state, {}))
        decided = decide(state, command, at)
        assert list(parts(state, {})) == before, f"deciding {command} changed something"
        looked[type(state).__name__, isinstance(decided, tuple)] += 1
        return decided

    return deciding


def parts(value: Any, seen: dict[int, None]) -> Iterator[str]:
    """All that can be reached from it, one after the other. What is only called is left out."""
    if isinstance(value, Enum | str | bytes | int) or value is None:
        yield repr(value)
    elif id(value) in seen:
        yield "the same again"
    elif isinstance(value, Mapping):
        seen[id(value)] = None
        yield from _each(("{", *(part for item in value.items() for part in item)), seen)
    elif type(value).__module__.startswith("countermand"):
        seen[id(value)] = None
        yield type(value).__name__
        yield from _each((getattr(value, name) for name in _fields(value)), seen)
    elif isinstance(value, Iterable):
        seen[id(value)] = None
        yield from _each(("[", *value), seen)
    else:
        yield type(value).__name__


def _each(values: Iterable[Any], seen: dict[int, None]) -> Iterator[str]:
    for value in values:
        yield from parts(value, seen)


def _fields(value: Any) -> list[str]:
    slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    named = (*getattr(value, "__struct_fields__", ()), *slots, *getattr(value, "__dict__", ()))
    return [name for name in dict.fromkeys(named) if hasattr(value, name) and not name.startswith("__")]
