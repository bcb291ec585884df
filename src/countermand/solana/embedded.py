"""The embedded chain: a Solana virtual machine in this process, remembered in the store.

The store is the truth and the machine a cache: a transaction is executed at once, its changes are queued, and whatever
was computed from the machine waits for the commit of what it saw. When a commit fails, the machine is dropped and
loaded again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias, TypeVar

from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature as SignatureKey

from countermand.solana.blocks import Blocks
from countermand.solana.clockwork import BLOCKHASH_SLOTS, ChainClock
from countermand.solana.genesis import Genesis
from countermand.solana.group_commit import OpenBatch
from countermand.solana.landed import LandedFeeds
from countermand.solana.ledger import (
    AddressSignature,
    DetailedSimulation,
    InnerInstruction,
    InnerInstructions,
    Landed,
    LedgerTransaction,
    ReturnData,
    Submitted,
    TokenBalance,
    read_error,
    read_inner,
    read_return_data,
    read_status,
    read_stored_transaction,
    read_token_balances,
)
from countermand.solana.ledger_store import (
    LedgerEpoch,
    LedgerReplaced,
    LedgerSecrets,
    LedgerStore,
    LedgerUnavailable,
    StoredTransaction,
)
from countermand.solana.live import LiveChain
from countermand.solana.machine import MachineSimulation
from countermand.solana.port import (
    HISTORY_PAGE_MAX,
    AccountInfo,
    Address,
    Blockhash,
    JsonError,
    LandedSignature,
    LatestBlockhash,
    Memcmp,
    Signature,
    SignatureStatus,
    Simulation,
    check_filters,
    check_signatures,
    check_touching,
)
from countermand.solana.tokens import SYSVAR_OWNER, TokenAccount, read_token_account
from countermand.solana.turns import Turns
from countermand.solana.upkeep import Upkeep
from countermand.solana.wire import WireTransaction, read_transaction
from countermand.stored_rows import reading_row

__all__ = [
    "AddressSignature",
    "ChainClock",
    "DetailedSimulation",
    "EmbeddedChain",
    "Genesis",
    "InnerInstruction",
    "InnerInstructions",
    "Landed",
    "LedgerReplaced",
    "LedgerTransaction",
    "LedgerUnavailable",
    "ReturnData",
    "Submitted",
    "TokenBalance",
]

WORK_NS_PER_TURN: Final = 1_000_000
"""After so much work of the machine the event loop turns: it must not keep cancels waiting."""

ACCOUNTS_PER_SHARE: Final = 200
"""How many accounts are looked at before that is measured."""

OwnedTokens: TypeAlias = tuple[Address, AccountInfo, TokenAccount]

T = TypeVar("T")


class EmbeddedChain:
    """Implements `Chain` and `ChainRecords` of the port, and tells more to the JSON-RPC facade. Open it with `open`.

    Addresses, signatures and transactions that cannot be read raise `ValueError`. Anything may raise `ChainUnavailable`
    while the ledger is loaded again, and `LedgerReplaced`, for ever, once another writer has taken it.
    """

    def __init__(
        self,
        store: LedgerStore,
        clock: ChainClock,
        genesis: Genesis,
        stopwatch: Callable[[], int],
        opened: int | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._turns = Turns(WORK_NS_PER_TURN, stopwatch)
        self._subscribers: list[Callable[[Landed], None]] = []
        self._replaced: list[Callable[[], None]] = []
        self._feeds = LandedFeeds()
        self._upkeep = Upkeep(store, clock, genesis, opened, self._notify, self._feeds.end)
        self.blocks: Final = Blocks(self, store)

    @classmethod
    async def open(
        cls,
        store: LedgerStore,
        clock: ChainClock,
        *,
        genesis: Genesis,
        stopwatch: Callable[[], int] = time.perf_counter_ns,
        opened: int | None = None,
    ) -> "EmbeddedChain":
        """Takes the ledger, and founds it from `genesis` if it is empty.

        `opened` is the epoch in which this process took the ledger already, if it did.
        `stopwatch` (nanoseconds) measures how long the machine works in a row; a simulator gives one that stands still.
        """
        chain = cls(store, clock, genesis, stopwatch, opened)
        await chain._upkeep.begin()
        return chain

    async def close(self) -> None:
        """Commits what is queued, if it can. The store stays open."""
        await self._upkeep.end()

    async def ready(self) -> None:
        """Returns when the ledger is loaded."""
        await self._upkeep.ready()

    async def stopped(self) -> BaseException:
        """Returns when the chain has stopped for good, with the reason."""
        return await self._upkeep.stopped()

    async def settle(self) -> None:
        """Returns when everything that is queued now is committed."""
        await self._upkeep.live().settled()

    # Slots and blockhashes

    @property
    def slot(self) -> int:
        slot = self._upkeep.slots.now()
        self._upkeep.raise_ceiling_early(slot)
        return slot

    @property
    def wall_ms(self) -> int:
        """The clock that slots follow, in Unix milliseconds."""
        return self._clock.wall_ms()

    @property
    def block_height(self) -> int:
        """Every slot has a block."""
        return self.slot

    @property
    def genesis_hash(self) -> Blockhash:
        return self.blockhash_at(0)

    def blockhash_at(self, slot: int) -> Blockhash:
        return str(Hash(self._upkeep.live().hashes.at(slot)))

    def block_time(self, slot: int) -> int:
        """The block time of a slot in seconds, estimated where nothing was seen in it."""
        return self._upkeep.slots.block_time(slot)

    async def latest_blockhash(self) -> LatestBlockhash:
        live = self._upkeep.live()
        slot = self._upkeep.slots.now()
        await self._upkeep.promise(live, slot)
        return live.latest_blockhash(slot)

    def is_blockhash_valid(self, blockhash: Blockhash) -> bool:
        hashes, slot = self._upkeep.live().hashes, self._upkeep.slots.now()
        return hashes.slot_of(bytes(Hash.from_string(blockhash)), slot) is not None

    async def finalized_block_height(self) -> int:
        slot = self._upkeep.slots.now()
        await self._upkeep.promise(self._upkeep.live(), slot)
        return slot

    async def is_in_time(self, message: Message | MessageV0) -> bool:
        """Whether it has a valid blockhash, or the value that its nonce account holds."""
        live = self._upkeep.live()
        in_time = live.is_in_time(message, self._upkeep.slots.now())
        await live.settled()
        return in_time

    async def expire_blockhashes(self) -> None:
        """Lets so many slots pass that every blockhash is dead, and stays so: it is stored when this returns."""
        live = self._upkeep.live()
        self._upkeep.slots.skip(BLOCKHASH_SLOTS + 1)
        await self._upkeep.promise(live, self._upkeep.slots.now())

    # Transactions

    async def submit(self, raw: bytes) -> Submitted:
        """Executes a transaction, and answers when its outcome is committed."""
        live, submitted = await self._execute(read_transaction(raw))
        # A refusal too may follow from something that is not committed yet.
        await live.settled()
        return submitted

    async def send(self, transaction: bytes) -> None:
        live, _ = await self._execute(read_transaction(transaction))
        await live.commits.room()

    async def leisure(self) -> None:
        """Returns when no transaction waits to be executed."""
        await self._turns.leisure()

    async def signature_status(self, signature: Signature) -> SignatureStatus | None:
        key = bytes(SignatureKey.from_string(signature))
        live = self._upkeep.live()
        if (recent := live.recent.status(key)) is not None:
            await live.commits.up_to(recent.position)
            return SignatureStatus(recent.slot, finalized=True, error=read_error(recent.error))
        stored = await self._store.status(key)
        if stored is None:
            return None
        with reading_row("chain_transactions", signature):
            return SignatureStatus(stored.slot, finalized=True, error=read_error(stored.error))

    async def transactions(self, signatures: Sequence[Signature]) -> list[LedgerTransaction | None]:
        check_signatures(signatures)
        keys = [bytes(SignatureKey.from_string(signature)) for signature in signatures]
        live = self._upkeep.live()
        recent = [status.position for key in keys if (status := live.recent.status(key)) is not None]
        if recent:
            await live.commits.up_to(max(recent))
        found: dict[bytes, StoredTransaction | None] = {key: live.commits.newest.get(key) for key in keys}
        others = [key for key, kept in found.items() if kept is None]
        if others:
            found.update(zip(others, await self._store.transactions(others), strict=True))
        stored = [found[key] for key in keys]
        return [None if each is None else read_stored_transaction(each) for each in stored]

    async def signatures_for_address(
        self,
        address: Address,
        *,
        limit: int = HISTORY_PAGE_MAX,
        before: Signature | None = None,
        until: Signature | None = None,
    ) -> list[AddressSignature]:
        """Newest first; `before` and `until` are exclusive."""
        bounds = {
            name: None if signature is None else bytes(SignatureKey.from_string(signature))
            for name, signature in (("before", before), ("until", until))
        }
        key = bytes(Pubkey.from_string(address))
        await self.settle()
        return [read_status(found) for found in await self._store.signatures_for(key, limit=limit, **bounds)]

    async def newest_final(self, address: Address) -> Signature | None:
        newest = await self.signatures_for_address(address, limit=1)
        return newest[0].signature if newest else None

    @asynccontextmanager
    async def landings(self, touching: Sequence[Address]) -> AsyncIterator[AsyncIterator[LandedSignature]]:
        check_touching(touching)
        keys = [Pubkey.from_string(address) for address in touching]
        self._upkeep.live()
        feed = self._feeds.begin(keys)
        try:
            yield feed
        finally:
            self._feeds.leave(feed)

    async def simulate(self, transaction: bytes) -> Simulation:
        _, found = await self._simulate(read_transaction(transaction), verify_signatures=False, any_blockhash=False)
        if not isinstance(found, MachineSimulation):
            return Simulation(found, (), 0)
        return Simulation(found.error, tuple(found.logs), found.units_consumed)

    async def simulate_transaction(
        self, raw: bytes, *, verify_signatures: bool, replace_blockhash: bool
    ) -> DetailedSimulation:
        wire = read_transaction(raw)
        latest, found = await self._simulate(wire, verify_signatures=verify_signatures, any_blockhash=replace_blockhash)
        replacement = latest if replace_blockhash else None
        if not isinstance(found, MachineSimulation):
            return DetailedSimulation(found, replacement_blockhash=replacement)
        balances = found.balances
        return DetailedSimulation(
            error=found.error,
            logs=tuple(found.logs),
            units_consumed=found.units_consumed,
            accounts={str(key): _info(account) for key, account in found.accounts},
            inner_instructions=read_inner(found.inner),
            return_data=read_return_data(found.return_data),
            replacement_blockhash=replacement,
            loaded_writable=tuple(map(str, found.loaded_writable)),
            loaded_readonly=tuple(map(str, found.loaded_readonly)),
            loaded_bytes=0 if balances is None else self._upkeep.live().machine.loaded_bytes(wire),
            fee=found.fee,
            pre_balances=None if balances is None else tuple(balances.pre),
            post_balances=None if balances is None else tuple(balances.post),
            pre_token_balances=None if balances is None else read_token_balances(balances.pre_tokens),
            post_token_balances=None if balances is None else read_token_balances(balances.post_tokens),
        )

    async def preflight(self, raw: bytes) -> DetailedSimulation:
        """What a node checks before it takes a transaction: signatures, blockhash, not landed yet, and a simulation."""
        return await self.simulate_transaction(raw, verify_signatures=True, replace_blockhash=False)

    def subscribe(self, callback: Callable[[Landed], None]) -> Callable[[], None]:
        """Calls back for every transaction in order, once it is committed; what is returned ends that."""
        return _listed(callback, self._subscribers)

    def when_replaced(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when another ledger is in the place of this one: no transaction led to what its accounts are."""
        return _listed(callback, self._replaced)

    # Accounts

    async def accounts(self, addresses: list[Address]) -> list[AccountInfo | None]:
        live = self._upkeep.live()
        keys = [Pubkey.from_string(address) for address in addresses]
        slot = live.see_time() if any(address.startswith("Sysvar") for address in addresses) else None
        found = [live.machine.get(key) for key in keys]
        infos = [None if account is None else _info(account) for account in found]
        await live.commits.changes_of(keys)
        if slot is not None:
            await self._upkeep.promise(live, slot)
        return infos

    async def program_accounts(
        self, program: Address, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> list[tuple[Address, AccountInfo]]:
        """All as of one moment. Without an index (`Genesis.indexed`) that helps, all that it owns is looked at."""
        check_filters(data_size, memcmp)
        owner = Pubkey.from_string(program)
        await self._turns.mine()
        live = self._upkeep.live()
        slot = live.see_time() if program == SYSVAR_OWNER else None
        with self._turns.work():
            found = live.machine.accounts_of_program(owner, memcmp)
        passing: list[tuple[bytes, Address, AccountInfo]] = []
        for start in range(0, len(found), ACCOUNTS_PER_SHARE):
            await self._turns.mine()
            with self._turns.work():
                for key, account in found[start : start + ACCOUNTS_PER_SHARE]:
                    if _passes(account.data, data_size, memcmp):
                        passing.append((bytes(key), str(key), _info(account)))
        passing.sort(key=lambda entry: entry[0])
        await live.settled()
        if slot is not None:
            await self._upkeep.promise(live, slot)
        return [(address, info) for _, address, info in passing]

    async def recent_prioritization_fees(self, addresses: Sequence[Address]) -> list[int]:
        """There is no competition for blocks here."""
        for address in addresses:
            Pubkey.from_string(address)
        self._upkeep.live()
        return [0]

    async def token_accounts_by_owner(
        self, owner: Address, *, mint: Address | None = None, program: Address | None = None
    ) -> list[tuple[Address, AccountInfo]]:
        """A wallet's token accounts, of both token programs if none is named, in the order of their keys."""
        ((_, owned),) = await self.owned([owner])
        return [
            (key, info) for key, info, token in owned if mint in (None, token.mint) and program in (None, info.owner)
        ]

    async def owned(self, owners: Sequence[Address]) -> list[tuple[AccountInfo | None, list[OwnedTokens]]]:
        """Of each wallet its own account, and its token accounts in the order of their keys: all as of one moment."""
        await self._turns.mine()
        live, keys = self._upkeep.live(), [Pubkey.from_string(owner) for owner in owners]
        with self._turns.work():
            found = [(live.machine.get(key), live.machine.token_accounts_of(key)) for key in keys]
        owned: list[tuple[AccountInfo | None, list[OwnedTokens]]] = []
        for own, tokens in found:
            read: list[OwnedTokens] = []
            for start in range(0, len(tokens), ACCOUNTS_PER_SHARE):
                await self._turns.mine()
                with self._turns.work():
                    read += (_owned(key, account) for key, account in tokens[start : start + ACCOUNTS_PER_SHARE])
            owned.append((None if own is None else _info(own), read))
        await live.settled()
        return owned

    def rent_lamports(self, data_bytes: int) -> int:
        """What an account of this size must hold to be free of rent."""
        return self._upkeep.live().machine.rent_lamports(data_bytes)

    # What only the owner of the whole chain may do

    @property
    def faucet(self) -> Address | None:
        """The account that gives lamports away."""
        return str(Keypair.from_seed(self.secrets.faucet_seed).pubkey()) if self._upkeep.genesis.faucet else None

    @property
    def secrets(self) -> LedgerSecrets:
        """The seeds that the ledger was founded with. A reset begins with others."""
        return self._upkeep.live().secrets

    async def put_accounts(self, accounts: Mapping[Address, AccountInfo]) -> None:
        """Sets accounts as they are given, whatever the programs would say."""
        live = self._upkeep.live()
        with self._upkeep.changing(live):
            batch = live.put(dict(accounts))
        await batch.committed()

    async def reset(self, genesis: Genesis) -> None:
        """An empty chain again, with new secrets. Slots go on rising; block time begins anew."""
        with self._telling_of_another_ledger():
            await self._upkeep.found(genesis)

    async def replace(self, store: Callable[[LedgerEpoch, int], Awaitable[None]]) -> None:
        """Another ledger in the place of this one: the one that `store` stores, in an epoch and from a slot on.

        Every blockhash has ended by that slot, and slots go on rising from there.
        """
        with self._telling_of_another_ledger():
            await self._upkeep.replace(store)

    @contextmanager
    def _telling_of_another_ledger(self) -> Iterator[None]:
        """Also after a failure: then it may have been replaced or not."""
        try:
            yield
        finally:
            for callback in self._replaced:
                asyncio.get_running_loop().call_soon(callback)

    # The machine's work

    async def _execute(self, transaction: WireTransaction) -> tuple[LiveChain, Submitted]:
        await self._turns.mine()
        live = self._upkeep.live()
        with self._turns.work(), self._upkeep.changing(live):
            return live, live.execute(transaction)

    async def _simulate(
        self, transaction: WireTransaction, *, verify_signatures: bool, any_blockhash: bool
    ) -> tuple[LatestBlockhash, MachineSimulation | JsonError]:
        await self._turns.mine()
        live = self._upkeep.live()
        slot = live.slots.now()
        with self._turns.work():
            found = live.simulate(transaction, slot, verify_signatures=verify_signatures, any_blockhash=any_blockhash)
        await live.settled()
        return live.latest_blockhash(slot), found

    def _notify(self, batch: OpenBatch) -> None:
        self._feeds.tell(batch.landed)
        if not self._subscribers:
            return
        loop = asyncio.get_running_loop()
        for executed in batch.landed:
            landed = Landed(
                signature=str(SignatureKey.from_bytes(executed.signature)),
                slot=executed.slot,
                block_time=executed.block_time,
                error=read_error(executed.error),
                accounts=tuple(map(str, executed.keys)),
                changed=tuple(map(str, executed.changed)),
                logs=tuple(executed.meta.logs),
            )
            for callback in self._subscribers:
                # By the loop, so that a callback that raises does not stop the ledger.
                loop.call_soon(callback, landed)


def _listed(callback: T, callbacks: list[T]) -> Callable[[], None]:
    """Enters it. What is returned takes it out again."""
    callbacks.append(callback)

    def leave() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return leave


def _passes(data: bytes, size: int | None, memcmp: Sequence[Memcmp]) -> bool:
    return size in (None, len(data)) and all(data.startswith(wanted, offset) for offset, wanted in memcmp)


def _owned(key: Pubkey, account: Account) -> OwnedTokens:
    token = read_token_account(account.data)
    assert token is not None, f"the index of owners knows {key}, which is no token account"
    return str(key), _info(account), token


def _info(account: Account) -> AccountInfo:
    return AccountInfo(account.lamports, str(account.owner), account.data, account.executable)
