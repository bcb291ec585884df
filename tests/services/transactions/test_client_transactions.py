"""What is built for clients, and comes back from them signed: see also the tests of the families on the chain."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

from countermand.kernel.clock import VenueClock
from countermand.services.transactions.client_transactions import (
    Build,
    ClientTransactions,
    Executed,
    Landing,
    SignedTransaction,
)
from countermand.values.identity import Address, RequestId, Signature, Wallet
from countermand.values.transactions import ObservedOutcome, TransactionOutcome
from tests.orders.recurring.stage import Drawer


class Counting(Drawer):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def find(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        self.asked.append(len(digests))
        await asyncio.sleep(0)
        return await super().find(digests)


class Lands:
    """Whatever is handed in has landed. A transaction is its message."""

    def read(self, transaction: str) -> SignedTransaction:
        return SignedTransaction(b"", transaction.encode(), Signature("signature"))

    async def outcome(self, signature: Signature, _last_valid_height: int) -> ObservedOutcome:
        return ObservedOutcome(TransactionOutcome.LANDED, signature)


def build(name: str) -> Build:
    return Build(RequestId(name), Wallet("w"), "", Address("o"), False, name.encode(), 1)


async def test_what_many_execute_at_once_is_looked_for_together() -> None:
    store = Counting()
    transactions = ClientTransactions(store, cast(Landing, Lands()), VenueClock(), 100)
    names = [str(number) for number in range(40)]
    await transactions.remember([build(name) for name in names])
    done = await asyncio.gather(*(transactions.execute(name, RequestId(name)) for name in names))
    assert [answer.build.request_id for answer in done if isinstance(answer, Executed)] == names
    assert store.asked == [40]
