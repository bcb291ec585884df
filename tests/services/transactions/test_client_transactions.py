"""What is built for clients, and comes back from them signed: see also the tests of the families on the chain."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

import pytest

from countermand.kernel.clock import VenueClock
from countermand.kernel.ports import Unavailable
from countermand.services.transactions.client_transactions import (
    Build,
    ClientTransactions,
    Executed,
    Landing,
    SignedTransaction,
)
from countermand.values.identity import Address, RequestId, Signature, Wallet
from countermand.values.transactions import Alteration, ObservedOutcome, TransactionOutcome
from tests.dialects.limit_venue import StillClock
from tests.orders.recurring.stage import Drawer

BUILD = Build(RequestId("request"), Wallet("w"), "limit.create", Address("order"), opens=True, message=b"m",
              last_valid_height=9)  # fmt: skip
SIGNATURE = Signature("s")
LANDED = ObservedOutcome(TransactionOutcome.LANDED, SIGNATURE)
POLLS = 3
"""So many answers come before the deadline: the clock moves by a second with each look at it."""


class FlakyLanding:
    """What is sent is seen after `silent` questions that the chain does not answer."""

    def __init__(self, silent: Iterable[bool]) -> None:
        self.silent: Iterator[bool] = iter(silent)
        self.is_sent = False

    def read(self, transaction: str) -> SignedTransaction | None:
        return SignedTransaction(transaction.encode(), BUILD.message, SIGNATURE)

    async def send(self, transaction: SignedTransaction) -> None:
        assert transaction.signature == SIGNATURE
        self.is_sent = True

    async def outcome(self, signature: Signature, last_valid_height: int) -> ObservedOutcome | None:
        assert (signature, last_valid_height) == (SIGNATURE, BUILD.last_valid_height)
        if self.is_sent and next(self.silent):
            raise Unavailable("the node takes no more requests from us now")
        return LANDED if self.is_sent else None

    async def outcome_of_message(self, build: Build) -> ObservedOutcome | None:
        raise AssertionError(build)

    async def shortfall(self, build: Build) -> str | None:
        assert build == BUILD
        return None

    def alteration(self, build: Build, signed: SignedTransaction) -> Alteration:
        raise AssertionError(build, signed)

    async def must_have_landed(self, build: Build) -> bool:
        raise AssertionError(build)


async def executing(landing: FlakyLanding) -> object:
    transactions = ClientTransactions(Drawer(), landing, StillClock(), POLLS * 1_000)
    await transactions.remember([BUILD])
    return await transactions.execute("signed", None)


async def test_a_question_that_is_not_answered_does_not_end_the_wait_for_a_landing() -> None:
    assert await executing(FlakyLanding([True, True, False])) == Executed(BUILD, SIGNATURE, None)


async def test_a_chain_that_is_silent_at_the_end_of_the_wait_leaves_the_outcome_unknown() -> None:
    landing = FlakyLanding([True] * POLLS)
    with pytest.raises(Unavailable):
        await executing(landing)
    assert next(landing.silent, None) is None


class Counting(Drawer):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def find(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        self.asked.append(len(digests))
        await asyncio.sleep(0)
        return await super().find(digests)


class Lands:
    """What is handed in has landed. A transaction is its message."""

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
