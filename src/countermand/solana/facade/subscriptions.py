"""The subscriptions of clients, and their notifications when a transaction lands or a slot passes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import count
from typing import Any, Final, Protocol

from msgspec import Struct, field

from countermand.solana.clockwork import SLOT_MS
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade.blocks import BlockShape, BlockWriter
from countermand.solana.facade.dispatch import ANSWER_BYTES_MAX, encode
from countermand.solana.facade.encode import Unit, account_json, units_of
from countermand.solana.facade.errors import Code, RpcError
from countermand.solana.facade.params import NO_DATA, AccountEncoding, ReadAccount
from countermand.solana.facade.slot_updates import Landings, slot_updates
from countermand.solana.facade.transactions import all_keys
from countermand.solana.ledger import Landed, LedgerTransaction
from countermand.solana.port import AccountInfo, Address, ChainUnavailable, JsonError
from countermand.solana.tokens import SYSTEM_PROGRAM
from countermand.solana.wire import read_transaction

_RETRY_SECONDS: Final = 1
_NOTHING_LEFT: Final = AccountInfo(lamports=0, owner=SYSTEM_PROGRAM, data=b"", executable=False)

Json = dict[str, Any]


class Topic(StrEnum):
    ACCOUNT = "account"
    BLOCK = "block"
    LOGS = "logs"
    PROGRAM = "program"
    ROOT = "root"
    SIGNATURE = "signature"
    SLOT = "slot"
    SLOTS_UPDATES = "slotsUpdates"


_OF_SLOTS: Final = (Topic.SLOT, Topic.ROOT, Topic.SLOTS_UPDATES)


class Subscriber(Protocol):
    def notify(self, message: bytes) -> None:
        """Takes a message, without waiting and without failing."""


EVERYTHING: Final = ""
"""The subject of a subscription that is not about one thing: all logs, blocks, slots, roots."""

BLOCKS_MAX: Final = 150
"""How many empty blocks are told of those that pass together, as when the machine slept."""


class Subscription(Struct, frozen=True, eq=False):
    """`subject` is what it is about: a signature, an account, a program. `config` and `keeps` concern accounts."""

    id: int
    topic: Topic
    subject: str
    subscriber: Subscriber
    config: ReadAccount = field(default_factory=ReadAccount)
    keeps: Callable[[AccountInfo], bool] = bool
    shape: BlockShape | None = None
    """Of blocks."""
    receipt: bool = False
    """Whether a signature's subscriber also wants to hear that the transaction arrived."""

    def notify(self, result: object) -> None:
        params = {"result": result, "subscription": self.id}
        self.subscriber.notify(encode({"jsonrpc": "2.0", "method": f"{self.topic}Notification", "params": params}))


class _Change(Struct, frozen=True):
    """Of an account: in which slot, and whether a transaction made it or a reset or a restore."""

    slot: int
    landed: bool


class Subscriptions:
    """All subscriptions of all sockets. Listens to the chain from its making until `close`."""

    def __init__(self, chain: EmbeddedChain, *, subscriptions_max: int = 100_000) -> None:
        self._chain = chain
        self._max = subscriptions_max
        self._ids = count(1)
        self._by_id: dict[int, Subscription] = {}
        self._about: dict[Topic, dict[str, dict[int, Subscription]]] = {topic: {} for topic in Topic}
        self._changed: dict[Address, _Change] = {}
        self._told_slot = chain.slot
        self._landings = Landings()
        self._told_block = chain.slot
        self._landed_slots: dict[int, None] = {}
        """Slots in which something landed, and whose blocks are not told yet."""
        self._blocks = BlockWriter(chain, ANSWER_BYTES_MAX)
        self._slots: asyncio.Task[None] | None = None
        self._passing: asyncio.Task[None] | None = None
        self._accounts: asyncio.Task[None] | None = None
        self._closed = False
        self._leave = chain.subscribe(self._landed), chain.when_replaced(self._replaced)

    async def close(self) -> None:
        self._closed = True
        for leave in self._leave:
            leave()
        for task in (self._slots, self._passing, self._accounts):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, topic: Topic, subject: str, subscriber: Subscriber, **details: Any) -> Subscription:
        if len(self._by_id) >= self._max:
            raise RpcError(Code.INTERNAL_ERROR, f"Subscription refused. The limit of the node is reached ({self._max})")
        subscription = Subscription(next(self._ids), topic, subject, subscriber, **details)
        self._by_id[subscription.id] = subscription
        self._about[topic].setdefault(subject, {})[subscription.id] = subscription
        if topic in _OF_SLOTS and (self._slots is None or self._slots.done()):
            self._slots = asyncio.create_task(self._watch_slots())
        if topic is Topic.BLOCK and (self._passing is None or self._passing.done()):
            slot = self._chain.slot
            self._told_block, self._landed_slots = slot - 1, {slot: None}  # Something may have landed in it before.
            self._passing = asyncio.create_task(self._watch_blocks())
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Does nothing to one that is gone already."""
        if self._by_id.pop(subscription.id, None) is None:
            return
        about = self._about[subscription.topic]
        del about[subscription.subject][subscription.id]
        if not about[subscription.subject]:
            del about[subscription.subject]

    async def add_signature(self, signature: str, subscriber: Subscriber, *, receipt: bool) -> Subscription:
        """It is notified once, at once if the transaction landed before, and ends then."""
        subscription = self.add(Topic.SIGNATURE, signature, subscriber, receipt=receipt)
        try:
            status = await self._chain.signature_status(signature)
        except ChainUnavailable:
            self.remove(subscription)
            raise
        if status is not None and subscription.id in self._by_id:
            self._notify_signature(subscription, status.slot, status.error)
        return subscription

    def holds(self, subscription: Subscription) -> bool:
        return subscription.id in self._by_id

    def _wanted(self, topic: Topic, subject: str = EVERYTHING) -> Sequence[Subscription]:
        return list(self._about[topic].get(subject, {}).values())

    def _landed(self, landed: Landed) -> None:
        """Called by the chain when a transaction is committed; one that is committed already may come after `close`."""
        if self._closed or not self._by_id:
            return
        for subscription in self._wanted(Topic.SIGNATURE, landed.signature):
            self._notify_signature(subscription, landed.slot, landed.error)
        self._landings.count(failed=landed.error is not None)
        if self._about[Topic.BLOCK]:
            self._landed_slots[landed.slot] = None
        self._notify_logs(landed)
        self._notify_slot()
        accounts, programs = self._about[Topic.ACCOUNT], self._about[Topic.PROGRAM]
        changed = [key for key in landed.changed if programs or key in accounts]
        self._tell_accounts(changed, _Change(landed.slot, landed=True))

    def _replaced(self) -> None:
        """After a reset or a restore every account that is watched is told as it is then, whether it differs or not.

        Programs are not: who watches one knows of no account before it changes.
        """
        if not self._closed:
            self._tell_accounts(list(self._about[Topic.ACCOUNT]), _Change(self._chain.slot, landed=False))

    def _tell_accounts(self, keys: Sequence[Address], change: _Change) -> None:
        self._changed.update(dict.fromkeys(keys, change))
        if self._changed and (self._accounts is None or self._accounts.done()):
            self._accounts = asyncio.create_task(self._notify_accounts())

    def _notify_signature(self, subscription: Subscription, slot: int, error: JsonError | None) -> None:
        if subscription.receipt:
            subscription.notify(_at(slot, "receivedSignature"))
        subscription.notify(_at(slot, {"err": error}))
        self.remove(subscription)

    def _notify_logs(self, landed: Landed) -> None:
        if not self._about[Topic.LOGS]:
            return
        subjects: Iterable[str] = (EVERYTHING, *dict.fromkeys(landed.accounts))
        value = {"signature": landed.signature, "err": landed.error, "logs": list(landed.logs)}
        for subject in subjects:
            for subscription in self._wanted(Topic.LOGS, subject):
                subscription.notify(_at(landed.slot, value))

    def _notify_slot(self) -> None:
        slot = self._chain.slot
        if slot <= self._told_slot:
            return
        self._told_slot = slot
        for subscription in self._wanted(Topic.SLOT):
            subscription.notify({"parent": slot - 1, "root": slot, "slot": slot})
        for subscription in self._wanted(Topic.ROOT):
            subscription.notify(slot)
        landed, self._landings = self._landings, Landings()
        if updated := self._wanted(Topic.SLOTS_UPDATES):
            for update in slot_updates(slot, landed, self._chain.wall_ms):
                for subscription in updated:
                    subscription.notify(update)

    async def _watch_slots(self) -> None:
        """Runs while a client has subscribed to slots. Of slots that pass together, only the last is sent."""
        while any(self._about[topic] for topic in _OF_SLOTS):
            self._notify_slot()
            await asyncio.sleep(SLOT_MS / 1000)

    async def _watch_blocks(self) -> None:
        """Runs while a client has subscribed to blocks. Each is told when its slot has passed."""
        while self._about[Topic.BLOCK]:
            try:
                await self._notify_blocks()
                await asyncio.sleep(SLOT_MS / 1000)
            except ChainUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _notify_blocks(self) -> None:
        last = self._chain.slot - 1
        # What has landed in a slot that passed is committed when this returns, and then told to `_landed`.
        await self._chain.settle()
        await asyncio.sleep(0)
        told = self._told_block
        passed = dict.fromkeys(slot for slot in self._landed_slots if told < slot <= last)
        passed |= dict.fromkeys(range(max(told + 1, last + 1 - BLOCKS_MAX), last + 1))
        for slot in sorted(passed):
            await self._notify_block(slot, is_empty=slot not in self._landed_slots)
            self._told_block = slot
            self._landed_slots.pop(slot, None)

    async def _notify_block(self, slot: int, *, is_empty: bool) -> None:
        """Everything is written before anything is told: the chain may fail in between."""
        landed = {EVERYTHING: []} if is_empty else await self._landed_about(slot)
        updates = {
            (subject, shape): await self._block(slot, shape, transactions)
            for subject, transactions in landed.items()
            for shape in dict.fromkeys(each.shape for each in self._wanted(Topic.BLOCK, subject))
        }
        for subscription in [each for subject in landed for each in self._wanted(Topic.BLOCK, subject)]:
            if (update := updates.get((subscription.subject, subscription.shape))) is not None:
                subscription.notify(_at(slot, update))

    async def _landed_about(self, slot: int) -> dict[str, list[LedgerTransaction]]:
        """What landed in a slot, by the subjects that want to know it: each is read once, whatever their number."""
        about = self._about[Topic.BLOCK]
        landed: dict[str, list[LedgerTransaction]] = {EVERYTHING: []}
        async for each in self._chain.blocks.landed_in(slot):
            landed[EVERYTHING].append(each)
            for key in dict.fromkeys(all_keys(read_transaction(each.raw), each)):
                if key in about:
                    landed.setdefault(key, []).append(each)
        return landed

    async def _block(self, slot: int, shape: BlockShape | None, landed: Sequence[LedgerTransaction]) -> Json:
        assert shape is not None
        try:
            block = await self._blocks.written(slot, shape, _one_by_one(landed))
        except RpcError as problem:
            return {"slot": slot, "block": None, "err": _block_error(problem)}
        return {"slot": slot, "block": block, "err": None}

    async def _notify_accounts(self) -> None:
        """Tells what changed accounts are now. What changes again meanwhile is told once, as it is then."""
        while self._changed:
            changed, self._changed = self._changed, {}
            try:
                await self._notify_changed(changed)
            except ChainUnavailable:
                self._changed = {**changed, **self._changed}
                await asyncio.sleep(_RETRY_SECONDS)

    async def _notify_changed(self, changed: dict[Address, _Change]) -> None:
        infos = await self._chain.accounts(list(changed))
        units = await units_of(self._chain, infos)
        for (key, change), found in zip(changed.items(), infos, strict=True):
            info = found or _NOTHING_LEFT
            for subscription in self._wanted(Topic.ACCOUNT, key):
                subscription.notify(_at(change.slot, _account(key, info, subscription.config, units)))
            for subscription in self._wanted(Topic.PROGRAM, info.owner) if change.landed else ():
                if subscription.keeps(info):
                    account = _account(key, info, subscription.config, units)
                    subscription.notify(_at(change.slot, {"pubkey": key, "account": account}))


def _account(key: Address, info: AccountInfo, config: ReadAccount, units: Mapping[Address, Unit]) -> Json:
    encoding = config.encoding or AccountEncoding.BINARY
    try:
        return account_json(key, info, encoding, config.data_slice, units)
    except RpcError:  # Too large for base58. A node too says so in the place of the data.
        shown = account_json(key, info, encoding, NO_DATA, units)
        return {**shown, "data": "error: data too large for bs58 encoding"}


async def _one_by_one(landed: Sequence[LedgerTransaction]) -> AsyncIterator[LedgerTransaction]:
    for each in landed:
        yield each


def _block_error(problem: RpcError) -> JsonError:
    """As a node writes why it tells no block."""
    is_version = problem.code is Code.UNSUPPORTED_VERSION
    return {"UnsupportedTransactionVersion": 0} if is_version else "BlockStoreError"


def _at(slot: int, value: object) -> Json:
    return {"context": {"slot": slot}, "value": value}
