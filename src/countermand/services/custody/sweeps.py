"""What empties an order's account of strangers' dust and closes it.

It ends a fill, and is a transaction of its own when the order's last one had to leave the account open.
"""

from collections.abc import Iterator

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.services.custody.instructions import close_account, create_associated, transfer
from countermand.services.custody.parties import OrderAccounts


def sweep_instructions(parties: OrderAccounts, payer: Pubkey, account: Pubkey, dust: int) -> Iterator[Instruction]:
    """The dust goes to the user's token account, which is created if it is missing; the rent goes to the user."""
    # The close takes wrapped SOL along.
    if dust and not parties.native:
        yield create_associated(payer, parties.own, parties.user, parties.mint, parties.program)
        yield transfer(account, parties.own, parties.vault, dust, parties.program)
    yield close_account(account, parties.user, parties.vault, parties.program)
