"""What an order's owner signs: the order in the quanta of StarkEx."""

from typing import Any

import pytest

from countermand.curves.stark import BOUND, LimitOrder, message_of
from countermand.dialects.tanx import signing
from countermand.orders.book.model.market import MarketSymbol
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.order import BookTerms, Kind, Nonce, Side
from countermand.orders.book.model.quantities import Lots, Ticks
from countermand.values.structs import replace
from tests.dialects.tanx.order_api import ALICE, BOB

BY_SYMBOL = {str(market.symbol): market for market in MARKETS}
ETH, USDC = (
    0x2705737CD248AC819034B5DE474C8F0368224F72A0FDA9E031499D519992D9E,
    0x2893294412A4C8F915F75892B395EBBF6859EC246EC365C3B1F56F47C3A0A5D,
)
HALF_AN_ETHER = BookTerms(ALICE, MarketSymbol("ethusdc"), Side.BUY, Kind.LIMIT, Lots(5000), Ticks(200000))


def is_signed(monkeypatch: pytest.MonkeyPatch, terms: BookTerms, nonce: int = 931) -> LimitOrder:
    """The order whose hash it is."""
    seen: list[LimitOrder] = []

    def noted(order: LimitOrder) -> int | None:
        seen.append(order)
        return message_of(order)

    with monkeypatch.context() as patch:
        patch.setattr(signing, "message_of", noted)
        shown = signing.msg_hash(terms, BY_SYMBOL[terms.market], Nonce(nonce))
    assert 0 < int(shown, 16) < BOUND
    assert shown == f"{int(shown, 16):#x}"
    return seen[-1]


def test_half_an_ether_at_two_thousand_dollars(monkeypatch: pytest.MonkeyPatch) -> None:
    """The amounts and assets of the worked example."""
    buys = is_signed(monkeypatch, HALF_AN_ETHER)
    assert (buys.token_sell, buys.amount_sell, buys.token_buy, buys.amount_buy) == (USDC, 10**9, ETH, 5 * 10**9)
    assert buys.nonce == 931
    sells = is_signed(monkeypatch, replace(HALF_AN_ETHER, side=Side.SELL), nonce=932)
    assert (sells.token_sell, sells.amount_sell, sells.token_buy, sells.amount_buy) == (ETH, 5 * 10**9, USDC, 10**9)
    assert (sells.vault_sell, sells.vault_buy, sells.nonce) == (buys.vault_buy, buys.vault_sell, 932)


def test_every_account_has_a_vault_for_each_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [is_signed(monkeypatch, replace(HALF_AN_ETHER, account=account)) for account in (ALICE, BOB)]
    vaults = [vault for order in orders for vault in (order.vault_sell, order.vault_buy)]
    assert len(set(vaults)) == 4
    assert all(0 <= vault < 2**31 for vault in vaults)


@pytest.mark.parametrize(
    ("side", "price", "quote"),
    [
        (Side.BUY, Ticks(200000), 10**9),
        (Side.BUY, None, 5 * 10**12),
        (Side.SELL, Ticks(200000), 10**9),
        (Side.SELL, None, 5 * 10**3),
        (Side.BUY, Ticks(10**31), 2**63 - 1),
        (Side.SELL, Ticks(10**31), 2**63 - 1),
    ],
)
def test_a_market_order_signs_the_worst_price_that_it_takes(
    monkeypatch: pytest.MonkeyPatch, side: Side, price: Ticks | None, quote: int
) -> None:
    order = is_signed(monkeypatch, replace(HALF_AN_ETHER, kind=Kind.MARKET, side=side, price=price))
    assert quote in (order.amount_sell, order.amount_buy)


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: str(market.symbol))
def test_the_greatest_order_of_every_market_can_be_signed(monkeypatch: pytest.MonkeyPatch, market: Any) -> None:
    terms = BookTerms(ALICE, market.symbol, Side.BUY, Kind.LIMIT, market.volume_max, market.price_max)
    order = is_signed(monkeypatch, terms, nonce=2**40)
    assert max(order.amount_sell, order.amount_buy) <= 2**63 - 1
    smallest = is_signed(monkeypatch, replace(terms, lots=market.volume_min, price=market.price_min))
    assert min(smallest.amount_sell, smallest.amount_buy) > 0


def test_an_hour_in_which_the_hash_cannot_be_signed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    hours: list[int] = []

    def signable_in_the_third(order: LimitOrder) -> int | None:
        hours.append(order.expires_hour)
        return 0x5F1 if len(hours) == 3 else None

    monkeypatch.setattr(signing, "message_of", signable_in_the_third)
    assert signing.msg_hash(HALF_AN_ETHER, BY_SYMBOL["ethusdc"], Nonce(1)) == "0x5f1"
    assert hours == [3_997_985, 3_997_986, 3_997_987]
