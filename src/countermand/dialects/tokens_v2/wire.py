"""The shapes of Tokens v2 on the wire, fields in their documented order."""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct


class SearchParams(Struct, frozen=True, kw_only=True):
    query: Annotated[str, Meta(description="A symbol, a name, a mint, or mints joined by commas")]


class TagParams(Struct, frozen=True, kw_only=True):
    query: Literal["lst", "verified"]


class TokenAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is null is not known of a token in a sandbox. `usd_price` is an exact number."""

    id: str
    name: str
    symbol: str
    icon: None = None
    decimals: int
    twitter: None = None
    telegram: None = None
    website: None = None
    dev: None = None
    circ_supply: None = None
    total_supply: None = None
    token_program: str
    created_at: str
    launchpad: None = None
    first_pool: None = None
    holder_count: None = None
    audit: None = None
    organic_score: int = 100
    organic_score_label: str = "high"
    is_verified: bool = True
    cexes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("verified",)
    fdv: None = None
    mcap: None = None
    usd_price: Annotated[Raw, Meta(extra_json_schema={"type": "number"})] | None
    price_block_id: int | None
    liquidity: int
    stats5m: None = None
    stats1h: None = None
    stats6h: None = None
    stats24h: None = None
    updated_at: str
