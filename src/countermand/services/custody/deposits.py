"""The transaction that funds an order.

The user pays and signs; the vault signs too, as the base from which the new account's address is derived.
"""

from collections.abc import Iterator
from typing import Final

from solders.instruction import Instruction
from solders.system_program import TransferParams, transfer

from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.instructions import (
    UNIT_PRICE_MICROLAMPORTS,
    compile_message,
    create_order_account,
    initialize_account,
    order_account,
    sync_native,
    transfer_checked,
)
from countermand.solana.tokens import TOKEN_2022_PROGRAM
from countermand.values.identity import RequestId

_SEED_CHARS: Final = 32
_UNIT_LIMIT: Final = 2_000
_UNIT_LIMIT_2022: Final = 20_000
"""The Token-2022 program does the same at ten times the price."""


def account_seed(request_id: RequestId) -> str:
    """An address of its own for each request: it can be created once, so a request never funds two orders."""
    seed = request_id.replace("-", "")
    assert len(seed) == _SEED_CHARS, f"the request id {request_id} has not 32 digits"
    return seed


def deposit_message(accounts: OrderAccounts, seed: str, amount: int, blockhash: bytes) -> bytes:
    instructions = list(deposit_instructions(accounts, seed, amount))
    limit = _UNIT_LIMIT_2022 if accounts.token.program == TOKEN_2022_PROGRAM else _UNIT_LIMIT
    return compile_message(accounts.user, blockhash, limit, UNIT_PRICE_MICROLAMPORTS, instructions)


def deposit_instructions(accounts: OrderAccounts, seed: str, amount: int) -> Iterator[Instruction]:
    user, vault, program = accounts.user, accounts.vault, accounts.program
    account = order_account(vault, seed, program)
    yield create_order_account(user, vault, seed, program)
    yield initialize_account(account, accounts.mint, vault, program)
    if accounts.native:
        yield transfer(TransferParams(from_pubkey=user, to_pubkey=account, lamports=amount))
        yield sync_native(account, program)
    else:
        yield transfer_checked(accounts.own, accounts.mint, account, user, amount, accounts.token.decimals, program)
