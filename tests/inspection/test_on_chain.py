"""What an order on the chain waits for, in words."""

import pytest

from countermand.inspection.on_chain import ChainOrders, Keepers, Pausing
from countermand.orders.chain.inspection import ChainOrder
from countermand.orders.chain.model.order import ChainFamily, ChainOrderState
from countermand.services.tokens import JUP, USDC, TokenRegistry
from countermand.values.identity import Address
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from tests.orders.recurring.stage import an_order
from tests.sandbox.test_keeper_orders import limit

NOW = Instant(1_700_000_000_000)


def waits_for(keepers: Keepers) -> str:
    terms = limit(1_000, 1_000, input_mint=USDC.mint, output_mint=JUP.mint)
    order = ChainOrder(ChainFamily.LIMIT, Address("order"), ChainOrderState.OPEN, "maker", USDC.mint, JUP.mint, terms)
    told: str = ChainOrders(TokenRegistry(), lambda _: None, lambda: NOW, keepers).shown(order)["waitsFor"]
    return told


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("fill", "its last fill failed"),
        ("cycle", "its last cycle failed"),
        ("refund", "its last refund failed"),
        ("dust", "its last return of dust failed"),
        ("end", "its last close failed"),
    ],
)
def test_what_failed_has_its_name(kind: str, words: str) -> None:
    keepers = Keepers(None, lambda _: Pausing(Instant(NOW + 2_000), kind, "no"))
    assert waits_for(keepers) == f"{words} (no); next try in 2 s of the venue's clock"


def test_an_obstacle_is_told_and_after_what_every_order_lacks() -> None:
    assert waits_for(Keepers(None, obstacle_to=lambda _: "the pool is dry")).endswith("; the pool is dry")
    assert waits_for(Keepers("no keeper", obstacle_to=lambda _: "the pool is dry")).endswith("; no keeper")


def test_a_last_smaller_cycle_waits_for_its_share_of_the_bounds() -> None:
    def told(**changes: int) -> str:
        terms = an_order("user", input_mint=USDC.mint, output_mint=JUP.mint, next_cycle_at=NOW // 1000, **changes)
        order = ChainOrder(
            ChainFamily.RECURRING, Address("order"), ChainOrderState.OPEN, "user", USDC.mint, JUP.mint, terms
        )
        shown: str = ChainOrders(TokenRegistry(), lambda _: None, lambda: NOW, Keepers(None)).shown(order)["waitsFor"]
        return shown

    whole = {"in_amount_per_cycle": 100, "next_cycle_amount_left": 100, "min_out": 4_000_000, "max_out": 8_000_000}
    assert told(in_deposited=150, **whole) == "its next cycle is due, for ≥ 4 JUP and ≤ 8 JUP"
    assert told(in_deposited=150, in_used=100, **whole) == "its next cycle is due, for ≥ 2 JUP and ≤ 4 JUP"


def test_a_cycle_outside_its_bounds_is_told_with_what_it_is_worth() -> None:
    terms = an_order(
        "user",
        input_mint=USDC.mint,
        output_mint=JUP.mint,
        next_cycle_at=NOW // 1000,
        in_deposited=300_000_000,
        in_amount_per_cycle=100_000_000,
        next_cycle_amount_left=100_000_000,
        min_out=250_000_000,
        max_out=400_000_000,
    )
    order = ChainOrder(
        ChainFamily.RECURRING, Address("order"), ChainOrderState.OPEN, "user", USDC.mint, JUP.mint, terms
    )
    prices = {USDC.mint: UsdPrice(10**12), JUP.mint: UsdPrice(5 * 10**11)}
    shown = ChainOrders(TokenRegistry(), prices.get, lambda: NOW, Keepers(None)).shown(order)
    assert shown["waitsFor"] == (
        "its next cycle is due, for ≥ 250 JUP and ≤ 400 JUP, and is worth 200 JUP before the fee"
    )
    bounds = {"minOutAmount": "250000000", "maxOutAmount": "400000000"}
    assert shown["waiting"] == {"for": "keeper", "keeper": None, "until": NOW, **bounds, "worth": "200000000"}
