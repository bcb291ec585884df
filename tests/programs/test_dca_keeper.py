"""What keepers do with recurring orders on a real virtual machine: borrow, repay, pay out, end; what they may not."""

import hashlib
import struct

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from countermand.values.structs import replace
from tests.programs.world import (
    ALICE,
    BOB,
    CAROL,
    DCA,
    DCA_EVENTS,
    DCA_FEE,
    DCA_KEEPERS,
    DCA_RENT,
    EVENT_TAG,
    JUP,
    KEEPER,
    LIMIT,
    LIMIT_KEEPERS,
    NOW,
    PARTNER,
    SECOND_KEEPER,
    SYSTEM,
    TOKEN_2022,
    TOKEN_RENT,
    TOKENS,
    USDC,
    USDT,
    WALLET_LAMPORTS,
    WSOL,
    Recurring,
    World,
    ata,
    events,
    keepers_data,
    reads,
    signs,
    token_transfer,
    with_data,
    with_key,
    with_meta,
)

U64_MAX = 2**64 - 1
ORDER = Recurring(payer=PARTNER)
"""1000 of the input in ten cycles of a minute."""
FEE_ATA = ata(DCA_FEE, JUP)


def opened(world: World, order: Recurring = ORDER) -> Recurring:
    world.does(order.open_v2())
    return order


def state(world: World, order: Recurring) -> dict[str, int]:
    data = world.account(order.key).data
    values = struct.unpack_from("<qQQQQQ", data, 112)
    names = ("next_cycle_at", "in_deposited", "in_withdrawn", "out_withdrawn", "in_used", "out_received")
    (next_amount,) = struct.unpack_from("<Q", data, 176)
    borrowed = struct.unpack_from("<QQ", data, 264)
    return dict(zip(names, values, strict=True)) | {"next_amount": next_amount, "borrowed": sum(borrowed)}


def filled(order: Recurring, used: int, received: int, fee: int) -> list[bytes]:
    """Both published events of a fill."""
    who = bytes(order.user) + bytes(order.key)
    fill = bytes.fromhex("8604113fdd2db1ad") + who + bytes(order.input_mint) + bytes(order.output_mint)
    fill += struct.pack("<QQ", used, received) + bytes(order.output_mint) + struct.pack("<Q", fee)
    return [fill, bytes.fromhex("2a88d874b5d16db5") + who + bytes(order.output_mint) + struct.pack("<Q", fee)]


@pytest.mark.parametrize(
    ("name", "discriminator"),
    [
        ("global:initiate_flash_fill", "8fcd03bfa2d7f531"),
        ("global:fulfill_flash_fill", "7340e24e21d369a2"),
        ("global:transfer", "a334c8e78c0345ba"),
        ("global:end_and_close", "537da645f7fc6785"),
        ("event:Filled", "8604113fdd2db1ad"),
        ("event:CollectedFee", "2a88d874b5d16db5"),
        ("account:Keepers", "11fb51340700d76d"),
    ],
)
def test_discriminators_begin_the_hash_of_a_name(name: str, discriminator: str) -> None:
    assert hashlib.sha256(name.encode()).hexdigest().startswith(discriminator)


def test_the_addresses_in_the_source_are_derived_from_the_program() -> None:
    assert Pubkey.find_program_address([b"keepers"], DCA)[0] == DCA_KEEPERS
    assert Pubkey.find_program_address([b"fee"], DCA)[0] == DCA_FEE


class TestCycle:
    def test_input_goes_out_and_output_comes_in(self, world: World) -> None:
        order = opened(world)
        told = events(world.does(*order.cycle(40_000)))
        assert told == filled(order, 100, 39_960, 40)
        assert state(world, order) == {
            "next_cycle_at": NOW + 60,
            "in_deposited": 1000,
            "in_withdrawn": 0,
            "out_withdrawn": 0,
            "in_used": 100,
            "out_received": 39_960,
            "next_amount": 100,
            "borrowed": 0,
        }
        assert (world.tokens(order.in_ata), world.tokens(order.out_ata)) == (900, 39_960)
        assert world.tokens(FEE_ATA) == 40
        assert world.tokens(ata(KEEPER, USDC)) == TOKENS + 100
        assert world.tokens(ata(KEEPER, JUP)) == TOKENS - 40_000
        assert world.lamports(ALICE) == WALLET_LAMPORTS
        assert world.lamports(KEEPER) == WALLET_LAMPORTS - TOKEN_RENT, "the fee account was missing"

    def test_a_keeper_without_output_swaps_what_it_borrowed(self, world: World) -> None:
        order = opened(world)
        world.fund(KEEPER, USDC, 0)
        world.fund(PARTNER, USDC, 0)
        world.fund(PARTNER, JUP, 500)
        swap = [
            token_transfer(ata(KEEPER, USDC), ata(PARTNER, USDC), KEEPER, 100),
            token_transfer(ata(PARTNER, JUP), order.out_ata, PARTNER, 500),
        ]
        world.does(order.initiate(), *swap, order.fulfill(500))
        assert world.tokens(order.out_ata) == 500

    def test_until_nothing_is_left(self, world: World) -> None:
        order = opened(world)
        for cycle in range(10):
            world.at(NOW + 60 * cycle)
            world.does(*order.cycle(7))
        assert world.tokens(order.in_ata) == 0
        world.at(NOW + 600)
        assert world.refuses(*order.cycle(7)) == 6012
        world.does(order.deposit(50))
        world.does(*order.cycle(7))
        assert state(world, order)["in_used"] == 1050

    def test_is_due_by_its_second_and_once(self, world: World) -> None:
        order = opened(world, replace(ORDER, start_at=NOW + 100))
        for early in (NOW, NOW + 99):
            world.at(early)
            assert world.refuses(*order.cycle(7)) == 6018
        world.at(NOW + 100)
        assert world.refuses(*order.cycle(7), *order.cycle(7)) == 6032
        world.does(*order.cycle(7))
        world.svm.expire_blockhash()
        assert world.refuses(*order.cycle(7)) == 6018
        world.at(NOW + 159)
        assert world.refuses(*order.cycle(7)) == 6018
        world.at(NOW + 160)
        world.does(*order.cycle(7))

    @pytest.mark.parametrize(
        ("at", "following"), [(0, 60), (1, 60), (59, 60), (60, 120), (61, 120), (3_600, 3_660), (2**40, 2**40 + 44)]
    )
    def test_what_was_missed_is_not_made_up_for(self, world: World, at: int, following: int) -> None:
        order = opened(world)
        world.at(NOW + at)
        world.does(*order.cycle(7))
        assert state(world, order)["next_cycle_at"] == NOW + following

    @pytest.mark.parametrize("frequency", [2**62, 2**63 - 2 - NOW - 1])
    def test_a_rhythm_at_the_edge(self, world: World, frequency: int) -> None:
        order = opened(world, replace(ORDER, frequency=frequency))
        world.does(*order.cycle(7))
        assert state(world, order)["next_cycle_at"] == NOW + frequency
        world.at(2**63 - 2)
        assert world.refuses(*order.cycle(7)) == 6022

    @pytest.mark.parametrize(
        ("amount", "per_cycle", "cycles"),
        [
            (1000, 333, [333, 333, 334]),
            (1001, 333, [333, 333, 335]),
            (1002, 333, [333, 333, 333, 3]),
            (199, 100, [100, 99]),
            (1000, 1000, [1000]),
            (5, 1, [1] * 5),
            (5, 2, [2, 3]),
            (7, 2, [2, 2, 3]),
        ],
    )
    def test_the_last_one_takes_what_the_division_left(
        self, world: World, amount: int, per_cycle: int, cycles: list[int]
    ) -> None:
        order = opened(world, replace(ORDER, in_amount=amount, per_cycle=per_cycle))
        for index, used in enumerate(cycles):
            world.at(NOW + 60 * index)
            told = events(world.does(*order.cycle(5_000)))
            assert told == filled(order, used, 4_995, 5)
        assert world.tokens(order.in_ata) == 0

    def test_input_that_a_stranger_sent_is_not_used(self, world: World) -> None:
        order = opened(world, replace(ORDER, in_amount=100))
        world.does(token_transfer(ata(BOB, USDC), order.in_ata, BOB, 50), *order.cycle(7))
        assert world.tokens(order.in_ata) == 50

    def test_output_that_a_stranger_sent_is_not_the_keepers_repayment(self, world: World) -> None:
        order = opened(world)
        gift = token_transfer(ata(BOB, JUP), order.out_ata, BOB, 50)
        world.does(gift)
        assert world.refuses(order.initiate(), order.swap(7), order.fulfill(57)) == 6025
        assert world.refuses(order.initiate(), gift, order.swap(7), order.fulfill(7)) == 6025
        world.does(*order.cycle(7))
        assert state(world, order)["out_received"] == 7

    def test_a_withdrawal_shortens_the_order(self, world: World) -> None:
        order = opened(world)
        world.does(order.withdraw(950))
        told = events(world.does(*order.cycle(10_000)))
        assert told == filled(order, 50, 9_990, 10)

    @pytest.mark.parametrize(("repaid", "fee"), [(1, 0), (999, 0), (1_000, 1), (1_999, 1), (U64_MAX, U64_MAX // 1000)])
    def test_the_fee_is_ten_basis_points_rounded_down(self, world: World, repaid: int, fee: int) -> None:
        order = opened(world)
        world.fund(KEEPER, JUP, U64_MAX)
        assert events(world.does(*order.cycle(repaid))) == filled(order, 100, repaid - fee, fee)
        assert (world.tokens(FEE_ATA), world.tokens(order.out_ata)) == (fee, repaid - fee)


class TestBounds:
    @pytest.mark.parametrize(("repaid", "refusal"), [(1_000, 6045), (1_001, None), (2_002, None), (2_003, 6046)])
    def test_a_cycle_gives_no_less_and_no_more(self, world: World, repaid: int, refusal: int | None) -> None:
        """By what the user gets, without the fee."""
        order = opened(world, replace(ORDER, min_out=1_000, max_out=2_000))
        if refusal is None:
            world.does(*order.cycle(repaid))
        else:
            assert world.refuses(*order.cycle(repaid)) == refusal

    def test_nothing_is_never_enough(self, world: World) -> None:
        order = opened(world)
        assert world.refuses(*order.cycle(0)) == 6020

    @pytest.mark.parametrize(("repaid", "refusal"), [(500, 6045), (501, None), (1_002, None), (1_003, 6046)])
    def test_they_shrink_with_the_last_cycle(self, world: World, repaid: int, refusal: int | None) -> None:
        order = opened(world, replace(ORDER, in_amount=1000, min_out=1_001, max_out=2_002))
        world.does(order.withdraw(950))
        if refusal is None:
            world.does(*order.cycle(repaid))
        else:
            assert world.refuses(*order.cycle(repaid)) == refusal

    def test_at_the_edge_of_what_a_number_holds(self, world: World) -> None:
        order = opened(world, replace(ORDER, in_amount=1000, per_cycle=333, min_out=U64_MAX))
        world.fund(KEEPER, JUP, U64_MAX)
        assert world.refuses(*order.cycle(U64_MAX)) == 6045
        order = opened(world, replace(ORDER, idx=2, in_amount=1000, per_cycle=999, min_out=1, max_out=U64_MAX))
        world.does(*order.cycle(U64_MAX))


class TestRepayment:
    def test_a_borrow_is_repaid_in_the_same_transaction_by_the_same_keeper_for_the_same_order(
        self, world: World
    ) -> None:
        order, other = opened(world), opened(world, replace(ORDER, idx=2))
        world.fund(SECOND_KEEPER, USDC, 0)
        world.fund(SECOND_KEEPER, JUP, TOKENS)
        borrow, swap, repay = order.cycle(7)
        assert world.refuses(borrow) == 6032
        assert world.refuses(borrow, swap) == 6032
        assert world.refuses(swap, repay) == 6039, "nothing is borrowed"
        assert world.refuses(repay, borrow, swap) == 6039
        assert world.refuses(borrow, swap, other.fulfill(7)) == 6032
        assert world.refuses(borrow, swap, order.fulfill(7, SECOND_KEEPER)) == 6032
        assert world.refuses(borrow, swap, repay, repay) == 6032
        assert world.refuses(borrow, borrow, swap, repay) == 6026
        elsewhere = Instruction(LIMIT, repay.data, list(repay.accounts))
        assert world.refuses(borrow, swap, elsewhere) == 6032, "of this program"
        short = Instruction(DCA, bytes(repay.data)[:7], list(repay.accounts))
        assert world.refuses(borrow, swap, short) == 6032
        few = Instruction(DCA, repay.data, list(repay.accounts)[:1])
        assert world.refuses(borrow, swap, few) == 6032
        world.does(borrow, swap, repay)

    def test_two_orders_in_one_transaction(self, world: World) -> None:
        order, other = opened(world), opened(world, replace(ORDER, idx=2))
        world.does(order.initiate(), other.initiate(), order.swap(7), other.swap(8), other.fulfill(8), order.fulfill(7))
        assert (world.tokens(order.out_ata), world.tokens(other.out_ata)) == (7, 8)

    def test_the_output_arrives_as_it_was_said(self, world: World) -> None:
        order = opened(world)
        for said in (6, 8, U64_MAX):
            assert world.refuses(order.initiate(), order.swap(7), order.fulfill(said)) == 6025
        before = order.swap(7)
        assert world.refuses(before, order.initiate(), order.fulfill(7)) == 6025
        assert world.refuses(order.initiate(), order.fulfill(7)) == 2000, "nothing writes the account"
        assert world.refuses(before, order.initiate(), order.swap(1), order.fulfill(8)) == 6025

    def test_a_keeper_that_paid_more_input_than_it_borrowed_is_told(self, world: World) -> None:
        order = opened(world)
        too_much = token_transfer(ata(KEEPER, USDC), ata(BOB, USDC), KEEPER, 101)
        assert world.refuses(order.initiate(), too_much, order.swap(7), order.fulfill(7)) == 6033
        exactly = token_transfer(ata(KEEPER, USDC), ata(BOB, USDC), KEEPER, 100)
        world.does(order.initiate(), exactly, order.swap(7), order.fulfill(7))

    def test_the_other_instructions_wait_for_it(self, world: World) -> None:
        order = opened(world)
        world.does(*order.cycle(1_000))
        world.at(NOW + 60)
        for between in (
            order.deposit(5),
            order.withdraw(5),
            order.withdraw(5, output=True),
            order.close(),
            order.initiate(),
            order.transfer(),
            order.end(),
        ):
            assert world.refuses(order.initiate(), between, order.swap(7), order.fulfill(7)) == 6026
        assert world.refuses(order.initiate(), order.open_v2(), order.swap(7), order.fulfill(7)) == 0

    def test_a_borrow_is_seen_though_both_accounts_were_empty(self, world: World) -> None:
        order = opened(world)
        world.fund(KEEPER, USDC, 0)
        assert world.refuses(order.initiate(), order.close(), order.swap(7), order.fulfill(7)) == 6026

    def test_the_other_instructions_are_read_where_the_runtime_writes_them(self, world: World) -> None:
        order = opened(world)
        forged = Pubkey(bytes([9]) * 32)
        world.put(forged, Account(10**7, bytes(500), SYSTEM))
        borrow, swap, repay = order.cycle(7)
        assert world.refuses(with_key(borrow, 6, forged), swap, repay) == 2012
        assert world.refuses(borrow, swap, with_key(repay, 9, forged)) == 2012


class TestKeepers:
    def test_a_stranger_is_refused(self, world: World) -> None:
        order = opened(world)
        world.fund(CAROL, USDC, 0)
        for stranger in (BOB, ALICE, CAROL):
            assert world.refuses(order.initiate(stranger), order.fulfill(7, stranger)) == 6015
            assert world.refuses(order.initiate(), order.swap(7), order.fulfill(7, stranger), order.fulfill(7)) == 6015
            assert world.refuses(order.transfer(stranger)) == 6015
            assert world.refuses(order.end(stranger)) == 6015

    def test_another_known_one_may(self, world: World) -> None:
        order = opened(world)
        world.fund(SECOND_KEEPER, USDC, 0)
        world.fund(SECOND_KEEPER, JUP, 7)
        world.does(*order.cycle(7, SECOND_KEEPER))

    def test_the_list_is_named_and_the_programs_own(self, world: World) -> None:
        order = opened(world)
        borrow, swap, repay = order.cycle(7)
        unnamed = Instruction(DCA, borrow.data, list(borrow.accounts)[:10])
        assert world.refuses(unnamed, swap, repay) == 6015
        forged = Pubkey(bytes([9]) * 32)
        world.put(forged, Account(10**7, keepers_data(KEEPER), DCA))
        for wrong in (forged, LIMIT_KEEPERS, KEEPER):
            assert world.refuses(with_key(borrow, 10, wrong), swap, repay) == 6015
            assert world.refuses(borrow, swap, with_key(repay, 15, wrong)) == 6015
        assert world.refuses(order.end(named=False)) == 6015
        for data, owner in (
            (keepers_data(KEEPER), LIMIT),
            (keepers_data(), DCA),
            (keepers_data(KEEPER)[:40], DCA),
            (bytes(8) + keepers_data(KEEPER)[8:], DCA),
        ):
            world.put(DCA_KEEPERS, Account(10**7, data, owner))
            assert world.refuses(borrow, swap, repay) == 6015

    def test_accounts_of_a_borrow(self, world: World) -> None:
        order, other = opened(world), opened(world, replace(ORDER, idx=2))
        borrow, swap, repay = order.cycle(7)
        his = world.fund(KEEPER, USDC, 0, at=Pubkey(bytes([3]) * 32))
        for place, key, refusal in (
            (1, other.key, 2009),
            (2, USDT, 2001),
            (3, ata(BOB, USDC), 2015),
            (3, ata(KEEPER, JUP), 2014),
            (3, his, 2009),
            (3, order.in_ata, 2015),
            (4, other.in_ata, 2009),
            (4, order.out_ata, 2009),
            (5, other.out_ata, 2009),
            (7, DCA, 3008),
            (8, TOKEN_2022, 3008),
            (9, DCA, 3008),
        ):
            assert world.refuses(with_key(borrow, place, key), swap, repay) == refusal, (place, key)

    def test_accounts_of_a_repayment(self, world: World) -> None:
        order, other = opened(world), opened(world, replace(ORDER, idx=2))
        borrow, swap, repay = order.cycle(7)
        his = world.fund(KEEPER, USDC, TOKENS, at=Pubkey(bytes([3]) * 32))
        own = world.fund(DCA_FEE, JUP, 0, at=Pubkey(bytes([5]) * 32))
        for place, key, refusal in (
            (2, USDT, 2001),
            (3, USDT, 2001),
            (4, his, 2009),
            (4, ata(BOB, USDC), 2015),
            (5, other.in_ata, 2009),
            (6, other.out_ata, 2009),
            (7, KEEPER, 2006),
            (8, ata(KEEPER, JUP), 2009),
            (8, own, 2009),
            (10, DCA, 3008),
            (11, TOKEN_2022, 3008),
            (12, DCA, 3008),
            (13, KEEPER, 2006),
            (14, LIMIT, 3008),
        ):
            assert world.refuses(borrow, swap, with_key(repay, place, key)) == refusal, (place, key)

    def test_arguments(self, world: World) -> None:
        order = opened(world)
        borrow, swap, repay = order.cycle(7)
        for length in range(8, 16):
            assert world.refuses(borrow, swap, with_data(repay, bytes(repay.data)[:length])) == 102
        world.does(borrow, swap, with_data(repay, bytes(repay.data) + b"more"))

    def test_too_few_accounts_are_refused(self, world: World) -> None:
        order = opened(world)
        for instruction, needed in (
            (order.initiate(), 10),
            (order.fulfill(7), 15),
            (order.transfer(), 12),
            (order.end(), 15),
        ):
            for count in range(needed):
                fewer = Instruction(DCA, instruction.data, list(instruction.accounts)[:count])
                assert world.refuses(fewer) == 3005


class TestTransfer:
    def test_the_user_gets_what_the_order_bought(self, world: World) -> None:
        order = opened(world)
        told = events(world.does(*order.cycle(40_000), order.transfer()))[2:]
        assert told == [bytes.fromhex("c0f1c9d946965af7") + bytes(order.key) + struct.pack("<QQB", 0, 39_960, 0)]
        assert world.tokens(order.user_out) == TOKENS + 39_960
        assert state(world, order)["out_withdrawn"] == 39_960
        assert world.tokens(order.out_ata) == 0

    def test_only_what_it_bought(self, world: World) -> None:
        order = opened(world)
        world.does(token_transfer(ata(BOB, JUP), order.out_ata, BOB, 50))
        assert world.refuses(order.transfer()) == 6035
        world.does(*order.cycle(7))
        world.does(order.withdraw(3, output=True), order.transfer())
        assert world.tokens(order.user_out) == TOKENS + 7
        assert world.refuses(order.transfer()) == 6035

    def test_sol_becomes_lamports(self, world: World) -> None:
        order = opened(world, replace(ORDER, output_mint=WSOL))
        world.does(*order.cycle(40_000))
        before = world.lamports(KEEPER)
        world.does(order.transfer(lamports=True))
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 39_960
        assert world.lamports(KEEPER) == before
        assert world.lamports(order.key) == DCA_RENT
        assert not world.exists(order.intermediate)
        assert (world.tokens(order.out_ata), world.lamports(order.out_ata)) == (0, TOKEN_RENT)
        assert world.tokens(order.user_out) == TOKENS

    @pytest.mark.parametrize("lamports", [1, TOKEN_RENT, 10 * TOKEN_RENT])
    def test_lamports_on_the_way_do_not_stop_it_and_end_with_the_user(self, world: World, lamports: int) -> None:
        order = opened(world, replace(ORDER, output_mint=WSOL))
        world.does(*order.cycle(40_000))
        world.put(order.intermediate, Account(lamports, b"", SYSTEM))
        before = world.lamports(KEEPER)
        world.does(order.transfer(lamports=True))
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 39_960 + lamports
        assert world.lamports(KEEPER) == before

    def test_sol_can_stay_wrapped(self, world: World) -> None:
        order = opened(world, replace(ORDER, output_mint=WSOL))
        world.does(*order.cycle(40_000), order.transfer())
        assert world.tokens(order.user_out) == TOKENS + 39_960

    def test_a_keeper_chooses_nothing(self, world: World) -> None:
        order, other = opened(world), opened(world, replace(ORDER, idx=2))
        world.does(*order.cycle(40_000))
        hers = world.fund(ALICE, JUP, 0, at=Pubkey(bytes([3]) * 32))
        transfer = order.transfer()
        for place, key, refusal in (
            (1, other.key, 2009),
            (2, KEEPER, 6007),
            (3, USDC, 2001),
            (4, other.out_ata, 2009),
            (5, ata(KEEPER, JUP), 2015),
            (5, hers, 2009),
            (5, order.out_ata, 2015),
            (7, DCA, 3008),
            (8, TOKEN_2022, 3008),
            (9, DCA, 3008),
            (10, KEEPER, 2006),
            (11, LIMIT, 3008),
        ):
            assert world.refuses(with_key(transfer, place, key)) == refusal, (place, key)
        assert world.refuses(with_meta(transfer, 5, reads(order.user_out))) == 2000

    def test_it_needs_a_place(self, world: World) -> None:
        order, sol = opened(world), opened(world, replace(ORDER, output_mint=WSOL))
        world.does(*order.cycle(7), *sol.cycle(7))
        assert world.refuses(order.transfer(lamports=True)) == 6011
        assert world.refuses(with_meta(sol.transfer(lamports=True), 6, reads(DCA))) == 6043
        assert world.refuses(with_key(sol.transfer(lamports=True), 6, Pubkey(bytes([4]) * 32))) == 2006
        assert world.refuses(with_meta(sol.transfer(lamports=True), 6, reads(sol.intermediate))) == 2000
        world.remove(order.user_out)
        assert world.refuses(order.transfer()) == 3012


class TestEnd:
    def sold(self, world: World, order: Recurring = ORDER, output: int = 40_000) -> Recurring:
        order = opened(world, replace(order, in_amount=100))
        world.does(*order.cycle(output))
        return order

    def closed(self, order: Recurring, deposited: int, withdrawn: int, received: int) -> bytes:
        terms = bytes(order.user) + bytes(order.key) + struct.pack("<Q", deposited)
        terms += bytes(order.input_mint) + bytes(order.output_mint) + struct.pack("<qQq", 60, 100, NOW)
        return bytes.fromhex("321f579b87dcc3ef") + terms + struct.pack("<QQQB", withdrawn, received, 0, 0)

    def test_the_user_gets_the_rest_and_all_rent(self, world: World) -> None:
        order = self.sold(world)
        before = world.lamports(KEEPER)
        told = events(world.does(order.end()))
        assert told == [self.closed(order, 100, 0, 39_960)]
        for key in (order.key, order.in_ata, order.out_ata):
            assert not world.exists(key)
        assert world.tokens(order.user_out) == TOKENS + 39_960
        assert world.lamports(ALICE) == WALLET_LAMPORTS + DCA_RENT + 2 * TOKEN_RENT
        assert world.lamports(KEEPER) == before

    def test_after_everything_was_paid_out_no_account_is_needed(self, world: World) -> None:
        order = self.sold(world)
        world.does(order.transfer())
        world.remove(order.user_out)
        world.does(order.end(account="none"))
        assert world.lamports(ALICE) == WALLET_LAMPORTS + DCA_RENT + 2 * TOKEN_RENT

    @pytest.mark.parametrize("place", ["user_out", "init"])
    def test_the_users_account_is_made_from_the_rents(self, world: World, place: str) -> None:
        order = self.sold(world)
        world.remove(order.user_out)
        before = world.lamports(KEEPER)
        world.does(order.end(account=place))
        assert world.tokens(order.user_out) == 39_960
        assert world.lamports(KEEPER) == before
        assert world.lamports(ALICE) == WALLET_LAMPORTS + DCA_RENT + TOKEN_RENT

    def test_sol_comes_as_lamports(self, world: World) -> None:
        order = self.sold(world, replace(ORDER, output_mint=WSOL))
        world.does(order.end(account="none"))
        assert world.lamports(ALICE) == WALLET_LAMPORTS + DCA_RENT + 2 * TOKEN_RENT + 39_960

    def test_it_has_sold_everything(self, world: World) -> None:
        order = opened(world)
        for end in (order.end(), order.end(strays=True)):
            assert world.refuses(end) == 6041
        world.does(*order.cycle(7))
        for end in (order.end(), order.end(strays=True)):
            assert world.refuses(end) == 6041
        world.does(order.withdraw(900))
        told = events(world.does(order.end()))
        assert told == [self.closed(order, 1000, 900, 7)]

    def test_input_that_a_stranger_sent_goes_to_the_user(self, world: World) -> None:
        order = self.sold(world)
        world.does(token_transfer(ata(BOB, USDC), order.in_ata, BOB, 5))
        assert world.refuses(order.end()) == 6041
        had = world.tokens(order.user_in)
        hers = world.fund(ALICE, USDC, 0, at=Pubkey(bytes([3]) * 32))
        for wrong, refusal in ((hers, 2009), (ata(KEEPER, USDC), 2015)):
            assert world.refuses(with_key(order.end(strays=True), 16, wrong)) == refusal
        assert world.refuses(with_meta(order.end(strays=True), 16, reads(order.user_in))) == 2000
        world.does(order.end(strays=True))
        assert world.tokens(order.user_in) == had + 5

    def test_both_of_the_users_accounts_are_made_from_the_rents(self, world: World) -> None:
        order = self.sold(world)
        world.does(token_transfer(ata(BOB, USDC), order.in_ata, BOB, 5))
        world.remove(order.user_in)
        world.remove(order.user_out)
        before = world.lamports(KEEPER)
        world.does(order.end(strays=True))
        assert (world.tokens(order.user_in), world.tokens(order.user_out)) == (5, 39_960)
        assert world.lamports(KEEPER) == before
        assert world.lamports(ALICE) == WALLET_LAMPORTS + DCA_RENT

    def test_output_needs_a_place(self, world: World) -> None:
        order = self.sold(world)
        assert world.refuses(order.end(account="none")) == 6011

    def test_a_keeper_chooses_nothing(self, world: World) -> None:
        order, other = self.sold(world), opened(world, replace(ORDER, idx=2))
        hers = world.fund(ALICE, JUP, 0, at=Pubkey(bytes([3]) * 32))
        for place, key, refusal in (
            (1, other.key, 2009),
            (2, USDT, 2001),
            (3, USDT, 2001),
            (4, other.in_ata, 2009),
            (5, other.out_ata, 2009),
            (6, KEEPER, 6007),
            (7, hers, 2009),
            (7, ata(KEEPER, JUP), 2015),
            (10, DCA, 3008),
            (11, TOKEN_2022, 3008),
            (12, DCA, 3008),
            (13, KEEPER, 2006),
            (14, LIMIT, 3008),
        ):
            assert world.refuses(with_key(order.end(), place, key)) == refusal, (place, key)

    def test_once(self, world: World) -> None:
        order = self.sold(world)
        assert world.refuses(order.end(), order.end()) == 3012
        world.does(order.end())
        assert world.refuses(order.close()) == 3012

    def test_the_user_may_be_the_keeper(self, world: World) -> None:
        order = self.sold(world, replace(ORDER, user=KEEPER))
        before = world.lamports(KEEPER)
        world.remove(order.user_out)
        world.does(order.end())
        assert world.lamports(KEEPER) == before + DCA_RENT + TOKEN_RENT


def test_a_fill_cannot_be_forged(world: World) -> None:
    data = EVENT_TAG + filled(Recurring(), 100, 1, 0)[0]
    for metas, refusal in (
        ([signs(KEEPER)], 2006),
        ([reads(DCA_EVENTS)], 3010),
        ([reads(DCA_EVENTS), signs(KEEPER)], 3010),
        ([], 3005),
    ):
        assert world.refuses(Instruction(DCA, data, list[AccountMeta](metas))) == refusal
