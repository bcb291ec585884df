"""No vault signs what it could not have made itself for that order."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams
from solders.system_program import transfer as transfer_lamports
from solders.transaction import VersionedTransaction

from countermand.orders.trigger.model.order import OrderGroup
from countermand.services.custody.instructions import always_rejected, close_account, sync_native, transfer
from countermand.values.identity import Wallet
from countermand.values.quantities import BaseUnits
from countermand.values.structs import replace
from countermand.values.transactions import Attempt, AttemptKind, UnsignedTransaction
from tests.services.custody.venue import JUP, SOL, USDC, Venue

STRANGER = Keypair.from_seed(bytes([9] * 32)).pubkey()
TOKEN = Pubkey.from_string(USDC.program)
Edit: TypeAlias = Callable[[list[Instruction], Venue, OrderGroup], list[Instruction]]


async def attempt_of(venue: Venue, kind: AttemptKind) -> tuple[OrderGroup, Attempt]:
    """A sound attempt, and its order."""
    if kind is AttemptKind.DEPOSIT:
        group = venue.placed(await venue.build_deposit(USDC, 20_000_000))
        assert group.progress.attempt is not None
        return group, group.progress.attempt
    group = await venue.has_open(USDC, 20_000_000, JUP)
    if kind is AttemptKind.WITHDRAWAL:
        return group, venue.withdrawing(group, await venue.custody.build_withdrawal(group))
    if kind is AttemptKind.SWEEP:
        craft = await venue.custody.build_sweep(group)
        assert craft is not None
        return group, venue.sweeping(group, craft)
    fill = await venue.custody.build_fill(group)
    assert isinstance(fill, UnsignedTransaction)
    return group, venue.filling(group, fill)


def instructions_of(message: bytes) -> list[Instruction]:
    read = Message.from_bytes(message)
    keys, header = read.account_keys, read.header
    signed, unsigned = header.num_required_signatures, len(keys) - header.num_readonly_unsigned_accounts

    def writable(i: int) -> bool:
        return i < signed - header.num_readonly_signed_accounts or signed <= i < unsigned

    return [
        Instruction(
            keys[each.program_id_index],
            bytes(each.data),
            [AccountMeta(keys[i], i < signed, writable(i)) for i in each.accounts],
        )
        for each in read.instructions
    ]


def forged(venue: Venue, group: OrderGroup, attempt: Attempt, edit: Edit) -> Attempt:
    read = Message.from_bytes(attempt.craft.message)
    instructions = edit(instructions_of(attempt.craft.message), venue, group)
    message = bytes(Message.new_with_blockhash(instructions, read.account_keys[0], read.recent_blockhash))
    return with_message(venue, attempt, message)


def with_message(venue: Venue, attempt: Attempt, message: bytes) -> Attempt:
    signature = None if attempt.user_signature is None else venue.signs(message)
    return replace(attempt, craft=replace(attempt.craft, message=message), user_signature=signature)


async def refuses(venue: Venue, group: OrderGroup, attempt: Attempt, why: str) -> None:
    sent = len(venue.port.sent)
    with pytest.raises(AssertionError, match=why):
        await venue.custody.send(group, attempt)
    assert len(venue.port.sent) == sent


@pytest.mark.parametrize("kind", AttemptKind)
async def test_the_same_instructions_in_the_order_of_another_compiler_are_signed(
    venue: Venue, kind: AttemptKind
) -> None:
    group, attempt = await attempt_of(venue, kind)
    await venue.lands(group, forged(venue, group, attempt, lambda found, _venue, _group: found))


def to_a_stranger(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    vault, account = venue.keys.vault_of(venue.wallet).public, Pubkey.from_string(group.terms.input_account)
    return [*found, transfer(account, STRANGER, vault, 1, TOKEN)]


def of_another_account(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    vault, own = venue.keys.vault_of(venue.wallet).public, Pubkey.from_string(venue.own(USDC))
    return [*found, transfer(STRANGER, own, vault, 1, TOKEN)]


def closing_for_a_stranger(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    vault, account = venue.keys.vault_of(venue.wallet).public, Pubkey.from_string(group.terms.input_account)
    return [*found[:-1], close_account(account, STRANGER, vault, TOKEN)]


def out_of_the_payer(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    payer = found[2].accounts[0].pubkey if found[2].accounts[0].is_signer else venue.keys.gas.public
    return [*found, transfer_lamports(TransferParams(from_pubkey=payer, to_pubkey=STRANGER, lamports=1))]


def something_harmless(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    return [*found, sync_native(Pubkey.from_string(group.terms.input_account), TOKEN)]


def less(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    return found[:-1]


def nothing(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    return found[:2]


def twice(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    return [*found, found[-1]]


def in_another_order(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    return [*found[:2], *reversed(found[2:])]


def another_amount(found: list[Instruction], venue: Venue, group: OrderGroup) -> list[Instruction]:
    """One unit more in every transfer."""

    def more(each: Instruction) -> Instruction:
        if each.data[:1] not in (b"\3", b"\x0c") or each.program_id != TOKEN:
            return each
        amount = int.from_bytes(each.data[1:9], "little") + 1
        return Instruction(each.program_id, each.data[:1] + amount.to_bytes(8, "little") + each.data[9:], each.accounts)

    edited = [more(each) for each in found]
    return edited if edited != found else nothing(found, venue, group)


EDITS = [
    to_a_stranger,
    of_another_account,
    closing_for_a_stranger,
    out_of_the_payer,
    something_harmless,
    less,
    nothing,
    twice,
    in_another_order,
    another_amount,
]


@pytest.mark.parametrize("kind", AttemptKind)
@pytest.mark.parametrize("edit", EDITS)
async def test_anything_else_is_refused(venue: Venue, kind: AttemptKind, edit: Edit) -> None:
    group, attempt = await attempt_of(venue, kind)
    await refuses(
        venue,
        group,
        forged(venue, group, attempt, edit),
        "does something else|does not swap as it should|other signers|is paid by|creates",
    )


@pytest.mark.parametrize("kind", AttemptKind)
@pytest.mark.parametrize("other", AttemptKind)
async def test_one_kind_is_not_signed_as_another(venue: Venue, kind: AttemptKind, other: AttemptKind) -> None:
    group, attempt = await attempt_of(venue, kind)
    if kind is not other:
        await refuses(
            venue,
            group,
            replace(attempt, kind=other),
            "other signers|is paid by|something else|swap as it should|creates",
        )


@pytest.mark.parametrize("kind", AttemptKind)
async def test_another_orders_transaction_is_not_signed(venue: Venue, kind: AttemptKind) -> None:
    _, attempt = await attempt_of(venue, kind)
    other, _ = await attempt_of(venue, kind)
    await refuses(venue, other, attempt, "something else|creates another account|swap as it should")


async def test_another_wallets_transaction_is_not_signed(venue: Venue) -> None:
    group, attempt = await attempt_of(venue, AttemptKind.FILL)
    stranger = replace(group, terms=replace(group.terms, wallet=Wallet(str(STRANGER))))
    await refuses(venue, stranger, attempt, "other signers")


@pytest.mark.parametrize("kind", AttemptKind)
async def test_the_amounts_are_those_of_the_craft(venue: Venue, kind: AttemptKind) -> None:
    group, attempt = await attempt_of(venue, kind)
    amount = "dust" if kind is AttemptKind.SWEEP else "moves"
    lied = replace(attempt.craft, **{amount: getattr(attempt.craft, amount) - BaseUnits(1)})
    await refuses(venue, group, replace(attempt, craft=lied), "something else|swap as it should")


@pytest.mark.parametrize("kind", AttemptKind)
async def test_no_other_account_pays(venue: Venue, kind: AttemptKind) -> None:
    group, attempt = await attempt_of(venue, kind)
    read = Message.from_bytes(attempt.craft.message)
    vault = venue.keys.vault_of(venue.wallet).public
    found = instructions_of(attempt.craft.message)
    message = bytes(Message.new_with_blockhash(found, vault, read.recent_blockhash))
    await refuses(venue, group, with_message(venue, attempt, message), f"is paid by {vault}")


async def test_a_fill_pays_the_minimum_of_its_craft(venue: Venue) -> None:
    group, attempt = await attempt_of(venue, AttemptKind.FILL)
    lied = replace(attempt.craft, minimum=BaseUnits(10**12))
    await refuses(venue, group, replace(attempt, craft=lied), "does not swap as it should")


async def test_only_a_fill_may_be_made_to_fail(venue: Venue) -> None:
    def failing(found: list[Instruction], _venue: Venue, _group: OrderGroup) -> list[Instruction]:
        return [*found, always_rejected(TOKEN)]

    for kind in AttemptKind:
        group, attempt = await attempt_of(venue, kind)
        edited = forged(venue, group, attempt, failing)
        if kind is AttemptKind.FILL:
            assert (await venue.settles(group, edited)).error is not None
        else:
            await refuses(venue, group, edited, "something else")


async def test_a_versioned_message_is_not_ours(venue: Venue) -> None:
    group, attempt = await attempt_of(venue, AttemptKind.WITHDRAWAL)
    read = Message.from_bytes(attempt.craft.message)
    found = instructions_of(attempt.craft.message)
    other = to_bytes_versioned(MessageV0.try_compile(read.account_keys[0], found, [], read.recent_blockhash))
    with pytest.raises((AssertionError, ValueError)):
        await venue.custody.send(group, with_message(venue, attempt, other))
    with pytest.raises((AssertionError, ValueError)):
        await venue.custody.send(group, with_message(venue, attempt, attempt.craft.message + b"\0"))
    assert len(venue.port.sent) == 1


async def test_a_withdrawal_needs_the_users_signature(venue: Venue) -> None:
    group, attempt = await attempt_of(venue, AttemptKind.WITHDRAWAL)
    await refuses(venue, group, replace(attempt, user_signature=None), "the user has not signed")


@pytest.mark.parametrize("kind", AttemptKind)
async def test_signing_again_gives_the_same_bytes(venue: Venue, kind: AttemptKind) -> None:
    """Also after a restart, which has forgotten what it signed."""
    group, attempt = await attempt_of(venue, kind)
    await venue.lands(group, attempt)
    await venue.custody.send(group, attempt)
    custody = venue.restarted()
    await custody.send(group, attempt)
    assert custody.signature_of(group, attempt) == venue.custody.signature_of(group, attempt)
    first, again, later = venue.port.sent[-3:]
    assert first == again == later
    transaction = VersionedTransaction.from_bytes(first)
    assert all(transaction.verify_with_results())
    assert str(transaction.signatures[0]) == venue.custody.signature_of(group, attempt)


async def test_sol_is_signed_for_as_well(venue: Venue) -> None:
    group = await venue.has_open(SOL, 10**9, USDC)
    attempt = venue.withdrawing(group, await venue.custody.build_withdrawal(group))
    await refuses(venue, group, forged(venue, group, attempt, closing_for_a_stranger), "something else|other signers")
    await venue.lands(group, attempt)
