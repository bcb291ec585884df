"""The answers of a node, as far as they are read here. Other fields are ignored."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec

Unsigned = Annotated[int, msgspec.Meta(ge=0)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
Base64 = tuple[bytes, Literal["base64"]]
Error = str | dict[str, Any]

T = TypeVar("T")


class _Shape(msgspec.Struct, frozen=True, rename="camel"):
    pass


class Context(_Shape, frozen=True):
    slot: Slot


class At(_Shape, Generic[T], frozen=True):
    """A value as of a slot."""

    context: Context
    value: T


class Blockhash(_Shape, frozen=True):
    blockhash: str
    last_valid_block_height: Slot


class EpochInfo(_Shape, frozen=True):
    absolute_slot: Slot
    block_height: Slot


class Status(_Shape, frozen=True):
    slot: Slot
    err: Error | None = None
    confirmation_status: str | None = None


class RpcAccount(_Shape, frozen=True):
    lamports: Unsigned
    owner: str
    data: Base64
    executable: bool


class KeyedAccount(_Shape, frozen=True):
    pubkey: str
    account: RpcAccount


class Simulated(_Shape, frozen=True):
    err: Error | None = None
    logs: list[str] | None = None
    units_consumed: Unsigned | None = None


class Fee(_Shape, frozen=True):
    slot: Slot
    prioritization_fee: Unsigned


class AddressEntry(_Shape, frozen=True):
    signature: str
    slot: Slot
    block_time: int
    err: Error | None = None
    memo: str | None = None


class RpcAmount(_Shape, frozen=True):
    amount: str
    decimals: Byte


class TokenAmount(_Shape, frozen=True):
    account_index: Byte
    mint: str
    owner: str
    program_id: str
    ui_token_amount: RpcAmount


class RpcInnerCall(_Shape, frozen=True):
    program_id_index: Byte
    accounts: list[Byte]
    data: str
    stack_height: Unsigned | None = None


class InnerCalls(_Shape, frozen=True):
    index: Byte
    instructions: list[RpcInnerCall]


class ReturnedData(_Shape, frozen=True):
    program_id: str
    data: Base64


class Loaded(_Shape, frozen=True):
    writable: list[str] = []
    readonly: list[str] = []


class RpcMeta(_Shape, frozen=True):
    fee: Unsigned
    pre_balances: list[Unsigned]
    post_balances: list[Unsigned]
    err: Error | None = None
    log_messages: list[str] | None = None
    pre_token_balances: list[TokenAmount] | None = None
    post_token_balances: list[TokenAmount] | None = None
    inner_instructions: list[InnerCalls] | None = None
    compute_units_consumed: Unsigned | None = None
    return_data: ReturnedData | None = None
    loaded_addresses: Loaded | None = None


class Transaction(_Shape, frozen=True):
    slot: Slot
    block_time: int
    transaction: Base64
    meta: RpcMeta


Reader = Callable[[msgspec.Raw], T]

read_blockhash: Final[Reader[At[Blockhash]]] = msgspec.json.Decoder(At[Blockhash]).decode
read_epoch: Final[Reader[EpochInfo]] = msgspec.json.Decoder(EpochInfo).decode
read_statuses: Final[Reader[At[list[Status | None]]]] = msgspec.json.Decoder(At[list[Status | None]]).decode
read_accounts: Final[Reader[At[list[RpcAccount | None]]]] = msgspec.json.Decoder(At[list[RpcAccount | None]]).decode
read_program: Final[Reader[At[list[KeyedAccount]]]] = msgspec.json.Decoder(At[list[KeyedAccount]]).decode
read_simulated: Final[Reader[At[Simulated]]] = msgspec.json.Decoder(At[Simulated]).decode
read_signature: Final[Reader[str]] = msgspec.json.Decoder(str).decode
read_text: Final = read_signature
read_fees: Final[Reader[list[Fee]]] = msgspec.json.Decoder(list[Fee]).decode
read_history: Final[Reader[list[AddressEntry]]] = msgspec.json.Decoder(list[AddressEntry]).decode
read_transaction: Final[Reader[Transaction | None]] = msgspec.json.Decoder(Transaction | None).decode
