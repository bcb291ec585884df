"""What a landed transaction did to orders, out of the events of their programs and of their instructions.

Only what the program itself says counts: its events, which no stranger can forge. Instructions add what the events
leave out: who filled, and what bounds a cycle has. Of a transaction that failed they tell which fill failed.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar, assert_never

from countermand.orders.chain.model import events
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.events import Event
from countermand.solana.port import LedgerTransaction
from countermand.solana.programs import dca, dca_cycles, limit_order, limit_order_fills
from countermand.solana.programs.anchor import DISCRIMINATOR_BYTES, calls_of
from countermand.values.identity import Address, Mint, Signature, Wallet

PROGRAMS: Final = (Address(limit_order.PROGRAM), Address(dca.PROGRAM))

T = TypeVar("T")

_FILLS: Final = {
    limit_order_fills.FILL_ORDER: (0, 2),
    limit_order_fills.PRE_FLASH_FILL_ORDER: (0, 1),
    dca_cycles.INITIATE_FLASH_FILL: (0, 1),
}
"""By the instruction that begins a fill: where its keeper and its order are among its accounts."""


def landed_of(program: Address, transaction: LedgerTransaction) -> TransactionLanded:
    """Of a final transaction that names the program."""
    if transaction.error is not None:
        did: Sequence[Event] = list(_failed(program, transaction))
    elif program == limit_order.PROGRAM:
        did = [_limit(event) for event in limit_order.events_of(transaction)]
    else:
        did = list(_recurring(transaction))
    signature = Signature(transaction.signature)
    return TransactionLanded(program, signature, transaction.slot, transaction.block_time, tuple(did))


def _failed(program: Address, transaction: LedgerTransaction) -> Iterator[Event]:
    """One for each order: a fill names it in several instructions."""
    failed: dict[Address, Address] = {}
    for call in calls_of(transaction, program):
        places = _FILLS.get(call.data[:DISCRIMINATOR_BYTES])
        if places is not None and len(call.accounts) > max(places):
            keeper, order = (Address(call.accounts[place]) for place in places)
            failed.setdefault(order, keeper)
    for order, keeper in failed.items():
        yield events.FillFailed(order=order, keeper=keeper)


def _limit(event: limit_order.LimitOrderEvent) -> Event:
    match event:
        case limit_order.CreateOrderEvent():
            return events.LimitOpened(
                order=Address(event.order),
                owner=Wallet(event.maker),
                input_mint=Mint(event.input_mint),
                output_mint=Mint(event.output_mint),
                making=event.making_amount,
                taking=event.taking_amount,
                expires_at_s=event.expired_at,
                fee_bps=event.fee_bps,
                fee_account=Address(event.fee_account),
                slippage_bps=event.slippage_bps,
            )
        case limit_order.TradeEvent():
            return events.LimitFilled(
                order=Address(event.order),
                keeper=Address(event.taker),
                making=event.making_amount,
                taking=event.taking_amount,
                remaining_making=event.remaining_making_amount,
                remaining_taking=event.remaining_taking_amount,
            )
        case limit_order.CancelOrderEvent():
            return events.LimitCancelled(order=Address(event.order))
        case limit_order.CancelDustOrderEvent():
            return events.LimitCancelled(order=Address(event.order), dust=True)
        case _ as never:
            assert_never(never)


def _recurring(transaction: LedgerTransaction) -> Iterator[Event]:
    openings, keepers = dca.openings_of(transaction), _keepers_of(transaction)
    for event in dca.events_of(transaction):
        match event:
            case dca.DcaOpened():
                opening = _next(openings, event.dca)
                yield events.RecurringOpened(
                    order=Address(event.dca),
                    owner=Wallet(event.user),
                    input_mint=Mint(event.input_mint),
                    output_mint=Mint(event.output_mint),
                    deposited=event.in_deposited,
                    per_cycle=event.in_amount_per_cycle,
                    interval_s=event.cycle_frequency,
                    out_min=0 if opening is None else opening.min_out,
                    out_max=0 if opening is None else opening.max_out,
                    created_at_s=event.created_at,
                )
            case dca.DcaFilled():
                yield events.CycleFilled(
                    order=Address(event.dca),
                    keeper=Address(_next(keepers, event.dca) or ""),
                    used=event.in_amount,
                    received=event.out_amount,
                    fee_mint=Mint(event.fee_mint),
                    fee=event.fee,
                )
            case dca.DcaDeposited():
                yield events.RecurringDeposited(order=Address(event.dca), amount=event.amount)
            case dca.DcaWithdrawn():
                yield events.RecurringWithdrawn(
                    order=Address(event.dca),
                    sold=event.in_amount,
                    bought=event.out_amount,
                    by_owner=event.user_withdraw,
                )
            case dca.DcaClosed():
                yield events.RecurringClosed(order=Address(event.dca), by_owner=event.user_closed)
            case dca.DcaFeeCollected():
                pass  # The fill tells the same.
            case _ as never:
                assert_never(never)


def _keepers_of(transaction: LedgerTransaction) -> dict[str, list[str]]:
    """By order: who repays its cycles, one after the other."""
    keepers: dict[str, list[str]] = {}
    for call in calls_of(transaction, dca.PROGRAM):
        if call.data.startswith(dca_cycles.FULFILL_FLASH_FILL) and len(call.accounts) > 1:
            keeper, order = call.accounts[:2]
            keepers.setdefault(order, []).append(keeper)
    return keepers


def _next(told: dict[str, list[T]], order: str) -> T | None:
    of_order = told.get(order)
    return of_order.pop(0) if of_order else None
