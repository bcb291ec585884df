"""`GET /price/v3`: what each token costs now. Most bots ask it before anything else."""

from collections.abc import Callable
from typing import Final

import msgspec
from falcon.asgi import Request

from countermand.answering import Answer, encode
from countermand.dialects.price_v3.wire import PriceAnswer
from countermand.error_answers import RESPONDER, error
from countermand.iso_time import iso
from countermand.values.identity import Mint
from countermand.values.quantities import USD_SCALE, UsdPrice, decimal_text
from countermand.values.tokens import Tokens

PATH: Final = "/price/v3"
IDS_MAX: Final = 50
_SEPARATOR: Final = ","


class PriceResource(msgspec.Struct, frozen=True):
    """`block_id` is the newest slot; `since_ms` tells how long the tokens have existed here.

    `liquidity_usd`: how much can be swapped here, in whole US dollars.
    """

    tokens: Tokens
    price_of: Callable[[Mint], UsdPrice | None]
    block_id: Callable[[], int | None]
    since_ms: int
    liquidity_usd: int

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        ids = req.params.get("ids")
        if isinstance(ids, list):
            return error(400, "ids is given more than once: join the mints by commas")
        if not ids:
            return error(400, "ids is required: mints, joined by commas")
        if ids.count(_SEPARATOR) >= IDS_MAX:
            return error(400, f"ids: at most {IDS_MAX} mints")
        mints = dict.fromkeys(ids.split(_SEPARATOR))
        return Answer(encode({mint: answer for mint in mints if (answer := self._answer(Mint(mint))) is not None}))

    def _answer(self, mint: Mint) -> PriceAnswer | None:
        token, price = self.tokens.get(mint), self.price_of(mint)
        if token is None or price is None:
            return None
        return PriceAnswer(
            created_at=iso(self.since_ms),
            liquidity=self.liquidity_usd,
            usd_price=msgspec.Raw(decimal_text(price.picodollars, USD_SCALE).encode()),
            block_id=self.block_id(),
            decimals=token.decimals,
        )


def resources(
    tokens: Tokens,
    price_of: Callable[[Mint], UsdPrice | None],
    block_id: Callable[[], int | None],
    since_ms: int,
    liquidity_usd: int,
) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [(PATH, PriceResource(tokens, price_of, block_id, since_ms, liquidity_usd))]
