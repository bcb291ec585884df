"""The sandbox's keeper: it fills limit orders, runs recurring ones, and returns what has expired.

It remembers nothing that it could not read again: what is to be done follows from the orders' accounts, the prices and
the venue's clock. Its transactions pass the programs as those of any wallet do; the faster one wins.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from msgspec import Struct
from solders.instruction import Instruction
from solders.message import Message

from countermand.kernel.ports import Unavailable
from countermand.orders.vaults.model.deciding import pause_end
from countermand.sandbox import keeper_telemetry as telemetry
from countermand.sandbox.keeper_orders import IN_HAND, FairQueue, KeptOrders
from countermand.sandbox.keeper_tasks import Judge, Order, Task, Wait
from countermand.sandbox.keeper_transactions import KeeperTransactions, payout_of
from countermand.sandbox.pool import SandboxPool
from countermand.services.custody.vaults import Key
from countermand.services.transactions.builder import BuiltMessage, TransactionBuilder
from countermand.services.transactions.client_transactions import SignedTransaction
from countermand.services.transactions.landing import ChainLanding
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.ledger import Landed
from countermand.solana.port import AccountInfo, Blockhash, ChainUnavailable
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message
from countermand.solana.programs.dca import Dca, DcaBalance, DcaKeys
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.solana.tokens import TOKEN_PROGRAM, read_token_account
from countermand.values.identity import Address, Mint, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import ObservedOutcome, TransactionOutcome

UNDER_WAY_MAX: Final = 16
ORDERS_PER_SLICE: Final = 32
"""So many orders are judged in one turn of the loop."""
_UNITS: Final = 400_000
_DISTINCT: Final = 100_000
"""So many transactions differ by their limit of units alone."""
_LOOK_MS_MAX: Final = 1_000
_POLL_MS: Final = 5
_POLL_MS_MAX: Final = 250
_RESEND_MS: Final = 2_000


class Pause(Struct, frozen=True):
    """After so many failures in a row, until an instant of the venue's clock. `kind` and `reason`: of the last one."""

    failures: int
    until: Instant
    kind: str
    reason: str


class Keeper:
    """`embedded` tells what has changed; `landing` and `builder` see the same chain with its faults.

    `ready` returns once the stored prices are known.
    """

    def __init__(
        self,
        embedded: EmbeddedChain,
        landing: ChainLanding,
        builder: TransactionBuilder,
        pool: SandboxPool,
        judge: Judge,
        keys: tuple[Key, Key],
        now: Callable[[], Instant],
        ready: Callable[[], Awaitable[object]],
    ) -> None:
        self._embedded, self._landing, self._builder = embedded, landing, builder
        self._pool, self._judge, self._now, self._ready = pool, judge, now, ready
        self._keys: Final = {str(each.public): each for each in keys}
        self._keeper: Final = keys[0].address
        self._transactions = KeeperTransactions(keys[0].address, keys[1].address)
        self._orders = KeptOrders()
        self._changed: dict[Address, None] = {}
        self._queue = FairQueue()
        self._busy: dict[Address, asyncio.Task[None]] = {}
        self._pauses: dict[Address, Pause] = {}
        self._held: dict[Address, None] = {}
        """They could be returned but for the fault that holds refunds."""
        self._jittered: dict[Address, None] = {}
        """They wait for the clock, and would wait less if it was moved by hand."""
        self._sending = asyncio.Lock()
        self._must_load, self._reading = True, False
        self._wake = asyncio.Event()
        self._built_before = 0

    # --- what the sandbox asks of it

    def is_idle(self) -> bool:
        """Nothing is under way or could be done now. What failed and pauses does not count."""
        due = self._orders.next_due()
        if due is not None and due <= self._now():
            self._wake.set()
            return False
        return not (self._must_load or self._reading or self._changed or self._queue or self._busy)

    def waits_for(self) -> Sequence[Address]:
        """The orders for which something is under way, or about to be."""
        return [*self._busy, *(each for each in self._queue if each not in self._busy)]

    def pause_of(self, address: Address) -> Pause | None:
        """Why and until when nothing is done for an order, if that is so."""
        pause = self._pauses.get(address)
        return None if pause is None or pause.until <= self._now() else pause

    def obstacle_to(self, address: Address) -> str | None:
        """Why an order that is due cannot be filled at any price, if that is so."""
        order = self._orders.get(address)
        return None if order is None else self._judge.obstacle(order)

    async def run_due(self) -> None:
        """The clock was moved or stopped: what has become due is queued when it returns."""
        await self._judge_all(self._jittered)
        await self._queue_due()
        self._wake.set()

    async def observe_prices(self, prices: Mapping[Mint, UsdPrice], /, *, at_once: bool) -> None:
        """Queues every order that these newest prices allow to be filled. `at_once`: pauses end."""
        if at_once:
            paused = list(self._pauses)
            for address in paused:
                self._pauses[address] = replace(self._pauses[address], until=Instant(0))
            await self._judge_all(paused)
        await self.look_at(prices)

    async def look_at(self, mints: Iterable[Mint]) -> None:
        """The pool gives something else for these, or for others: what that allows is queued when it returns."""
        reaches, waiting, more = self._judge.reaches(mints), list[Address](), True
        while more:
            reached, more = self._orders.take_reached(reaches, ORDERS_PER_SLICE)
            for address in reached:
                if not self._queue_if_due(address):
                    waiting.append(address)
            await asyncio.sleep(0)
        # Only now: those whose level is reached, but which cannot be filled all the same, would be found for ever.
        await self._judge_all(waiting)
        self._wake.set()

    async def release_refunds(self) -> None:
        """The fault that held them is off."""
        await self._judge_all(self._held)
        self._wake.set()

    def forget(self) -> None:
        """The chain begins anew. What is under way is given up."""
        for task in self._busy.values():
            task.cancel()
        self._orders.clear()
        self._queue.clear()
        for each in (self._changed, self._pauses, self._held, self._jittered):
            each.clear()
        self._must_load = True
        self._wake.set()

    # --- its loop

    async def run(self) -> None:
        unsubscribe = self._embedded.subscribe(self._on_landed)
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                self._wake.clear()
                try:
                    await self._learn()
                except ChainUnavailable:
                    self._must_load = True
                await self._queue_due()
                self._start_some()
                await self._rest()
        finally:
            unsubscribe()
            watching.cancel()
            for task in self._busy.values():
                task.cancel()

    async def _watch(self) -> None:
        """Reads all orders again whenever a landing may have been missed."""
        while True:
            try:
                async with self._embedded.landings([limit_order.PROGRAM, dca.PROGRAM]) as feed:
                    self._must_load = True
                    self._wake.set()
                    async for _ in feed:
                        pass
            except ChainUnavailable:
                await asyncio.sleep(_POLL_MS_MAX / 1000)

    def _on_landed(self, landed: Landed) -> None:
        if limit_order.PROGRAM in landed.accounts or dca.PROGRAM in landed.accounts:
            self._changed.update(dict.fromkeys(map(Address, landed.changed)))
            self._wake.set()

    async def _rest(self) -> None:
        wait_ms, due = _LOOK_MS_MAX, self._orders.next_due()
        if due is not None:
            wait_ms = max(1, min(wait_ms, due - self._now()))
        if self._must_load:
            wait_ms = min(wait_ms, _POLL_MS_MAX)
        # Not `wait_for`: before Python 3.12 it forgets that it was cancelled where it is woken in the same turn.
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                await self._wake.wait()

    async def _learn(self) -> None:
        if self._must_load:
            await self._load()
        while self._changed:
            addresses = list(islice(self._changed, ORDERS_PER_SLICE))
            for address in addresses:  # What changes while they are read, is read again.
                del self._changed[address]
            self._reading = True
            infos = await self._embedded.accounts([*addresses])
            for address, info in zip(addresses, infos, strict=True):
                self._note(address, info)
            self._reading = False

    async def _load(self) -> None:
        self._must_load, self._reading = False, True
        await self._ready()  # After a restore the prices are others, too.
        found = [
            *await self._embedded.program_accounts(limit_order.PROGRAM, data_size=limit_order.ORDER_BYTES),
            *await self._embedded.program_accounts(dca.PROGRAM, data_size=dca.DCA_BYTES),
        ]
        for each in (self._orders, self._queue, self._held, self._jittered):
            each.clear()
        for start in range(0, len(found), ORDERS_PER_SLICE):
            for address, account in found[start : start + ORDERS_PER_SLICE]:
                self._note(Address(address), account)
            await asyncio.sleep(0)
        self._reading = False

    def _note(self, address: Address, info: AccountInfo | None) -> None:
        order = None if info is None else _read(info)
        if order is not None:
            self._orders.keep(address, order, IN_HAND)
            self._queue_if_due(address, waits=True)
            return
        self._orders.drop(address)
        self._queue.discard(address)
        for each in (self._pauses, self._held, self._jittered):
            each.pop(address, None)

    # --- what is to be done

    async def _judge_all(self, addresses: Iterable[Address]) -> None:
        """In slices, so that others have their turn."""
        all_of_them = list(addresses)
        for start in range(0, len(all_of_them), ORDERS_PER_SLICE):
            for address in all_of_them[start : start + ORDERS_PER_SLICE]:
                self._queue_if_due(address, waits=True)
            await asyncio.sleep(0)

    def _queue_if_due(self, address: Address, *, waits: bool = False) -> bool:
        """Whether something is to be done with it. `waits`: if not, it is found when what it waits for comes.

        What is under way is judged when it has ended.
        """
        order = self._orders.get(address)
        if order is None or address in self._busy:
            return False
        pause = self.pause_of(address)
        judged = self._judge.judge(address, order) if pause is None else Wait(due=pause.until)
        if isinstance(judged, Task):
            self._orders.keep(address, order, IN_HAND)
            self._queue.add(address, order.maker if isinstance(order, LimitOrderAccount) else order.user)
            return True
        self._queue.discard(address)
        if waits:
            self._orders.keep(address, order, judged)
            self._sort_out(address, order, judged)
        return False

    def _sort_out(self, address: Address, order: Order, wait: Wait) -> None:
        """Those that something else than a price or the clock's own pace brings back."""
        late = isinstance(order, Dca) and wait.due is not None and wait.due > order.next_cycle_at * 1000
        for among, belongs in ((self._held, wait.held), (self._jittered, late)):
            if belongs:
                among[address] = None
            else:
                among.pop(address, None)

    async def _queue_due(self) -> None:
        while due := self._orders.take_due(self._now(), ORDERS_PER_SLICE):
            await self._judge_all(due)

    # --- doing it

    def _start_some(self) -> None:
        while self._queue and len(self._busy) < UNDER_WAY_MAX:
            address = self._queue.take()
            self._busy[address] = asyncio.create_task(self._work(address))
        telemetry.under_way(len(self._busy))

    async def _work(self, address: Address) -> None:
        """One transaction for an order. Afterwards the order is looked at again."""
        try:
            await self._do(address)
        except Unavailable:
            await asyncio.sleep(_POLL_MS_MAX / 1000)
        finally:
            self._busy.pop(address, None)
            self._changed[address] = None
            self._wake.set()

    async def _do(self, address: Address) -> None:
        has_receiver = await self._has_receiver(address)
        # One after the other, and never before a transaction that a user waits for.
        async with self._sending:
            await self._embedded.leisure()
            order = self._orders.get(address)
            task = None if order is None else self._judge.judge(address, order)
            if order is None or not isinstance(task, Task):
                return
            built = await self._built(address, order, task, has_receiver=has_receiver)
            signed = self._signed(built.message)
            await self._landing.send(signed)
        await self._told(address, order, task, await self._landed(signed, built.last_valid_height))

    async def _has_receiver(self, address: Address) -> bool:
        """Whether the user has an account for the output of a cycle. Lamports of a stranger at its address are none."""
        order = self._orders.get(address)
        if not isinstance(order, Dca):
            return False
        try:
            (info,) = await self._embedded.accounts([_dca_keys(address, order).users(DcaBalance.OUT)])
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        account = None if info is None or info.owner != TOKEN_PROGRAM else read_token_account(info.data)
        return account is not None and account.owner == order.user and account.state == "initialized"

    async def _built(self, address: Address, order: Order, task: Task, *, has_receiver: bool) -> BuiltMessage:
        gives = 0 if task.swaps and self._pool.takes_failure() else task.gives
        instructions = self._instructions(address, order, Task(task.kind, task.takes, gives), has_receiver=has_receiver)

        def compose(budget: Budget, blockhash: Blockhash) -> bytes:
            return compile_message([*budget.instructions(), *instructions], self._keeper, blockhash, KeyOrder.RUST)

        # The same bytes are the same transaction, which has its outcome already: another part needs other bytes.
        self._built_before += 1
        return await self._builder.built(compose, 0, _UNITS + self._built_before % _DISTINCT)

    def _instructions(self, address: Address, order: Order, task: Task, *, has_receiver: bool) -> Sequence[Instruction]:
        if isinstance(order, LimitOrderAccount):
            match task.kind:
                case "refund":
                    return self._transactions.refund(address, order)
                case "dust":
                    return self._transactions.dust(address, order, task.takes)
            return self._transactions.fill(address, order, task.takes, task.gives)
        keys = _dca_keys(address, order)
        if task.kind == "end":
            return self._transactions.end(keys)
        return self._transactions.cycle(keys, task.takes, task.gives, payout_of(keys, has_receiver))

    def _signed(self, message: bytes) -> SignedTransaction:
        read = Message.from_bytes(message)
        signers = read.account_keys[: read.header.num_required_signatures]
        signatures = [self._keys[str(each)].sign(message) for each in signers]
        wire = bytes([len(signatures)]) + b"".join(map(bytes, signatures)) + message
        return SignedTransaction(wire, message, Signature(str(signatures[0])))

    async def _landed(self, signed: SignedTransaction, last_valid_height: int) -> ObservedOutcome:
        """What becomes of what was sent. It is sent again while it has no outcome."""
        poll_ms, waited_ms = _POLL_MS, 0
        while (seen := await self._landing.outcome(signed.signature, last_valid_height)) is None:
            await asyncio.sleep(poll_ms / 1000)
            waited_ms += poll_ms
            poll_ms = min(2 * poll_ms, _POLL_MS_MAX)
            if waited_ms >= _RESEND_MS:
                waited_ms = 0
                await self._landing.send(signed)
        return seen

    async def _told(self, address: Address, order: Order, task: Task, seen: ObservedOutcome) -> None:
        match seen.outcome:
            case TransactionOutcome.LANDED:
                self._pauses.pop(address, None)
                telemetry.landed(task.kind, address, seen.signature)
            case TransactionOutcome.REJECTED:
                await self._rejected(address, order, task, seen.error or "")
            case TransactionOutcome.DEAD:
                pass  # It is built again.

    async def _rejected(self, address: Address, order: Order, task: Task, error: str) -> None:
        """A race is lost where the order is another now; else something is wrong, and it pauses."""
        try:
            (info,) = await self._embedded.accounts([address])
        except ChainUnavailable:
            return
        if info is None or _read(info) != order:
            telemetry.race_lost(task.kind, address)
            return
        before = self._pauses.get(address)
        failures = 0 if before is None else before.failures
        self._pauses[address] = Pause(failures + 1, pause_end(failures, self._now()), task.kind, error)
        telemetry.failed(task.kind, address, error)


def _dca_keys(address: Address, order: Order) -> DcaKeys:
    assert isinstance(order, Dca), f"{address} has no cycles"
    return DcaKeys(dca=address, user=order.user, input_mint=order.input_mint, output_mint=order.output_mint)


def _read(info: AccountInfo) -> Order | None:
    if info.owner == limit_order.PROGRAM:
        return limit_order.read_order(info.data)
    return dca.read_dca(info.data) if info.owner == dca.PROGRAM else None
