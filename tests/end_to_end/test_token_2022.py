"""Mints of the Token-2022 program, with that program itself: orders in them come and go, unless an extension could take
from a transfer or stop it."""

import base64
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction

from countermand.solana.tokens import TOKEN_2022_PROGRAM, associated_token_address
from tests.end_to_end.limit_trader import LimitTrader, fees_of
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import SOL, USDC, Token, Venue, running_venue

ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
ACCOUNT_RENT = 2_074_080
"""The associated account of this program has an extension of its own."""
PLENTY = 10**10


@pytest.fixture
def new(venue: Venue) -> Token:
    return adds(venue)


def adds(venue: Venue, mint: str | None = None) -> Token:
    """A token of three decimals at two dollars."""
    mint = mint or str(Keypair().pubkey())
    asked = {"symbol": "NEW", "decimals": 3, "price": "2", "mint": mint, "program": "spl-token-2022"}
    venue.ask("POST", "/sandbox/tokens", asked).ok()
    assert venue.rpc("getAccountInfo", mint, {"encoding": "jsonParsed"})["data"]["program"] == "spl-token-2022"
    return Token("NEW", mint, 3)


def holds(trader: Trader, token: Token) -> int:
    return trader.venue.units_in(associated_token_address(trader.wallet, token.mint, TOKEN_2022_PROGRAM))


@pytest.fixture
def alice(venue: Venue, new: Token) -> Trader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC, 1_000 * new)
    return trader.joins()


# --- Trigger v2


def test_an_order_of_trigger_v2_is_cancelled_and_its_funds_come_back(venue: Venue, alice: Trader, new: Token) -> None:
    order = alice.places(single(100 * new, below=1))
    account = alice.accounts[order]
    assert venue.rpc("getAccountInfo", account, {"encoding": "base64"})["owner"] == TOKEN_2022_PROGRAM
    assert (venue.units_in(account), holds(alice, new)) == (100_000, 900_000)
    assert alice.confirms(order, alice.cancels(order)).status == 200
    assert (venue.exists(account), holds(alice, new)) == (False, 1_000_000)
    assert alice.state_of(order) == "cancelled"


@pytest.mark.parametrize("sells", [False, True])
def test_an_order_of_trigger_v2_fills(venue: Venue, alice: Trader, new: Token, *, sells: bool) -> None:
    sold, bought = (100 * new, USDC) if sells else (100 * USDC, new)
    order = alice.places(single(sold, bought, above=3.5))
    dollars, units = alice.holds(USDC), holds(alice, new)
    venue.ask("PUT", "/sandbox/prices", {new.mint: "4"}).ok()
    venue.settles()
    assert alice.state_of(order) == "filled"
    # At four dollars, less a fee of a thousandth.
    assert alice.holds(USDC) - dollars == (399_600_000 if sells else 0)
    assert holds(alice, new) - units == (0 if sells else 24_975)


def test_where_the_user_s_account_is_gone_it_is_made_again(venue: Venue, alice: Trader, new: Token) -> None:
    order = alice.places(single(1_000 * new, below=1))
    closes_account_of(alice, new)
    assert alice.confirms(order, alice.cancels(order)).status == 200
    assert holds(alice, new) == 1_000_000


def test_a_token_is_of_its_program_after_a_restart_too(tmp_path: Path) -> None:
    with running_venue(tmp_path) as venue:
        new = adds(venue)
        alice = Trader(venue)
        alice.has(10 * SOL, 100 * new)
        alice.joins()
        order = alice.places(single(100 * new, below=1))
    with running_venue(tmp_path) as venue:
        alice.venue = venue
        assert alice.confirms(order, alice.cancels(order)).status == 200
        assert holds(alice, new) == 100_000


# --- Trigger v1


@pytest.fixture(params=["/trigger/v1", "/limit/v2"])
def maker(venue: Venue, alice: Trader, request: pytest.FixtureRequest) -> LimitTrader:
    return LimitTrader(venue, alice, request.param)


def test_a_limit_order_comes_and_goes(maker: LimitTrader, new: Token) -> None:
    lamports = maker.trader.holds(SOL)
    built = maker.builds(100 * new, SOL, 10**9)
    creation = built.get("transaction") or built["tx"]
    maker.executes(creation).ok()
    (row,) = maker.rows()
    assert (row["account"]["inputTokenProgram"], row["account"]["makingAmount"]) == (TOKEN_2022_PROGRAM, "100000")
    assert maker.venue.lamports(row["account"]["inputMintReserve"]) == ACCOUNT_RENT
    assert holds(maker.trader, new) == 900_000
    (shown,) = maker.trigger_orders()
    assert (shown["makingAmount"], shown["openTx"] != "") == ("100", True)
    (cancel,) = maker.builds_cancels(built["order"])
    maker.executes(cancel).ok()
    assert (maker.rows(), holds(maker.trader, new)) == ([], 1_000_000)
    # The account for what it would have bought is the maker's, and stays.
    assert lamports - maker.trader.holds(SOL) == fees_of(creation) + fees_of(cancel)


def test_what_it_buys_may_be_of_that_program_too(maker: LimitTrader, new: Token) -> None:
    order = maker.places(10 * USDC, new)
    (row,) = maker.rows()
    assert (row["publicKey"], row["account"]["outputTokenProgram"]) == (order, TOKEN_2022_PROGRAM)
    (cancel,) = maker.builds_cancels()
    assert maker.executes(cancel).status == 200


def test_orders_of_both_programs_are_cancelled_together(maker: LimitTrader, new: Token) -> None:
    orders = [maker.places(10 * sold, SOL, take) for take, sold in enumerate((new, USDC, new, USDC, new), 1)]
    assert holds(maker.trader, new) == 970_000
    transactions = maker.builds_cancels(*orders)
    for transaction in transactions:
        assert maker.executes(transaction).status == 200
    assert (maker.rows(), holds(maker.trader, new), maker.trader.holds(USDC)) == ([], 1_000_000, 1_000_000_000)


def test_an_account_whose_address_is_hard_to_find_is_made_again(maker: LimitTrader) -> None:
    """Each step of the search costs compute units, and a wallet cannot choose how many it takes."""
    trader, program = maker.trader, Pubkey.from_string(TOKEN_2022_PROGRAM)
    mints = (bytes(Keypair().pubkey()) for _ in itertools.count())
    seeds = ([bytes(trader.key.pubkey()), bytes(program), mint] for mint in mints)
    mint = next(seed[2] for seed in seeds if Pubkey.find_program_address(seed, ASSOCIATED)[1] <= 243)
    hard = adds(maker.venue, str(Pubkey(mint)))
    trader.has(10 * hard)
    maker.places(10 * hard, USDC)
    own = Pubkey.from_string(associated_token_address(maker.wallet, hard.mint, TOKEN_2022_PROGRAM))
    metas = [AccountMeta(own, is_signer=False, is_writable=True)]
    metas += [AccountMeta(trader.key.pubkey(), is_signer=True, is_writable=True)] * 2
    trader.sends(Instruction(program, b"\x09", metas))
    (cancel,) = maker.builds_cancels()
    assert maker.executes(cancel).status == 200
    assert holds(trader, hard) == 10_000


def fee() -> bytes:
    """One percent of every transfer."""
    return bytes([26, 0, 0, 0]) + (100).to_bytes(2, "little") + PLENTY.to_bytes(8, "little")


KEY = bytes(range(1, 33))
FEE = (fee, 108)
HOOK = (lambda: bytes([36, 0]) + KEY + KEY, 64)
DELEGATE = (lambda: bytes([35]) + KEY, 32)
BOUND = (lambda: bytes([32]), 0)
POINTER = (lambda: bytes([39, 0]) + KEY + KEY, 64)
CLOSING = (lambda: bytes([25, 1]) + KEY, 32)
INTEREST = (lambda: bytes([33, 0]) + KEY + bytes(2), 52)
Extension = tuple[Callable[[], bytes], int]


@pytest.mark.parametrize("extension", [FEE, HOOK, DELEGATE, BOUND], ids=["fee", "hook", "delegate", "bound"])
def test_a_mint_that_could_take_or_hold_is_refused(maker: LimitTrader, extension: Extension) -> None:
    mint = makes_mint(maker.trader, extension)
    refused = maker.post("createOrder", **creation(maker, mint))
    cause = f"{mint} has a token extension, such as a transfer fee, that is not supported"
    assert (refused.status, refused.body) == (
        400,
        {"error": "invalid create order request", "cause": cause, "code": 400},
    )


@pytest.mark.parametrize("extension", [POINTER, CLOSING, INTEREST], ids=["pointer", "closing", "interest"])
def test_a_mint_with_harmless_extensions_is_taken(maker: LimitTrader, extension: Extension) -> None:
    mint = makes_mint(maker.trader, extension)
    built = maker.post("createOrder", **creation(maker, mint)).ok()
    maker.executes(built.get("transaction") or built["tx"]).ok()
    (cancel,) = maker.builds_cancels(built["order"])
    assert maker.executes(cancel).status == 200


def creation(maker: LimitTrader, mint: str) -> dict[str, object]:
    params = {"makingAmount": "10000000", "takingAmount": "5"}
    body = {"inputMint": USDC.mint, "outputMint": mint, "maker": maker.wallet, "payer": maker.wallet}
    return {**body, "params": params}


def makes_mint(trader: Trader, extension: Extension) -> str:
    """By that program, past the venue."""
    begins, size = extension
    mint, program = Keypair(), Pubkey.from_string(TOKEN_2022_PROGRAM)
    metas = [AccountMeta(mint.pubkey(), is_signer=False, is_writable=True)]
    payer = trader.key.pubkey()
    account = CreateAccountParams(
        from_pubkey=payer, to_pubkey=mint.pubkey(), lamports=10**8, space=165 + 1 + 4 + size, owner=program
    )
    initialized = Instruction(program, bytes([20, 2]) + KEY + bytes(1), metas)
    instructions = [create_account(account), Instruction(program, begins(), metas), initialized]
    blockhash = Hash.from_string(trader.venue.rpc("getLatestBlockhash")["blockhash"])
    message = Message.new_with_blockhash(instructions, payer, blockhash)
    transaction = bytes(VersionedTransaction(message, [trader.key, mint]))
    trader.venue.rpc("sendTransaction", base64.b64encode(transaction).decode(), {"encoding": "base64"})
    assert trader.venue.exists(str(mint.pubkey()))
    return str(mint.pubkey())


def closes_account_of(trader: Trader, token: Token) -> None:
    """Which must be empty."""
    own, wallet = associated_token_address(trader.wallet, token.mint, TOKEN_2022_PROGRAM), trader.key.pubkey()
    metas = [
        AccountMeta(Pubkey.from_string(own), is_signer=False, is_writable=True),
        AccountMeta(wallet, is_signer=False, is_writable=True),
        AccountMeta(wallet, is_signer=True, is_writable=False),
    ]
    trader.sends(Instruction(Pubkey.from_string(TOKEN_2022_PROGRAM), bytes([9]), metas))


# --- Recurring v1


def test_recurring_orders_are_of_the_first_token_program(venue: Venue, new: Token) -> None:
    saver = Saver(venue)
    words = f"Token-2022 mints are not supported: {new.mint}"
    for sold, bought in ((104 * new, USDC), (104 * USDC, new)):
        assert saver.asks_to_create(sold, bought).body == {"code": 400, "error": words, "status": "Bad Request"}
