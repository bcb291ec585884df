"""Only what a program itself says of its orders is believed."""

import struct

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from countermand.orders.chain.landed import PROGRAMS, landed_of
from countermand.orders.chain.model.events import FillFailed, LimitCancelled, LimitFilled, RecurringOpened
from countermand.solana.port import InnerInstruction, InnerInstructions, LedgerTransaction
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.anchor import EVENT_TAG, event_discriminator
from countermand.solana.programs.dca import OPEN_DCA_V2
from countermand.solana.programs.limit_order_fills import FILL_ORDER, PRE_FLASH_FILL_ORDER
from countermand.values.identity import Address
from countermand.values.structs import replace

LIMIT, DCA = PROGRAMS
PAYER, ORDER = Keypair().pubkey(), Keypair().pubkey()
PROGRAM, AUTHORITY = (Pubkey.from_string(each) for each in (limit_order.PROGRAM, limit_order.EVENT_AUTHORITY))
STRANGER = Keypair().pubkey()
CANCELLED = EVENT_TAG + event_discriminator("CancelOrderEvent") + bytes(ORDER)
FILLED = EVENT_TAG + event_discriminator("TradeEvent") + bytes(ORDER) + bytes(PAYER) + struct.pack("<4Q", 6, 60, 4, 40)


def transaction(outer: Instruction, *inner: tuple[Pubkey, Pubkey, bytes]) -> LedgerTransaction:
    """`inner`: by which program, with which first account, with what. All of them are called by `outer`."""
    metas = [AccountMeta(each, is_signer=False, is_writable=False) for each in (PROGRAM, AUTHORITY, STRANGER)]
    message = Message.new_with_blockhash([outer, Instruction(STRANGER, b"", metas)], PAYER, Hash.default())
    at = list(message.account_keys)
    calls = [InnerInstruction(at.index(by), bytes([at.index(first)]), data, 2) for by, first, data in inner]
    return LedgerTransaction(
        signature="s",
        slot=5,
        block_time=7,
        raw=bytes(VersionedTransaction.populate(message, [Keypair().sign_message(b"")])),
        error=None,
        fee=5_000,
        units_consumed=1,
        logs=(f"Program {limit_order.PROGRAM} invoke [1]", "Program data: the order is cancelled"),
        pre_balances=(),
        post_balances=(),
        pre_token_balances=(),
        post_token_balances=(),
        inner_instructions=(InnerInstructions(0, tuple(calls)),),
        return_data=None,
        loaded_writable=(),
        loaded_readonly=(),
    )


def call(data: bytes = b"", *accounts: Pubkey, program: Pubkey = PROGRAM) -> Instruction:
    return Instruction(program, data, [AccountMeta(each, is_signer=False, is_writable=True) for each in accounts])


def test_the_events_of_the_program_in_their_order() -> None:
    landed = landed_of(LIMIT, transaction(call(), (PROGRAM, AUTHORITY, FILLED), (PROGRAM, AUTHORITY, CANCELLED)))
    filled, cancelled = landed.did
    assert isinstance(filled, LimitFilled)
    assert (filled.order, filled.making, filled.remaining_making) == (str(ORDER), 4, 6)
    assert cancelled == LimitCancelled(order=Address(str(ORDER)))
    assert (landed.signature, landed.slot, landed.at_s) == ("s", 5, 7)


@pytest.mark.parametrize(
    "forged",
    [
        transaction(call(), (STRANGER, AUTHORITY, CANCELLED)),
        transaction(call(), (PROGRAM, STRANGER, CANCELLED)),
        transaction(call(), (PROGRAM, AUTHORITY, CANCELLED[len(EVENT_TAG) :])),
        transaction(call(CANCELLED, AUTHORITY)),
        transaction(call(CANCELLED, AUTHORITY, program=STRANGER)),
        replace(transaction(call(), (PROGRAM, AUTHORITY, CANCELLED)), error="AccountInUse"),
    ],
    ids=["another program", "another authority", "no event", "asked by a message", "a stranger's message", "failed"],
)
def test_a_forged_event_is_not_believed(forged: LedgerTransaction) -> None:
    assert landed_of(LIMIT, forged).did == ()


@pytest.mark.parametrize("cut", range(len(EVENT_TAG) + 8, len(FILLED)))
def test_an_event_that_is_cut_short_is_none(cut: int) -> None:
    assert landed_of(LIMIT, transaction(call(), (PROGRAM, AUTHORITY, FILLED[:cut]))).did == ()


def test_a_fill_that_failed_names_its_order_once() -> None:
    both = transaction(call(FILL_ORDER, PAYER, STRANGER, ORDER))
    failed = replace(both, error="AccountInUse")
    assert landed_of(LIMIT, both).did == ()
    (event,) = landed_of(LIMIT, failed).did
    assert isinstance(event, FillFailed)
    assert (event.order, event.keeper) == (str(ORDER), str(PAYER))


@pytest.mark.parametrize("data", [PRE_FLASH_FILL_ORDER, FILL_ORDER, b"", FILL_ORDER[:7]])
def test_a_failed_call_without_accounts_is_no_fill(data: bytes) -> None:
    assert landed_of(LIMIT, replace(transaction(call(data)), error="AccountInUse")).did == ()


def test_a_plan_that_is_opened_twice_in_one_transaction_has_its_own_bounds_each_time() -> None:
    program, authority = Pubkey.from_string(dca.PROGRAM), Pubkey.from_string(dca.EVENT_AUTHORITY)
    asked = struct.pack("<QQQq", 1, 300, 100, 60)
    opens = [call(OPEN_DCA_V2 + asked + bytes([1]) + struct.pack("<Q", least) + bytes(2), ORDER) for least in (8, 9)]
    outer = [Instruction(program, each.data, each.accounts) for each in opens]
    metas = [AccountMeta(authority, is_signer=False, is_writable=False)]
    message = Message.new_with_blockhash([*outer, Instruction(STRANGER, b"", metas)], PAYER, Hash.default())
    at = list(message.account_keys)
    told = event_discriminator("Opened") + bytes(PAYER) + bytes(ORDER) + struct.pack("<Q", 300)
    told += bytes(STRANGER) + bytes(STRANGER) + struct.pack("<qQq", 60, 100, 7)
    inner = InnerInstruction(at.index(program), bytes([at.index(authority)]), EVENT_TAG + told, 2)
    landed = replace(
        transaction(call()),
        raw=bytes(VersionedTransaction.populate(message, [Keypair().sign_message(b"")])),
        inner_instructions=tuple(InnerInstructions(index, (inner,)) for index in (0, 1)),
    )
    did = landed_of(DCA, landed).did
    assert [each.out_min for each in did if isinstance(each, RecurringOpened)] == [8, 9]
