"""The shapes of Price v2 on the wire."""

from msgspec import UNSET, Struct, UnsetType


class PricesParams(Struct, frozen=True, kw_only=True, rename="camel"):
    """`ids`: mints, joined by commas. `vs_token`: the mint of the token in which prices are told; else, or empty, in
    dollars.
    """

    ids: str
    vs_token: str | None = None
    show_extra_info: str | None = None


class QuotedPrice(Struct, frozen=True, kw_only=True, rename="camel"):
    """In seconds since the Unix epoch, and in dollars."""

    buy_price: str
    buy_at: int
    sell_price: str
    sell_at: int


class LastSwappedPrice(Struct, frozen=True, kw_only=True, rename="camel"):
    last_jupiter_sell_at: int
    last_jupiter_sell_price: str
    last_jupiter_buy_at: int
    last_jupiter_buy_price: str


class ImpactRatio(Struct, frozen=True, kw_only=True, rename="camel"):
    """By how many of the token are swapped."""

    depth: dict[str, int]
    timestamp: int


class Depth(Struct, frozen=True, kw_only=True, rename="camel"):
    buy_price_impact_ratio: ImpactRatio
    sell_price_impact_ratio: ImpactRatio


class ExtraInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """A price that is set by hand has no swaps behind it: all of it is that price, now."""

    last_swapped_price: LastSwappedPrice
    quoted_price: QuotedPrice
    confidence_level: str = "high"
    depth: Depth


class PriceAnswer(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    id: str
    type: str
    price: str
    extra_info: ExtraInfo | UnsetType = UNSET


class PricesAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    """A token without a price is null. `time_taken` is in seconds; to look prices up takes none."""

    data: dict[str, PriceAnswer | None]
    time_taken: int = 0
