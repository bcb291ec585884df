"""What the owner of an order is shown of its history: a projection of the events."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from countermand.domain.identity import Mint, Signature
from countermand.domain.instant import Instant
from countermand.domain.quantities import BaseUnits
from countermand.domain.trigger.commands import DepositCraft
from countermand.domain.trigger.events import (
    DepositFailed,
    DepositLanded,
    Event,
    FillFailed,
    FillLanded,
    OrderExpired,
    WithdrawalLanded,
)
from countermand.domain.trigger.lifecycle import ACTIVE, display_state, is_dormant
from countermand.domain.trigger.order import OrderGroup, Purpose, purpose
from countermand.engine.journal import encode
from countermand.engine.ports import CraftRow, HistoryRow, OrderRow


@dataclass(frozen=True, slots=True)
class Happening:
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


_HAPPENING: Final = msgspec.json.Decoder(Happening)

decode_happening = _HAPPENING.decode


def happenings(group: OrderGroup, event: Event, at: Instant) -> Iterator[Happening]:
    """What the event adds to the history of the group, which it has made what it is; the newest last."""
    terms = group.terms
    match event:
        case DepositLanded():
            yield Happening("deposit", at, True, event.signature, terms.input_mint, terms.deposited)
        case DepositFailed():
            yield Happening("deposit", at, False, event.signature, terms.input_mint, terms.deposited)
        case FillLanded():
            reason = purpose(terms, group.triggered_by())
            sold = (terms.input_mint, event.used)
            yield Happening("fill", at, True, event.signature, *sold, terms.output_mint, event.received, reason)
        case FillFailed():
            reason = purpose(terms, group.triggered_by())
            yield Happening("fill", at, False, event.signature, output_mint=terms.output_mint, purpose=reason)
        case OrderExpired():
            yield Happening("expired", at)
        case WithdrawalLanded():
            yield Happening("cancelled", at)
            yield Happening("withdrawal", at, True, event.signature, terms.input_mint, event.withdrawn)
        case _:
            pass


HAPPENINGS_PER_EVENT_MAX: Final = 2


def history_rows(group: OrderGroup, event: Event, at: Instant) -> Iterator[HistoryRow]:
    for nth, happening in enumerate(happenings(group, event, at)):
        number = group.version * HAPPENINGS_PER_EVENT_MAX + nth
        yield HistoryRow(group.id, number, encode(happening), passing=isinstance(event, FillFailed))


def craft_row(deposit: DepositCraft) -> CraftRow:
    return CraftRow(deposit.request_id, deposit.order_id, deposit.craft.last_valid_height, encode(deposit))


def order_row(group: OrderGroup) -> OrderRow:
    terms = group.terms
    return OrderRow(
        id=group.id,
        wallet=terms.wallet,
        live=not is_dormant(group),
        active=display_state(group.state) in ACTIVE,
        input_mint=terms.input_mint,
        output_mint=terms.output_mint,
        created_at=group.created_at,
        updated_at=group.updated_at,
        expires_at=group.expires_at,
        body=encode(group),
    )
