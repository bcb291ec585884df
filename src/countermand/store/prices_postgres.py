"""The prices of mints in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Final

from countermand.addresses import is_address
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.store.connections import LOST, Pool, asking, describe, reading
from countermand.stored_rows import UNREADABLE, unreadable
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice

_PRICES: Final = "SELECT mint, picodollars::text FROM prices ORDER BY mint"
# The lock makes a process that takes the shard over wait for it, so that it loads what was set last.
_SET: Final = """
WITH fence AS (
    SELECT shard FROM shards WHERE shard = $1 AND ($2::bigint IS NULL OR opened = $2) FOR SHARE
), added AS (
    INSERT INTO prices (mint, picodollars)
    SELECT added.mint, added.picodollars::numeric FROM fence CROSS JOIN
        unnest($3::text[], $4::text[]) AS added (mint, picodollars)
    ON CONFLICT (mint) DO UPDATE SET picodollars = excluded.picodollars
)
SELECT count(*) FROM fence
"""
_CLEAR: Final = "DELETE FROM prices"


class PostgresPrices:
    """`services.prices.PriceStore`. `opened` is the epoch in which this process took the shard; None: any will do."""

    def __init__(self, pool: Pool, shard: int, opened: int | None = None) -> None:
        self._pool = pool
        self._shard = shard
        self._opened = opened

    async def prices(self) -> Sequence[tuple[Mint, UsdPrice]]:
        with reading("prices"):
            rows = await self._pool.fetch(_PRICES)
        return [_price(mint, picodollars) for mint, picodollars in rows]

    async def set_prices(self, prices: Mapping[Mint, UsdPrice]) -> None:
        texts = [str(price.picodollars) for price in prices.values()]
        try:
            written = await self._pool.fetchval(_SET, self._shard, self._opened, list(prices), texts)
        except LOST as error:
            raise CommitUnknown(f"the answer to a price was lost: {describe(error)}") from error
        if not written:
            raise Unavailable("another process sets the prices now")

    async def clear(self) -> None:
        with asking():
            await self._pool.execute(_CLEAR)


def _price(mint: str, picodollars: str) -> tuple[Mint, UsdPrice]:
    try:
        assert is_address(mint), "that is no mint"
        return Mint(mint), UsdPrice(int(picodollars))
    except UNREADABLE as problem:
        raise unreadable("prices", mint, problem) from problem
