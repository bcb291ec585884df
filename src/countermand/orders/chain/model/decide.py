"""What of a landed transaction is news of orders that the index knows."""

from collections.abc import Callable, Mapping
from typing import Final

from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.events import Event, FillFailed, LimitOpened, RecurringOpened
from countermand.orders.chain.model.lifecycle import evolve
from countermand.orders.chain.model.order import IndexedOrder
from countermand.values.identity import Address, Signature
from countermand.values.refusal import CommandRefused
from countermand.values.structs import Struct

FAILURES_KEPT: Final = 100
"""Of one order: a stranger can have any number of transactions fail that name it."""


class Cursor(Struct, frozen=True):
    """How far a program's transactions are known: all before `slot`, and these of it."""

    slot: int
    signatures: tuple[Signature, ...]

    def has(self, landed: TransactionLanded) -> bool:
        return landed.slot < self.slot or (landed.slot == self.slot and landed.signature in self.signatures)

    def transactions_in(self, slot: int) -> int:
        """How many of this slot are known."""
        return len(self.signatures) if slot == self.slot else 0

    def after(self, landed: TransactionLanded) -> "Cursor":
        earlier = self.signatures if landed.slot == self.slot else ()
        return Cursor(landed.slot, (*earlier, landed.signature))


BEGINNING: Final = Cursor(0, ())


class IndexRefused(CommandRefused, frozen=True):
    """Never made: what has landed is no request."""


def decide(
    cursors: Mapping[Address, Cursor], open_at: Callable[[Address], IndexedOrder | None], landed: TransactionLanded
) -> tuple[Event, ...]:
    """`open_at`: the order that is open at an address. Nothing is news that was told before.

    What happened to orders that were opened before the index began is not told.
    """
    if cursors.get(landed.program, BEGINNING).has(landed):
        return ()
    seen: dict[Address, IndexedOrder | None] = {}
    news: list[Event] = []
    for event in landed.did:
        before = seen[event.order] if event.order in seen else open_at(event.order)
        if not _is_news(event, before):
            continue
        news.append(event)
        after = evolve(before, event, landed)
        seen[event.order] = after if after.is_open else None
    return tuple(news)


def _is_news(event: Event, before: IndexedOrder | None) -> bool:
    if isinstance(event, LimitOpened | RecurringOpened):
        return before is None
    return before is not None and not (isinstance(event, FillFailed) and before.failures >= FAILURES_KEPT)
