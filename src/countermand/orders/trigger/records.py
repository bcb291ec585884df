"""What readers are told of trigger orders: one record an event, which says by itself all of it.

A story begins with the order's terms. Bodies are JSON in camelCase; amounts are decimal strings of base units, prices
decimal strings of US dollars, times milliseconds since the epoch.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from countermand.kernel.journal import encode
from countermand.kernel.ports import EventRecord
from countermand.orders.trigger.journal import COMMANDS, EVENTS
from countermand.orders.trigger.model import events
from countermand.orders.trigger.model.commands import Command
from countermand.orders.trigger.model.condition import Direction
from countermand.orders.trigger.model.events import Event
from countermand.orders.trigger.model.order import Leg, OrderGroup, Purpose, TriggerTerms, purpose, traded
from countermand.orders.trigger.words import trigger_reason
from countermand.orders.vaults.ports import ShownEvents
from countermand.orders.vaults.words import some_units
from countermand.values.identity import Mint, OrderId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, decimal_text, dollars
from countermand.values.structs import replace


class TriggerRecordLeg(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    role: str
    direction: str
    price: str
    slippage_bps: int | None = None
    trailing_bps: int | None = None


class TriggerRecordTerms(msgspec.Struct, rename="camel", frozen=True):
    family: str
    input_mint: str
    output_mint: str
    trigger_mint: str
    amount: str


class TriggerRecord(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """`version` is the order's after it. What an event does not have is left out.

    `mint` and `amount` are what moved of what is sold, `outputMint` and `outputAmount` what a fill gave, or what came
    back of an OTOCO's output account; `returned` is what a last fill left over and gave back, `dust` what strangers had
    sent to the order's accounts.
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
    purpose: str | None = None
    terms: TriggerRecordTerms | None = None
    legs: tuple[TriggerRecordLeg, ...] | None = None
    expires_at: Instant | None = None


_RECORD: Final = msgspec.json.Decoder(TriggerRecord)

decode_trigger_record = _RECORD.decode


def record_of(group: OrderGroup, event: Event, command: Command, at: Instant) -> EventRecord:
    """`group`: the order after the event."""
    record = trigger_record(group, event, command, at)
    return EventRecord(group.terms.wallet, group.id, record.event, encode(record))


def record_of_move(event: events.WatermarkMoved, command: Command, at: Instant) -> EventRecord:
    """Of no wallet and no order: which ones it concerns, those tell who trail the mint."""
    side = event.direction.value
    extreme = "high" if event.direction is Direction.BELOW else "low"
    record = {
        "event": EVENTS.name_of(event),
        "at": at,
        "cause": COMMANDS.name_of(command),
        "reason": f"the price of {event.mint} is {dollars(event.price)}: a new {extreme} for what triggers {side} it",
        "mint": event.mint,
        "direction": side,
        "price": dollars(event.price),
    }
    return EventRecord(Wallet(""), OrderId(""), EVENTS.name_of(event), encode(record))


def trigger_record(group: OrderGroup, event: Event, command: Command, at: Instant) -> TriggerRecord:
    reason = trigger_reason(group, event, command)
    record = TriggerRecord(EVENTS.name_of(event), at, group.version, COMMANDS.name_of(command), reason)
    return _detailed(record, group, event)


def _detailed(record: TriggerRecord, group: OrderGroup, event: Event) -> TriggerRecord:
    terms = group.terms
    match event:
        case events.OrderPlaced():
            placed = TriggerRecordTerms(
                terms.family.value,
                terms.input_mint,
                terms.output_mint,
                terms.trigger_mint,
                str(terms.deposited.units),
            )
            return replace(record, terms=placed, legs=_legs(event.legs), expires_at=event.expires_at)
        case events.OrderAmended():
            return replace(record, legs=_legs(event.legs), expires_at=event.expires_at)
        case events.DepositLanded() | events.DepositFailed():
            deposited = str(terms.deposited.units)
            return replace(record, signature=event.signature, mint=terms.input_mint, amount=deposited)
        case events.FillLanded():
            sold, bought = traded(terms, group.triggered_by())
            return replace(
                record,
                signature=event.signature,
                mint=sold,
                amount=str(event.used.units),
                output_mint=bought,
                output_amount=str(event.received.units),
                purpose=purpose(terms, group.triggered_by()).value,
                dust=some_units(event.dust),
                returned=some_units(event.returned),
            )
        case events.FillFailed():
            leg = group.triggered_by()
            bought, why = traded(terms, leg)[1], purpose(terms, leg).value
            return replace(record, signature=event.signature, output_mint=bought, purpose=why)
        case events.WithdrawalLanded():
            return _withdrawn(record, terms, event)
        case events.WithdrawalFailed():
            return replace(record, signature=event.signature)
        case events.SweepDone():
            dust = some_units(event.dust + event.output_dust)
            return replace(record, signature=event.signature, mint=terms.input_mint, dust=dust)
        case _:
            return record


def _withdrawn(record: TriggerRecord, terms: TriggerTerms, event: events.WithdrawalLanded) -> TriggerRecord:
    """What came back of each account; of the first one also that it was nothing, if of none anything came."""
    record = replace(record, signature=event.signature, dust=some_units(event.dust + event.output_dust))
    if event.withdrawn or not event.output_withdrawn:
        record = replace(record, mint=terms.input_mint, amount=str(event.withdrawn.units))
    if event.output_withdrawn:
        record = replace(record, output_mint=terms.output_mint, output_amount=str(event.output_withdrawn.units))
    return record


def _legs(legs: tuple[Leg, ...]) -> tuple[TriggerRecordLeg, ...]:
    return tuple(
        TriggerRecordLeg(
            leg.role.value,
            leg.condition.direction.value,
            decimal_text(leg.condition.price.picodollars, USD_SCALE),
            None if leg.slippage is None else leg.slippage.bps,
            None if leg.trail is None else leg.trail.distance.bps,
        )
        for leg in legs
    )


# --- what the owner of an order is shown


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of an order's history. `kind` is deposit, fill, withdrawal, cancelled or expired."""

    kind: str
    at: Instant
    succeeded: bool = True
    signature: Signature | None = None
    mint: Mint | None = None
    amount: BaseUnits | None = None
    output_mint: Mint | None = None
    output_amount: BaseUnits | None = None
    purpose: Purpose | None = None


SHOWN: Final = ShownEvents(
    kinds=("deposit_landed", "deposit_failed", "fill_landed", "order_expired", "withdrawal_landed"),
    passing="fill_failed",
    passing_most=5,
)


def history_of(record: TriggerRecord) -> Iterator[HistoryEntry]:
    """What the event adds to the history of its order; the newest first."""
    match record.event:
        case "deposit_landed":
            yield _entry("deposit", record)
        case "deposit_failed":
            yield _entry("deposit", record, succeeded=False)
        case "fill_landed":
            if record.returned is not None:
                yield _entry("withdrawal", record, mint=record.mint, amount=record.returned)
            if record.amount != "0":
                yield _entry("fill", record)
        case "fill_failed":
            yield _entry("fill", record, succeeded=False)
        case "order_expired":
            yield HistoryEntry("expired", record.at)
        case "withdrawal_landed":
            if record.mint is not None:
                yield _entry("withdrawal", record)
            if record.output_mint is not None:
                yield _entry("withdrawal", record, mint=record.output_mint, amount=record.output_amount)
            yield HistoryEntry("cancelled", record.at)


def _entry(
    kind: str, record: TriggerRecord, *, succeeded: bool = True, mint: str | None = None, amount: str | None = None
) -> HistoryEntry:
    """`mint` and `amount` are what comes back, where that is not all that the record tells."""
    if kind == "withdrawal":
        record = replace(
            record,
            mint=mint or record.mint,
            amount=amount or record.amount,
            output_mint=None,
            output_amount=None,
            purpose=None,
        )
    return HistoryEntry(
        kind,
        record.at,
        succeeded,
        None if record.signature is None else Signature(record.signature),
        None if record.mint is None else Mint(record.mint),
        _units(record.amount),
        None if record.output_mint is None else Mint(record.output_mint),
        _units(record.output_amount),
        None if record.purpose is None else Purpose(record.purpose),
    )


def _units(text: str | None) -> BaseUnits | None:
    return None if text is None else BaseUnits(int(text))
