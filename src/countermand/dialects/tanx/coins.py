"""The currencies as StarkEx counts them, and what tanX publishes about them and its markets."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from countermand.dialects.tanx.render import amount, decimal
from countermand.orders.book.model.ledger.amount import Amount, Currency
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.model.quantities import RATE_SCALE


class Coin(Struct, frozen=True, kw_only=True):
    """`asset_id` follows from the contract and the quantum: StarkEx derives it by Keccak-256."""

    name: str
    asset_id: int
    contract: str
    """On Ethereum; empty for ether itself."""
    quantum_decimals: int
    """A unit is 10^so many quanta, which is what is signed."""
    decimals: int
    blockchain_decimals: int
    trade_decimals: int


COINS: Final[Mapping[Currency, Coin]] = MappingProxyType(
    {
        Currency("btc"): Coin(
            name="Bitcoin",
            asset_id=0x1B407C57BF21E449DAEF1D99295B34196C52ECA0A60172DAEC6F13ABB191C44,
            contract="0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599",
            quantum_decimals=8,
            decimals=8,
            blockchain_decimals=8,
            trade_decimals=4,
        ),
        Currency("eth"): Coin(
            name="Ethereum",
            asset_id=0x2705737CD248AC819034B5DE474C8F0368224F72A0FDA9E031499D519992D9E,
            contract="",
            quantum_decimals=10,
            decimals=8,
            blockchain_decimals=18,
            trade_decimals=4,
        ),
        Currency("usdc"): Coin(
            name="USDC",
            asset_id=0x2893294412A4C8F915F75892B395EBBF6859EC246EC365C3B1F56F47C3A0A5D,
            contract="0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            quantum_decimals=6,
            decimals=6,
            blockchain_decimals=6,
            trade_decimals=2,
        ),
        Currency("usdt"): Coin(
            name="Tether",
            asset_id=0x2CE625E94458D39DD0BF3B45A843544DD4A14B8169045A3A3D15AA564B936C5,
            contract="0xdAC17F958D2ee523a2206206994597C13D831ec7",
            quantum_decimals=6,
            decimals=6,
            blockchain_decimals=6,
            trade_decimals=2,
        ),
    }
)
assert {currency for market in MARKETS for currency in (market.base, market.quote)} == set(COINS), "each has its coin"


def coin_stats(markets: Iterable[Market]) -> dict[str, Any]:
    """By name, as clients expect it; they look for the symbol. Deposits and withdrawals cannot be made here yet."""
    every = tuple(markets)
    return {coin.name.lower(): _stats(currency, coin, every) for currency, coin in COINS.items()}


def _stats(currency: Currency, coin: Coin, markets: tuple[Market, ...]) -> dict[str, Any]:
    least, most = _bounds(currency, markets)
    return {
        "name": coin.name,
        "symbol": currency,
        "type": "crypto",
        "fee": "0",
        "quanitization": str(coin.quantum_decimals),
        "stark_asset_id": hex(coin.asset_id),
        "token_contract": coin.contract,
        "decimal": str(coin.decimals),
        "trade_decimal": str(coin.trade_decimals),
        "blockchain_decimal": str(coin.blockchain_decimals),
        "trade_fee": "0.00",
        "minimum_order": amount(least),
        "maximum_order": amount(most),
        "minimum_deposit": "0",
        "minimum_withdraw": "0",
        "starkex_deposits_enabled": False,
        "fast_withdrawals_enabled": False,
        "fast_withdrawal_fee": "0",
        "max_fast_withdrawal_for_platform_per_day": "0",
        "max_fast_withdrawal_for_user_per_day": "0",
        "min_fast_withdrawal": "0",
        "frontend_visibility": True,
    }


def _bounds(currency: Currency, markets: tuple[Market, ...]) -> tuple[Amount, Amount]:
    """How much of it an order can be about: as a volume, or as a cost if no market trades it for another."""
    bases = [market for market in markets if market.base == currency]
    if bases:
        return (
            min(market.volume(market.volume_min) for market in bases),
            max(market.volume(market.volume_max) for market in bases),
        )
    quotes = [market for market in markets if market.quote == currency]
    return (
        min(market.cost(market.price_min, market.volume_min) for market in quotes),
        max(market.cost(market.price_max, market.volume_max) for market in quotes),
    )


def networks() -> dict[str, Any]:
    """Clients look for ETHEREUM. Nothing can be deposited or withdrawn yet."""
    allowed = ("deposit", "deposit_frontend", "fast_wd", "fast_wd_frontend")
    return {"ETHEREUM": {"deposit_contract": "", "tokens": {}} | {f"allowed_tokens_for_{what}": [] for what in allowed}}


def market_list(markets: Iterable[Market]) -> list[dict[str, Any]]:
    """What tanX documents nowhere: which markets there are, in the words of the exchange that it is built on."""
    return [
        {
            "id": market.symbol,
            "symbol": market.symbol,
            "name": f"{market.base}/{market.quote}".upper(),
            "type": "spot",
            "base_unit": market.base,
            "quote_unit": market.quote,
            "min_price": decimal(market.price_min.ticks, market.price_decimals),
            "max_price": decimal(market.price_max.ticks, market.price_decimals),
            "min_amount": decimal(market.volume_min.lots, market.volume_decimals),
            "max_amount": decimal(market.volume_max.lots, market.volume_decimals),
            "amount_precision": market.volume_decimals,
            "price_precision": market.price_decimals,
            "maker_fee": decimal(market.maker_fee.millionths, RATE_SCALE),
            "taker_fee": decimal(market.taker_fee.millionths, RATE_SCALE),
            "state": "enabled",
        }
        for market in markets
    ]
