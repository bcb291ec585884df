"""One writer's term of office over a shard: its memory, and what of it is not yet committed.

A term begins with a new epoch and ends when a commit fails. Nothing of it survives: the next one loads what is stored.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from countermand.domain.identity import Mint, OrderId, Wallet
from countermand.domain.instant import Instant
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command, ObservePrice
from countermand.domain.trigger.desk import Desk, Happened
from countermand.domain.trigger.lifecycle import is_dormant
from countermand.domain.trigger.order import OrderGroup
from countermand.domain.trigger.refusals import Refused
from countermand.engine import journal, views
from countermand.engine.ports import Batch, BuildRow, CraftRow, Epoch, HistoryRow, JournalRow


class TermBroken(Exception):
    """A bug left the memory of a term in doubt."""


@dataclass(slots=True)
class _Pending:
    """What the next commit will write, and who waits for it."""

    journal: list[JournalRow] = field(default_factory=list)
    orders: dict[OrderId, OrderGroup] = field(default_factory=dict)
    history: list[HistoryRow] = field(default_factory=list)
    crafts: list[CraftRow] = field(default_factory=list)
    vaults: dict[Wallet, Instant] = field(default_factory=dict)
    prices: dict[Mint, UsdPrice] = field(default_factory=dict)
    builds: dict[bytes, BuildRow] = field(default_factory=dict)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def writes(self) -> bool:
        return bool(self.journal or self.crafts or self.vaults or self.prices or self.builds)


class Term:
    def __init__(self, shard: int, epoch: Epoch) -> None:
        self.desk = Desk()
        self.last_at = epoch.last_at
        self.wanted = asyncio.Event()
        """Somebody waits for a commit."""
        self._shard = shard
        self.epoch = epoch.number
        self._seq = epoch.seq
        self._head = epoch.head or journal.GENESIS
        self._seq_committed = epoch.seq
        self._pending = _Pending()
        self._writing: _Pending | None = None
        self._dormant: dict[OrderId, OrderGroup] = {}
        self._bug: BaseException | None = None

    # --- deciding: synchronous, in memory

    def turn(self, command: Command, clock: Instant) -> Happened | Refused:
        """Runs what time demanded before, then the command. Its instant is the clock's, never before the last one."""
        at = max(self.last_at, clock)
        self.run_due(at)
        return self._decide(command, at)

    def run_due(self, at: Instant) -> None:
        while (due := self.desk.command_due(at)) is not None:
            self._decide(due[1], max(self.last_at, due[0]))

    def _decide(self, command: Command, at: Instant) -> Happened | Refused:
        if isinstance(command, ObservePrice):
            self.desk.prices[command.mint] = command.price
        moment = self.desk.moment(command, at)
        happened = self.desk.decide(command, moment)
        if isinstance(happened, Refused) or not happened:
            return happened
        # From here on the command must succeed.
        self.last_at = at
        self._seq += 1
        row = journal.write(self._head, self._seq, moment, command, happened)
        self._head = row.hash
        pending = self._pending
        pending.journal.append(row)
        for order_id, event in happened:
            group = self.desk.apply(order_id, event, at)
            pending.orders[order_id] = group
            pending.history.extend(views.history_rows(group, event, at))
        return happened

    def add_craft(self, row: CraftRow) -> None:
        self._pending.crafts.append(row)

    def add_build(self, row: BuildRow) -> None:
        self._pending.builds.setdefault(row.digest, row)

    def add_vault(self, wallet: Wallet, at: Instant) -> None:
        self._pending.vaults.setdefault(wallet, at)

    def add_price(self, mint: Mint, price: UsdPrice) -> None:
        self._pending.prices[mint] = price

    # --- committing

    def is_settled(self) -> bool:
        return self._writing is None and not self._pending.writes()

    async def committed(self) -> None:
        """Returns once everything that memory now shows is committed."""
        if self._pending.writes():
            waiting = self._pending.waiting
            self.wanted.set()
        elif self._writing is not None:
            waiting = self._writing.waiting
        else:
            return
        future = asyncio.get_running_loop().create_future()
        waiting.append(future)
        await future

    async def confirmed(self) -> None:
        """The same, and no other writer had taken the shard when memory was looked at: the fence was passed since."""
        future = asyncio.get_running_loop().create_future()
        self._pending.waiting.append(future)
        self.wanted.set()
        await future

    def cut(self) -> Batch:
        """Everything that is pending, as one batch. The term goes on while it is written."""
        if self._bug is not None:
            raise TermBroken("a turn failed half way") from self._bug
        assert self._writing is None, "one batch is written at a time"
        pending = self._writing = self._pending
        self._pending = _Pending()
        self.wanted.clear()
        return Batch(
            shard=self._shard,
            epoch=self.epoch,
            seq_before=self._seq_committed,
            seq_after=self._seq,
            head=self._head,
            journal=pending.journal,
            orders=[views.order_row(group) for group in pending.orders.values()],
            history=pending.history,
            crafts=pending.crafts,
            vaults=list(pending.vaults.items()),
            prices=list(pending.prices.items()),
            builds=list(pending.builds.values()),
        )

    def wrote(self, batch: Batch) -> Sequence[OrderGroup]:
        """The batch is committed. Returns the orders as they were committed."""
        written = self._writing
        assert written is not None, "no batch was being written"
        self._writing = None
        self._seq_committed = batch.seq_after
        for future in written.waiting:
            if not future.done():
                future.set_result(None)
        for group in written.orders.values():
            self._dormant.pop(group.id, None)
            if is_dormant(group):
                self._dormant[group.id] = group
        return tuple(written.orders.values())

    def evict(self, keep: int, spare: Callable[[OrderId], bool]) -> None:
        """Forgets the orders that only their owners can move, but for the newest `keep`."""
        excess = len(self._dormant) - keep
        if excess <= 0:
            return
        for order_id, group in list(islice(self._dormant.items(), excess)):
            if spare(order_id):
                continue
            del self._dormant[order_id]
            if self.desk.groups.get(order_id) is group:
                self.desk.evict(order_id)

    def adopt(self, group: OrderGroup) -> None:
        self.desk.adopt(group)
        if is_dormant(group):
            self._dormant[group.id] = group

    def break_off(self, bug: BaseException) -> None:
        """Memory is in doubt: nothing more is written of it."""
        self._bug = bug
        self.wanted.set()

    def end(self, reason: BaseException) -> None:
        """Tells everyone who waits that the outcome is unknown."""
        for part in (self._pending, self._writing):
            for future in part.waiting if part is not None else ():
                if not future.done():
                    future.set_exception(reason)
        self._pending, self._writing = _Pending(), None
