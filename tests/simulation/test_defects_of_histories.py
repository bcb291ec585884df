"""Defects in what is told of on-chain orders, each caught by the claim that it breaks."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
from solders.pubkey import Pubkey

from countermand.orders.chain import index
from countermand.orders.chain.landed import landed_of
from countermand.orders.chain.model.commands import TransactionLanded
from countermand.orders.chain.model.decide import Cursor
from countermand.orders.chain.model.events import CycleFilled, Event, LimitFilled
from countermand.services.chain_index.follower import Follower
from countermand.solana.port import AddressSignature, LedgerTransaction
from countermand.solana.programs import dca
from countermand.solana.programs.anchor import EVENT_TAG, calls_of
from countermand.values.identity import Address, Mint
from countermand.values.structs import replace
from countermand_simulator.checkers import Claim
from tests.simulation.defects import Defect, must_be_caught, patched
from tests.simulation.test_defects_of_keepers import busy

_ORDER_AT = slice(len(EVENT_TAG) + 8, len(EVENT_TAG) + 8 + 32)


def all_is_read_again() -> AbstractContextManager[Any]:
    """After a start the index reads from the beginning, and takes what it knows for news."""
    real = Follower.follow

    def follow(follower: Follower, _after: str | None) -> Any:
        return real(follower, None)

    return patched(patch.object(Follower, "follow", follow), patch.object(Cursor, "has", lambda *_: False))


def what_landed_meanwhile_is_not_read() -> AbstractContextManager[Any]:
    async def none(*_: object) -> Sequence[AddressSignature]:
        return []

    return patch.object(Follower, "_earlier", none)


def every_program_is_believed() -> AbstractContextManager[Any]:
    """Not only the program itself, and of a transaction that failed too."""

    def believes(program: Address, transaction: LedgerTransaction) -> TransactionLanded:
        landed = landed_of(program, transaction)
        told = [call.data for call in calls_of(transaction, program) if call.data.startswith(EVENT_TAG)]
        forged = tuple(_fill_of(program, data) for data in told) if transaction.error is not None else ()
        return replace(landed, did=landed.did + forged)

    return patch.object(index, "landed_of", believes)


def _fill_of(program: Address, data: bytes) -> Event:
    order = keeper = Address(str(Pubkey(data[_ORDER_AT])))
    if program == dca.PROGRAM:
        return CycleFilled(order=order, keeper=keeper, used=0, received=0, fee_mint=Mint(""), fee=0)
    return LimitFilled(order=order, keeper=keeper, making=0, taking=0, remaining_making=0, remaining_taking=0)


def one_landing_in_ten_is_passed_over() -> AbstractContextManager[Any]:
    real = landed_of
    told: list[str] = []

    def forgets(program: Address, transaction: LedgerTransaction) -> TransactionLanded:
        landed = real(program, transaction)
        told.append(transaction.signature)
        return landed if len(told) % 10 else replace(landed, did=())

    return patch.object(index, "landed_of", forgets)


DEFECTS = {
    "a history row twice after a restart of the index": Defect(
        Claim.HISTORIES_ARE_TRUE, patched=all_is_read_again, drawn={"crash": 0.006}, first=1_005
    ),
    "what landed while no index ran is not told": Defect(
        Claim.HISTORIES_ARE_TRUE, patched=what_landed_meanwhile_is_not_read, drawn={"crash": 0.006}
    ),
    "a forged event is believed": Defect(Claim.HISTORIES_ARE_TRUE, patched=every_program_is_believed),
    "one landing in ten is passed over": Defect(Claim.HISTORIES_ARE_TRUE, patched=one_landing_in_ten_is_passed_over),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_caught_by_the_claim_that_it_breaks(name: str) -> None:
    must_be_caught(name, DEFECTS[name], busy)
