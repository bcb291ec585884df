"""Prices, the liquidity of the pool, and tokens of one's own."""

from types import MappingProxyType
from typing import Final

import msgspec
from falcon.asgi import Request, Response

from countermand.inspection import price_history
from countermand.inspection.queries import limit_in, parameters, shown
from countermand.sandbox import wire
from countermand.sandbox.endpoints.asking import Endpoints, address, body_of, changes, encode, no_body, nothing, units
from countermand.sandbox.numbers import price_in, within
from countermand.sandbox.pool import Liquidity
from countermand.sandbox.reading import Body, SandboxRefused
from countermand.sandbox.sandbox import Sandbox
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.values.identity import Address, Mint
from countermand.values.quantities import BPS_ONE, BaseUnits, Bps

_SYMBOL_MAX: Final = 32
_TOKEN_PROGRAMS: Final = {"spl-token": Address(TOKEN_PROGRAM), "spl-token-2022": Address(TOKEN_2022_PROGRAM)}
"""By the names that nodes give them."""


class PricesResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox/prices": "prices",
            "/sandbox/liquidity": "liquidity",
            "/sandbox/tokens": "tokens",
        }
    )

    def __init__(self, sandbox: Sandbox, history: price_history.PriceHistory) -> None:
        super().__init__(sandbox)
        self._names = sandbox.names
        self._history = history

    async def on_get_prices(self, req: Request, resp: Response) -> None:
        asked_for = parameters(req.query_string, ("mint", "limit"))
        await no_body(req)
        if "mint" not in asked_for:
            raise SandboxRefused("mint: missing; name a token by its mint or symbol")
        token = self._names.token(asked_for["mint"], "mint")
        limit = limit_in(asked_for.get("limit", "1000"), price_history.KEPT)
        resp.data = encode(self._history.shown(token.mint, limit))

    @changes
    async def on_put_prices(self, req: Request, resp: Response) -> None:
        body = await body_of(req)
        named = self._named(body, '{"<mint or symbol>": "210.00"}')
        given = body.into(dict[str, msgspec.Raw])
        await self.sandbox.set_prices({mint: price_in(name, given[name]) for mint, name in named.items()})
        self._show(resp)

    async def on_get_liquidity(self, req: Request, resp: Response) -> None:
        await nothing(req)
        liquidity = self.sandbox.liquidity()
        resp.data = encode({mint: _liquidity_wire(each) for mint, each in liquidity.items()})

    @changes
    async def on_put_liquidity(self, req: Request, resp: Response) -> None:
        body = await body_of(req)
        named = self._named(body, '{"<input mint or symbol>": {"maxInput": "1000000000", "impactBps": 25}}')
        given = body.into(dict[str, wire.LiquidityRequest])
        await self.sandbox.set_liquidity({mint: _liquidity(name, given[name]) for mint, name in named.items()})
        self._show(resp)

    @changes
    async def on_post_tokens(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.TokenRequest)
        symbol, decimals = _symbol(body.symbol), within("decimals", body.decimals, 0, 18)
        mint = None if body.mint is None else self._new_mint(body.mint)
        program = _TOKEN_PROGRAMS[body.program]
        await self.sandbox.add_token(symbol, decimals, price_in("price", body.price), mint, program)
        self._show(resp)

    def _named(self, body: Body, form: str) -> dict[Mint, str]:
        """The tokens that the fields of the body name. A body without any would change nothing, and say that it did."""
        if not body.fields:
            raise SandboxRefused(f"body: names no token; send {form}")
        return self._names.each(body.fields, form)

    def _new_mint(self, text: str) -> Address:
        if any(token.symbol == text for token, _ in self.sandbox.tokens()):
            raise SandboxRefused(f"mint: {shown(text)!r} is a token of this venue already; GET /sandbox lists them")
        return address("mint", text)


def _liquidity(name: str, given: wire.LiquidityRequest) -> Liquidity:
    if isinstance(given.max_input, msgspec.UnsetType) and isinstance(given.impact_bps, msgspec.UnsetType):
        raise SandboxRefused(f"{name}: send maxInput, impactBps, or both")
    impact = 0 if isinstance(given.impact_bps, msgspec.UnsetType) else given.impact_bps
    most = None
    if isinstance(given.max_input, str | int):
        most = BaseUnits(units(f"{name}.maxInput", msgspec.Raw(encode(given.max_input))))
    return Liquidity(Bps(within(f"{name}.impactBps", impact, 0, BPS_ONE)), most)


def _liquidity_wire(liquidity: Liquidity) -> wire.LiquidityWire:
    most = liquidity.max_input
    return wire.LiquidityWire(None if most is None else str(most.units), liquidity.impact.bps)


def _symbol(text: str) -> str:
    if not 1 <= len(text) <= _SYMBOL_MAX or not text.isprintable() or text != text.strip():
        raise SandboxRefused(f"symbol: {shown(text)!r} is none; send 1 to {_SYMBOL_MAX} printable characters")
    return text
