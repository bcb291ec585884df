"""The two orders of keys in a message, held against the libraries that have them."""

import base64
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import base58
import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from countermand.solana.programs.compile import (
    KeyOrder,
    compile_message,
    fits_packet,
    transaction_size,
    unsigned_transaction,
)
from countermand.solana.programs.limit_order import Cancellation, cancel_message, create_message
from countermand.solana.tokens import JUP_MINT, SOL_MINT, USDC_MINT, USDT_MINT
from countermand.values.structs import replace
from tests.clients.node import run_node
from tests.solana.test_programs_samples import CANCEL_ONE, FIVE, MAKER, NEW_ORDER, SIXTH

TERMS = CANCEL_ONE["budget"], CANCEL_ONE["blockhash"]

COMPILES = """
import { readFileSync } from "node:fs";
import { PublicKey, Transaction, TransactionInstruction } from "@solana/web3.js";
const key = (text) => new PublicKey(text);
for (const { payer, blockhash, instructions } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const transaction = new Transaction({ feePayer: key(payer), recentBlockhash: blockhash });
  for (const { program, accounts, data } of instructions)
    transaction.add(new TransactionInstruction({
      programId: key(program),
      keys: accounts.map(([pubkey, isSigner, isWritable]) => ({ pubkey: key(pubkey), isSigner, isWritable })),
      data: Buffer.from(data, "base64"),
    }));
  console.log(transaction.compileMessage().serialize().toString("base64"));
}
"""

Described = dict[str, object]


def look_alikes(chance: random.Random) -> list[Pubkey]:
    """Keys whose addresses are the same but for the case of some letters."""
    text = str(Pubkey(chance.randbytes(32)))
    found = [Pubkey.from_string(text)]
    for _ in range(20):
        swapped = "".join(letter.swapcase() if chance.random() < 0.1 else letter for letter in text)
        if not set(swapped) & set("0OIl"):
            raw = base58.b58decode(swapped)
            if len(raw) == 32 and Pubkey(raw) not in found:
                found.append(Pubkey(raw))
    return found


def messages(number: int) -> Iterator[tuple[list[Instruction], str, str]]:
    """Few keys in many instructions, so that they meet in several roles; some of them hard to tell apart."""
    chance = random.Random(20_240_101)
    for _ in range(number):
        keys = [Pubkey(chance.randbytes(32)) for _ in range(chance.randrange(1, 20))] + look_alikes(chance)
        instructions = [
            Instruction(
                chance.choice(keys),
                chance.randbytes(chance.randrange(12)),
                [
                    AccountMeta(chance.choice(keys), chance.random() < 0.3, chance.random() < 0.5)
                    for _ in range(chance.randrange(12))
                ],
            )
            for _ in range(chance.randrange(1, 6))
        ]
        yield instructions, str(chance.choice(keys)), str(Pubkey(chance.randbytes(32)))


def described(instructions: Sequence[Instruction], payer: str, blockhash: str) -> Described:
    return {
        "payer": payer,
        "blockhash": blockhash,
        "instructions": [
            {
                "program": str(each.program_id),
                "accounts": [[str(meta.pubkey), meta.is_signer, meta.is_writable] for meta in each.accounts],
                "data": base64.b64encode(bytes(each.data)).decode(),
            }
            for each in instructions
        ],
    }


def test_1500_messages_have_the_bytes_of_web3_js(tmp_path: Path) -> None:
    table = list(messages(1_500))
    file = tmp_path / "messages.json"
    file.write_text(json.dumps([described(*each) for each in table]))
    ended = run_node(COMPILES, str(file))
    assert ended.returncode == 0, ended.stderr
    theirs = [base64.b64decode(line) for line in ended.stdout.split()]
    ours = [compile_message(*each, KeyOrder.JAVASCRIPT) for each in table]
    assert ours == theirs
    rust = [compile_message(*each, KeyOrder.RUST) for each in table]
    assert sum(mine != other for mine, other in zip(ours, rust, strict=True)) > 1_000, "the orders hardly differ"


def test_only_case_decides_between_addresses_that_differ_in_nothing_else() -> None:
    chance = random.Random(1)
    keys = look_alikes(chance)
    assert len(keys) > 2
    metas = [AccountMeta(key, is_signer=False, is_writable=False) for key in keys]
    message = compile_message([Instruction(keys[0], b"", metas)], MAKER, SOL_MINT, KeyOrder.JAVASCRIPT)
    shown = [base58.b58encode(message[4 + 32 * at : 36 + 32 * at]).decode() for at in range(1, 1 + len(keys))]
    assert shown == sorted(map(str, keys), key=str.swapcase)


def test_a_message_with_more_keys_than_it_can_name_is_refused() -> None:
    metas = [AccountMeta(Pubkey(number.to_bytes(32, "big")), False, False) for number in range(1, 300)]
    with pytest.raises(ValueError):
        compile_message([Instruction(metas[0].pubkey, b"", metas)], MAKER, SOL_MINT, KeyOrder.JAVASCRIPT)


def test_the_size_counts_every_signature() -> None:
    one, two = cancel_message(**CANCEL_ONE), create_message(replace(NEW_ORDER, payer=FIVE[0]), *TERMS)
    assert transaction_size(one) == len(unsigned_transaction(one)) == 398
    assert transaction_size(two) == len(unsigned_transaction(two)) == len(two) + 129


@pytest.mark.parametrize(("size", "fits"), [(1_232, True), (1_233, False)])
def test_a_packet_has_room_for_1232_bytes(size: int, fits: bool) -> None:
    assert fits_packet(b"\2" + bytes(size - 1 - 2 * 64 - 1)) is fits


@pytest.mark.parametrize(("count", "fits"), [(10, True), (11, False)])
def test_as_many_cancels_of_one_token_as_fit(count: int, fits: bool) -> None:
    orders = [str(Pubkey(bytes([number]) * 32)) for number in range(1, count + 1)]
    cancels = [Cancellation.to_maker(order, MAKER, SOL_MINT) for order in orders]
    message = cancel_message(cancels, *TERMS)
    assert fits_packet(message) is fits


def test_five_cancels_of_five_tokens_with_all_accounts_to_create_fit() -> None:
    mints = SOL_MINT, USDC_MINT, USDT_MINT, JUP_MINT, SIXTH
    cancels = [Cancellation.to_maker(order, MAKER, mint, creates=True) for order, mint in zip(FIVE, mints, strict=True)]
    assert fits_packet(cancel_message(cancels, *TERMS))
