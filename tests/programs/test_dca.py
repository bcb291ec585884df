"""The program of recurring orders on a real virtual machine: what it writes, what it moves, and what it refuses."""

import hashlib
import struct

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from tests.programs.world import (
    ALICE,
    BOB,
    DCA,
    DCA_EVENTS,
    DCA_RENT,
    EVENT_TAG,
    JUP,
    LIMIT_EVENTS,
    NATIVE,
    NOW,
    PARTNER,
    SPARKLE,
    SYSTEM,
    TOKEN,
    TOKEN_2022,
    TOKEN_RENT,
    TOKENS,
    USDC,
    WALLET_LAMPORTS,
    WSOL,
    Limit,
    Recurring,
    World,
    ata,
    dca_key,
    events,
    reads,
    signs,
    with_data,
    with_key,
    with_meta,
)

ALREADY_IN_USE = 0
OPENING_RENT = DCA_RENT + 2 * TOKEN_RENT
U64_MAX = 2**64 - 1


def dca_bytes(order: Recurring, **state: int) -> bytes:
    """The published layout, written out; `state` has what is not as at the beginning."""
    data = bytes.fromhex("525d5a7f2865919a") + bytes(order.user) + bytes(order.input_mint) + bytes(order.output_mint)
    data += struct.pack("<Qq", order.idx, state.get("next_cycle_at", NOW))
    names = ("in_deposited", "in_withdrawn", "out_withdrawn", "in_used", "out_received")
    data += struct.pack("<QQQQQ", *(state.get(name, order.in_amount * (name == "in_deposited")) for name in names))
    data += struct.pack("<QqQ", order.per_cycle, order.frequency, order.per_cycle)
    data += bytes(order.in_ata) + bytes(order.out_ata) + struct.pack("<QQ", order.min_out or 0, order.max_out or 0)
    bump = dca_key(order.user, order.input_mint, order.output_mint, order.idx)[1]
    return data + struct.pack("<QQqB", 0, 0, NOW, bump)


def terms(order: Recurring, deposited: int | None = None) -> bytes:
    """What both events about an order's life begin with."""
    data = bytes(order.user) + bytes(order.key) + struct.pack("<Q", deposited or order.in_amount)
    data += bytes(order.input_mint) + bytes(order.output_mint)
    return data + struct.pack("<qQq", order.frequency, order.per_cycle, NOW)


def fill(world: World, order: Recurring, used: int, received: int) -> None:
    """As if a keeper had used so much input, and so much output lay in the order."""
    world.fund(order.key, order.input_mint, order.in_amount - used)
    world.fund(order.key, order.output_mint, received)
    world.patch(order.key, 144, struct.pack("<QQ", used, received))


@pytest.mark.parametrize(
    ("name", "discriminator"),
    [
        ("global:open_dca", "2441b93601d264a3"),
        ("global:open_dca_v2", "8e772b6da2340bb1"),
        ("global:close_dca", "16072162a8b722f3"),
        ("global:deposit", "f223c68952e1f2b6"),
        ("global:withdraw", "b712469c946da122"),
        ("account:Dca", "525d5a7f2865919a"),
        ("event:Opened", "a6ac61094d4cbd6d"),
        ("event:Closed", "321f579b87dcc3ef"),
        ("event:Deposit", "3ecdf2aff4a98834"),
        ("event:Withdraw", "c0f1c9d946965af7"),
    ],
)
def test_discriminators_begin_the_hash_of_a_name(name: str, discriminator: str) -> None:
    assert hashlib.sha256(name.encode()).hexdigest().startswith(discriminator)


class TestOpen:
    def test_escrows_the_input_and_writes_the_order(self, world: World) -> None:
        order = Recurring()
        told = events(world.does(order.open_v2()))
        account = world.account(order.key)
        assert (account.owner, account.lamports, account.data) == (DCA, DCA_RENT, dca_bytes(order))
        assert (world.tokens(order.in_ata), world.tokens(order.out_ata)) == (1000, 0)
        assert world.tokens(order.user_in) == TOKENS - 1000
        assert world.lamports(ALICE) == WALLET_LAMPORTS - OPENING_RENT
        assert told == [bytes.fromhex("a6ac61094d4cbd6d") + terms(order)]

    def test_the_older_form_does_the_same(self, world: World) -> None:
        order = Recurring(min_out=1, max_out=9, start_at=NOW + 5)
        told = events(world.does(order.open()))
        assert world.account(order.key).data == dca_bytes(order, next_cycle_at=NOW + 5)
        assert told == [bytes.fromhex("a6ac61094d4cbd6d") + terms(order)]

    def test_another_wallet_may_pay_for_the_second_form(self, world: World) -> None:
        order = Recurring(payer=PARTNER)
        world.does(order.open_v2())
        assert world.lamports(PARTNER) == WALLET_LAMPORTS - OPENING_RENT
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    @pytest.mark.parametrize(("start", "first"), [(None, 0), (-NOW, 0), (-1, 0), (0, 0), (1, 1), (10**9, 10**9)])
    def test_a_beginning_in_the_past_is_now(self, world: World, start: int | None, first: int) -> None:
        order = Recurring(start_at=None if start is None else NOW + start)
        world.does(order.open_v2())
        assert world.account(order.key).data == dca_bytes(order, next_cycle_at=NOW + first)

    @pytest.mark.parametrize(
        ("order", "refusal"),
        [
            (Recurring(in_amount=0), 6000),
            (Recurring(per_cycle=0), 6001),
            (Recurring(in_amount=99), 6006),
            (Recurring(frequency=29), 6003),
            (Recurring(frequency=0), 6003),
            (Recurring(frequency=-60), 6003),
            (Recurring(min_out=5, max_out=4), 6005),
            (Recurring(output_mint=USDC), 6002),
            (Recurring(in_amount=TOKENS + 1), 6014),
            (Recurring(in_amount=U64_MAX), 6014),
            (Recurring(frequency=2**63 - 1), 6022),
            (Recurring(start_at=2**63 - 30), 6022),
        ],
    )
    def test_terms_that_cannot_be(self, world: World, order: Recurring, refusal: int) -> None:
        assert world.refuses(order.open_v2()) == refusal
        assert world.refuses(order.open()) == refusal

    @pytest.mark.parametrize(
        "order",
        [
            Recurring(in_amount=100),
            Recurring(in_amount=TOKENS, per_cycle=1),
            Recurring(frequency=30),
            Recurring(min_out=5, max_out=5),
            Recurring(min_out=U64_MAX),
            Recurring(min_out=0, max_out=0, start_at=0),
            Recurring(min_out=5, max_out=0),
            Recurring(min_out=0, max_out=5),
            Recurring(idx=U64_MAX),
            Recurring(start_at=2**63 - 61),
        ],
    )
    def test_terms_at_the_edge(self, world: World, order: Recurring) -> None:
        world.does(order.open_v2())

    def test_the_same_order_again_is_refused(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        before = world.account(order.key)
        assert world.refuses(order.open_v2()) == ALREADY_IN_USE
        assert world.refuses(order.open()) == ALREADY_IN_USE
        assert world.account(order.key) == before
        world.does(order.close())
        world.does(order.open())

    @pytest.mark.parametrize("lamports", [1, 890_880, 10 * DCA_RENT])
    def test_lamports_at_its_addresses_do_not_block_it(self, world: World, lamports: int) -> None:
        order = Recurring()
        for key in (order.key, order.in_ata, order.out_ata):
            world.put(key, Account(lamports, b"", SYSTEM))
        world.does(order.open_v2())
        assert world.account(order.key).data == dca_bytes(order)
        world.does(order.close())
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 3 * lamports

    def test_token_accounts_that_a_stranger_made_do_not_block_it(self, world: World) -> None:
        order = Recurring()
        world.fund(order.key, USDC, 7)
        world.fund(order.key, JUP, 8)
        world.does(order.open_v2())
        assert world.account(order.key).data == dca_bytes(order)
        world.does(order.close())
        assert (world.tokens(order.user_in), world.tokens(order.user_out)) == (TOKENS + 7, TOKENS + 8)

    @pytest.mark.parametrize(("asked", "closes"), [(None, False), (False, False), (True, True)])
    def test_the_older_form_can_unwrap_what_is_left(self, world: World, asked: bool | None, closes: bool) -> None:
        order = Recurring(input_mint=WSOL)
        world.does(order.open(asked))
        assert world.exists(order.user_in) is not closes
        returned = (TOKENS - 1000 + TOKEN_RENT) * closes
        assert world.lamports(ALICE) == WALLET_LAMPORTS - OPENING_RENT + returned

    def test_other_tokens_are_not_unwrapped(self, world: World) -> None:
        world.does(Recurring().open(close_wrapped=True))
        assert world.tokens(Recurring().user_in) == TOKENS - 1000

    def test_a_mint_of_token_2022_is_refused(self, world: World) -> None:
        for order in (Recurring(input_mint=SPARKLE), Recurring(output_mint=SPARKLE)):
            assert world.refuses(order.open_v2()) == 3007
            assert world.refuses(with_key(order.open_v2(), 9, TOKEN_2022)) == 3008

    def test_arguments(self, world: World) -> None:
        order = Recurring(min_out=1, max_out=2, start_at=3)
        for instruction in (order.open_v2(), order.open(close_wrapped=True)):
            data = bytes(instruction.data)
            for length in range(len(data)):
                assert world.refuses(with_data(instruction, data[:length])) == (100 if length < 8 else 102)
            for tag in (40, 49, 58, *range(67, len(data))):
                broken = data[:tag] + b"\2" + data[tag + 1 :]
                assert world.refuses(with_data(instruction, broken)) == 102
        world.does(with_data(order.open_v2(), bytes(order.open_v2().data) + b"more"))


class TestDeposit:
    def test_adds_to_the_order(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        told = events(world.does(order.deposit(50)))
        assert world.account(order.key).data == dca_bytes(order, in_deposited=1050)
        assert (world.tokens(order.in_ata), world.tokens(order.user_in)) == (1050, TOKENS - 1050)
        assert told == [bytes.fromhex("3ecdf2aff4a98834") + bytes(order.key) + struct.pack("<Q", 50)]

    def test_amounts(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        assert world.refuses(with_data(order.deposit(5), bytes(order.deposit(5).data)[:-1])) == 102
        assert world.refuses(order.deposit(0)) == 6013
        assert world.refuses(order.deposit(TOKENS - 999)) == 6014
        world.fund(ALICE, USDC, U64_MAX)
        assert world.refuses(order.deposit(U64_MAX - 999)) == 6022
        world.fund(ALICE, USDC, TOKENS)
        world.does(order.deposit(TOKENS))

    def test_only_by_the_user(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        assert world.refuses(with_key(order.deposit(5), 0, BOB)) == 6007


class TestWithdraw:
    def test_takes_input(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        told = events(world.does(order.withdraw(70)))
        assert world.account(order.key).data == dca_bytes(order, in_withdrawn=70)
        assert (world.tokens(order.in_ata), world.tokens(order.user_in)) == (930, TOKENS - 930)
        assert told == [bytes.fromhex("c0f1c9d946965af7") + bytes(order.key) + struct.pack("<QQB", 70, 0, 1)]

    def test_takes_output(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        fill(world, order, used=100, received=40)
        told = events(world.does(order.withdraw(15, output=True)))
        assert world.account(order.key).data == dca_bytes(order, in_used=100, out_received=40, out_withdrawn=15)
        assert (world.tokens(order.out_ata), world.tokens(order.user_out)) == (25, TOKENS + 15)
        assert told == [bytes.fromhex("c0f1c9d946965af7") + bytes(order.key) + struct.pack("<QQB", 0, 15, 1)]

    def test_no_more_than_there_is(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        fill(world, order, used=100, received=40)
        world.fund(order.key, USDC, 5_000)
        world.fund(order.key, JUP, 5_000)
        assert world.refuses(order.withdraw(0)) == 6000
        assert world.refuses(order.withdraw(901)) == 6012
        assert world.refuses(order.withdraw(U64_MAX)) == 6012
        assert world.refuses(order.withdraw(41, output=True)) == 6012
        world.does(order.withdraw(900))
        world.does(order.withdraw(40, output=True))
        assert world.refuses(order.withdraw(1)) == 6012
        assert world.refuses(order.withdraw(1, output=True)) == 6012

    @pytest.mark.parametrize("output", [False, True])
    def test_makes_the_users_account_if_it_is_missing(self, world: World, output: bool) -> None:
        order = Recurring()
        world.does(order.open_v2())
        fill(world, order, used=100, received=40)
        mine = order.user_out if output else order.user_in
        world.remove(mine)
        world.does(order.withdraw(5, output=output))
        assert (world.tokens(mine), world.lamports(ALICE)) == (5, WALLET_LAMPORTS - OPENING_RENT - TOKEN_RENT)

    def test_wrapped_sol_stays_wrapped(self, world: World) -> None:
        order = Recurring(input_mint=WSOL)
        world.does(order.open_v2())
        world.does(order.withdraw(5))
        assert world.tokens(order.user_in) == TOKENS - 995

    def test_needs_an_account_for_what_it_takes(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        fill(world, order, used=100, received=40)
        assert world.refuses(with_meta(order.withdraw(5), 5, reads(DCA))) == 6009
        assert world.refuses(with_meta(order.withdraw(5, output=True), 6, reads(DCA))) == 6011

    def test_takes_from_the_account_that_it_says(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        fill(world, order, used=100, received=40)
        assert world.refuses(with_key(order.withdraw(5), 4, order.out_ata)) == 2009
        assert world.refuses(with_key(order.withdraw(5, output=True), 4, order.in_ata)) == 2009

    def test_arguments(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        withdraw = order.withdraw(5)
        assert world.refuses(with_data(withdraw, bytes(withdraw.data)[:-1])) == 102
        assert world.refuses(with_data(withdraw, bytes(withdraw.data)[:-1] + b"\2")) == 102


class TestClose:
    def test_returns_everything(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        told = events(world.does(order.close()))
        for key in (order.key, order.in_ata, order.out_ata):
            assert not world.exists(key)
        assert (world.tokens(order.user_in), world.tokens(order.user_out)) == (TOKENS, TOKENS)
        assert world.lamports(ALICE) == WALLET_LAMPORTS
        totals = struct.pack("<QQQB", 1000, 0, 1000, 1)
        assert told == [bytes.fromhex("321f579b87dcc3ef") + terms(order) + totals]

    def test_after_fills_withdrawals_and_deposits(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        fill(world, order, used=100, received=40)
        world.does(order.withdraw(200))
        world.does(order.withdraw(15, output=True))
        world.does(order.deposit(50))
        told = events(world.does(order.close()))
        assert (world.tokens(order.user_in), world.tokens(order.user_out)) == (TOKENS - 100, TOKENS + 40)
        totals = struct.pack("<QQQB", 950, 40, 750, 1)
        assert told == [bytes.fromhex("321f579b87dcc3ef") + terms(order, 1050) + totals], "deposited = used + withdrawn"

    @pytest.mark.parametrize("order", [Recurring(input_mint=WSOL), Recurring(output_mint=WSOL)])
    def test_sol_comes_as_lamports_without_an_account_for_it(self, world: World, order: Recurring) -> None:
        world.does(order.open_v2())
        fill(world, order, used=100, received=40)
        world.remove(ata(ALICE, WSOL))
        world.does(order.close())
        sol = 900 if order.input_mint == WSOL else 40
        assert world.tokens(ata(ALICE, WSOL)) == 0, "clients close it in the next instruction, so it is there"
        assert world.lamports(ALICE) == WALLET_LAMPORTS + sol - TOKEN_RENT

    def test_sol_by_its_other_name(self, world: World) -> None:
        """No account can be made for a mint that is not there, and none is needed."""
        order = Recurring(output_mint=WSOL)
        world.does(order.open_v2())
        world.remove(ata(ALICE, WSOL))
        assert world.refuses(with_key(order.close(), 2, NATIVE)) == 2001
        world.does(with_key(order.close(), 3, NATIVE))
        assert not world.exists(ata(ALICE, WSOL))
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    def test_makes_accounts_only_for_what_comes(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        world.remove(order.user_in)
        world.remove(order.user_out)
        world.does(order.close())
        assert world.tokens(order.user_in) == 1000
        assert not world.exists(order.user_out)
        assert world.lamports(ALICE) == WALLET_LAMPORTS - TOKEN_RENT

    def test_the_rent_belongs_to_the_user_even_if_another_wallet_paid_it(self, world: World) -> None:
        order = Recurring(payer=PARTNER)
        world.does(order.open_v2())
        world.does(order.close())
        assert world.lamports(ALICE) == WALLET_LAMPORTS + OPENING_RENT

    def test_works_once(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        assert world.refuses(order.close(), order.close()) == 3012
        world.does(order.close())
        assert world.refuses(order.close()) == 3012
        assert world.refuses(order.deposit(5)) == 3012
        assert world.refuses(order.withdraw(5)) == 3012

    def test_only_by_the_user(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        assert world.refuses(with_key(order.close(), 0, BOB)) == 6007
        assert world.refuses(with_key(order.close(), 6, ata(BOB, USDC))) == 2015
        assert world.refuses(with_key(order.withdraw(5), 5, ata(BOB, USDC))) == 2015

    @pytest.mark.parametrize("offset", [264, 272])
    def test_nothing_moves_while_a_keeper_has_borrowed(self, world: World, offset: int) -> None:
        order = Recurring()
        world.does(order.open_v2())
        world.patch(order.key, offset, b"\1")
        for instruction in (order.close(), order.deposit(5), order.withdraw(5)):
            assert world.refuses(instruction) == 6026


class TestAccountsThatAreNoOrder:
    def instructions(self, order: Recurring) -> list[tuple[Instruction, int]]:
        return [(order.deposit(5), 1), (order.withdraw(5), 1), (order.close(), 1)]

    def test_an_order_of_the_other_program(self, world: World) -> None:
        limit, order = Limit(), Recurring()
        world.does(limit.initialize())
        world.does(order.open_v2())
        for instruction, at in self.instructions(order):
            assert world.refuses(with_key(instruction, at, limit.key)) == 3007

    @pytest.mark.parametrize("size", [0, 8, 288, 290, 10_000])
    def test_of_another_size(self, world: World, size: int) -> None:
        order = Recurring()
        world.does(order.open_v2())
        account = world.account(order.key)
        world.put(order.key, Account(10**9, account.data.ljust(size, b"\0")[:size], DCA))
        for instruction, _ in self.instructions(order):
            assert world.refuses(instruction) == 3003

    def test_with_another_discriminator(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        world.patch(order.key, 0, bytes.fromhex("86addfb94d561c33"))
        for instruction, _ in self.instructions(order):
            assert world.refuses(instruction) == 3002

    def test_at_another_address_than_its_own(self, world: World) -> None:
        order = Recurring()
        world.does(order.open_v2())
        elsewhere = Pubkey(bytes([4]) * 32)
        world.put(elsewhere, world.account(order.key))
        for instruction, at in self.instructions(order):
            assert world.refuses(with_key(instruction, at, elsewhere)) == 2006


def test_a_user_cannot_forge_an_event(world: World) -> None:
    data = EVENT_TAG + bytes.fromhex("321f579b87dcc3ef") + bytes(200)
    assert world.refuses(Instruction(DCA, data, [signs(ALICE)])) == 2006
    assert world.refuses(Instruction(DCA, data, [signs(LIMIT_EVENTS)])) == 2006
    assert world.refuses(Instruction(DCA, data, [reads(DCA_EVENTS)])) == 3010
    assert world.refuses(Instruction(DCA, data, [])) == 3005


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 8, bytes.fromhex("9bc150795b93febb")])
def test_what_it_does_not_know_is_refused(world: World, data: bytes) -> None:
    assert world.refuses(with_data(Recurring().close(), data)) == (100 if len(data) < 8 else 101)


def test_too_few_accounts_are_refused(world: World) -> None:
    order, other = Recurring(), Recurring(idx=3)
    world.does(order.open_v2())
    for instruction in (other.open_v2(), other.open(), order.deposit(5), order.withdraw(5), order.close()):
        for count in range(len(instruction.accounts)):
            fewer = Instruction(DCA, instruction.data, list(instruction.accounts)[:count])
            assert world.refuses(fewer) == 3005


def test_the_program_of_the_tokens_is_the_first_one(world: World) -> None:
    order = Recurring()
    world.does(order.open_v2())
    assert order.close().accounts[9].pubkey == TOKEN
    assert world.refuses(with_key(order.close(), 9, TOKEN_2022)) == 3008
    assert world.refuses(with_key(order.deposit(5), 4, TOKEN_2022)) == 3008
