import pytest

from countermand.sandbox.prices import DEFAULT_PRICES
from countermand.services.tokens import SOL, Token, TokenRegistry
from countermand.values.identity import Mint
from countermand.values.quantities import USD_SCALE, decimal_text


def test_what_a_sandbox_starts_with() -> None:
    tokens = TokenRegistry()
    assert [(each.symbol, each.mint, each.decimals, each.stable) for each in tokens.all()] == [
        ("SOL", "So11111111111111111111111111111111111111112", 9, False),
        ("USDC", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 6, True),
        ("USDT", "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", 6, True),
        ("JUP", "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", 6, False),
    ]
    prices = [decimal_text(DEFAULT_PRICES[each.mint].picodollars, USD_SCALE) for each in tokens.all()]
    assert prices == ["150", "1", "1", "0.5"]


def test_tokens_are_added_once() -> None:
    bonk = Token(Mint("DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"), "BONK", 5)
    tokens = TokenRegistry([bonk])
    assert tokens.get(bonk.mint) is bonk
    assert tokens.all()[-1] is bonk
    assert tokens.get(Mint("unknown")) is None
    for again in (bonk, SOL):
        with pytest.raises(ValueError, match=f"{again.mint} is known already, as {again.symbol}"):
            tokens.add(again)
