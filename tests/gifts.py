"""Money for the tests: the faucet of a chain, one for each of the last chains, since no two of its gifts are alike.

A cache of all of them held the machine of each, some 20 MB.
"""

from functools import lru_cache

from countermand.sandbox.faucet import Faucet
from countermand.solana.embedded import EmbeddedChain


@lru_cache(maxsize=8)  # More than one test has: a chain that is kept is 8 MB.
def faucet_of(chain: EmbeddedChain) -> Faucet:
    return Faucet(chain)
