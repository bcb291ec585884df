"""Trigger v2's recurring orders, whose funds wait in a vault of the wallet, too."""

from collections.abc import Mapping
from typing import Final, Literal

from countermand.client import vaults
from countermand.client.effects import Flow
from countermand.client.errors import BadAnswer, Refused
from countermand.client.numbers import without_none
from countermand.client.operations import Api, Page, Pages, R, listing, operation
from countermand.client.orders import Recurring
from countermand.client.session import Session
from countermand.client.shapes.trigger import DcaOrder, DcaOrdersAnswer
from countermand.client.vaults import Cancelling, Owed, Placed, Withdrawn

_ORDERS: Final = "/orders/dca"
_HISTORY: Final = "/orders/history/dca"
_KIND: Final = {"orderType": "dca"}
_ROWS: Final = 100


class Dca(Api[R]):
    """`client.dca`. Every method signs in by itself when it must; each may be called again."""

    @operation
    def place(self, order: Recurring) -> Flow[Placed]:
        """Deposit and place a recurring order.

        One call places one order at most, as `client.trigger.place` does. Raises `OutcomeUnknown`: do not call it
        again before `orders()` was looked at.
        """
        return (yield from vaults.place(self._session, _ORDERS, order.fields(), _KIND, _finder(self._session)))

    @operation
    def cancel(self, order_id: str) -> Flow[Cancelling]:
        """Step one: from the answer on no round begins. Repeating gives a fresh withdrawal, which is checked."""
        return (yield from _cancel(self._session, order_id))

    @operation
    def confirm(self, cancelling: Cancelling) -> Flow[Withdrawn]:
        """Step two: sign the withdrawal and bring the funds back. Repeating gives the same answer."""
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
                lambda: _withdrawn(session, order_id),
            )
        )

    @operation
    def order(self, order_id: str) -> Flow[DcaOrder]:
        """An order with its events, the newest first. A read."""
        return (yield from _order(self._session, order_id))

    @listing
    def orders(self, state: Literal["active", "past"] | None = None, mint: str | None = None) -> Pages[DcaOrder]:
        """Iterate over the wallet's recurring orders, the newest first. A read."""
        return _pages(self._session, without_none({"state": state, "mint": mint, "sort": "created_at", "dir": "desc"}))


def _order(session: Session, order_id: str) -> Flow[DcaOrder]:
    row = (yield from vaults.ask(session, "GET", f"{_HISTORY}/{order_id}")).into(DcaOrder)
    if row.id != order_id:
        raise BadAnswer(f"it answers for the order {row.id}, not for {order_id}")
    return row


def _cancel(session: Session, order_id: str) -> Flow[Cancelling]:
    def owed() -> Flow[Owed]:
        row = yield from _order(session, order_id)
        return Owed((row.input_mint,), row.input_amount_remaining)

    return (yield from vaults.cancel(session, _ORDERS, order_id, owed))


def _withdrawn(session: Session, order_id: str) -> Flow[Withdrawn | None]:
    try:
        row = yield from _order(session, order_id)
    except Refused:
        return None
    return vaults.withdrawal_in(row.events, order_id) if row.state == "cancelled" else None


def _pages(session: Session, query: Mapping[str, str]) -> Pages[DcaOrder]:
    def page(number: int) -> Flow[Page[DcaOrder]]:
        at = {"limit": str(_ROWS), "offset": str(number * _ROWS)}
        answer = (yield from vaults.ask(session, "GET", _HISTORY, query={**query, **at})).into(DcaOrdersAnswer)
        return [(row.id, row) for row in answer.orders], (number + 1) * _ROWS < answer.pagination.total

    return page


def _finder(session: Session) -> vaults.Found:
    def found(signature: str) -> Flow[str | None]:
        for state in ("active", "past"):
            rows, _ = yield from _pages(session, {"state": state, "sort": "created_at", "dir": "desc"})(0)
            for _, row in rows:
                if vaults.has_deposit(row.events, signature):
                    return row.id
        return None

    return found
