"""One order, walked: from a deposit's craft to the funds' return, and to a fill."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from solders.keypair import Keypair

from countermand.domain.identity import Signature, Wallet
from countermand.domain.instant import Instant
from countermand.domain.trigger.commands import Amendment, LegChange
from countermand.domain.trigger.order import Family, State
from countermand.domain.trigger.refusals import Refusal, Refused
from countermand.engine.trigger_orders import Cancelling, OrderRequest, Placed, Withdrawn
from countermand.prices.feed import SOL
from countermand.solana.wire import SIGNATURE_BYTES
from countermand.store.postgres import PostgresStore
from tests.engine.house import ONE_SOL, House, above, below, dollars, house, signed
from tests.solana.chain_support import another_signature


@pytest.fixture
async def venue(database_url: str) -> AsyncIterator[House]:
    store = await PostgresStore.connect(database_url)
    async with house(store) as it:
        yield it
    await store.close()


async def test_an_order_is_placed_and_its_deposit_landed(venue: House) -> None:
    alice = await venue.wallet()
    answer = await venue.place(alice, above(200))
    assert isinstance(answer, Placed)
    order = await venue.order(answer.group.id)
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
    await venue.shard.observe_price(SOL.mint, dollars(250), at_once=True)
    await venue.settled()
    assert (await venue.order(order_id)).state is State.READY_TO_CANCEL
    transaction = signed(base64.b64decode(cancelling.transaction), alice)
    done = await venue.orders.confirm_cancel(order_id, wallet, cancelling.request_id, transaction)
    assert isinstance(done, Withdrawn)
    again = await venue.orders.confirm_cancel(order_id, wallet, cancelling.request_id, transaction)
    assert again == done
    assert (await venue.order(order_id)).state is State.CANCELLED
    assert before - await venue.lamports(alice) < 100_000


async def test_a_crossed_order_fills(venue: House) -> None:
    alice = await venue.wallet()
    order_id = await venue.placed(alice, above(200))
    await venue.shard.observe_price(SOL.mint, dollars(250), at_once=True)
    await venue.settled()
    order = await venue.order(order_id)
    assert order.state is State.FILLED
    assert await venue.usdc(alice) == order.progress.received.units == 249_750_000


async def test_whoever_creates_an_order_again_is_told_the_signature_that_was_committed_first(venue: House) -> None:
    """However the deposit is signed then, and whatever became of the order meanwhile."""
    alice = await venue.wallet()
    request = venue.request(alice, await venue.deposit(alice, ONE_SOL), above(200))
    first = await venue.orders.place(request)
    assert isinstance(first, Placed)
    order_id, again = first.group.id, replace(request, transaction=_signed_otherwise(request.transaction, alice))
    assert again.transaction != request.transaction
    assert await _told(venue, again) == first.signature
    later = Amendment(Family.SINGLE, (LegChange(price=dollars(240)),), Instant(request.expires_at + 1))
    await venue.orders.amend(order_id, request.wallet, later)
    assert await _told(venue, again) == first.signature
    await venue.shard.observe_price(SOL.mint, dollars(250), at_once=True)
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
    assert answer == Refused(Refusal.STATE_FORBIDS_CANCEL, State.FILLED)
