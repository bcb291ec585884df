"""What any wallet may do on the chain by itself, past the venue. The audit finds damage, and this is none."""

import base64
import struct
from collections.abc import Sequence
from itertools import count
from uuid import uuid4

import pytest
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import (
    CreateAccountParams,
    CreateAccountWithSeedParams,
    TransferParams,
    create_account,
    create_account_with_seed,
    transfer,
)
from solders.transaction import VersionedTransaction

from countermand.solana.programs import dca, limit_order, swap
from countermand.solana.programs.accounts import create_associated
from countermand.solana.tokens import (
    MEMO_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_ACCOUNT_BYTES,
    TOKEN_PROGRAM,
    associated_token_address,
)
from tests.end_to_end.test_venue_root import agrees
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import SOL, USDC, Venue, associated

APPROVE, REVOKE, SET_AUTHORITY, MINT_TO, CLOSE, FREEZE, INITIALIZE_MINT, CLOSE_AUTHORITY = 4, 5, 6, 7, 9, 10, 20, 25
INITIALIZE_ACCOUNT_3 = 18
OF_FREEZING, OF_OWNING, OF_CLOSING = 1, 2, 3
CLOSABLE_MINT_BYTES = 202
PLAIN_MINT_BYTES = 82
UNITS = count(200_000)


@pytest.fixture
def alice(venue: Venue) -> Trader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    return trader


def token(trader: Trader, number: int, data: bytes, *accounts: Pubkey | str, of: str = TOKEN_PROGRAM) -> Instruction:
    """Signed by the trader, who stands last."""
    metas = [AccountMeta(key(each), is_signer=False, is_writable=True) for each in accounts]
    metas.append(AccountMeta(trader.key.pubkey(), is_signer=True, is_writable=False))
    return Instruction(key(of), bytes([number]) + data, metas)


def key(address: Pubkey | str) -> Pubkey:
    return address if isinstance(address, Pubkey) else Pubkey.from_string(address)


def creates(trader: Trader, new: Keypair, size: int, owner: str) -> Instruction:
    payer, account = trader.key.pubkey(), new.pubkey()
    return create_account(
        CreateAccountParams(from_pubkey=payer, to_pubkey=account, lamports=10**8, space=size, owner=key(owner))
    )


def sends(trader: Trader, instructions: Sequence[Instruction], *others: Keypair) -> None:
    lands(trader, instructions, *others)
    audit = trader.venue.audit()
    assert audit["ok"], audit


def lands(trader: Trader, instructions: Sequence[Instruction], *others: Keypair) -> None:
    blockhash = Hash.from_string(trader.venue.rpc("getLatestBlockhash")["blockhash"])
    once = set_compute_unit_limit(next(UNITS))  # The same deeds in one slot would be the same transaction.
    message = Message.new_with_blockhash([once, *instructions], trader.key.pubkey(), blockhash)
    raw = base64.b64encode(bytes(VersionedTransaction(message, [trader.key, *others]))).decode()
    signature = trader.venue.rpc("sendTransaction", raw, {"encoding": "base64"})
    (status,) = trader.venue.rpc("getSignatureStatuses", [signature])
    assert status["err"] is None


def test_a_delegate_comes_and_goes(alice: Trader) -> None:
    account, other = associated(alice.wallet, USDC), Keypair().pubkey()
    for _ in range(2):
        sends(alice, [token(alice, APPROVE, struct.pack("<Q", 500), account, other)])
        sends(alice, [token(alice, REVOKE, b"", account)])
    closer = bytes([OF_CLOSING, 1]) + bytes(Keypair().pubkey())
    sends(alice, [token(alice, SET_AUTHORITY, closer, account)])
    sends(alice, [token(alice, APPROVE, struct.pack("<Q", 500), account, other)])
    sends(alice, [token(alice, SET_AUTHORITY, bytes([OF_OWNING, 1]) + bytes(other), account)])


def test_an_account_stays_frozen_when_the_right_to_it_is_given_up(alice: Trader) -> None:
    mint, own = Keypair(), bytes(alice.key.pubkey())
    account = associated_token_address(alice.wallet, str(mint.pubkey()))
    makes = Instruction(
        key(TOKEN_PROGRAM),
        bytes([INITIALIZE_MINT, 6]) + own + b"\1" + own,
        [AccountMeta(mint.pubkey(), is_signer=False, is_writable=True)],
    )
    opens = create_associated(alice.wallet, alice.wallet, str(mint.pubkey()))
    sends(alice, [creates(alice, mint, PLAIN_MINT_BYTES, TOKEN_PROGRAM), makes, opens], mint)
    sends(alice, [token(alice, MINT_TO, struct.pack("<Q", 1_000), mint.pubkey(), account)])
    sends(alice, [token(alice, FREEZE, b"", account, mint.pubkey())])
    sends(alice, [token(alice, SET_AUTHORITY, bytes([OF_FREEZING, 0]), mint.pubkey())])


def test_a_mint_is_closed_and_comes_back_with_other_decimals(alice: Trader) -> None:
    mint, own = Keypair(), bytes(alice.key.pubkey())
    account = associated_token_address(alice.wallet, str(mint.pubkey()), TOKEN_2022_PROGRAM)
    meta = [AccountMeta(mint.pubkey(), is_signer=False, is_writable=True)]

    def makes(decimals: int) -> list[Instruction]:
        return [
            creates(alice, mint, CLOSABLE_MINT_BYTES, TOKEN_2022_PROGRAM),
            Instruction(key(TOKEN_2022_PROGRAM), bytes([CLOSE_AUTHORITY, 1]) + own, meta),
            Instruction(key(TOKEN_2022_PROGRAM), bytes([INITIALIZE_MINT, decimals]) + own + b"\0", meta),
        ]

    opens = create_associated(alice.wallet, alice.wallet, str(mint.pubkey()), TOKEN_2022_PROGRAM)
    sends(alice, [*makes(6), opens], mint)
    sends(alice, [token(alice, CLOSE, b"", mint.pubkey(), alice.key.pubkey(), of=TOKEN_2022_PROGRAM)])
    sends(alice, makes(2), mint)
    gives = token(alice, MINT_TO, struct.pack("<Q", 1_000), mint.pubkey(), account, of=TOKEN_2022_PROGRAM)
    sends(alice, [gives])


@pytest.mark.parametrize("program", [TOKEN_PROGRAM, TOKEN_2022_PROGRAM])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_mint_is_closed_and_comes_back_without_extensions_under_either_program(
    alice: Trader, program: str, at_once: bool
) -> None:
    """That it could be closed is no longer seen then. Accounts of its first life stay."""
    mint, own = Keypair(), bytes(alice.key.pubkey())
    meta = [AccountMeta(mint.pubkey(), is_signer=False, is_writable=True)]
    makes = [
        creates(alice, mint, CLOSABLE_MINT_BYTES, TOKEN_2022_PROGRAM),
        Instruction(key(TOKEN_2022_PROGRAM), bytes([CLOSE_AUTHORITY, 1]) + own, meta),
        Instruction(key(TOKEN_2022_PROGRAM), bytes([INITIALIZE_MINT, 6]) + own + b"\0", meta),
        create_associated(alice.wallet, alice.wallet, str(mint.pubkey()), TOKEN_2022_PROGRAM),
    ]
    closes = token(alice, CLOSE, b"", mint.pubkey(), alice.key.pubkey(), of=TOKEN_2022_PROGRAM)
    again = [
        creates(alice, mint, PLAIN_MINT_BYTES, program),
        Instruction(key(program), bytes([INITIALIZE_MINT, 2]) + own + b"\0", meta),
    ]
    sends(alice, makes, mint)
    if at_once:
        sends(alice, [closes, *again], mint)
    else:
        sends(alice, [closes])
        sends(alice, again, mint)


@pytest.mark.parametrize(
    ("owner", "size"),
    [(SYSTEM_PROGRAM, 0), (MEMO_PROGRAM, 0), (MEMO_PROGRAM, 10), (SYSTEM_PROGRAM, 44), (TOKEN_PROGRAM, 82)],
)
def test_a_mint_is_closed_and_its_address_becomes_something_else(alice: Trader, owner: str, size: int) -> None:
    """The accounts of its tokens stay, and what is at the address of their mint may be of any length."""
    mint, own = Keypair(), bytes(alice.key.pubkey())
    account = associated_token_address(alice.wallet, str(mint.pubkey()), TOKEN_2022_PROGRAM)
    meta = [AccountMeta(mint.pubkey(), is_signer=False, is_writable=True)]
    makes = [
        creates(alice, mint, CLOSABLE_MINT_BYTES, TOKEN_2022_PROGRAM),
        Instruction(key(TOKEN_2022_PROGRAM), bytes([CLOSE_AUTHORITY, 1]) + own, meta),
        Instruction(key(TOKEN_2022_PROGRAM), bytes([INITIALIZE_MINT, 6]) + own + b"\0", meta),
        create_associated(alice.wallet, alice.wallet, str(mint.pubkey()), TOKEN_2022_PROGRAM),
    ]
    sends(alice, makes, mint)
    sends(alice, [token(alice, CLOSE, b"", mint.pubkey(), alice.key.pubkey(), of=TOKEN_2022_PROGRAM)])
    sends(alice, [creates(alice, mint, size, owner)], mint)
    gift = TransferParams(from_pubkey=alice.key.pubkey(), to_pubkey=key(account), lamports=7)
    sends(alice, [transfer(gift)])
    shown = alice.venue.rpc("getAccountInfo", account, {"encoding": "jsonParsed"})
    assert isinstance(shown["data"], list), "its amount has no decimals"
    sends(alice, [token(alice, CLOSE, b"", account, alice.key.pubkey(), of=TOKEN_2022_PROGRAM)])


def test_an_account_is_made_with_a_key_of_ones_own_and_a_long_seed(alice: Trader) -> None:
    base = Keypair()
    sends(alice, seeded(alice, base.pubkey(), "a" * 32), base)


def test_the_master_seed_tells_a_vault_from_a_key_of_ones_own(alice: Trader) -> None:
    base, seed = Keypair(), uuid4().hex
    account = Pubkey.create_with_seed(base.pubkey(), seed, key(TOKEN_PROGRAM))
    lands(alice, seeded(alice, base.pubkey(), seed), base)
    assert agrees(alice.venue.log.parent)
    closes = Instruction(
        key(TOKEN_PROGRAM),
        bytes([CLOSE]),
        [
            AccountMeta(account, is_signer=False, is_writable=True),
            AccountMeta(alice.key.pubkey(), is_signer=False, is_writable=True),
            AccountMeta(base.pubkey(), is_signer=True, is_writable=False),
        ],
    )
    sends(alice, [closes], base)


def seeded(trader: Trader, base: Pubkey, seed: str) -> list[Instruction]:
    """An account for USDC, of that base and at an address that follows from it."""
    account = Pubkey.create_with_seed(base, seed, key(TOKEN_PROGRAM))
    makes = create_account_with_seed(
        CreateAccountWithSeedParams(
            from_pubkey=trader.key.pubkey(),
            to_pubkey=account,
            base=base,
            seed=seed,
            lamports=10**8,
            space=TOKEN_ACCOUNT_BYTES,
            owner=key(TOKEN_PROGRAM),
        )
    )
    metas = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(key(USDC.mint), is_signer=False, is_writable=False),
    ]
    return [makes, Instruction(key(TOKEN_PROGRAM), bytes([INITIALIZE_ACCOUNT_3]) + bytes(base), metas)]


@pytest.mark.parametrize("program", [limit_order.PROGRAM, dca.PROGRAM, swap.PROGRAM, TOKEN_PROGRAM])
@pytest.mark.parametrize("size", [0, 100, 289, 372])
def test_an_empty_account_may_be_given_to_any_program(alice: Trader, program: str, size: int) -> None:
    new = Keypair()
    sends(alice, [creates(alice, new, size, program)], new)
