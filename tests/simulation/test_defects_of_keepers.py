"""Defects in what the chain lets keepers do, each caught by the claim that it breaks."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from countermand.solana.machine import Machine
from countermand.solana.programs import dca, dca_cycles, limit_order, limit_order_fills
from countermand.solana.programs.anchor import key
from countermand.solana.tokens import SYSTEM_PROGRAM
from countermand.solana.wire import WireTransaction
from countermand.values.structs import replace
from countermand_simulator import svm_ledger
from countermand_simulator.checkers import Claim
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.landings import Landing
from tests.simulation.defects import Defect, must_be_caught

_HOUR_S = 3_600
_ORDER_RENT = 3_480_000
_NEXT_CYCLE_AT = slice(112, 120)
_EXPIRY_AT, _SLIPPAGE = 248, 51

Orders = list[tuple[Pubkey, Account]]
Real = Callable[[], Any]


def around(tag: bytes, does: Callable[[Machine, WireTransaction, Real], Any]) -> AbstractContextManager[Any]:
    """`does` stands around the execution of each transaction that has such an instruction."""
    real = Machine.execute

    def execute(machine: Machine, transaction: WireTransaction, *nonces: Any) -> Any:
        def goes_on() -> Any:
            return real(machine, transaction, *nonces)

        return does(machine, transaction, goes_on) if tag in transaction.raw else goes_on()

    return patch.object(Machine, "execute", execute)


def the_clock_is_wrong(tag: bytes, by_s: int) -> AbstractContextManager[Any]:
    """The program sees another second than the chain tells."""

    def does(machine: Machine, _transaction: WireTransaction, goes_on: Real) -> Any:
        slot, second = machine._sysvars._time
        machine.set_time(slot, second + by_s, lambda _: bytes(32))
        done = goes_on()
        machine.set_time(slot, second, lambda _: bytes(32))
        return done

    return around(tag, does)


def of_program(machine: Machine, transaction: WireTransaction, program: str, size: int) -> Orders:
    """The orders that a transaction names."""
    named = ((each, machine.get(each)) for each in transaction.static_keys)
    return [
        (each, account)
        for each, account in named
        if account is not None and str(account.owner) == program and len(account.data) == size
    ]


def put(machine: Machine, name: Pubkey, account: Account, data: bytes) -> None:
    machine.put(name, Account(account.lamports, data, account.owner, account.executable, account.rent_epoch))


def limit_orders_say(field: int, value: int) -> AbstractContextManager[Any]:
    """Before a fill, this field of two bytes after the expiry becomes another."""

    def does(machine: Machine, transaction: WireTransaction, goes_on: Real) -> Any:
        for name, account in of_program(machine, transaction, limit_order.PROGRAM, limit_order.ORDER_BYTES):
            at = _EXPIRY_AT + 1 + 8 * account.data[_EXPIRY_AT] + field
            put(machine, name, account, account.data[:at] + value.to_bytes(2, "little") + account.data[at + 2 :])
        return goes_on()

    return around(limit_order_fills.FILL_ORDER, does)


def the_program_takes_nothing_itself() -> AbstractContextManager[Any]:
    """While a fill is executed, the program's own rates are zero: an integrator gets the whole fee."""
    rates = Account(_HOUR_S, limit_order.fee_rates_bytes(limit_order.FeeRates(0, 0)), key(limit_order.PROGRAM))

    def does(machine: Machine, _transaction: WireTransaction, goes_on: Real) -> Any:
        machine.put(key(limit_order.FEE_ACCOUNT), rates)
        done = goes_on()
        machine.put(key(limit_order.FEE_ACCOUNT), Account(0, b"", key(SYSTEM_PROGRAM)))
        return done

    return around(limit_order_fills.FILL_ORDER, does)


def a_cycle_is_forgotten() -> AbstractContextManager[Any]:
    """The machine does not keep that the next cycle is later."""

    def does(machine: Machine, transaction: WireTransaction, goes_on: Real) -> Any:
        before = of_program(machine, transaction, dca.PROGRAM, dca.DCA_BYTES)
        done = goes_on()
        for name, old in before:
            new = machine.get(name)
            if new is not None and len(new.data) == dca.DCA_BYTES:
                at = _NEXT_CYCLE_AT
                put(machine, name, new, new.data[: at.start] + old.data[at] + new.data[at.stop :])
        return done

    return around(dca_cycles.FULFILL_FLASH_FILL, does)


def a_close_keeps_rent() -> AbstractContextManager[Any]:
    """What an order's account held goes to who closes it."""
    real = svm_ledger._landing

    def landing(*args: Any) -> Landing:
        seen = real(*args)
        if all(after is not None for _, _, after in seen.changes):
            return seen
        heirs = [
            address
            for address, before, after in seen.changes
            if before and after and address != seen.payer and after[0] - before[0] >= _ORDER_RENT and not after[1]
        ]
        by = {heirs[0]: -_ORDER_RENT, seen.payer: _ORDER_RENT} if heirs else {}
        changes = tuple(
            (address, before, after and (after[0] + by.get(address, 0), *after[1:]))
            for address, before, after in seen.changes
        )
        return replace(seen, changes=changes)

    return patch.object(svm_ledger, "_landing", landing)


DEFECTS = {
    "a fill is below the rate": Defect(Claim.FILLS_ARE_FAIR, patched=lambda: limit_orders_say(_SLIPPAGE, 5_000)),
    "a fill is after the expiry": Defect(
        Claim.FILLS_ARE_FAIR,
        patched=lambda: the_clock_is_wrong(limit_order_fills.FILL_ORDER, -_HOUR_S),
        drawn={"short_lived": 0.8},
        first=1_022,
    ),
    "a fee is taken twice": Defect(Claim.MOVES_ARE_MEANT, patched=lambda: limit_orders_say(0, 20)),
    "an integrator gets the program's fee": Defect(
        Claim.MOVES_ARE_MEANT, patched=the_program_takes_nothing_itself, drawn={"dca_clients": 0}
    ),
    "a cycle is before its time": Defect(
        Claim.CYCLES_ARE_DUE, patched=lambda: the_clock_is_wrong(dca_cycles.INITIATE_FLASH_FILL, _HOUR_S)
    ),
    "a cycle is made twice": Defect(
        Claim.CYCLES_ARE_DUE, patched=a_cycle_is_forgotten, drawn={"limit_clients": 0}, first=1_001
    ),
    "a close keeps rent": Defect(Claim.MOVES_ARE_MEANT, patched=a_close_keeps_rent),
}


def busy(options: FaultProfile) -> FaultProfile:
    """A run of on-chain orders and keepers with hardly anything beside."""
    return replace(
        options,
        wallets=1,
        pause_ms=2_000,
        price_pause_ms=1_000,
        limit_clients=2,
        dca_clients=2,
        keepers=2,
        on_chain_pause_ms=200,
        keeper_pause_ms=100,
    )


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_caught_by_the_claim_that_it_breaks(name: str) -> None:
    must_be_caught(name, DEFECTS[name], busy)
