"""`countermand audit`: replays the journal, and says where it differs from what is stored and from the chain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from countermand.audit.book import BookReplay
from countermand.audit.chain import compare_accounts, compare_transactions
from countermand.audit.findings import Audit
from countermand.audit.follow import Follower
from countermand.audit.replay import Replay
from countermand.domain.ledger.amount import AMOUNT_SCALE
from countermand.domain.quantities import decimal_text
from countermand.engine.ports import Epoch
from countermand.engine.shards import BOOK_SHARD
from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable, running_dsn
from countermand.store.postgres import PostgresStore
from countermand.store.snapshot import Snapshot

_WIDTH_MIN: Final = 200
"""No number is cut, however narrow the terminal is, and where there is none."""


async def audit(store: PostgresStore) -> Audit:
    """Of one instant; commits go on meanwhile."""
    found = Audit()
    async with store.snapshot() as snapshot:
        for shard, epoch in await snapshot.shards():
            await (_audit_book if shard == BOOK_SHARD else _audit_trigger)(snapshot, shard, epoch, found)
    return found


async def _audit_trigger(snapshot: Snapshot, shard: int, epoch: Epoch, found: Audit) -> None:
    replay = Replay(found)
    follower = Follower(found, replay.replay)
    if not await follower.follow(snapshot.journal(shard)):
        return
    follower.compare_end(epoch)
    await replay.compare_orders(snapshot.orders(shard))
    await replay.compare_history(snapshot.history(shard))
    replay.count_remaining()
    await compare_transactions(snapshot.connection, replay, found)
    await compare_accounts(snapshot.connection, replay.desk.groups.values(), found)


async def _audit_book(snapshot: Snapshot, shard: int, epoch: Epoch, found: Audit) -> None:
    replay = BookReplay(found)
    follower = Follower(found, replay.replay)
    if not await follower.follow(snapshot.journal(shard)):
        return
    follower.compare_end(epoch)
    await replay.compare_orders(snapshot.book_orders(shard))
    await replay.compare_trades(snapshot.book_trades(shard))
    await replay.compare_balances(snapshot.book_balances(shard))
    replay.compare_standing(await snapshot.book_standing(shard))
    replay.count()


@asynccontextmanager
async def opened(data: Path | None, database_url: str | None) -> AsyncIterator[PostgresStore]:
    """The store of a venue, running or not. One that runs is not disturbed; one that does not is started to be read."""
    async with _database(data, database_url) as dsn:
        store = await PostgresStore.connect(dsn)
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def _database(data: Path | None, database_url: str | None) -> AsyncIterator[str]:
    if database_url is not None:
        yield database_url
        return
    assert data is not None, "either a data directory or a database"
    if not (data / "postgres").is_dir():
        raise PostgresUnavailable(f"{data} holds no venue: give --data the directory that `countermand serve` uses")
    running = running_dsn(data)
    if running is not None:
        yield running
        return
    async with EmbeddedPostgres(data) as server:
        yield server.dsn


async def main(data: Path | None = None, database_url: str | None = None) -> int:
    """Prints what was found. 0: all is well, 1: something differs."""
    async with opened(data, database_url) as store:
        found = await audit(store)
    show(found, Console())
    return 0 if found.ok else 1


def show(found: Audit, console: Console) -> None:
    console.width = max(console.width, _WIDTH_MIN)
    console.print(f"{found.entries} journal entries replayed, {found.orders} orders.")
    table = Table(box=None)
    for heading in ("mint", "deposited", "filled", "withdrawn", "remaining", "gifts returned", "gifts held"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "mint" else "right")
    for mint, column in sorted(found.columns.items()):
        numbers = (column.deposited, column.filled, column.withdrawn, column.remaining)
        table.add_row(mint, *map(str, numbers), str(column.gifts_returned), str(column.gifts_held))
    console.print(table)
    if found.currencies:
        console.print(_currencies(found))
    console.print(
        f"Rent held in orders' accounts: {found.rent_held_lamports} lamports."
        f" Network fees of landed transactions: {found.network_fees_lamports} lamports."
    )
    for sentence in found.unresolved:
        console.print(f"unresolved: {sentence}", highlight=False)
    for sentence in found.differences:
        console.print(f"DIFFERS: {sentence}", style="bold red", highlight=False)
    console.print("Everything agrees." if found.ok else f"{len(found.differences)} differences.")


def _currencies(found: Audit) -> Table:
    table = Table(box=None)
    for heading in ("currency", "deposited", "available", "locked", "fees"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "currency" else "right")
    for currency, there in sorted(found.currencies.items()):
        quanta = (there.deposited, there.available, there.locked, there.fees)
        table.add_row(currency, *(decimal_text(each, AMOUNT_SCALE) for each in quanta))
    return table
