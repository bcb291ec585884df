"""Recurring orders and their deposits as they are stored."""

from countermand.kernel.journal import encode
from countermand.orders.dca.model.lifecycle import ACTIVE, is_dormant, next_fill_at
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.ports import OrderRow
from countermand.values.bucket import bucket_of


def order_row(order: DcaOrder) -> OrderRow:
    terms = order.terms
    return OrderRow(
        id=order.id,
        bucket=bucket_of(terms.wallet),
        wallet=terms.wallet,
        live=not is_dormant(order),
        active=order.state in ACTIVE,
        input_mint=terms.input_mint,
        output_mint=terms.output_mint,
        created_at=order.created_at,
        updated_at=order.updated_at,
        next_fill_at=next_fill_at(order),
        body=encode(order),
    )
