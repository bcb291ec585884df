"""Explains a transaction in plain sentences: its signers and payer, what moves where, and under which program.

It reads the bytes alone and asks no chain. Instructions are numbered from 0, as a node's errors number them.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from solders.message import MessageV0

from countermand.solana.durable_nonce import ADVANCE_NONCE
from countermand.solana.explain.basics import (
    Sentence,
    associated,
    compute_budget,
    lookup_table,
    memo,
    system,
)
from countermand.solana.explain.calls import Call, calls_of, lookups_of
from countermand.solana.explain.forms import form_of
from countermand.solana.explain.names import Names, counted, listed
from countermand.solana.explain.orders import recurring, trigger
from countermand.solana.explain.swaps import swaps
from countermand.solana.explain.tokens import token_program
from countermand.solana.fees import cost_of
from countermand.solana.port import LAMPORTS_PER_SIGNATURE, Address
from countermand.solana.programs import dca, limit_order, swap
from countermand.solana.programs.anchor import Unreadable
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    LOOKUP_TABLE_PROGRAM,
    MEMO_PROGRAMS,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
)
from countermand.solana.wire import SIGNATURE_BYTES, MalformedTransaction, WireTransaction, read_transaction

BASE64_CHARS_MAX: Final = 1_644
"""What the largest transaction takes."""

_PROGRAMS: Final[Mapping[Address, tuple[str, Sentence]]] = MappingProxyType(
    {
        SYSTEM_PROGRAM: ("System program", system),
        TOKEN_PROGRAM: ("Token program", token_program),
        TOKEN_2022_PROGRAM: ("Token-2022 program", token_program),
        ASSOCIATED_TOKEN_PROGRAM: ("Associated token program", associated),
        **dict.fromkeys(MEMO_PROGRAMS, ("Memo program", memo)),
        COMPUTE_BUDGET_PROGRAM: ("Compute budget", compute_budget),
        LOOKUP_TABLE_PROGRAM: ("Lookup table program", lookup_table),
        limit_order.PROGRAM: ("Trigger v1", trigger),
        dca.PROGRAM: ("Recurring v1", recurring),
        swap.PROGRAM: ("Swap v1", swaps),
    }
)


def explain_base64(text: str) -> list[str]:
    """Raises `MalformedTransaction`, whose text is one line, for what is no transaction in base64."""
    text = text.strip()
    if not text:
        raise MalformedTransaction("there is nothing to explain; give a transaction in base64")
    if len(text) > BASE64_CHARS_MAX:
        raise MalformedTransaction(f"{len(text)} characters are more than a transaction takes ({BASE64_CHARS_MAX})")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedTransaction("this is not base64; give a transaction as the API answers it") from error
    return explain(raw)


def explain(raw: bytes) -> list[str]:
    """One sentence or two a line. Raises `MalformedTransaction`."""
    return list(_sentences(read_transaction(raw)))


def told_calls(wire: WireTransaction) -> list[tuple[Call, str]]:
    """Each instruction, and what it does; accounts have no names but their addresses, which are slow to find."""
    calls = calls_of(wire)
    names = Names((), calls)
    return [(call, _words(call, names)) for call in calls]


def _sentences(wire: WireTransaction) -> Iterator[str]:
    calls, keys = calls_of(wire), [str(key) for key in wire.static_keys]
    names, payer = Names(keys, calls), keys[0]
    version = "version 0" if isinstance(wire.message, MessageV0) else "legacy"
    yield f"A {version} transaction of {len(wire.raw):,} bytes, with {_lifetime(wire, calls)}."
    for table, count in lookups_of(wire):
        yield f"It takes {counted(count, 'account')} from the lookup table {table}, which only a chain knows."
    if form := form_of(payer, calls, names):
        yield form
    yield from _signatures(wire, keys)
    yield _fee(wire, payer)
    for number, call in enumerate(calls):
        yield f"{number}. {_words(call, names)}."


def _lifetime(wire: WireTransaction, calls: tuple[Call, ...]) -> str:
    blockhash = wire.message.recent_blockhash
    if calls and calls[0].begins(SYSTEM_PROGRAM, ADVANCE_NONCE) and calls[0].accounts:
        return f"the durable nonce {blockhash} of {calls[0].accounts[0]}: it does not expire"
    return f"the blockhash {blockhash}"


def _signatures(wire: WireTransaction, keys: list[Address]) -> Iterator[str]:
    valid = wire.versioned.verify_with_results()
    for key, signature, is_valid in zip(keys, wire.versioned.signatures, valid, strict=False):
        if bytes(signature) == bytes(SIGNATURE_BYTES):
            yield f"{key} must sign it: the signature is missing."
        elif is_valid:
            yield f"{key} has signed it."
        else:
            yield f"{key} must sign it: the signature is wrong."


def _fee(wire: WireTransaction, payer: Address) -> str:
    cost = cost_of(wire.message)
    parts = [f"{LAMPORTS_PER_SIGNATURE * cost.signatures:,} for {counted(cost.signatures, 'signature')}"]
    if cost.verified:
        parts.append(f"{LAMPORTS_PER_SIGNATURE * cost.verified:,} for signatures that programs verify")
    if cost.unit_price:
        each = f"{counted(cost.units, 'compute unit')} at {cost.unit_price:,} micro-lamports each"
        parts.append(f"{cost.priority:,} as priority ({each})")
    return f"{payer} pays the fee of {counted(cost.lamports, 'lamport')}: {listed(parts)}."


def _words(call: Call, names: Names) -> str:
    name, sentence = _PROGRAMS.get(call.program, ("", None))
    if sentence is None:
        return f"The program {call.program}, which is not known here: {_undescribed(call, names)}"
    try:
        return f"{name}: {sentence(call, names)}"
    except Unreadable:
        return f"{name}: an instruction that is not known here: {_undescribed(call, names)}"


def _undescribed(call: Call, names: Names) -> str:
    accounts = counted(len(call.accounts), "account")
    which = f" ({names.accounts(call.accounts)})" if call.accounts else ""
    return f"{accounts}{which} and {counted(len(call.data), 'byte')} of data"
