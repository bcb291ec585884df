"""The vaults of wallets, and the prices that orders were judged by."""

from collections.abc import Iterable, Mapping
from typing import Final

from countermand.audit.findings import Audit
from countermand.audit.held import HeldAccount
from countermand.audit.reading import is_bucket_of, is_instant, is_key
from countermand.audit.venue import VenueIdentity
from countermand.sandbox.prices import DEFAULT_PRICES
from countermand.services.tokens import Token
from countermand.store.snapshot import Snapshot
from countermand.values.identity import Mint
from countermand.values.quantities import USD_PRICE_MAX

_VAULTS: Final = "SELECT wallet, bucket, registered_at FROM vaults ORDER BY wallet"
_PRICES: Final = "SELECT mint, picodollars::text FROM prices ORDER BY mint"


async def check_vaults(snapshot: Snapshot, accounts: Iterable[HeldAccount], found: Audit) -> None:
    """A wallet with an order has a vault. An order whose deposit failed may be older than the last reset."""
    missing = {str(account.wallet): None for account in accounts if not account.never_funded}
    async for wallet, bucket, registered_at in snapshot.rows(_VAULTS):
        missing.pop(wallet, None)
        if not is_key(wallet):
            found.differs("vaults", wallet, "it is no wallet")
        elif not is_bucket_of(bucket, wallet):
            found.differs("vaults", wallet, f"bucket {bucket} is not that of its wallet")
        if not is_instant(registered_at):
            found.differs("vaults", wallet, f"{registered_at} is no instant")
    for wallet in missing:
        found.differs("vaults", wallet, "this wallet has orders, but no vault")


async def check_prices(
    snapshot: Snapshot, judged: Iterable[Mint], tokens: Mapping[str, Token], identity: VenueIdentity, found: Audit
) -> None:
    """`judged`: the mints by whose prices an order was judged.

    A sandbox gives its first tokens a price before it serves, and says that it begins until it has. Only a sandbox that
    became a venue forgets prices.
    """
    priced: set[str] = set()
    for mint, price in await snapshot.fetch(_PRICES):
        priced.add(mint)
        if mint not in tokens:
            found.differs("prices", mint, "it is no token of this venue")
            if is_key(mint):
                found.differs("sandbox_tokens", mint, "it has a price, but is no token of this venue")
        if not (price.isdecimal() and 0 < int(price) <= USD_PRICE_MAX):
            found.differs("prices", mint, f"{price} is no price")
    first = DEFAULT_PRICES if identity.priced else {}
    for mint in first if identity.began_as_sandbox else (*judged, *first):
        if mint not in priced:
            found.differs("prices", mint, "this token must have a price, but has none")
