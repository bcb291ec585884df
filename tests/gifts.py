"""Money for the tests: the faucet of a chain, one for each chain, since no two of its gifts are alike."""

from functools import lru_cache

from countermand.sandbox.faucet import Faucet
from countermand.solana.embedded import EmbeddedChain


@lru_cache(maxsize=1_000)
def faucet_of(chain: EmbeddedChain) -> Faucet:
    return Faucet(chain)
