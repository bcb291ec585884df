"""What became of an attempt whose signature the chain does not know: only the order's account can tell.

A message lands once, but its payer can sign it again with another valid signature, which is another id. The user pays
for deposits and withdrawals, and has seen our co-signatures as soon as they were sent.
"""

import pytest

from countermand.orders.trigger.model.order import OrderGroup
from countermand.services.tokens import Token
from countermand.solana.port import SignatureStatus
from countermand.values.transactions import Attempt, ObservedOutcome, TransactionOutcome, UnsignedTransaction
from tests.orders.trigger.samples import progressed
from tests.services.custody.venue import JUP, SOL, USDC, Venue
from tests.solana.chain_support import another_signature


async def lands_under_another_signature(venue: Venue, group: OrderGroup, attempt: Attempt) -> str:
    """Our send is lost; the user puts his other signature before ours, and sends that."""
    venue.port.loses = 1
    await venue.custody.send(group, attempt)
    ours, message = venue.port.sent[-1], attempt.craft.message
    other = another_signature(b"\x01" + bytes(64) + message, venue.user)[1:65]
    landed = await venue.chain.submit(ours[:1] + other + ours[65:])
    assert (landed.dropped, landed.error) == (None, None)
    return landed.signature


async def fate_of_the_dead(venue: Venue, group: OrderGroup, attempt: Attempt) -> ObservedOutcome:
    assert await venue.custody.outcome(group, attempt) is None, "while its blockhash lives, it may land yet"
    await venue.chain.expire_blockhashes()
    seen = await venue.custody.outcome(group, attempt)
    assert seen is not None
    return seen


@pytest.mark.parametrize("token", [USDC, SOL], ids=["token", "sol"])
async def test_a_deposit_that_landed_under_another_signature_has_landed(venue: Venue, token: Token) -> None:
    """Else the order would end as a failed deposit, with the user's funds in it."""
    group = venue.placed(await venue.build_deposit(token, 20_000_000))
    assert group.progress.attempt is not None
    other = await lands_under_another_signature(venue, group, group.progress.attempt)
    seen = await fate_of_the_dead(venue, group, group.progress.attempt)
    assert seen == ObservedOutcome(TransactionOutcome.LANDED, venue.custody.signature_of(group, group.progress.attempt))
    assert seen.signature != other


@pytest.mark.parametrize("token", [USDC, SOL], ids=["token", "sol"])
async def test_a_deposit_that_never_landed_is_dead(venue: Venue, token: Token) -> None:
    group = venue.placed(await venue.build_deposit(token, 20_000_000))
    assert group.progress.attempt is not None
    # A stranger's lamports at the address are no deposit.
    await venue.stranger_sends_lamports(group.terms.input_account, 10**7)
    assert (await fate_of_the_dead(venue, group, group.progress.attempt)).outcome is TransactionOutcome.DEAD


@pytest.mark.parametrize("token", [USDC, SOL], ids=["token", "sol"])
async def test_a_withdrawal_that_landed_under_another_signature_has_landed(venue: Venue, token: Token) -> None:
    """Else the order would wait for ever for a withdrawal of funds that are gone."""
    group = await venue.has_open(token, 20_000_000)
    attempt = venue.withdrawing(group, await venue.custody.build_withdrawal(group))
    await lands_under_another_signature(venue, group, attempt)
    assert (await fate_of_the_dead(venue, group, attempt)).outcome is TransactionOutcome.LANDED


@pytest.mark.parametrize("dust", [0, 7])
async def test_a_withdrawal_that_leaves_the_account_open_is_seen_by_what_is_gone(venue: Venue, dust: int) -> None:
    group = progressed(await venue.has_open(USDC, 20_000_000), close_rejections=2)
    attempt = venue.withdrawing(group, await venue.custody.build_withdrawal(group))
    assert not attempt.craft.closes
    await lands_under_another_signature(venue, group, attempt)
    await venue.stranger_sends(group, dust)
    assert (await fate_of_the_dead(venue, group, attempt)).outcome is TransactionOutcome.LANDED


@pytest.mark.parametrize("rejections", [0, 2])
@pytest.mark.parametrize("token", [USDC, SOL], ids=["token", "sol"])
async def test_a_withdrawal_that_never_landed_is_dead(venue: Venue, token: Token, rejections: int) -> None:
    group = progressed(await venue.has_open(token, 20_000_000), close_rejections=rejections)
    attempt = venue.withdrawing(group, await venue.custody.build_withdrawal(group))
    await venue.stranger_sends(group, 7)
    assert (await fate_of_the_dead(venue, group, attempt)).outcome is TransactionOutcome.DEAD


async def test_a_message_that_failed_under_another_signature_is_dead(venue: Venue) -> None:
    """It had no effect, and can land no more."""
    group = await venue.has_open(USDC, 20_000_000)
    attempt = venue.withdrawing(group, await venue.custody.build_withdrawal(group))
    await venue.stranger_sends(group, 7)  # The close fails now.
    with pytest.raises(AssertionError, match="InstructionError"):
        await lands_under_another_signature(venue, group, attempt)
    assert (await fate_of_the_dead(venue, group, attempt)).outcome is TransactionOutcome.DEAD


async def test_a_landing_that_the_node_forgot_is_seen_by_the_account(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was restored from a snapshot has a gap in its ledger. A fill called dead would be made anew."""

    async def forgets(_: str) -> SignatureStatus | None:
        return None

    group = await venue.has_open(JUP, 20_000_000)
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction)
    attempt = venue.filling(group, craft)
    await venue.custody.send(group, attempt)
    monkeypatch.setattr(venue.port, "signature_status", forgets)
    assert (await fate_of_the_dead(venue, group, attempt)).outcome is TransactionOutcome.LANDED


async def test_a_sweep_is_dead_while_the_account_is_there(venue: Venue) -> None:
    group = await venue.has_open(USDC, 20_000_000)
    craft = await venue.custody.build_sweep(group)
    assert craft is not None
    attempt = venue.sweeping(group, craft)
    assert (await fate_of_the_dead(venue, group, attempt)).outcome is TransactionOutcome.DEAD
