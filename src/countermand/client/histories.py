"""The orders of a wallet whose funds are in vaults, as Trigger v2 lists them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from countermand.client import vaults
from countermand.client.effects import Flow
from countermand.client.errors import BadAnswer, Refused
from countermand.client.operations import Page, Pages
from countermand.client.session import Session
from countermand.client.shapes.trigger import Pagination

_ROWS: Final = 100


class Row(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def events(self) -> Sequence[Any]: ...


RowT = TypeVar("RowT", bound=Row)
RowT_co = TypeVar("RowT_co", bound=Row, covariant=True)


class Rows(Protocol[RowT_co]):
    @property
    def orders(self) -> Sequence[RowT_co]: ...

    @property
    def pagination(self) -> Pagination: ...


@dataclass(frozen=True, slots=True)
class History(Generic[RowT]):
    """One family's: where it is, the shapes of an order and of a page, and whether an order is cancelled."""

    path: str
    row: type[RowT]
    rows: type[Rows[RowT]]
    is_cancelled: Callable[[RowT], bool]

    def order(self, session: Session, order_id: str) -> Flow[RowT]:
        row = (yield from vaults.ask(session, "GET", f"{self.path}/{order_id}")).into(self.row)
        if row.id != order_id:
            raise BadAnswer(f"it answers for the order {row.id}, not for {order_id}")
        return row

    def withdrawn(self, session: Session, order_id: str) -> Flow[vaults.Withdrawn | None]:
        """What a cancelled order says of its withdrawal."""
        try:
            row = yield from self.order(session, order_id)
        except Refused:
            return None
        return vaults.withdrawal_in(row.events, order_id) if self.is_cancelled(row) else None

    def pages(self, session: Session, query: Mapping[str, str]) -> Pages[RowT]:
        def page(number: int) -> Flow[Page[RowT]]:
            at = {"limit": str(_ROWS), "offset": str(number * _ROWS)}
            answer = (yield from vaults.ask(session, "GET", self.path, query={**query, **at})).into(self.rows)
            return [(row.id, row) for row in answer.orders], (number + 1) * _ROWS < answer.pagination.total

        return page

    def finder(self, session: Session) -> vaults.Found:
        """By the signature of its deposit, among the newest orders."""

        def found(signature: str) -> Flow[vaults.Shown | None]:
            for state in ("active", "past"):
                rows, _ = yield from self.pages(session, {"state": state, "sort": "created_at", "dir": "desc"})(0)
                for _, row in rows:
                    deposit = vaults.deposit_in(row.events, signature)
                    if deposit is not None:
                        return vaults.Shown(row.id, deposit)
            return None

        return found
