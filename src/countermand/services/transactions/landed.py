"""What a landed transaction moved, by the balances that the chain shows of it before and after."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from countermand.solana.port import Address, Chain, LedgerTransaction, Signature, TokenBalance
from countermand.solana.wire import read_transaction
from countermand.values.structs import Struct


class BalanceChanges(Struct, frozen=True):
    """By address: lamports that an account gained, and units that a token account gained. Losses are negative."""

    lamports: Mapping[Address, int]
    tokens: Mapping[Address, int]

    def lamports_of(self, account: Address) -> int:
        return self.lamports.get(account, 0)

    def tokens_of(self, account: Address) -> int:
        """An account that is made by the transaction had nothing before, one that is closed has nothing after."""
        return self.tokens.get(account, 0)


def changes_of(landed: LedgerTransaction) -> BalanceChanges:
    static = [str(key) for key in read_transaction(landed.raw).static_keys] if landed.raw else []
    keys = [*static, *landed.loaded_writable, *landed.loaded_readonly]
    lamports = {
        key: after - before
        for key, before, after in zip(keys, landed.pre_balances, landed.post_balances, strict=True)
        if after != before
    }
    before, after = _units(keys, landed.pre_token_balances), _units(keys, landed.post_token_balances)
    tokens = {account: after.get(account, 0) - before.get(account, 0) for account in (*before, *after)}
    return BalanceChanges(lamports, tokens)


def _units(keys: Sequence[Address], balances: Sequence[TokenBalance]) -> dict[Address, int]:
    return {keys[each.account_index]: each.amount for each in balances}


class LandedChain(Chain, Protocol):
    """A chain that shows what a landed transaction did. Methods may raise `ChainUnavailable`."""

    async def transactions(self, signatures: Sequence[Signature]) -> Sequence[LedgerTransaction | None]:
        """What landed under each signature. A new landing may take a moment to show."""
