"""Money for the tests: the faucet of a chain, one for each chain, since no two of its gifts are alike."""

from functools import lru_cache

from countermand.sandbox.faucet import Faucet
from countermand.solana.embedded import EmbeddedChain


@lru_cache(maxsize=8)  # More than one test has: a chain that is kept is 8 MB.
def faucet_of(chain: EmbeddedChain) -> Faucet:
    return Faucet(chain)
