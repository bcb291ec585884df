"""The ledger of the simulated chain: what any client can see of it, and how the chain inside a process writes it."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from solders.message import Message
from solders.pubkey import Pubkey

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.ledger import AddressSignature, LedgerTransaction, TokenBalance, read_ledger_transaction
from countermand.solana.ledger_store import (
    LedgerBatch,
    LedgerEpoch,
    LedgerSecrets,
    LedgerUnavailable,
    LoadedLedger,
    StoredAccount,
    StoredClock,
    StoredStatus,
    StoredTransaction,
)
from countermand.solana.port import (
    HISTORY_PAGE_MAX,
    AccountInfo,
    Address,
    ChainUnavailable,
    LandedSignature,
    LatestBlockhash,
    Memcmp,
    Signature,
    SignatureStatus,
    Simulation,
)
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.faults import ProcessHandle, boundary, breathe
from countermand_simulator.landings import Balance, Landing
from countermand_simulator.loop import sleep
from countermand_simulator.memory_ledger import MemoryLedgerStore
from countermand_simulator.signing import STRANGER, message_of


class LedgerContext(Protocol):
    """What this needs of the world."""

    @property
    def profile(self) -> FaultProfile: ...

    def strikes(self, probability: float) -> bool: ...

    def between(self, low: int, high: int) -> int: ...

    def happened(self, what: str) -> None: ...

    def wall_ms(self) -> int: ...


class SeenLedger(MemoryLedgerStore):
    """It shows what was committed, and its answers can get lost."""

    def __init__(self, world: LedgerContext, watched: Sequence[str]) -> None:
        super().__init__()
        self._world = world
        self.landings: list[Landing] = []
        self._owned: dict[str, dict[str, tuple[int, bytes]]] = {program: {} for program in watched}

    async def commit(self, batch: LedgerBatch) -> None:
        # Whatever else can be lost is lost with the same chance as a commit of ours.
        if self._world.strikes(self._world.profile.commit_lost_before):
            self._world.happened("chain: a commit never arrived")
            raise LedgerUnavailable("the commit never arrived")
        await super().commit(batch)
        self._note(batch)
        for stored in batch.transactions:
            self.landings.append(_landing(read_ledger_transaction(stored), self._world.wall_ms()))
        if self._world.strikes(self._world.profile.commit_lost_after):
            self._world.happened("chain: the answer to a commit was lost")
            raise LedgerUnavailable("the answer to a commit was lost")

    @property
    def epoch(self) -> int:
        return self._epoch.number

    def owned_by(self, program: str) -> Mapping[str, tuple[int, bytes]]:
        """The accounts of one of the watched programs: their lamports and data."""
        return self._owned[program]

    def all_accounts(self) -> Sequence[StoredAccount]:
        return list(self._accounts.values())

    def _note(self, batch: LedgerBatch) -> None:
        for address in batch.removed:
            for accounts in self._owned.values():
                accounts.pop(str(Pubkey(address)), None)
        for account in batch.written:
            key, owner = str(Pubkey(account.address)), str(Pubkey(account.owner))
            for program, accounts in self._owned.items():
                if program == owner:
                    accounts[key] = account.lamports, account.data
                else:
                    accounts.pop(key, None)


class Hand:
    """The ledger as the chain inside one process writes it: what the process had not committed dies with it."""

    def __init__(self, world: LedgerContext, process: ProcessHandle, ledger: SeenLedger) -> None:
        self._world = world
        self._process = process
        self._ledger = ledger
        self._epoch = 0

    @property
    def is_replaced(self) -> bool:
        return self._epoch != self._ledger.epoch

    async def begin_epoch(self, opened: int | None) -> LedgerEpoch:
        breathe(self._process)
        epoch = await self._ledger.begin_epoch(opened)
        self._epoch = epoch.number
        return epoch

    async def load(self, epoch: LedgerEpoch, *, recent_slots: int) -> LoadedLedger:
        breathe(self._process)
        return await self._ledger.load(epoch, recent_slots=recent_slots)

    async def found(
        self, epoch: LedgerEpoch, secrets: LedgerSecrets, clock: StoredClock, accounts: Sequence[StoredAccount]
    ) -> None:
        breathe(self._process)
        await self._ledger.found(epoch, secrets, clock, accounts)

    async def commit(self, batch: LedgerBatch) -> None:
        await boundary(self._world, self._process, "ledger.before-commit")
        await sleep(self._world.between(0, 5) / 1000)
        breathe(self._process)
        await self._ledger.commit(batch)
        await boundary(self._world, self._process, "ledger.after-commit")

    async def transactions(self, signatures: Sequence[bytes]) -> Sequence[StoredTransaction | None]:
        return await self._ledger.transactions(signatures)

    async def status(self, signature: bytes) -> StoredStatus | None:
        return await self._ledger.status(signature)

    async def signatures_for(
        self, address: bytes, *, limit: int, before: bytes | None, until: bytes | None
    ) -> list[StoredStatus]:
        return await self._ledger.signatures_for(address, limit=limit, before=before, until=until)

    async def landed_in(self, slot: int, *, after: int, limit: int) -> Sequence[StoredTransaction]:
        return await self._ledger.landed_in(slot, after=after, limit=limit)

    async def count_landed(self, *, after: int) -> tuple[int, int]:
        return await self._ledger.count_landed(after=after)

    async def count_landed_per(self, slots: int, *, since: int) -> Mapping[int, int]:
        return await self._ledger.count_landed_per(slots, since=since)

    async def total_lamports(self) -> int:
        return await self._ledger.total_lamports()

    async def richest(self, limit: int) -> Sequence[tuple[bytes, int]]:
        return await self._ledger.richest(limit)

    async def close(self) -> None:
        """What is remembered stays."""


class Inside:
    """The chain inside a process, which is there once it was opened. Implements `solana.port.Node`."""

    def __init__(self) -> None:
        self.opened: EmbeddedChain | None = None
        self.hand: Hand | None = None

    async def latest_blockhash(self) -> LatestBlockhash:
        return await self._chain().latest_blockhash()

    async def finalized_block_height(self) -> int:
        return await self._chain().finalized_block_height()

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        return await self._chain().signature_status(signature)

    async def accounts(self, addresses: list[str]) -> list[AccountInfo | None]:
        return await self._chain().accounts(addresses)

    async def simulate(self, transaction: bytes) -> Simulation:
        return await self._chain().simulate(transaction)

    async def send(self, transaction: bytes) -> None:
        await self._chain().send(transaction)

    async def program_accounts(
        self, program: Address, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> Sequence[tuple[Address, AccountInfo]]:
        return await self._chain().program_accounts(program, data_size=data_size, memcmp=memcmp)

    async def recent_prioritization_fees(self, addresses: Sequence[Address]) -> Sequence[int]:
        return await self._chain().recent_prioritization_fees(addresses)

    async def transactions(self, signatures: Sequence[Signature]) -> Sequence[LedgerTransaction | None]:
        return await self._chain().transactions(signatures)

    async def signatures_for_address(
        self,
        address: Address,
        *,
        limit: int = HISTORY_PAGE_MAX,
        before: Signature | None = None,
        until: Signature | None = None,
    ) -> Sequence[AddressSignature]:
        return await self._chain().signatures_for_address(address, limit=limit, before=before, until=until)

    async def newest_final(self, address: Address) -> Signature | None:
        return await self._chain().newest_final(address)

    def landings(self, touching: Sequence[Address]) -> AbstractAsyncContextManager[AsyncIterator[LandedSignature]]:
        return self._chain().landings(touching)

    def _chain(self) -> EmbeddedChain:
        if self.opened is None:
            raise ChainUnavailable("the chain is being opened")
        return self.opened


def _landing(landed: LedgerTransaction, at_ms: int) -> Landing:
    message = message_of(landed.raw)
    keys = [str(each) for each in Message.from_bytes(message).account_keys]
    before = {balance.account_index: balance for balance in landed.pre_token_balances}
    after = {balance.account_index: balance for balance in landed.post_token_balances}
    changes = []
    for index, address in enumerate(keys):
        old = _balance(landed.pre_balances[index], before.get(index))
        new = _balance(landed.post_balances[index], after.get(index))
        if old != new:
            changes.append((address, old, new))
    payer = "" if keys[0] == STRANGER else keys[0]
    error = None if landed.error is None else str(landed.error)
    return Landing(
        signature=landed.signature,
        message=base64.b64encode(message).decode(),
        at_ms=at_ms,
        error=error,
        payer=payer,
        changes=tuple(changes),
        fee=landed.fee,
        block_time=landed.block_time,
    )


def _balance(lamports: int, token: TokenBalance | None) -> Balance | None:
    if token is None:
        return (lamports, "", 0) if lamports else None
    return lamports, token.mint, token.amount
