"""Trigger v1 and its older form limit/v2: orders that live on the chain. Only the maker's signature can do anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from countermand.client import words
from countermand.client.checks import Checked, check_limit_cancels, check_limit_create
from countermand.client.checks.limits import ExpectedLimit
from countermand.client.effects import Flow, Pause
from countermand.client.errors import BadAnswer, ClientError, OutcomeUnknown, Refused, Unavailable
from countermand.client.exchange import Answered, changing_nothing, exchange, leaving_unknown, pause_after, request
from countermand.client.numbers import units, whole, without_none
from countermand.client.operations import Api, Page, Pages, R, at_once, listing, operation
from countermand.client.session import Session
from countermand.client.shapes.limit import (
    BuiltAnswer,
    ExecutedAnswer,
    LimitOrder,
    LimitOrdersAnswer,
    OpenOrder,
)
from countermand.client.signing import sign_transaction

Root = Literal["/trigger/v1", "/limit/v2"]
_OLDER: Final = "/limit/v2"
_BUILDS_MAX: Final = 3
"""How often a cancel is built: one of the orders in a transaction may be filled meanwhile, and then all of it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Sells `making` base units of the mint `sell` for at least `taking` base units of the mint `buy`.

    `expires_at_s`: seconds since the epoch, None for never. `slippage_bps`: how much less a fill may give.
    `fee_bps` of the output go to the token account `fee_account`, of an integrator, beside the program's own fee.
    """

    sell: str
    making: int
    buy: str
    taking: int
    expires_at_s: int | None = None
    slippage_bps: int | None = None
    fee_bps: int | None = None
    fee_account: str | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """A transaction that was checked, not signed. `orders` are those that it opens or cancels."""

    request_id: str | None
    orders: tuple[str, ...]
    checked: Checked = field(repr=False)


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction that landed without an error, and what it was about."""

    signature: str
    orders: tuple[str, ...]

    @property
    def order(self) -> str:
        """The only one. Raises ValueError if there are more."""
        [order] = self.orders
        return order


class LimitOrders(Api[R]):
    """`client.limit`. There is no login. Each method may be called again, but `place`, as it says."""

    def __init__(self, runner: R, session: Session, root: Root = "/trigger/v1") -> None:
        super().__init__(runner, session)
        self._root = root

    @operation
    def place(self, order: Limit) -> Flow[Landed]:
        """Build, check, sign, and land the transaction that opens an order.

        One call opens one order at most: what is repeated inside is the same transaction. Raises `OutcomeUnknown`
        when it is not known to have landed; its blockhash lives for a minute or so, and `reference` has its signature.
        """
        built = yield from _create(self._session, self._root, order)
        return (yield from _execute(self._session, self._root, built, opens=True))

    @operation
    def create(self, order: Limit) -> Flow[Built]:
        """Only the transaction, checked, not signed. Repeating builds another, for another order."""
        return (yield from _create(self._session, self._root, order))

    @operation
    def execute(self, built: Built) -> Flow[Landed]:
        """Sign a transaction of `create` and land it. Repeating is safe: the same transaction lands once."""
        return (yield from _execute(self._session, self._root, built, opens=True))

    @operation
    def cancel(self, *orders: str) -> Flow[list[Landed]]:
        """Cancel these orders of the wallet, five in a transaction. It counts when they have landed.

        Repeating is safe: orders that are gone are left out, also those that go meanwhile. Raises `Refused` if none of
        them is open, and `OutcomeUnknown` if some are cancelled and the others are not.
        """
        if not orders:
            raise ValueError("name the orders to cancel; cancel_all cancels all")
        return (yield from _cancel(self._session, self._root, orders))

    @operation
    def cancel_all(self) -> Flow[list[Landed]]:
        """Cancel all open orders of the wallet, five in a transaction. Repeating is safe.

        Raises `Refused` if none is open, and `OutcomeUnknown` if some are cancelled and the others are not.
        """
        return (yield from _cancel(self._session, self._root, None))

    @operation
    def open_orders(self, input_mint: str | None = None, output_mint: str | None = None) -> Flow[list[OpenOrder]]:
        """The wallet's open orders as the chain has them, in the older form. A read."""
        query = {"wallet": self._session.owner().address, "inputMint": input_mint, "outputMint": output_mint}
        answered = yield from _ask(self._session, "GET", f"{self._root}/openOrders", query=without_none(query))
        return answered.into(list[OpenOrder])

    @listing
    def orders(self, status: Literal["active", "history"] = "active") -> Pages[LimitOrder]:
        """Iterate over the wallet's orders. A read. limit/v2 has the `history` only."""
        session, root = self._session, self._root
        if root == _OLDER and status == "active":
            raise ClientError("limit/v2 has no pages of open orders: use open_orders()")

        def page(number: int) -> Flow[Page[LimitOrder]]:
            return _page(session, root, status, number)

        return at_once(page) if status == "active" else page


def _page(session: Session, root: str, status: str, number: int) -> Flow[Page[LimitOrder]]:
    wallet = session.owner().address
    path = f"{root}/orderHistory" if root == _OLDER else f"{root}/getTriggerOrders"
    user = {"wallet": wallet} if root == _OLDER else {"user": wallet, "orderStatus": status}
    answered = yield from _ask(session, "GET", path, query={**user, "page": str(number + 1)})
    answer = answered.into(LimitOrdersAnswer)
    more = answer.has_more_data if answer.total_pages is None else number + 1 < answer.total_pages
    return [((row.order_key, row.open_tx), row) for row in answer.orders], bool(more)


def _ask(
    session: Session, method: str, path: str, body: object = None, query: dict[str, str] | None = None
) -> Flow[Answered]:
    headers = {} if session.api_key is None else {"x-api-key": session.api_key}
    return (yield from exchange(session.policy, request(method, path, body, query, headers)))


def _create(session: Session, root: str, order: Limit) -> Flow[Built]:
    maker = session.owner().address
    params = {
        "makingAmount": str(units("making", order.making)),
        "takingAmount": str(units("taking", order.taking)),
        "expiredAt": None if order.expires_at_s is None else str(whole("expires_at_s", order.expires_at_s)),
        "slippageBps": None if order.slippage_bps is None else str(whole("slippage_bps", order.slippage_bps)),
        "feeBps": None if order.fee_bps is None else str(whole("fee_bps", order.fee_bps)),
    }
    asked: dict[str, Any] = {
        "inputMint": order.sell,
        "outputMint": order.buy,
        "maker": maker,
        "payer": maker,
        "params": without_none(params),
        "computeUnitPrice": "auto",
        "feeAccount": order.fee_account,
    }
    with changing_nothing():
        built = (yield from _ask(session, "POST", f"{root}/createOrder", without_none(asked))).into(BuiltAnswer)
    transaction = built.transaction or built.tx
    if transaction is None or built.order is None:
        raise BadAnswer("there is no transaction or no order in the answer")
    expected = ExpectedLimit(
        maker=maker,
        order=built.order,
        input_mint=order.sell,
        output_mint=order.buy,
        making=order.making,
        taking=order.taking,
        expired_at=order.expires_at_s,
        fee_bps=order.fee_bps,
        fee_account=order.fee_account,
        slippage_bps=order.slippage_bps,
    )
    checked = check_limit_create(transaction, expected, session.policy.fee_lamports_max)
    return Built(built.request_id, (built.order,), checked)


def _cancel(session: Session, root: str, orders: Sequence[str] | None) -> Flow[list[Landed]]:
    """Raises `OutcomeUnknown` if some are cancelled, and the others not: other errors say that nothing changed."""
    landed: list[Landed] = []
    try:
        yield from _cancel_each(session, root, orders, landed)
    except (Refused, Unavailable) as refusal:
        if not landed:
            raise
        gone = sum(len(each.orders) for each in landed)
        told = f"{gone} of the orders {'is' if gone == 1 else 'are'} cancelled; then: {refusal}"
        raise OutcomeUnknown(told, signature=landed[-1].signature) from refusal
    return landed


def _cancel_each(session: Session, root: str, orders: Sequence[str] | None, landed: list[Landed]) -> Flow[None]:
    failed: Refused | None = None
    for _ in range(_BUILDS_MAX):
        done = {order for each in landed for order in each.orders}
        left = None if orders is None else [each for each in orders if each not in done]
        assert left != [], "an empty list would mean all"
        try:
            ready = yield from _cancels(session, root, left)
        except Refused as refusal:
            if landed and words.says(refusal.words, words.NONE_OPEN):
                return
            raise
        failed = None
        for built in ready:
            try:
                landed.append((yield from _execute(session, root, built, opens=False)))
            except Refused as refusal:
                if not words.says(refusal.words, words.FAILED_ON_CHAIN):
                    raise
                failed = refusal
        if failed is None:
            return
    assert failed is not None, "else it had returned"
    raise failed


def _cancels(session: Session, root: str, orders: Sequence[str] | None) -> Flow[list[Built]]:
    """Not the pages but the server says which orders there are; each transaction says which it cancels."""
    maker = session.owner().address
    asked = without_none(
        {"maker": maker, "orders": None if orders is None else list(orders), "computeUnitPrice": "auto"}
    )
    with changing_nothing():
        built = (yield from _ask(session, "POST", f"{root}/cancelOrders", asked)).into(BuiltAnswer)
    transactions = built.transactions or built.txs
    if not transactions:
        raise BadAnswer("there are no transactions in the answer")
    checked = check_limit_cancels(transactions, maker, orders, session.policy.fee_lamports_max)
    return [Built(built.request_id, cancelled, each) for each, cancelled in checked]


def _execute(session: Session, root: str, built: Built, *, opens: bool) -> Flow[Landed]:
    """Raises `Refused` if it landed with an error, or was never taken.

    Where an answer was lost and a repetition is refused, the lists of orders tell whether it landed.
    """
    signed, signature = yield from sign_transaction(session.owner(), built.checked)
    body = without_none({"requestId": built.request_id, "signedTransaction": signed})
    lost = False
    for attempt in range(session.policy.attempts):
        try:
            answered = yield from _ask(session, "POST", f"{root}/execute", body)
        except ClientError as problem:
            if not lost and not isinstance(problem, OutcomeUnknown):
                raise
            if (yield from _shows(session, root, built, signature, opens=opens)):
                return Landed(signature, built.orders)
            raise OutcomeUnknown(str(problem), signature=signature) from problem
        lost = lost or answered.lost
        if answered.ok:
            with leaving_unknown(signature=signature):
                executed = answered.into(ExecutedAnswer)
            if executed.status != "Success":
                raise Refused(answered.response.status, executed.error or executed.status, answered.body())
            return Landed(executed.signature, built.orders)
        refusal = answered.refusal()
        if not words.says(refusal.words, words.UNCONFIRMED):
            if lost and (yield from _shows(session, root, built, signature, opens=opens)):
                return Landed(signature, built.orders)
            if lost and not words.says(refusal.words, words.FAILED_ON_CHAIN):
                raise OutcomeUnknown(f"an answer was lost; then: {refusal}", signature=signature)
            raise refusal
        lost = True
        yield Pause(pause_after(attempt, session.policy))
    raise OutcomeUnknown(f"not confirmed after {session.policy.attempts} attempts", signature=signature)


def _shows(session: Session, root: str, built: Built, signature: str, *, opens: bool) -> Flow[bool]:
    """Whether the newest orders prove that the transaction landed: its orders are there, or closed by it."""
    with leaving_unknown(signature=signature):
        if opens and root == _OLDER:
            query = {"wallet": session.owner().address}
            rows = (yield from _ask(session, "GET", f"{root}/openOrders", query=query)).into(list[OpenOrder])
            if built.orders[0] in {row.public_key for row in rows}:
                return True
        seen: dict[str, LimitOrder] = {}
        for status in ("history",) if root == _OLDER or not opens else ("active", "history"):
            page, _ = yield from _page(session, root, status, 0)
            seen |= {row.order_key: row for _, row in page}
        return all(order in seen and (opens or seen[order].close_tx == signature) for order in built.orders)
