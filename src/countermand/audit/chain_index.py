"""The index of orders on the chain, replayed: compared with what is stored of it, and with the chain itself."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Final, TypeVar

import asyncpg
from solders.pubkey import Pubkey

from countermand.audit.events import EventsReplay
from countermand.audit.findings import NOT_STORED, STORED_OTHERWISE, Audit
from countermand.audit.reading import transaction_in
from countermand.kernel.ports import JournalRow
from countermand.orders.chain import journal
from countermand.orders.chain.landed import PROGRAMS, landed_of
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.lifecycle import NotOfThisOrder
from countermand.orders.chain.rows import NO_PLACE, ChainCursorRow, ChainOrderRow, ChainTradeRow
from countermand.orders.chain.state import ChainIndexState
from countermand.values.instant import Instant
from countermand.values.structs import replace

TABLES: Final = ("onchain_orders", "onchain_trades", "onchain_cursors")

_KEYS: Final = {program: bytes(Pubkey.from_string(program)) for program in PROGRAMS}
_ANY: Final = Instant(0)
"""The index looks at no clock."""

Row = TypeVar("Row", ChainOrderRow, ChainTradeRow, ChainCursorRow)


class ChainIndexReplay:
    """All that the index knows, as its journal says."""

    def __init__(self, audit: Audit, shard: int) -> None:
        self.events = EventsReplay(audit, shard)
        self._audit = audit
        self._shard = shard
        self._state = ChainIndexState()
        self._orders: dict[str, ChainOrderRow] = {}
        self._trades: dict[str, ChainTradeRow] = {}
        self._cursors: dict[str, ChainCursorRow] = {}
        self._told: dict[str, list[tuple[int, TransactionLanded]]] = {program: [] for program in PROGRAMS}
        """By program: the entries, each with its sequence number."""
        self._chain = ChainIndexState()
        """What the chain itself adds up to."""
        self._landed: dict[str, list[TransactionLanded]] = {program: [] for program in PROGRAMS}
        """By program: what the chain has news of."""

    def replay(self, row: JournalRow) -> None:
        entry = journal.read(row)
        if entry.command.program not in self._told:
            raise ValueError(f"{entry.command.program} is no program of orders")
        decided = self._state.decide(entry.command, entry.at)
        if entry.rules == journal.RULES_VERSION and decided != entry.events:
            self._audit.differs(
                "journal", f"{self._shard}/{entry.seq}", f"deciding again gives {decided}, not {entry.events}"
            )
        try:
            applied = self._state.apply(entry.command, entry.events, entry.at)
        except NotOfThisOrder as problem:
            raise ValueError(str(problem)) from problem
        self.events.expect(entry.seq, applied.events)
        self._told[entry.command.program].append((entry.seq, entry.command))
        rows = self._state.take_rows()
        self._orders.update({_name_of(order): order for order in rows.orders})
        self._trades.update({_name_of_trade(trade): trade for trade in rows.trades})
        self._cursors.update({cursor.program: cursor for cursor in rows.cursors})

    # --- what is stored of it

    async def compare_orders(self, rows: AsyncIterable[ChainOrderRow]) -> None:
        self._audit.orders += len(self._orders)
        await self._compare("onchain_orders", dict(self._orders), self._placed(rows), _name_of)

    async def _placed(self, rows: AsyncIterable[ChainOrderRow]) -> AsyncIterator[ChainOrderRow]:
        async for row in rows:
            known = self._orders.get(_name_of(row))
            if known is not None and row.ended_nth == NO_PLACE:
                yield replace(row, ended_nth=known.ended_nth)
            else:
                yield row

    async def compare_trades(self, rows: AsyncIterable[ChainTradeRow]) -> None:
        await self._compare("onchain_trades", dict(self._trades), rows, _name_of_trade)

    async def compare_cursors(self, rows: AsyncIterable[ChainCursorRow]) -> None:
        await self._compare("onchain_cursors", dict(self._cursors), rows, lambda row: row.program)

    async def _compare(
        self,
        table: str,
        expected: dict[str, Row],
        rows: AsyncIterable[Row],
        name_of: Callable[[Row], str],
    ) -> None:
        async for row in rows:
            name = name_of(row)
            if expected.pop(name, None) != row:
                self._audit.differs(table, name, STORED_OTHERWISE)
        for name in expected:
            self._audit.differs(table, name, NOT_STORED)

    # --- the chain that it tells of

    def follow(self, row: asyncpg.Record, keys: Sequence[bytes]) -> None:
        """A stored transaction of the chain, in the order of the chain."""
        programs = [program for program, key in _KEYS.items() if key in keys]
        if not programs:
            return
        transaction = transaction_in(row)
        for program in programs:
            landed = landed_of(program, transaction)
            news = self._chain.decide(landed, _ANY)
            if isinstance(news, tuple) and news:
                self._chain.apply(landed, news, _ANY)
                self._landed[program].append(landed)

    def compare_chain(self) -> None:
        """The index may be behind the chain, and never beside it."""
        for program, told in self._told.items():
            landed = self._landed[program]
            for (seq, command), happened in zip(told, landed, strict=False):
                if command != happened:
                    what = f"it tells of {command.signature}, and the chain has {happened.signature}, or otherwise"
                    self._audit.differs("journal", f"{self._shard}/{seq}", what)
                    break
            for seq, command in told[len(landed) :]:
                what = f"it tells of {command.signature}, which is not on the chain"
                self._audit.differs("journal", f"{self._shard}/{seq}", what)


def _name_of(row: ChainOrderRow) -> str:
    return f"{row.address} {row.opened_by} {row.nth}"


def _name_of_trade(row: ChainTradeRow) -> str:
    return f"{row.address} {row.opened_by} {row.nth} {row.n}"
