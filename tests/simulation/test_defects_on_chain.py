"""Defects in what serves and lands on-chain orders, each caught by the claim that it breaks."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
from solders.pubkey import Pubkey

from countermand.kernel.ports import CommitUnknown
from countermand.orders.limit.model.order import OpenLimitOrder
from countermand.orders.limit.service import LimitService
from countermand.services.transactions.client_transactions import Build, ClientTransactions, Executed, Execution
from countermand.services.transactions.landing import ChainLanding
from countermand.solana import clockwork, fields
from countermand.solana.ledger_store import LedgerBatch
from countermand.solana.machine import Machine
from countermand.solana.programs import limit_order
from countermand.solana.wire import WireTransaction
from countermand.values.identity import Address, Mint, RequestId, Signature, Wallet
from countermand.values.structs import replace
from countermand.values.transactions import ObservedOutcome, TransactionOutcome
from countermand_simulator import run, svm_ledger
from countermand_simulator.checkers import Claim
from countermand_simulator.families import Makes
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.landings import Landing
from countermand_simulator.memory_ledger import MemoryLedgerStore
from countermand_simulator.process import ProcessParts
from tests.simulation.defects import Defect, must_be_caught, patched

# --- what is answered


class HastyExecution(ClientTransactions):
    """It answers as soon as the transaction is sent."""

    async def _awaited(self, signed: Any, build: Build) -> ObservedOutcome | None:
        return ObservedOutcome(TransactionOutcome.LANDED, signed.signature)


class HopefulLanding(ChainLanding):
    """What could close an order and is dead is taken to have closed it: the order is gone, is it not?"""

    async def must_have_landed(self, build: Build) -> bool:
        return not build.opens


class OneSignature(ChainLanding):
    """It does not look for other signatures of a message."""

    async def outcome_of_message(self, build: Build) -> ObservedOutcome | None:
        return None


class ForgetfulRetry(ClientTransactions):
    """It calls what landed with an error unconfirmed, when it is asked again."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._told: dict[Signature, None] = {}

    async def execute(
        self, transaction: str, request_id: RequestId | None, is_mine: Callable[[Build], bool] = lambda _: True
    ) -> Execution:
        execution = await super().execute(transaction, request_id, is_mine)
        if isinstance(execution, Executed) and execution.error is not None:
            if execution.signature in self._told:
                return replace(execution, error=f"{execution.error}, again")
            self._told[execution.signature] = None
        return execution


# --- what is remembered


class CarelessMemory(ClientTransactions):
    """A lost commit of a build does not trouble it."""

    async def remember(self, builds: Sequence[Build], *, repeatable: bool = False) -> None:
        with contextlib.suppress(CommitUnknown):
            await super().remember(builds, repeatable=repeatable)


class LaxIdentity(ClientTransactions):
    """It lands whatever is signed, built here or not."""

    async def execute(
        self, transaction: str, request_id: RequestId | None, is_mine: Callable[[Build], bool] = lambda _: True
    ) -> Execution:
        signed = self._landing.read(transaction)
        if signed is not None:
            await self._landing.send(signed)
        return await super().execute(transaction, request_id, is_mine)


# --- what is read


class OldList(LimitService):
    """It remembers who had which orders open."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._known: dict[Wallet, list[OpenLimitOrder]] = {}

    async def open_orders(
        self, maker: Wallet, input_mint: Mint | None = None, output_mint: Mint | None = None
    ) -> list[OpenLimitOrder]:
        if maker not in self._known:
            self._known[maker] = await super().open_orders(maker, input_mint, output_mint)
        return self._known[maker]


class Forgetful(LimitService):
    """It cancels four at most."""

    async def build_cancels(self, maker: Wallet, named: Sequence[Address] | None, unit_price: int | None) -> Any:
        named = [order.address for order in await self.open_orders(maker)] if named is None else named
        return await super().build_cancels(maker, list(dict.fromkeys(named))[:4], unit_price)


def index_is_not_built_at_a_load() -> AbstractContextManager[Any]:
    """The index of owners starts empty, and knows only what changes after a load."""
    real_put, real_remove = Machine.put, fields._remove

    def put(machine: Machine, key: Pubkey, account: Any) -> None:
        index, machine._fields = machine._fields, fields.FieldIndex({})
        real_put(machine, key, account)
        machine._fields = index

    def remove(field: Any, value: bytes, key: bytes) -> None:
        with contextlib.suppress(KeyError):
            real_remove(field, value, key)

    return patched(patch.object(Machine, "put", put), patch.object(fields, "_remove", remove))


def cancels_offer_too_few_units() -> AbstractContextManager[Any]:
    return patched(
        patch.object(limit_order, "UNITS_OF_A_CANCEL", 10_000),
        patch.object(run, "CONVERGES_S", 120),  # It never ends, and who waits longer learns no more.
    )


# --- what the chain does


def a_commit_is_torn() -> AbstractContextManager[Any]:
    """Now and then the chain's ledger keeps a transaction, and not what it did to the last of its accounts."""
    real, commits = MemoryLedgerStore.commit, iter(range(10**9))

    async def commit(store: MemoryLedgerStore, batch: LedgerBatch) -> None:
        torn = next(commits) % 40 == 39 and batch.transactions
        await real(store, replace(batch, written=batch.written[:-1]) if torn else batch)

    return patch.object(MemoryLedgerStore, "commit", commit)


def everything_has_expired() -> AbstractContextManager[Any]:
    """The program sees an hour that has not come, whenever an order is cancelled."""
    real = Machine.execute

    def execute(machine: Machine, transaction: WireTransaction, *nonces: Any) -> Any:
        slot, second = machine._sysvars._time
        if limit_order.CANCEL_ORDER in transaction.raw:
            machine.set_time(slot, second + 3_600, lambda _: bytes(32))
        done = real(machine, transaction, *nonces)
        machine.set_time(slot, second, lambda _: bytes(32))
        return done

    return patch.object(Machine, "execute", execute)


def a_lamport_goes_astray() -> AbstractContextManager[Any]:
    """Of what comes back when an order is closed, a little goes to another account of the transaction."""
    real = svm_ledger._landing

    def landing(*args: Any) -> Landing:
        seen = real(*args)
        ends = [(address, before, after) for address, before, after in seen.changes if after is not None]
        if len(ends) < 2 or len(ends) == len(seen.changes):
            return seen
        moved = {
            address: (address, before, (after[0] + by, *after[1:]))
            for by, (address, before, after) in zip((-1, 1), ends[:2], strict=True)
        }
        return replace(seen, changes=tuple(moved.get(change[0], change) for change in seen.changes))

    return patch.object(svm_ledger, "_landing", landing)


def blockhashes_live_longer() -> AbstractContextManager[Any]:
    """What everybody takes to be dead still lands."""
    return patch.object(clockwork, "BLOCKHASH_SLOTS", 10_000)


def families(**parts: Any) -> ProcessParts:
    return ProcessParts(families=Makes(**parts))


DEFECTS = {
    "execute answers before the landing": Defect(Claim.EXECUTED_IS_TRUE, families(on_chain=HastyExecution)),
    "a dropped cancel is called a success": Defect(
        Claim.EXECUTED_IS_TRUE, families(landing=HopefulLanding), first=1_001
    ),
    "a landing under another signature is not found": Defect(Claim.EXECUTED_IS_TRUE, families(landing=OneSignature)),
    "what was called dead lands": Defect(
        Claim.EXECUTED_IS_TRUE, patched=blockhashes_live_longer, drawn={"stale": 0.4, "clock_leaps": 0.6}, first=1_005
    ),
    "a retry is answered otherwise": Defect(Claim.ANSWERS_ARE_EQUAL, families(on_chain=ForgetfulRetry)),
    "a lost commit forgets a build": Defect(Claim.BUILDS_ARE_REMEMBERED, families(on_chain=CarelessMemory)),
    "anything signed is sent": Defect(Claim.SENT_IS_COMMITTED, families(on_chain=LaxIdentity)),
    "open orders are remembered": Defect(Claim.READS_ARE_CURRENT, families(limits=OldList)),
    "the index is stale after a crash": Defect(Claim.READS_ARE_CURRENT, patched=index_is_not_built_at_a_load),
    "a cancel leaves some out": Defect(Claim.CANCEL_NAMES_ALL, families(limits=Forgetful), first=1_001),
    "a cancel always fails": Defect(Claim.EVERYTHING_ENDS, patched=cancels_offer_too_few_units),
    "a commit of the chain is torn": Defect(
        Claim.NOTHING_IS_LOST,
        patched=a_commit_is_torn,
        drawn={"chain_inside": True, "crash": 0.006, "replaced": 0.5},
        first=1_006,
    ),
    "a lamport goes astray": Defect(Claim.MOVES_ARE_MEANT, patched=a_lamport_goes_astray),
    "a stranger cancels too early": Defect(Claim.ORDERS_ARE_ON_CHAIN, patched=everything_has_expired),
}


def busy(options: FaultProfile) -> FaultProfile:
    """A run of on-chain orders with hardly anything beside, and more of what brings their defects about."""
    return replace(
        options,
        wallets=1,
        pause_ms=2_000,
        price_pause_ms=1_000,
        limit_clients=3,
        dca_clients=1,
        on_chain_pause_ms=100,
        stale=0.2,
        signed_anew=0.2,
        clock_leaps=0.3,
        commit_lost_after=0.02,
    )


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_caught_by_the_claim_that_it_breaks(name: str) -> None:
    must_be_caught(name, DEFECTS[name], busy)
