"""The instructions around an order: those that open, fund and close the token accounts of its owner."""

from typing import Final

from solders.instruction import Instruction
from solders.system_program import TransferParams, transfer

from countermand.solana.port import Address
from countermand.solana.programs.anchor import key, paying_signer, readonly, signer, writable
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_address,
)

_CREATE_IDEMPOTENT: Final = bytes([1])
_CLOSE_ACCOUNT: Final = bytes([9])
_SYNC_NATIVE: Final = bytes([17])


def create_associated(payer: Address, owner: Address, mint: Address, program: Address = TOKEN_PROGRAM) -> Instruction:
    """Creates the owner's associated token account unless it is there."""
    account = associated_token_address(owner, mint, program)
    others = [readonly(each) for each in (owner, mint, SYSTEM_PROGRAM, program)]
    metas = [paying_signer(payer), writable(account), *others]
    return Instruction(key(ASSOCIATED_TOKEN_PROGRAM), _CREATE_IDEMPOTENT, metas)


def wrap_sol(owner: Address, lamports: int) -> tuple[Instruction, Instruction, Instruction]:
    """Opens the owner's wrapped SOL account if it is missing, and adds lamports to it.

    The owner pays for the account also where another account pays for the transaction, since its rent returns to the
    owner when the account is closed.
    """
    account = associated_token_address(owner, SOL_MINT)
    funds = TransferParams(from_pubkey=key(owner), to_pubkey=key(account), lamports=lamports)
    sync = Instruction(key(TOKEN_PROGRAM), _SYNC_NATIVE, [writable(account)])
    return create_associated(owner, owner, SOL_MINT), transfer(funds), sync


def unwrap_sol(owner: Address, *, repeats_signer: bool = False) -> Instruction:
    """Closes the owner's wrapped SOL account: all that is in it comes back as lamports.

    `repeats_signer`: the owner stands there once more, as a signer of its own. The Rust library writes it so.
    """
    cosigners = [signer(owner)] if repeats_signer else []
    authority = readonly(owner) if repeats_signer else signer(owner)
    metas = [writable(associated_token_address(owner, SOL_MINT)), writable(owner), authority, *cosigners]
    return Instruction(key(TOKEN_PROGRAM), _CLOSE_ACCOUNT, metas)
