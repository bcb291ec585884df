"""Recurring orders over a chain that runs our own program."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message

from countermand.orders.recurring.model.order import RecurringOrder, RecurringTerms
from countermand.orders.recurring.model.refusals import RecurringRefusal, RecurringRefused
from countermand.orders.recurring.service import RecurringService
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import TransactionBuilder
from countermand.services.transactions.client_transactions import Build, ClientTransactions, Executed, Execution
from countermand.services.transactions.landing import ChainLanding
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.port import AccountInfo
from countermand.solana.programs.artifacts import program_builds
from countermand.solana.programs.compile import unsigned_transaction
from countermand.solana.programs.dca import read_dca
from countermand.solana.tokens import (
    SYSTEM_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    associated_token_address,
    read_token_account,
)
from countermand.values.identity import Address, Mint, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.structs import replace
from countermand_simulator.untold import NothingTold
from tests.gifts import faucet_of
from tests.orders.recurring.stage import JUP, SOL, USDC, Drawer, signed
from tests.solana.chain_support import GENESIS, ManualClock, open_chain, transaction_of

LAMPORTS = 10**10
DOLLAR = 10**12
DAY_S = 86_400


class BothClocks:
    """The chain's, as the engine sees it."""

    def __init__(self, chains: ManualClock) -> None:
        self._chains = chains

    def now(self) -> Instant:
        return Instant(self._chains.now_ms())

    def wall_ms(self) -> int:
        return self._chains.wall_ms()

    def elapsed_ms(self) -> int:
        return self.wall_ms()

    async def sleep(self, ms: int) -> None:
        raise AssertionError("nothing sleeps here")


@dataclass
class House:
    chain: EmbeddedChain
    clock: ManualClock
    drawer: Drawer
    orders: RecurringService
    alice: Keypair

    @property
    def wallet(self) -> Wallet:
        return Wallet(str(self.alice.pubkey()))

    async def holds(self, mint: str) -> int:
        (account,) = await self.chain.accounts([associated_token_address(self.wallet, mint)])
        read = None if account is None else read_token_account(account.data)
        return 0 if read is None else read.amount

    async def lamports(self) -> int:
        (account,) = await self.chain.accounts([self.wallet])
        return 0 if account is None else account.lamports

    async def lists(self) -> tuple[RecurringOrder, ...]:
        return (await self.orders.open_orders(self.wallet, 1)).orders

    async def executes(self, built: Build | RecurringRefused) -> Execution:
        assert isinstance(built, Build), built
        transaction = base64.b64encode(unsigned_transaction(built.message)).decode()
        return await self.orders.execute(signed(transaction, self.alice), built.request_id)

    async def opens(self, terms: RecurringTerms) -> Address:
        built = await self.orders.create(terms)
        executed = await self.executes(built)
        assert isinstance(executed, Executed)
        assert executed.error is None
        assert executed.build.order is not None
        return executed.build.order

    def terms(self, sold: str = USDC, bought: str = SOL, amount: int = 104_000_000) -> RecurringTerms:
        return RecurringTerms(
            wallet=self.wallet,
            input_mint=Mint(sold),
            output_mint=Mint(bought),
            amount=BaseUnits(amount),
            cycles=2,
            interval_s=DAY_S,
        )


def orders_over(chain: EmbeddedChain, clock: ManualClock, drawer: Drawer) -> RecurringService:
    clocks = BothClocks(clock)
    prices = {Mint(SOL): UsdPrice(150 * DOLLAR), Mint(USDC): UsdPrice(DOLLAR)}
    builds = ClientTransactions(drawer, ChainLanding(chain), clocks, 1_000)
    blocks = TransactionBuilder(chain, chain, RecentBlockhash(chain, clocks.wall_ms), 200_000)
    return RecurringService(builds, chain, chain, blocks, NothingTold(), clocks, prices.get)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    clock, drawer, alice = ManualClock(), Drawer(), Keypair()
    chain = await open_chain(clock=clock, genesis=replace(GENESIS, programs=program_builds()))
    await faucet_of(chain).airdrop(str(alice.pubkey()), LAMPORTS)
    await faucet_of(chain).mint_to(str(alice.pubkey()), USDC, 10**9)
    yield House(chain, clock, drawer, orders_over(chain, clock, drawer), alice)
    await chain.close()


async def test_an_order_is_opened_listed_and_closed(house: House) -> None:
    order = await house.opens(house.terms())
    assert await house.holds(USDC) == 896_000_000
    (listed,) = await house.lists()
    assert listed == RecurringOrder(
        order=order,
        wallet=house.wallet,
        input_mint=Mint(USDC),
        output_mint=Mint(SOL),
        input_decimals=6,
        output_decimals=9,
        deposited=BaseUnits(104_000_000),
        withdrawn=BaseUnits(0),
        used=BaseUnits(0),
        received=BaseUnits(0),
        paid_out=BaseUnits(0),
        per_cycle=BaseUnits(52_000_000),
        out_min=BaseUnits(0),
        out_max=BaseUnits(0),
        interval_s=DAY_S,
        created_at_s=house.clock.now_ms() // 1000,
        updated_at_s=house.clock.now_ms() // 1000,
        opened_by=listed.opened_by,
    )
    assert listed.opened_by is not None
    opening = await transaction_of(house.chain, listed.opened_by)
    assert opening is not None
    assert opening.error is None

    closed = await house.executes(await house.orders.cancel(order, house.wallet))
    assert isinstance(closed, Executed)
    assert closed.error is None
    assert (await house.holds(USDC), await house.lists()) == (1_000_000_000, ())
    assert await house.orders.cancel(order, house.wallet) == RecurringRefused(RecurringRefusal.ORDER_UNREADABLE)


async def test_lamports_are_wrapped_and_come_back(house: House) -> None:
    before = await house.lamports()
    order = await house.opens(house.terms(SOL, USDC, 10**9))
    (listed,) = await house.lists()
    assert (listed.order, listed.input_decimals, listed.deposited.units) == (order, 9, 10**9)
    assert before - await house.lamports() > 10**9
    await house.executes(await house.orders.cancel(order, house.wallet))
    # Less an empty account for wrapped SOL, and what the network takes for two transactions.
    assert 0 < before - await house.lamports() - TOKEN_ACCOUNT_RENT_LAMPORTS < 100_000


async def test_the_token_account_may_be_gone_when_it_is_closed(house: House) -> None:
    order = await house.opens(house.terms(amount=1_000_000_000))
    account = associated_token_address(house.wallet, USDC)
    await house.chain.put_accounts({account: AccountInfo(0, SYSTEM_PROGRAM, b"", executable=False)})
    closed = await house.executes(await house.orders.cancel(order, house.wallet))
    assert isinstance(closed, Executed)
    assert (closed.error, await house.holds(USDC)) == (None, 1_000_000_000)


async def test_orders_of_one_second_have_addresses_of_their_own(house: House) -> None:
    opened = [await house.opens(house.terms()) for _ in range(3)]
    assert [listed.order for listed in await house.lists()] == opened[::-1]


async def test_a_restart_under_a_frozen_clock_uses_no_address_again(house: House) -> None:
    first = await house.opens(house.terms())
    house.orders = orders_over(house.chain, house.clock, house.drawer)
    second = await house.opens(house.terms())
    assert {listed.order for listed in await house.lists()} == {first, second}


async def test_a_restart_gives_the_address_of_what_is_not_sent_yet_to_no_other_order(house: House) -> None:
    first = await house.orders.create(house.terms())
    house.orders = orders_over(house.chain, house.clock, house.drawer)
    second = await house.orders.create(house.terms(amount=208_000_000))
    third = await house.orders.create(house.terms(amount=312_000_000))
    executed = [await house.executes(each) for each in (second, first, third)]
    assert [isinstance(each, Executed) and each.error for each in executed] == [None] * 3
    assert len(await house.lists()) == 3


async def test_orders_built_at_once_land_each(house: House) -> None:
    built = await asyncio.gather(*(house.orders.create(house.terms()) for _ in range(5)))
    executed = [await house.executes(each) for each in reversed(built)]
    assert [isinstance(each, Executed) and each.error for each in executed] == [None] * 5
    assert len(await house.lists()) == 5


async def test_who_cannot_pay_learns_it_when_it_is_executed(house: House) -> None:
    executed = await house.executes(await house.orders.create(house.terms(amount=1_000_000_001)))
    assert isinstance(executed, Executed)
    assert executed.error == "custom program error code: 6014"
    executed = await house.executes(await house.orders.create(house.terms(SOL, USDC, 11 * 10**9)))
    assert isinstance(executed, Executed)
    assert executed.error == "custom program error code: 1"


async def test_a_cancel_that_was_built_twice_lands_once(house: House) -> None:
    order = await house.opens(house.terms())
    first = await house.orders.cancel(order, house.wallet)
    house.clock.now += 1_000
    house.clock.wall += 1_000
    second = await house.orders.cancel(order, house.wallet)
    landed = await house.executes(first)
    assert isinstance(landed, Executed)
    assert landed.error is None
    assert await house.executes(first) == landed
    late = await house.executes(second)
    assert isinstance(late, Executed)
    assert late.error == "custom program error code: 3012"  # It is gone.
    assert await house.holds(USDC) == 1_000_000_000


async def test_what_the_owner_sends_alone_counts(house: House) -> None:
    built = await house.orders.create(house.terms())
    assert isinstance(built, Build)
    transaction = signed(base64.b64encode(unsigned_transaction(built.message)).decode(), house.alice)
    await house.chain.send(base64.b64decode(transaction))
    await house.chain.settle()
    (listed,) = await house.lists()
    assert listed.order == built.order
    executed = await house.orders.execute(transaction, None)
    assert isinstance(executed, Executed)
    assert (executed.error, executed.signature) == (None, listed.opened_by)


async def test_an_address_that_was_an_order_before_in_the_same_second(house: House) -> None:
    """Its owner signed the opening again, for another blockhash: another transaction opened what is there now."""
    built = await house.orders.create(house.terms())
    assert isinstance(built, Build)
    await house.executes(built)
    await house.executes(await house.orders.cancel(built.order, house.wallet))
    house.clock.wall += 400
    recent = bytes(Hash.from_string((await house.chain.latest_blockhash()).blockhash))
    again = built.message.replace(bytes(Message.from_bytes(built.message).recent_blockhash), recent)
    transaction = signed(base64.b64encode(unsigned_transaction(again)).decode(), house.alice)
    submitted = await house.chain.submit(base64.b64decode(transaction))
    (listed,) = await house.lists()
    assert (submitted.error, listed.order, listed.opened_by) == (None, built.order, submitted.signature)


async def test_an_order_may_begin_later(house: House) -> None:
    second = house.clock.now_ms() // 1000 + DAY_S
    order = await house.opens(replace(house.terms(), starts_at_s=second))
    (account,) = await house.chain.accounts([order])
    read = None if account is None else read_dca(account.data)
    assert read is not None
    assert (read.next_cycle_at, read.idx) == (second, house.clock.now_ms() // 1000)


async def test_another_s_order_is_not_to_be_cancelled(house: House) -> None:
    order = await house.opens(house.terms())
    refused = await house.orders.cancel(order, Wallet(str(Keypair().pubkey())))
    assert refused == RecurringRefused(RecurringRefusal.ORDER_UNREADABLE)


@pytest.mark.parametrize("mint", [SOL, JUP])
async def test_only_orders_of_a_mint(house: House, mint: str) -> None:
    await house.opens(house.terms())
    found = await house.orders.open_orders(house.wallet, 1, Mint(mint))
    assert len(found.orders) == (mint == SOL)
