"""What users swap against: the pool's offers, and on the chain a market and tokens of the pool for each token.

A token gets both when the first swap of it is built; from then on each change of its price or depth is written into its
market before it is answered. So a chain without swaps holds none of this.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

import structlog

from countermand.kernel.ports import Unavailable
from countermand.sandbox.faucet import GIFT_LAMPORTS_MAX, Faucet, FaucetRefused
from countermand.sandbox.pool import POOL_UNITS, SandboxPool
from countermand.services.liquidity.routing import Quote
from countermand.services.tokens import TokenRegistry
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.port import ChainUnavailable
from countermand.solana.programs import swap
from countermand.solana.programs.swap import PoolMarket, market_account, market_address
from countermand.solana.tokens import read_token_account
from countermand.values.identity import Address, Mint
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.tokens import Token
from countermand.values.transactions import SwapRefused

SPARE_UNITS: Final = 10**17
"""How much more than is needed is minted for the pool."""

_log: Final = structlog.get_logger("countermand")


class PoolMarkets:
    """Implements `orders.swap.ports.Pool`."""

    def __init__(self, pool: SandboxPool, chain: EmbeddedChain, faucet: Faucet, tokens: TokenRegistry) -> None:
        self._pool = pool
        self._chain = chain
        self._faucet = faucet
        self._tokens = tokens
        self._open: dict[Mint, None] = {}
        self._stale: dict[Mint, None] = {}
        """Of the open ones, those whose market does not say what it should."""
        self._loaded = False
        self._preparing, self._writing = asyncio.Lock(), asyncio.Lock()

    # --- offers

    def offer(self, amount: BaseUnits, input_token: Token, output_token: Token) -> Quote | SwapRefused:
        return self._pool.offer(amount, input_token, output_token)

    def offer_for(self, output: BaseUnits, input_token: Token, output_token: Token) -> Quote | SwapRefused:
        return self._pool.offer_for(output, input_token, output_token)

    def impact_of(self, input_token: Token) -> Bps:
        return self._pool.depth_of(input_token.mint).impact

    def takes_failure(self) -> bool:
        return self._pool.takes_failure()

    # --- the chain

    @asks_the_chain
    async def prepare(self, input_token: Token, output_token: Token, output: BaseUnits) -> None:
        async with self._preparing:
            await self._load()
            await self._fill(input_token, 0)
            await self._fill(output_token, min(output.units, POOL_UNITS))
            for token in (input_token, output_token):
                if token.mint not in self._open:
                    self._open[token.mint] = self._stale[token.mint] = None
        await self._write()

    async def observe_prices(self, prices: Mapping[Mint, UsdPrice], /, *, at_once: bool) -> None:  # noqa: ARG002
        await self.changed(prices)

    async def changed(self, mints: Iterable[Mint]) -> None:
        """The price of these, or how much of them the pool takes, is another one now."""
        self._stale |= dict.fromkeys(mint for mint in mints if mint in self._open)
        try:
            await self._load()
            await self._write()
        except ChainUnavailable as reason:
            _log.warning("a market could not be written, and is before the next swap", reason=str(reason))

    async def begin(self) -> None:
        """Writes the markets that there are: a crash may have come between a price and its market."""
        self._loaded = False
        await self.changed(())

    def forget(self) -> None:
        """The chain begins anew."""
        self._loaded = False
        self._open.clear()
        self._stale.clear()

    async def _load(self) -> None:
        if self._loaded:
            return
        mints = [token.mint for token in self._tokens.all()]
        found = await self._chain.accounts([market_address(mint) for mint in mints])
        self._open |= {mint: None for mint, info in zip(mints, found, strict=True) if info is not None}
        self._stale |= self._open
        self._loaded = True

    async def _fill(self, token: Token, needed: int) -> None:
        account = swap.pool_account_of(token.mint, token.program)
        (info,) = await self._chain.accounts([account])
        held = None if info is None else read_token_account(info.data)
        if held is not None and held.amount >= needed:
            return
        missing = needed - (0 if held is None else held.amount)
        try:
            await self._faucet.mint_to(swap.AUTHORITY, token.mint, min(missing + SPARE_UNITS, GIFT_LAMPORTS_MAX))
        except FaucetRefused as refused:
            raise Unavailable(f"the pool cannot be filled with {token.symbol}: {refused}") from refused

    async def _write(self) -> None:
        """When it returns, what was stale is not. What is computed now is in the chain's machine at once."""
        async with self._writing:
            stale, self._stale = self._stale, {}
            if not stale:
                return
            try:
                there = await self._chain.accounts([market_address(mint) for mint in stale])
                # Lamports that were sent there stay.
                lamports = (swap.MARKET_LAMPORTS if info is None else info.lamports for info in there)
                accounts = {
                    market_address(mint): market_account(market, amount)
                    for mint, amount in zip(stale, lamports, strict=True)
                    if (market := self._market(mint)) is not None
                }
                await self._chain.put_accounts(accounts)
            except ChainUnavailable:
                self._stale |= {mint: None for mint in stale if mint in self._open}
                raise

    def _market(self, mint: Mint) -> PoolMarket | None:
        token, price = self._tokens.get(mint), self._pool.price_of(mint)
        if token is None or price is None:
            return None
        depth = self._pool.depth_of(mint)
        most = swap.ANYTHING if depth.max_input is None else depth.max_input.units
        return PoolMarket(Address(mint), price.picodollars, most, depth.impact.bps, token.stable)
