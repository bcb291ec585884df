"""What the builders make lands on a chain that runs our own programs, and what it leaves there is read back."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.genesis import mint_account
from countermand.solana.ledger import LedgerTransaction
from countermand.solana.port import AccountInfo
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.artifacts import program_builds
from countermand.solana.programs.compile import Budget, fits_packet, unsigned_transaction
from countermand.solana.programs.dca import (
    DcaBalance,
    DcaClosed,
    DcaDeposited,
    DcaOpened,
    DcaWithdrawn,
    NewDca,
    read_dca,
)
from countermand.solana.programs.limit_order import (
    Cancellation,
    CancelOrderEvent,
    CreateOrderEvent,
    NewOrder,
    read_order,
)
from countermand.solana.tokens import (
    JUP_MINT,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    USDC_MINT,
    associated_token_address,
    read_token_account,
    token_account_bytes,
)
from countermand.values.structs import replace
from tests.gifts import faucet_of
from tests.solana.chain_support import GENESIS, ManualClock, open_chain, transaction_of, wallet

ALICE, BOB = wallet(1), wallet(2)
MAKER, PAYER = str(ALICE.pubkey()), str(BOB.pubkey())
NOW = 1_700_000_000
BUDGET = Budget(400_000, 0)
LAMPORTS = 10**10


RENTS = 3_480_000 + TOKEN_ACCOUNT_RENT_LAMPORTS
"""Of an order and its reserve."""


def amount(data: bytes) -> int | None:
    account = read_token_account(data)
    return None if account is None else account.amount


@dataclass
class World:
    chain: EmbeddedChain
    clock: ManualClock

    async def lands(self, message: bytes, *signers: Keypair) -> LedgerTransaction:
        """The transaction as it landed, without error."""
        landed = await self.submits(message, *signers)
        assert landed.error is None, landed.logs
        return landed

    async def submits(self, message: bytes, *signers: Keypair) -> LedgerTransaction:
        assert fits_packet(message)
        keys = {str(each.pubkey()): each for each in signers}
        parsed = Message.from_bytes(message)
        signed = [
            keys[str(each)].sign_message(message)
            for each in parsed.account_keys[: parsed.header.num_required_signatures]
        ]
        raw = bytes(VersionedTransaction.populate(parsed, signed))
        assert len(raw) == len(unsigned_transaction(message))
        submitted = await self.chain.submit(raw)
        assert submitted.landed, submitted.dropped
        landed = await transaction_of(self.chain, submitted.signature)
        assert landed is not None
        return landed

    async def blockhash(self) -> str:
        return (await self.chain.latest_blockhash()).blockhash

    async def holds(self, owner: str, mint: str) -> int | None:
        (info,) = await self.chain.accounts([associated_token_address(owner, mint)])
        return None if info is None else amount(info.data)

    async def lamports(self, address: str) -> int:
        (info,) = await self.chain.accounts([address])
        return 0 if info is None else info.lamports

    async def data(self, address: str) -> bytes:
        (info,) = await self.chain.accounts([address])
        return b"" if info is None else info.data


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    clock = ManualClock()
    chain = await open_chain(clock=clock, genesis=replace(GENESIS, programs=program_builds()))
    for owner in (MAKER, PAYER):
        await faucet_of(chain).airdrop(owner, LAMPORTS)
    await faucet_of(chain).mint_to(MAKER, USDC_MINT, 10**9)
    yield World(chain, clock)
    await chain.close()


def order(number: int, input_mint: str = USDC_MINT, output_mint: str = SOL_MINT) -> NewOrder:
    return NewOrder(
        maker=MAKER,
        payer=MAKER,
        unique_id=number,
        input_mint=input_mint,
        output_mint=output_mint,
        making_amount=10**7,
        taking_amount=3 * 10**6,
    )


async def test_an_order_with_a_payer_and_an_expiry_is_created_read_and_cancelled(world: World) -> None:
    new = replace(order(7), payer=PAYER, expired_at=NOW + 60)
    created = await world.lands(limit_order.create_message(new, BUDGET, await world.blockhash()), ALICE, BOB)
    (event,) = limit_order.events_of(created)
    assert isinstance(event, CreateOrderEvent)
    assert (event.order, event.maker, event.making_amount, event.expired_at) == (new.address, MAKER, 10**7, NOW + 60)
    seen = read_order(await world.data(new.address))
    assert seen is not None
    assert (seen.maker, seen.input_mint, seen.output_mint) == (MAKER, USDC_MINT, SOL_MINT)
    assert (seen.unique_id, seen.ori_making_amount, seen.making_amount) == (7, 10**7, 10**7)
    assert (seen.ori_taking_amount, seen.taking_amount, seen.borrow_making_amount) == (3 * 10**6, 3 * 10**6, 0)
    assert (seen.expired_at, seen.created_at, seen.updated_at) == (NOW + 60, NOW, NOW)
    assert seen.bump == limit_order.order_address(MAKER, 7)[1]
    assert seen.input_mint_reserve == limit_order.reserve_of(new.address, USDC_MINT)
    assert limit_order.order_bytes(seen) == await world.data(new.address)
    assert (await world.holds(new.address, USDC_MINT), await world.lamports(MAKER)) == (10**7, LAMPORTS)

    cancel = Cancellation.to_maker(new.address, MAKER, USDC_MINT)
    cancelled = await world.lands(limit_order.cancel_message([cancel], BUDGET, await world.blockhash()), ALICE)
    assert list(limit_order.events_of(cancelled)) == [CancelOrderEvent(new.address)]
    assert (await world.holds(MAKER, USDC_MINT), await world.data(new.address)) == (10**9, b"")


@pytest.mark.parametrize(("payer", "signers", "gift"), [(MAKER, [ALICE], -5_000), (PAYER, [ALICE, BOB], RENTS)])
async def test_sol_is_wrapped_for_the_order_and_comes_back_as_lamports(
    world: World, payer: str, signers: list[Keypair], gift: int
) -> None:
    """The rents come back to the maker, also if another paid them; the maker pays for the cancel."""
    new = replace(order(1, SOL_MINT, USDC_MINT), payer=payer)
    await world.lands(limit_order.create_message(new, BUDGET, await world.blockhash()), *signers)
    assert (await world.holds(new.address, SOL_MINT), await world.holds(MAKER, SOL_MINT)) == (10**7, None)
    cancel = Cancellation.to_maker(new.address, MAKER, SOL_MINT)
    await world.lands(limit_order.cancel_message([cancel], BUDGET, await world.blockhash()), ALICE)
    assert await world.lamports(MAKER) == LAMPORTS - 5_000 + gift


async def test_an_order_of_a_token_2022_mint(world: World) -> None:
    mint = str(Keypair.from_seed(bytes([9] * 32)).pubkey())
    own = associated_token_address(MAKER, mint, TOKEN_2022_PROGRAM)
    held = token_account_bytes(mint=mint, owner=MAKER, amount=10**7)
    await world.chain.put_accounts(
        {
            mint: replace(mint_account(None, 3), owner=TOKEN_2022_PROGRAM),
            own: AccountInfo(TOKEN_ACCOUNT_RENT_LAMPORTS, TOKEN_2022_PROGRAM, held, executable=False),
        }
    )
    new = replace(order(1), input_mint=mint, input_program=TOKEN_2022_PROGRAM)
    await world.lands(limit_order.create_message(new, BUDGET, await world.blockhash()), ALICE)
    assert amount(await world.data(own)) == 0
    assert amount(await world.data(limit_order.reserve_of(new.address, mint, TOKEN_2022_PROGRAM))) == 10**7
    cancel = Cancellation.to_maker(new.address, MAKER, mint, TOKEN_2022_PROGRAM, creates=True)
    await world.lands(limit_order.cancel_message([cancel], BUDGET, await world.blockhash()), ALICE)
    assert amount(await world.data(own)) == 10**7


async def test_five_orders_are_cancelled_at_once_within_the_published_limit(world: World) -> None:
    orders = [order(number) for number in range(5)]
    for each in orders:
        await world.lands(limit_order.create_message(each, BUDGET, await world.blockhash()), ALICE)
    cancels = [Cancellation.to_maker(each.address, MAKER, USDC_MINT) for each in orders]
    budget = Budget(5 * limit_order.UNITS_OF_A_CANCEL, 0)
    landed = await world.lands(limit_order.cancel_message(cancels, budget, await world.blockhash()), ALICE)
    assert list(limit_order.events_of(landed)) == [CancelOrderEvent(each.address) for each in orders]
    assert await world.holds(MAKER, USDC_MINT) == 10**9


async def test_an_account_that_is_gone_is_created_by_the_cancel(world: World) -> None:
    await faucet_of(world.chain).mint_to(MAKER, JUP_MINT, 10**7)
    new = order(1, JUP_MINT, USDC_MINT)
    await world.lands(limit_order.create_message(new, BUDGET, await world.blockhash()), ALICE)
    await world.chain.put_accounts({associated_token_address(MAKER, JUP_MINT): await gone(world)})
    cancel = Cancellation.to_maker(new.address, MAKER, JUP_MINT, creates=True)
    await world.lands(limit_order.cancel_message([cancel], BUDGET, await world.blockhash()), ALICE)
    assert await world.holds(MAKER, JUP_MINT) == 10**7


async def gone(world: World) -> AccountInfo:
    (info,) = await world.chain.accounts([associated_token_address(MAKER, JUP_MINT)])
    assert info is not None
    return replace(info, lamports=0, data=b"", owner=SYSTEM_PROGRAM)


async def test_any_wallet_cancels_an_order_once_it_has_expired(world: World) -> None:
    new = replace(order(1), expired_at=NOW + 60)
    await world.lands(limit_order.create_message(new, BUDGET, await world.blockhash()), ALICE)
    cancel = Cancellation.to_maker(new.address, MAKER, USDC_MINT)
    early = await world.submits(limit_order.cancel_message([cancel], BUDGET, await world.blockhash(), by=PAYER), BOB)
    assert early.error is not None
    assert list(limit_order.events_of(early)) == []
    world.clock.now += 61_000
    world.clock.wall += 61_000
    await world.lands(limit_order.cancel_message([cancel], BUDGET, await world.blockhash(), by=PAYER), BOB)
    assert await world.holds(MAKER, USDC_MINT) == 10**9


def recurring(input_mint: str = USDC_MINT, output_mint: str = SOL_MINT, payer: str = MAKER) -> NewDca:
    return NewDca(
        user=MAKER,
        payer=payer,
        input_mint=input_mint,
        output_mint=output_mint,
        idx=NOW,
        in_amount=10**8,
        in_amount_per_cycle=5 * 10**7,
        cycle_frequency=60,
    )


async def test_a_dca_is_opened_fed_drawn_from_and_closed(world: World) -> None:
    new = recurring(payer=PAYER)
    keys = new.keys
    opened = await world.lands(dca.open_message(new, BUDGET, await world.blockhash()), ALICE, BOB)
    terms = USDC_MINT, SOL_MINT, 60, 5 * 10**7, NOW
    assert list(dca.events_of(opened)) == [DcaOpened(MAKER, keys.dca, 10**8, *terms)]
    fed = await world.lands(dca.deposit_message(keys, 7, BUDGET, await world.blockhash()), ALICE)
    assert list(dca.events_of(fed)) == [DcaDeposited(keys.dca, 7)]
    drawn = await world.lands(dca.withdraw_message(keys, DcaBalance.IN, 5, BUDGET, await world.blockhash()), ALICE)
    assert list(dca.events_of(drawn)) == [DcaWithdrawn(keys.dca, 5, 0, user_withdraw=True)]
    seen = read_dca(await world.data(keys.dca))
    assert seen is not None
    assert (seen.user, seen.input_mint, seen.output_mint, seen.idx) == (MAKER, USDC_MINT, SOL_MINT, NOW)
    assert (seen.in_deposited, seen.in_withdrawn, seen.in_left) == (10**8 + 7, 5, 10**8 + 2)
    assert (seen.in_account, seen.out_account) == (keys.own(DcaBalance.IN), keys.own(DcaBalance.OUT))
    assert dca.dca_bytes(seen) == await world.data(keys.dca)
    closed = await world.lands(dca.close_message(keys, BUDGET, await world.blockhash()), ALICE)
    *_, event = dca.events_of(closed)
    assert isinstance(event, DcaClosed)
    assert (event.dca, event.unfilled_amount, event.user_closed) == (keys.dca, 10**8 + 2, True)
    assert (await world.holds(MAKER, USDC_MINT), await world.data(keys.dca)) == (10**9, b"")


async def test_another_wallet_pays_for_the_close_of_a_dca_and_for_what_is_missing(world: World) -> None:
    new = recurring(SOL_MINT, USDC_MINT)
    keys = new.keys
    await world.lands(dca.open_message(new, BUDGET, await world.blockhash()), ALICE)
    held, rents = await world.lamports(MAKER), await rents_of(world, keys)
    message = dca.close_message(
        keys, BUDGET, await world.blockhash(), creates=[DcaBalance.IN, DcaBalance.OUT], payer=PAYER
    )
    await world.lands(message, BOB, ALICE)
    assert await world.data(keys.dca) == await world.data(keys.users(DcaBalance.IN)) == b""
    # The account that wraps SOL was made for the close, and its rent stays with the user.
    assert await world.lamports(MAKER) == held + 10**8 + rents + TOKEN_ACCOUNT_RENT_LAMPORTS
    assert await world.holds(MAKER, USDC_MINT) is not None


async def rents_of(world: World, keys: dca.DcaKeys) -> int:
    accounts = [keys.dca, *(keys.own(side) for side in DcaBalance)]
    return sum([await world.lamports(each) for each in accounts]) - 10**8


@pytest.mark.parametrize("open_with", [dca.open_message, dca.open_older_message])
async def test_a_dca_of_sol_by_either_form(world: World, open_with: Callable[..., bytes]) -> None:
    new = recurring(SOL_MINT, USDC_MINT)
    keys = new.keys
    await world.lands(open_with(new, BUDGET, await world.blockhash()), ALICE)
    assert (await world.holds(keys.dca, SOL_MINT), await world.holds(MAKER, SOL_MINT)) == (10**8, None)
    await world.lands(dca.deposit_message(keys, 1_000, BUDGET, await world.blockhash()), ALICE)
    await world.lands(dca.withdraw_message(keys, DcaBalance.IN, 500, BUDGET, await world.blockhash()), ALICE)
    assert (await world.holds(keys.dca, SOL_MINT), await world.holds(MAKER, SOL_MINT)) == (10**8 + 500, None)
    await world.lands(dca.close_message(keys, BUDGET, await world.blockhash()), ALICE)
    assert await world.data(keys.dca) == b""
    spent = LAMPORTS - await world.lamports(MAKER) - (await world.lamports(keys.users(DcaBalance.IN)))
    assert spent == 4 * 5_000
