"""The vaults that wallets registered, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Final

from countermand.orders.vaults.registry import VaultRow
from countermand.store.connections import LOAD_S, Pool, asking, committing
from countermand.values.identity import Wallet
from countermand.values.instant import Instant

_ADD: Final = """
INSERT INTO vaults (wallet, bucket, registered_at) SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[])
ON CONFLICT (wallet) DO NOTHING
"""
_FIND: Final = "SELECT wallet, registered_at FROM vaults WHERE wallet = ANY ($1)"
_NEWEST: Final = "SELECT wallet, registered_at FROM vaults ORDER BY registered_at DESC, wallet LIMIT $1"
_CLEAR: Final = "DELETE FROM vaults"


class PostgresVaults:
    """`orders.vaults.registry.VaultStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, vaults: Sequence[VaultRow]) -> None:
        with committing("a vault"):
            await self._pool.execute(
                _ADD,
                [row.wallet for row in vaults],
                [row.bucket for row in vaults],
                [row.registered_at for row in vaults],
            )

    async def find(self, wallets: Sequence[Wallet]) -> Mapping[Wallet, Instant]:
        with asking():
            rows = await self._pool.fetch(_FIND, wallets)
        return {Wallet(wallet): Instant(at) for wallet, at in rows}

    async def newest(self, limit: int) -> Sequence[tuple[str, int]]:
        """The wallets that registered last, and when."""
        with asking():
            return [(wallet, at) for wallet, at in await self._pool.fetch(_NEWEST, limit)]

    async def clear(self) -> None:
        with asking():
            await self._pool.execute(_CLEAR, timeout=LOAD_S)
