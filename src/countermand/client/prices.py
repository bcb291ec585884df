"""`/price/v3`: what tokens cost."""

from decimal import Decimal
from typing import Final

from msgspec import Struct, field

from countermand.client.effects import Flow
from countermand.client.exchange import exchange, request
from countermand.client.operations import Api, R, operation

_IDS_MAX: Final = 50


class Price(Struct, frozen=True, kw_only=True, rename="camel"):
    """In US dollars for one whole token, exactly as it was written."""

    usd_price: Decimal
    decimals: int
    block_id: int | None = None
    liquidity: Decimal | None = None
    price_change_24h: Decimal | None = field(default=None, name="priceChange24h")


class Prices(Api[R]):
    """`client.prices`. No wallet and no token is needed."""

    @operation
    def of(self, *mints: str) -> Flow[dict[str, Price]]:
        """The prices of these mints, 50 a request. A mint without a price is not in the answer. A read."""
        session, found = self._session, dict[str, Price]()
        headers = {} if session.api_key is None else {"x-api-key": session.api_key}
        for start in range(0, len(mints), _IDS_MAX):
            query = {"ids": ",".join(mints[start : start + _IDS_MAX])}
            answered = yield from exchange(session.policy, request("GET", "/price/v3", None, query, headers))
            found |= answered.into(dict[str, Price])
        return found
