"""Compares the journal with the embedded chain: landed transactions, and the balances of orders' accounts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from solders.pubkey import Pubkey
from solders.signature import Signature

from countermand.audit.findings import Audit
from countermand.audit.replay import Replay
from countermand.orders.trigger.model.lifecycle import is_funded
from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.solana.ledger import decode_meta
from countermand.solana.tokens import SOL_MINT, TOKEN_ACCOUNT_RENT_LAMPORTS
from countermand.values.identity import Mint

_AT_A_TIME: Final = 1_000
_AMOUNT: Final = slice(64, 72)
_ACCOUNTS: Final = "SELECT address, lamports, data FROM chain_accounts WHERE address = ANY($1)"
_TRANSACTIONS: Final = "SELECT signature, error, meta FROM chain_transactions WHERE signature = ANY($1)"
_CLOSED: Final = (State.FILLED, State.CANCELLED, State.DEPOSIT_FAILED)


async def compare_transactions(connection: Any, replay: Replay, audit: Audit) -> None:
    """Every transaction that the journal says landed is on the chain, without an error."""
    for some in _chunks(list(replay.transactions)):
        rows = await connection.fetch(_TRANSACTIONS, [bytes(Signature.from_string(text)) for text in some])
        landed = {str(Signature(row["signature"])): row for row in rows}
        for signature in some:
            row = landed.get(signature)
            if row is None or row["error"] is not None:
                order_id = replay.transactions[signature]
                what = f"of order {order_id} did not land on the chain"
                audit.differs("chain_transactions", signature, f"the transaction {what}")
            else:
                audit.network_fees_lamports += _fee_of(row["meta"])


@dataclass(frozen=True, slots=True)
class _Account:
    """A token account of an order, and what of the order's own funds is in it."""

    group: OrderGroup
    address: str
    mint: str
    left: int


async def compare_accounts(connection: Any, groups: Iterable[OrderGroup], audit: Audit) -> None:
    """Every order's accounts hold at least what remains of it; those of ended orders are closed."""
    for some in _chunks([account for group in groups for account in _accounts_of(group, audit)]):
        addresses = [bytes(Pubkey.from_string(account.address)) for account in some]
        rows = {row["address"]: row for row in await connection.fetch(_ACCOUNTS, addresses)}
        for account, address in zip(some, addresses, strict=True):
            _compare_account(account, rows.get(address), audit)


def _accounts_of(group: OrderGroup, audit: Audit) -> Iterable[_Account]:
    """None while an attempt of the order may still move them."""
    terms, attempt, proceeds = group.terms, group.progress.attempt, group.progress.proceeds
    if attempt is not None:
        kind = attempt.kind.value
        audit.unresolved.append(f"order {group.id}: it is not known what became of its {kind} ({attempt.number})")
        return
    yield _Account(group, terms.input_account, terms.input_mint, group.remaining.units if is_funded(group) else 0)
    if terms.output_account is not None:
        kept = 0 if proceeds is None else proceeds.left.units
        yield _Account(group, terms.output_account, terms.output_mint, kept)


def _compare_account(account: _Account, row: "Mapping[str, Any] | asyncpg.Record | None", audit: Audit) -> None:
    group = account.group
    held = None if row is None else int.from_bytes(row["data"][_AMOUNT], "little")
    if row is not None:
        audit.rent_held_lamports += min(row["lamports"], TOKEN_ACCOUNT_RENT_LAMPORTS)
    if account.left:
        if held is None or held < account.left:
            what = f"order {group.id} has {account.left} units left, this account of it {held or 0}"
            audit.differs("chain_accounts", account.address, what)
            return
        audit.column(Mint(account.mint)).gifts_held += held - account.left
    elif row is not None and group.state in _CLOSED and not group.progress.sweep_due and not _is_a_gift(account, row):
        what = f"order {group.id} has ended, and this account of it is still open"
        audit.differs("chain_accounts", account.address, what)


def _fee_of(meta: bytes) -> int:
    """0 for one that cannot be read, which is told elsewhere."""
    try:
        return decode_meta(meta).fee
    except ValueError:
        return 0


def _is_a_gift(account: _Account, row: "Mapping[str, Any] | asyncpg.Record") -> bool:
    """Any wallet may send lamports to the address of a closed account, or to one where a deposit failed."""
    return not row["data"] or (account.group.state is State.DEPOSIT_FAILED and account.mint != SOL_MINT)


def _chunks(items: list[Any]) -> Iterable[list[Any]]:
    return (items[start : start + _AT_A_TIME] for start in range(0, len(items), _AT_A_TIME))
