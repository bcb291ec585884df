"""The checkers are checked: each defect is put into the engine, and the claim that it breaks must be found broken.

What is printed is the seed, as for any failure; the same seed passes without the defect.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from countermand.kernel.ports import Epoch, WriterReplaced
from countermand.kernel.writer_epoch import WriterEpoch
from countermand.orders.trigger import rows, state, transactions
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model import decide as rules
from countermand.orders.trigger.model import lifecycle, slippage, trailing
from countermand.orders.trigger.model import live_orders as desk
from countermand.orders.trigger.model.commands import (
    Command,
    ConfirmCancel,
    ExpireOrder,
    StartFill,
    TriggerOrders,
    UnsignedDeposit,
)
from countermand.orders.trigger.model.events import FillLanded, FillStarted, OrderTriggered, WithdrawalLanded
from countermand.orders.trigger.model.live_orders import LiveOrders, OrderEvent
from countermand.orders.trigger.model.order import OrderGroup, State
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.orders.trigger.model.slippage import Minimum
from countermand.orders.trigger.model.trailing import TrailingIndex
from countermand.orders.trigger.ports import OrderRow, Store, TriggerBatch
from countermand.orders.trigger.service import TriggerService, TriggerView
from countermand.orders.trigger.shard import TriggerEpoch
from countermand.orders.trigger.state import TriggerState
from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.orders.trigger.work import TriggerOutbox
from countermand.orders.vaults.model import deciding
from countermand.orders.vaults.model.market import PairPrices
from countermand.orders.vaults.ports import OrderBody
from countermand.orders.vaults.service import OrderView
from countermand.orders.vaults.shard import Decided
from countermand.sandbox.pool import Liquidity, SandboxPool
from countermand.services.liquidity.routing import Quote, RoutedSwap
from countermand.services.prices import Prices
from countermand.values.bucket import bucket_hinted_by
from countermand.values.identity import Mint, OrderId
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import Attempt, AttemptKind, SwapRefused, UnsignedTransaction
from countermand_simulator.checkers import Claim
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.process import CountedShard, ProcessParts
from tests.simulation.defects import Defect, must_be_caught, patched

# --- a cancel that does not close the gate


def starts_whatever_happened_meanwhile(
    group: OrderGroup, command: StartFill
) -> tuple[FillStarted, ...] | TriggerRefused:
    if group.progress.attempt is None and group.state in (State.TRIGGERED, State.WITHDRAWING):
        return (FillStarted(Attempt(group.progress.attempts + 1, AttemptKind.FILL, command.craft, None)),)
    return REAL_START_FILL(group, command)  # type: ignore[return-value]


REAL_START_FILL = rules._start_fill
OPEN_GATE = {
    **lifecycle.TRANSITIONS,
    State.WITHDRAWING: {**lifecycle.TRANSITIONS[State.WITHDRAWING], FillStarted: State.EXECUTING},
}


def cancel_leaves_the_gate_open() -> AbstractContextManager[Any]:
    return patched(
        patch.object(rules, "_start_fill", starts_whatever_happened_meanwhile),
        patch.object(lifecycle, "TRANSITIONS", OPEN_GATE),
    )


# --- a fill after expiry


def triggers_whenever(group: OrderGroup, moment: Any) -> tuple[OrderTriggered, ...]:
    return REAL_TRIGGER(replace(group, expires_at=Instant(2**62)), moment)  # type: ignore[return-value]


def never_expires(desk: LiveOrders, at: Instant) -> tuple[Instant, Command] | None:
    due = REAL_COMMAND_DUE(desk, at)
    return None if due is not None and isinstance(due[1], ExpireOrder) else due


REAL_TRIGGER = rules._trigger
REAL_COMMAND_DUE = LiveOrders.command_due


def expiry_is_forgotten() -> AbstractContextManager[Any]:
    return patched(
        patch.object(rules, "_trigger", triggers_whenever),
        patch.object(desk.LiveOrders, "command_due", never_expires),
    )


# --- a withdrawal co-signed twice


def signs_again(group: OrderGroup, command: ConfirmCancel) -> Any:
    return REAL_CONFIRM(replace(group, progress=replace(group.progress, attempt=None)), command)


REAL_CONFIRM = rules._confirm_cancel


def withdrawal_is_signed_again() -> AbstractContextManager[Any]:
    return patch.object(rules, "_confirm_cancel", signs_again)


# --- a lost outbox entry


class ForgetfulOutbox(TriggerOutbox):
    def on_committed(self, groups: Sequence[OrderGroup], loaded: bool) -> None:
        super().on_committed(() if loaded else groups, loaded)


# --- an answer before its commit


class HastyShard(CountedShard):
    async def submit(self, command: Command) -> Decided[OrderGroup] | TriggerRefused:
        self.stepped(type(command).__name__)
        writer = await self._with(command.order_id)  # type: ignore[union-attr]
        decided = self._turn(writer, command)
        writer.wanted.set()
        if isinstance(decided, TriggerRefused):
            return decided
        return Decided(writer.state.live.groups[command.order_id], bool(decided))  # type: ignore[union-attr]


# --- a read before the commit


class HastyReads(TriggerService):
    async def order(self, order_id: OrderId) -> TriggerView | None:
        group = await self._shard.peek(order_id)
        return None if group is None else OrderView(group, ())


# --- a read that shows a turn before its commit through the event log


class HastyEvents(CountedShard):
    def _turn(
        self, writer: TriggerEpoch, command: Command, now: Instant | None = None
    ) -> tuple[OrderEvent, ...] | TriggerRefused:
        decided = super()._turn(writer, command, now)
        news = [row for row in writer._pending.events if row.seq > self.events._committed]
        self.events.on_committed(writer._seq, news)
        return decided


# --- a reload that misses a late commit


class HastyLoad(CountedShard):
    async def _begin(self) -> TriggerEpoch:
        await self._prices.load()
        state = TriggerState(self._prices.price_of)
        for _, body in await self._store.live_orders(self.number, self._owners.range_of(self.number)):
            state.adopt(decode_group(body))
        self._as_stored = tuple(state.live.groups.values())
        epoch = await self._store.begin_epoch(self.number)
        self.opened = self.opened or epoch.number
        return WriterEpoch(self.number, epoch, state, state)


# --- a fresh deposit that is used after its epoch ended


class FreshForEver(CountedShard):
    """What was built in one epoch counts as fresh in the next, though its order may have ended since."""

    made: list[UnsignedDeposit]

    async def add_craft(self, deposit: UnsignedDeposit) -> None:
        self.__dict__.setdefault("made", []).append(deposit)
        await super().add_craft(deposit)

    async def _load(self, epoch: Epoch) -> TriggerEpoch:
        writer = await super()._load(epoch)
        for deposit in self.__dict__.get("made", []):
            writer.state.add_fresh(deposit)
        return writer


# --- an attempt signed by a replaced writer


class Unfenced:
    """A store whose writer does not notice that it was replaced."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, batch: TriggerBatch) -> None:
        try:
            await self._store.commit(batch)
        except WriterReplaced:
            await asyncio.sleep(0)


# --- slippage from the price of the moment


def forgets_the_trigger(group: OrderGroup, amount: BaseUnits, market: PairPrices) -> Minimum:
    """Of a watched third token, only the prices of now count."""
    return REAL_MINIMUM(replace(group, terms=replace(group.terms, trigger_mint=Mint("a third"))), amount, market)


REAL_MINIMUM = slippage.minimum_of


def a_gap_is_filled() -> AbstractContextManager[Any]:
    return patch.object(transactions, "minimum_of", forgets_the_trigger)


# --- no slippage at all


def is_never_too_little(group: OrderGroup, amount: BaseUnits, market: PairPrices) -> Minimum:
    return replace(REAL_MINIMUM(group, amount, market), units=0)


def any_quote_is_taken() -> AbstractContextManager[Any]:
    return patched(
        patch.object(transactions, "minimum_of", is_never_too_little),
        patch.object(SandboxPool, "quote", gives_a_tenth_less),
    )


async def gives_a_tenth_less(pool: SandboxPool, swap: RoutedSwap) -> Quote | SwapRefused:
    pool.liquidity = dict.fromkeys((swap.input.token.mint, swap.output.token.mint), Liquidity(Bps(1_000), None))
    return await REAL_QUOTE(pool, swap)


REAL_QUOTE = SandboxPool.quote


# --- an order routed by its id's byte against its row


class RoutesByTheId(CountedShard):
    def _adopt(self, state: TriggerState, order_id: OrderId, row: OrderBody) -> None:
        super()._adopt(state, order_id, replace(row, bucket=bucket_hinted_by(order_id)))


# --- an order stored in the bucket that its id's byte says


def in_the_bucket_of_its_id(group: OrderGroup) -> OrderRow:
    return replace(REAL_ORDER_ROW(group), bucket=bucket_hinted_by(group.id))


REAL_ORDER_ROW = rows.order_row


def row_follows_the_id() -> AbstractContextManager[Any]:
    return patch.object(state, "order_row", in_the_bucket_of_its_id)


# --- more than one leg, more than one part


def all_legs(group: OrderGroup) -> Any:
    return enumerate(group.legs)


def children_open_early() -> AbstractContextManager[Any]:
    return patch.object(OrderGroup, "armed", all_legs)


def a_sibling_stays_open() -> AbstractContextManager[Any]:
    is_filled = {**lifecycle.TRANSITIONS[State.EXECUTING], FillLanded: State.PARTLY_FILLED}
    return patch.object(lifecycle, "TRANSITIONS", {**lifecycle.TRANSITIONS, State.EXECUTING: is_filled})


def gives_the_children_more(group: OrderGroup, *others: Any) -> Any:
    landed: Any = REAL_FILL_LANDED(group, *others)
    more = 1 if group.sale().to is not None else 0
    return replace(landed, received=BaseUnits(landed.received.units + more))


def books_what_was_predicted(group: OrderGroup, funds: Any, craft: Any, command: Any) -> Any:
    landed: Any = REAL_FILL_LANDED(group, funds, craft, command)
    return replace(landed, received=craft.minimum)


REAL_FILL_LANDED = deciding.fill_landed


async def returns_one_account(it: TriggerTransactions, group: OrderGroup) -> UnsignedTransaction:
    return await REAL_WITHDRAWAL(it, replace(group, terms=replace(group.terms, output_account=None)))


def plans_one_account(group: OrderGroup, built: UnsignedTransaction, *, from_own: bool) -> Any:
    return REAL_BACK(replace(group, terms=replace(group.terms, output_account=None)), built, from_own=from_own)


REAL_WITHDRAWAL = TriggerTransactions.build_withdrawal
REAL_BACK = transactions._back


def one_account_of_two_comes_back() -> AbstractContextManager[Any]:
    return patched(
        patch.object(TriggerTransactions, "build_withdrawal", returns_one_account),
        patch.object(transactions, "_back", plans_one_account),
    )


def withdraws_the_deposit_less_a_part(craft: Any, command: Any) -> Any:
    resolved: Any = REAL_WITHDRAWAL_RESOLVED(craft, command)
    if not isinstance(resolved, WithdrawalLanded):
        return resolved
    return replace(resolved, withdrawn=BaseUnits(resolved.withdrawn.units // 2))


REAL_WITHDRAWAL_RESOLVED = deciding.withdrawal_resolved

PARTS = {
    "a sibling left open": Defect(Claim.REPLAY_EQUALS_ROWS, patched=a_sibling_stays_open),
    "a child that opens early": Defect(Claim.TRIGGER_IS_TRUE, patched=children_open_early),
    "a child funded with more than the parent gave": Defect(
        Claim.CONSERVED, patched=lambda: patch.object(rules, "fill_landed", gives_the_children_more), first=1_001
    ),
    "a cancel that returns one account of two": Defect(
        Claim.EVERYTHING_ENDS, patched=one_account_of_two_comes_back, first=1_002
    ),
    # The order's own life lets none be cancelled that has something left.
    "a part forgotten by the withdrawal": Defect(
        Claim.NO_BUG, patched=lambda: patch.object(rules, "withdrawal_resolved", withdraws_the_deposit_less_a_part)
    ),
    "a predicted amount booked instead of the landed one": Defect(
        Claim.CONSERVED, patched=lambda: patch.object(rules, "fill_landed", books_what_was_predicted)
    ),
}


def forgets_watermarks(_state: TriggerState, _mint: Mint, _watermarks: Any) -> None:
    """After a restart all begin anew."""


def the_other_way(index: TrailingIndex[OrderGroup], price: UsdPrice) -> bool:
    return any(not trailing.is_beyond(index._direction, price, group.watermark) for group in index._groups)


PARTS |= {
    "a watermark lost in a restart": Defect(
        Claim.REPLAY_EQUALS_ROWS,
        patched=lambda: patch.object(TriggerState, "adopt_watermarks", forgets_watermarks),
        first=1_004,
    ),
    "a watermark that moves the wrong way": Defect(
        Claim.WATERMARK_IS_TRUE, patched=lambda: patch.object(TrailingIndex, "is_moved_by", the_other_way)
    ),
}


TRIGGERS_ONLY: dict[str, Any] = {"limit_clients": 0, "dca_clients": 0}
CROWDED: dict[str, Any] = {**TRIGGERS_ONLY, "wallets": 5, "pause_ms": 20, "price_pause_ms": 50, "price_step_bps": 200}
SLOW: dict[str, Any] = {"slow": 0.3, "slow_ms": 200}
REPLACED: dict[str, Any] = {**TRIGGERS_ONLY, "wallets": 5, "pause_ms": 20, "replaced": 0.8}
SHORT_LIVED: dict[str, Any] = {
    **TRIGGERS_ONLY,
    "wallets": 5,
    "expiry_ms": 1_500,
    "price_pause_ms": 50,
    "price_step_bps": 200,
}


def lively(options: FaultProfile) -> FaultProfile:
    """Prices that reach the legs, and swaps in parts."""
    return replace(options, wallets=5, price_pause_ms=50, price_step_bps=200, expiry_ms=120_000, swap_parts=0.5)


@pytest.mark.parametrize("name", PARTS)
def test_a_defect_of_legs_and_parts_is_caught(name: str) -> None:
    must_be_caught(name, PARTS[name], lively)


# --- slices


class SlicesOfThePast(CountedShard):
    """A slice judges its orders as they were when the price came, whatever was decided since."""

    async def _trigger(self, writer: TriggerEpoch, mint: Mint, price: UsdPrice, *, at_once: bool) -> None:
        live = writer.state.live
        crossed, _ = live.take_crossed(mint, price, at_once=at_once)
        proposed = {order_id: live.groups[order_id] for order_id in crossed}
        for order_id, group in proposed.items():
            await writer.committed()
            live.groups[order_id] = group
            self._turn(writer, TriggerOrders(mint, price, at_once, (order_id,)))


class SmallSlices(CountedShard):
    """Each slice has one order, and waits for its commit."""

    async def _trigger(self, writer: TriggerEpoch, mint: Mint, price: UsdPrice, *, at_once: bool) -> None:
        live, left, more = writer.state.live, list[OrderId](), True
        while more:
            crossed, more = live.take_crossed(mint, price, at_once=at_once, most=1)
            decided = self._turn(writer, TriggerOrders(mint, price, at_once, tuple(crossed))) if crossed else ()
            left += () if decided and not isinstance(decided, TriggerRefused) else crossed
            await writer.committed()
        live.watch_again(left)


async def does_not_wait(self: Prices, prices: Mapping[Mint, UsdPrice], *, at_once: bool) -> None:
    await self._store.set_prices(prices)
    self._newest.update(prices)
    self._changes += 1
    for observer in self._observers:
        await observer(prices, at_once=at_once)


def prices_overtake() -> AbstractContextManager[Any]:
    return patched(patch.object(Prices, "_set", does_not_wait))


SLICES = {
    "a slice that overtakes a cancel": Defect(
        Claim.CANCEL_IS_A_FENCE, ProcessParts(shard=SlicesOfThePast), first=1_006
    ),
    "a second price decided before the last slice of the first": Defect(
        Claim.TRIGGER_IS_TRUE, ProcessParts(shard=SmallSlices), prices_overtake, first=1_003
    ),
}


def many_prices(options: FaultProfile) -> FaultProfile:
    """Orders by the dozen, and prices that cross many of them at once."""
    return replace(options, markets=3, price_jump=0.2, expiry_ms=120_000, **CROWDED, **SLOW)


@pytest.mark.parametrize("name", SLICES)
def test_a_defect_of_slices_is_caught(name: str) -> None:
    must_be_caught(name, SLICES[name], many_prices)


DEFECTS = {
    "a cancel that does not close the gate": Defect(
        Claim.CANCEL_IS_A_FENCE, patched=cancel_leaves_the_gate_open, drawn={**CROWDED, **SLOW}, first=1_003
    ),
    "a fill after expiry": Defect(
        Claim.EXPIRY_IS_A_FENCE, patched=expiry_is_forgotten, drawn={**SHORT_LIVED, "clock_leaps": 0.5}
    ),
    "slippage from the price of the moment": Defect(Claim.BUFFER_IS_KEPT, patched=a_gap_is_filled),
    "a quote that is not compared": Defect(Claim.BUFFER_IS_KEPT, patched=any_quote_is_taken),
    "a withdrawal co-signed twice": Defect(Claim.ONE_ATTEMPT, patched=withdrawal_is_signed_again),
    "a lost outbox entry": Defect(
        Claim.EVERYTHING_ENDS, ProcessParts(outbox=ForgetfulOutbox), drawn={**REPLACED, "crash": 0.006}, first=1_001
    ),
    "an answer before its commit": Defect(Claim.ANSWER_IS_COMMITTED, ProcessParts(shard=HastyShard)),
    "a read before the commit": Defect(Claim.READS_ARE_CURRENT, ProcessParts(orders=HastyReads)),
    "a turn that is read before its commit through the event log": Defect(
        Claim.EVENTS_ARE_TOLD, ProcessParts(shard=HastyEvents)
    ),
    "a reload that misses a late commit": Defect(
        Claim.REPLAY_EQUALS_MEMORY, ProcessParts(shard=HastyLoad), first=1_019
    ),
    "a fresh deposit used after its epoch ended": Defect(Claim.READS_ARE_CURRENT, ProcessParts(shard=FreshForEver)),
    "an order routed by an id's byte against its row": Defect(
        Claim.OWNED_BY_ITS_ROW, ProcessParts(shard=RoutesByTheId), drawn={"older_ids": 0.8, "dormant_kept": 0}
    ),
    "a row in the bucket of its id's byte": Defect(Claim.OWNED_BY_ITS_ROW, patched=row_follows_the_id, first=1_003),
    "an attempt signed by a replaced writer": Defect(
        Claim.SENT_IS_COMMITTED, ProcessParts(store=Unfenced), drawn=REPLACED, first=1_004
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_caught_by_the_claim_that_it_breaks(name: str) -> None:
    must_be_caught(name, DEFECTS[name])
