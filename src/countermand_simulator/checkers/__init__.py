"""What must hold of every run, judged from what can be seen of it: rows, requests and answers, the chain.

Nothing here shares code with the engine: rows and journal are read as JSON, and folded by an interpreter of its own.
"""

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.claims import Checkers
from countermand_simulator.checkers.ledger import Ledger
from countermand_simulator.checkers.on_chain import ChainOrders
from countermand_simulator.checkers.rounds import RoundCheckers

__all__ = ["ChainOrders", "Checkers", "Claim", "Ledger", "RoundCheckers"]
