"""One order, walked: from a deposit's craft to the funds' return, and to a fill."""

import asyncio
import base64
from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest
from solders.keypair import Keypair

from countermand.orders.trigger.model.commands import Amendment, LegChange, UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup, State
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.orders.trigger.service import OrderRequest
from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.orders.vaults.service import Cancelling, NotLanded, Placed, Withdrawn
from countermand.services.tokens import SOL
from countermand.solana.wire import SIGNATURE_BYTES
from countermand.store.postgres import PostgresStore
from countermand.values.identity import Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.structs import replace
from countermand.values.transactions import UnsignedTransaction
from tests.orders.trigger.house import ONE_SOL, House, above, below, dollars, house, signed
from tests.solana.chain_support import another_signature


@pytest.fixture
async def venue(database_url: str) -> AsyncIterator[House]:
    store = await PostgresStore.connect(database_url)
    async with house(store) as it:
        yield it
    await store.close()


@pytest.fixture
async def patient(database_url: str) -> AsyncIterator[House]:
    """It waits as long as a slow machine takes. Its outbox asks for a fate, and sends again, after two minutes."""
    store = await PostgresStore.connect(database_url)
    async with house(store, confirm_timeout_ms=60_000) as it:
        yield it
    await store.close()


async def test_an_order_is_placed_and_its_deposit_landed(venue: House) -> None:
    alice = await venue.wallet()
    answer = await venue.place(alice, above(200))
    assert isinstance(answer, Placed)
    order = await venue.order(answer.order.id)
    assert order.state is State.OPEN
    (account,) = await venue.chain.accounts([order.terms.input_account])
    assert account is not None
    assert int.from_bytes(account.data[64:72], "little") == ONE_SOL


async def test_a_cancelled_order_does_not_fill_even_if_the_price_crosses(venue: House) -> None:
    alice = await venue.wallet()
    before = await venue.lamports(alice)
    order_id = await venue.placed(alice, above(200))
    wallet = Wallet(str(alice.pubkey()))
    cancelling = await venue.orders.cancel(order_id, wallet)
    assert isinstance(cancelling, Cancelling)
    assert cancelling.transaction is not None
    await venue.prices.set({SOL.mint: dollars(250)}, at_once=True)
    await venue.settled()
    assert (await venue.order(order_id)).state is State.WITHDRAWING
    transaction = signed(base64.b64decode(cancelling.transaction), alice)
    done = await venue.orders.confirm_cancel(order_id, wallet, cancelling.request_id, transaction)
    assert isinstance(done, Withdrawn)
    again = await venue.orders.confirm_cancel(order_id, wallet, cancelling.request_id, transaction)
    assert again == done
    assert (await venue.order(order_id)).state is State.CANCELLED
    assert before - await venue.lamports(alice) < 100_000


async def test_an_order_is_stopped_before_a_withdrawal_that_is_built_late(patient: House) -> None:
    build = TriggerTransactions.build_withdrawal

    async def builds_once_stopped(transactions: TriggerTransactions, order: OrderGroup) -> UnsignedTransaction:
        if order.state is State.OPEN:
            await asyncio.Event().wait()
        return await build(transactions, order)

    alice = await patient.wallet()
    order_id, wallet = await patient.placed(alice, above(200)), Wallet(str(alice.pubkey()))
    with patch.object(TriggerTransactions, "build_withdrawal", builds_once_stopped):
        cancelling = await patient.orders.cancel(order_id, wallet)
    assert isinstance(cancelling, Cancelling)
    assert cancelling.transaction is not None
    transaction = signed(base64.b64decode(cancelling.transaction), alice)
    done = await patient.orders.confirm_cancel(order_id, wallet, cancelling.request_id, transaction)
    assert isinstance(done, Withdrawn)


async def test_a_cancel_whose_withdrawal_is_never_built_is_answered(venue: House) -> None:
    async def hangs(_transactions: TriggerTransactions, _order: OrderGroup) -> UnsignedTransaction:
        await asyncio.Event().wait()
        raise AssertionError

    alice = await venue.wallet()
    order_id, wallet = await venue.placed(alice, above(200)), Wallet(str(alice.pubkey()))
    with patch.object(TriggerTransactions, "build_withdrawal", hangs):
        cancelling = await venue.orders.cancel(order_id, wallet)
    assert isinstance(cancelling, Cancelling)
    assert cancelling.transaction is None
    assert (await venue.order(order_id)).state is State.WITHDRAWING
    again = await venue.orders.cancel(order_id, wallet)
    assert isinstance(again, Cancelling)
    assert again.request_id == cancelling.request_id


async def test_a_crossed_order_fills(venue: House) -> None:
    alice = await venue.wallet()
    order_id = await venue.placed(alice, above(200))
    await venue.prices.set({SOL.mint: dollars(250)}, at_once=True)
    await venue.settled()
    order = await venue.order(order_id)
    assert order.state is State.FILLED
    assert await venue.usdc(alice) == order.progress.received.units == 249_750_000


async def test_a_repeated_create_is_told_the_signature_that_was_committed_first(venue: House) -> None:
    """However the deposit is signed then, and whatever became of the order meanwhile."""
    alice = await venue.wallet()
    request = venue.request(alice, await venue.deposit(alice, ONE_SOL), above(200))
    first = await venue.orders.place(request)
    assert isinstance(first, Placed)
    order_id, again = first.order.id, replace(request, transaction=_signed_otherwise(request.transaction, alice))
    assert again.transaction != request.transaction
    assert await _told(venue, again) == first.signature
    later = Amendment(Family.SINGLE, (LegChange(price=dollars(240)),), Instant(request.expires_at + 1))
    await venue.orders.amend(order_id, request.wallet, later)
    assert await _told(venue, again) == first.signature
    await venue.prices.set({SOL.mint: dollars(250)}, at_once=True)
    assert await _told(venue, again) == first.signature
    await venue.settled()
    assert await _told(venue, again) == first.signature
    assert (await venue.order(order_id)).state is State.FILLED


async def _told(venue: House, again: OrderRequest) -> Signature:
    answer = await venue.orders.place(again)
    assert isinstance(answer, Placed), answer
    assert answer.repeated
    return answer.signature


def _signed_otherwise(transaction: str, by: Keypair) -> str:
    """With another valid signature of its payer."""
    raw = base64.b64decode(transaction)
    message = raw[1 + SIGNATURE_BYTES * raw[0] :]
    other = another_signature(bytes([1]) + bytes(SIGNATURE_BYTES) + message, by)[1 : 1 + SIGNATURE_BYTES]
    return base64.b64encode(raw[:1] + other + raw[1 + SIGNATURE_BYTES :]).decode()


async def test_an_executing_order_cannot_be_cancelled_again_once_filled(venue: House) -> None:
    alice = await venue.wallet()
    order_id = await venue.placed(alice, below(151))
    await venue.settled()
    answer = await venue.orders.cancel(order_id, Wallet(str(alice.pubkey())))
    assert answer == TriggerRefused(TriggerRefusal.STATE_FORBIDS_CANCEL, State.FILLED)


async def sent(venue: House, before: int) -> None:
    """Until another transaction was dropped."""
    async with asyncio.timeout(60):
        while venue.faults.drop_transactions == before:
            await asyncio.sleep(0.002)


async def test_a_cancel_right_after_a_dead_withdrawal_answers_a_new_transaction(patient: House) -> None:
    """B13: the outbox knows nothing yet, so the request itself learns the fate, and crafts from the order after it."""
    alice = await patient.wallet()
    order_id, wallet = await patient.placed(alice, above(200)), Wallet(str(alice.pubkey()))
    first = await patient.orders.cancel(order_id, wallet)
    assert isinstance(first, Cancelling)
    assert first.transaction is not None
    patient.faults.drop_transactions = 10
    transaction = signed(base64.b64decode(first.transaction), alice)
    confirming = asyncio.ensure_future(patient.orders.confirm_cancel(order_id, wallet, first.request_id, transaction))
    await sent(patient, 10)
    unresolved = await patient.orders.cancel(order_id, wallet)
    assert isinstance(unresolved, Cancelling)
    assert (unresolved.request_id, unresolved.transaction) == (first.request_id, first.transaction), "it may still land"
    patient.faults.drop_transactions = 0
    await patient.chain.expire_blockhashes()
    second = await patient.orders.cancel(order_id, wallet)
    assert isinstance(second, Cancelling)
    assert second.transaction is not None
    assert (second.request_id, second.transaction == first.transaction) == (first.request_id, False)
    assert await confirming == TriggerRefused(TriggerRefusal.WITHDRAWAL_EXPIRED)
    again = signed(base64.b64decode(second.transaction), alice)
    assert isinstance(await patient.orders.confirm_cancel(order_id, wallet, second.request_id, again), Withdrawn)


async def test_no_deposit_is_called_confirmed_before_it_landed(venue: House) -> None:
    """B19."""
    alice = await venue.wallet()
    deposit = await venue.deposit(alice, ONE_SOL)
    request = venue.request(alice, deposit, above(200))
    venue.faults.drop_transactions = 100
    assert await venue.orders.place(request) == NotLanded()
    assert (await venue.order(deposit.order_id)).state is State.DEPOSITING
    assert await venue.chain.accounts([deposit.input_account]) == [None]
    venue.faults.drop_transactions = 0
    answer = await venue.orders.place(request)
    assert isinstance(answer, Placed)
    assert answer.repeated
    status = await venue.chain.signature_status(answer.signature)
    assert status is not None
    assert status.error is None


async def test_a_deposit_that_died_is_never_called_confirmed(venue: House) -> None:
    alice = await venue.wallet()
    deposit = await venue.deposit(alice, ONE_SOL)
    request = venue.request(alice, deposit, above(200))
    venue.faults.drop_transactions = 100
    assert await venue.orders.place(request) == NotLanded()
    await venue.chain.expire_blockhashes()
    for _ in range(2):
        assert await venue.orders.place(request) == TriggerRefused(TriggerRefusal.DEPOSIT_FAILED_BEFORE)
    assert (await venue.order(deposit.order_id)).state is State.DEPOSIT_FAILED


async def test_a_deposit_that_is_forgotten_while_its_order_is_placed_is_kept_with_the_order(
    venue: House, database_url: str
) -> None:
    """It was read before housekeeping judged it dead, or before a reset. A repeat must get the same answer."""
    alice, store = await venue.wallet(), await PostgresStore.connect(database_url)
    deposit = await venue.deposit(alice, ONE_SOL)
    simulate = venue.transactions.simulate_deposit

    async def forgotten_meanwhile(craft: UnsignedDeposit) -> str | None:
        await store.delete_dead_crafts(craft.craft.last_valid_height + 1)
        assert (await store.crafts([craft.request_id])).get(craft.request_id) is None
        return await simulate(craft)

    request = venue.request(alice, deposit, above(200))
    with patch.object(venue.transactions, "simulate_deposit", forgotten_meanwhile):
        first = await venue.orders.place(request)
    again = await venue.orders.place(request)
    assert isinstance(first, Placed)
    assert isinstance(again, Placed)
    assert (again.repeated, again.signature) == (True, first.signature)
    await store.close()
