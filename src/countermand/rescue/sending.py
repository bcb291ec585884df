"""Signs, sends, and sees what became of it. Nothing is sent before its note is on disk, and nothing anew before it is
known that what was sent before can no longer land.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct, field
from solders.keypair import Keypair

from countermand.rescue.cancels import CancelTransaction, Returned, alone
from countermand.rescue.remedies import words
from countermand.rescue.rescue import UNANSWERED, Prepared, Rescue, RescuePlan, Verdict
from countermand.rescue.sent import NoteRefused, Sent, SentNote
from countermand.services.transactions.landed import changes_of
from countermand.services.transactions.outcomes import outcome_of
from countermand.solana.funds import WALLET_RENT_LAMPORTS
from countermand.solana.port import TRANSACTIONS_MAX, Address, ChainUnavailable, JsonError, LedgerTransaction, Signature
from countermand.solana.programs.compile import unsigned_transaction
from countermand.solana.rpc.node import stays
from countermand.solana.wire import SIGNATURE_BYTES, read_transaction
from countermand.values.identity import Signature as Named
from countermand.values.structs import replace
from countermand.values.transactions import TransactionOutcome

AT_ONCE: Final = 8
"""Transactions under way."""
TRIES_MAX: Final = 4
PATIENCE_MS: Final = 240_000
"""A blockhash dies within two minutes. Longer than this only a chain that stands still takes."""
RESEND_MS: Final = 5_000
"""The same bytes: a node may have lost them, and no chain takes them twice."""
REFUSALS_MAX: Final = 3
"""A provider chooses among its nodes, and one of them may be at fault."""
REFUSED_PAUSE_MS: Final = 500
_POLL_MS, _POLL_MS_MAX = 100, 1_000
_ANOTHER_NODE: Final = "run it again with another node, by --rpc-url"


class End(Enum):
    """What became of an order."""

    RESCUED = "rescued"
    GONE = "gone"
    """It was filled or cancelled before, by another transaction than ours."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A transaction may still land. Another run asks for it first."""


class Ended(Struct, frozen=True):
    order: Address
    end: End
    signature: Signature | None = None
    reason: str | None = None


class Total(Struct, frozen=True):
    """What landed transactions brought to the owner, and what they cost the payer, as the chain shows it.

    `lamports`: to the owner's own account, rents and SOL together, before any fee.
    """

    returned: tuple[Returned, ...] = ()
    lamports: int = 0
    fees: int = 0


_Seen: TypeAlias = tuple[TransactionOutcome, JsonError | None]


class _HandingOver(Struct):
    """How a node took one transaction. `refused`: in a row, for what does not pass."""

    asked: int = 0
    taken: int = 0
    refused: int = 0
    complaint: str | None = None

    def took(self) -> None:
        self.asked, self.taken, self.refused, self.complaint = self.asked + 1, self.taken + 1, 0, None

    def complained(self, problem: ChainUnavailable) -> None:
        self.asked += 1
        self.refused = self.refused + 1 if stays(problem) else 0
        self.complaint = str(problem)

    @property
    def is_hopeless(self) -> bool:
        return self.refused >= REFUSALS_MAX and not self.taken

    @property
    def was_in_vain(self) -> bool:
        return self.asked >= REFUSALS_MAX and not self.taken

    @property
    def pause_ms(self) -> int:
        return REFUSED_PAUSE_MS if self.refused else RESEND_MS

    def told(self, sentence: str, then: str) -> str:
        """With what the node said last."""
        return f"{sentence}: {self.complaint}; {then}" if self.complaint is not None else f"{sentence}; {then}"


class Sender(Struct):
    """`keys`: of the owner, and of another payer."""

    rescue: Rescue
    note: SentNote
    keys: Sequence[Keypair]
    fees_left: int = 0
    """Lamports that may still be paid."""
    ended: dict[Address, Ended] = field(default_factory=dict)
    landed: list[Signature] = field(default_factory=list)

    async def resume(self) -> None:
        """Brings what an earlier run sent to its end: landed, or unable to land."""
        self.rescue.steps.begin("waiting for what an earlier run sent", len(self.note.unresolved))
        await asyncio.gather(*(self._resumed(each) for each in list(self.note.unresolved.values())))

    async def can_begin(self, plan: RescuePlan) -> bool:
        """Whether the payer can pay for the first transaction."""
        return await self._affordable(plan.prepared[:1]) > 0

    async def send(self, plan: RescuePlan) -> None:
        """One failure does not stop the rest. `ended` has an entry for each order of the plan's transactions."""
        waiting, self.fees_left = list(plan.prepared), plan.fees_max
        self.rescue.steps.begin("orders done", sum(len(each.transaction.orders) for each in waiting))
        while waiting:
            try:
                many = await self._affordable(waiting)
            except UNANSWERED as problem:
                self._end_all(waiting, End.FAILED, f"{problem}; run it again")
                return
            if not many:
                reason = f"{self.rescue.payer} has too few lamports left to pay for it: send it more, and run it again"
                self._end_all(waiting, End.FAILED, reason)
                return
            await asyncio.gather(*(self._sent(each) for each in waiting[:many]))
            waiting = waiting[many:]

    def in_order(self, plan: RescuePlan) -> list[Ended]:
        """What an earlier run sent, then every order of the plan."""
        for each in plan.rehearsed:
            if each.cancel.order.address not in self.ended:
                end = End.UNKNOWN if each.verdict is Verdict.UNDER_WAY else End.FAILED
                self._end(Ended(each.cancel.order.address, end, None, each.reason))
        orders = [order for each in plan.prepared for order in each.transaction.orders]
        orders += [each.cancel.order.address for each in plan.rehearsed]
        places = {order: place for place, order in reversed(list(enumerate(orders)))}
        return sorted(self.ended.values(), key=lambda each: places.get(each.order, -1))

    async def total(self) -> Total | None:
        """Of all that landed, also for an earlier run. None: the node does not show all of it."""
        shown: list[LedgerTransaction | None] = []
        try:
            for start in range(0, len(self.landed), TRANSACTIONS_MAX):
                shown += await self.rescue.chain.transactions(self.landed[start : start + TRANSACTIONS_MAX])
        except UNANSWERED:
            return None
        landed = [each for each in shown if each is not None]
        if len(landed) < len(shown):
            return None
        changes = [changes_of(each) for each in landed]
        fees = sum(each.fee for each in landed)
        own = fees if self.rescue.payer == self.rescue.owner else 0
        lamports = sum(each.lamports_of(self.rescue.owner) for each in changes) + own
        return Total(tuple(_returned(landed, self.rescue.owner)), lamports, fees)

    # --- one transaction

    async def _resumed(self, sent: Sent) -> None:
        handing = _HandingOver()
        try:
            seen = await self._awaited(sent, handing)
        except UNANSWERED:
            seen = None
        self.rescue.steps.done += 1
        if seen is None:
            self._end_unknown(sent, handing)
            return
        if seen[0] is TransactionOutcome.LANDED:
            self._landed(sent)
        self.note.resolve(sent.signature)

    async def _sent(self, prepared: Prepared) -> None:
        """Until each of its orders has ended, in one way or another."""
        try:
            await self._tried(prepared)
        except (*UNANSWERED, NoteRefused) as problem:
            self._end_all([prepared], End.FAILED, f"{problem}; run it again")

    async def _tried(self, prepared: Prepared) -> None:
        left, refusal = await self._still_open(prepared.transaction), None
        for _ in range(TRIES_MAX):
            if left is None:
                return
            tried, refusal = left, await self._try(replace(prepared, transaction=left))
            if refusal is None:
                return
            left = await self._still_open(tried)
            if left is None or refusal.may_pass or len(left.cancels) < len(tried.cancels):
                continue
            if len(left.cancels) == 1 or refusal.is_general:
                self._end_all([prepared], End.FAILED, refusal.reason, refusal.signature)
                return
            for each in alone(left):  # One of them spoils it for the others.
                await self._sent(await self.rescue.prepared(each, prepared.budget.price))
            return
        if refusal is not None:
            self._end_all([prepared], End.FAILED, f"it did not land in {TRIES_MAX} tries: {refusal.reason}")

    async def _still_open(self, transaction: CancelTransaction) -> CancelTransaction | None:
        """As its orders are now: some may have been filled or cancelled since, and an account may be missing now."""
        now = await self.rescue.cancels_of([each.order for each in transaction.cancels])
        there = {each.order.address for each in now}
        for order in transaction.orders:
            if order not in there:
                self._end(Ended(order, End.GONE, None, "it was filled or cancelled meanwhile"))
        for each in now:
            if each.flaw is not None:
                self._end(Ended(each.order.address, End.FAILED, None, each.flaw))
        fine = tuple(each for each in now if each.flaw is None)
        return CancelTransaction(fine, transaction.payer) if fine else None

    async def _try(self, prepared: Prepared) -> "_Refusal | None":
        """Signs with a fresh blockhash and lands it. None: its orders have ended."""
        transaction = prepared.transaction
        built, simulation = await self.rescue.simulated(transaction, prepared.budget)
        if simulation.error is not None:
            return _Refusal(words(simulation.error, transaction.cancels, simulation.logs))
        if prepared.fee > self.fees_left:
            reason = (
                f"another fee of {prepared.fee} lamports would be more than --fees-max in all; run it again with more"
            )
            return _Refusal(reason, is_general=True)
        self.fees_left -= prepared.fee
        wire = signed(built.message, self.keys)
        sent = Sent(
            signature=str(read_transaction(wire).versioned.signatures[0]),
            wire=wire,
            owner=self.rescue.owner,
            orders=list(transaction.orders),
            last_valid_height=built.last_valid_height,
            cluster=self.note.cluster,
        )
        self.note.add(sent)
        handing = _HandingOver()
        await self._hand_over(sent, handing)
        try:
            seen = await self._awaited(sent, handing)
        except UNANSWERED as problem:
            seen, handing.complaint = None, str(problem)
        if seen is None:
            self._end_unknown(sent, handing)
            return None
        outcome, error = seen
        if outcome is TransactionOutcome.LANDED:
            self._landed(sent)
        self.note.resolve(sent.signature)
        if outcome is TransactionOutcome.LANDED:
            return None
        if outcome is TransactionOutcome.REJECTED and error is not None:
            return _Refusal(words(error, transaction.cancels), sent.signature)
        self.fees_left += prepared.fee
        died = "its blockhash died before it landed"
        if handing.was_in_vain:
            return _Refusal(handing.told(died, _ANOTHER_NODE), sent.signature, is_general=True)
        return _Refusal(handing.told(died, "run it again"), sent.signature, may_pass=True)

    async def _hand_over(self, sent: Sent, handing: _HandingOver) -> None:
        """A node that does not answer, or refuses, may have taken it: what became of it is asked all the same."""
        try:
            await self.rescue.chain.hand_over(sent.wire)
        except ChainUnavailable as problem:
            handing.complained(problem)
            self.rescue.steps.struggles(problem)
        else:
            handing.took()

    async def _awaited(self, sent: Sent, handing: _HandingOver) -> _Seen | None:
        """None: it is not known after all this time, or the node refuses to take it.

        The first look comes before anything is sent again.
        """
        began = handed = _now_ms()
        pause_ms = _POLL_MS
        while (seen := await self._outcome(sent)) is None:
            now = _now_ms()
            if now - began > PATIENCE_MS or handing.is_hopeless:
                return None
            if now - handed > handing.pause_ms:
                await self._hand_over(sent, handing)
                handed = _now_ms()
            await asyncio.sleep(pause_ms / 1000)
            pause_ms = min(2 * pause_ms, _POLL_MS_MAX)
        return seen

    async def _outcome(self, sent: Sent) -> _Seen | None:
        saw_height = self.rescue.blockhashes.saw_height
        return await outcome_of(self.rescue.chain, Named(sent.signature), sent.last_valid_height, saw_height)

    async def _affordable(self, waiting: Sequence[Prepared]) -> int:
        """How many of the first ones the payer can pay for, as it is now: what comes back may pay for the next."""
        held, many = await self.rescue.lamports(), 0
        for each in waiting[:AT_ONCE]:
            held -= each.cost
            if held < WALLET_RENT_LAMPORTS:  # The chain lets no account keep less.
                break
            many += 1
        return many

    # --- what is known

    def _end_unknown(self, sent: Sent, handing: _HandingOver) -> None:
        if handing.is_hopeless:
            sentence = "it was signed, so it may still land, but the node does not take it"
            reason = handing.told(sentence, _ANOTHER_NODE)
        else:
            reason = handing.told("it was sent, and may still land", "run it again")
        for order in sent.orders:
            self._end(Ended(order, End.UNKNOWN, sent.signature, reason))

    def _landed(self, sent: Sent) -> None:
        self.landed.append(sent.signature)
        for order in sent.orders:
            self._end(Ended(order, End.RESCUED, sent.signature))

    def _end_all(self, prepared: Sequence[Prepared], end: End, reason: str, signature: Signature | None = None) -> None:
        """Of those that have not ended otherwise before."""
        for each in prepared:
            for order in each.transaction.orders:
                if order not in self.ended:
                    self._end(Ended(order, end, signature, reason))

    def _end(self, ended: Ended) -> None:
        self.rescue.steps.done += ended.order not in self.ended
        self.ended[ended.order] = ended


def _returned(landed: Sequence[LedgerTransaction], owner: Address) -> Iterator[Returned]:
    """What the owner's token accounts hold more than before."""
    units: dict[Address, int] = {}
    decimals: dict[Address, int] = {}
    for each in landed:
        for balance in each.pre_token_balances:
            if balance.owner == owner:
                units[balance.mint] = units.get(balance.mint, 0) - balance.amount
        for balance in each.post_token_balances:
            if balance.owner == owner:
                units[balance.mint] = units.get(balance.mint, 0) + balance.amount
                decimals[balance.mint] = balance.decimals
    return (Returned(mint, gained, decimals.get(mint)) for mint, gained in units.items() if gained)


class _Refusal(Struct, frozen=True):
    """`may_pass`: the same orders as they stand may be taken another time. `is_general`: it concerns all of them."""

    reason: str
    signature: Signature | None = None
    may_pass: bool = False
    is_general: bool = False


def signed(message: bytes, keys: Sequence[Keypair]) -> bytes:
    """The transaction, with the slots of those who are not here left empty."""
    unsigned = unsigned_transaction(message)
    signers = read_transaction(unsigned).static_keys[: message[0]]
    own = {key.pubkey(): key for key in keys}
    slots = [bytes(own[each].sign_message(message)) if each in own else bytes(SIGNATURE_BYTES) for each in signers]
    return message[:1] + b"".join(slots) + message


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
