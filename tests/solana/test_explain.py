"""What `countermand explain` says, sentence by sentence."""

import base64
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import solders.system_program as system
import spl.token.instructions as spl
from solders.compute_budget import (
    set_compute_unit_limit,
    set_compute_unit_price,
)
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageAddressTableLookup, MessageHeader, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from spl.token import models

from countermand.orders.trigger.model.order import Family
from countermand.solana.explain import explain, explain_base64
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.accounts import unwrap_sol, wrap_sol
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message, unsigned_transaction
from countermand.solana.programs.dca import DcaBalance, DcaKeys, NewDca
from countermand.solana.programs.limit_order import Cancellation, NewOrder
from countermand.solana.tokens import associated_token_address
from countermand.solana.wire import MalformedTransaction
from countermand.values.structs import replace
from countermand.values.transactions import UnsignedTransaction
from tests.forked import COUNTERMAND, run
from tests.services.custody.venue import SOL as SOL_TOKEN
from tests.services.custody.venue import USDC as USDC_TOKEN
from tests.services.custody.venue import opened_venue
from tests.solana import published_transactions as published
from tests.solana import venue_transactions as ours

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
BLOCKHASH = "943s4PskofczkaRsaVYH9eQEVSfLgjc4wiztx2MRmWcY"
DEV = "devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4"
USER = "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"
HOLDER = "8gs8rXavMQRqoAoMhCfo79r2wndgSn93FLSWErdHp82n"

PAYER = Keypair.from_seed(bytes(32))
A, B, C, D, E = (Pubkey(bytes([number] * 32)) for number in range(1, 6))
P = PAYER.pubkey()
U = Pubkey.from_string(USDC)
VERIFIES_TWO = Instruction(Pubkey.from_string("Ed25519SigVerify111111111111111111111111111"), b"\2\0", [])
DEST = spl.get_associated_token_address(P, U)


def made(function: Any, **params: Any) -> Instruction:
    """By the function's own dictionary of parameters."""
    instruction: Instruction = function(params)
    return instruction


def unsigned(instructions: Sequence[Instruction], payer: str = str(P)) -> bytes:
    return unsigned_transaction(compile_message(instructions, payer, BLOCKHASH, KeyOrder.RUST))


def told(instruction: Instruction) -> str:
    """What is said of one instruction."""
    *_, sentence = explain(unsigned([instruction]))
    assert sentence.startswith("0. ")
    return sentence[3:]


# The published transactions


def test_an_order_of_trigger_v1() -> None:
    payers_sol = "ujg6HtgKKD5funhnDHHjkBi2DdJ4fCERguNNuC8Nkhf"
    payers_usdc = "5AFMnLY8vazdxLajwQbgkvEztYWDFbbnVodDnWg1qT6C"
    assert explain_base64(published.TRIGGER_CREATE) == [
        "A legacy transaction of 671 bytes, with the blockhash 943s4PskofczkaRsaVYH9eQEVSfLgjc4wiztx2MRmWcY.",
        "It places an order of Trigger v1.",
        f"{DEV} must sign it: the signature is missing.",
        (
            f"{DEV} pays the fee of 7,034 lamports: 5,000 for 1 signature and 2,034 as priority "
            "(132,000 compute units at 15,406 micro-lamports each)."
        ),
        "0. Compute budget: at most 132,000 compute units.",
        "1. Compute budget: an offer of 15,406 micro-lamports for each compute unit.",
        (
            f"2. Associated token program: {DEV} pays for the new wrapped SOL account {payers_sol} of {DEV}, "
            "unless it is there already."
        ),
        f"3. System program: 0.05 SOL go from {DEV} to {payers_sol} (the payer's wrapped SOL account).",
        (
            f"4. Token program: the lamports in {payers_sol} (the payer's wrapped SOL account) become its balance of "
            "wrapped SOL."
        ),
        (
            f"5. Associated token program: {DEV} pays for the new USDC account {payers_usdc} of {DEV}, "
            "unless it is there already."
        ),
        (
            f"6. Trigger v1: {DEV} places the order CX2iPk4nxarGPkk7ziViJTfL1z2e1LnGWRDimVQ4tzYf: 0.05 SOL from "
            f"{payers_sol} (the payer's wrapped SOL account) for at least 100 USDC, without expiry. The input waits in "
            f"GvHzyNFiTCe6idxbFZk65LSUpnEKDeLGeUd8WCBC7aeL, and {DEV} pays the rents."
        ),
        (
            f"7. Token program: {payers_sol} (the payer's wrapped SOL account) is closed, and all its lamports go to "
            f"{DEV}; {DEV} authorizes it."
        ),
    ]


def test_cancels_of_trigger_v1() -> None:
    sentences = explain_base64(published.TRIGGER_CANCEL_FIVE)
    assert sentences[1] == "It cancels 5 orders of Trigger v1."
    assert sentences[3] == (
        f"{DEV} pays the fee of 8,328 lamports: 5,000 for 1 signature and 3,328 as priority "
        "(216,000 compute units at 15,406 micro-lamports each)."
    )
    assert len(sentences) == 4 + 7
    assert explain_base64(published.TRIGGER_CANCEL_ONE)[-1] == (
        f"2. Trigger v1: {DEV} cancels its order GnVUz4HcwBSbri2pL1dYmmUp4Cwgx51EqjjEMXyaPznB: the SOL in "
        f"6YQXLj9urddFQ1saEYkxZEVv37JcSTQmXSmsRnA9kyry goes to {DEV} as lamports, and the rents go to {DEV}."
    )


def test_what_an_order_needs_belongs_to_it_and_nothing_else_does() -> None:
    order = NewOrder(
        maker=str(P), payer=str(P), unique_id=1, input_mint=SOL, output_mint=USDC, making_amount=1, taking_amount=1
    )
    wrapped = associated_token_address(str(P), SOL)
    note = Instruction(Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"), b"hello", [])
    wraps = made(system.transfer, from_pubkey=P, to_pubkey=Pubkey.from_string(wrapped), lamports=1)
    needed = [*wrap_sol(str(P), 1), limit_order.initialize_order(order), unwrap_sol(str(P)), note]
    assert form(needed) == "It places an order of Trigger v1."
    assert (
        form([*needed, limit_order.initialize_order(replace(order, unique_id=2))])
        == "It places 2 orders of Trigger v1."
    )
    given_away = made(system.transfer, from_pubkey=P, to_pubkey=A, lamports=1)
    closed = Instruction(
        TOKEN, b"\x09", [AccountMeta(each, is_signer=False, is_writable=True) for each in (DEST, A, P)]
    )
    for other in (given_away, closed, Instruction(A, b"", [])):
        assert form([*needed, other]) == "It places an order of Trigger v1; instruction 6 does not belong to that."
    assert form([given_away, *needed, wraps, closed]) == (
        "It places an order of Trigger v1; instructions 0 and 8 do not belong to that."
    )
    cancel = limit_order.cancel_order(Cancellation.to_maker(order.address, str(P), SOL))
    assert form([*needed, cancel]) == "It cancels an order of Trigger v1; instruction 3 does not belong to that."


def form(instructions: Sequence[Instruction]) -> str:
    return explain(unsigned(instructions))[1]


def test_an_order_of_recurring_v1() -> None:
    users_sol = "DtHCQeMR1W7bRJqZBhfLdtjYijFhjrdnVjZJVbiwaegQ"
    sentences = explain_base64(published.RECURRING_CREATE)
    assert sentences[1] == "It opens an order of Recurring v1."
    assert sentences[9:] == [
        (
            f"5. Recurring v1: {USER} opens the recurring order FGXoHmS8MXU6pgzoJFHj86ZAW7wCFKodp6wgWi5WnoW7: 0.2 "
            f"SOL from {users_sol} (the payer's wrapped SOL account), of which 0.1 SOL every 300 seconds buy USDC. "
            f"{USER} pays the rents."
        ),
        (
            f"6. Token program: {users_sol} (the payer's wrapped SOL account) is closed, and all its lamports go to "
            f"{USER}; {USER} authorizes it."
        ),
    ]


def test_a_cancel_of_recurring_v1() -> None:
    assert explain_base64(published.RECURRING_CANCEL)[-1] == (
        f"2. Recurring v1: {USER} cancels the recurring order 5T3NGmbD8R59UWEaRaDq79r7fDxDUNidze3CVT94vrUb: the SOL "
        f"that it still has goes to {USER} as lamports, "
        "the USDC that it bought to 92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV (the payer's USDC account), "
        f"and the rents go to {USER}."
    )


def test_a_withdrawal_of_trigger_v2() -> None:
    vault, tracker = "66xK9AE6oFpGAyn9eCWE3LtYwUZKkeUxbfjFSNmFnkBo", "trfb53BmkHNeoqaa3REgqnrbwUZqAFYdjTkivkJ6aWg"
    account = "9Jbq8zQFE9epRCbzNcv54qhqDgxAdDRTEPppMdf4Qgt7"
    assert explain_base64(published.TRIGGER_V2_WITHDRAWAL) == [
        "A legacy transaction of 497 bytes, with the blockhash 3JbUvZ3vPFCMg8SJfU9DoaAKaEbbvpTQCEwzx5Ka99BL.",
        (
            f"In form it is a withdrawal of Trigger v2: {HOLDER} gets back what is in the account {account} of the "
            f"vault {vault}."
        ),
        f"{HOLDER} must sign it: the signature is missing.",
        f"{vault} must sign it: the signature is missing.",
        f"{tracker} must sign it: the signature is missing.",
        (
            f"{HOLDER} pays the fee of 15,148 lamports: 15,000 for 3 signatures and 148 as priority "
            "(592 compute units at 250,000 micro-lamports each)."
        ),
        "0. Compute budget: at most 592 compute units.",
        "1. Compute budget: an offer of 250,000 micro-lamports for each compute unit.",
        (
            f"2. Token program: 20 USDC go from {account} to EtNc68FJeCY9jHgdDBZ8kUSbz55Rj4MwL35mpQ2UrDFr (the payer's "
            f"USDC account); {vault} authorizes it, and {tracker} signs too."
        ),
        f"3. Token program: {account} is closed, and all its lamports go to {HOLDER}; {vault} authorizes it.",
    ]


# What this venue builds


VAULT = "CHNp9SZZWJLApsU6kMnmJcBy2RpqXn3PRyX8dp6kuPg"
ALICE = "GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB"
POOL = "52F336uqskx3fgvGv7BoRSy38gkbd4DtH4DUKXKYnZ3m"
GAS = "BzfjPcHpgez8KKYtQiUBTC5QniqDKp6yTm1V3oPYoggV"


def test_a_deposit() -> None:
    account = "CiaJh3QMUvtcED8uUCgLrhCUprrxFHHqVqHLuUAocPH3"
    sentences = explain_base64(ours.DEPOSIT_USDC)
    assert sentences[1] == f"In form it is a deposit of Trigger v2: {ALICE} funds the order in the account {account}."
    assert sentences[7:] == [
        (
            f"2. System program: {ALICE} pays 0.00203928 SOL for the new account {account} of 165 bytes, which {TOKEN} "
            f'owns; its address comes from {VAULT} and the seed "00000000000040008000000000000002".'
        ),
        f"3. Token program: {account} becomes a USDC account of {VAULT}.",
        (
            f"4. Token program: 20 USDC go from 7woc3ajaGMMXczFYjxon4aQoHH3j126fMUR9c58eHRsK (the payer's USDC "
            f"account) to {account}; {ALICE} authorizes it."
        ),
    ]
    assert explain_base64(ours.DEPOSIT_SOL)[-2:] == [
        f"4. System program: 1 SOL go from {ALICE} to 3hNQjjym5d9J7kSiLdESWSHMg9Edyf2Xz4KU45MkFvM4.",
        (
            "5. Token program: the lamports in 3hNQjjym5d9J7kSiLdESWSHMg9Edyf2Xz4KU45MkFvM4 become its balance of "
            "wrapped SOL."
        ),
    ]


def test_a_fill_for_sol() -> None:
    account = "ANy8wpKbC6v8g4eRdz4mGmHSr8WfpDNKErdaXeMfvwHC"
    sentences = explain_base64(ours.FILL_FOR_SOL)
    assert sentences[1] == f"In form it is a fill of Trigger v2: the vault {VAULT} sells from the account {account}."
    assert sentences[5].startswith(f"{GAS} pays the fee of 52,501 lamports: 15,000 for 3 signatures and 37,501 as")
    assert sentences[8:] == [
        (
            f"2. Token program: 20 USDC go from {account} to E64jqnpFYidK4dZkfoNxLWtcpWvz1FxCz6Ybxonp9Kkb (the USDC "
            f"account of {POOL}); {VAULT} authorizes it."
        ),
        f"3. System program: 0.133199999 SOL go from {POOL} to {ALICE}.",
        f"4. Token program: {account} is closed, and all its lamports go to {ALICE}; {VAULT} authorizes it.",
    ]


def test_a_sweep() -> None:
    account = "ANy8wpKbC6v8g4eRdz4mGmHSr8WfpDNKErdaXeMfvwHC"
    assert explain_base64(ours.SWEEP)[1] == (
        f"In form it is a sweep of Trigger v2: the account {account} of the vault {VAULT} is emptied and closed."
    )


@pytest.mark.parametrize(
    ("transaction", "form"),
    [
        (ours.DEPOSIT_SOL, "deposit"),
        (ours.DEPOSIT_USDC, "deposit"),
        (ours.WITHDRAWAL_SOL, "withdrawal"),
        (ours.FILL_FOR_USDC, "fill"),
        (ours.FILL_FOR_SOL, "fill"),
        (ours.SWEEP, "sweep"),
    ],
)
def test_the_form_of_what_this_venue_builds(transaction: str, form: str) -> None:
    assert explain_base64(transaction)[1].startswith(f"In form it is a {form} of Trigger v2: ")


async def test_what_this_venue_builds_now_is_known_too() -> None:
    async with opened_venue() as venue:
        token_2022 = await venue.lists_token_2022()
        for given, taken in ((SOL_TOKEN, USDC_TOKEN), (USDC_TOKEN, SOL_TOKEN), (token_2022, USDC_TOKEN)):
            deposit = await venue.build_deposit(given, 500_000, taken)
            group = await venue.has_open(given, 500_000, taken)
            withdrawal, fill = await venue.custody.build_withdrawal(group), await venue.custody.build_fill(group)
            sweep = await venue.custody.build_sweep(group)
            for form, craft in (
                ("deposit", deposit.craft),
                ("withdrawal", withdrawal),
                ("fill", fill),
                ("sweep", sweep),
            ):
                assert isinstance(craft, UnsignedTransaction)
                sentences = explain(venue.wire(craft))
                assert sentences[1].startswith(f"In form it is a {form} of Trigger v2: "), sentences
                assert not any("not known" in sentence for sentence in sentences)


async def test_an_order_that_keeps_what_it_buys_has_a_second_account() -> None:
    """An OTOCO: its deposit, its withdrawal with nothing bought and with something, and its sweep."""
    async with opened_venue() as venue:
        token_2022 = await venue.lists_token_2022()
        for given, taken in ((SOL_TOKEN, USDC_TOKEN), (USDC_TOKEN, SOL_TOKEN), (token_2022, USDC_TOKEN)):
            deposit = await venue.build_deposit(given, 500_000, taken, family=Family.OTOCO)
            assert explain(venue.wire(deposit.craft))[1] == (
                f"In form it is a deposit of Trigger v2: {venue.wallet} funds the order in the account "
                f"{deposit.input_account}, and opens the account {deposit.output_account} for what it buys."
            )
            group = await venue.has_open(given, 500_000, taken, family=Family.OTOCO)
            own, output = group.terms.input_account, group.terms.output_account
            assert output is not None
            which = f"the accounts {own} and {output} of the vault {VAULT}"
            got = f"{venue.wallet} gets back what is in {which}"
            with_dust = got
            if given == token_2022:  # Nothing in the transaction says which token it is.
                to = associated_token_address(venue.wallet, given.mint, given.program)
                usdc = f"{associated_token_address(venue.wallet, USDC)} (the payer's USDC account)"
                got, with_dust = (
                    f"what is in {which} goes to {all_of_it}, and the lamports go to {venue.wallet}"
                    for all_of_it in (to, f"{to} and {usdc}")
                )
            form = "In form it is a withdrawal of Trigger v2"
            assert explain(venue.wire(await venue.custody.build_withdrawal(group)))[1] == f"{form}: {got}."
            await venue.stranger_sends(replace(group, terms=replace(group.terms, input_account=output)), 7)
            assert explain(venue.wire(await venue.custody.build_withdrawal(group)))[1] == f"{form}: {with_dust}."
            fill, sweep = await venue.custody.build_fill(group), await venue.custody.build_sweep(group)
            assert isinstance(fill, UnsignedTransaction)
            assert sweep is not None
            assert explain(venue.wire(fill))[1] == (
                f"In form it is a fill of Trigger v2: the vault {VAULT} sells from the account {own}."
            )
            assert explain(venue.wire(sweep))[1] == (
                f"In form it is a sweep of Trigger v2: {which} are emptied and closed."
            )


async def test_a_fill_that_a_sandbox_makes_fail_is_known_and_so_is_what_fails_it() -> None:
    async with opened_venue() as venue:
        group = await venue.has_open(USDC_TOKEN, 500_000, SOL_TOKEN)
        venue.pool.failures_due = 1
        fill = await venue.custody.build_fill(group)
        assert isinstance(fill, UnsignedTransaction)
        sentences = explain(venue.wire(fill))
    assert sentences[1].startswith("In form it is a fill of Trigger v2: ")
    assert sentences[-1] == "5. Token program: an instruction that is not known here: 0 accounts and 1 byte of data."


def test_orders_of_the_older_families_with_everything() -> None:
    new = NewOrder(
        maker=USER,
        payer=DEV,
        unique_id=1,
        input_mint=USDC,
        output_mint=str(A),
        making_amount=1_500_250_000,
        taking_amount=1_000,
        expired_at=1_800_000_000,
        fee_bps=25,
        fee_account=str(B),
    )
    message = limit_order.create_message(new, Budget(1, 0), BLOCKHASH)
    sentences = explain(unsigned_transaction(message))
    assert f"{USER} must sign it: the signature is missing." in sentences
    assert sentences[4] == f"{DEV} pays the fee of 10,000 lamports: 10,000 for 2 signatures."
    own = "92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV"
    assert sentences[-1] == (
        f"3. Trigger v1: {USER} places the order {new.address}: 1,500.25 USDC from {own} (the USDC account of {USER}) "
        f"for at least 1,000 base units of the token {A}, until 2027-01-15 08:00:00 UTC. The input waits in "
        f"{limit_order.reserve_of(new.address, USDC)}, and {DEV} pays the rents. "
        f"The integrator takes 25 basis points of the output, for {B}."
    )
    expired = Cancellation.to_maker(new.address, USER, USDC)
    sentences = explain(unsigned_transaction(limit_order.cancel_message([expired], Budget(1, 0), BLOCKHASH, by=DEV)))
    assert sentences[-1].startswith(f"2. Trigger v1: {DEV} cancels {USER}'s expired order {new.address}: the USDC in ")
    assert sentences[-1].endswith(f" goes to {own} (the USDC account of {USER}), and the rents go to {USER}.")


KEYS = DcaKeys(dca=str(A), user=str(P), input_mint=SOL, output_mint=USDC)
NEW_DCA = NewDca(
    user=str(P),
    payer=str(P),
    input_mint=USDC,
    output_mint=SOL,
    idx=1,
    in_amount=10**8,
    in_amount_per_cycle=10**7,
    cycle_frequency=1,
    min_out=5,
    max_out=10**9,
    start_at=1_800_000_000,
)


@pytest.mark.parametrize(
    ("instruction", "sentence"),
    [
        (
            dca.open_dca(NEW_DCA),
            (
                f"Recurring v1: {P} opens the recurring order {NEW_DCA.keys.dca}: 100 USDC from "
                f"{KEYS.users(DcaBalance.OUT)} (the payer's USDC account), of which 10 USDC every 1 second buy SOL "
                f"(at least 0.000000005 SOL and at most 1 SOL each time), from 2027-01-15 08:00:00 UTC on. {P} pays "
                "the rents."
            ),
        ),
        (
            dca.deposit(KEYS, 10**9),
            (
                f"Recurring v1: {P} adds 1 SOL from {KEYS.users(DcaBalance.IN)} (the payer's wrapped SOL account) to "
                f"the recurring order {A}."
            ),
        ),
        (
            dca.withdraw(KEYS, DcaBalance.OUT, 5_500_000),
            (
                f"Recurring v1: {P} takes 5.5 USDC out of the recurring order {A}, to {KEYS.users(DcaBalance.OUT)} "
                "(the payer's USDC account)."
            ),
        ),
        (
            Instruction(Pubkey.from_string(dca.PROGRAM), bytes.fromhex("9bc150795b93febb"), []),
            "Recurring v1: the instruction initiate_dlmm_fill, for no account, with 0 more bytes.",
        ),
        (
            Instruction(
                Pubkey.from_string(limit_order.PROGRAM),
                bytes.fromhex("0e7ae7da1feedf96") + bytes(8),
                [AccountMeta(A, is_signer=False, is_writable=False), AccountMeta(B, is_signer=False, is_writable=True)],
            ),
            f"Trigger v1: the instruction withdraw_fee, for {A} and {B}, with 8 more bytes.",
        ),
        (
            Instruction(Pubkey.from_string(limit_order.PROGRAM), bytes.fromhex("e445a52e51cb9a1d") + bytes(40), []),
            "Trigger v1: an event; the program takes it from itself alone.",
        ),
    ],
)
def test_other_instructions_of_the_order_programs(instruction: Instruction, sentence: str) -> None:
    assert told(instruction) == sentence


# Signatures, fees and versions


def test_who_has_signed_and_who_has_not() -> None:
    second, third = Keypair.from_seed(bytes([1] * 32)), Keypair.from_seed(bytes([2] * 32))
    metas = [AccountMeta(each.pubkey(), is_signer=True, is_writable=False) for each in (second, third)]
    message = Message.new_with_blockhash([Instruction(A, b"", metas)], P, Hash.from_string(BLOCKHASH))
    keys = [str(each) for each in message.account_keys[:3]]
    signatures = {
        str(P): PAYER.sign_message(bytes(message)),
        str(second.pubkey()): Signature.default(),
        str(third.pubkey()): PAYER.sign_message(bytes(message)),
    }
    raw = bytes(VersionedTransaction.populate(message, [signatures[each] for each in keys]))
    said = explain(raw)[1:4]
    assert sorted(said) == sorted(
        [
            f"{P} has signed it.",
            f"{second.pubkey()} must sign it: the signature is missing.",
            f"{third.pubkey()} must sign it: the signature is wrong.",
        ]
    )


@pytest.mark.parametrize(
    ("instructions", "fee"),
    [
        ([], "5,000 lamports: 5,000 for 1 signature."),
        ([set_compute_unit_limit(100)], "5,000 lamports: 5,000 for 1 signature."),
        (
            [set_compute_unit_limit(1), set_compute_unit_price(1)],
            "5,001 lamports: 5,000 for 1 signature and 1 as priority (1 compute unit at 1 micro-lamports each).",
        ),
        (
            [set_compute_unit_price(1_000_000)],
            (
                "208,000 lamports: 5,000 for 1 signature and 203,000 as priority "
                "(203,000 compute units at 1,000,000 micro-lamports each)."
            ),
        ),
        (
            [set_compute_unit_limit(2**32 - 1), set_compute_unit_price(10)],
            (
                "5,014 lamports: 5,000 for 1 signature and 14 as priority "
                "(1,400,000 compute units at 10 micro-lamports each)."
            ),
        ),
        (
            [VERIFIES_TWO, set_compute_unit_limit(1_000), set_compute_unit_price(10**6)],
            (
                "16,000 lamports: 5,000 for 1 signature, 10,000 for signatures that programs verify and 1,000 as "
                "priority (1,000 compute units at 1,000,000 micro-lamports each)."
            ),
        ),
        (
            [VERIFIES_TWO],
            "15,000 lamports: 5,000 for 1 signature and 10,000 for signatures that programs verify.",
        ),
    ],
)
def test_the_fee(instructions: list[Instruction], fee: str) -> None:
    acts = [*instructions, Instruction(A, b"", [])]
    assert explain(unsigned(acts))[2] == f"{P} pays the fee of {fee}"


def test_a_durable_nonce_does_not_expire() -> None:
    advance = made(system.advance_nonce_account, nonce_pubkey=A, authorized_pubkey=P)
    first = explain(unsigned([advance]))[0]
    assert first.endswith(f"with the durable nonce {BLOCKHASH} of {A}: it does not expire.")
    before = Instruction(A, b"", [AccountMeta(B, is_signer=False, is_writable=True)])
    assert explain(unsigned([before, advance]))[0].endswith(f"with the blockhash {BLOCKHASH}.")


def test_accounts_from_lookup_tables_are_named_by_their_place() -> None:
    transfer = made(system.transfer, from_pubkey=P, to_pubkey=A, lamports=10**9)
    tables = [
        MessageAddressTableLookup(B, bytes([7]), bytes([9])),
        MessageAddressTableLookup(C, bytes([8]), bytes([])),
    ]
    compiled = Message([transfer], P).instructions[0]
    keys = [P, Pubkey.from_string("11111111111111111111111111111111")]
    lines = []
    for index in (2, 3, 4):
        call = type(compiled)(1, bytes(compiled.data), bytes([0, index]))
        message = MessageV0(MessageHeader(1, 0, 1), keys, Hash.from_string(BLOCKHASH), [call], tables)
        lines.append(explain(bytes(VersionedTransaction.populate(message, [Signature.default()]))))
    assert lines[0][0].startswith("A version 0 transaction of ")
    assert lines[0][1:3] == [
        f"It takes 2 accounts from the lookup table {B}, which only a chain knows.",
        f"It takes 1 account from the lookup table {C}, which only a chain knows.",
    ]
    assert [each[-1] for each in lines] == [
        f"0. System program: 1 SOL go from {P} to entry 7 of the lookup table {B}.",
        f"0. System program: 1 SOL go from {P} to entry 8 of the lookup table {C}.",
        f"0. System program: 1 SOL go from {P} to entry 9 of the lookup table {B}.",
    ]


# What a stranger claims


def test_a_known_token_keeps_its_decimals_whatever_an_instruction_says() -> None:
    claim = spl.transfer_checked(
        models.TransferCheckedParams(program_id=TOKEN, source=A, mint=U, dest=C, owner=P, amount=10**6, decimals=0)
    )
    assert told(claim) == f"Token program: 1 USDC go from {A} to {C}; {P} authorizes it."


def test_an_account_that_changes_its_token_has_none() -> None:
    """Closed and made anew in one transaction: the first transfer must not be told in the second token."""
    transfer = spl.transfer(models.TransferParams(program_id=TOKEN, source=A, dest=B, owner=P, amount=5))
    claims = [
        spl.initialize_account3(models.InitializeAccount3Params(program_id=TOKEN, account=A, mint=mint, owner=P))
        for mint in (U, Pubkey.from_string(SOL), U)
    ]
    said = explain(unsigned([transfer, *claims]))[3]
    assert said.startswith("0. Token program: 5 base units of a token that the transaction does not name go from")
    assert "0.000005 USDC" in explain(unsigned([transfer, claims[0]]))[3]


def test_what_does_not_belong_to_a_deposit_is_named() -> None:
    opens = made(
        system.create_account_with_seed,
        from_pubkey=P,
        to_pubkey=A,
        base=C,
        seed="1",
        lamports=2_039_280,
        space=165,
        owner=TOKEN,
    )
    begins = spl.initialize_account3(models.InitializeAccount3Params(program_id=TOKEN, account=A, mint=U, owner=C))

    def pays(to: Pubkey) -> Instruction:
        return spl.transfer_checked(
            models.TransferCheckedParams(
                program_id=TOKEN, source=DEST, mint=U, dest=to, owner=P, amount=10**6, decimals=6
            )
        )

    deposit = f"In form it is a deposit of Trigger v2: {P} funds the order in the account {A}"
    lamports = made(system.transfer, from_pubkey=P, to_pubkey=A, lamports=1)
    assert form([opens, begins, pays(A), lamports]) == f"{deposit}."
    assert form([opens, begins, pays(B), pays(A)]) == f"{deposit}; instruction 2 does not belong to that."
    given = spl.set_authority(
        models.SetAuthorityParams(
            program_id=TOKEN,
            account=DEST,
            authority=models.AuthorityType.ACCOUNT_OWNER,
            current_authority=P,
            new_authority=B,
        )
    )
    away = made(system.transfer, from_pubkey=P, to_pubkey=B, lamports=1)
    assert form([opens, begins, pays(A), given, away]) == f"{deposit}; instructions 3 and 4 do not belong to that."


def test_a_withdrawal_that_goes_elsewhere_does_not_come_back() -> None:
    close = spl.close_account(models.CloseAccountParams(program_id=TOKEN, account=A, dest=P, owner=C, signers=[D]))

    def moves(to: Pubkey) -> str:
        params = models.TransferParams(program_id=TOKEN, source=A, dest=to, owner=C, amount=5, signers=[D])
        return form([spl.transfer(params), close])

    withdrawal = "In form it is a withdrawal of Trigger v2: "
    assert moves(DEST) == f"{withdrawal}{P} gets back what is in the account {A} of the vault {C}."
    assert moves(E) == (
        f"{withdrawal}what is in the account {A} of the vault {C} goes to {E}, and the lamports go to {P}."
    )


def test_two_accounts_are_taken_from_once_each_or_it_has_no_form() -> None:
    def closes(*accounts: Pubkey, to: Pubkey = P) -> list[str]:
        given = [
            models.CloseAccountParams(program_id=TOKEN, account=account, dest=to, owner=C, signers=[D])
            for account in accounts
        ]
        return explain(unsigned([spl.close_account(each) for each in given]))

    assert closes(A, B)[1].endswith(f"{P} gets back what is in the accounts {A} and {B} of the vault {C}.")
    assert not any("In form" in line for line in closes(A, A))
    assert not any("In form" in line for line in closes(A, B, E))
    assert not any("In form" in line for line in closes(A, B, to=E))


def test_what_only_resembles_a_withdrawal_has_no_form() -> None:
    close = spl.close_account(models.CloseAccountParams(program_id=TOKEN, account=DEST, dest=P, owner=P))
    assert not any("In form" in line for line in explain(unsigned([close])))
    foreign = spl.get_associated_token_address(A, U)
    close = spl.close_account(models.CloseAccountParams(program_id=TOKEN, account=foreign, dest=A, owner=A))
    assert not any("In form" in line for line in explain(unsigned([close])))
    away = spl.close_account(models.CloseAccountParams(program_id=TOKEN, account=A, dest=B, owner=C, signers=[D]))
    assert not any("In form" in line for line in explain(unsigned([away])))


@pytest.mark.parametrize(
    "instruction",
    [
        Instruction(TOKEN, b"", []),
        Instruction(TOKEN, bytes([3]) + bytes(8), []),
        Instruction(TOKEN, bytes([12]) + bytes(8), [AccountMeta(each, False, True) for each in (A, B, C, D)]),
        Instruction(TOKEN, bytes([254]), []),
        Instruction(TOKEN, bytes([255, 0, 1, 255]), []),
        Instruction(TOKEN, bytes([255, 9, 1, 17]), [AccountMeta(A, False, True)]),
        Instruction(TOKEN, bytes([6, 0, 2]) + bytes(32), [AccountMeta(A, False, True), AccountMeta(B, True, False)]),
        Instruction(system.ID, b"\2\0", []),
        Instruction(system.ID, b"\x63\0\0\0", []),
        Instruction(
            system.ID, b"\3\0\0\0" + bytes(32) + b"\xff" * 8, [AccountMeta(A, False, True), AccountMeta(B, False, True)]
        ),
        Instruction(ASSOCIATED, bytes([9]), []),
        Instruction(Pubkey.from_string(limit_order.PROGRAM), limit_order.INITIALIZE_ORDER, []),
        Instruction(Pubkey.from_string(dca.PROGRAM), b"", []),
        Instruction(Pubkey.from_string(dca.PROGRAM), dca.WITHDRAW + bytes(8) + b"\2", []),
    ],
)
def test_an_instruction_that_a_program_would_refuse_is_named_by_its_size(instruction: Instruction) -> None:
    accounts = len(instruction.accounts)
    said = told(instruction)
    assert " program: an instruction that is not known here: " in said or "v1: an instruction that is not known" in said
    assert f"{accounts} account" in said
    assert said.endswith(f"and {len(instruction.data)} byte{'' if len(instruction.data) == 1 else 's'} of data.")


# Hostile input


def test_damaged_transactions_are_explained_or_refused_in_one_printable_line() -> None:
    chance = random.Random(7)
    sound = [base64.b64decode(value) for value in vars(published).values() if str(value).startswith("A")]
    explained = 0
    for _ in range(1_000):
        damaged = bytearray(chance.choice(sound))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randrange(2)] = chance.randbytes(chance.randrange(2))
        try:
            lines = explain(bytes(damaged))
        except MalformedTransaction as refusal:
            lines = [str(refusal)]
        else:
            explained += 1
        assert all(line.isprintable() for line in lines)
    assert 50 < explained < 950


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is nothing to explain"),
        ("   ", "there is nothing to explain"),
        ("not base64!", "this is not base64"),
        ("AQ", "this is not base64"),
        ("-AQ=", "this is not base64"),
        (f"{published.TRIGGER_CREATE[:8]}\n{published.TRIGGER_CREATE[8:]}", "this is not base64"),
        ("é", "this is not base64"),
        ("A\x1b[31m", "this is not base64"),
        ("A" * 1_648, "1648 characters are more than a transaction takes"),
        ("A" * 1_644, "the transaction has 1233 bytes"),
        ("AQ==", "these bytes are no transaction"),
        (published.TRIGGER_CANCEL_ONE[:-4], "these bytes are no transaction"),
        (published.TRIGGER_CANCEL_ONE[:-4] + "AAAA" * 2, "these bytes are not"),
    ],
)
def test_a_refusal_is_one_line(text: str, reason: str) -> None:
    with pytest.raises(MalformedTransaction, match=f"^{reason}") as refusal:
        explain_base64(text)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("text", ["", "-AQ=", "A\x1b[31m", "AQ==", published.TRIGGER_CANCEL_ONE + "AAAA"])
def test_the_command_refuses_in_one_line_with_exit_status_2(text: str) -> None:
    ended = run(COUNTERMAND, "explain", text, seconds=20)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("countermand: ")
    assert ended.stderr.removesuffix("\n").isprintable()


def test_the_command_as_it_is_installed_prints_the_sentences() -> None:
    program = Path(sys.executable).with_name("countermand")
    asked = (str(program), "explain", published.TRIGGER_CREATE)
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == explain_base64(published.TRIGGER_CREATE)
