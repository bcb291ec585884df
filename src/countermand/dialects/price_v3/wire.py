"""The shapes of Price v3 on the wire."""

from typing import Annotated

from msgspec import Meta, Raw, Struct, field


class PricesParams(Struct, frozen=True):
    """`ids`: mints, joined by commas."""

    ids: str


class PriceAnswer(Struct, frozen=True, rename="camel"):
    """One token. `usd_price` is an exact number; a change within a day is not known to a scripted price."""

    created_at: str
    liquidity: int
    usd_price: Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
    block_id: int | None
    decimals: int
    price_change: int | None = field(default=None, name="priceChange24h")
