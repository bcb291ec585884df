"""Compares the journal with the embedded chain: landed transactions, and the balances of orders' accounts."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import asyncpg
from solders.pubkey import Pubkey
from solders.signature import Signature

from countermand.audit.findings import Audit
from countermand.audit.held import HeldAccount
from countermand.solana.ledger import decode_meta
from countermand.solana.tokens import SOL_MINT, TOKEN_ACCOUNT_RENT_LAMPORTS, TOKEN_AMOUNT
from countermand.values.identity import OrderId

_AT_A_TIME: Final = 1_000
_ACCOUNTS: Final = "SELECT address, lamports, data FROM chain_accounts WHERE address = ANY($1)"
_TRANSACTIONS: Final = "SELECT signature, error, meta FROM chain_transactions WHERE signature = ANY($1)"


async def compare_transactions(connection: Any, transactions: Mapping[str, OrderId], audit: Audit) -> None:
    """Every transaction that the journal says landed is on the chain, without an error. With its order."""
    for some in _chunks(list(transactions)):
        rows = await connection.fetch(_TRANSACTIONS, [bytes(Signature.from_string(text)) for text in some])
        landed = {str(Signature(row["signature"])): row for row in rows}
        for signature in some:
            row = landed.get(signature)
            if row is None or row["error"] is not None:
                order_id = transactions[signature]
                what = f"of order {order_id} did not land on the chain"
                audit.differs("chain_transactions", signature, f"the transaction {what}")
            else:
                audit.network_fees_lamports += _fee_of(row["meta"])


async def compare_accounts(connection: Any, accounts: Iterable[HeldAccount], audit: Audit) -> None:
    """Every order's accounts hold at least what remains of it; those of ended orders are closed."""
    resting = list[HeldAccount]()
    unresolved = dict[str, None]()
    for account in accounts:
        if account.attempt is None:
            resting.append(account)
        else:  # It may still move them.
            kind, number = account.attempt.kind.value, account.attempt.number
            unresolved[f"order {account.order_id}: it is not known what became of its {kind} ({number})"] = None
    audit.unresolved.extend(unresolved)
    for some in _chunks(resting):
        addresses = [bytes(Pubkey.from_string(account.address)) for account in some]
        rows = {row["address"]: row for row in await connection.fetch(_ACCOUNTS, addresses)}
        for account, address in zip(some, addresses, strict=True):
            _compare_account(account, rows.get(address), audit)


def _compare_account(account: HeldAccount, row: "Mapping[str, Any] | asyncpg.Record | None", audit: Audit) -> None:
    held = None if row is None else int.from_bytes(row["data"][TOKEN_AMOUNT], "little")
    if row is not None:
        audit.rent_held_lamports += min(row["lamports"], TOKEN_ACCOUNT_RENT_LAMPORTS)
    if account.left:
        if held is None or held < account.left:
            what = f"order {account.order_id} has {account.left} units left, this account of it {held or 0}"
            audit.differs("chain_accounts", account.address, what)
            return
        audit.column(account.mint).gifts_held += held - account.left
    elif row is not None and account.is_closed and not _is_a_gift(account, row):
        what = f"order {account.order_id} has ended, and this account of it is still open"
        audit.differs("chain_accounts", account.address, what)


def _fee_of(meta: bytes) -> int:
    """0 for one that cannot be read, which is told elsewhere."""
    try:
        return decode_meta(meta).fee
    except ValueError:
        return 0


def _is_a_gift(account: HeldAccount, row: "Mapping[str, Any] | asyncpg.Record") -> bool:
    """Any wallet may send lamports to the address of a closed account, or to one where a deposit failed."""
    return not row["data"] or (account.never_funded and account.mint != SOL_MINT)


def _chunks(items: list[Any]) -> Iterable[list[Any]]:
    return (items[start : start + _AT_A_TIME] for start in range(0, len(items), _AT_A_TIME))
