"""`/admin/prices`: an operator says what tokens cost, until a feed does."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

import msgspec
from falcon.asgi import Request

from countermand.admin.authenticator import AdminAuthenticator
from countermand.admin.envelope import RESPONDER, decline_any_query, error
from countermand.answering import Answer, Declined, encode
from countermand.api_keys import Scope
from countermand.json_flaws import DECODING_ERRORS
from countermand.json_numbers import usd_of
from countermand.services.tokens import TokenRegistry
from countermand.strict_json import duplicate_key
from countermand.values.identity import Mint
from countermand.values.quantities import USD_SCALE, Inexact, UsdPrice, decimal_text

_EXAMPLE: Final = '{"SOL": "151.25"}'


class PricesAnswer(msgspec.Struct):
    """US dollars by mint, as decimals; null: none was set."""

    prices: dict[str, str | None]


class AdminPricesResource(msgspec.Struct, frozen=True):
    """`observe` stores the prices in one commit, and judges the orders by them."""

    authenticator: AdminAuthenticator
    tokens: TokenRegistry
    price_of: Callable[[Mint], UsdPrice | None]
    observe: Callable[[Mapping[Mint, UsdPrice]], Awaitable[None]]

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        await self.authenticator.require(req, Scope.ADMIN)
        decline_any_query(req)
        return self._shown()

    @RESPONDER.answers_body
    async def on_put(self, req: Request, body: bytes) -> Answer:
        """All of them, or, if one is refused, none."""
        await self.authenticator.require(req, Scope.ADMIN)
        decline_any_query(req)
        await self.observe(self._read(body))
        return self._shown()

    def _read(self, body: bytes) -> dict[Mint, UsdPrice]:
        if not body.strip():
            raise Declined(error(400, "invalid_request", f"The body is empty; send prices like {_EXAMPLE}"))
        twice = duplicate_key(body)
        if twice is not None:
            raise Declined(_invalid({twice: "stands twice in the body"}))
        try:
            given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except DECODING_ERRORS as problem:
            raise Declined(error(400, "invalid_request", f"The body is not like {_EXAMPLE}: {problem}")) from None
        prices: dict[Mint, UsdPrice] = {}
        flaws: dict[str, str] = {}
        for name, raw in given.items():
            try:
                mint = self.tokens.named(name).mint
                if mint in prices:
                    raise ValueError("names a token that another field names, too")
                prices[mint] = _price(raw)
            except ValueError as flaw:
                flaws[name] = str(flaw)
        if flaws:
            raise Declined(_invalid(flaws))
        if not prices:
            raise Declined(error(400, "invalid_request", f"The body names no price; send one like {_EXAMPLE}"))
        return prices

    def _shown(self) -> Answer:
        prices = {token.mint: self.price_of(token.mint) for token in self.tokens.all()}
        shown = {
            mint: None if price is None else decimal_text(price.picodollars, USD_SCALE)
            for mint, price in prices.items()
        }
        return Answer(encode(PricesAnswer({str(mint): text for mint, text in shown.items()})))


def _invalid(flaws: dict[str, str]) -> Answer:
    return error(400, "invalid_request", "No price was changed", flaws)


def _price(raw: msgspec.Raw) -> UsdPrice:
    """Raises `ValueError` with the reason."""
    text, number = usd_of(raw)
    if isinstance(number, Inexact):
        raise ValueError(f'{text[:60]!r} {number.value}; send US dollars as a decimal, such as "151.25"')
    if not number:
        raise ValueError("a price must be more than nothing")
    return UsdPrice(number)


def resources(prices: AdminPricesResource) -> Iterator[tuple[str, object]]:
    """What to mount, by path."""
    yield "/admin/prices", prices
