"""The records of the event log about orders on the chain. Bodies are JSON in camelCase; amounts are base units.

`at` is the block's time in milliseconds since the epoch. A story begins with the order's terms.
"""

from typing import Final

import msgspec

from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord
from countermand.orders.chain.journal import EVENTS
from countermand.orders.chain.model import events
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.events import Event
from countermand.orders.chain.model.order import IndexedOrder
from countermand.orders.chain.rows import family_of
from countermand.orders.chain.words import chain_reason
from countermand.values.instant import Instant
from countermand.values.structs import replace

CAUSE: Final = "transaction"


class ChainRecord(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """What an event does not have is left out. `given` and `received`: of a fill, before or without the fee as told."""

    event: str
    at: Instant
    cause: str
    signature: str
    family: str
    opened_by: str
    reason: str | None = None
    input_mint: str | None = None
    output_mint: str | None = None
    given: int | None = None
    received: int | None = None


decode_chain_record: Final = msgspec.json.Decoder(ChainRecord).decode


def record_of(order: IndexedOrder, event: Event, landed: TransactionLanded) -> EventRecord:
    """`order`: as it is after the event."""
    record = ChainRecord(
        event=EVENTS.name_of(event),
        at=Instant(landed.at_s * 1000),
        cause=CAUSE,
        signature=landed.signature,
        family=family_of(order).value,
        opened_by=order.opened_by,
        reason=chain_reason(event),
    )
    return EventRecord(order.owner, order.address, record.event, encode(_detailed(record, event)))


def _detailed(record: ChainRecord, event: Event) -> ChainRecord:
    match event:
        case events.LimitOpened(making=given, taking=received):
            sold, bought = event.input_mint, event.output_mint
            return replace(record, input_mint=sold, output_mint=bought, given=given, received=received)
        case events.RecurringOpened(deposited=given):
            return replace(record, input_mint=event.input_mint, output_mint=event.output_mint, given=given)
        case events.LimitFilled(making=given, taking=received) | events.CycleFilled(used=given, received=received):
            return replace(record, given=given, received=received)
        case events.RecurringDeposited(amount=given):
            return replace(record, given=given)
        case events.RecurringWithdrawn():
            return replace(record, given=event.sold, received=event.bought)
        case events.LimitCancelled() | events.RecurringClosed() | events.FillFailed():
            return record
