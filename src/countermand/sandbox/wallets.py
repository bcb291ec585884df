"""The wallets that registered a vault, as `GET /sandbox/wallets` shows them: what they hold, and what is in orders."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.sandbox import wire
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.solana.embedded import EmbeddedChain, OwnedTokens
from countermand.store.vaults_postgres import PostgresVaults
from countermand.values.identity import Address, Wallet

SHOWN: Final = 50


class Wallets(Struct, frozen=True):
    vaults: PostgresVaults
    transactions: TriggerTransactions
    chain: EmbeddedChain

    @asks_the_chain
    async def newest(self) -> wire.WalletsWire:
        """Those that registered last, each as of one moment. May raise `Unavailable`."""
        found = []
        for wallet, at in await self.vaults.newest(SHOWN):
            vault = self.transactions.vault_of(Wallet(wallet))
            (own, holds), (_, in_vault) = await self.chain.owned([Address(wallet), vault])
            lamports = "0" if own is None else str(own.lamports)
            found.append(wire.WalletWire(wallet, vault, at, lamports, _holdings(holds), _holdings(in_vault)))
        return wire.WalletsWire(found)


def _holdings(owned: Sequence[OwnedTokens]) -> list[wire.HoldingWire]:
    amounts: dict[str, int] = defaultdict(int)
    for _, _, account in owned:
        amounts[account.mint] += account.amount
    return [wire.HoldingWire(mint, str(amount)) for mint, amount in sorted(amounts.items()) if amount]
