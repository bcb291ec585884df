"""`countermand audit`: replays the journal, and says where it differs from what is stored and from the chain."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import astuple
from rich.console import Console
from rich.table import Table
from solders.keypair import Keypair

from countermand.audit.accounts import Accounts
from countermand.audit.balances import ChainBalances
from countermand.audit.book import BookReplay
from countermand.audit.chain import compare_accounts, compare_transactions
from countermand.audit.chain_index import TABLES as INDEX_TABLES
from countermand.audit.chain_index import ChainIndexReplay
from countermand.audit.crafts import Crafts, check_builds
from countermand.audit.dca import DcaReplay
from countermand.audit.fence import check_shards
from countermand.audit.findings import Audit
from countermand.audit.follow import JournalFollower
from countermand.audit.ledger import LedgerTransactions, check_unfounded, read_ledger
from countermand.audit.members import check_drafts, check_members
from countermand.audit.not_checked import sentences
from countermand.audit.onchain import OnChain
from countermand.audit.replay import Row, VaultReplay
from countermand.audit.schema import check_migrations
from countermand.audit.snapshots import check_snapshots
from countermand.audit.trigger import TriggerReplay
from countermand.audit.vaults import check_prices, check_vaults
from countermand.audit.venue import check_api_keys, check_sandbox, check_venue
from countermand.audit.wire import currencies_as_wire
from countermand.kernel.ports import Epoch, Unavailable
from countermand.orders.shards import BOOK_SHARD, CHAIN_SHARD, DCA_SHARD, TRIGGER_SHARD
from countermand.services.custody.vaults import MASTER_SEED_FILE, SeedRefused, VaultKeys, load_seed
from countermand.services.tokens import Token
from countermand.store.beside import database_beside
from countermand.store.postgres import PostgresStore
from countermand.store.snapshot import Snapshot

_WIDTH_MIN: Final = 200
"""No number is cut, however narrow the terminal is, and where there is none."""
_TRIES: Final = 10
_EMPTIED_S_MAX: Final = 2
"""How long a shard may be without its row, or empty, while a venue starts for the first time or is reset."""
_LOOK_S: Final = 0.05
_CUT_SHORT: Final = (
    "a reset of this sandbox was cut short, so nothing can be compared; "
    "start it once, which completes the reset, and audit it then"
)


class _Stage(msgspec.Struct, frozen=True):
    """How often everything was loaded, and how many prices there are. `is_empty`: a shard has no entries."""

    epochs: Mapping[str, int]
    is_empty: bool


class Watched:
    """An audit that goes on, for one who waits for it."""

    def __init__(self) -> None:
        self.audit = Audit()

    @property
    def entries(self) -> int:
        """How many journal entries are replayed."""
        return self.audit.entries


async def audit(
    store: PostgresStore,
    *,
    keys: VaultKeys | None = None,
    thorough: bool = False,
    patience_s: int = _EMPTIED_S_MAX,
    watch: Watched | None = None,
) -> Audit:
    """Of one instant; commits go on meanwhile. `keys`: those of the master seed, if it is at hand.

    `thorough`: verifies every signature on the chain, which takes longer than all else. A first start and a reset are
    no single commit: if something differs while one goes on, a later instant is audited instead. Raises `Unavailable`
    where a reset was cut short.
    """
    for attempt in range(_TRIES):
        async with store.snapshot() as snapshot:
            found = Audit()
            if watch is not None:
                watch.audit = found
            await examine(snapshot, keys=keys, thorough=thorough, found=found)
            stage = await _stage_of(snapshot)
        if found.ok or attempt == _TRIES - 1 or not await _has_moved(store, stage, patience_s):
            if found.is_cut_short and not found.ok:
                raise Unavailable(_CUT_SHORT)
            return found
    raise AssertionError


async def _stage_of(snapshot: Snapshot) -> _Stage:
    epochs = {f"shard {shard}": epoch.number for shard, epoch in await snapshot.shards()}
    for (epoch,) in await snapshot.fetch("SELECT epoch FROM chain_ledger"):
        epochs["chain"] = epoch
    ((epochs["prices"],),) = await snapshot.fetch("SELECT count(*) FROM prices")
    entries = {shard: epoch.seq - epoch.began for shard, epoch in await snapshot.shards()}
    return _Stage(epochs, is_empty=not entries.get(TRIGGER_SHARD) or not entries.get(BOOK_SHARD))


async def _has_moved(store: PostgresStore, before: _Stage, patience_s: int) -> bool:
    """Whether anything began anew since; waits for that if the venue looks as it does in the middle of a reset."""
    deadline = time.monotonic() + (patience_s if before.is_empty else 0)
    while True:
        async with store.snapshot() as snapshot:
            if (await _stage_of(snapshot)).epochs != before.epochs:
                return True
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_LOOK_S)


async def examine(
    snapshot: Snapshot, *, keys: VaultKeys | None = None, thorough: bool = False, found: Audit | None = None
) -> Audit:
    """Everything that the snapshot shows, added to `found`.

    Raises `MigrationRefused` for a database of another version.
    """
    found = Audit() if found is None else found
    await check_migrations(snapshot, found)
    identity = await check_venue(snapshot, keys, found)
    tokens = await check_sandbox(snapshot, found)
    await check_snapshots(snapshot, found)
    await check_api_keys(snapshot, found)
    epochs = await check_shards(snapshot, served=identity.served, found=found)
    await check_members(snapshot, found)
    replay = await _audit_trigger(snapshot, epochs.get(TRIGGER_SHARD), found)
    dca = await _audit_dca(snapshot, epochs.get(DCA_SHARD), found)
    for each in (replay, dca):
        if each is not None:
            await Crafts(found, each, tokens, keys).check(snapshot)
    if replay is not None and dca is not None:
        await check_vaults(snapshot, (*replay.held(), *dca.held()), found)
        await check_prices(snapshot, (*replay.judged, *dca.judged), tokens, identity, found)
    await check_builds(snapshot, found)
    await _audit_book(snapshot, epochs.get(BOOK_SHARD), found)
    index = await _audit_index(snapshot, epochs.get(CHAIN_SHARD), found)
    if identity.embedded:
        await _audit_chain(
            snapshot,
            replay,
            dca,
            index,
            tokens,
            keys,
            sandbox=identity.began_as_sandbox,
            thorough=thorough,
            found=found,
        )
    else:
        found.not_checked.append("chain_*: the chain of this venue is elsewhere, and is not asked")
    found.not_checked.extend(sentences())
    return found


async def _audit_trigger(snapshot: Snapshot, epoch: Epoch | None, found: Audit) -> TriggerReplay | None:
    """None: its journal is damaged, so its orders are unknown."""
    replay = TriggerReplay(found, TRIGGER_SHARD)
    if not await _audit_vaults(snapshot, replay, snapshot.orders(TRIGGER_SHARD), epoch, found):
        return None
    replay.compare_watermarks(await snapshot.watermarks(TRIGGER_SHARD))
    return replay


async def _audit_dca(snapshot: Snapshot, epoch: Epoch | None, found: Audit) -> DcaReplay | None:
    """None: its journal is damaged, so its orders are unknown."""
    replay = DcaReplay(found, DCA_SHARD)
    return replay if await _audit_vaults(snapshot, replay, snapshot.dca_orders(DCA_SHARD), epoch, found) else None


async def _audit_vaults(
    snapshot: Snapshot,
    replay: VaultReplay[Any, Any, Any, Row],
    rows: AsyncIterable[Row],
    epoch: Epoch | None,
    found: Audit,
) -> bool:
    shard = replay.shard
    follower = JournalFollower(found, shard, 0 if epoch is None else epoch.began, replay.replay)
    if not await follower.follow(snapshot.journal(shard)):
        found.not_checked.append(f"{', '.join(replay.tables)}: the journal of shard {shard} cannot be replayed")
        return False
    if epoch is not None:
        follower.compare_end(epoch)
    await replay.compare_orders(rows)
    await replay.events.compare(snapshot.events(shard))
    replay.count_remaining()
    return True


async def _audit_book(snapshot: Snapshot, epoch: Epoch | None, found: Audit) -> None:
    replay = BookReplay(found, BOOK_SHARD)
    follower = JournalFollower(found, BOOK_SHARD, 0 if epoch is None else epoch.began, replay.replay)
    if not await follower.follow(snapshot.journal(BOOK_SHARD)):
        tables = "events, book_orders, book_trades, book_balances, book_counters and book_drafts"
        found.not_checked.append(f"{tables}: the journal of shard {BOOK_SHARD} cannot be replayed")
        return
    if epoch is not None:
        follower.compare_end(epoch)
    await replay.compare_orders(snapshot.book_orders(BOOK_SHARD))
    await replay.events.compare(snapshot.events(BOOK_SHARD))
    await replay.compare_trades(snapshot.book_trades(BOOK_SHARD))
    await replay.compare_balances(snapshot.book_balances(BOOK_SHARD))
    replay.compare_counters(await snapshot.book_counters(BOOK_SHARD), await snapshot.nonce_max(BOOK_SHARD))
    replay.count()
    await check_drafts(snapshot, replay, found)


async def _audit_index(snapshot: Snapshot, epoch: Epoch | None, found: Audit) -> ChainIndexReplay | None:
    """None: its journal is damaged, so what it told is unknown."""
    replay = ChainIndexReplay(found, CHAIN_SHARD)
    follower = JournalFollower(found, CHAIN_SHARD, 0 if epoch is None else epoch.began, replay.replay)
    if not await follower.follow(snapshot.journal(CHAIN_SHARD)):
        found.not_checked.append(f"{', '.join(INDEX_TABLES)}: the journal of shard {CHAIN_SHARD} cannot be replayed")
        return None
    if epoch is not None:
        follower.compare_end(epoch)
    await replay.compare_orders(snapshot.onchain_orders(CHAIN_SHARD))
    await replay.compare_trades(snapshot.onchain_trades(CHAIN_SHARD))
    await replay.compare_cursors(snapshot.onchain_cursors(CHAIN_SHARD))
    await replay.events.compare(snapshot.events(CHAIN_SHARD))
    return replay


async def _audit_chain(
    snapshot: Snapshot,
    trigger: TriggerReplay | None,
    dca: DcaReplay | None,
    index: ChainIndexReplay | None,
    tokens: Mapping[str, Token],
    keys: VaultKeys | None,
    *,
    sandbox: bool,
    thorough: bool,
    found: Audit,
) -> None:
    for replay in (trigger, dca):
        if replay is not None:
            await compare_transactions(snapshot.connection, replay.transactions, found)
            await compare_accounts(snapshot.connection, replay.held(), found)
    ledger = await read_ledger(snapshot, found)
    if ledger is None:
        await check_unfounded(snapshot, found)
        return
    balances, orders = (
        ChainBalances(bytes(Keypair.from_seed(ledger.secrets.faucet_seed).pubkey()), found),
        OnChain(found),
    )
    await LedgerTransactions(ledger, balances, orders, index, thorough=thorough, found=found).follow(snapshot)
    if index is not None:
        index.compare_chain()
    claims = None
    if trigger is not None and dca is not None:
        claims = {str(account.address): account for each in (trigger, dca) for account in each.held()}
    authority = ledger.secrets.mint_authority_seed
    priced = [mint for (mint,) in await snapshot.fetch("SELECT mint FROM prices ORDER BY mint")]
    accounts = Accounts(balances, orders, claims, tokens, authority, keys, sandbox=sandbox, priced=priced, found=found)
    await accounts.compare(snapshot)
    if not sandbox:
        seeds = "chain_ledger.faucet_seed, chain_ledger.mint_authority_seed"
        found.not_checked.append(f"{seeds}: a chain that began without a faucet does not use them")
    if not thorough:
        found.not_checked.append("chain_transactions.raw: signatures are not verified from inside a venue")


@asynccontextmanager
async def opened(data: Path | None, database_url: str | None) -> AsyncIterator[PostgresStore]:
    """The store of a venue, running or not. One that runs is not disturbed; one that does not is started to be read."""
    async with database_beside(data, database_url) as dsn:
        store = await PostgresStore.connect(dsn)
        try:
            yield store
        finally:
            await store.close()


async def audited(
    data: Path | None = None,
    database_url: str | None = None,
    *,
    master_seed: Path | None = None,
    watch: Watched | None = None,
) -> Audit:
    """A thorough one. Raises `SeedRefused` for a bad file of a seed."""
    keys = _keys_of(data, master_seed)
    async with opened(data, database_url) as store:
        return await audit(store, keys=keys, thorough=True, watch=watch)


def _keys_of(data: Path | None, master_seed: Path | None) -> VaultKeys | None:
    """Of the seed that is named, or of the one in the data directory if it is there."""
    if master_seed is None:
        own = None if data is None else data / MASTER_SEED_FILE
        return VaultKeys(load_seed(own)) if own is not None and own.exists() else None
    try:
        return VaultKeys(load_seed(master_seed))
    except FileNotFoundError as missing:
        raise SeedRefused(f"there is no master seed {master_seed}") from missing


def show(found: Audit, console: Console) -> None:
    """What is not checked comes first: it is long, and the sums and the verdict are to be seen together."""
    console.width = max(console.width, _WIDTH_MIN)
    console.print("Not checked, or only in part:")
    for sentence in found.not_checked:
        _say(console, f"  {sentence}")
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
        _say(console, f"unresolved: {sentence}")
    for sentence in found.differences:
        _say(console, f"DIFFERS: {sentence}", style="bold red")
    for name, more in found.unnamed().items():
        _say(console, f"DIFFERS: {name}: {more} more", style="bold red")
    console.print("Everything agrees." if found.ok else f"{found.count} differences.")


def _say(console: Console, line: str, style: str | None = None) -> None:
    """As one line, however long it is: programs look for the lines that begin so."""
    console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def _currencies(found: Audit) -> Table:
    table = Table(box=None)
    for heading in ("currency", "deposited", "available", "locked", "fees"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "currency" else "right")
    for currency, there in currencies_as_wire(found.currencies).items():
        table.add_row(currency, *astuple(there))
    return table
