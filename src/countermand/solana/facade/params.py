"""The parameters of the methods as they stand on the wire, and how they are read.

JSON-RPC passes them by position. An explicit null counts as absent, as solana-py sends it; unknown fields are ignored.
"""

import base64
import binascii
import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, get_type_hints

import base58
import msgspec
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature as SignatureKey

from countermand.json_flaws import flaw_of
from countermand.solana.facade.errors import invalid_params, shown
from countermand.solana.port import PACKET_BYTES_MAX, Address, Signature

_BASE64_CHARACTERS_MAX: Final = 1644
"""Of a transaction as large as a packet."""

Unsigned = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A whole number from 0. (Slots, sizes and lamports beyond 2⁶³ do not occur.)"""

Version = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Commitment(StrEnum):
    """What lands here is finalized at once, so they see the same. Some methods refuse `processed`, as a node does."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"


class AccountEncoding(StrEnum):
    BINARY = "binary"
    BASE58 = "base58"
    BASE64 = "base64"
    BASE64_ZSTD = "base64+zstd"
    JSON_PARSED = "jsonParsed"


class TransactionEncoding(StrEnum):
    BINARY = "binary"
    BASE58 = "base58"
    BASE64 = "base64"
    JSON = "json"
    JSON_PARSED = "jsonParsed"


class TransactionDetails(StrEnum):
    """How much of a block's transactions is shown."""

    FULL = "full"
    ACCOUNTS = "accounts"
    SIGNATURES = "signatures"
    NONE = "none"


class LargestFilter(StrEnum):
    CIRCULATING = "circulating"
    NON_CIRCULATING = "nonCirculating"


class WireEncoding(StrEnum):
    BASE58 = "base58"
    BASE64 = "base64"


class _Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class DataSlice(_Shape, frozen=True):
    offset: Unsigned
    length: Unsigned


NO_DATA: Final = DataSlice(offset=0, length=0)


class Read(_Shape, frozen=True):
    commitment: Commitment | None = None
    min_context_slot: Unsigned | None = None


class ReadAccount(Read, frozen=True):
    encoding: AccountEncoding | None = None
    data_slice: DataSlice | None = None


class Memcmp(_Shape, frozen=True):
    offset: Unsigned
    bytes: str | list[Annotated[int, msgspec.Meta(ge=0, le=255)]]
    encoding: WireEncoding | None = None


class AccountFilter(_Shape, frozen=True):
    """One of the three is given; `tokenAccountState` keeps the initialized accounts of the token programs."""

    memcmp: Memcmp | None = None
    data_size: Unsigned | None = None
    token_account_state: bool | None = None


class ReadProgram(ReadAccount, frozen=True):
    filters: list[AccountFilter | str] | None = None
    with_context: bool | None = None


class TokenAccountsFilter(_Shape, frozen=True):
    mint: str | None = None
    program_id: str | None = None


class ReadStatuses(_Shape, frozen=True):
    search_transaction_history: bool | None = None


class ReadSignatures(Read, frozen=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    before: str | None = None
    until: str | None = None


class ReadTransaction(Read, frozen=True):
    encoding: TransactionEncoding | None = None
    max_supported_transaction_version: Version | None = None


class ReadBlock(ReadTransaction, frozen=True):
    transaction_details: TransactionDetails | None = None
    rewards: bool | None = None


class ReadLeaders(Read, frozen=True):
    identity: str | None = None


class ReadVotes(Read, frozen=True):
    vote_pubkey: str | None = None
    keep_unstaked_delinquents: bool | None = None
    delinquent_slot_distance: Unsigned | None = None


class SlotRange(_Shape, frozen=True):
    first_slot: Unsigned
    last_slot: Unsigned | None = None


class ReadProduction(ReadLeaders, frozen=True):
    range: SlotRange | None = None


class ReadEpoch(Read, frozen=True):
    epoch: Unsigned | None = None


class ReadSupply(Read, frozen=True):
    exclude_non_circulating_accounts_list: bool | None = None


class ReadLargest(Read, frozen=True):
    filter: LargestFilter | None = None
    sort_results: bool | None = None


class SendTransaction(_Shape, frozen=True):
    encoding: WireEncoding | None = None
    skip_preflight: bool | None = None
    preflight_commitment: Commitment | None = None
    max_retries: Unsigned | None = None
    min_context_slot: Unsigned | None = None


class SimulatedAccounts(_Shape, frozen=True):
    addresses: list[str]
    encoding: AccountEncoding | None = None


class SimulateTransaction(Read, frozen=True):
    encoding: WireEncoding | None = None
    sig_verify: bool | None = None
    replace_recent_blockhash: bool | None = None
    inner_instructions: bool | None = None
    accounts: SimulatedAccounts | None = None


class SubscribeSignature(_Shape, frozen=True):
    commitment: Commitment | None = None
    enable_received_notification: bool | None = None


class Mentions(_Shape, frozen=True):
    mentions: list[str]


class MentionsAccountOrProgram(_Shape, frozen=True):
    mentions_account_or_program: str


class SubscribeBlocks(_Shape, frozen=True):
    commitment: Commitment | None = None
    encoding: TransactionEncoding | None = None
    max_supported_transaction_version: Version | None = None
    transaction_details: TransactionDetails | None = None
    show_rewards: bool | None = None


def address(text: str) -> Address:
    """An address that is one. (The decoder looks at the length first, so a long text costs nothing.)"""
    try:
        return str(Pubkey.from_string(text))
    except ValueError:
        message = f"Invalid param: {shown(text)} is not an address: 32 bytes in base58 are expected"
        raise invalid_params(message) from None


def signature(text: str) -> Signature:
    try:
        return str(SignatureKey.from_string(text))
    except ValueError:
        message = f"Invalid param: {shown(text)} is not a signature: 64 bytes in base58 are expected"
        raise invalid_params(message) from None


def base64_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise invalid_params(f"invalid base64 encoding of {shown(text)}: {problem}") from None


def base58_bytes(text: str, *, characters_max: int) -> bytes:
    """Decoding base58 costs the square of its length, so the limit is the caller's and comes first."""
    if len(text) > characters_max:
        raise invalid_params(f"base58 text too large: {len(text)} characters (max: {characters_max})")
    try:
        return base58.b58decode(text)
    except ValueError as problem:
        raise invalid_params(f"invalid base58 encoding of {shown(text)}: {problem}") from None


class Parameter(msgspec.Struct, frozen=True):
    name: str
    type: Any
    required: bool


def message_of(text: str) -> Message | MessageV0:
    if len(text) > _BASE64_CHARACTERS_MAX:
        raise invalid_params(
            f"base64 encoded message too large: {len(text)} characters (max: {_BASE64_CHARACTERS_MAX})"
        )
    raw = base64_bytes(text)
    if len(raw) > PACKET_BYTES_MAX:
        raise invalid_params(f"decoded message too large: {len(raw)} bytes (max: {PACKET_BYTES_MAX} bytes)")
    try:
        message = from_bytes_versioned(raw)
    except ValueError as problem:
        raise invalid_params(f"failed to deserialize message: {problem}") from None
    if not isinstance(message, Message | MessageV0):
        raise invalid_params("failed to deserialize message: only legacy and version 0 messages are supported")
    if any(instruction.program_id_index >= len(message.account_keys) for instruction in message.instructions):
        raise invalid_params("invalid message: an instruction names a program beyond its accounts")
    return message


def parameters_of(method: Callable[..., Any]) -> tuple[Parameter, ...]:
    """What a method takes by position, read from its annotations; one with a default may be absent or null."""
    return _parameters(getattr(method, "__func__", method))


@cache  # Every socket has its own methods, but their functions are the same.
def _parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    hints = get_type_hints(function, include_extras=True)
    return tuple(
        Parameter(name, hints[name], parameter.default is inspect.Parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    )


def arguments(parameters: tuple[Parameter, ...], given: object) -> list[Any]:
    """The decoded arguments, or invalid params with the name of the one that is wrong."""
    values = [] if given is None else given
    if not isinstance(values, list):
        raise invalid_params(f"Invalid params: an array is expected, got {shown(values)}")
    if len(values) > len(parameters):
        raise invalid_params(f"Invalid params: at most {len(parameters)} are expected, got {len(values)}")
    return [_argument(parameter, values[i] if i < len(values) else None) for i, parameter in enumerate(parameters)]


def _argument(parameter: Parameter, value: object) -> Any:
    if value is None:
        if parameter.required:
            raise invalid_params(f"Invalid params: {parameter.name} is missing")
        return None
    try:
        return msgspec.convert(value, parameter.type)
    except msgspec.ValidationError as problem:
        flaw = flaw_of(problem)
        where = flaw.path_from(parameter.name)
        raise invalid_params(f"Invalid params: {flaw} - at `{where}`, got {shown(value)}") from None
