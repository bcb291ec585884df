"""How a run that breaks a claim is told of. It shares no code with the engine: the checkers import it."""

from enum import Enum
from typing import NoReturn


class AnyClaim(Enum):
    """Each simulator names what its runs can break, and says it in words."""


class Violation(AssertionError):
    def __init__(self, claim: AnyClaim, what: str) -> None:
        super().__init__(f"{claim.name}: {claim.value}. {what}")
        self.claim = claim
        self.what = what


def broken(claim: AnyClaim, what: str) -> NoReturn:
    raise Violation(claim, what)


def must(holds: bool, claim: AnyClaim, what: str) -> None:
    if not holds:
        raise Violation(claim, what)
