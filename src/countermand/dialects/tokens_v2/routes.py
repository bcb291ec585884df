"""`GET /tokens/v2/search` and `/tag`: the tokens of the venue. Bots ask them for decimals and token programs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec
from falcon.asgi import Request
from msgspec import Raw

from countermand.answering import Answer, Declined, encode
from countermand.dialects.tokens_v2.wire import (
    SearchParams,
    TagParams,
    TokenAnswer,
)
from countermand.error_answers import RESPONDER, error
from countermand.json_flaws import MissingField, flaw_of
from countermand.json_numbers import converted
from countermand.values.identity import Mint
from countermand.values.quantities import USD_SCALE, UsdPrice, decimal_text
from countermand.values.tokens import Token

ROOT: Final = "/tokens/v2"
MINTS_MAX: Final = 100
FOUND_MAX: Final = 20
_SEPARATOR: Final = ","
_VERIFIED: Final = "verified"
_NAMES: Final = MappingProxyType(
    {
        "So11111111111111111111111111111111111111112": "Wrapped SOL",
        "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": "USD Coin",
        "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN": "Jupiter",
    }
)
"""Of tokens that every venue knows, by mint: a symbol can be another token's. The others are named by their symbol."""

_Shape = TypeVar("_Shape", bound=msgspec.Struct)


class TokensV2Context(msgspec.Struct, frozen=True):
    """`slot`: the newest. `since_ms`: how long the tokens have existed here. `liquidity_usd`: in whole dollars."""

    tokens: Callable[[], Sequence[Token]]
    price_of: Callable[[Mint], UsdPrice | None]
    slot: Callable[[], int | None]
    now_ms: Callable[[], int]
    since_ms: int
    liquidity_usd: int

    def answer(self, tokens: Iterable[Token]) -> Answer:
        return Answer(encode([self._described(token) for token in tokens]))

    def _described(self, token: Token) -> TokenAnswer:
        price = self.price_of(token.mint)
        return TokenAnswer(
            id=token.mint,
            name=_name_of(token),
            symbol=token.symbol,
            decimals=token.decimals,
            token_program=token.program,
            created_at=_iso(self.since_ms),
            usd_price=None if price is None else Raw(decimal_text(price.picodollars, USD_SCALE).encode()),
            price_block_id=None if price is None else self.slot(),
            liquidity=self.liquidity_usd,
            updated_at=_iso(self.now_ms()),
        )


class SearchResource:
    def __init__(self, context: TokensV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        query = _read(req, SearchParams).query
        if not query:
            return error(400, "query: required")
        if query.count(_SEPARATOR) >= MINTS_MAX:
            return error(400, f"query: at most {MINTS_MAX} mints")
        return self._context.answer(_found(query, self._context.tokens()))


class TagResource:
    def __init__(self, context: TokensV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        """All tokens here are verified, and none is staked."""
        tag = _read(req, TagParams).query
        return self._context.answer(self._context.tokens() if tag == _VERIFIED else ())


def _read(req: Request, shape: type[_Shape]) -> _Shape:
    try:
        return converted(req.params, shape)
    except msgspec.ValidationError as wrong:
        flaw = flaw_of(wrong)
        words = "required" if isinstance(flaw, MissingField) else str(flaw)
        raise Declined(error(400, f"query: {words}")) from None


def _found(query: str, tokens: Sequence[Token]) -> Sequence[Token]:
    """Mints in the order in which they are named; else by symbol or name, the whole word before a part of it."""
    by_mint = {token.mint: token for token in tokens}
    named = [by_mint[Mint(mint)] for mint in dict.fromkeys(query.split(_SEPARATOR)) if mint in by_mint]
    if named:
        return named
    wanted = query.lower()
    whole = [token for token in tokens if wanted in (token.symbol.lower(), _name_of(token).lower())]
    part = [
        token
        for token in tokens
        if token not in whole and (wanted in token.symbol.lower() or wanted in _name_of(token).lower())
    ]
    return [*whole, *part][:FOUND_MAX]


def _name_of(token: Token) -> str:
    return _NAMES.get(token.mint, token.symbol)


def resources(context: TokensV2Context) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [(f"{ROOT}/search", SearchResource(context)), (f"{ROOT}/tag", TagResource(context))]


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
