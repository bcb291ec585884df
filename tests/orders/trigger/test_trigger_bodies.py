"""An order that is read back is the order that was stored, and what orders have in common is in memory once."""

import pytest

from countermand.kernel.journal import encode
from countermand.orders.trigger.bodies import decode_group
from countermand.orders.trigger.model.events import DepositLanded, OrderPlaced
from countermand.orders.trigger.model.lifecycle import evolve, place
from countermand.orders.trigger.model.order import AT_REST, OrderGroup, State
from countermand.values.identity import Mint, Wallet
from countermand.values.quantities import BaseUnits, Bps
from countermand.values.structs import replace
from countermand.values.transactions import AttemptKind
from tests.orders.trigger.samples import ID, PLACED_AT, TXID, attempt, leg, order


@pytest.mark.parametrize("state", State)
def test_an_order_is_read_back_as_it_was_stored(state: State) -> None:
    assert decode_group(encode(order(state))) == order(state)


def test_resting_orders_share_what_is_equal_whether_they_were_placed_or_loaded() -> None:
    one, other = _placed(), _placed()
    for again in (other, decode_group(encode(one))):
        assert again is not one
        assert again.progress is one.progress is AT_REST
        assert again.terms.wallet is one.terms.wallet
        assert again.terms.trigger_mint is one.terms.trigger_mint is one.terms.input_mint
        assert again.terms.output_mint is one.terms.output_mint
        assert again.legs[0].slippage is one.legs[0].slippage


def _placed() -> OrderGroup:
    """An open order, whose texts and numbers are its own, as those of a request are."""
    terms = replace(
        order().terms,
        wallet=Wallet(_own("wallet")),
        input_mint=Mint(_own("sold and watched")),
        output_mint=Mint(_own("bought")),
        trigger_mint=Mint(_own("sold and watched")),
        deposited=BaseUnits(1_000),
    )
    event = OrderPlaced(terms, (replace(leg(), slippage=Bps(100)),), PLACED_AT, attempt(AttemptKind.DEPOSIT, 1))
    return evolve(place(ID, event, PLACED_AT), DepositLanded(TXID), PLACED_AT)


def _own(text: str) -> str:
    return text.encode().decode()
