"""Cancels of limit orders on a real virtual machine: who may, what comes back, and what is no order."""

import struct

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from tests.programs.world import (
    ALICE,
    BOB,
    DCA,
    DCA_EVENTS,
    EVENT_TAG,
    LIMIT,
    LIMIT_EVENTS,
    NOW,
    ORDER_RENT,
    PARTNER,
    TOKEN,
    TOKEN_RENT,
    TOKENS,
    USDC,
    WALLET_LAMPORTS,
    WSOL,
    Limit,
    Recurring,
    World,
    ata,
    events,
    reads,
    signs,
    with_key,
    with_meta,
)


class TestCancel:
    def test_returns_the_tokens_and_both_rents(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        told = events(world.does(order.cancel()))
        assert told == [bytes.fromhex("ae428d1104e0a24d") + bytes(order.key)]
        assert not world.exists(order.key)
        assert not world.exists(order.reserve)
        assert world.tokens(order.maker_input) == TOKENS
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    def test_the_rent_belongs_to_the_maker_even_if_another_wallet_paid_it(self, world: World) -> None:
        order = Limit(payer=PARTNER)
        world.does(order.initialize())
        world.does(order.cancel())
        assert world.lamports(ALICE) == WALLET_LAMPORTS + ORDER_RENT + TOKEN_RENT

    def test_wrapped_sol_comes_as_lamports(self, world: World) -> None:
        order = Limit(input_mint=WSOL)
        world.does(order.initialize())
        world.does(order.cancel(lamports=True))
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 600
        assert world.tokens(order.maker_input) == TOKENS - 600

    def test_wrapped_sol_comes_to_a_token_account(self, world: World) -> None:
        order = Limit(input_mint=WSOL)
        world.does(order.initialize())
        world.put(order.reserve, Account(TOKEN_RENT + 601, world.account(order.reserve).data, TOKEN))
        world.does(order.cancel())
        assert world.tokens(order.maker_input) == TOKENS
        assert world.lamports(order.maker_input) == TOKEN_RENT + TOKENS
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 1, "the lamport that was not wrapped"

    def test_other_tokens_need_an_account(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        assert world.refuses(order.cancel(lamports=True)) == 6003

    def test_works_once(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        assert world.refuses(order.cancel(), order.cancel()) == 3012
        world.does(order.cancel())
        assert world.refuses(order.cancel()) == 3012

    def test_six_in_one_transaction(self, world: World) -> None:
        orders = [Limit(unique_id=n) for n in range(6)]
        world.does(*[order.initialize() for order in orders])
        world.does(*[order.cancel() for order in orders])
        assert (world.tokens(orders[0].maker_input), world.lamports(ALICE)) == (TOKENS, WALLET_LAMPORTS)

    def test_a_maker_with_no_lamports_can_be_cancelled_for(self, world: World) -> None:
        order = Limit(payer=PARTNER, expired_at=NOW)
        world.does(order.initialize())
        world.remove(ALICE)
        world.at(NOW + 1)
        world.does(order.cancel(BOB))
        assert world.lamports(ALICE) == ORDER_RENT + TOKEN_RENT

    def test_a_partly_filled_order_returns_what_is_there(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.fund(order.key, USDC, 150)
        world.patch(order.key, 224, struct.pack("<QQ", 150, 2))
        world.does(order.cancel())
        assert world.tokens(order.maker_input) == TOKENS - 450

    def test_an_empty_reserve_is_closed(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.fund(order.key, USDC, 0)
        world.does(order.cancel())
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    def test_a_reserve_that_is_not_there_is_missed(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.remove(order.reserve)
        assert world.refuses(order.cancel()) == 3012

    def test_not_while_a_keeper_has_borrowed(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.patch(order.key, 240, struct.pack("<Q", 1))
        assert world.refuses(order.cancel()) == 6016


class TestExpiry:
    @pytest.mark.parametrize(("seconds", "refusal"), [(-60, 6008), (-1, 6008), (0, 6008), (1, None), (10**9, None)])
    def test_a_stranger_may_cancel_only_after_it(self, world: World, seconds: int, refusal: int | None) -> None:
        order = Limit(expired_at=NOW + 100)
        world.does(order.initialize())
        world.at(NOW + 100 + seconds)
        if refusal is not None:
            assert world.refuses(order.cancel(BOB)) == refusal
            return
        world.does(order.cancel(BOB))
        assert (world.lamports(ALICE), world.lamports(BOB)) == (WALLET_LAMPORTS, WALLET_LAMPORTS)
        assert world.tokens(order.maker_input) == TOKENS

    @pytest.mark.parametrize("seconds", [-60, 0, 1])
    def test_the_maker_may_always(self, world: World, seconds: int) -> None:
        order = Limit(expired_at=NOW + 100)
        world.does(order.initialize())
        world.at(NOW + 100 + seconds)
        world.does(order.cancel())

    def test_without_one_only_the_maker_may(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.at(2**62)
        assert world.refuses(order.cancel(BOB)) == 6008

    def test_a_stranger_may_not_choose_where_the_tokens_go(self, world: World) -> None:
        order = Limit(expired_at=NOW)
        world.does(order.initialize())
        world.at(NOW + 1)
        hers = world.fund(ALICE, USDC, 0, at=Pubkey(bytes([3]) * 32))
        assert world.refuses(order.cancel(BOB, to=ata(BOB, USDC))) == 2015
        assert world.refuses(order.cancel(BOB, to=hers)) == 2009
        assert world.refuses(with_key(order.cancel(BOB), 1, BOB)) == 2001
        world.does(order.cancel(ALICE, to=hers))
        assert world.tokens(hers) == 600

    def test_a_stranger_may_unwrap_to_the_maker(self, world: World) -> None:
        order = Limit(input_mint=WSOL, expired_at=NOW)
        world.does(order.initialize())
        world.at(NOW + 1)
        world.does(order.cancel(BOB, lamports=True))
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 600
        assert world.lamports(BOB) == WALLET_LAMPORTS


class TestAccountsThatAreNoOrder:
    def test_an_order_of_the_other_program(self, world: World) -> None:
        order, dca = Limit(), Recurring()
        world.does(order.initialize())
        world.does(dca.open_v2())
        assert world.refuses(with_key(order.cancel(), 2, dca.key)) == 3007

    @pytest.mark.parametrize("size", [0, 8, 371, 373, 10_000])
    def test_of_another_size(self, world: World, size: int) -> None:
        order = Limit()
        world.does(order.initialize())
        account = world.account(order.key)
        world.put(order.key, Account(10**9, account.data.ljust(size, b"\0")[:size], LIMIT))
        assert world.refuses(order.cancel()) == 3003

    def test_with_another_discriminator(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.patch(order.key, 0, bytes.fromhex("183796faa81b65b2"))
        assert world.refuses(order.cancel()) == 3002

    def test_with_an_impossible_expiry(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.patch(order.key, 248, b"\2")
        assert world.refuses(order.cancel()) == 3003

    def test_at_another_address_than_its_own(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        elsewhere = Pubkey(bytes([4]) * 32)
        world.put(elsewhere, world.account(order.key))
        assert world.refuses(with_key(order.cancel(), 2, elsewhere)) == 2006
        world.patch(order.key, 299, b"\7")
        assert world.refuses(order.cancel()) == 2006


class TestEvents:
    def event(self, *metas: AccountMeta) -> Instruction:
        return Instruction(LIMIT, EVENT_TAG + bytes.fromhex("ae428d1104e0a24d") + bytes(Limit().key), list(metas))

    def test_a_maker_cannot_forge_one(self, world: World) -> None:
        assert world.refuses(self.event(signs(ALICE))) == 2006
        assert world.refuses(self.event(signs(ALICE), reads(LIMIT_EVENTS))) == 2006
        assert world.refuses(self.event(reads(LIMIT_EVENTS))) == 3010
        assert world.refuses(self.event(reads(LIMIT_EVENTS), signs(ALICE))) == 3010
        assert world.refuses(self.event(signs(DCA_EVENTS))) == 2006
        assert world.refuses(self.event()) == 3005

    def test_the_program_that_hears_it_is_ours(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        assert world.refuses(with_meta(order.cancel(), 7, reads(DCA_EVENTS))) == 2006
        assert world.refuses(with_meta(order.cancel(), 8, reads(DCA))) == 3008
