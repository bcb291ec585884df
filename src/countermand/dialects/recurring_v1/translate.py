"""Between the wire and the orders, in both directions. Pure. A wrong request raises `RecurringDeclined`."""

import base64
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UnsetType

from countermand.dialects.recurring_v1.envelope import Form, RecurringDeclined
from countermand.dialects.recurring_v1.reading import price, public_key, variant
from countermand.dialects.recurring_v1.refusals import PRICE_BASED
from countermand.dialects.recurring_v1.wire import (
    AllOrdersAnswer,
    BuiltAnswer,
    CancelRequest,
    CreateRequest,
    ExecuteRequest,
    OlderBuiltAnswer,
    OrderRow,
    OrdersParams,
    PriceOrdersAnswer,
    TimeOrdersAnswer,
    TypedOrderRow,
)
from countermand.dialects.recurring_v1.wire import Trade as TradeRow
from countermand.orders.chain.model.order import Trade
from countermand.orders.recurring.model.order import OrderPage, RecurringOrder, RecurringTerms
from countermand.services.transactions.client_transactions import Build
from countermand.values.identity import Address, Mint, RequestId, Wallet
from countermand.values.quantities import BaseUnits, Inexact, decimal_text, exact

_PAGE_MAX: Final = 10**9 - 1
_SIGNATURE_BYTES: Final = 64


def into_terms(body: CreateRequest) -> RecurringTerms:
    time, has_price = body.params.time, body.params.price is not None
    if isinstance(time, UnsetType):
        raise RecurringDeclined(PRICE_BASED if has_price else "params: expected exactly one of `time`, `price`")
    if has_price:
        raise RecurringDeclined("params: expected exactly one of `time`, `price`")
    return RecurringTerms(
        wallet=Wallet(public_key("user", body.user)),
        input_mint=Mint(public_key("inputMint", body.input_mint)),
        output_mint=Mint(public_key("outputMint", body.output_mint)),
        amount=BaseUnits(time.in_amount),
        cycles=time.number_of_orders,
        interval_s=time.interval,
        starts_at_s=time.start_at,
        price_min=price("params.time.minPrice", time.min_price),
        price_max=price("params.time.maxPrice", time.max_price),
    )


def into_cancel(body: CancelRequest) -> tuple[Address, Wallet]:
    if not isinstance(body.recurring_type, UnsetType):
        kind = variant("recurringType", body.recurring_type, "time", "price")
    elif not isinstance(body.params, UnsetType):
        kind = variant("params", body.params, "recurring", "time", "price")
    else:
        raise RecurringDeclined("missing field `recurringType`")
    if kind == "price":
        raise RecurringDeclined(PRICE_BASED)
    return Address(public_key("order", body.order)), Wallet(public_key("user", body.user))


def into_request_id(body: ExecuteRequest) -> RequestId | None:
    """The two names of a request's id; None: the client did not keep it."""
    given = dict.fromkeys(each.lower() for each in (body.request_id, body.id) if each is not None)
    if len(given) > 1:
        raise RecurringDeclined("id: differs from requestId")
    return RequestId(next(iter(given))) if given else None


def from_build(build: Build, form: Form) -> BuiltAnswer | OlderBuiltAnswer:
    signers = build.message[0]
    transaction = base64.b64encode(build.message[:1] + bytes(_SIGNATURE_BYTES * signers) + build.message).decode()
    if form is Form.OLDER:
        return OlderBuiltAnswer(id=build.request_id, tx=transaction)
    return BuiltAnswer(request_id=build.request_id, transaction=transaction)


# --- lists


def into_page(query: OrdersParams) -> int:
    """Checks all of the query. The page, counted from 1."""
    variant("recurringType", query.recurring_type, "time", "price", "all")
    variant("orderStatus", query.order_status, "active", "history")
    public_key("user", query.user)
    if not isinstance(query.mint, UnsetType):
        public_key("mint", query.mint)
    if not isinstance(query.include_failed_tx, UnsetType):
        variant("includeFailedTx", query.include_failed_tx, "true", "True", "false", "False")
    return 1 if isinstance(query.page, UnsetType) else _page(query.page)


def _page(text: str) -> int:
    page = exact(text, scale=0, bound=_PAGE_MAX)
    if page in (Inexact.TOO_BIG, Inexact.TOO_LONG):
        raise RecurringDeclined(f"page: invalid value: expected an integer of at most {_PAGE_MAX}")
    if isinstance(page, Inexact) or page < 1:
        raise RecurringDeclined("page: invalid value: expected an integer of at least 1")
    return page


def no_price_orders(query: OrdersParams, number: int) -> PriceOrdersAnswer:
    """There are none: their program's layout is not known."""
    return PriceOrdersAnswer(
        user=query.user, order_status=query.order_status, total_pages=0, page=number, total_items=0
    )


def from_page(query: OrdersParams, number: int, page: OrderPage) -> TimeOrdersAnswer | AllOrdersAnswer:
    rows = tuple(from_order(order) for order in page.orders)
    if query.recurring_type == "all":
        return AllOrdersAnswer(
            user=query.user,
            order_status=query.order_status,
            all=tuple(TypedOrderRow(**msgspec.structs.asdict(row)) for row in rows),
            total_pages=page.total_pages,
            page=number,
            total_items=page.total,
        )
    return TimeOrdersAnswer(
        user=query.user,
        order_status=query.order_status,
        time=rows,
        total_pages=page.total_pages,
        page=number,
        total_items=page.total,
    )


def from_order(order: RecurringOrder) -> OrderRow:
    def sold(amount: BaseUnits) -> str:
        return decimal_text(amount.units, order.input_decimals)

    def bought(amount: BaseUnits) -> str:
        return decimal_text(amount.units, order.output_decimals)

    return OrderRow(
        user_pubkey=order.wallet,
        order_key=order.order,
        input_mint=order.input_mint,
        output_mint=order.output_mint,
        in_deposited=sold(order.deposited),
        in_withdrawn=sold(order.withdrawn),
        raw_in_deposited=str(order.deposited.units),
        raw_in_withdrawn=str(order.withdrawn.units),
        cycle_frequency=str(order.interval_s),
        out_withdrawn=bought(order.paid_out),
        in_amount_per_cycle=sold(order.per_cycle),
        min_out_amount=bought(order.out_min),
        max_out_amount=bought(order.out_max),
        in_used=sold(order.used),
        out_received=bought(order.received),
        raw_out_withdrawn=str(order.paid_out.units),
        raw_in_amount_per_cycle=str(order.per_cycle.units),
        raw_min_out_amount=str(order.out_min.units),
        raw_max_out_amount=str(order.out_max.units),
        raw_in_used=str(order.used.units),
        raw_out_received=str(order.received.units),
        open_tx=order.opened_by or "",
        close_tx=order.closed_by or "",
        user_closed=order.user_closed,
        created_at=_iso(order.created_at_s),
        updated_at=_iso(order.updated_at_s),
        trades=tuple(_trade(order, trade) for trade in order.trades),
    )


def _trade(order: RecurringOrder, trade: Trade) -> TradeRow:
    """`output_amount` is without the fee. A fill that failed has no amounts."""
    return TradeRow(
        order_key=order.order,
        keeper=trade.keeper,
        input_mint=order.input_mint,
        output_mint=order.output_mint,
        input_amount=decimal_text(trade.given, order.input_decimals),
        output_amount=decimal_text(trade.received, order.output_decimals),
        raw_input_amount=str(trade.given),
        raw_output_amount=str(trade.received),
        fee_mint=trade.fee_mint or "",
        fee_amount=decimal_text(trade.fee, order.output_decimals),
        raw_fee_amount=str(trade.fee),
        tx_id=trade.signature,
        confirmed_at=_iso(trade.at_s),
        action="Fill",
    )


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
