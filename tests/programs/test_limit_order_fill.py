"""Fills of limit orders on a real virtual machine: what each side gets, at which edge they end, and who is refused."""

import hashlib
import struct
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.transaction_metadata import SimulatedTransactionInfo

from countermand.values.structs import replace
from tests.programs.world import (
    ALICE,
    BOB,
    DCA,
    DCA_KEEPERS,
    EVENT_TAG,
    JUP,
    KEEPER,
    LIMIT,
    LIMIT_EVENTS,
    LIMIT_FEE,
    LIMIT_KEEPERS,
    NOW,
    ORDER_RENT,
    PARTNER,
    SPARKLE,
    SYSTEM,
    TOKEN_2022,
    TOKEN_RENT,
    TOKENS,
    USDC,
    USDT,
    WALLET_LAMPORTS,
    WSOL,
    Limit,
    World,
    ata,
    events,
    keepers_data,
    order_key,
    reads,
    signs,
    token_transfer,
    with_data,
    with_key,
    with_meta,
    with_more,
)

INSUFFICIENT_FUNDS = 1
U64_MAX = 2**64 - 1
ORDER = Limit(making=600_000, taking=300_000)
"""Two of the input for one of the output; a fill pays 10 bps of the output."""


def amounts(world: World, order: Limit) -> tuple[int, ...]:
    """Original making and taking, what is left of both, and what is borrowed."""
    return struct.unpack_from("<QQQQQ", world.account(order.key).data, 208)


def trade(order: Limit, taker: Pubkey, *numbers: int) -> bytes:
    """The published event: what is left of making and taking, and those of the fill."""
    return bytes.fromhex("bddb7fd34ee661ee") + bytes(order.key) + bytes(taker) + struct.pack("<QQQQ", *numbers)


def opened(world: World, order: Limit = ORDER) -> Limit:
    world.does(order.initialize())
    return order


@pytest.mark.parametrize(
    ("name", "discriminator"),
    [
        ("global:fill_order", "e87a7319c78f88a2"),
        ("global:pre_flash_fill_order", "f02f99440dbee12a"),
        ("global:flash_fill_order", "fc681286a44e128c"),
        ("global:cancel_dust_order", "c570bda44f3017f6"),
        ("event:TradeEvent", "bddb7fd34ee661ee"),
        ("event:CancelDustOrderEvent", "7cbe4a1cb128c8dc"),
        ("account:Keepers", "11fb51340700d76d"),
    ],
)
def test_discriminators_begin_the_hash_of_a_name(name: str, discriminator: str) -> None:
    assert hashlib.sha256(name.encode()).hexdigest().startswith(discriminator)


def test_the_keepers_address_is_derived_from_the_program() -> None:
    assert Pubkey.find_program_address([b"keepers"], LIMIT)[0] == LIMIT_KEEPERS


class TestFill:
    def test_the_whole_order_closes_it(self, world: World) -> None:
        order = opened(world)
        told = events(world.does(order.fill(600_000)))
        assert told == [trade(order, BOB, 0, 0, 600_000, 300_000)]
        assert not world.exists(order.key)
        assert not world.exists(order.reserve)
        assert world.tokens(ata(BOB, USDC)) == TOKENS + 600_000
        assert world.tokens(ata(BOB, JUP)) == TOKENS - 300_000
        assert world.tokens(order.maker_output) == TOKENS + 300_000 - 300
        assert world.tokens(order.fee_account) == 300
        assert (world.lamports(ALICE), world.lamports(BOB)) == (WALLET_LAMPORTS, WALLET_LAMPORTS)

    def test_a_part_leaves_the_rest(self, world: World) -> None:
        order = opened(world)
        world.at(NOW + 5)
        told = events(world.does(order.fill(200_000)))
        assert told == [trade(order, BOB, 400_000, 200_000, 200_000, 100_000)]
        assert amounts(world, order) == (600_000, 300_000, 400_000, 200_000, 0)
        created, updated = struct.unpack_from("<qq", world.account(order.key).data, 283)
        assert (created, updated) == (NOW, NOW + 5)
        assert world.tokens(order.reserve) == 400_000
        assert world.tokens(order.maker_output) == TOKENS + 100_000 - 100
        world.does(order.cancel())
        assert world.tokens(order.maker_input) == TOKENS - 200_000

    def test_the_rest_of_the_account_is_as_it_was(self, world: World) -> None:
        order = opened(world, replace(ORDER, expired_at=NOW + 60, slippage=struct.pack("<BH", 1, 69)))
        before = world.account(order.key).data
        world.does(order.fill(2))
        after = world.account(order.key).data
        assert (before[:224], before[240:291], before[299:]) == (after[:224], after[240:291], after[299:])

    def test_several_in_one_transaction(self, world: World) -> None:
        order = opened(world)
        told = events(world.does(order.fill(100_000), order.fill(200_000), order.fill(300_000)))
        assert [struct.unpack_from("<QQQQ", event, 72) for event in told] == [
            (500_000, 250_000, 100_000, 50_000),
            (300_000, 150_000, 200_000, 100_000),
            (0, 0, 300_000, 150_000),
        ]
        assert not world.exists(order.key)

    def test_more_than_the_order_has_is_refused(self, world: World) -> None:
        order = opened(world)
        assert world.refuses(order.fill(600_001)) == 6024
        assert world.refuses(order.fill(U64_MAX)) == 6024
        assert world.refuses(order.fill(0)) == 6024
        assert world.refuses(order.fill(400_000), order.fill(200_001)) == 6024
        assert world.refuses(order.fill(600_000), order.fill(1)) == 3012
        assert amounts(world, order)[2] == 600_000

    def test_a_transaction_that_is_sent_again_fills_another_part_or_none(self, world: World) -> None:
        order = opened(world)
        world.does(order.fill(400_000))
        world.svm.expire_blockhash()
        assert world.refuses(order.fill(400_000)) == 6024
        world.does(order.fill(200_000))
        assert world.refuses(order.fill(200_000)) == 3012

    def test_an_order_that_was_filled_can_be_opened_again(self, world: World) -> None:
        order = opened(world, Limit())
        world.does(order.fill(600), order.initialize(), order.fill(600))

    @pytest.mark.parametrize(("part", "paid"), [(1, 1), (119, 1), (120, 1), (121, 2), (599, 5), (600, 5)])
    def test_what_is_given_is_rounded_up(self, world: World, part: int, paid: int) -> None:
        order = opened(world, Limit())
        world.does(order.fill(part))
        assert world.tokens(order.maker_output) == TOKENS + paid

    def test_many_small_parts_give_no_less_than_one(self, world: World) -> None:
        order = opened(world, Limit(making=7, taking=3))
        for left in reversed(range(7)):
            told = events(world.does(order.fill(1)))
            assert struct.unpack_from("<QQQQ", told[0], 72) == (left, -(-3 * left // 7), 1, 1)
        assert world.tokens(order.maker_output) == TOKENS + 7

    @pytest.mark.parametrize(
        ("making", "taking", "part"),
        [
            (U64_MAX, U64_MAX, U64_MAX),
            (U64_MAX, U64_MAX, U64_MAX - 1),
            (U64_MAX, U64_MAX, 1),
            (U64_MAX, U64_MAX - 1, 2**63 + 1),
            (U64_MAX - 1, U64_MAX, 2**32 + 1),
            (2**63, U64_MAX, 2**63 - 1),
            (U64_MAX, 1, U64_MAX - 1),
            (1, U64_MAX, 1),
            (2**33 + 1, 2**62 + 12345, 2**31 + 7),
        ],
    )
    def test_rates_at_the_edge_of_what_a_number_holds(self, world: World, making: int, taking: int, part: int) -> None:
        order = Limit(making=making, taking=taking)
        world.fund(ALICE, USDC, U64_MAX)
        world.fund(ALICE, JUP, 0)
        world.fund(BOB, JUP, U64_MAX)
        world.fund(BOB, USDC, 0)
        world.does(order.initialize())
        told = events(world.does(order.fill(part)))
        paid, left = -(-taking * part // making), making - part
        assert told == [trade(order, BOB, left, -(-taking * left // making), part, paid)]
        assert world.tokens(order.maker_output) == paid - paid * 10 // 10_000
        assert world.tokens(order.fee_account) == paid * 10 // 10_000
        assert world.tokens(ata(BOB, JUP)) == U64_MAX - paid

    def test_a_taker_pays_what_it_has_or_nothing(self, world: World) -> None:
        order = opened(world, Limit(making=600, taking=U64_MAX))
        assert world.refuses(order.fill(600)) == INSUFFICIENT_FUNDS
        assert world.refuses(order.fill(1)) == INSUFFICIENT_FUNDS


class TestFee:
    def partnered(self, world: World, bps: int | None, **terms: Any) -> Limit:
        order = replace(ORDER, **terms)
        return opened(world, replace(order, fee_bps=bps, referral=world.fund(PARTNER, order.output_mint, 0)))

    def takes(self, world: World, order: Limit) -> tuple[int, int]:
        """What the program itself has got, and what the partner has."""
        return world.tokens(ata(LIMIT_FEE, order.output_mint)), world.tokens(order.fee_account)

    @pytest.mark.parametrize(
        ("bps", "theirs"), [(None, 0), (0, 0), (1, 30), (50, 1_500), (9_989, 299_670), (9_990, 299_700)]
    )
    def test_the_partner_gets_its_own_on_top(self, world: World, bps: int | None, theirs: int) -> None:
        order = self.partnered(world, bps)
        world.does(order.fill(600_000))
        assert self.takes(world, order) == (300, theirs)
        assert world.tokens(order.maker_output) == TOKENS + 300_000 - 300 - theirs
        assert world.tokens(ata(BOB, JUP)) == TOKENS - 300_000

    def test_two_dollars_cost_less(self, world: World) -> None:
        order = self.partnered(world, 50, output_mint=USDT)
        world.does(order.fill(600_000))
        assert self.takes(world, order) == (90, 1_500)

    @pytest.mark.parametrize(
        ("given", "own", "theirs"), [(1, 0, 0), (166, 0, 0), (167, 0, 1), (999, 0, 5), (1_000, 1, 5), (1_001, 1, 5)]
    )
    def test_the_whole_and_the_programs_part_are_rounded_down(
        self, world: World, given: int, own: int, theirs: int
    ) -> None:
        order = self.partnered(world, 50)
        world.does(order.fill(1, given))
        assert self.takes(world, order) == (own, theirs)
        assert own + theirs == given * 60 // 10_000
        assert world.tokens(order.maker_output) == TOKENS + given - own - theirs

    def test_each_part_is_split(self, world: World) -> None:
        order = self.partnered(world, 50)
        for part in (200_000, 200_002, 199_998):
            world.does(order.fill(part))
        assert not world.exists(order.key)
        assert self.takes(world, order) == (100 + 100 + 99, 500 + 500 + 500)
        assert world.tokens(order.maker_output) == TOKENS + 300_000 - 1_799

    def test_a_published_taker_gives_the_whole_to_the_orders_account(self, world: World) -> None:
        order = self.partnered(world, 50)
        world.does(order.fill(300_000, listed=False))
        assert self.takes(world, order) == (0, 900)
        world.does(with_more(order.fill(300_000, listed=False), LIMIT_KEEPERS, ata(LIMIT_FEE, JUP), LIMIT_FEE))
        assert self.takes(world, order) == (0, 1_800), "accounts of a swap that the fill would call"
        assert world.tokens(order.maker_output) == TOKENS + 300_000 - 1_800

    def test_the_programs_account_cannot_be_another(self, world: World) -> None:
        order = self.partnered(world, 50)
        other = world.fund(LIMIT_FEE, JUP, 0, at=Pubkey(bytes([6]) * 32))
        for wrong in (ata(BOB, JUP), ata(PARTNER, JUP), ata(LIMIT_FEE, USDC), LIMIT_FEE, other):
            assert world.refuses(with_key(order.fill(600), 18, wrong)) == 2009
        fill = order.fill(600)
        assert world.refuses(Instruction(LIMIT, bytes(fill.data), fill.accounts[:18])) == 3005
        assert (
            world.refuses(Instruction(LIMIT, bytes(fill.data), [*fill.accounts[:18], reads(ata(LIMIT_FEE, JUP))]))
            == 2000
        )
        world.remove(ata(LIMIT_FEE, JUP))
        assert world.refuses(fill) == 3012
        assert self.takes(world, replace(order, output_mint=USDC))[0] == 0

    def test_an_order_without_a_partner_may_name_it_too(self, world: World) -> None:
        order = opened(world)
        world.does(with_more(order.fill(600_000), LIMIT_FEE, ata(LIMIT_FEE, JUP)))
        assert world.tokens(order.fee_account) == 300

    def test_rates_that_change_later_take_from_the_partner(self, world: World) -> None:
        order = self.partnered(world, 50)
        for own, split in ((5, (5, 55)), (40, (40, 20)), (60, (60, 0)), (700, (60, 0)), (65_535, (60, 0))):
            world.put(LIMIT_FEE, Account(10**7, bytes.fromhex("183796faa81b65b2") + struct.pack("<HH", own, 1), LIMIT))
            before = self.takes(world, order)
            world.does(order.fill(20_000))
            world.svm.expire_blockhash()
            after = self.takes(world, order)
            assert (after[0] - before[0], after[1] - before[1]) == split
        assert world.tokens(order.maker_output) == TOKENS + 5 * (10_000 - 60)

    def test_rates_that_are_none(self, world: World) -> None:
        order = self.partnered(world, 50)
        world.put(LIMIT_FEE, Account(10**7, bytes(12), LIMIT))
        assert world.refuses(order.fill(600)) == 3002
        world.does(order.fill(600, listed=False))

    def test_it_is_rounded_down(self, world: World) -> None:
        order = opened(world)
        world.does(order.fill(1_999))
        assert (world.tokens(order.fee_account), world.tokens(order.maker_output)) == (1, TOKENS + 999)
        world.does(order.fill(1_998))
        assert (world.tokens(order.fee_account), world.tokens(order.maker_output)) == (1, TOKENS + 999 + 999)

    def test_it_goes_to_the_account_that_the_order_names(self, world: World) -> None:
        order = opened(world)
        for wrong in (ata(BOB, JUP), ata(LIMIT_FEE, USDC), ata(ALICE, JUP), LIMIT_FEE):
            assert world.refuses(with_key(order.fill(600), 6, wrong)) == 2001

    def test_an_account_that_is_gone_or_now_holds_something_else(self, world: World) -> None:
        hers = world.fund(PARTNER, JUP, 0, at=Pubkey(bytes([5]) * 32))
        order = opened(world, replace(ORDER, fee_bps=20, referral=hers))
        world.fund(PARTNER, USDC, 0, at=hers)
        assert world.refuses(order.fill(600)) == 2014
        world.remove(hers)
        assert world.refuses(order.fill(600)) == 3012

    def test_a_partner_who_takes_pays_itself(self, world: World) -> None:
        order = opened(world, replace(ORDER, fee_bps=20, referral=ata(BOB, JUP)))
        world.does(order.fill(600_000))
        assert world.tokens(ata(BOB, JUP)) == TOKENS - 300_000 + 600
        assert world.tokens(ata(LIMIT_FEE, JUP)) == 300


class TestSlippage:
    """A fill may give another amount than the rate asks: more always, less by as much as the maker allows."""

    ORDER = replace(ORDER, slippage=struct.pack("<BH", 1, 69))

    def test_more_goes_to_the_maker(self, world: World) -> None:
        order = opened(world)
        told = events(world.does(order.fill(600_000, 310_000)))
        assert told == [trade(order, BOB, 0, 0, 600_000, 310_000)]
        assert world.tokens(order.maker_output) == TOKENS + 310_000 - 310

    def test_less_is_refused_without_one(self, world: World) -> None:
        order = opened(world)
        for taker in (BOB, KEEPER):
            assert world.refuses(order.fill(600_000, 299_999, taker)) == 6025
            assert world.refuses(order.fill(600_000, 0, taker)) == 6025
            assert world.refuses(order.fill(1, 0, taker)) == 6025

    def test_a_keeper_may_use_it_to_its_end(self, world: World) -> None:
        order = opened(world, self.ORDER)
        assert world.refuses(order.fill(600_000, 297_929, KEEPER)) == 6025
        told = events(world.does(order.fill(600_000, 297_930, KEEPER)))
        assert told == [trade(order, KEEPER, 0, 0, 600_000, 297_930)]
        assert world.tokens(order.maker_output) == TOKENS + 297_930 - 297

    def test_what_a_keeper_gives_is_rounded_up_too(self, world: World) -> None:
        order = opened(world, self.ORDER)
        assert world.refuses(order.fill(2_000, 993, KEEPER)) == 6025, "0.69 % less than 1,000 are 993.1"
        world.does(order.fill(2_000, 994, KEEPER))

    def test_a_part_leaves_the_rest_at_the_whole_rate(self, world: World) -> None:
        order = opened(world, self.ORDER)
        world.does(order.fill(200_000, 99_310, KEEPER))
        assert amounts(world, order) == (600_000, 300_000, 400_000, 200_000, 0)

    def test_a_stranger_may_not(self, world: World) -> None:
        order = opened(world, self.ORDER)
        assert world.refuses(order.fill(600_000, 299_999)) == 6010
        world.does(order.fill(600_000, 300_000))

    def test_even_all_of_it_is_not_for_nothing(self, world: World) -> None:
        order = opened(world, replace(ORDER, slippage=struct.pack("<BH", 1, 10_000)))
        assert world.refuses(order.fill(600_000, 0, KEEPER)) == 6025
        world.does(order.fill(600_000, 1, KEEPER))

    def test_who_a_keeper_is_stands_in_the_programs_own_account(self, world: World) -> None:
        order = opened(world, self.ORDER)
        below = order.fill(600_000, 299_999, KEEPER)
        assert world.refuses(order.fill(600_000, 299_999, KEEPER, listed=False)) == 6010
        forged = Pubkey(bytes([9]) * 32)
        world.put(forged, Account(10**7, keepers_data(KEEPER), LIMIT))
        assert world.refuses(with_key(below, 16, forged)) == 6010
        assert world.refuses(with_key(below, 16, DCA_KEEPERS)) == 6010
        for data, owner in (
            (keepers_data(KEEPER), SYSTEM),
            (keepers_data(KEEPER), DCA),
            (keepers_data(), LIMIT),
            (keepers_data(BOB, ALICE), LIMIT),
            (keepers_data(KEEPER)[:47], LIMIT),
            (keepers_data(KEEPER)[:12], LIMIT),
            (b"", LIMIT),
            (bytes(8) + keepers_data(KEEPER)[8:], LIMIT),
            (keepers_data()[:8] + struct.pack("<Q", U64_MAX) + bytes(BOB), LIMIT),
        ):
            world.put(LIMIT_KEEPERS, Account(10**7, data, owner))
            assert world.refuses(below) == 6010, data.hex()

    @pytest.mark.parametrize("length", [1, 7, 9, 16])
    def test_the_swaps_data_is_an_amount_or_nothing(self, world: World, length: int) -> None:
        order = opened(world)
        data = bytes.fromhex("e87a7319c78f88a2") + struct.pack("<QI", 600, length) + b"\xff" * length
        assert world.refuses(with_data(order.fill(600), data)) == 6023

    @pytest.mark.parametrize("length", range(8, 28))
    def test_arguments_that_end_too_early_are_refused(self, world: World, length: int) -> None:
        order = opened(world)
        data = bytes(order.fill(600, 300).data)[:length]
        assert world.refuses(with_data(order.fill(600), data)) == 102

    def test_what_follows_the_arguments_is_ignored(self, world: World) -> None:
        order = opened(world)
        world.does(with_data(order.fill(600), bytes(order.fill(600).data) + b"\1\2\3"))


class TestExpiry:
    @pytest.mark.parametrize(("seconds", "refusal"), [(-1, None), (0, None), (1, 6007), (10**9, 6007)])
    def test_an_order_fills_until_the_second_of_it(self, world: World, seconds: int, refusal: int | None) -> None:
        order = opened(world, replace(ORDER, expired_at=NOW + 100))
        world.at(NOW + 100 + seconds)
        hers = world.fund(ALICE, JUP, TOKENS, at=Pubkey(bytes([3]) * 32))
        by_alice = with_key(order.fill(600_000, taker=ALICE), 4, hers)
        flash = [order.pre_flash(600_000), order.flash(U64_MAX)]
        for fill in (order.fill(600_000), order.fill(600_000, taker=KEEPER), by_alice):
            if refusal is None:
                assert isinstance(world.simulate(fill), SimulatedTransactionInfo)
                assert isinstance(world.simulate(*flash), SimulatedTransactionInfo)
            else:
                assert world.refuses(fill) == refusal
                assert world.refuses(*flash) == refusal

    def test_at_the_very_second_a_stranger_may_fill_and_not_refund(self, world: World) -> None:
        order = opened(world, replace(ORDER, expired_at=NOW + 100))
        world.at(NOW + 100)
        assert world.refuses(order.cancel(BOB)) == 6008
        world.does(order.fill(600_000))
        assert world.refuses(order.cancel(BOB)) == 3012

    def test_after_it_a_partly_filled_order_is_refunded_by_any_wallet(self, world: World) -> None:
        order = opened(world, replace(ORDER, expired_at=NOW + 100))
        world.does(order.fill(200_000))
        world.at(NOW + 101)
        world.does(order.cancel(BOB))
        assert world.tokens(order.maker_input) == TOKENS - 200_000
        assert world.tokens(order.maker_output) == TOKENS + 100_000 - 100
        assert world.lamports(ALICE) == WALLET_LAMPORTS


class TestLamports:
    """An output of SOL comes as lamports where no account of the maker is named."""

    ORDER = replace(ORDER, output_mint=WSOL)

    def test_maker_and_fee_account_get_them_from_the_taker(self, world: World) -> None:
        order = opened(world, self.ORDER)
        told = events(world.does(order.fill(600_000, lamports=True)))
        assert told == [trade(order, BOB, 0, 0, 600_000, 300_000)]
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 299_700
        assert world.lamports(BOB) == WALLET_LAMPORTS - 300_000
        assert world.tokens(order.fee_account) == 300
        assert world.lamports(order.fee_account) == TOKEN_RENT + 300
        assert world.tokens(order.maker_output) == TOKENS

    def test_a_named_account_gets_wrapped_ones(self, world: World) -> None:
        order = opened(world, self.ORDER)
        world.does(order.fill(600_000))
        assert world.tokens(order.maker_output) == TOKENS + 299_700
        assert (world.lamports(ALICE), world.lamports(BOB)) == (WALLET_LAMPORTS, WALLET_LAMPORTS)
        assert world.tokens(order.fee_account) == 300

    @pytest.mark.parametrize("lamports", [False, True])
    def test_a_partner_gets_its_part_wrapped(self, world: World, lamports: bool) -> None:
        order = opened(world, replace(self.ORDER, fee_bps=50, referral=world.fund(PARTNER, WSOL, 0)))
        world.does(order.fill(600_000, lamports=lamports))
        own = ata(LIMIT_FEE, WSOL)
        assert (world.tokens(own), world.lamports(own)) == (300, TOKEN_RENT + 300)
        assert (world.tokens(order.fee_account), world.lamports(order.fee_account)) == (1_500, TOKEN_RENT + 1_500)
        assert world.lamports(ALICE) - WALLET_LAMPORTS == lamports * 298_200
        assert world.lamports(BOB) - WALLET_LAMPORTS == lamports * -300_000

    def test_other_tokens_need_an_account(self, world: World) -> None:
        order = opened(world)
        assert world.refuses(order.fill(600, lamports=True)) == 6004

    def test_a_taker_without_them(self, world: World) -> None:
        order = opened(world, self.ORDER)
        world.put(BOB, Account(1, b"", SYSTEM))
        assert world.refuses(order.fill(600_000, lamports=True)) == INSUFFICIENT_FUNDS

    def test_an_input_of_sol_comes_wrapped(self, world: World) -> None:
        order = opened(world, replace(ORDER, input_mint=WSOL))
        world.does(order.fill(600_000))
        assert world.tokens(ata(BOB, WSOL)) == TOKENS + 600_000
        assert world.lamports(ALICE) == WALLET_LAMPORTS


class TestToken2022:
    def test_both_sides(self, world: World) -> None:
        sold = opened(world, replace(ORDER, input_mint=SPARKLE, input_program=TOKEN_2022))
        bought = opened(world, replace(ORDER, output_mint=SPARKLE, output_program=TOKEN_2022, unique_id=2))
        world.does(sold.fill(600_000), bought.fill(600_000))
        assert world.tokens(ata(BOB, SPARKLE, TOKEN_2022)) == TOKENS + 600_000 - 300_000
        assert world.tokens(ata(ALICE, SPARKLE, TOKEN_2022)) == TOKENS - 600_000 + 299_700
        assert world.lamports(ALICE) == WALLET_LAMPORTS


class TestAccounts:
    def test_the_maker_is_paid_into_its_associated_account(self, world: World) -> None:
        order = opened(world)
        hers = world.fund(ALICE, JUP, 0, at=Pubkey(bytes([3]) * 32))
        assert world.refuses(with_key(order.fill(600), 5, hers)) == 2009
        assert world.refuses(with_key(order.fill(600), 5, ata(BOB, JUP))) == 2015
        assert world.refuses(with_key(order.fill(600), 5, ata(ALICE, USDT))) == 2014
        assert world.refuses(with_meta(order.fill(600), 5, reads(order.maker_output))) == 2000
        world.remove(order.maker_output)
        assert world.refuses(order.fill(600)) == 3012

    def test_the_taker_uses_its_own(self, world: World) -> None:
        order = opened(world)
        fill = order.fill(600)
        assert world.refuses(with_key(fill, 3, ata(ALICE, USDC))) == 2015
        assert world.refuses(with_key(fill, 3, order.reserve)) == 2015
        assert world.refuses(with_key(fill, 3, ata(BOB, USDT))) == 2014
        assert world.refuses(with_key(fill, 4, ata(ALICE, JUP))) == 2015
        assert world.refuses(with_key(fill, 4, ata(BOB, USDC))) == 2014
        assert world.refuses(with_key(fill, 4, BOB)) == 3012

    def test_another_order_or_reserve(self, world: World) -> None:
        order, other = opened(world), opened(world, replace(ORDER, maker=BOB, unique_id=2))
        fill = order.fill(600, taker=KEEPER)
        assert world.refuses(with_key(fill, 2, other.key)) == 2001
        assert world.refuses(with_key(fill, 7, other.reserve)) == 2001
        assert world.refuses(with_key(fill, 1, BOB)) == 2001

    def test_another_mint_or_program(self, world: World) -> None:
        order = opened(world)
        fill = order.fill(600)
        assert world.refuses(with_key(fill, 8, USDT)) == 2001
        assert world.refuses(with_key(fill, 9, TOKEN_2022)) == 2001
        assert world.refuses(with_key(fill, 10, USDT)) == 2001
        assert world.refuses(with_key(fill, 11, TOKEN_2022)) == 2001
        assert world.refuses(with_key(fill, 12, DCA)) == 2012
        assert world.refuses(with_key(fill, 13, TOKEN_2022)) == 3008
        assert world.refuses(with_key(fill, 14, BOB)) == 2006
        assert world.refuses(with_key(fill, 15, DCA)) == 3008

    def test_a_maker_may_fill_its_own_order_from_another_account(self, world: World) -> None:
        order = opened(world)
        assert world.refuses(order.fill(600, taker=ALICE)) == 6025, "what is paid must arrive"
        hers = world.fund(ALICE, JUP, TOKENS, at=Pubkey(bytes([3]) * 32))
        world.does(with_key(order.fill(600, taker=ALICE), 4, hers))
        assert world.tokens(order.maker_output) == TOKENS + 300

    def test_what_is_no_order(self, world: World) -> None:
        order = opened(world)
        world.patch(order.key, 0, bytes(8))
        assert world.refuses(order.fill(600)) == 3002
        world.put(order.key, Account(10**9, world.account(order.key).data[:371], LIMIT))
        assert world.refuses(order.fill(600)) == 3003
        world.put(order.key, Account(10**9, bytes(372), DCA))
        assert world.refuses(order.fill(600)) == 3007

    def test_an_order_at_another_address_than_its_own(self, world: World) -> None:
        order = opened(world)
        elsewhere = Pubkey(bytes([4]) * 32)
        world.put(elsewhere, world.account(order.key))
        assert world.refuses(with_key(order.fill(600), 2, elsewhere)) == 2006

    def test_too_few_are_refused(self, world: World) -> None:
        order = opened(world)
        for instruction, needed in (
            (order.fill(600), 16),
            (order.pre_flash(600), 7),
            (order.flash(600), 13),
            (order.cancel_dust(1), 11),
        ):
            for count in range(needed):
                fewer = Instruction(LIMIT, instruction.data, list(instruction.accounts)[:count])
                assert world.refuses(fewer) == 3005


class TestStrays:
    """Tokens that a stranger sends to a reserve neither stop a fill nor go to the taker."""

    def test_the_order_stays_empty_and_any_wallet_may_clear_it_away(self, world: World) -> None:
        order = opened(world)
        world.does(token_transfer(ata(BOB, USDC), order.reserve, BOB, 1))
        told = events(world.does(order.fill(600_000)))
        assert told == [trade(order, BOB, 0, 0, 600_000, 300_000)]
        assert amounts(world, order) == (600_000, 300_000, 0, 0, 0)
        assert world.refuses(order.fill(1)) == 6024
        world.does(order.cancel(BOB))
        assert world.tokens(order.maker_input) == TOKENS - 600_000 + 1
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    def test_a_stranger_who_clears_it_chooses_nothing(self, world: World) -> None:
        order = opened(world)
        world.does(token_transfer(ata(BOB, USDC), order.reserve, BOB, 1), order.fill(600_000))
        hers = world.fund(ALICE, USDC, 0, at=Pubkey(bytes([3]) * 32))
        assert world.refuses(order.cancel(BOB, to=hers)) == 2009
        assert world.refuses(order.cancel(BOB, to=ata(BOB, USDC))) == 2015

    def test_wrapped_sol_comes_to_the_maker_with_the_rents(self, world: World) -> None:
        order = opened(world, replace(ORDER, input_mint=WSOL))
        world.does(token_transfer(ata(BOB, WSOL), order.reserve, BOB, 7), order.fill(600_000))
        assert not world.exists(order.key)
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 7


class TestFlash:
    """The older pair: the taker gets the input first, and pays in a later instruction of the same transaction."""

    def test_it_does_what_a_fill_does(self, world: World) -> None:
        order = opened(world)
        told = events(world.does(order.pre_flash(600_000), order.flash(300_000)))
        assert told == [trade(order, BOB, 0, 0, 600_000, 300_000)]
        assert not world.exists(order.key)
        assert (world.tokens(ata(BOB, USDC)), world.tokens(ata(BOB, JUP))) == (TOKENS + 600_000, TOKENS - 300_000)
        assert (world.tokens(order.maker_output), world.tokens(order.fee_account)) == (TOKENS + 299_700, 300)
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    def test_the_fee_is_split_as_a_fill_splits_it(self, world: World) -> None:
        own = ata(LIMIT_FEE, JUP)
        order = opened(world, replace(ORDER, fee_bps=50, referral=world.fund(PARTNER, JUP, 0)))
        flash = order.flash(U64_MAX)
        for wrong in (ata(BOB, JUP), ata(PARTNER, JUP), LIMIT_FEE):
            assert world.refuses(order.pre_flash(200_000), with_key(flash, 14, wrong)) == 2009
        world.does(order.pre_flash(200_000), flash)
        assert (world.tokens(own), world.tokens(order.fee_account)) == (100, 500)
        world.does(order.pre_flash(400_000), order.flash(U64_MAX, listed=False))
        assert (world.tokens(own), world.tokens(order.fee_account)) == (100, 500 + 1_200)
        assert world.tokens(order.maker_output) == TOKENS + 300_000 - 1_800

    def test_a_part_leaves_the_rest_and_no_debt(self, world: World) -> None:
        order = opened(world)
        world.does(order.pre_flash(200_000), order.flash(U64_MAX))
        assert amounts(world, order) == (600_000, 300_000, 400_000, 200_000, 0)

    def test_what_was_borrowed_can_be_swapped_before_it_is_paid_for(self, world: World) -> None:
        order = opened(world)
        world.fund(BOB, USDC, 0)
        world.fund(BOB, JUP, 0)
        swap = [
            token_transfer(ata(BOB, USDC), ata(PARTNER, USDC), BOB, 600_000),
            token_transfer(ata(PARTNER, JUP), ata(BOB, JUP), PARTNER, 300_000),
        ]
        world.fund(PARTNER, USDC, 0)
        world.fund(PARTNER, JUP, 300_000)
        world.does(order.pre_flash(600_000), *swap, order.flash(300_000))
        assert world.tokens(order.maker_output) == TOKENS + 299_700

    def test_lamports(self, world: World) -> None:
        order = opened(world, replace(ORDER, output_mint=WSOL))
        world.does(order.pre_flash(600_000), order.flash(300_000, lamports=True))
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 299_700
        assert (world.lamports(BOB), world.tokens(ata(BOB, WSOL))) == (WALLET_LAMPORTS - 300_000, TOKENS)

    def test_a_borrow_is_paid_for_in_the_same_transaction_by_the_same_taker_for_the_same_order(
        self, world: World
    ) -> None:
        order, other = opened(world), opened(world, Limit(unique_id=2))
        borrow = order.pre_flash(600_000)
        assert world.refuses(borrow) == 6014
        assert world.refuses(borrow, order.fill(1)) == 6014
        assert world.refuses(order.flash(U64_MAX), borrow) == 6016, "nothing is borrowed yet"
        assert world.refuses(borrow, other.flash(U64_MAX)) == 6014
        assert world.refuses(borrow, order.flash(U64_MAX, KEEPER)) == 6014
        assert world.refuses(borrow, order.flash(U64_MAX), order.flash(U64_MAX)) == 6014
        assert world.refuses(borrow, order.flash(299_999)) == 6002
        elsewhere = Instruction(DCA, order.flash(U64_MAX).data, list(order.flash(U64_MAX).accounts))
        assert world.refuses(borrow, elsewhere) == 6014, "of this program"
        short = Instruction(LIMIT, bytes(order.flash(U64_MAX).data)[:7], list(order.flash(U64_MAX).accounts))
        assert world.refuses(borrow, short) == 6014
        few = Instruction(LIMIT, order.flash(U64_MAX).data, list(order.flash(U64_MAX).accounts)[:2])
        assert world.refuses(borrow, few) == 6014
        assert amounts(world, order)[2:] == (600_000, 300_000, 0)

    def test_the_other_instructions_wait_for_it(self, world: World) -> None:
        order = opened(world, replace(ORDER, expired_at=NOW + 5))
        for between in (
            order.pre_flash(1),
            order.fill(1),
            order.cancel(),
            order.cancel_dust(U64_MAX),
        ):
            expected = 6016
            assert world.refuses(order.pre_flash(100), between, order.flash(U64_MAX)) == expected
        assert world.refuses(order.pre_flash(100), order.initialize(), order.flash(U64_MAX)) == 0

    def test_amounts(self, world: World) -> None:
        order = opened(world)
        for amount in (0, 600_001, U64_MAX):
            assert world.refuses(order.pre_flash(amount), order.flash(U64_MAX)) == 6016
        for instruction in (order.pre_flash(600), order.flash(600)):
            for length in range(8, 16):
                assert world.refuses(with_data(instruction, bytes(instruction.data)[:length])) == 102

    def test_the_other_instructions_are_read_where_the_runtime_writes_them(self, world: World) -> None:
        order = opened(world)
        forged = Pubkey(bytes([9]) * 32)
        world.put(forged, Account(10**7, bytes(200), SYSTEM))
        assert world.refuses(with_key(order.pre_flash(600), 6, forged), order.flash(U64_MAX)) == 2012

    def test_accounts(self, world: World) -> None:
        order = opened(world)
        borrow, pay = order.pre_flash(600), order.flash(U64_MAX)
        assert world.refuses(with_key(borrow, 3, ata(ALICE, USDC)), pay) == 2015
        assert world.refuses(with_key(borrow, 3, order.reserve), pay) == 2015
        assert world.refuses(with_key(borrow, 4, USDT), pay) == 2001
        assert world.refuses(with_key(borrow, 5, TOKEN_2022), pay) == 2001
        assert world.refuses(with_key(borrow, 2, ata(BOB, USDC)), pay) == 2001
        assert world.refuses(borrow, with_key(pay, 1, BOB)) == 2001
        assert world.refuses(borrow, with_key(pay, 3, ata(BOB, USDC))) == 2001
        assert world.refuses(borrow, with_key(pay, 4, ata(BOB, JUP))) == 2015
        assert world.refuses(borrow, with_meta(pay, 5, reads(LIMIT))) == 6005
        assert world.refuses(borrow, with_key(pay, 6, ata(BOB, JUP))) == 2001
        assert world.refuses(borrow, with_key(pay, 7, TOKEN_2022)) == 2001
        assert world.refuses(borrow, with_key(pay, 8, USDT)) == 2001
        assert world.refuses(borrow, with_key(pay, 9, TOKEN_2022)) == 2001


class TestDust:
    def test_a_keeper_returns_an_order_that_is_worth_less_than_a_dollar(self, world: World) -> None:
        order = opened(world)
        world.does(order.fill(599_999))
        told = events(world.does(order.cancel_dust(2)))
        assert told == [bytes.fromhex("7cbe4a1cb128c8dc") + bytes(order.key) + struct.pack("<Q", 2)]
        assert not world.exists(order.key)
        assert not world.exists(order.reserve)
        assert world.tokens(order.maker_input) == TOKENS - 599_999
        assert (world.lamports(ALICE), world.lamports(KEEPER)) == (WALLET_LAMPORTS, WALLET_LAMPORTS)

    def test_not_one_that_is_worth_more(self, world: World) -> None:
        order = opened(world)
        assert world.refuses(order.cancel_dust(600_000)) == 6026
        assert world.refuses(order.cancel_dust(0)) == 6026
        world.does(order.cancel_dust(600_001))

    def test_only_a_keeper_says_what_a_dollar_is(self, world: World) -> None:
        order = opened(world)
        for signer in (BOB, ALICE):
            assert world.refuses(order.cancel_dust(U64_MAX, signer)) == 6010
        unlisted = Instruction(LIMIT, order.cancel_dust(2).data, list(order.cancel_dust(U64_MAX).accounts)[:11])
        assert world.refuses(unlisted) == 6010

    def test_the_makers_account_is_made_from_the_rents(self, world: World) -> None:
        order = opened(world)
        world.remove(order.maker_input)
        world.does(order.cancel_dust(U64_MAX))
        assert world.tokens(order.maker_input) == 600_000
        assert world.lamports(KEEPER) == WALLET_LAMPORTS
        assert world.lamports(ALICE) == WALLET_LAMPORTS - TOKEN_RENT

    def test_wrapped_sol_stays_wrapped(self, world: World) -> None:
        order = opened(world, replace(ORDER, input_mint=WSOL))
        world.does(order.cancel_dust(U64_MAX))
        assert world.tokens(order.maker_input) == TOKENS

    def test_only_to_the_makers_associated_account(self, world: World) -> None:
        order = opened(world)
        hers = world.fund(ALICE, USDC, 0, at=Pubkey(bytes([3]) * 32))
        for wrong in (hers, ata(KEEPER, USDC), ata(ALICE, USDT)):
            assert world.refuses(with_key(order.cancel_dust(U64_MAX), 4, wrong)) == 2009
        assert world.refuses(with_key(order.cancel_dust(U64_MAX), 1, BOB)) == 2001
        assert world.refuses(with_key(order.cancel_dust(U64_MAX), 3, ata(BOB, USDC))) == 2001

    def test_once(self, world: World) -> None:
        order = opened(world)
        assert world.refuses(order.cancel_dust(U64_MAX), order.cancel_dust(U64_MAX)) == 3012

    @pytest.mark.parametrize("length", range(8, 16))
    def test_its_argument_is_whole(self, world: World, length: int) -> None:
        order = opened(world)
        assert world.refuses(with_data(order.cancel_dust(5), bytes(order.cancel_dust(5).data)[:length])) == 102


def test_a_trade_cannot_be_forged(world: World) -> None:
    data = EVENT_TAG + trade(Limit(), BOB, 0, 0, 600, 5)
    for metas, refusal in (
        ([signs(BOB)], 2006),
        ([reads(LIMIT_EVENTS)], 3010),
        ([reads(LIMIT_EVENTS), signs(KEEPER)], 3010),
        ([], 3005),
    ):
        assert world.refuses(Instruction(LIMIT, data, list[AccountMeta](metas))) == refusal


def test_the_newer_form_of_a_new_order_is_accepted(world: World) -> None:
    """It has nine bytes beyond the parameters of the interface, of unknown meaning."""
    order = Limit(slippage=struct.pack("<BH", 1, 69))
    longer = with_data(order.initialize(), bytes(order.initialize().data) + b"\1" + bytes(range(8)))
    world.does(longer)
    data = world.account(order.key).data
    bump = order_key(ALICE, 77)[1]
    assert data[299:302] == struct.pack("<BH", bump, 69)
    assert world.lamports(order.key) == ORDER_RENT
    world.does(order.fill(600))


def test_keepers_need_not_be_named_by_who_gives_the_rate(world: World) -> None:
    order = opened(world)
    world.remove(LIMIT_KEEPERS)
    world.does(order.fill(600_000, listed=False))
    assert world.tokens(ata(BOB, USDC)) == TOKENS + 600_000
