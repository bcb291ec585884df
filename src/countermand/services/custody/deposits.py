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


def output_seed(seed: str) -> str:
    """That of the account for what the order buys, beside the seed of the one that is funded."""
    return f"o{seed[:-1]}"


def deposit_message(
    accounts: OrderAccounts, seed: str, amount: int, blockhash: bytes, output: OrderAccounts | None = None
) -> bytes:
    """`output`: of an order that keeps what it buys, in an account that this opens, too."""
    instructions, limit = list(deposit_instructions(accounts, seed, amount)), _unit_limit(accounts)
    if output is not None:
        instructions += open_instructions(output, output_seed(seed))
        limit += _unit_limit(output)
    return compile_message(accounts.user, blockhash, limit, UNIT_PRICE_MICROLAMPORTS, instructions)


def _unit_limit(accounts: OrderAccounts) -> int:
    return _UNIT_LIMIT_2022 if accounts.token.program == TOKEN_2022_PROGRAM else _UNIT_LIMIT


def open_instructions(accounts: OrderAccounts, seed: str) -> Iterator[Instruction]:
    account = order_account(accounts.vault, seed, accounts.program)
    yield create_order_account(accounts.user, accounts.vault, seed, accounts.program)
    yield initialize_account(account, accounts.mint, accounts.vault, accounts.program)


def deposit_instructions(accounts: OrderAccounts, seed: str, amount: int) -> Iterator[Instruction]:
    user, program = accounts.user, accounts.program
    account = order_account(accounts.vault, seed, program)
    yield from open_instructions(accounts, seed)
    if accounts.native:
        yield transfer(TransferParams(from_pubkey=user, to_pubkey=account, lamports=amount))
        yield sync_native(account, program)
    else:
        yield transfer_checked(accounts.own, accounts.mint, account, user, amount, accounts.token.decimals, program)
