"""Trigger v2's recurring orders, whose funds wait in a vault of the wallet, too."""

from typing import Final, Literal

from countermand.client import vaults
from countermand.client.effects import Flow
from countermand.client.histories import History
from countermand.client.numbers import without_none
from countermand.client.operations import Api, Pages, R, at_once, listing, operation
from countermand.client.orders import Recurring
from countermand.client.session import Session
from countermand.client.shapes.trigger import DcaOrder, DcaOrdersAnswer
from countermand.client.vaults import Cancelling, Owed, Placed, Withdrawn

_ORDERS: Final = "/orders/dca"
_HISTORY: Final = History("/orders/history/dca", DcaOrder, DcaOrdersAnswer, lambda order: order.state == "cancelled")
_KIND: Final = {"orderType": "dca"}


class Dca(Api[R]):
    """`client.dca`. Every method signs in by itself when it must; each may be called again."""

    @operation
    def place(self, order: Recurring) -> Flow[Placed]:
        """Deposit and place a recurring order.

        One call places one order at most, as `client.trigger.place` does. Raises `OutcomeUnknown`: do not call it
        again before `orders()` was looked at.
        """
        return (yield from vaults.place(self._session, _ORDERS, order.fields(), _KIND, _HISTORY.finder(self._session)))

    @operation
    def cancel(self, order_id: str) -> Flow[Cancelling]:
        """Step one: from the answer on no round begins. Repeating gives a fresh withdrawal, which is checked."""
        return (yield from _cancel(self._session, order_id))

    @operation
    def confirm(self, cancelling: Cancelling) -> Flow[Withdrawn]:
        """Step two: sign the withdrawal and bring the funds back. Repeating gives the same answer.

        Raises `Refused` and `OutcomeUnknown` as `client.trigger.confirm` does.
        """
        return (yield from vaults.confirm(self._session, _ORDERS, cancelling))

    @operation
    def withdraw(self, order_id: str) -> Flow[Withdrawn]:
        """Both steps. Repeating is safe: an order that is cancelled says by what. It waits out a round under way."""
        session = self._session
        return (
            yield from vaults.withdraw(
                session,
                lambda: _cancel(session, order_id),
                lambda cancelling: vaults.confirm(session, _ORDERS, cancelling),
                lambda: _HISTORY.withdrawn(session, order_id),
            )
        )

    @operation
    def order(self, order_id: str) -> Flow[DcaOrder]:
        """An order with its events, the newest first. A read."""
        return (yield from _HISTORY.order(self._session, order_id))

    @listing
    def orders(self, state: Literal["active", "past"] | None = None, mint: str | None = None) -> Pages[DcaOrder]:
        """Iterate over the wallet's recurring orders, the newest first. A read."""
        query = {"state": state, "mint": mint, "sort": "created_at", "dir": "desc"}
        pages = _HISTORY.pages(self._session, without_none(query))
        return at_once(pages) if state == "active" else pages


def _cancel(session: Session, order_id: str) -> Flow[Cancelling]:
    def owed() -> Flow[Owed]:
        row = yield from _HISTORY.order(session, order_id)
        return Owed((row.input_mint,), row.input_amount_remaining)

    return (yield from vaults.cancel(session, _ORDERS, order_id, owed))
