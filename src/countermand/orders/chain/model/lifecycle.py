"""How an order on the chain follows from what landed. The chain has judged: nothing here refuses."""

from typing import assert_never

from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.events import (
    CycleFilled,
    Event,
    FillFailed,
    LimitCancelled,
    LimitFilled,
    LimitOpened,
    RecurringClosed,
    RecurringDeposited,
    RecurringOpened,
    RecurringWithdrawn,
)
from countermand.orders.chain.model.order import (
    ChainOrderState,
    IndexedLimitOrder,
    IndexedOrder,
    IndexedRecurringOrder,
    Trade,
)
from countermand.values.identity import Address
from countermand.values.quantities import BPS_ONE
from countermand.values.structs import replace


class NotOfThisOrder(Exception):
    """An event of another family, or of no order that is open: a bug of ours, or a damaged journal."""


def evolve(order: IndexedOrder | None, event: Event, landed: TransactionLanded) -> IndexedOrder:
    """`order`: the one that is open at the event's address, if any."""
    evolved, ending = _evolved(order, event, landed), ending_of(event)
    return evolved if ending is None else replace(evolved, state=ending, closed_by=landed.signature)


def ending_of(event: Event) -> ChainOrderState | None:
    """How an open order ends by the event. None: it goes on."""
    match event:
        case LimitFilled(remaining_making=0) | RecurringClosed(by_owner=False):
            return ChainOrderState.COMPLETED
        case LimitCancelled() | RecurringClosed():
            return ChainOrderState.CANCELLED
    return None


def _evolved(order: IndexedOrder | None, event: Event, landed: TransactionLanded) -> IndexedOrder:
    match order, event:
        case None, LimitOpened():
            return _opened_limit(event, landed)
        case None, RecurringOpened():
            return _opened_recurring(event, landed)
        case IndexedLimitOrder(), LimitFilled() | LimitCancelled():
            return _limit(order, event, landed)
        case (
            IndexedRecurringOrder(),
            CycleFilled() | RecurringDeposited() | RecurringWithdrawn() | RecurringClosed(),
        ):
            return _recurring(order, event, landed)
        case IndexedLimitOrder() | IndexedRecurringOrder(), FillFailed():
            return replace(order, trades=order.trades + 1, failures=order.failures + 1)
    raise NotOfThisOrder(f"{type(event).__name__} of {event.order}, which is {type(order).__name__}")


def trade_of(order: IndexedOrder, event: Event, landed: TransactionLanded) -> Trade | None:
    """The fill that the event is, if it is one; `order` as it is after it."""
    n, signature, at_s = order.trades, landed.signature, landed.at_s
    match event:
        case LimitFilled():
            assert isinstance(order, IndexedLimitOrder)
            return Trade(
                n=n,
                signature=signature,
                at_s=at_s,
                keeper=event.keeper,
                given=event.making,
                received=event.taking,
                fee_mint=order.fee_account,
                fee=event.taking * order.fee_bps // BPS_ONE,
            )
        case CycleFilled():
            return Trade(
                n=n,
                signature=signature,
                at_s=at_s,
                keeper=event.keeper,
                given=event.used,
                received=event.received,
                fee_mint=Address(event.fee_mint),
                fee=event.fee,
            )
        case FillFailed():
            return Trade(n=n, signature=signature, at_s=at_s, keeper=event.keeper, failed=True)
    return None


def _opened_limit(event: LimitOpened, landed: TransactionLanded) -> IndexedLimitOrder:
    return IndexedLimitOrder(
        address=event.order,
        opened_by=landed.signature,
        owner=event.owner,
        input_mint=event.input_mint,
        output_mint=event.output_mint,
        created_at_s=landed.at_s,
        updated_at_s=landed.at_s,
        making=event.making,
        taking=event.taking,
        remaining_making=event.making,
        remaining_taking=event.taking,
        expires_at_s=event.expires_at_s,
        fee_bps=event.fee_bps,
        fee_account=event.fee_account,
        slippage_bps=event.slippage_bps,
    )


def _opened_recurring(event: RecurringOpened, landed: TransactionLanded) -> IndexedRecurringOrder:
    return IndexedRecurringOrder(
        address=event.order,
        opened_by=landed.signature,
        owner=event.owner,
        input_mint=event.input_mint,
        output_mint=event.output_mint,
        created_at_s=event.created_at_s,
        updated_at_s=event.created_at_s,
        deposited=event.deposited,
        per_cycle=event.per_cycle,
        interval_s=event.interval_s,
        out_min=event.out_min,
        out_max=event.out_max,
    )


def _limit(order: IndexedLimitOrder, event: LimitFilled | LimitCancelled, landed: TransactionLanded) -> IndexedOrder:
    match event:
        case LimitFilled():
            return replace(
                order,
                updated_at_s=landed.at_s,
                trades=order.trades + 1,
                remaining_making=event.remaining_making,
                remaining_taking=event.remaining_taking,
            )
        case LimitCancelled():
            return replace(order, updated_at_s=landed.at_s)
        case _ as never:
            assert_never(never)


def _recurring(
    order: IndexedRecurringOrder,
    event: CycleFilled | RecurringDeposited | RecurringWithdrawn | RecurringClosed,
    landed: TransactionLanded,
) -> IndexedOrder:
    # As published, a cycle and what is paid out for it are no update of the order.
    match event:
        case CycleFilled():
            return replace(
                order,
                trades=order.trades + 1,
                used=order.used + event.used,
                received=order.received + event.received,
            )
        case RecurringDeposited():
            return replace(order, updated_at_s=landed.at_s, deposited=order.deposited + event.amount)
        case RecurringWithdrawn():
            return replace(
                order,
                updated_at_s=landed.at_s if event.by_owner else order.updated_at_s,
                withdrawn=order.withdrawn + event.sold,
                paid_out=order.paid_out + event.bought,
            )
        case RecurringClosed():
            # What had not left yet went to the owner.
            return replace(
                order,
                updated_at_s=landed.at_s,
                withdrawn=order.deposited - order.used,
                paid_out=order.received,
                user_closed=event.by_owner,
            )
        case _ as never:
            assert_never(never)
