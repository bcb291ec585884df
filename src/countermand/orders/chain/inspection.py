"""Orders on the chain as an operator looks at them: open ones by their accounts, closed ones by what is indexed."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from countermand.orders.chain.journal import EVENTS
from countermand.orders.chain.landed import PROGRAMS, landed_of
from countermand.orders.chain.model.events import Event, LimitOpened, RecurringOpened
from countermand.orders.chain.model.lifecycle import ending_of
from countermand.orders.chain.model.order import ChainFamily, ChainOrderState, IndexedOrder
from countermand.orders.chain.ports import Histories
from countermand.orders.chain.records import CAUSE
from countermand.orders.chain.rows import family_of
from countermand.orders.chain.words import chain_reason
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.services.transactions.landing import error_words
from countermand.solana.port import (
    TRANSACTIONS_MAX,
    AccountInfo,
    AddressSignature,
    Chain,
    ChainRecords,
    LedgerTransaction,
)
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.anchor import key
from countermand.values.identity import Address
from countermand.values.instant import Instant
from countermand.values.timeline import TimelineEntry

_LOOKED_AT_MAX: Final = 200
"""The newest that name an order: strangers can name it, too."""


class ChainOrder(Struct, frozen=True):
    """Amounts are base units, times seconds since the epoch.

    `terms`: its account, or where that is gone, what is known of it. None: it was opened before the index began.
    """

    family: ChainFamily
    address: Address
    state: ChainOrderState
    owner: str
    input_mint: str
    output_mint: str
    terms: limit_order.LimitOrderAccount | dca.Dca | IndexedOrder | None
    timeline: Sequence[TimelineEntry] = ()


class ChainInspection:
    """Every method may raise `Unavailable`."""

    def __init__(self, chain: Chain, records: ChainRecords, index: Histories) -> None:
        self._chain = chain
        self._records = records
        self._index = index

    @asks_the_chain
    async def order(self, address: Address) -> ChainOrder | None:
        (account,) = await self._chain.accounts([address])
        timeline, opened, ended = await self._history(address)
        there = None if account is None else _open_order(address, account, timeline)
        if there is not None:
            return there
        known = await self._index.last_at(address)
        if known is not None:  # A foreign node may show that the account is gone before it shows why.
            state = ended if known.is_open else known.state
            mints = known.input_mint, known.output_mint
            return ChainOrder(family_of(known), address, state, known.owner, *mints, known, timeline)
        match opened:
            case None:
                return None
            case LimitOpened():
                family = ChainFamily.LIMIT
            case RecurringOpened():
                family = ChainFamily.RECURRING
        return ChainOrder(family, address, ended, opened.owner, opened.input_mint, opened.output_mint, None, timeline)

    @asks_the_chain
    async def open_orders(self, family: ChainFamily, owner: Address | None) -> Sequence[ChainOrder]:
        """The newest first. They have no timeline here."""
        if family is ChainFamily.LIMIT:
            program, size, at = limit_order.PROGRAM, limit_order.ORDER_BYTES, limit_order.ORDER_MAKER_AT
            mark = (limit_order.ORDER_DISCRIMINATOR_AT, limit_order.ORDER_DISCRIMINATOR)
        else:
            program, size, at = dca.PROGRAM, dca.DCA_BYTES, dca.DCA_USER_AT
            mark = (dca.DCA_DISCRIMINATOR_AT, dca.DCA_DISCRIMINATOR)
        memcmp = [mark] if owner is None else [mark, (at, bytes(key(owner)))]
        found = await self._records.program_accounts(program, data_size=size, memcmp=memcmp)
        orders = [order for address, info in found if (order := _open_order(Address(address), info)) is not None]
        return sorted(orders, key=lambda each: (-_created_at(each), each.address))

    async def _history(
        self, address: Address
    ) -> tuple[list[TimelineEntry], LimitOpened | RecurringOpened | None, ChainOrderState]:
        """What landed with its name, the oldest first; how it was opened last, and how it ended."""
        named = (await self._records.signatures_for_address(address))[:_LOOKED_AT_MAX]
        landed = await self._landed([each.signature for each in named if each.error is None])
        timeline: list[TimelineEntry] = []
        opened: LimitOpened | RecurringOpened | None = None
        ended: ChainOrderState | None = None
        for each in reversed(named):
            if each.error is not None:
                timeline.append(_entry(each, "transaction_failed", error_words(each.error)))
                continue
            for event in _events(address, landed[each.signature]):
                timeline.append(_entry(each, EVENTS.name_of(event), chain_reason(event)))
                if isinstance(event, LimitOpened | RecurringOpened):
                    opened, ended = event, None
                # A cancel that follows the last fill only clears away what a stranger had sent.
                ended = ended or ending_of(event)
        return timeline, opened, ended or ChainOrderState.CANCELLED

    async def _landed(self, signatures: Sequence[str]) -> dict[str, LedgerTransaction | None]:
        found: dict[str, LedgerTransaction | None] = {}
        for start in range(0, len(signatures), TRANSACTIONS_MAX):
            asked = signatures[start : start + TRANSACTIONS_MAX]
            found.update(zip(asked, await self._records.transactions(asked), strict=True))
        return found


def _events(address: Address, transaction: LedgerTransaction | None) -> Iterator[Event]:
    if transaction is not None:
        for program in PROGRAMS:
            yield from (event for event in landed_of(program, transaction).did if event.order == address)


def _entry(landed: AddressSignature, event: str, reason: str | None) -> TimelineEntry:
    return TimelineEntry(Instant(landed.block_time * 1000), event, CAUSE, reason, signature=landed.signature)


def _open_order(address: Address, account: AccountInfo, timeline: Sequence[TimelineEntry] = ()) -> ChainOrder | None:
    """None: this is no account of an order."""
    if account.owner == limit_order.PROGRAM and (order := limit_order.read_order(account.data)) is not None:
        if order.making_amount == 0:
            return None
        mints = order.input_mint, order.output_mint
        return ChainOrder(ChainFamily.LIMIT, address, ChainOrderState.OPEN, order.maker, *mints, order, timeline)
    if account.owner == dca.PROGRAM and (found := dca.read_dca(account.data)) is not None:
        mints = found.input_mint, found.output_mint
        return ChainOrder(ChainFamily.RECURRING, address, ChainOrderState.OPEN, found.user, *mints, found, timeline)
    return None


def _created_at(order: ChainOrder) -> int:
    return order.terms.created_at if isinstance(order.terms, limit_order.LimitOrderAccount | dca.Dca) else 0
