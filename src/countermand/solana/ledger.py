"""What the embedded chain offers beyond the port, and the form in which a transaction's circumstances are stored."""

import json
from collections.abc import Mapping
from typing import Final

import msgspec
from solders.pubkey import Pubkey
from solders.signature import Signature as SignatureKey

from countermand.solana.ledger_store import StoredStatus, StoredTransaction
from countermand.solana.memos import memo_of
from countermand.solana.port import (
    AccountInfo,
    Address,
    AddressSignature,
    InnerInstruction,
    InnerInstructions,
    JsonError,
    LatestBlockhash,
    LedgerTransaction,
    ReturnData,
    Signature,
    TokenBalance,
)
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.solana.wire import read_transaction
from countermand.stored_rows import reading_row

__all__ = [
    "AddressSignature",
    "DetailedSimulation",
    "InnerCall",
    "InnerInstruction",
    "InnerInstructions",
    "Landed",
    "LedgerTransaction",
    "Meta",
    "ReturnData",
    "Submitted",
    "TokenBalance",
    "TokenField",
    "decode_meta",
    "encode_meta",
    "read_error",
    "read_inner",
    "read_ledger_transaction",
    "read_return_data",
    "read_status",
    "read_stored_transaction",
    "read_token_balances",
]

_TABLE: Final = "chain_transactions"


class TokenField(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A token account before or after a transaction. `head` is its first 72 bytes: mint, owner, amount."""

    index: int
    head: bytes
    token_2022: bool
    decimals: int


class InnerCall(msgspec.Struct, frozen=True, array_like=True, gc=False):
    program_index: int
    accounts: bytes
    data: bytes
    stack_height: int


class Meta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """As stored: fields may be appended, with a default, and never moved."""

    fee: int
    units_consumed: int
    logs: list[str]
    pre_balances: list[int]
    post_balances: list[int]
    pre_tokens: list[TokenField]
    post_tokens: list[TokenField]
    inner: list[tuple[int, list[InnerCall]]]
    return_data: tuple[bytes, bytes] | None
    loaded_writable: list[bytes]
    loaded_readonly: list[bytes]


encode_meta: Final = msgspec.msgpack.Encoder().encode
decode_meta: Final = msgspec.msgpack.Decoder(Meta).decode


class DetailedSimulation(msgspec.Struct, frozen=True):
    """What would happen. `accounts` are those that it could write, as they would be; empty when it would fail.

    The loaded ones are what address lookup tables add; `loaded_bytes` counts all accounts. `fee` and balances are None
    where it would not be included.
    """

    error: JsonError | None
    logs: tuple[str, ...] = ()
    units_consumed: int = 0
    accounts: Mapping[Address, AccountInfo] = msgspec.field(default_factory=dict)
    inner_instructions: tuple[InnerInstructions, ...] = ()
    return_data: ReturnData | None = None
    replacement_blockhash: LatestBlockhash | None = None
    loaded_writable: tuple[Address, ...] = ()
    loaded_readonly: tuple[Address, ...] = ()
    loaded_bytes: int = 0
    fee: int | None = None
    pre_balances: tuple[int, ...] | None = None
    post_balances: tuple[int, ...] | None = None
    pre_token_balances: tuple[TokenBalance, ...] | None = None
    post_token_balances: tuple[TokenBalance, ...] | None = None


class Landed(msgspec.Struct, frozen=True):
    """A committed transaction. `accounts` are all that it mentions, `changed` those that are different now."""

    signature: Signature
    slot: int
    block_time: int
    error: JsonError | None
    accounts: tuple[Address, ...]
    changed: tuple[Address, ...]
    logs: tuple[str, ...]


class Submitted(msgspec.Struct, frozen=True):
    """The outcome of a transaction. `dropped`: why it never landed. `error`: it landed and failed."""

    signature: Signature
    slot: int
    error: JsonError | None
    dropped: JsonError | None

    @property
    def landed(self) -> bool:
        return self.dropped is None


def read_error(text: str | None) -> JsonError | None:
    if text is None:
        return None
    error: JsonError = json.loads(text)
    return error


def read_status(stored: StoredStatus) -> AddressSignature:
    """Raises `StoredRowUnreadable`."""
    signature = SignatureKey.from_bytes(stored.signature)
    with reading_row(_TABLE, signature):
        return AddressSignature(
            str(signature),
            stored.slot,
            read_error(stored.error),
            stored.block_time,
            memo=None if stored.raw is None else memo_of(stored.raw),
        )


def read_stored_transaction(stored: StoredTransaction) -> LedgerTransaction:
    """Raises `StoredRowUnreadable`."""
    with reading_row(_TABLE, SignatureKey.from_bytes(stored.signature)):
        read_transaction(stored.raw)
        return read_ledger_transaction(stored)


def read_ledger_transaction(stored: StoredTransaction) -> LedgerTransaction:
    meta = decode_meta(stored.meta)
    return LedgerTransaction(
        signature=str(SignatureKey.from_bytes(stored.signature)),
        slot=stored.slot,
        block_time=stored.block_time,
        raw=stored.raw,
        error=read_error(stored.error),
        fee=meta.fee,
        units_consumed=meta.units_consumed,
        logs=tuple(meta.logs),
        pre_balances=tuple(meta.pre_balances),
        post_balances=tuple(meta.post_balances),
        pre_token_balances=read_token_balances(meta.pre_tokens),
        post_token_balances=read_token_balances(meta.post_tokens),
        inner_instructions=read_inner(meta.inner),
        return_data=read_return_data(meta.return_data),
        loaded_writable=tuple(str(Pubkey(key)) for key in meta.loaded_writable),
        loaded_readonly=tuple(str(Pubkey(key)) for key in meta.loaded_readonly),
    )


def read_inner(stored: list[tuple[int, list[InnerCall]]]) -> tuple[InnerInstructions, ...]:
    return tuple(
        InnerInstructions(
            index,
            tuple(InnerInstruction(call.program_index, call.accounts, call.data, call.stack_height) for call in calls),
        )
        for index, calls in stored
    )


def read_return_data(stored: tuple[bytes, bytes] | None) -> ReturnData | None:
    return None if stored is None else ReturnData(str(Pubkey(stored[0])), stored[1])


def read_token_balances(tokens: list[TokenField]) -> tuple[TokenBalance, ...]:
    return tuple(_token_balance(token) for token in sorted(tokens, key=lambda token: token.index))


def _token_balance(token: TokenField) -> TokenBalance:
    return TokenBalance(
        account_index=token.index,
        mint=str(Pubkey(token.head[:32])),
        owner=str(Pubkey(token.head[32:64])),
        program=TOKEN_2022_PROGRAM if token.token_2022 else TOKEN_PROGRAM,
        amount=int.from_bytes(token.head[64:72], "little"),
        decimals=token.decimals,
    )
