"""What the orders cost: which money each event moves, and what a live order keeps locked."""

from countermand.orders.book.model.events import (
    BookOrderCancelled,
    BookOrderOpened,
    BookOrderPlaced,
    BookOrderReduced,
    BookOrderRested,
    Credited,
    Event,
    StopTriggered,
    Traded,
)
from countermand.orders.book.model.ledger.amount import FEES, Amount, Currency
from countermand.orders.book.model.ledger.transfer import Deposit, HoldId, Post, Reserve, Transfer, Void
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import SELL, BookOrder, BookTerms
from countermand.orders.book.model.quantities import Lots
from countermand.values.structs import UnsetType


def spent_currency(terms: BookTerms, market: Market) -> Currency:
    return market.base if terms.side is SELL else market.quote


def cost_of(terms: BookTerms, lots: Lots, market: Market) -> Amount:
    """What so many lots of an order with a limit need in the currency that it spends."""
    if terms.side is SELL:
        return market.volume(lots)
    assert terms.price is not None, "only a market order has no limit"
    return market.cost(terms.price, lots)


def locked_by(order: BookOrder, market: Market) -> Amount:
    """What a live order has locked."""
    return cost_of(order.terms, order.remaining, market) if isinstance(order.held, UnsetType) else order.held


def transfers(event: Event, market: Market | None) -> tuple[Transfer, ...]:
    """The money that an event moves. `market` is that of its order, if it is about one."""
    match event:
        case Credited():
            return (Deposit(event.account, event.currency, event.amount),)
        case BookOrderPlaced():
            assert market is not None, "an order has a market"
            terms = event.terms
            return (Reserve(HoldId(event.order_id), terms.account, spent_currency(terms, market), event.locked),)
        case Traded():
            return _traded(event)
        case BookOrderReduced() | BookOrderCancelled():
            return (Void(HoldId(event.order_id), event.unlocked),) if event.unlocked else ()
        case BookOrderOpened() | BookOrderRested() | StopTriggered():
            return ()


def _traded(trade: Traded) -> tuple[Transfer, ...]:
    """Each side pays the other out of its hold, and the fee of what the other receives goes to the venue."""
    assert trade.buy.paid == trade.sell.received, f"trade {trade.trade_id} loses quote currency"
    assert trade.sell.paid == trade.buy.received, f"trade {trade.trade_id} loses base currency"
    moves: list[Transfer] = []
    for payer, payee in ((trade.buy, trade.sell), (trade.sell, trade.buy)):
        hold = HoldId(payer.order_id)
        moves.append(Post(hold, payee.account, payee.received - payee.fee))
        if payee.fee:
            moves.append(Post(hold, FEES, payee.fee))
        if payer.unlocked:
            moves.append(Void(hold, payer.unlocked))
    return tuple(moves)
