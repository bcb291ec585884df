"""What the tables of transitions of all families are made of."""

from enum import Enum
from typing import Generic, TypeVar

from countermand.values.structs import Struct

State = TypeVar("State", bound=Enum)


class IllegalTransition(Exception):
    """Our own mistake: an event that cannot follow. Nothing was changed."""


class ByRest(Struct, Generic[State], frozen=True):
    """An event with two outcomes: it depends on whether anything is left to be filled after it."""

    none: State
    some: State

    def of(self, *, is_left: bool) -> State:
        return self.some if is_left else self.none


def outcomes(outcome: State | ByRest[State]) -> tuple[State, ...]:
    """All states that a transition can lead to."""
    return (outcome.none, outcome.some) if isinstance(outcome, ByRest) else (outcome,)
