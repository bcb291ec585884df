"""The sandbox's keeper: it fills limit orders, runs recurring ones, and returns what has expired.

It remembers nothing that it could not read again: what is to be done follows from the orders' accounts, the prices and
the venue's clock. Its transactions pass the programs as anybody's do; who is faster wins.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import Instruction
from solders.message import Message

from countermand.kernel.ports import Unavailable
from countermand.sandbox import keeper_telemetry as telemetry
from countermand.sandbox.keeper_transactions import KeeperTransactions, payout_of
from countermand.sandbox.pool import SandboxPool
from countermand.services.custody.vaults import Key
from countermand.services.tokens import TokenRegistry
from countermand.services.transactions.builder import TransactionBuilder
from countermand.services.transactions.client_transactions import SignedTransaction
from countermand.services.transactions.landing import ChainLanding
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.ledger import Landed
from countermand.solana.port import AccountInfo, Blockhash, ChainUnavailable
from countermand.solana.programs import dca, dca_cycles, limit_order, limit_order_fills
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message
from countermand.solana.programs.dca import Dca, DcaBalance, DcaKeys
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.values.identity import Address, Mint, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.transactions import ObservedOutcome, SwapRefused, TransactionOutcome

UNDER_WAY_MAX: Final = 16
_UNITS: Final = 400_000
_READ_AT_ONCE: Final = 100
_SLICE: Final = 128
_LOOK_MS_MAX: Final = 1_000
_POLL_MS: Final = 5
_POLL_MS_MAX: Final = 250
_RESEND_MS: Final = 2_000
_PAUSE_MS: Final = 1_000
_PAUSE_MS_MAX: Final = 60_000
_JITTER_S: Final = 31

Order = LimitOrderAccount | Dca


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done with an order now: input and output of a fill, nothing for the others."""

    kind: str
    takes: int = 0
    gives: int = 0


class Keeper:
    """`embedded` tells what has changed; `landing` and `builder` see the same chain with its faults.

    `ready` returns once the stored prices are known. `jitter` of a cycle, in seconds, by the order's address and its
    time; `refund_delay_ms` lets expired orders wait, `holds_refunds` for as long as it says so.
    """

    def __init__(
        self,
        embedded: EmbeddedChain,
        landing: ChainLanding,
        builder: TransactionBuilder,
        pool: SandboxPool,
        tokens: TokenRegistry,
        keys: tuple[Key, Key],
        now: Callable[[], Instant],
        ready: Callable[[], Awaitable[object]],
        jitter: Callable[[Address, int], int] = lambda _, __: 0,
        refund_delay_ms: int = 0,
        holds_refunds: Callable[[], bool] = lambda: False,
    ) -> None:
        self._embedded, self._landing, self._builder = embedded, landing, builder
        self._pool, self._tokens, self._now = pool, tokens, now
        self._holds_refunds = holds_refunds
        self._ready = ready
        self._jitter, self._refund_delay_ms = jitter, refund_delay_ms
        self._keys: Final = {str(each.public): each for each in keys}
        self._keeper: Final = keys[0].address
        self._transactions = KeeperTransactions(keys[0].address, keys[1].address)
        self._orders: dict[Address, Order] = {}
        self._times: list[tuple[int, Address]] = []
        self._changed: dict[Address, None] = {}
        self._queue: dict[Address, None] = {}
        self._busy: dict[Address, asyncio.Task[None]] = {}
        self._failures: dict[Address, int] = {}
        self._paused: dict[Address, int] = {}
        self._must_load = True
        self._wake = asyncio.Event()

    # --- what the sandbox asks of it

    def is_idle(self) -> bool:
        """Nothing is under way or could be done now. What failed and pauses does not count."""
        return not (self._must_load or self._changed or self._queue or self._busy)

    def waits_for(self) -> Sequence[Address]:
        """The orders for which something is under way, or about to be."""
        return [address for address in self._orders if address in self._busy or address in self._queue]

    def run_due(self) -> None:
        """Looks at the clock: what has become due is queued when it returns."""
        self._queue_due()
        self._wake.set()

    async def observe_prices(self, prices: Mapping[Mint, UsdPrice], /, *, at_once: bool) -> None:
        """Queues every order that these newest prices allow to be filled."""
        if at_once:
            self._paused.clear()
        for number, (address, order) in enumerate(list(self._orders.items())):
            if order.input_mint in prices or order.output_mint in prices:
                self._consider(address, order)
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        self._wake.set()

    def forget(self) -> None:
        """The chain begins anew. What is under way is given up."""
        for task in self._busy.values():
            task.cancel()
        for each in (self._orders, self._times, self._changed, self._queue, self._failures, self._paused):
            each.clear()
        self._must_load = True
        self._wake.set()

    def look_again(self) -> None:
        """At all orders: what they had to wait for has changed."""
        self._must_load = True
        self._wake.set()

    # --- its loop

    async def run(self) -> None:
        await self._ready()
        unsubscribe = self._embedded.subscribe(self._on_landed)
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                self._wake.clear()
                try:
                    await self._learn()
                except ChainUnavailable:
                    self._must_load = True
                self._queue_due()
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
        wait_ms = _LOOK_MS_MAX
        if self._times:
            wait_ms = max(1, min(wait_ms, self._times[0][0] - self._now()))
        if self._must_load:
            wait_ms = min(wait_ms, _POLL_MS_MAX)
        try:
            await asyncio.wait_for(self._wake.wait(), wait_ms / 1000)
        except TimeoutError:
            return

    async def _learn(self) -> None:
        if self._must_load:
            found = [
                *await self._embedded.program_accounts(limit_order.PROGRAM, data_size=limit_order.ORDER_BYTES),
                *await self._embedded.program_accounts(dca.PROGRAM, data_size=dca.DCA_BYTES),
            ]
            self._orders.clear()
            self._times.clear()
            self._must_load = False
            for number, (address, account) in enumerate(found):
                self._note(Address(address), account)
                if number % _SLICE == _SLICE - 1:
                    await asyncio.sleep(0)
        while self._changed:
            addresses = list(self._changed)[:_READ_AT_ONCE]
            infos = await self._embedded.accounts([*addresses])
            for address, info in zip(addresses, infos, strict=True):
                self._changed.pop(address, None)
                self._note(address, info)

    def _note(self, address: Address, info: AccountInfo | None) -> None:
        order = None if info is None else _read(info)
        if order is None:
            self._orders.pop(address, None)
            self._queue.pop(address, None)
            self._failures.pop(address, None)
            return
        self._orders[address] = order
        due = self._due_at(address, order)
        if due is not None:
            heapq.heappush(self._times, (due, address))
        self._consider(address, order)

    def _due_at(self, address: Address, order: Order) -> int | None:
        """When the clock alone makes something possible, in milliseconds."""
        if isinstance(order, LimitOrderAccount):
            return None if order.expired_at is None else (order.expired_at + 1) * 1000 + self._refund_delay_ms
        return (order.next_cycle_at + self._jitter_of(address, order)) * 1000

    def _jitter_of(self, address: Address, order: Dca) -> int:
        """The first cycle has none, and the program refuses one that comes too early."""
        return self._jitter(address, order.next_cycle_at) % _JITTER_S if order.in_used else 0

    def _queue_due(self) -> None:
        now = self._now()
        while self._times and self._times[0][0] <= now:
            _, address = heapq.heappop(self._times)
            order = self._orders.get(address)
            if order is not None:
                self._consider(address, order)

    def _consider(self, address: Address, order: Order) -> None:
        paused_until = self._paused.get(address)
        if paused_until is not None and self._loop_ms() < paused_until:
            return
        if self._task_of(address, order) is not None:
            self._queue[address] = None

    @staticmethod
    def _loop_ms() -> int:
        return round(asyncio.get_running_loop().time() * 1000)

    # --- what is to be done

    def _task_of(self, address: Address, order: Order) -> Task | None:
        return self._limit_task(order) if isinstance(order, LimitOrderAccount) else self._plan_task(address, order)

    def _limit_task(self, order: LimitOrderAccount) -> Task | None:
        now = self._now()
        if not order.making_amount:
            return Task("refund")
        if order.expired_at is not None and now // 1000 > order.expired_at:
            is_time = now >= (order.expired_at + 1) * 1000 + self._refund_delay_ms
            return Task("refund") if is_time and not self._holds_refunds() else None
        offered = self._offer(order, order.making_amount)
        if offered is None:
            return None
        takes, receives = offered
        asked = limit_order_fills.asked_for(order, takes)
        if receives >= asked:
            return Task("fill", takes, asked)
        return Task("fill", takes, receives) if receives >= limit_order_fills.least_for(order, takes) else None

    def _plan_task(self, address: Address, order: Dca) -> Task | None:
        if not order.in_left:
            return Task("end")
        if self._now() < (order.next_cycle_at + self._jitter_of(address, order)) * 1000:
            return None
        used = dca_cycles.cycle_amount(order)
        offered = self._offer(order, used)
        if offered is None or offered[0] < used:
            return None
        repaid = offered[1]
        received = repaid - dca_cycles.fee_of(repaid)
        return Task("cycle", used, repaid) if dca_cycles.is_within_bounds(order, used, received) else None

    def _offer(self, order: Order, units: int) -> tuple[int, int] | None:
        """How much of the input the pool takes now, and what it gives for that."""
        given, wanted = self._tokens.get(Mint(order.input_mint)), self._tokens.get(Mint(order.output_mint))
        if given is None or wanted is None:
            return None
        quote = self._pool.offer(BaseUnits(units), given, wanted)
        return None if isinstance(quote, SwapRefused) else (quote.takes.units, quote.receives.units)

    # --- doing it

    def _start_some(self) -> None:
        for address in list(self._queue):
            if len(self._busy) >= UNDER_WAY_MAX:
                break
            if address not in self._busy:
                del self._queue[address]
                self._busy[address] = asyncio.create_task(self._work(address))
        telemetry.under_way(len(self._busy))

    async def _work(self, address: Address) -> None:
        """One transaction for an order. Afterwards the order is looked at again."""
        try:
            await asyncio.sleep(0)  # The commands of users that wait have their turn first.
            order = self._orders.get(address)
            task = None if order is None else self._task_of(address, order)
            if order is not None and task is not None:
                await self._do(address, order, task)
        except Unavailable:
            await asyncio.sleep(_POLL_MS_MAX / 1000)
        finally:
            self._busy.pop(address, None)
            self._changed[address] = None
            self._wake.set()

    async def _do(self, address: Address, order: Order, task: Task) -> None:
        instructions = await self._instructions(address, order, task)

        def compose(budget: Budget, blockhash: Blockhash) -> bytes:
            return compile_message([*budget.instructions(), *instructions], self._keeper, blockhash, KeyOrder.RUST)

        built = await self._builder.built(compose, 0, _UNITS)
        signed = self._signed(built.message)
        seen = await self._landed(signed, built.last_valid_height)
        match seen.outcome:
            case TransactionOutcome.LANDED:
                self._failures.pop(address, None)
                self._paused.pop(address, None)
                telemetry.landed(task.kind, address, seen.signature)
            case TransactionOutcome.REJECTED:
                await self._rejected(address, order, task, seen.error or "")
            case TransactionOutcome.DEAD:
                pass  # It is built again.

    async def _instructions(self, address: Address, order: Order, task: Task) -> Sequence[Instruction]:
        if isinstance(order, LimitOrderAccount):
            if task.kind == "refund":
                return self._transactions.refund(address, order)
            return self._transactions.fill(address, order, task.takes, task.gives)
        keys = DcaKeys(dca=address, user=order.user, input_mint=order.input_mint, output_mint=order.output_mint)
        if task.kind == "end":
            return self._transactions.end(keys)
        (account,) = await self._embedded.accounts([keys.users(DcaBalance.OUT)])
        return self._transactions.cycle(keys, task.takes, task.gives, payout_of(keys, account is not None))

    def _signed(self, message: bytes) -> SignedTransaction:
        read = Message.from_bytes(message)
        signers = read.account_keys[: read.header.num_required_signatures]
        signatures = [self._keys[str(each)].sign(message) for each in signers]
        wire = bytes([len(signatures)]) + b"".join(map(bytes, signatures)) + message
        return SignedTransaction(wire, message, Signature(str(signatures[0])))

    async def _landed(self, signed: SignedTransaction, last_valid_height: int) -> ObservedOutcome:
        """Sends it until it has an outcome."""
        poll_ms, waited_ms = _POLL_MS, _RESEND_MS
        while True:
            if waited_ms >= _RESEND_MS:
                waited_ms = 0
                await self._landing.send(signed)
            seen = await self._landing.outcome(signed.signature, last_valid_height)
            if seen is not None:
                return seen
            await asyncio.sleep(poll_ms / 1000)
            waited_ms += poll_ms
            poll_ms = min(2 * poll_ms, _POLL_MS_MAX)

    async def _rejected(self, address: Address, order: Order, task: Task, error: str) -> None:
        """A race is lost where the order is another now; else something is wrong, and it pauses."""
        try:
            (info,) = await self._embedded.accounts([address])
        except ChainUnavailable:
            return
        if info is None or _read(info) != order:
            telemetry.race_lost(task.kind, address)
            return
        failures = self._failures[address] = self._failures.get(address, 0) + 1
        pause_ms = min(_PAUSE_MS << min(failures - 1, 10), _PAUSE_MS_MAX)
        self._paused[address] = self._loop_ms() + pause_ms
        asyncio.get_running_loop().call_later(pause_ms / 1000, self._again, address)
        telemetry.failed(task.kind, address, error)

    def _again(self, address: Address) -> None:
        if address in self._orders:
            self._changed[address] = None
            self._wake.set()


def _read(info: AccountInfo) -> Order | None:
    if info.owner == limit_order.PROGRAM:
        return limit_order.read_order(info.data)
    return dca.read_dca(info.data) if info.owner == dca.PROGRAM else None
