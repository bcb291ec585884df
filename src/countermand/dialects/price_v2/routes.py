"""`GET /price/v2`: what each token costs now, as older bots ask it."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from falcon.asgi import Request
from msgspec import UNSET

from countermand.answering import Answer, Declined, encode
from countermand.dialects.price_v2.wire import (
    Depth,
    ExtraInfo,
    ImpactRatio,
    LastSwappedPrice,
    PriceAnswer,
    PricesAnswer,
    PricesParams,
    QuotedPrice,
)
from countermand.error_answers import RESPONDER, error
from countermand.json_flaws import flaw_of
from countermand.json_numbers import converted
from countermand.values.identity import Mint
from countermand.values.quantities import USD_SCALE, UsdPrice, decimal_text
from countermand.values.tokens import Tokens

PATH: Final = "/price/v2"
IDS_MAX: Final = 100
_SEPARATOR: Final = ","
_DEPTHS: Final = ("10", "100", "1000")
_DERIVED: Final = "derivedPrice"
_BUY: Final = "buyPrice"
"""What the original calls a price in another token."""


class PricesResource(msgspec.Struct, frozen=True):
    tokens: Tokens
    price_of: Callable[[Mint], UsdPrice | None]
    now_s: Callable[[], int]

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        try:
            asked = converted(req.params, PricesParams)
        except msgspec.ValidationError as wrong:
            flaw = flaw_of(wrong)
            why = f"{flaw.path}: {flaw}" if flaw.path else str(flaw)
            return error(400, f"invalid query: {why}")
        if not asked.ids:
            return error(400, "invalid query: ids is empty: mints, joined by commas")
        if asked.ids.count(_SEPARATOR) >= IDS_MAX:
            return error(400, f"ids: at most {IDS_MAX} mints")
        extra, vs_token = asked.show_extra_info in ("true", "True"), asked.vs_token or None
        if extra and vs_token is not None:
            return error(400, "showExtraInfo cannot be used with vsToken")
        return Answer(encode(PricesAnswer(data=dict(self._prices(asked.ids.split(_SEPARATOR), vs_token, extra)))))

    def _prices(self, mints: list[str], vs_token: str | None, extra: bool) -> Iterator[tuple[str, PriceAnswer | None]]:
        unit = None if vs_token is None else self._known(vs_token)
        if vs_token is not None and unit is None:
            raise Declined(error(400, "vsToken: its price is not known"))
        for mint in mints:
            price = self._known(mint)
            yield mint, None if price is None else self._answer(mint, price, unit, extra)

    def _known(self, mint: str) -> UsdPrice | None:
        return None if self.tokens.get(Mint(mint)) is None else self.price_of(Mint(mint))

    def _answer(self, mint: str, price: UsdPrice, unit: UsdPrice | None, extra: bool) -> PriceAnswer:
        if unit is not None:
            ratio = price.picodollars * 10**USD_SCALE // unit.picodollars
            return PriceAnswer(id=mint, type=_BUY, price=decimal_text(ratio, USD_SCALE))
        text = decimal_text(price.picodollars, USD_SCALE)
        info = _extra_info(text, self.now_s()) if extra else UNSET
        return PriceAnswer(id=mint, type=_DERIVED, price=text, extra_info=info)


def _extra_info(price: str, now: int) -> ExtraInfo:
    ratio = ImpactRatio(depth=dict.fromkeys(_DEPTHS, 0), timestamp=now)
    return ExtraInfo(
        last_swapped_price=LastSwappedPrice(
            last_jupiter_sell_at=now,
            last_jupiter_sell_price=price,
            last_jupiter_buy_at=now,
            last_jupiter_buy_price=price,
        ),
        quoted_price=QuotedPrice(buy_price=price, buy_at=now, sell_price=price, sell_at=now),
        depth=Depth(buy_price_impact_ratio=ratio, sell_price_impact_ratio=ratio),
    )


def resources(
    tokens: Tokens, price_of: Callable[[Mint], UsdPrice | None], now_s: Callable[[], int]
) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [(PATH, PricesResource(tokens, price_of, now_s))]
