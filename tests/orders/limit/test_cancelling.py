"""Which orders a cancel means, and how they are batched."""

from collections.abc import Callable, Sequence

import pytest

from countermand.orders.limit.model.cancelling import batches, chosen
from countermand.orders.limit.model.order import OpenLimitOrder
from countermand.orders.limit.model.worth import too_little
from countermand.values.identity import Address, Mint, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice


def order(address: str, created_at_s: int = 0) -> OpenLimitOrder:
    somewhere = Address("")
    return OpenLimitOrder(
        address=Address(address),
        maker=Wallet(""),
        input_mint=Mint(""),
        output_mint=Mint(""),
        input_program=somewhere,
        output_program=somewhere,
        reserve=somewhere,
        unique_id=0,
        original_making=NOTHING,
        original_taking=NOTHING,
        making=NOTHING,
        taking=NOTHING,
        borrowed=NOTHING,
        expires_at_s=None,
        fee_bps=0,
        fee_account=somewhere,
        created_at_s=created_at_s,
        updated_at_s=0,
        bump=0,
    )


def names(orders: Sequence[OpenLimitOrder]) -> str:
    return "".join(each.address for each in orders)


def test_those_that_are_named_in_their_order_each_once() -> None:
    open_orders = [order(name) for name in "abc"]
    assert names(chosen(open_orders, [Address(name) for name in "cxacbb"])) == "cab"
    assert chosen(open_orders, [Address("x")]) == chosen(open_orders, []) == []


def test_all_by_creation_and_address() -> None:
    assert names(chosen([order("d", 1), order("c", 2), order("b", 1), order("a", 3)], None)) == "bdca"


@pytest.mark.parametrize(
    ("fits", "cut"),
    [
        (lambda _: True, ["abcde", "fghij", "k"]),
        (lambda batch: len(batch) <= 3, ["abc", "de", "fgh", "ij", "k"]),
        (lambda batch: "c" not in names(batch), ["ab", "c", "de", "fghij", "k"]),
        (lambda _: False, list("abcdefghijk")),
    ],
)
def test_fives_are_split_where_they_do_not_fit(
    fits: Callable[[Sequence[OpenLimitOrder]], bool], cut: list[str]
) -> None:
    assert [names(batch) for batch in batches([order(name) for name in "abcdefghijk"], fits)] == cut


@pytest.mark.parametrize(
    ("units", "decimals", "picodollars", "worth"),
    [
        (5_000_000, 6, 10**12, None),
        (4_999_999, 6, 10**12, "4.999999"),
        (1, 9, 1, "0.000000000000000000001"),
        (5, 0, 10**12, None),
        (33_333_333, 9, 150 * 10**12, "4.99999995"),
    ],
)
def test_the_least_worth(units: int, decimals: int, picodollars: int, worth: str | None) -> None:
    assert too_little(BaseUnits(units), decimals, UsdPrice(picodollars)) == worth
