"""Trigger v2: orders by price, whose funds wait in a vault of the wallet."""

from typing import Any, Final, Literal

from countermand.client import vaults
from countermand.client.effects import Flow
from countermand.client.errors import BadAnswer, OutcomeUnknown
from countermand.client.histories import History
from countermand.client.numbers import Number, Time, decimal, milliseconds, whole, without_none
from countermand.client.operations import Api, Pages, R, at_once, listing, operation
from countermand.client.orders import PriceOrder, kind_of
from countermand.client.session import Session
from countermand.client.shapes.trigger import IdAnswer, Order, OrdersAnswer
from countermand.client.vaults import Cancelling, Deposit, Owed, Placed, Withdrawn

_ORDERS: Final = "/orders/price"
_HISTORY: Final = History("/orders/history", Order, OrdersAnswer, lambda order: order.order_state == "cancelled")

State = Literal["active", "past"]


class Trigger(Api[R]):
    """`client.trigger`. Every method signs in by itself when it must; each may be called again."""

    @operation
    def sign_in(self, by: Literal["message", "transaction"] = "message") -> Flow[None]:
        """Sign in with the wallet, by a text or by a transaction that is never sent.

        Not needed: the first method that wants a token does it, and a token that ended is replaced. Repeating is safe.
        """
        return (yield from vaults.sign_in(self._session, by))

    @operation
    def vault(self) -> Flow[str]:
        """The address of the wallet's vault, which is registered if it was not. Repeating is safe."""
        self._session.vault = None  # A venue that was emptied has forgotten it.
        return (yield from vaults.vault_of(self._session))

    @operation
    def place(self, order: PriceOrder) -> Flow[Placed]:
        """Deposit and place an order: craft, check, sign, create.

        One call places one order at most. Inside, the same create is repeated until it is answered; if no answer
        comes, the order is found again by the signature of its deposit. Raises `OutcomeUnknown` when that fails too:
        do not call it again before `orders()` was looked at.
        """
        terms, kind = order.fields(), kind_of(order)
        asked = {"orderType": "price", "orderSubType": kind}
        found = _HISTORY.finder(self._session)
        return (yield from vaults.place(self._session, _ORDERS, terms, asked, found, keeps_output=kind == "otoco"))

    @operation
    def craft(self, order: PriceOrder) -> Flow[Deposit]:
        """Only the first half of `place`: a deposit for this order, checked, not signed. Repeating takes nothing."""
        terms, kind = order.fields(), kind_of(order)
        asked = {"orderType": "price", "orderSubType": kind}
        return (yield from vaults.craft(self._session, terms, asked, keeps_output=kind == "otoco"))

    @operation
    def submit(self, order: PriceOrder, deposit: Deposit) -> Flow[Placed]:
        """Only the second half of `place`: sign a deposit and create its order.

        May be called again with the same two: a deposit pays for one order at most.
        """
        found = _HISTORY.finder(self._session)
        return (yield from vaults.submit(self._session, _ORDERS, order.fields(), deposit, found))

    @operation
    def update(
        self,
        order_id: str,
        kind: Literal["single", "oco", "otoco"] = "single",
        *,
        price: Number | None = None,
        trailing_bps: int | None = None,
        slippage_bps: int | None = None,
        take_profit: Number | None = None,
        stop_loss: Number | None = None,
        tp_slippage_bps: int | None = None,
        sl_slippage_bps: int | None = None,
        expires_at: Time | None = None,
    ) -> Flow[None]:
        """Change an open order, by the fields of its kind. Repeating sets the same again, and is done if it must.

        Raises `OutcomeUnknown` if an answer was lost and the repetition is refused: changed, the order may have filled.
        """
        prices = {"triggerPriceUsd": price, "tpPriceUsd": take_profit, "slPriceUsd": stop_loss}
        numbers = {
            "trailingBps": trailing_bps,
            "slippageBps": slippage_bps,
            "tpSlippageBps": tp_slippage_bps,
            "slSlippageBps": sl_slippage_bps,
        }
        body: dict[str, Any] = {"orderType": kind}
        body |= {name: decimal(name, given) for name, given in prices.items() if given is not None}
        body |= {name: whole(name, given) for name, given in without_none(numbers).items()}
        if expires_at is not None:
            body["expiresAt"] = milliseconds("expires_at", expires_at)
        answered = yield from vaults.ask(self._session, "PATCH", f"{_ORDERS}/{order_id}", body)
        if answered.lost and not answered.ok:
            raise OutcomeUnknown(f"an answer was lost; then: {answered.refusal()}", order=order_id)
        if (amended := answered.into(IdAnswer).id) != order_id:
            raise BadAnswer(f"it answers for the order {amended}, not for {order_id}")

    @operation
    def cancel(self, order_id: str) -> Flow[Cancelling]:
        """Step one of a cancel: from the answer on nothing of the order trades. Repeating gives a fresh withdrawal.

        The withdrawal is checked: all of it comes from the vault and goes to the wallet. Raises `Refused` also where
        the order was stopped and its withdrawal could not be built, as the words say: call it again.
        """
        return (yield from _cancel(self._session, order_id))

    @operation
    def confirm(self, cancelling: Cancelling) -> Flow[Withdrawn]:
        """Step two: sign the withdrawal and bring the funds back. Repeating gives the same answer.

        Raises `Refused` where the withdrawal can land no more: `cancel` again, or call `withdraw`, which does both.
        Raises `OutcomeUnknown` where it did not land in time, and may land yet: call it again with the same.
        """
        return (yield from vaults.confirm(self._session, _ORDERS, cancelling))

    @operation
    def withdraw(self, order_id: str) -> Flow[Withdrawn]:
        """Both steps of a cancel, also of an expired order. Repeating is safe: an order that is cancelled says by what.

        It waits out a fill that is under way, asks for another withdrawal when one expired or was forgotten, and
        finds the transaction in the history when the last answer was lost. Raises `Refused` if the order was filled.
        """
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
    def order(self, order_id: str) -> Flow[Order]:
        """An order with its events, the newest first. A read."""
        return (yield from _HISTORY.order(self._session, order_id))

    @listing
    def orders(
        self,
        state: State | None = None,
        mint: str | None = None,
        sort: Literal["updated_at", "created_at", "expires_at"] = "created_at",
    ) -> Pages[Order]:
        """Iterate over the wallet's orders, the newest first: all, or the `active`, or the `past` ones. A read.

        An `expired` order is past, and its funds are still in the vault.
        """
        query = {"state": state, "mint": mint, "sort": sort, "dir": "desc"}
        pages = _HISTORY.pages(self._session, without_none(query))
        return at_once(pages) if state == "active" else pages


def _cancel(session: Session, order_id: str) -> Flow[Cancelling]:
    def owed() -> Flow[Owed]:
        row = yield from _HISTORY.order(session, order_id)
        mints = (row.input_mint, row.output_mint) if row.order_type == "otoco" else (row.input_mint,)
        return Owed(mints, row.remaining_input_amount)

    return (yield from vaults.cancel(session, _ORDERS, order_id, owed))
