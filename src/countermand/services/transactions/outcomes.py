"""What became of a transaction: landed, rejected, or dead. Until one of them holds, it is unresolved."""

from collections.abc import Callable

from countermand.solana.port import Chain, JsonError
from countermand.values.identity import Signature
from countermand.values.transactions import TransactionOutcome


async def outcome_of(
    chain: Chain,
    signature: Signature,
    last_valid_height: int,
    saw_height: Callable[[int], None] = lambda _: None,
) -> tuple[TransactionOutcome, JsonError | None] | None:
    """The outcome, and the error of a rejected one. None: unresolved. Raises `ChainUnavailable`.

    It is dead once the finalized height is past its last valid one, and then the same node knows no status. The height
    is asked first: a node that knows none after it will never know one.
    """
    height = await chain.finalized_block_height()
    saw_height(height)
    status = await chain.signature_status(signature)
    if status is None:
        return (TransactionOutcome.DEAD, None) if height > last_valid_height else None
    if not status.finalized:
        return None
    if status.error is not None:
        return TransactionOutcome.REJECTED, status.error
    return TransactionOutcome.LANDED, None
