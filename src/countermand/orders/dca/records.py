"""What readers are told of recurring orders: one record an event, which says by itself all of it.

A story begins with the order's terms. Bodies are JSON in camelCase; amounts are decimal strings of base units, prices
decimal strings of US dollars, times milliseconds since the epoch.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord
from countermand.orders.dca.journal import COMMANDS, EVENTS
from countermand.orders.dca.model import events
from countermand.orders.dca.model.commands import Command
from countermand.orders.dca.model.events import Event
from countermand.orders.dca.model.order import DcaOrder, DcaTerms, PriceBand, State
from countermand.orders.dca.words import dca_reason
from countermand.orders.vaults.ports import ShownEvents
from countermand.orders.vaults.words import some_units
from countermand.values.identity import Signature
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, UsdPrice, dollars
from countermand.values.structs import replace


class ToldBand(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    mint: str
    least: str | None = None
    most: str | None = None


class DcaRecordTerms(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    input_mint: str
    output_mint: str
    amount: str
    rounds: int
    interval_seconds: int
    begin_at: Instant | None = None
    band: ToldBand | None = None


class DcaRecord(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """`version` is the order's after it. What an event does not have is left out.

    `mint` and `amount` are what moved of the input, `outputMint` and `outputAmount` what a round gave, `returned` what
    the last one left over and gave back, `dust` what strangers had sent to the order's account. `tries` counts those of
    the round, with this one.
    """

    event: str
    at: Instant
    version: int
    cause: str
    reason: str | None = None
    signature: str | None = None
    mint: str | None = None
    amount: str | None = None
    output_mint: str | None = None
    output_amount: str | None = None
    dust: str | None = None
    returned: str | None = None
    round: int | None = None
    tries: int | None = None
    until: Instant | None = None
    rescheduled: bool = False
    terms: DcaRecordTerms | None = None


_RECORD: Final = msgspec.json.Decoder(DcaRecord)

decode_dca_record = _RECORD.decode


def record_of(before: DcaOrder | None, order: DcaOrder, event: Event, command: Command, at: Instant) -> EventRecord:
    """`before` and `order`: the order before and after the event."""
    record = dca_record(before, order, event, command, at)
    return EventRecord(order.terms.wallet, order.id, record.event, encode(record))


def dca_record(before: DcaOrder | None, order: DcaOrder, event: Event, command: Command, at: Instant) -> DcaRecord:
    reason = dca_reason(event, command)
    record = DcaRecord(EVENTS.name_of(event), at, order.version, COMMANDS.name_of(command), reason)
    return _detailed(record, before or order, event)


def _detailed(record: DcaRecord, order: DcaOrder, event: Event) -> DcaRecord:
    """`order`: as it was before the event."""
    terms = order.terms
    match event:
        case events.OrderPlaced():
            return replace(record, terms=_record_terms(event.terms))
        case events.DepositLanded() | events.DepositFailed():
            deposited = str(terms.deposited.units)
            return replace(record, signature=event.signature, mint=terms.input_mint, amount=deposited)
        case events.RoundBegan():
            return replace(record, round=order.round_number, tries=order.progress.failures + 1)
        case events.RoundPostponed():
            return replace(
                record,
                signature=event.signature,
                mint=terms.input_mint,
                amount=str(order.round_amount.units),
                output_mint=terms.output_mint,
                round=order.round_number,
                tries=order.progress.failures + _was_tried(order),
                until=event.until,
                rescheduled=event.rescheduled,
            )
        case events.FillLanded():
            return replace(
                record,
                signature=event.signature,
                mint=terms.input_mint,
                amount=str(event.used.units),
                output_mint=terms.output_mint,
                output_amount=str(event.received.units),
                round=order.round_number,
                tries=order.progress.failures + 1,
                dust=some_units(event.dust),
                returned=some_units(event.returned),
            )
        case events.WithdrawalLanded():
            withdrawn, dust = str(event.withdrawn.units), some_units(event.dust)
            return replace(record, signature=event.signature, mint=terms.input_mint, amount=withdrawn, dust=dust)
        case events.WithdrawalFailed():
            return replace(record, signature=event.signature)
        case events.SweepDone():
            return replace(record, signature=event.signature, mint=terms.input_mint, dust=some_units(event.dust))
        case _:
            return record


def _was_tried(order: DcaOrder) -> bool:
    """Now: else its price was out of its band, or its time was over."""
    return order.state in (State.ROUND_DUE, State.EXECUTING)


def _record_terms(terms: DcaTerms) -> DcaRecordTerms:
    plan = terms.plan
    return DcaRecordTerms(
        terms.input_mint,
        terms.output_mint,
        str(terms.deposited.units),
        plan.rounds,
        plan.interval_s,
        plan.begin_at,
        None if plan.band is None else _told_band(plan.band),
    )


def _told_band(band: PriceBand) -> ToldBand:
    return ToldBand(band.mint, _dollars(band.least), _dollars(band.most))


def _dollars(price: UsdPrice | None) -> str | None:
    return None if price is None else dollars(price)


# --- what the owner of an order is shown


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of an order's history. `kind` is deposit, fill, withdrawal or cancelled.

    `rescheduled`: a round that was moved to the next interval. `tries` counts those of the round.
    """

    kind: str
    at: Instant
    succeeded: bool = True
    rescheduled: bool = False
    signature: Signature | None = None
    round: int | None = None
    amount: BaseUnits | None = None
    output_amount: BaseUnits | None = None
    tries: int | None = None


SHOWN: Final = ShownEvents(
    kinds=("deposit_landed", "deposit_failed", "fill_landed", "withdrawal_landed"),
    passing="round_postponed",
    passing_most=20,
)


def history_of(record: DcaRecord) -> Iterator[HistoryEntry]:
    """What the event adds to the history of its order; the newest first."""
    match record.event:
        case "deposit_landed":
            yield _entry("deposit", record)
        case "deposit_failed":
            yield _entry("deposit", record, succeeded=False)
        case "fill_landed":
            if record.returned is not None:
                yield HistoryEntry(
                    "withdrawal", record.at, signature=_signature(record), amount=_units(record.returned)
                )
            yield _entry("fill", record)
        case "round_postponed":
            yield _entry("fill", record, succeeded=False)
        case "withdrawal_landed":
            yield _entry("withdrawal", record)
            yield HistoryEntry("cancelled", record.at)


def _entry(kind: str, record: DcaRecord, *, succeeded: bool = True) -> HistoryEntry:
    return HistoryEntry(
        kind,
        record.at,
        succeeded,
        record.rescheduled,
        _signature(record),
        record.round,
        _units(record.amount),
        _units(record.output_amount),
        record.tries,
    )


def _signature(record: DcaRecord) -> Signature | None:
    return None if record.signature is None else Signature(record.signature)


def _units(text: str | None) -> BaseUnits | None:
    return None if text is None else BaseUnits(int(text))
