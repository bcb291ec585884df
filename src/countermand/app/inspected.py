"""What is seen of a venue, put together by hand: orders of all families, prices since the start, a live stream."""

from collections.abc import Mapping

from msgspec import Struct

from countermand.app.families import Families
from countermand.inspection.bell import Bell
from countermand.inspection.on_chain import ChainOrders, Keepers
from countermand.inspection.orders import OrderInspector
from countermand.inspection.price_history import PriceHistory
from countermand.inspection.stream import EventStream, Feed
from countermand.kernel.event_log import EventLog
from countermand.orders.book.inspection import BookInspection
from countermand.orders.chain.inspection import ChainInspection
from countermand.orders.dca.inspection import DcaInspection
from countermand.orders.trigger.inspection import TriggerInspection
from countermand.store.records_postgres import PostgresRecords


class LiveView(Struct, frozen=True):
    """What is remembered of a venue, in memory alone."""

    bell: Bell
    prices: PriceHistory

    @classmethod
    def of(cls, families: Families) -> "LiveView":
        infra, bell = families.infrastructure, Bell()
        prices = PriceHistory(lambda: infra.prices.newest, infra.clock.now, bell)
        infra.prices.add_observer(prices.observe)
        return cls(bell, prices)

    def stream(self, families: Families, feeds: Mapping[str, Feed]) -> EventStream:
        return EventStream(_logs(families), feeds, self.bell)


def inspector_of(families: Families, *, keepers: Keepers, owns_chain: bool = True) -> OrderInspector:
    """`owns_chain`: as in `OrderInspector`."""
    infra, book = families.infrastructure, families.book
    records = PostgresRecords(infra.stores.trigger.readers)
    return OrderInspector(
        TriggerInspection(families.trigger.shard, records),
        DcaInspection(families.dca.shard, records),
        BookInspection(book.shard, records),
        ChainInspection(infra.chain, infra.chain, families.on_chain.index),
        ChainOrders(infra.tokens, infra.prices.price_of, infra.clock.now, keepers),
        book.service.markets,
        infra.prices.price_of,
        infra.clock.now,
        families.trigger.custody.why_not,
        owns_chain=owns_chain,
    )


def _logs(families: Families) -> Mapping[int, EventLog]:
    shards = (families.trigger.shard, families.dca.shard, families.book.shard, families.on_chain.index.shard)
    return {shard.number: shard.events for shard in shards}
