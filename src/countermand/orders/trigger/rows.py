"""Trigger orders and their deposits as they are stored."""

from countermand.kernel.journal import encode
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.lifecycle import ACTIVE, is_dormant
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.ports import CraftRow, OrderRow


def craft_row(deposit: UnsignedDeposit) -> CraftRow:
    return CraftRow(deposit.request_id, deposit.order_id, deposit.craft.last_valid_height, encode(deposit))


def order_row(group: OrderGroup) -> OrderRow:
    terms = group.terms
    return OrderRow(
        id=group.id,
        wallet=terms.wallet,
        live=not is_dormant(group),
        active=group.state in ACTIVE,
        input_mint=terms.input_mint,
        output_mint=terms.output_mint,
        created_at=group.created_at,
        updated_at=group.updated_at,
        expires_at=group.expires_at,
        body=encode(group),
    )
