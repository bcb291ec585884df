"""The instructions that custody uses: those of the System, Token, Associated Token and Compute Budget programs."""

from collections.abc import Sequence
from typing import Final

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountWithSeedParams, create_account_with_seed

from countermand.solana.port import JsonError
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_ACCOUNT_BYTES,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
)
from countermand.values.identity import Address

_TRANSFER, _CLOSE_ACCOUNT, _TRANSFER_CHECKED, _SYNC_NATIVE, _INITIALIZE_ACCOUNT_3 = 3, 9, 12, 17, 18
_CREATE_IDEMPOTENT = 1
_NO_SUCH_INSTRUCTION = 254

UNIT_PRICE_MICROLAMPORTS: Final = 250_000
"""For each compute unit, as in the published withdrawal."""


def key(address: str) -> Pubkey:
    return Pubkey.from_string(address)


def order_account(vault: Pubkey, seed: str, program: Pubkey) -> Pubkey:
    """The address of an order's token account."""
    return Pubkey.create_with_seed(vault, seed, program)


def create_order_account(payer: Pubkey, vault: Pubkey, seed: str, program: Pubkey) -> Instruction:
    """A token account with its rent, under the vault. The chain refuses an address that holds anything."""
    return create_account_with_seed(
        CreateAccountWithSeedParams(
            from_pubkey=payer,
            to_pubkey=order_account(vault, seed, program),
            base=vault,
            seed=seed,
            lamports=TOKEN_ACCOUNT_RENT_LAMPORTS,
            space=TOKEN_ACCOUNT_BYTES,
            owner=program,
        )
    )


def initialize_account(account: Pubkey, mint: Pubkey, owner: Pubkey, program: Pubkey) -> Instruction:
    data = bytes([_INITIALIZE_ACCOUNT_3]) + bytes(owner)
    return Instruction(program, data, [_writable(account), _readonly(mint)])


def sync_native(account: Pubkey, program: Pubkey) -> Instruction:
    """Counts lamports that were sent to a wrapped SOL account as its balance."""
    return Instruction(program, bytes([_SYNC_NATIVE]), [_writable(account)])


def create_associated(payer: Pubkey, account: Pubkey, owner: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
    """Creates the owner's associated token account unless it is there."""
    readonly = [_readonly(each) for each in (owner, mint, key(SYSTEM_PROGRAM), program)]
    metas = [_payer(payer), _writable(account), *readonly]
    return Instruction(key(ASSOCIATED_TOKEN_PROGRAM), bytes([_CREATE_IDEMPOTENT]), metas)


def transfer(
    source: Pubkey,
    destination: Pubkey,
    authority: Pubkey,
    amount: int,
    program: Pubkey,
    cosigners: Sequence[Pubkey] = (),
) -> Instruction:
    metas = [_writable(source), _writable(destination), _signer(authority), *map(_signer, cosigners)]
    return Instruction(program, bytes([_TRANSFER]) + amount.to_bytes(8, "little"), metas)


def transfer_checked(
    source: Pubkey, mint: Pubkey, destination: Pubkey, authority: Pubkey, amount: int, decimals: int, program: Pubkey
) -> Instruction:
    data = bytes([_TRANSFER_CHECKED]) + amount.to_bytes(8, "little") + bytes([decimals])
    return Instruction(program, data, [_writable(source), _readonly(mint), _writable(destination), _signer(authority)])


def close_account(
    account: Pubkey, destination: Pubkey, owner: Pubkey, program: Pubkey, cosigners: Sequence[Pubkey] = ()
) -> Instruction:
    """All lamports go to the destination. The chain refuses it while tokens are left, unless they are wrapped SOL."""
    metas = [_writable(account), _writable(destination), _signer(owner), *map(_signer, cosigners)]
    return Instruction(program, bytes([_CLOSE_ACCOUNT]), metas)


def rejected_close(message: bytes, error: JsonError) -> Address | None:
    """The token account that the instruction closes which the chain rejected. `message` is one that we built."""
    failed = error.get("InstructionError") if isinstance(error, dict) else None
    if failed is None:
        return None
    built = Message.from_bytes(message)
    instruction = built.instructions[failed[0]]
    if bytes(instruction.data) != bytes([_CLOSE_ACCOUNT]):
        return None
    return Address(str(built.account_keys[instruction.accounts[0]]))


def always_rejected(program: Pubkey) -> Instruction:
    """A token program knows no such instruction: a transaction that carries it lands, errs and moves nothing."""
    return Instruction(program, bytes([_NO_SUCH_INSTRUCTION]), [])


def is_same(found: Instruction, made: Instruction) -> bool:
    """Whether both do the same. What a message says of its keys, that they sign or are written, is not compared."""
    return (
        found.program_id == made.program_id
        and found.data == made.data
        and [meta.pubkey for meta in found.accounts] == [meta.pubkey for meta in made.accounts]
    )


def amount_of(moving: Instruction) -> int:
    """Of a transfer of tokens or of lamports: their data ends with the amount. 0 for what is too short."""
    return int.from_bytes(moving.data[-8:], "little") if len(moving.data) in (9, 12) else 0


def compile_message(
    payer: Pubkey, blockhash: bytes, unit_limit: int, unit_price: int, instructions: Sequence[Instruction]
) -> bytes:
    """A legacy message that begins with the compute budget."""
    budget = [set_compute_unit_limit(unit_limit), set_compute_unit_price(unit_price)]
    return bytes(Message.new_with_blockhash([*budget, *instructions], payer, Hash(blockhash)))


def _writable(account: Pubkey) -> AccountMeta:
    return AccountMeta(account, is_signer=False, is_writable=True)


def _readonly(account: Pubkey) -> AccountMeta:
    return AccountMeta(account, is_signer=False, is_writable=False)


def _signer(account: Pubkey) -> AccountMeta:
    return AccountMeta(account, is_signer=True, is_writable=False)


def _payer(account: Pubkey) -> AccountMeta:
    return AccountMeta(account, is_signer=True, is_writable=True)
