"""Transactions: read from the wire in a node's words, and shown as `getTransaction` shows them."""

import base64
from collections.abc import Sequence
from typing import Any, Final

import base58
from solders.message import Message, MessageV0

from countermand.solana.errors import SANITIZE_FAILURE
from countermand.solana.facade.encode import token_amount
from countermand.solana.facade.errors import invalid_params, invalid_transaction, unsupported_version
from countermand.solana.facade.params import TransactionEncoding, WireEncoding, base58_bytes, base64_bytes
from countermand.solana.facade.parsed import Instruction, parsed_instruction
from countermand.solana.ledger import DetailedSimulation, InnerInstructions, LedgerTransaction, ReturnData, TokenBalance
from countermand.solana.port import PACKET_BYTES_MAX, Address, JsonError
from countermand.solana.reserved_keys import RESERVED_KEYS
from countermand.solana.tokens import UPGRADEABLE_LOADER
from countermand.solana.wire import MalformedTransaction, Unsound, WireTransaction, read_transaction

_TYPE: Final = "solana_transaction::versioned::VersionedTransaction"
_CHARACTERS_MAX: Final = {WireEncoding.BASE64: 1644, WireEncoding.BASE58: 1683}
"""What the largest packet takes in each encoding."""
_TOP: Final = 1
"""The stack height of what the message itself calls."""

Json = dict[str, Any]


def wire_bytes(text: str, encoding: WireEncoding) -> bytes:
    """The bytes of something that fits into a packet; otherwise invalid params as a node words it."""
    limit = _CHARACTERS_MAX[encoding]
    if len(text) > limit:
        sizes = f"{len(text)} bytes (max: encoded/raw {limit}/{PACKET_BYTES_MAX})"
        raise invalid_params(f"{encoding.value} encoded {_TYPE} too large: {sizes}")
    raw = base64_bytes(text) if encoding is WireEncoding.BASE64 else base58_bytes(text, characters_max=limit)
    if len(raw) > PACKET_BYTES_MAX:
        raise invalid_params(f"decoded {_TYPE} too large: {len(raw)} bytes (max: {PACKET_BYTES_MAX} bytes)")
    return raw


def wire_transaction(text: str, encoding: WireEncoding) -> WireTransaction:
    try:
        return read_transaction(wire_bytes(text, encoding))
    except Unsound:
        raise invalid_transaction(SANITIZE_FAILURE) from None
    except MalformedTransaction as problem:
        raise invalid_params(f"failed to deserialize {_TYPE}: {problem}") from None


def status_json(error: JsonError | None) -> Json:
    return {"Ok": None} if error is None else {"Err": error}


def transaction_json(landed: LedgerTransaction, encoding: TransactionEncoding, version_max: int | None) -> Json:
    """Raises the error for clients that did not say that they understand versions, unless the transaction has none."""
    return {"slot": landed.slot, "blockTime": landed.block_time, **entry_json(landed, encoding, version_max)}


def entry_json(
    landed: LedgerTransaction, encoding: TransactionEncoding, version_max: int | None, *, rewards: bool = True
) -> Json:
    """The same as it stands in a block, whose slot and time it has."""
    wire = read_transaction(landed.raw)
    return {
        **_version(wire, version_max),
        "transaction": _transaction(wire, landed, encoding),
        "meta": _meta(wire, landed, encoding, rewards=rewards),
    }


def accounts_entry_json(landed: LedgerTransaction, version_max: int | None, *, rewards: bool) -> Json:
    """As it stands in a block of which only accounts are shown."""
    wire = read_transaction(landed.raw)
    signatures = [str(signature) for signature in wire.versioned.signatures]
    return {
        **_version(wire, version_max),
        "transaction": {"signatures": signatures, "accountKeys": _account_roles(wire.message, landed)},
        "meta": {**_balances(landed), **({"rewards": []} if rewards else {})},
    }


def _version(wire: WireTransaction, version_max: int | None) -> Json:
    versioned = isinstance(wire.message, MessageV0)
    if versioned and version_max is None:
        raise unsupported_version(0)
    return {} if version_max is None else {"version": 0 if versioned else "legacy"}


def _transaction(wire: WireTransaction, landed: LedgerTransaction, encoding: TransactionEncoding) -> Any:
    if encoding is TransactionEncoding.BASE64:
        return [base64.b64encode(wire.raw).decode(), "base64"]
    if encoding in (TransactionEncoding.BASE58, TransactionEncoding.BINARY):
        text = base58.b58encode(wire.raw).decode()
        return text if encoding is TransactionEncoding.BINARY else [text, "base58"]
    parsed = encoding is TransactionEncoding.JSON_PARSED
    message = _parsed_message(wire, landed) if parsed else _plain_message(wire.message)
    return {"signatures": [str(signature) for signature in wire.versioned.signatures], "message": message}


def _plain_message(message: Message | MessageV0) -> Json:
    header = message.header
    shown: Json = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            _compiled(instruction.program_id_index, bytes(instruction.accounts), bytes(instruction.data), _TOP)
            for instruction in message.instructions
        ],
    }
    if isinstance(message, MessageV0):
        shown["addressTableLookups"] = _lookups(message)
    return shown


def _lookups(message: MessageV0) -> list[Json]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(bytes(lookup.writable_indexes)),
            "readonlyIndexes": list(bytes(lookup.readonly_indexes)),
        }
        for lookup in message.address_table_lookups
    ]


def _parsed_message(wire: WireTransaction, landed: LedgerTransaction) -> Json:
    message = wire.message
    keys = all_keys(wire, landed)
    shown: Json = {
        "accountKeys": _account_roles(message, landed),
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            parsed_instruction(_resolved(keys, i.program_id_index, bytes(i.accounts), bytes(i.data), _TOP))
            for i in message.instructions
        ],
    }
    if isinstance(message, MessageV0):
        shown["addressTableLookups"] = _lookups(message)
    return shown


def all_keys(wire: WireTransaction, landed: LedgerTransaction) -> list[Address]:
    """Every account of a transaction in the order that its indices count: static, loaded writable, loaded readonly."""
    return [*map(str, wire.static_keys), *landed.loaded_writable, *landed.loaded_readonly]


def _account_roles(message: Message | MessageV0, landed: LedgerTransaction) -> list[Json]:
    """Of what its header lets it write, a node locks no reserved key, and no program that it calls."""
    header, static = message.header, [str(key) for key in message.account_keys]
    signers, size = header.num_required_signatures, len(static)
    keys = [*static, *landed.loaded_writable, *landed.loaded_readonly]
    writable = {
        *range(signers - header.num_readonly_signed_accounts),
        *range(signers, size - header.num_readonly_unsigned_accounts),
        *range(size, size + len(landed.loaded_writable)),
    }
    if UPGRADEABLE_LOADER not in keys:  # It writes the programs that it upgrades.
        writable -= {instruction.program_id_index for instruction in message.instructions}
    return [
        {
            "pubkey": key,
            "signer": i < signers,
            "source": "transaction" if i < size else "lookupTable",
            "writable": i in writable and key not in RESERVED_KEYS,
        }
        for i, key in enumerate(keys)
    ]


def _meta(wire: WireTransaction, landed: LedgerTransaction, encoding: TransactionEncoding, *, rewards: bool) -> Json:
    keys = all_keys(wire, landed) if encoding is TransactionEncoding.JSON_PARSED else None
    shown: Json = {
        **_balances(landed),
        "innerInstructions": inner_instructions_json(landed.inner_instructions, keys),
        "logMessages": list(landed.logs),
        "rewards": [] if rewards else None,
        "computeUnitsConsumed": landed.units_consumed,
    }
    if keys is None:
        shown["loadedAddresses"] = loaded_addresses_json(landed)
    if landed.return_data is not None:
        shown["returnData"] = return_data_json(landed.return_data)
    return shown


def _balances(landed: LedgerTransaction) -> Json:
    """What it came to, and what it cost each account."""
    return {
        "err": landed.error,
        "status": status_json(landed.error),
        "fee": landed.fee,
        "preBalances": list(landed.pre_balances),
        "postBalances": list(landed.post_balances),
        "preTokenBalances": [token_balance_json(balance) for balance in landed.pre_token_balances],
        "postTokenBalances": [token_balance_json(balance) for balance in landed.post_token_balances],
    }


def loaded_addresses_json(loads: LedgerTransaction | DetailedSimulation) -> Json:
    return {"writable": list(loads.loaded_writable), "readonly": list(loads.loaded_readonly)}


def inner_instructions_json(inner: Sequence[InnerInstructions], keys: Sequence[Address] | None) -> list[Json]:
    """What each instruction called: parsed if all `keys` of the transaction are given, else by index."""
    return [
        {
            "index": group.index,
            "instructions": [
                _compiled(call.program_index, call.accounts, call.data, call.stack_height)
                if keys is None
                else parsed_instruction(
                    _resolved(keys, call.program_index, call.accounts, call.data, call.stack_height)
                )
                for call in group.instructions
            ],
        }
        for group in inner
    ]


def return_data_json(returned: ReturnData) -> Json:
    return {"programId": returned.program, "data": [base64.b64encode(returned.data).decode(), "base64"]}


def _compiled(program_index: int, accounts: bytes, data: bytes, stack_height: int) -> Json:
    text = base58.b58encode(data).decode()
    return {"programIdIndex": program_index, "accounts": list(accounts), "data": text, "stackHeight": stack_height}


def _resolved(
    keys: Sequence[Address], program_index: int, accounts: bytes, data: bytes, stack_height: int
) -> Instruction:
    return Instruction(keys[program_index], tuple(keys[i] for i in accounts), data, stack_height)


def token_balance_json(balance: TokenBalance) -> Json:
    return {
        "accountIndex": balance.account_index,
        "mint": balance.mint,
        "uiTokenAmount": token_amount(balance.amount, balance.decimals),
        "owner": balance.owner,
        "programId": balance.program,
    }
