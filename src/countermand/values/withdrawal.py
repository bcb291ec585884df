"""One cancellation of an order whose funds are in a vault, from the first request until they are back."""

from typing import Final

from countermand.values.identity import RequestId, Signature
from countermand.values.structs import Struct, replace
from countermand.values.transactions import Attempt, UnsignedTransaction, digest_of

FORMER_CRAFTS_MAX: Final = 64


class SupersededTransaction(Struct, frozen=True):
    """A withdrawal that will never be co-signed again, remembered to tell a late confirmation why."""

    digest: bytes
    """Of its message, SHA-256."""
    last_valid_height: int
    dead: bool = False
    """It was co-signed and did not land while it could."""
    rejection: str | None = None
    """The chain's error, when it landed and failed."""


class Withdrawal(Struct, frozen=True):
    request_id: RequestId
    craft: UnsignedTransaction | None
    """The newest, the only one that a confirm may turn into an attempt. None: it could not be built, or it failed."""
    former: tuple[SupersededTransaction, ...] = ()
    """The newest last, at most `FORMER_CRAFTS_MAX`."""
    signature: Signature | None = None
    """The transaction that landed."""


def crafted_again(
    withdrawal: Withdrawal | None, request_id: RequestId, craft: UnsignedTransaction | None
) -> Withdrawal:
    """The cancellation with a newer craft; a new one, if there was none."""
    if withdrawal is None:
        return Withdrawal(request_id, craft)
    assert withdrawal.request_id == request_id, "a cancellation keeps its request id"
    if withdrawal.craft is None:
        return replace(withdrawal, craft=craft)
    return replace(withdrawal, craft=craft, former=_remember(withdrawal, _former(withdrawal.craft)))


def failed(withdrawal: Withdrawal, attempt: Attempt, rejection: str | None) -> Withdrawal:
    """Its co-signed transaction will never land. `rejection` None: it is dead."""
    former = replace(_former(attempt.craft), dead=rejection is None, rejection=rejection)
    return replace(withdrawal, craft=None, former=_remember(withdrawal, former))


def _former(craft: UnsignedTransaction) -> SupersededTransaction:
    return SupersededTransaction(digest_of(craft.message), craft.last_valid_height)


def _remember(withdrawal: Withdrawal, former: SupersededTransaction) -> tuple[SupersededTransaction, ...]:
    return (*withdrawal.former, former)[-FORMER_CRAFTS_MAX:]
