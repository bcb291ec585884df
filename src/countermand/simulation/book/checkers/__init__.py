"""What is claimed of every run of the order books, judged by journals, rows and answers, without the engine."""

from countermand.simulation.book.checkers.claim import Claim
from countermand.simulation.book.checkers.claims import Asked, Checkers
from countermand.simulation.book.checkers.rules import MarketRules

__all__ = ["Asked", "Checkers", "Claim", "MarketRules"]
