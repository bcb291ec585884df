"""The operations of a sandbox only, on tanX: credits, keys without a login, an operator's cancel."""

from collections.abc import Callable

from msgspec import Struct

from countermand.dialects.tanx.refusals import words_of
from countermand.orders.book.members import Members, StarkKeys
from countermand.orders.book.model.ledger.amount import Account, Amount, Currency
from countermand.orders.book.model.order import OrderId
from countermand.orders.book.model.refusals import BookRefusal, BookRefused
from countermand.orders.book.service import BookService
from countermand.sandbox.reading import OrderNotHere, SandboxRefused
from countermand.values.instant import Instant


class TanxSandbox(Struct, frozen=True):
    service: BookService
    members: Members
    stark_keys: StarkKeys
    now: Callable[[], Instant]
    """The venue's clock."""

    async def credit(self, account: Account, currency: str, amount: Amount) -> None:
        known = dict.fromkeys(each for market in self.service.markets.values() for each in (market.base, market.quote))
        if currency not in known:
            raise SandboxRefused(f"currency: {currency[:60]!r} is none of this venue's: {', '.join(known)}")
        _require(await self.service.credit(account, Currency(currency), amount))

    async def register_key(self, account: Account, key: int) -> None:
        """Takes the place of the account's key, if it has one. Who never logged in is registered by this."""
        await self.members.enrol(account, self.now())
        await self.stark_keys.register(account, key, replace=True)

    async def cancel(self, order_id: OrderId) -> None:
        """As an operator, whosever the order is."""
        outcome = await self.service.cancel_by_operator(order_id)
        if isinstance(outcome, BookRefused) and outcome.refusal is BookRefusal.ORDER_UNKNOWN:
            raise OrderNotHere(str(order_id))
        _require(outcome)


def _require(outcome: object) -> None:
    if isinstance(outcome, BookRefused):
        raise SandboxRefused(words_of(outcome.refusal))
