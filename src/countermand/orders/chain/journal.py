"""The bodies of the index's journal.

JSON: `{"rules", "program", "signature", "slot", "at_s", "did": [[kind, event], …], "news": [index, …]}`. `news` tells
which of what the transaction did concerns orders that the index knows: the entry's events.
"""

from typing import Final, get_args

import msgspec

from countermand.kernel.journal import Kinds, encode
from countermand.kernel.ports import JournalRow
from countermand.orders.chain.model import events
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.events import Event
from countermand.values.identity import Address, Signature
from countermand.values.instant import Instant

RULES_VERSION: Final = 1
"""Grows when `decide` chooses otherwise for the same command: deciding again is compared only within one version."""
LANDED: Final = "transaction_landed"

EVENTS: Final = Kinds[Event](
    {
        "order_created": events.LimitOpened,
        "order_filled": events.LimitFilled,
        "order_cancelled": events.LimitCancelled,
        "order_opened": events.RecurringOpened,
        "cycle_filled": events.CycleFilled,
        "deposited": events.RecurringDeposited,
        "withdrawn": events.RecurringWithdrawn,
        "order_closed": events.RecurringClosed,
        "fill_failed": events.FillFailed,
    }
)
assert len(EVENTS.names()) == len(get_args(Event)), "an event has no name"


class _Body(msgspec.Struct):
    rules: int
    program: Address
    signature: Signature
    slot: int
    at_s: int
    did: list[tuple[str, msgspec.Raw]]
    news: list[int]


_BODY: Final = msgspec.json.Decoder(_Body)


class ChainEntry(msgspec.Struct, frozen=True):
    """A journal row, read back."""

    seq: int
    at: Instant
    rules: int
    command: TransactionLanded
    events: tuple[Event, ...]


def body_of(landed: TransactionLanded, news: tuple[Event, ...]) -> bytes:
    chosen = {id(event) for event in news}
    return encode(
        {
            "rules": RULES_VERSION,
            "program": landed.program,
            "signature": landed.signature,
            "slot": landed.slot,
            "at_s": landed.at_s,
            "did": [(EVENTS.name_of(event), event) for event in landed.did],
            "news": [index for index, event in enumerate(landed.did) if id(event) in chosen],
        }
    )


def read(row: JournalRow) -> ChainEntry:
    """Raises `KeyError`, `IndexError` or `ValueError` for what no version of ours wrote."""
    if row.kind != LANDED:
        raise KeyError(row.kind)
    body = _BODY.decode(row.body)
    did = tuple(msgspec.json.decode(event, type=EVENTS.type_of(kind)) for kind, event in body.did)
    landed = TransactionLanded(body.program, body.signature, body.slot, body.at_s, did)
    return ChainEntry(row.seq, row.at, body.rules, landed, tuple(did[index] for index in body.news))
