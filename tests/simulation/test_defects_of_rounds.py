"""Defects in recurring orders, each caught by the claim that it breaks."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from countermand.orders.dca import transactions
from countermand.orders.dca.model import decide as rules
from countermand.orders.dca.model import lifecycle, live_orders
from countermand.orders.dca.model.commands import Command, ConfirmCancel, ResolveAttempt, StartFill
from countermand.orders.dca.model.events import FillStarted
from countermand.orders.dca.model.live_orders import LiveOrders
from countermand.orders.dca.model.order import DcaOrder, PriceBand, State
from countermand.orders.dca.model.refusals import DcaRefused
from countermand.orders.dca.work import DcaOutbox
from countermand.orders.vaults.model import deciding
from countermand.orders.vaults.model.events import WithdrawalLanded
from countermand.orders.vaults.model.market import PairPrices
from countermand.orders.vaults.shard import Decided
from countermand.sandbox.pool import SandboxPool
from countermand.values.identity import OrderId, Signature
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import Attempt, AttemptKind, TransactionOutcome
from countermand_simulator.checkers import Claim
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.process import ProcessParts
from countermand_simulator.rounds_process import CountedDcaShard, RoundParts
from tests.simulation.defects import Defect, must_be_caught, patched
from tests.simulation.test_defects import gives_a_tenth_less

# --- a round filled twice


class TakesFillsForDead(DcaOutbox):
    """Of a fill that it finds when it starts, it does not ask the chain what became of it."""

    def on_committed(self, orders: Sequence[DcaOrder], loaded: bool) -> None:
        if loaded:
            self._found: dict[OrderId, Attempt | None] = {order.id: order.progress.attempt for order in orders}
        super().on_committed(orders, loaded)

    async def poll_outcome(self, order: DcaOrder) -> bool:
        attempt = order.progress.attempt
        if attempt is None or attempt.kind is not AttemptKind.FILL or self._found.get(order.id) != attempt:
            return await super().poll_outcome(order)
        dead = ResolveAttempt(order.id, attempt.number, TransactionOutcome.DEAD, Signature("unknown"), None)
        await self._submit(dead)
        return True


# --- a round forgotten by a restart


def sets_no_timer(orders: LiveOrders, order: DcaOrder) -> None:
    orders.orders[order.id] = order
    orders._count(order.terms.wallet, 1)


# --- a round before its time, or after it


def is_early(order: DcaOrder) -> Instant | None:
    due = REAL_NEXT_DUE(order)
    return None if due is None else Instant(due - 500)


REAL_NEXT_DUE = lifecycle.next_due


def rounds_are_early() -> AbstractContextManager[Any]:
    return patched(patch.object(rules, "next_due", is_early), patch.object(live_orders, "next_due", is_early))


def never_ends(_order: DcaOrder, _began_at: Instant) -> Instant:
    return Instant(2**62)


def makes_up_for_it(order: DcaOrder, at: Instant, reason: str) -> Any:
    """What was missed is not left out."""
    return REAL_RESCHEDULED(order, min(at, order.progress.next_fill_at), reason)


REAL_RESCHEDULED = rules._rescheduled

# --- a round after an effective cancel


def starts_whatever_happened_meanwhile(order: DcaOrder, command: StartFill) -> Any:
    if order.progress.attempt is None and order.state in (State.ROUND_DUE, State.WITHDRAWING):
        return (FillStarted(Attempt(order.progress.attempts + 1, AttemptKind.FILL, command.craft, None)),)
    return REAL_START_FILL(order, command)


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


# --- a round that takes another amount


def leaves_what_does_not_divide(order: DcaOrder) -> BaseUnits:
    return min(order.terms.per_round, order.remaining)


def takes_a_little_more(order: DcaOrder) -> BaseUnits:
    return order.remaining if order.is_last_round else min(order.terms.per_round + BaseUnits(1), order.remaining)


# --- a round at another price


def holds_whatever_comes(_band: PriceBand, _price: UsdPrice) -> bool:
    return True


def is_never_too_little(_amount: BaseUnits, _market: PairPrices) -> int:
    return 1


def any_quote_is_taken() -> AbstractContextManager[Any]:
    return patched(
        patch.object(transactions, "least_of", is_never_too_little),
        patch.object(SandboxPool, "quote", gives_a_tenth_less),
    )


# --- a refund that is not what is left


def returns_one_too_many(*resolved: Any) -> Any:
    """Of its own funds an order's life lets no unit be forgotten; of dust it knows only what is told."""
    event: Any = REAL_WITHDRAWAL_RESOLVED(*resolved)
    if not isinstance(event, WithdrawalLanded):
        return event
    return replace(event, dust=event.dust + BaseUnits(1))


REAL_WITHDRAWAL_RESOLVED = deciding.withdrawal_resolved


def signs_again(order: DcaOrder, command: ConfirmCancel) -> Any:
    return REAL_CONFIRM(replace(order, progress=replace(order.progress, attempt=None)), command)


REAL_CONFIRM = rules._confirm_cancel

# --- what is owed, and what is answered


class ForgetfulOutbox(DcaOutbox):
    def on_committed(self, orders: Sequence[DcaOrder], loaded: bool) -> None:
        super().on_committed(() if loaded else orders, loaded)


class HastyShard(CountedDcaShard):
    async def submit(self, command: Command) -> Decided[DcaOrder] | DcaRefused:
        self.stepped(type(command).__name__)
        writer = await self._with(command.order_id)
        decided = self._turn(writer, command)
        writer.wanted.set()
        if isinstance(decided, DcaRefused):
            return decided
        return Decided(writer.state.live.orders[command.order_id], bool(decided))


def _parts(**parts: Any) -> ProcessParts:
    return ProcessParts(rounds=RoundParts(**parts))


def _rule(name: str, other: Callable[..., Any]) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(rules, name, other)


def _amount(other: Callable[[DcaOrder], BaseUnits]) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(DcaOrder, "round_amount", property(other))


DEFECTS = {
    "a round filled twice": Defect(
        Claim.ROUND_ONCE, _parts(outbox=TakesFillsForDead), drawn={"replaced": 0.8, "crash": 0.006}
    ),
    "a round forgotten by a restart": Defect(
        Claim.ROUND_IS_TRIED, patched=lambda: patch.object(LiveOrders, "adopt", sets_no_timer), first=1_007
    ),
    "a round before its time": Defect(Claim.ROUND_IN_TIME, patched=rounds_are_early),
    "a round after an effective cancel": Defect(
        Claim.CANCEL_IS_A_FENCE, patched=cancel_leaves_the_gate_open, first=1_003
    ),
    "a last round that leaves a rest": Defect(Claim.ROUND_AMOUNT, patched=_amount(leaves_what_does_not_divide)),
    "a round of another amount": Defect(Claim.ROUND_AMOUNT, patched=_amount(takes_a_little_more)),
    "a round out of its price band": Defect(
        Claim.ROUND_IN_BAND, patched=lambda: patch.object(PriceBand, "holds", holds_whatever_comes)
    ),
    "a round at any price": Defect(Claim.BUFFER_IS_KEPT, patched=any_quote_is_taken),
    "a refund that tells a unit too much": Defect(
        Claim.CONSERVED, patched=_rule("withdrawal_resolved", returns_one_too_many)
    ),
    "a withdrawal co-signed twice": Defect(Claim.ONE_ATTEMPT, patched=_rule("_confirm_cancel", signs_again)),
    "a lost outbox entry": Defect(Claim.EVERYTHING_ENDS, _parts(outbox=ForgetfulOutbox), first=1_001),
    "an answer before its commit": Defect(Claim.ANSWER_IS_COMMITTED, _parts(shard=HastyShard)),
}


LATE = {
    "a round tried again after its window": Defect(
        Claim.ROUND_IN_TIME, patched=_rule("_window_end", never_ends), first=1_004
    ),
    "a missed round that is made up for": Defect(
        Claim.ROUND_IN_TIME, patched=_rule("_rescheduled", makes_up_for_it), first=1_004
    ),
}


def rounds_only(options: FaultProfile) -> FaultProfile:
    """Little else than recurring orders."""
    return replace(options, planners=2, plan_pause_ms=100, wallets=1, pause_ms=1_000, limit_clients=0, dca_clients=0)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_recurring_orders_is_caught(name: str) -> None:
    must_be_caught(name, DEFECTS[name], rounds_only)


def late_rounds(options: FaultProfile) -> FaultProfile:
    """Swaps that fail, and clocks that leap."""
    return replace(rounds_only(options), swap_fails=0.3, swap_refused=0.3, clock_leaps=0.3)


@pytest.mark.parametrize("name", LATE)
def test_a_defect_of_late_rounds_is_caught(name: str) -> None:
    must_be_caught(name, LATE[name], late_rounds)
