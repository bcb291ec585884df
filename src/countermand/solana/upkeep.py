"""A ledger that is kept loaded and written: what is executed is committed, and after a failure it is loaded again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from solders.pubkey import Pubkey

from countermand.solana.clockwork import BLOCKHASH_SLOTS, Blockhashes, ChainClock, SlotClock
from countermand.solana.genesis import Genesis
from countermand.solana.group_commit import GroupCommit, OpenBatch
from countermand.solana.ledger_store import (
    LedgerEpoch,
    LedgerReplaced,
    LedgerStore,
    LedgerUnavailable,
    LoadedLedger,
    StoredAccount,
)
from countermand.solana.live import LiveChain
from countermand.solana.machine import Machine
from countermand.solana.port import ChainUnavailable
from countermand.solana.recent import RecentStatus, RecentTransactions

CEILING_EARLY_SLOTS: Final = 5
RELOAD_PAUSE_MS: Final = (50, 100, 250, 500, 1_000, 2_000)

log = logging.getLogger(__name__)


class Upkeep:
    """`committed` is told of each batch, `interrupted` why nothing can be said of what is not committed yet.

    A batch that turns out to be written, though the answer to its commit was lost, is told before the chain is up.
    """

    def __init__(
        self,
        store: LedgerStore,
        clock: ChainClock,
        genesis: Genesis,
        opened: int | None,
        committed: Callable[[OpenBatch], None],
        interrupted: Callable[[ChainUnavailable], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self.genesis = genesis
        self._opened = opened
        self._committed = committed
        self._interrupted = interrupted
        self.slots = SlotClock(SlotClock.beginning(genesis.first_slot, clock), clock)
        self._live: LiveChain | None = None
        self._in_doubt: OpenBatch | None = None
        self._down: ChainUnavailable = LedgerUnavailable("the chain is not open")
        self._up = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        self._writer: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self._come_up(await self._load(None))
        self._begin_writing()

    async def end(self) -> None:
        """Commits what is queued, if it can."""
        try:
            # Not `settled`: a commit of the clock alone must not be cut, either, by what closes the store next.
            await self.live().commits.all_written()
        except ChainUnavailable as problem:
            log.warning("the chain closes with a batch of unknown outcome: %s", problem)
        await self._stop_writing()
        self._go_down(LedgerUnavailable("the chain is closed"))

    def live(self) -> LiveChain:
        """Raises `ChainUnavailable` while there is none."""
        if self._live is None:
            raise self._down
        return self._live

    @contextmanager
    def changing(self, live: LiveChain) -> Iterator[None]:
        """For what changes the machine. A defect may leave it with what no ledger knows: then another is loaded."""
        try:
            yield
        except ChainUnavailable:
            raise
        except Exception:
            reason = LedgerUnavailable("the chain is loaded again after a defect of its machine")
            live.commits.close(reason)
            if live is self._live:
                self._go_down(reason)
            raise

    async def ready(self) -> None:
        await self._up.wait()

    async def stopped(self) -> BaseException:
        """Returns when it has stopped for good, with the reason."""
        await self._stopped.wait()
        return self._failure or self._down

    async def found(self, genesis: Genesis) -> None:
        """Another ledger, as a chain begins."""

        async def found(epoch: LedgerEpoch, slot: int) -> None:
            self.genesis = genesis
            clock = SlotClock.beginning(slot, self._clock)
            await self._store.found(epoch, genesis.secrets, clock, _genesis_accounts(genesis))

        await self.replace(found)

    async def replace(self, store: Callable[[LedgerEpoch, int], Awaitable[None]]) -> None:
        """Another ledger: the one that `store` stores, in an epoch and from a slot on. All blockhashes have ended."""
        live = self.live()
        await live.settled()
        # No transaction is executed from here on until the machine is loaded again.
        live = self.live()
        live.commits.abandon(LedgerUnavailable("the chain begins anew"))
        self._go_down(LedgerUnavailable("the chain begins anew"))
        await self._stop_writing()
        self.slots.skip(BLOCKHASH_SLOTS + 1)
        try:
            await store(await self._store.begin_epoch(self._opened), self.slots.now())
            self._come_up(await self._load(None))
        finally:
            self._begin_writing()

    # The clock

    async def promise(self, live: LiveChain, slot: int) -> None:
        """Returns when a ceiling above this slot is stored, so that it may be shown."""
        while slot >= self.slots.ceiling:
            await live.commits.raise_ceiling().committed()
        self.raise_ceiling_early(slot)

    def raise_ceiling_early(self, slot: int) -> None:
        live = self._live
        if live is not None and slot >= self.slots.ceiling - CEILING_EARLY_SLOTS and live.commits.idle:
            live.commits.raise_ceiling()

    # Loading

    async def _load(self, slots: SlotClock | None) -> LiveChain:
        """Loads the ledger in a new epoch; `slots` is the clock that goes on, None if there is none."""
        epoch = await self._store.begin_epoch(self._opened)
        self._opened = epoch.opened
        loaded = await self._loaded(epoch)
        assert loaded.secrets is not None
        assert loaded.clock is not None
        if slots is None:
            slots = SlotClock(loaded.clock, self._clock)
        slots.ceiling = loaded.clock.ceiling
        recent = RecentTransactions()
        for known in loaded.recent:
            recent.add(known.signature, known.message_hash, RecentStatus(known.slot, known.error, loaded.seq))
        programs = {Pubkey.from_string(address): elf for address, elf in self.genesis.programs.items()}
        indexed = {Pubkey.from_string(address): offsets for address, offsets in self.genesis.indexed.items()}
        return LiveChain(
            machine=Machine(loaded.accounts, programs, indexed),
            commits=GroupCommit(self._store, epoch, loaded.seq, slots),
            slots=slots,
            hashes=Blockhashes(loaded.secrets.entropy),
            recent=recent,
            secrets=loaded.secrets,
        )

    async def _loaded(self, epoch: LedgerEpoch) -> LoadedLedger:
        loaded = await self._store.load(epoch, recent_slots=BLOCKHASH_SLOTS + 1)
        if loaded.secrets is not None:
            return loaded
        clock = SlotClock.beginning(self.genesis.first_slot, self._clock)
        await self._store.found(epoch, self.genesis.secrets, clock, _genesis_accounts(self.genesis))
        return await self._store.load(epoch, recent_slots=BLOCKHASH_SLOTS + 1)

    async def _load_again(self) -> LiveChain:
        for attempt in range(10**9):
            try:
                live = await self._load(self.slots)
            except LedgerReplaced:
                raise
            except ChainUnavailable as problem:
                pause_ms = RELOAD_PAUSE_MS[min(attempt, len(RELOAD_PAUSE_MS) - 1)]
                log.warning("the chain could not be loaded, again in %d ms: %s", pause_ms, problem)
                await asyncio.sleep(pause_ms / 1000)
            else:
                self._resolve_doubt(live)
                self._come_up(live)
                return live
        raise AssertionError

    def _resolve_doubt(self, live: LiveChain) -> None:
        batch, self._in_doubt = self._in_doubt, None
        if batch is not None and batch.until <= live.commits.position:
            self._committed(batch)

    # Writing

    def _begin_writing(self) -> None:
        self._writer = asyncio.create_task(self._write_for_ever(), name="chain ledger")

    async def _stop_writing(self) -> None:
        """Forgets the task: the traceback of its end holds the machine, which is large."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write_for_ever(self) -> None:
        try:
            while True:
                live = self._live or await self._load_again()
                try:
                    await live.commits.run(self._committed)
                except LedgerReplaced:
                    raise
                except ChainUnavailable as problem:
                    self._in_doubt = live.commits.in_doubt
                    log.warning("the chain is loaded again: %s", problem)
                    self._go_down(LedgerUnavailable("the chain is being loaded again"))
        except LedgerReplaced as replaced:
            log.error("another writer took the chain's ledger: %s", replaced)
            self._stop(replaced)
        except asyncio.CancelledError:
            raise
        except BaseException as failure:
            self._failure = failure
            self._stop(LedgerUnavailable("the chain stopped for good: a defect, or a row that cannot be read"))
            raise

    def _come_up(self, live: LiveChain) -> None:
        self._live, self.slots = live, live.slots
        self._up.set()

    def _go_down(self, reason: ChainUnavailable) -> None:
        self._live, self._down = None, reason
        self._up.clear()
        # A commit of unknown end may have landed what is never told.
        self._interrupted(reason)

    def _stop(self, reason: ChainUnavailable) -> None:
        if self._live is not None:
            self._live.commits.abandon(reason)
        self._go_down(reason)
        self._stopped.set()


def _genesis_accounts(genesis: Genesis) -> list[StoredAccount]:
    return [
        StoredAccount(
            bytes(Pubkey.from_string(address)),
            info.lamports,
            bytes(Pubkey.from_string(info.owner)),
            info.data,
            info.executable,
        )
        for address, info in genesis.all_accounts().items()
    ]
