"""The whole journal decided once more by a venue that forgets nothing: an eviction or a restart must change nothing."""

from collections.abc import Iterable

from countermand.kernel.ports import JournalRow
from countermand.orders.book import journal as book_journal
from countermand.orders.book.model.decide import decide
from countermand.orders.book.model.exchange import Exchange
from countermand.orders.book.model.market import Market
from countermand_simulator.book.checkers import Claim
from countermand_simulator.violation import Violation


def decides_again(rows: Iterable[JournalRow], markets: Iterable[Market], orders_per_turn: int) -> None:
    exchange = Exchange(markets, orders_per_turn=orders_per_turn)
    for row in rows:
        entry = book_journal.read(row)
        decided = decide(exchange, entry.command, entry.at)
        if decided != entry.events:
            what = f"entry {entry.seq} ({entry.command}) brought {entry.events}, and now brings {decided}"
            raise Violation(Claim.REPLAY_EQUALS_MEMORY, what)
        for event in entry.events:
            exchange.apply(event, entry.at)
