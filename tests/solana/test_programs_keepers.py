"""The instructions of takers and keepers: the same bytes as those that the tests of the programs write out."""

import struct
from typing import Final

import pytest
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction_metadata import SimulatedTransactionInfo

from countermand.solana.explain import explain
from countermand.solana.programs import dca, dca_cycles, limit_order, limit_order_fills
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message, unsigned_transaction
from countermand.solana.programs.dca import DcaKeys, read_dca, read_event
from countermand.solana.programs.keepers import keepers_accounts, keepers_address, keepers_bytes, read_keepers
from countermand.solana.programs.limit_order import CancelDustOrderEvent, LimitOrderAccount, read_order
from countermand.solana.programs.limit_order_fills import Taking
from countermand.values.structs import replace
from tests.programs.test_limit_order import order_bytes
from tests.programs.world import (
    ALICE,
    BOB,
    DCA_FEE,
    DCA_KEEPERS,
    JUP,
    KEEPER,
    LIMIT_FEE,
    LIMIT_KEEPERS,
    PARTNER,
    TOKENS,
    USDC,
    WSOL,
    Limit,
    Recurring,
    World,
    ata,
    keepers_data,
)

LIMIT: Final = Limit(making=600_000, taking=300_000)
PLAN: Final = Recurring()
KEYS: Final = DcaKeys(dca=str(PLAN.key), user=str(ALICE), input_mint=str(USDC), output_mint=str(JUP))
BLOCKHASH: Final = str(Pubkey(bytes([7]) * 32))


def account_of(limit: Limit) -> LimitOrderAccount:
    order = read_order(order_bytes(limit, fee_bps=10 + (limit.fee_bps or 0), fee_account=limit.fee_account))
    assert order is not None
    return order


def taking(limit: Limit) -> Taking:
    return Taking.of(str(BOB), str(limit.key), account_of(limit))


def told(instruction: Instruction) -> str:
    message = compile_message([instruction], str(instruction.accounts[0].pubkey), BLOCKHASH, KeyOrder.RUST)
    return explain(unsigned_transaction(message))[-1]


OF_SOL: Final = replace(LIMIT, output_mint=WSOL)
PARTNERED: Final = replace(LIMIT, fee_bps=50, referral=ata(PARTNER, JUP))


@pytest.mark.parametrize(
    ("built", "written_out"),
    [
        (limit_order_fills.fill_order(taking(LIMIT), 5), LIMIT.fill(5)),
        (limit_order_fills.fill_order(taking(LIMIT), 5, 9), LIMIT.fill(5, 9)),
        (limit_order_fills.fill_order(taking(OF_SOL), 5), OF_SOL.fill(5, lamports=True)),
        (limit_order_fills.fill_order(taking(PARTNERED), 5, 9), PARTNERED.fill(5, 9)),
        (limit_order_fills.pre_flash_fill_order(taking(LIMIT), 5), LIMIT.pre_flash(5)),
        (limit_order_fills.flash_fill_order(taking(LIMIT), 5), LIMIT.flash(5)),
        (limit_order_fills.flash_fill_order(taking(OF_SOL), 5), OF_SOL.flash(5, lamports=True)),
        (limit_order_fills.flash_fill_order(taking(PARTNERED), 5), PARTNERED.flash(5)),
        (
            limit_order_fills.cancel_dust_order(str(KEEPER), str(LIMIT.key), account_of(LIMIT), 5),
            LIMIT.cancel_dust(5),
        ),
        (dca_cycles.initiate_flash_fill(KEYS, str(KEEPER)), PLAN.initiate()),
        (dca_cycles.fulfill_flash_fill(KEYS, str(KEEPER), 5), PLAN.fulfill(5)),
        (dca_cycles.transfer(KEYS, str(KEEPER), lamports=False), PLAN.transfer()),
        (dca_cycles.transfer(KEYS, str(KEEPER), lamports=True), PLAN.transfer(lamports=True)),
        (dca_cycles.end_and_close(KEYS, str(KEEPER)), PLAN.end(strays=True)),
    ],
)
def test_they_are_as_written_out(built: Instruction, written_out: Instruction) -> None:
    assert built.program_id == written_out.program_id
    assert bytes(built.data) == bytes(written_out.data)
    assert list(built.accounts) == list(written_out.accounts)


def test_the_lists_of_keepers() -> None:
    assert keepers_address(limit_order.PROGRAM) == str(LIMIT_KEEPERS)
    assert keepers_address(dca.PROGRAM) == str(DCA_KEEPERS)
    data = keepers_data(KEEPER, ALICE)
    assert keepers_bytes([str(KEEPER), str(ALICE)]) == data
    assert read_keepers(data + b"more") == (str(KEEPER), str(ALICE))
    accounts = keepers_accounts([limit_order.PROGRAM, dca.PROGRAM], [str(KEEPER)])
    assert {key: (info.owner, info.data) for key, info in accounts.items()} == {
        str(LIMIT_KEEPERS): (limit_order.PROGRAM, keepers_data(KEEPER)),
        str(DCA_KEEPERS): (dca.PROGRAM, keepers_data(KEEPER)),
    }


@pytest.mark.parametrize("data", [b"", keepers_data()[:15], keepers_data(KEEPER)[:-1], bytes(48), b"\0" * 16])
def test_bytes_that_are_no_list(data: bytes) -> None:
    assert read_keepers(data) is None


class TestRates:
    @pytest.mark.parametrize(("making", "slippage", "asked", "least"), [(1, 0, 1, 1), (2, 69, 1, 1), (7, 69, 4, 4)])
    def test_of_parts(self, making: int, slippage: int, asked: int, least: int) -> None:
        order = replace(account_of(LIMIT), slippage_bps=slippage)
        assert limit_order_fills.asked_for(order, making) == asked
        assert limit_order_fills.least_for(order, making) == least

    @pytest.mark.parametrize("slippage", [0, 1, 69, 5_000, 10_000])
    @pytest.mark.parametrize("making", [1, 2, 12_345, 600_000])
    def test_the_program_takes_the_least_and_no_less(self, world: World, making: int, slippage: int) -> None:
        limit = replace(LIMIT, slippage=struct.pack("<BH", 1, slippage))
        world.does(limit.initialize())
        order = read_order(world.account(limit.key).data)
        assert order is not None
        least = limit_order_fills.least_for(order, making)
        assert world.refuses(limit.fill(making, least - 1, KEEPER)) == 6025
        world.does(limit.fill(making, least, KEEPER))
        assert world.tokens(limit.fee_account) == limit_order_fills.fee_of(order, least)

    @pytest.mark.parametrize("given", [300_000, 166, 167, 1_999])
    def test_the_whole_fee_is_what_the_program_takes(self, world: World, given: int) -> None:
        limit = replace(PARTNERED, referral=world.fund(PARTNER, JUP, 0))
        world.does(limit.initialize())
        order = read_order(world.account(limit.key).data)
        assert order is not None
        world.does(limit.fill(1, given))
        fees = world.tokens(limit.fee_account) + world.tokens(ata(LIMIT_FEE, JUP))
        assert fees == limit_order_fills.fee_of(order, given)

    @pytest.mark.parametrize(("amount", "per_cycle"), [(1000, 333), (1002, 333), (199, 100), (5, 2), (100, 100)])
    def test_cycles_are_as_the_program_counts_them(self, world: World, amount: int, per_cycle: int) -> None:
        plan = replace(PLAN, in_amount=amount, per_cycle=per_cycle, min_out=10, max_out=20)
        world.does(plan.open_v2())
        while world.tokens(plan.in_ata):
            order = read_dca(world.account(plan.key).data)
            assert order is not None
            used = dca_cycles.cycle_amount(order)
            world.at(order.next_cycle_at)
            for repaid in (1, 2, 5, 9, 10, 11, 20, 21, 25):
                received = repaid - dca_cycles.fee_of(repaid)
                goes = isinstance(world.simulate(*plan.cycle(repaid)), SimulatedTransactionInfo)
                assert goes is dca_cycles.is_within_bounds(order, used, received), repaid
            before = world.tokens(plan.in_ata)
            world.does(*plan.cycle(max(1, 20 * used // per_cycle)))
            assert before - world.tokens(plan.in_ata) == used


@pytest.fixture
def world() -> World:
    return World()


def test_the_event_of_dust() -> None:
    data = bytes.fromhex("7cbe4a1cb128c8dc") + bytes(LIMIT.key) + struct.pack("<Q", 7)
    assert limit_order.read_event(data + b"more") == CancelDustOrderEvent(str(LIMIT.key), 7)
    assert limit_order.read_event(data[:-1]) is None
    assert read_event(data) is None


def test_a_fill_fits_a_transaction() -> None:
    fills = [limit_order_fills.fill_order(taking(replace(LIMIT, unique_id=each)), 5) for each in range(2)]
    message = compile_message([*Budget(1, 1).instructions(), *fills], str(BOB), BLOCKHASH, KeyOrder.RUST)
    assert len(unsigned_transaction(message)) < 1_232
    assert Message.from_bytes(message).header.num_required_signatures == 1


B_USDC, B_JUP, A_JUP = ata(BOB, USDC), ata(BOB, JUP), ata(ALICE, JUP)
K_USDC = ata(KEEPER, USDC)


@pytest.mark.parametrize(
    ("instruction", "sentence"),
    [
        (
            LIMIT.fill(5_000),
            (
                f"0. Trigger v1: {BOB} fills 0.005 USDC of {ALICE}'s order {LIMIT.key}, which go to {B_USDC} (the "
                f"payer's USDC account), for what the order asks for it in JUP: it goes to {A_JUP} (the JUP account of "
                f"{ALICE}), less the fee for {LIMIT.fee_account}."
            ),
        ),
        (
            OF_SOL.fill(5_000, 10**9, lamports=True),
            (
                f"0. Trigger v1: {BOB} fills 0.005 USDC of {ALICE}'s order {OF_SOL.key}, which go to {B_USDC} (the "
                f"payer's USDC account), for 1 SOL: it goes to {ALICE} as lamports, less the fee for "
                f"{OF_SOL.fee_account}."
            ),
        ),
        (
            PARTNERED.fill(5_000, 9_000_000),
            (
                f"0. Trigger v1: {BOB} fills 0.005 USDC of {ALICE}'s order {LIMIT.key}, which go to {B_USDC} (the "
                f"payer's USDC account), for 9 JUP: it goes to {A_JUP} (the JUP account of {ALICE}), less the fee for "
                f"{ata(PARTNER, JUP)}, of which the program's own part goes to {ata(LIMIT_FEE, JUP)}."
            ),
        ),
        (
            PARTNERED.fill(5_000, 9_000_000, listed=False),
            (
                f"0. Trigger v1: {BOB} fills 0.005 USDC of {ALICE}'s order {LIMIT.key}, which go to {B_USDC} (the "
                f"payer's USDC account), for 9 JUP: it goes to {A_JUP} (the JUP account of {ALICE}), less the fee for "
                f"{ata(PARTNER, JUP)}."
            ),
        ),
        (
            LIMIT.pre_flash(5_000),
            (
                f"0. Trigger v1: {BOB} borrows 0.005 USDC from the order {LIMIT.key}, to {B_USDC} (the payer's USDC "
                "account), and must pay for it further on."
            ),
        ),
        (
            LIMIT.flash(TOKENS),
            (
                f"0. Trigger v1: {BOB} pays for what it borrowed from {ALICE}'s order {LIMIT.key}, at most 1 JUP: it "
                f"goes to {A_JUP} (the JUP account of {ALICE}), less the fee for {LIMIT.fee_account}."
            ),
        ),
        (
            PARTNERED.flash(TOKENS),
            (
                f"0. Trigger v1: {BOB} pays for what it borrowed from {ALICE}'s order {LIMIT.key}, at most 1 JUP: it "
                f"goes to {A_JUP} (the JUP account of {ALICE}), less the fee for {ata(PARTNER, JUP)}, of which the "
                f"program's own part goes to {ata(LIMIT_FEE, JUP)}."
            ),
        ),
        (
            LIMIT.cancel_dust(TOKENS),
            (
                f"0. Trigger v1: {KEEPER} returns {ALICE}'s order {LIMIT.key} if it has less than one dollar, 1 USDC: "
                f"the USDC in {LIMIT.reserve} goes to {ata(ALICE, USDC)} (the USDC account of {ALICE}), and the rents "
                f"go to {ALICE}."
            ),
        ),
        (
            PLAN.initiate(),
            (
                f"0. Recurring v1: the keeper {KEEPER} borrows the USDC of a cycle from the recurring order "
                f"{PLAN.key}, to {K_USDC} (the payer's USDC account), and must repay it further on."
            ),
        ),
        (
            PLAN.fulfill(TOKENS),
            (
                f"0. Recurring v1: the keeper {KEEPER} has brought 1 JUP for a cycle of the recurring order "
                f"{PLAN.key}, of which the fee goes to {ata(DCA_FEE, JUP)} (the JUP account of {DCA_FEE})."
            ),
        ),
        (
            PLAN.transfer(),
            (
                f"0. Recurring v1: the keeper {KEEPER} pays out the JUP that the recurring order {PLAN.key} bought, to "
                f"{A_JUP} (the JUP account of {ALICE})."
            ),
        ),
        (
            PLAN.transfer(lamports=True),
            (
                f"0. Recurring v1: the keeper {KEEPER} pays out the JUP that the recurring order {PLAN.key} bought, to "
                f"{ALICE} as lamports."
            ),
        ),
        (
            PLAN.end(),
            (
                f"0. Recurring v1: the keeper {KEEPER} closes the recurring order {PLAN.key}, which has sold "
                f"everything: the JUP that it still has goes to {A_JUP} (the JUP account of {ALICE}), and the rents go "
                f"to {ALICE}."
            ),
        ),
    ],
)
def test_they_are_explained(instruction: Instruction, sentence: str) -> None:
    assert told(instruction) == sentence
