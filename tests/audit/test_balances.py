"""What the audit notes of accounts while it follows the transactions of a chain."""

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from countermand.audit.balances import ChainBalances
from countermand.audit.findings import Audit
from countermand.solana.ledger import InnerCall, Meta
from countermand.solana.tokens import TOKEN_2022_PROGRAM
from countermand.solana.wire import WireTransaction, read_transaction

PAYER = Keypair.from_seed(bytes(32))
MINT, STRANGER = Pubkey(bytes([1] * 32)), Pubkey(bytes([2] * 32))
TOKENS = Pubkey.from_string(TOKEN_2022_PROGRAM)
INITIALIZE_MINT_2, MINT_TO = bytes([20, 2]), bytes([7])


def calls(program: Pubkey, data: bytes, *also: Pubkey) -> WireTransaction:
    metas = [AccountMeta(MINT, is_signer=False, is_writable=True)]
    metas += [AccountMeta(each, is_signer=False, is_writable=False) for each in also]
    message = Message.new_with_blockhash([Instruction(program, data, metas)], PAYER.pubkey(), Hash.default())
    return read_transaction(bytes(VersionedTransaction(message, [PAYER])))


def meta_of(*inner: InnerCall) -> Meta:
    return Meta(5_000, 0, [], [], [], [], [], [(0, list(inner))], None, [], [])


def remade(transaction: WireTransaction, *inner: InnerCall, known: bool = True) -> bool:
    balances = ChainBalances(bytes(32), Audit())
    if known:
        balances.decimals[bytes(MINT)] = 6
    balances.note_remade_mints(transaction, [*map(bytes, transaction.static_keys)], meta_of(*inner))
    return bytes(MINT) in balances.remade


@pytest.mark.parametrize(("known", "data"), [(True, INITIALIZE_MINT_2), (False, INITIALIZE_MINT_2), (True, MINT_TO)])
def test_a_mint_that_is_known_and_made_again(known: bool, data: bytes) -> None:
    assert remade(calls(TOKENS, data), known=known) == (known and data == INITIALIZE_MINT_2)


@pytest.mark.parametrize("data", [INITIALIZE_MINT_2, MINT_TO])
def test_a_program_may_make_it(data: bytes) -> None:
    transaction = calls(STRANGER, b"", TOKENS)
    places = [str(each) for each in transaction.static_keys]
    call = InnerCall(places.index(str(TOKENS)), bytes([places.index(str(MINT))]), data, 2)
    assert remade(transaction, call) == (data == INITIALIZE_MINT_2)
    assert not remade(transaction)
