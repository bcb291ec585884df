"""Deposits that were built in this epoch of their shard, and became no order yet: found without asking the store."""

from typing import Final, Generic, Protocol, TypeVar

from countermand.values.identity import OrderId, RequestId
from countermand.values.transactions import UnsignedTransaction

FRESH_KEPT: Final = 4_096
"""A client signs a deposit and comes back within seconds. What was pushed out is found in the store."""


class BuiltDeposit(Protocol):
    @property
    def request_id(self) -> RequestId: ...

    @property
    def order_id(self) -> OrderId:
        """That of the order that it may become."""

    @property
    def craft(self) -> UnsignedTransaction: ...


Deposit = TypeVar("Deposit", bound=BuiltDeposit)


class FreshDeposits(Generic[Deposit]):
    def __init__(self) -> None:
        self._deposits: dict[RequestId, Deposit] = {}
        self._orders: dict[OrderId, RequestId] = {}

    def add(self, deposit: Deposit) -> None:
        self._deposits[deposit.request_id] = deposit
        self._orders[deposit.order_id] = deposit.request_id
        while len(self._deposits) > FRESH_KEPT:
            self.forget(next(iter(self._deposits)))

    def get(self, request_id: RequestId) -> Deposit | None:
        return self._deposits.get(request_id)

    def is_new(self, order_id: OrderId) -> bool:
        """No order of this id can be stored: its deposit was built in this epoch, and placed none."""
        return order_id in self._orders

    def forget(self, request_id: RequestId) -> None:
        deposit = self._deposits.pop(request_id, None)
        if deposit is not None:
            del self._orders[deposit.order_id]

    def forget_dead(self, below_height: int) -> None:
        """Heights rise, so the oldest die first."""
        while self._deposits and next(iter(self._deposits.values())).craft.last_valid_height < below_height:
            self.forget(next(iter(self._deposits)))
