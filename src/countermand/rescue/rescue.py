"""The rescue of one owner's orders: what would come back, and the transactions for another wallet to sign."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from countermand.kernel.ports import Unavailable
from countermand.rescue.cancels import (
    Cancel,
    CancelTransaction,
    addresses_of,
    cancel_of,
    lamports_needed,
    payable,
    transactions_of,
)
from countermand.rescue.finding import Counted, Found, existing, find, find_named
from countermand.rescue.orders import OpenOrder, OrderFamily, Unfit
from countermand.rescue.remedies import words
from countermand.rescue.sent import SentNote
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import (
    UNITS_UNKNOWN,
    BuiltMessage,
    TransactionBuilder,
    simulated,
)
from countermand.services.transactions.outcomes import outcome_of
from countermand.solana.funds import associated_rent, costs_of, lamports_missing
from countermand.solana.port import UNITS_MAX, Address, ChainUnavailable, Simulation
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.compile import Budget
from countermand.solana.rpc import RpcChain
from countermand.values.identity import Address as Named
from countermand.values.identity import Signature
from countermand.values.structs import replace

ASKED_AT_ONCE: Final = 4
"""Simulations under way: nodes that are free of charge take some ten questions a second."""
_PROGRAMS: Final = {OrderFamily.LIMIT: limit_order, OrderFamily.DCA: dca}
RENEW_POLL_MS: Final = 1_000
_TOLD_MAX: Final = 20
_UNTOLD_PRICE: Final = 200_000
"""Micro-lamports per compute unit, where a node does not tell recent fees: as Recurring v1 has it."""

T = TypeVar("T")


class NoOrderPrograms(Exception):
    """The node's chain has none of the programs: it is of another cluster."""


class Verdict(Enum):
    """What the cancel of an order would do now."""

    OK = "ok"
    FAILS = "fails"
    UNPAID = "unpaid"
    """Its payer has too little for the fee, so the chain does not look at it."""
    UNDER_WAY = "under-way"
    """An earlier run sent a transaction that may still land."""


class Rehearsed(Struct, frozen=True):
    """`units`: compute units that the cancel alone takes."""

    cancel: Cancel
    verdict: Verdict
    reason: str | None = None
    units: int = 0


class Prepared(Struct, frozen=True):
    """A transaction, its budget, its fee, and what its payer gives for it: the fee and new accounts."""

    transaction: CancelTransaction
    budget: Budget
    fee: int
    cost: int


class RescuePlan(Struct, frozen=True, kw_only=True):
    """`held` and `needed` are lamports of the payer. `fees_allowed`: lamports for all fees, if that was asked for."""

    owner: Address
    payer: Address
    rehearsed: tuple[Rehearsed, ...]
    prepared: tuple[Prepared, ...]
    unfit: tuple[Unfit, ...]
    counted: tuple[Counted, ...]
    held: int
    needed: int
    fees_allowed: int | None

    @property
    def fees(self) -> int:
        return sum(each.fee for each in self.prepared)

    @property
    def rent(self) -> int:
        """What comes back for the accounts that the transactions close."""
        return sum(cancel.rent for each in self.prepared for cancel in each.transaction.cancels)

    @property
    def fees_max(self) -> int:
        return self.rent if self.fees_allowed is None else self.fees_allowed

    @property
    def is_dear(self) -> bool:
        return self.fees > self.fees_max

    @property
    def is_complete(self) -> bool:
        """Nothing of what the owner asked for stands in the way."""
        fine = all(each.verdict is Verdict.OK for each in self.rehearsed) and not self.is_dear
        return fine and self.held >= self.needed and not any(each.why.is_complaint for each in self.unfit)


class Printed(Struct, frozen=True):
    """A transaction for another wallet to sign. It can land up to and including this block height."""

    orders: tuple[Address, ...]
    message: bytes
    last_valid_height: int


class Steps(Struct):
    """How far it is, for a line of progress. `tells` hears, once each, for what it waits and asks again."""

    says: str = "asking the node for orders"
    done: int = 0
    of: int = 0
    tells: Callable[[str], None] = lambda _: None
    _told: set[str] = msgspec.field(default_factory=set)

    def begin(self, says: str, of: int) -> None:
        self.says, self.done, self.of = says, 0, of

    def struggles(self, problem: ChainUnavailable) -> None:
        sentence = str(problem)
        if sentence not in self._told and len(self._told) < _TOLD_MAX:
            self._told.add(sentence)
            self.tells(f"{sentence}; asking again")

    def __str__(self) -> str:
        return f"{self.says}: {self.done} of {self.of}" if self.of else self.says


@dataclass(slots=True)
class Rescue:
    """`payer` pays fees and new accounts: the owner, or another wallet. `unit_price`: micro-lamports; None: as recent.
    `fees_max`: lamports; None: as much as comes back for closed accounts.

    Coroutines raise `ChainUnavailable` or `Unavailable` when the node does not answer.
    """

    chain: RpcChain
    owner: Address
    payer: Address
    unit_price: int | None = None
    fees_max: int | None = None
    steps: Steps = field(default_factory=Steps)
    units: dict[Address, int] = field(default_factory=dict)
    """What each cancel took when it was simulated."""
    blockhashes: RecentBlockhash = field(init=False)

    def __post_init__(self) -> None:
        self.blockhashes = RecentBlockhash(self.chain, lambda: time.time_ns() // 1_000_000)

    # --- what would come back

    async def plan(self, named: Sequence[Address], note: SentNote) -> RescuePlan:
        """Of the named orders, or of all. Raises `ListRefused` and `NoOrderPrograms`."""
        await self._check_programs()
        found = await (find_named(self.chain, self.owner, named) if named else find(self.chain, self.owner))
        cancels = await self.cancels_of(found.orders)
        under_way = await self._under_way(note)
        self.steps.begin("simulating cancels", len(cancels))

        async def rehearsed(cancel: Cancel) -> Rehearsed:
            if (signature := under_way.get(cancel.order.address)) is not None:
                return Rehearsed(cancel, Verdict.UNDER_WAY, f"{signature} was sent, and may still land")
            return await self._rehearsed(cancel)

        return await self._plan(found, await self._few_at_once(rehearsed, cancels))

    async def cancels_of(self, orders: Sequence[OpenOrder]) -> list[Cancel]:
        """As the accounts are now; those that are gone are left out."""
        accounts = await existing(self.chain, [address for order in orders for address in addresses_of(order)])
        return [cancel_of(order, accounts) for order in orders if order.address in accounts]

    async def _under_way(self, note: SentNote) -> dict[Address, Signature]:
        """By order: what an earlier run sent, and what may still land."""
        under_way: dict[Address, Signature] = {}
        for sent in note.unresolved.values():
            signature = Signature(sent.signature)
            if await outcome_of(self.chain, signature, sent.last_valid_height) is None:
                under_way |= dict.fromkeys(sent.orders, signature)
        return under_way

    async def _check_programs(self) -> None:
        if not await existing(self.chain, [each.PROGRAM for each in _PROGRAMS.values()]):
            raise NoOrderPrograms

    async def _plan(self, found: Found, rehearsed: Sequence[Rehearsed]) -> RescuePlan:
        self.units = {each.cancel.order.address: each.units for each in rehearsed}
        able = [each.cancel for each in rehearsed if each.verdict in (Verdict.OK, Verdict.UNPAID)]
        transactions = transactions_of(able, self.payer)
        price = await self._price(transactions)
        prepared = list(_making_once([await self.prepared(each, price) for each in transactions]))
        owner_pays, held = self.payer == self.owner, await self.lamports()
        costs = [
            (each.cost, sum(cancel.lamports for cancel in each.transaction.cancels) if owner_pays else 0)
            for each in prepared
        ]
        beyond = prepared[payable(held, costs) :]
        return RescuePlan(
            owner=self.owner,
            payer=self.payer,
            rehearsed=self._judged(rehearsed, beyond),
            prepared=tuple(prepared),
            unfit=found.unfit,
            counted=found.counted,
            held=held,
            needed=lamports_needed(costs),
            fees_allowed=self.fees_max,
        )

    def _judged(self, rehearsed: Sequence[Rehearsed], beyond: Sequence[Prepared]) -> tuple[Rehearsed, ...]:
        """`beyond`: transactions whose turn comes when the payer has too little left. No simulation tells of that."""
        orders = {order for each in beyond for order in each.transaction.orders}
        return tuple(
            replace(each, verdict=Verdict.UNPAID, reason=f"{self.payer} has too few lamports to pay for it")
            if each.verdict is Verdict.OK and each.cancel.order.address in orders
            else each
            for each in rehearsed
        )

    async def lamports(self) -> int:
        """What the payer holds."""
        (payer,) = await self.chain.accounts([self.payer])
        return 0 if payer is None else payer.lamports

    async def _price(self, transactions: Sequence[CancelTransaction]) -> int:
        if self.unit_price is not None or not transactions:
            return self.unit_price or 0
        builder = TransactionBuilder(self.chain, self.chain, self.blockhashes, untold_price=_UNTOLD_PRICE)
        return await builder.price([Named(address) for each in transactions for address in each.writes()])

    async def prepared(self, transaction: CancelTransaction, price: int) -> Prepared:
        """Units as the API allows them for limit orders, more if the simulation took more, with a tenth to spare."""
        used = sum(self.units[order] or UNITS_UNKNOWN for order in transaction.orders) * 11 // 10
        usual = limit_order.UNITS_OF_A_CANCEL * len(transaction.orders)
        budget = Budget(min(max(used, usual), UNITS_MAX), price)
        recent = await self.blockhashes.get()
        message = transaction.message(budget, str(recent.blockhash))
        fee, spent = await costs_of(self.chain, message)
        return Prepared(transaction, budget, fee, fee + spent)

    async def _rehearsed(self, cancel: Cancel) -> Rehearsed:
        if cancel.flaw is not None:
            return Rehearsed(cancel, Verdict.FAILS, cancel.flaw)
        transaction = CancelTransaction((cancel,), self.payer)
        built, simulation = await self.simulated(transaction, Budget(UNITS_MAX, 0))
        if simulation.error is None:
            return Rehearsed(cancel, Verdict.OK, units=simulation.units_consumed)
        if await lamports_missing(self.chain, built.message) is not None:
            return Rehearsed(cancel, Verdict.UNPAID, f"{self.payer} has too few lamports to pay for it")
        return Rehearsed(cancel, Verdict.FAILS, words(simulation.error, [cancel], simulation.logs))

    async def simulated(self, transaction: CancelTransaction, budget: Budget) -> tuple[BuiltMessage, Simulation]:
        """With a fresh blockhash."""
        return await simulated(
            self.chain, self.blockhashes, lambda blockhash: transaction.message(budget, str(blockhash))
        )

    async def _few_at_once(self, ask: Callable[[Cancel], Awaitable[T]], cancels: Sequence[Cancel]) -> list[T]:
        answers: list[T] = []
        for start in range(0, len(cancels), ASKED_AT_ONCE):
            answers += await asyncio.gather(*map(ask, cancels[start : start + ASKED_AT_ONCE]))
            self.steps.done = len(answers)
        return answers

    # --- for another wallet

    async def printed(self, plan: RescuePlan) -> list[Printed]:
        """All of the plan's transactions, with a fresh blockhash."""
        recent = await self.blockhashes.get()
        return [
            Printed(
                each.transaction.orders,
                each.transaction.message(each.budget, str(recent.blockhash)),
                recent.last_valid_height,
            )
            for each in plan.prepared
        ]

    async def renewed(self, plan: RescuePlan, printed: Sequence[Printed]) -> AsyncIterator[list[Printed]]:
        """Those that died unsigned, again, until none of the orders is open any more."""
        by_orders = {each.transaction.orders: each for each in plan.prepared}
        alive = list(printed)
        while alive:
            await asyncio.sleep(RENEW_POLL_MS / 1000)
            height = await self.chain.finalized_block_height()
            self.blockhashes.saw_height(height)
            there = await existing(self.chain, [order for each in alive for order in each.orders])
            alive = [each for each in alive if any(order in there for order in each.orders)]
            dead = [each for each in alive if height > each.last_valid_height]
            if not dead:
                continue
            orders = [order for each in dead for order in by_orders[each.orders].transaction.cancels]
            left = await self.cancels_of([each.order for each in orders])
            again = replace(plan, prepared=await self._prepared_anew(left))
            by_orders |= {each.transaction.orders: each for each in again.prepared}
            made = await self.printed(again)
            alive = [each for each in alive if each not in dead] + made
            if made:
                yield made

    async def _prepared_anew(self, cancels: Sequence[Cancel]) -> tuple[Prepared, ...]:
        transactions = transactions_of([each for each in cancels if each.flaw is None], self.payer)
        price = await self._price(transactions)
        return tuple([await self.prepared(each, price) for each in transactions])


def _making_once(prepared: Sequence[Prepared]) -> Iterator[Prepared]:
    """Of transactions that would make the same account, the first pays for it."""
    made: set[Address] = set()
    for each in prepared:
        makes = each.transaction.makes
        spared = sum(associated_rent(escrow.token_program) for to, escrow in makes.items() if to in made)
        made |= makes.keys()
        yield replace(each, cost=each.cost - spared)


UNANSWERED: Final = (ChainUnavailable, Unavailable)
