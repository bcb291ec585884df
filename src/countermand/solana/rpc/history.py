"""A landed transaction out of `getTransaction`, with all that it refers to checked."""

from collections.abc import Iterable
from typing import Final

import base58
from solders.pubkey import Pubkey

from countermand.solana.port import (
    Address,
    InnerInstruction,
    InnerInstructions,
    LedgerTransaction,
    ReturnData,
    Signature,
    TokenBalance,
)
from countermand.solana.rpc import shapes
from countermand.solana.wire import read_transaction
from countermand.values.quantities import U64_MAX

_DATA_CHARACTERS_MAX: Final = 16 * 1024
"""Of an instruction in base58, whose reading costs the square of its length. The runtime allows 10 KiB of data."""
_HEIGHT_UNKNOWN: Final = 0


def landed_transaction(signature: Signature, found: shapes.Transaction) -> LedgerTransaction:
    """Raises `ValueError` if this cannot be what landed under the signature."""
    wire, meta = read_transaction(found.transaction[0]), found.meta
    if signature != base58.b58encode(wire.signature).decode():
        raise ValueError("another transaction")
    loaded = meta.loaded_addresses or shapes.Loaded()
    keys = len(wire.static_keys) + len(loaded.writable) + len(loaded.readonly)
    if not keys == len(meta.pre_balances) == len(meta.post_balances):
        raise ValueError(f"balances of {len(meta.pre_balances)} accounts, but there are {keys}")
    returned = meta.return_data
    return LedgerTransaction(
        signature=signature,
        slot=found.slot,
        block_time=found.block_time,
        raw=wire.raw,
        error=meta.err,
        fee=meta.fee,
        units_consumed=meta.compute_units_consumed or 0,
        logs=tuple(meta.log_messages or ()),
        pre_balances=tuple(meta.pre_balances),
        post_balances=tuple(meta.post_balances),
        pre_token_balances=_token_balances(meta.pre_token_balances or (), keys),
        post_token_balances=_token_balances(meta.post_token_balances or (), keys),
        inner_instructions=tuple(_inner(calls, keys) for calls in meta.inner_instructions or ()),
        return_data=None if returned is None else ReturnData(known_address(returned.program_id), returned.data[0]),
        loaded_writable=tuple(map(known_address, loaded.writable)),
        loaded_readonly=tuple(map(known_address, loaded.readonly)),
    )


def known_address(text: str) -> Address:
    """The address, if it is one. (Its reader looks at the length first.)"""
    return str(Pubkey.from_string(text))


def _token_balances(amounts: Iterable[shapes.TokenAmount], keys: int) -> tuple[TokenBalance, ...]:
    return tuple(_token_balance(amount, keys) for amount in sorted(amounts, key=lambda each: each.account_index))


def _token_balance(found: shapes.TokenAmount, keys: int) -> TokenBalance:
    text = found.ui_token_amount.amount
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or (amount := int(text)) > U64_MAX:
        raise ValueError("an amount that is no 64-bit number")
    return TokenBalance(
        account_index=_index(found.account_index, keys),
        mint=known_address(found.mint),
        owner=known_address(found.owner),
        program=known_address(found.program_id),
        amount=amount,
        decimals=found.ui_token_amount.decimals,
    )


def _inner(calls: shapes.InnerCalls, keys: int) -> InnerInstructions:
    return InnerInstructions(calls.index, tuple(_call(call, keys) for call in calls.instructions))


def _call(call: shapes.RpcInnerCall, keys: int) -> InnerInstruction:
    if len(call.data) > _DATA_CHARACTERS_MAX:
        raise ValueError("an instruction larger than any")
    return InnerInstruction(
        program_index=_index(call.program_id_index, keys),
        accounts=bytes(_index(account, keys) for account in call.accounts),
        data=base58.b58decode(call.data),
        stack_height=_HEIGHT_UNKNOWN if call.stack_height is None else call.stack_height,
    )


def _index(index: int, keys: int) -> int:
    if index >= keys:
        raise ValueError(f"account {index} of {keys}")
    return index
