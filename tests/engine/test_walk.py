"""One order, walked: from a deposit's craft to the funds' return, and to a fill."""

import base64
from collections.abc import AsyncIterator

import pytest

from countermand.domain.identity import Wallet
from countermand.domain.trigger.order import State
from countermand.domain.trigger.refusals import Refusal, Refused
from countermand.engine.trigger import Cancelling, Placed, Withdrawn
from countermand.prices.feed import SOL
from countermand.store.postgres import PostgresStore
from tests.engine.house import ONE_SOL, House, above, below, dollars, house, signed


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


async def test_an_executing_order_cannot_be_cancelled_again_once_filled(venue: House) -> None:
    alice = await venue.wallet()
    order_id = await venue.placed(alice, below(160))
    await venue.settled()
    answer = await venue.orders.cancel(order_id, Wallet(str(alice.pubkey())))
    assert answer == Refused(Refusal.STATE_FORBIDS_CANCEL, State.FILLED)
