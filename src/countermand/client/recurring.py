"""Recurring v1: orders by time that live on the chain. Only the user's signature can do anything."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final, Literal

from countermand.client import words
from countermand.client.checks import Checked, check_dca_close, check_dca_open
from countermand.client.checks.recurring import DcaBounds, ExpectedDca
from countermand.client.effects import Flow, Pause
from countermand.client.errors import BadAnswer, ClientError, OutcomeUnknown, Refused
from countermand.client.exchange import Answered, changing_nothing, exchange, leaving_unknown, pause_after, request
from countermand.client.limit import Landed
from countermand.client.numbers import Number, decimal, units, whole, without_none
from countermand.client.operations import Api, Page, Pages, R, at_once, listing, operation
from countermand.client.session import Session
from countermand.client.shapes.limit import BuiltAnswer, ExecutedAnswer, RecurringOrder, RecurringOrdersAnswer
from countermand.client.signing import sign_transaction

ROOT: Final = "/recurring/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycles:
    """Sells `amount` base units of the mint `sell` in equal `cycles`, one every `interval_s` seconds.

    `start_at_s`: seconds since the epoch, None for now. A cycle waits while one whole token of `buy` costs less than
    `min_price` or more than `max_price` whole tokens of `sell`. With one of these, `decimals` are those of `sell` and
    `buy`, `(6, 9)` of USDC and SOL: the transaction has bounds in base units, and they are checked before it is signed.
    """

    sell: str
    amount: int
    buy: str
    cycles: int
    interval_s: int
    start_at_s: int | None = None
    min_price: Number | None = None
    max_price: Number | None = None
    decimals: tuple[int, int] | None = None

    def bounds(self) -> DcaBounds:
        """Raises TypeError or ValueError for a price that is none, or that cannot be checked."""
        given = {"min_price": self.min_price, "max_price": self.max_price}
        prices = {name: decimal(name, price) for name, price in given.items() if price is not None}
        if not prices:
            return DcaBounds()
        match self.decimals:
            case (int(in_decimals), int(out_decimals)):
                pass
            case _:
                raise ValueError(
                    f"decimals: give those of `sell` and `buy`, such as (6, 9), not {self.decimals}; "
                    "without them a price cannot be checked"
                )
        if whole("cycles", self.cycles) < 1:
            raise ValueError(f"cycles: {self.cycles} is less than 1")
        each = Fraction(units("amount", self.amount) // self.cycles * 10**out_decimals, 10**in_decimals)
        least, most = (each / Fraction(prices[name]) if name in prices else None for name in ("max_price", "min_price"))
        return DcaBounds(0 if least is None else ceil(least), 0 if most is None else floor(most))


class RecurringOrders(Api[R]):
    """`client.recurring`. There is no login. Each method may be called again, but `place`, as it says."""

    @operation
    def place(self, order: Cycles) -> Flow[Landed]:
        """Build, check, sign, and land the transaction that opens an order.

        One call opens one order at most. Raises `OutcomeUnknown` when it is not known to have landed; its blockhash
        lives for a minute or so, and `reference` has its signature and the order's address.
        """
        session, user = self._session, self._session.owner().address
        bounds = order.bounds()
        time = {
            "inAmount": units("amount", order.amount),
            "numberOfOrders": whole("cycles", order.cycles),
            "interval": whole("interval_s", order.interval_s),
            "minPrice": None if order.min_price is None else decimal("min_price", order.min_price),
            "maxPrice": None if order.max_price is None else decimal("max_price", order.max_price),
            "startAt": order.start_at_s,
        }
        asked = {"user": user, "inputMint": order.sell, "outputMint": order.buy, "params": {"time": time}}
        with changing_nothing():
            built = (yield from _ask(session, "POST", "/createOrder", asked)).into(BuiltAnswer)
        expected = ExpectedDca(
            user=user,
            input_mint=order.sell,
            output_mint=order.buy,
            amount=order.amount,
            cycles=order.cycles,
            interval_s=order.interval_s,
            start_at=order.start_at_s,
            bounds=bounds,
        )
        checked, address = check_dca_open(_transaction(built), expected, session.policy.fee_lamports_max)
        return (yield from _execute(session, built, address, checked, opens=True))

    @operation
    def cancel(self, order: str) -> Flow[Landed]:
        """Close an order: what is left, and what was bought, goes back to the wallet. It counts when it has landed.

        Repeating is safe. Raises `Refused` if the order is gone, or another wallet's.
        """
        session, user = self._session, self._session.owner().address
        asked = {"order": order, "user": user, "recurringType": "time"}
        with changing_nothing():
            built = (yield from _ask(session, "POST", "/cancelOrder", asked)).into(BuiltAnswer)
        checked = check_dca_close(_transaction(built), user, order, session.policy.fee_lamports_max)
        return (yield from _execute(session, built, order, checked, opens=False))

    @listing
    def orders(self, status: Literal["active", "history"] = "active") -> Pages[RecurringOrder]:
        """Iterate over the wallet's orders by time, the newest first. A read."""
        session = self._session

        def page(number: int) -> Flow[Page[RecurringOrder]]:
            return _page(session, status, number)

        return at_once(page) if status == "active" else page


def _page(session: Session, status: str, number: int) -> Flow[Page[RecurringOrder]]:
    user = session.owner().address
    query = {"user": user, "recurringType": "time", "orderStatus": status, "page": str(number + 1)}
    answered = yield from _ask(session, "GET", "/getRecurringOrders", query=query)
    answer = answered.into(RecurringOrdersAnswer)
    return [((row.order_key, row.open_tx), row) for row in answer.time], number + 1 < answer.total_pages


def _ask(
    session: Session, method: str, path: str, body: object = None, query: dict[str, str] | None = None
) -> Flow[Answered]:
    headers = {} if session.api_key is None else {"x-api-key": session.api_key}
    return (yield from exchange(session.policy, request(method, ROOT + path, body, query, headers)))


def _transaction(built: BuiltAnswer) -> str:
    transaction = built.transaction or built.tx
    if transaction is None:
        raise BadAnswer("there is no transaction in the answer")
    return transaction


def _execute(session: Session, built: BuiltAnswer, order: str, checked: Checked, *, opens: bool) -> Flow[Landed]:
    """Where an answer was lost and a repetition is refused, the lists of orders tell whether it landed."""
    signed, signature = yield from sign_transaction(session.owner(), checked)
    body = without_none({"requestId": built.request_id or built.id, "signedTransaction": signed})
    lost = False
    for attempt in range(session.policy.attempts):
        try:
            answered = yield from _ask(session, "POST", "/execute", body)
        except ClientError as problem:
            if not lost and not isinstance(problem, OutcomeUnknown):
                raise
            if (yield from _shows(session, order, signature, opens=opens)):
                return Landed(signature, (order,))
            raise OutcomeUnknown(str(problem), signature=signature, order=order) from problem
        lost = lost or answered.lost
        refusal = answered.refusal()
        if answered.ok:
            with leaving_unknown(signature=signature, order=order):
                executed = answered.into(ExecutedAnswer)
            if executed.status == "Success":
                return Landed(executed.signature, (order,))
            raise Refused(answered.response.status, executed.error or executed.status, answered.body())
        if not words.says(refusal.words, words.UNCONFIRMED):
            if lost and (yield from _shows(session, order, signature, opens=opens)):
                return Landed(signature, (order,))
            if lost and not words.says(refusal.words, words.FAILED_ON_CHAIN):
                raise OutcomeUnknown(f"an answer was lost; then: {refusal}", signature=signature, order=order)
            raise refusal
        lost = True
        yield Pause(pause_after(attempt, session.policy))
    raise OutcomeUnknown(f"not confirmed after {session.policy.attempts} attempts", signature=signature, order=order)


def _shows(session: Session, order: str, signature: str, *, opens: bool) -> Flow[bool]:
    """Whether the newest orders prove that the transaction landed: its order is there, or closed by it."""
    with leaving_unknown(signature=signature, order=order):
        for status in ("active", "history") if opens else ("history",):
            try:
                page, _ = yield from _page(session, status, 0)
            except Refused:  # A server without a history.
                continue
            if any(row.order_key == order and (opens or row.close_tx == signature) for _, row in page):
                return True
        return False
