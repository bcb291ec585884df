"""Fates, blockhashes, and a chain that does not answer."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from countermand.kernel.ports import Unavailable
from countermand.orders.trigger.model.order import OrderGroup
from countermand.orders.trigger.ports import Transactions
from countermand.solana.port import ChainUnavailable, SignatureStatus
from countermand.values.transactions import Attempt, TransactionOutcome, UnsignedTransaction
from tests.orders.trigger.samples import progressed
from tests.services.custody.layouts import decoded
from tests.services.custody.venue import SOL, USDC, Venue


def test_it_is_what_the_engine_asks_for(venue: Venue) -> None:
    asked: Transactions = venue.custody
    assert asked is venue.custody
    assert venue.custody.vault_of(venue.wallet) == venue.keys.vault_of(venue.wallet).address


async def withdrawing(venue: Venue) -> tuple[OrderGroup, Attempt]:
    group = await venue.has_open(USDC, 20_000_000)
    return group, venue.withdrawing(group, await venue.custody.build_withdrawal(group))


async def test_an_attempt_is_unresolved_until_its_height_has_passed(venue: Venue) -> None:
    group, attempt = await withdrawing(venue)
    venue.port.loses = 1
    await venue.custody.send(group, attempt)
    assert await venue.custody.outcome(group, attempt) is None
    venue.clock.ms += 60_000  # 150 slots: the last valid one.
    assert await venue.custody.block_height() == attempt.craft.last_valid_height
    assert await venue.custody.outcome(group, attempt) is None
    venue.clock.ms += 400
    seen = await venue.custody.outcome(group, attempt)
    assert seen is not None
    assert (seen.outcome, seen.signature, seen.error) == (TransactionOutcome.DEAD, attempt.user_signature, None)


async def test_what_landed_has_landed_however_late_it_is_asked(venue: Venue) -> None:
    group, attempt = await withdrawing(venue)
    await venue.custody.send(group, attempt)
    await venue.chain.expire_blockhashes()
    seen = await venue.custody.outcome(group, attempt)
    assert seen is not None
    assert (seen.outcome, seen.signature) == (TransactionOutcome.LANDED, attempt.user_signature)


@pytest.mark.parametrize("error", [None, {"InstructionError": [2, {"Custom": 1}]}])
async def test_what_is_not_finalized_is_unresolved(venue: Venue, monkeypatch: pytest.MonkeyPatch, error: None) -> None:
    group, attempt = await withdrawing(venue)
    await venue.chain.expire_blockhashes()

    async def confirmed(signature: str) -> SignatureStatus:
        return SignatureStatus(1, finalized=False, error=error)

    monkeypatch.setattr(venue.port, "signature_status", confirmed)
    assert await venue.custody.outcome(group, attempt) is None


async def test_the_height_is_asked_before_the_status(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    group, attempt = await withdrawing(venue)
    asked: list[str] = []

    async def height() -> int:
        asked.append("height")
        return attempt.craft.last_valid_height

    async def status(signature: str) -> None:
        # It would land now, were it asked for first.
        asked.append("status")
        await venue.chain.expire_blockhashes()

    monkeypatch.setattr(venue.port, "finalized_block_height", height)
    monkeypatch.setattr(venue.port, "signature_status", status)
    assert await venue.custody.outcome(group, attempt) is None
    assert asked == ["height", "status"]


async def test_one_blockhash_serves_two_seconds(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    asked = venue.port.blockhashes_asked
    for _ in range(3):
        await venue.custody.build_withdrawal(group)
    venue.clock.ms += 2_000
    await venue.custody.build_withdrawal(group)
    assert venue.port.blockhashes_asked == asked
    venue.clock.ms += 1
    await venue.custody.build_withdrawal(group)
    assert venue.port.blockhashes_asked == asked + 1
    venue.clock.ms -= 60_000  # The machine's clock was set back.
    await venue.custody.build_withdrawal(group)
    assert venue.port.blockhashes_asked == asked + 2


async def test_many_who_need_a_blockhash_ask_once(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    venue.clock.ms += 3_000
    answer, asked, original = asyncio.Event(), 0, venue.port.latest_blockhash

    async def slowly() -> object:
        nonlocal asked
        asked += 1
        await answer.wait()
        return await original()

    monkeypatch.setattr(venue.port, "latest_blockhash", slowly)
    crafting = [asyncio.create_task(venue.custody.build_withdrawal(group)) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    crafting[0].cancel()  # A caller that gives up takes nothing from the others.
    answer.set()
    crafts = await asyncio.gather(*crafting, return_exceptions=True)
    assert asked == 1
    assert isinstance(crafts[0], asyncio.CancelledError)
    assert all(isinstance(craft, UnsignedTransaction) for craft in crafts[1:])


async def test_a_failure_to_get_a_blockhash_is_not_remembered(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    venue.clock.ms += 3_000
    venue.port.down = ChainUnavailable("the node is away")
    failed = await asyncio.gather(*(venue.custody.build_withdrawal(group) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in failed] == ["the node is away"] * 3
    venue.port.down = None
    assert isinstance(await venue.custody.build_withdrawal(group), UnsignedTransaction)


async def test_a_failure_that_is_not_waited_for_any_more_is_no_noise(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    venue.clock.ms += 3_000
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: noise.append(context))
    answer, original = asyncio.Event(), venue.port.latest_blockhash

    async def fails_late() -> None:
        await answer.wait()
        raise ChainUnavailable("the node is away")

    monkeypatch.setattr(venue.port, "latest_blockhash", fails_late)
    crafting = asyncio.create_task(venue.custody.build_withdrawal(group))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    crafting.cancel()
    await asyncio.gather(crafting, return_exceptions=True)
    answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    monkeypatch.setattr(venue.port, "latest_blockhash", original)
    assert isinstance(await venue.custody.build_withdrawal(group), UnsignedTransaction)
    assert noise == []


@pytest.mark.parametrize("learns", ["block_height", "fate", "forget"])
async def test_after_a_leap_of_the_chain_crafts_take_a_new_blockhash(venue: Venue, learns: str) -> None:
    group, attempt = await withdrawing(venue)
    await venue.chain.expire_blockhashes()
    if learns == "block_height":
        await venue.custody.block_height()
    elif learns == "fate":
        await venue.custody.outcome(group, attempt)
    else:
        venue.jumps()
    craft = await venue.custody.build_withdrawal(group)
    assert decoded(craft.message).blockhash != decoded(attempt.craft.message).blockhash
    assert craft.last_valid_height > attempt.craft.last_valid_height
    await venue.lands(group, venue.withdrawing(group, craft))


Asks = Callable[[], Awaitable[object]]


async def test_a_chain_that_does_not_answer_is_unavailable(venue: Venue) -> None:
    group, attempt = await withdrawing(venue)
    group = progressed(group, triggered_leg=0)
    deposit = await venue.build_deposit(SOL, 1)
    venue.clock.ms += 3_000
    venue.port.down = ChainUnavailable("the node is away")
    custody = venue.custody
    asks: list[Asks] = [
        custody.block_height,
        lambda: venue.build_deposit(SOL, 1),
        lambda: custody.simulate_deposit(deposit),
        lambda: custody.build_withdrawal(group),
        lambda: custody.build_fill(group),
        lambda: custody.build_sweep(group),
        lambda: custody.outcome(group, attempt),
        lambda: custody.send(group, attempt),
    ]
    for ask in asks:
        with pytest.raises(Unavailable, match="the node is away"):
            await ask()


async def test_a_bug_below_is_not_called_unavailable(venue: Venue) -> None:
    venue.port.down = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await venue.custody.block_height()


async def test_a_token_of_the_newer_program(venue: Venue) -> None:
    """Token-2022 without extensions: the same transactions under another program."""
    token = await venue.lists_token_2022()
    group = await venue.has_open(token, 5_000, USDC)
    await venue.lands(group, venue.withdrawing(group, await venue.custody.build_withdrawal(group)))
    group = await venue.has_open(token, 5_000, USDC)
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction)
    await venue.lands(group, venue.filling(group, craft))
    group = await venue.has_open(USDC, 5_000_000, token)
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction)
    await venue.lands(group, venue.filling(group, craft))
