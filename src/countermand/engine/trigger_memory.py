"""The trigger orders of a shard in memory, and what of them the next commit writes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from countermand.domain.identity import Mint, OrderId, Wallet
from countermand.domain.instant import Instant
from countermand.domain.quantities import UsdPrice
from countermand.domain.trigger.commands import Command, ObservePrice, PlaceOrder
from countermand.domain.trigger.desk import Desk, Happened
from countermand.domain.trigger.lifecycle import is_dormant
from countermand.domain.trigger.order import OrderGroup
from countermand.domain.trigger.refusals import Refused
from countermand.engine import trigger_journal, trigger_views
from countermand.engine.order_news import OrderNews, trigger_news
from countermand.engine.ports import BuildRow, CraftRow, HistoryRow, TriggerRows


@dataclass(slots=True)
class _Pending:
    orders: dict[OrderId, OrderGroup] = field(default_factory=dict)
    history: list[HistoryRow] = field(default_factory=list)
    crafts: list[CraftRow] = field(default_factory=list)
    vaults: dict[Wallet, Instant] = field(default_factory=dict)
    prices: dict[Mint, UsdPrice] = field(default_factory=dict)
    builds: dict[bytes, BuildRow] = field(default_factory=dict)


class TriggerMemory:
    """`engine.term.Memory`."""

    def __init__(self) -> None:
        self.desk = Desk()
        self._pending = _Pending()
        self._writing: dict[OrderId, OrderGroup] = {}
        self._dormant: dict[OrderId, OrderGroup] = {}

    # --- deciding

    def command_due(self, at: Instant) -> tuple[Instant, Command] | None:
        return self.desk.command_due(at)

    def decide(self, command: Command, at: Instant) -> Happened | Refused:
        if isinstance(command, ObservePrice):
            self.desk.prices[command.mint] = command.price
        return self.desk.decide(command, self.desk.moment(command, at))

    def record(self, command: Command, happened: Happened, at: Instant) -> bytes:
        judged_by = self.desk.moment(command, at).price
        pending = self._pending
        if happened and isinstance(command, PlaceOrder):
            # It may have been forgotten since it was read: it had died, or the venue was reset.
            self.add_craft(trigger_views.craft_row(command.deposit))
        for order_id, event in happened:
            group = self.desk.apply(order_id, event, at)
            pending.orders[order_id] = group
            pending.history.extend(trigger_views.history_rows(group, event, at))
        return trigger_journal.body_of(command, judged_by, happened)

    def news(self, command: Command, happened: Happened) -> Iterator[OrderNews]:
        for order_id, event in happened:
            yield trigger_news(self.desk.groups[order_id], event, command)

    def add_craft(self, row: CraftRow) -> None:
        self._pending.crafts.append(row)

    def add_build(self, row: BuildRow) -> None:
        self._pending.builds.setdefault(row.digest, row)

    def add_vault(self, wallet: Wallet, at: Instant) -> None:
        self._pending.vaults.setdefault(wallet, at)

    def add_price(self, mint: Mint, price: UsdPrice) -> None:
        self._pending.prices[mint] = price

    # --- committing

    def writes(self) -> bool:
        pending = self._pending
        return bool(pending.crafts or pending.vaults or pending.prices or pending.builds)

    def cut(self) -> TriggerRows:
        pending, self._pending = self._pending, _Pending()
        self._writing = pending.orders
        return TriggerRows(
            orders=[trigger_views.order_row(group) for group in pending.orders.values()],
            history=pending.history,
            crafts=pending.crafts,
            vaults=list(pending.vaults.items()),
            prices=list(pending.prices.items()),
            builds=list(pending.builds.values()),
        )

    def wrote(self) -> Sequence[OrderGroup]:
        """What was cut is committed. Returns the orders as they were committed."""
        written, self._writing = self._writing, {}
        for group in written.values():
            self._dormant.pop(group.id, None)
            if is_dormant(group):
                self._dormant[group.id] = group
        return tuple(written.values())

    # --- what is in memory

    def size(self) -> int:
        return len(self.desk.groups)

    def adopt(self, group: OrderGroup) -> None:
        self.desk.adopt(group)
        if is_dormant(group):
            self._dormant[group.id] = group

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
