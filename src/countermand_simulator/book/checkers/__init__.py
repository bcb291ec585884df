"""What is claimed of every run of the order books, judged by journals, rows and answers, without the engine."""

from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.book.checkers.claims import Asked, Checkers
from countermand_simulator.book.checkers.rules import MarketRules

__all__ = ["Asked", "Checkers", "Claim", "MarketRules"]
