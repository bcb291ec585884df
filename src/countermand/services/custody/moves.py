"""The instructions of each move of a plan, but for swaps, which are the router's."""

from collections.abc import Iterator, Sequence

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.instructions import close_account, create_associated, transfer


def return_instructions(
    accounts: OrderAccounts, account: Pubkey, amount: int, cosigners: Sequence[Pubkey] = ()
) -> Iterator[Instruction]:
    """Units of an order's account, to the user's own one."""
    if not accounts.native:
        yield transfer(account, accounts.own, accounts.vault, amount, accounts.program, cosigners)


def close_instructions(
    accounts: OrderAccounts, account: Pubkey, cosigners: Sequence[Pubkey] = ()
) -> Iterator[Instruction]:
    """The close of wrapped SOL moves funds, so that its cosigners are named in it."""
    named = cosigners if accounts.native else ()
    yield close_account(account, accounts.user, accounts.vault, accounts.program, named)


def sweep_instructions(accounts: OrderAccounts, payer: Pubkey, account: Pubkey, dust: int) -> Iterator[Instruction]:
    """Empties an order's account of strangers' dust, and closes it. The user's account is created if it is missing."""
    if dust and not accounts.native:
        yield own_account(accounts, payer)
        yield from return_instructions(accounts, account, dust)
    yield from close_instructions(accounts, account)


def own_account(accounts: OrderAccounts, payer: Pubkey) -> Instruction:
    """Creates the user's own token account, unless it is there."""
    return create_associated(payer, accounts.own, accounts.user, accounts.mint, accounts.program)
