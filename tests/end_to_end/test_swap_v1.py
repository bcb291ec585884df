"""Swap v1 from the outside: a quote, a transaction that the user alone signs, and the chain, which decides."""

import base64
from typing import Any

import pytest
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction
from spl.token.instructions import create_idempotent_associated_token_account, get_associated_token_address

from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.swapper import SLIPPAGE_EXCEEDED, Swapper, code_of
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, USDT, Funds, Token, Venue, associated, running_venue

AGGREGATOR = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"
FEE_LAMPORTS = 5_000
TOKEN_RENT = 2_039_280


@pytest.fixture
def swapper(alice: Trader) -> Swapper:
    return Swapper.of(alice)


def creates_account(swapper: Swapper, owner: Pubkey, token: Token) -> str:
    """An associated account, by hand."""
    payer = swapper.key.pubkey()
    create = create_idempotent_associated_token_account(payer, owner, Pubkey.from_string(token.mint))
    blockhash = Hash.from_string(swapper.venue.rpc("getLatestBlockhash")["blockhash"])
    made = VersionedTransaction(MessageV0.try_compile(payer, [create], [], blockhash), [swapper.key])
    assert isinstance(swapper.sends(base64.b64encode(bytes(made)).decode()), str)
    return str(get_associated_token_address(owner, Pubkey.from_string(token.mint)))


# --- a whole bot


def test_a_token_with_another_s_symbol_has_not_its_name(venue: Venue) -> None:
    venue.ask("POST", "/sandbox/tokens", {"symbol": "USDC", "decimals": 6, "price": "1"}).ok()
    found = venue.ask("GET", "/tokens/v2/search?query=USDC").ok()
    assert [(each["name"], each["id"] == USDC.mint) for each in found] == [("USD Coin", True), ("USDC", False)]


def test_a_bot_prices_quotes_swaps_and_sees_its_balances(venue: Venue) -> None:
    bot = Swapper(venue, Keypair())
    venue.gives(bot.wallet, 10 * SOL)
    price = venue.ask("GET", f"/price/v2?ids={SOL.mint}").ok()["data"][SOL.mint]["price"]
    (token,) = venue.ask("GET", f"/tokens/v2/search?query={USDC.mint}").ok()
    assert (price, token["decimals"], token["tokenProgram"][:5]) == ("150", 6, "Token")

    quote = bot.quotes(1 * SOL, USDC, slippageBps=50)
    assert (quote["outAmount"], quote["otherAmountThreshold"]) == ("149850000", "149100750")
    built = bot.builds(quote, dynamicComputeUnitLimit=True, prioritizationFeeLamports=10_000).ok()
    assert (built["simulationError"], built["prioritizationFeeLamports"] <= 10_000) == (None, True)
    before = venue.lamports(bot.wallet)
    signature = bot.sends(bot.signs(built["swapTransaction"]), preflight=True)
    assert bot.landed(signature)["meta"]["err"] is None
    assert bot.holds(USDC) == 149_850_000
    paid = 10**9 + TOKEN_RENT + FEE_LAMPORTS + built["prioritizationFeeLamports"]
    assert before - venue.lamports(bot.wallet) == paid
    assert not venue.exists(str(associated(bot.wallet, SOL))), "the account for wrapped SOL is closed"

    back = bot.quotes(100 * USDC, SOL)
    before = venue.lamports(bot.wallet)
    assert bot.swaps(back) is None
    assert (bot.holds(USDC), back["outAmount"]) == (49_850_000, "665999999")
    assert 0 < before + 665_999_999 - venue.lamports(bot.wallet) < 100_000, "SOL comes as lamports"

    # A limit order of Trigger v1 beside it, on the same chain.
    trader = Trader(venue, bot.key)
    limits = LimitTrader(venue, trader)
    order = limits.builds(20 * USDC, SOL, 10**9)
    assert limits.executes(order["transaction"]).ok()["status"] == "Success"
    assert bot.swaps(bot.quotes(Funds(USDC, 10_000_000), JUP)) is None
    assert (bot.holds(USDC), bot.holds(JUP)) == (19_850_000, 19_980_000)
    (cancel,) = limits.builds_cancels(order["order"])
    assert limits.executes(cancel).ok()["status"] == "Success"
    assert bot.holds(USDC) == 39_850_000


def test_the_transaction_is_version_0_and_asks_for_one_signature(swapper: Swapper) -> None:
    built = swapper.builds(swapper.quotes(1 * SOL, USDC)).ok()
    raw = base64.b64decode(built["swapTransaction"])
    transaction = VersionedTransaction.from_bytes(raw)
    assert isinstance(transaction.message, MessageV0)
    assert (transaction.message.header.num_required_signatures, raw[1:65]) == (1, bytes(64))
    assert str(transaction.message.account_keys[0]) == swapper.wallet
    height = swapper.venue.rpc("getBlockHeight")
    assert height < built["lastValidBlockHeight"] <= height + 150
    # A bot that signs the transaction in place does as well.
    signed = bytes(VersionedTransaction.populate(transaction.message, [swapper.key.sign_message(_to_sign(raw))]))
    assert isinstance(swapper.sends(base64.b64encode(signed).decode()), str)


def _to_sign(raw: bytes) -> bytes:
    return raw[1 + 64 :]


def test_a_legacy_transaction(swapper: Swapper) -> None:
    quote = swapper.quotes(5 * USDC, JUP, asLegacyTransaction="true")
    built = swapper.builds(quote, asLegacyTransaction=True).ok()
    transaction = Transaction.from_bytes(base64.b64decode(built["swapTransaction"]))
    had = swapper.holds(JUP)
    transaction.sign([swapper.key], transaction.message.recent_blockhash)
    assert isinstance(swapper.sends(base64.b64encode(bytes(transaction)).decode()), str)
    assert swapper.holds(JUP) - had == int(quote["outAmount"])


def test_the_same_transaction_swaps_once(swapper: Swapper) -> None:
    signed = swapper.signs(swapper.builds(swapper.quotes(5 * USDC, JUP)).ok()["swapTransaction"])
    had = swapper.holds(USDC)
    assert swapper.sends(signed) == swapper.sends(signed)
    assert swapper.sends(signed, preflight=True)["data"]["err"] == "AlreadyProcessed"
    assert had - swapper.holds(USDC) == 5_000_000


def test_two_swaps_alike_are_two_transactions(swapper: Swapper) -> None:
    quote, had = swapper.quotes(5 * USDC, JUP), swapper.holds(USDC)
    built = [swapper.builds(quote).ok() for _ in range(3)]
    assert built[0]["computeUnitLimit"] >= built[1]["computeUnitLimit"] >= built[2]["computeUnitLimit"] >= 1_399_998
    assert [swapper.lands(each["swapTransaction"]) for each in built] == [None, None, None]
    assert had - swapper.holds(USDC) == 15_000_000


def test_a_simulation_is_of_no_transaction_that_landed(swapper: Swapper) -> None:
    quote = swapper.quotes(5 * USDC, JUP)
    built = [swapper.builds(quote).ok() for _ in range(4)]
    assert [swapper.lands(each["swapTransaction"]) for each in built] == [None] * 4
    assert swapper.builds(quote, dynamicComputeUnitLimit=True).ok()["simulationError"] is None


def test_no_other_key_can_sign_it(swapper: Swapper) -> None:
    built = swapper.builds(swapper.quotes(5 * USDC, JUP)).ok()["swapTransaction"]
    message = VersionedTransaction.from_bytes(base64.b64decode(built)).message
    forged = VersionedTransaction.populate(message, [Keypair().sign_message(b"something")])
    refused = swapper.sends(base64.b64encode(bytes(forged)).decode(), preflight=True)
    assert "signature" in refused["message"].lower()


# --- the price of that moment


def test_a_stale_quote_fails_as_on_the_real_chain_or_fills_within_its_slippage(swapper: Swapper, venue: Venue) -> None:
    quote = swapper.quotes(1 * SOL, USDC, slippageBps=50)
    signed = swapper.signs(swapper.builds(quote).ok()["swapTransaction"])
    venue.price(SOL, "149.2")
    refused = swapper.sends(signed, preflight=True)
    assert (refused["code"], code_of(refused["data"]["err"])) == (-32002, SLIPPAGE_EXCEEDED)
    assert "custom program error: 0x1771" in refused["message"]
    venue.price(SOL, "149.5")
    had = swapper.holds(USDC)
    assert swapper.landed(swapper.sends(signed))["meta"]["err"] is None
    assert swapper.holds(USDC) - had == 149_500_000 * 999 // 1_000


def test_a_failed_swap_lands_and_costs_the_fee_alone(swapper: Swapper, venue: Venue) -> None:
    signed = swapper.signs(swapper.builds(swapper.quotes(1 * SOL, USDC, slippageBps=0)).ok()["swapTransaction"])
    venue.price(SOL, "149")
    lamports, usdc = venue.lamports(swapper.wallet), swapper.holds(USDC)
    landed = swapper.landed(swapper.sends(signed))
    assert code_of(landed["meta"]["err"]) == SLIPPAGE_EXCEEDED
    assert lamports - venue.lamports(swapper.wallet) == landed["meta"]["fee"]
    assert swapper.holds(USDC) == usdc


def test_a_better_price_is_the_users(swapper: Swapper, venue: Venue) -> None:
    quote = swapper.quotes(1 * SOL, USDC)
    signed = swapper.signs(swapper.builds(quote).ok()["swapTransaction"])
    venue.price(SOL, "160")
    had = swapper.holds(USDC)
    swapper.sends(signed)
    assert swapper.holds(USDC) - had == 160_000_000 * 999 // 1_000


# --- what is bounded and what fails on demand


def test_the_pool_is_bounded_and_moves_its_price(swapper: Swapper, venue: Venue) -> None:
    venue.pool(SOL, most=2 * 10**9, impact_bps=25)
    quote = swapper.quotes(2 * SOL, USDC)
    assert (quote["priceImpactPct"], quote["outAmount"]) == (
        "0.0025",
        str(300_000_000 * 9_975 // 10_000 * 999 // 1_000),
    )
    answer = swapper.asks(SOL, USDC, 2 * 10**9 + 1)
    assert answer.body["errorCode"] == "ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT"
    signed = swapper.signs(swapper.builds(quote).ok()["swapTransaction"])
    had = swapper.holds(USDC)
    venue.pool(SOL, most=2 * 10**9 - 1, impact_bps=25)
    assert code_of(swapper.landed(swapper.sends(signed))["meta"]["err"]) == SLIPPAGE_EXCEEDED
    venue.pool(SOL, most=0)
    assert swapper.asks(SOL, USDC, 1_000_000).body["errorCode"] == "COULD_NOT_FIND_ANY_ROUTE"
    venue.deepens_pools()
    assert swapper.swaps(swapper.quotes(2 * SOL, USDC)) is None
    assert swapper.holds(USDC) - had == 299_700_000


@pytest.mark.parametrize("mode", ["ExactIn", "ExactOut"])
def test_a_swap_that_must_fail_fails_on_chain(swapper: Swapper, venue: Venue, mode: str) -> None:
    quote = swapper.quotes(5 * USDC, JUP, swapMode=mode, slippageBps=500)
    venue.faults(failSwaps=1)
    built = swapper.builds(quote, dynamicComputeUnitLimit=True).ok()
    assert built["simulationError"] == {
        "errorCode": "TRANSACTION_ERROR",
        "error": "Error processing Instruction 3: custom program error: 0x1771",
    }
    assert venue.remaining_faults() == {}
    assert code_of(swapper.lands(built["swapTransaction"])) == SLIPPAGE_EXCEEDED
    assert swapper.swaps(quote) is None


def test_the_faults_of_the_chain_and_the_gateway_apply(swapper: Swapper, venue: Venue) -> None:
    quote = swapper.quotes(5 * USDC, JUP)
    built = swapper.builds(quote).ok()["swapTransaction"]
    venue.faults(dropTransactions=1, rateLimit=1)
    assert swapper.asks(USDC, JUP, 1).status == 429
    had, signed = swapper.holds(JUP), swapper.signs(built)
    assert swapper.sends(signed) == swapper.sends(signed), "the first one is lost"
    assert swapper.holds(JUP) - had == int(quote["outAmount"])
    venue.faults(rpcDown=True)
    venue.passes_slots(6)
    assert swapper.builds(quote).error == (503, "Service temporarily unavailable, please retry")


def test_a_wallet_that_is_a_program_gets_what_nothing_can_sign(swapper: Swapper) -> None:
    quote = swapper.quotes(5 * USDC, JUP)
    built = swapper.builds(quote, dynamicComputeUnitLimit=True, userPublicKey=str(COMPUTE_BUDGET)).ok()
    words = "Transaction failed to sanitize accounts offsets correctly"
    assert built["simulationError"] == {"errorCode": "TRANSACTION_ERROR", "error": words}


def test_more_than_the_wallet_has(swapper: Swapper) -> None:
    quote = swapper.quotes(Funds(USDC, 2_000_000_000), JUP)
    built = swapper.builds(quote, dynamicComputeUnitLimit=True).ok()
    assert built["simulationError"]["error"].endswith("custom program error: 0x1788")
    assert code_of(swapper.lands(built["swapTransaction"])) == 6024
    assert code_of(swapper.swaps(swapper.quotes(Funds(SOL, 10**15), USDC))) == 1
    assert code_of(swapper.swaps(swapper.quotes(5 * SOL, USDC), wrapAndUnwrapSol=False)) == 3012


# --- exact output, accounts, fees


def test_an_exact_output(swapper: Swapper) -> None:
    quote = swapper.quotes(Funds(USDC, 10_000_000), JUP, swapMode="ExactOut", slippageBps=100)
    assert (quote["inAmount"], quote["outAmount"], quote["otherAmountThreshold"]) == ("5005006", "10000000", "5055056")
    usdc, jup = swapper.holds(USDC), swapper.holds(JUP)
    assert swapper.swaps(quote) is None
    assert (usdc - swapper.holds(USDC), swapper.holds(JUP) - jup) == (5_005_006, 10_000_000)


def test_an_exact_output_wraps_what_it_may_take_and_returns_the_rest(swapper: Swapper, venue: Venue) -> None:
    quote = swapper.quotes(Funds(SOL, 150_000_000), USDC, swapMode="ExactOut", slippageBps=200)
    before, had = venue.lamports(swapper.wallet), swapper.holds(USDC)
    built = swapper.builds(quote).ok()
    assert swapper.lands(built["swapTransaction"]) is None
    assert swapper.holds(USDC) - had == 150_000_000
    paid = int(quote["inAmount"]) + FEE_LAMPORTS + built["prioritizationFeeLamports"]
    assert before - venue.lamports(swapper.wallet) == paid


def test_wrapped_sol_stays_wrapped_if_that_is_asked(swapper: Swapper, venue: Venue) -> None:
    venue.ask("POST", "/sandbox/airdrop", {"wallet": swapper.wallet, "mint": SOL.mint, "amount": "2000000000"}).ok()
    assert swapper.swaps(swapper.quotes(1 * SOL, USDC), wrapAndUnwrapSol=False) is None
    assert swapper.holds(SOL) == 10**9
    quote = swapper.quotes(15 * USDC, SOL)
    assert swapper.swaps(quote, wrapAndUnwrapSol=False) is None
    assert swapper.holds(SOL) == 10**9 + int(quote["outAmount"])


def test_the_output_goes_where_it_is_sent(swapper: Swapper, bob: Trader) -> None:
    had = Swapper.of(bob).holds(JUP)
    quote = swapper.quotes(5 * USDC, JUP)
    assert swapper.swaps(quote, destinationTokenAccount=str(associated(bob.wallet, JUP))) is None
    assert Swapper.of(bob).holds(JUP) - had == int(quote["outAmount"])
    # SOL stays wrapped there: it may be another wallet's account.
    account = creates_account(swapper, bob.key.pubkey(), SOL)
    quote = swapper.quotes(5 * USDC, SOL)
    assert swapper.swaps(quote, destinationTokenAccount=account) is None
    assert Swapper.of(bob).holds(SOL) == int(quote["outAmount"])
    missing = str(associated(str(Keypair().pubkey()), JUP))
    assert code_of(swapper.swaps(swapper.quotes(5 * USDC, JUP), destinationTokenAccount=missing)) == 6025


@pytest.mark.parametrize("mode", ["ExactIn", "ExactOut"])
def test_an_integrator_gets_its_fee(swapper: Swapper, bob: Trader, mode: str) -> None:
    quote = swapper.quotes(20 * USDC, JUP, platformFeeBps=100, swapMode=mode)
    of_input = mode == "ExactOut"
    account, token = str(associated(bob.wallet, USDC if of_input else JUP)), USDC if of_input else JUP
    usdc, jup, fees = swapper.holds(USDC), swapper.holds(JUP), Swapper.of(bob).holds(token)
    assert swapper.swaps(quote, feeAccount=account) is None
    fee = int(quote["platformFee"]["amount"])
    assert Swapper.of(bob).holds(token) - fees == fee > 0
    assert usdc - swapper.holds(USDC) == int(quote["inAmount"])
    assert swapper.holds(JUP) - jup == int(quote["outAmount"])
    assert quote["platformFee"]["feeBps"] == 100


def test_a_fee_of_an_exact_input_from_the_input(swapper: Swapper, bob: Trader) -> None:
    quote = swapper.quotes(20 * USDC, JUP, platformFeeBps=100)
    fees = Swapper.of(bob).holds(USDC)
    assert swapper.swaps(quote, feeAccount=str(associated(bob.wallet, USDC))) is None
    assert Swapper.of(bob).holds(USDC) - fees == 200_000


def test_another_payer(swapper: Swapper, bob: Trader, venue: Venue) -> None:
    quote = swapper.quotes(5 * USDC, USDT)
    built = swapper.builds(quote, payer=bob.wallet).ok()
    before = venue.lamports(swapper.wallet)
    transaction = VersionedTransaction.from_bytes(base64.b64decode(built["swapTransaction"]))
    assert str(transaction.message.account_keys[0]) == bob.wallet
    signed = VersionedTransaction(transaction.message, [bob.key, swapper.key])
    assert isinstance(swapper.sends(base64.b64encode(bytes(signed)).decode()), str)
    assert (venue.lamports(swapper.wallet), swapper.holds(USDT)) == (before, int(quote["outAmount"]))


def test_a_tracking_account_is_named(swapper: Swapper, venue: Venue) -> None:
    tracked = str(Keypair().pubkey())
    signature = swapper.sends(
        swapper.signs(swapper.builds(swapper.quotes(5 * USDC, JUP), trackingAccount=tracked).ok()["swapTransaction"])
    )
    found = venue.rpc("getSignaturesForAddress", tracked)
    assert [each["signature"] for each in found] == [signature]


def test_a_token_of_ones_own_of_either_program(swapper: Swapper, venue: Venue) -> None:
    for program in ("spl-token", "spl-token-2022"):
        symbol = f"NEW{program[-1]}{swapper.wallet[:4]}"
        asked = {"symbol": symbol, "decimals": 2, "price": "3", "program": program}
        shown = venue.ask("POST", "/sandbox/tokens", asked).ok()
        (mint,) = [each["mint"] for each in shown["tokens"] if each["symbol"] == symbol]
        quote = swapper.quotes(6 * USDC, Token(symbol, mint, 2))
        assert (quote["outAmount"], swapper.swaps(quote)) == ("199", None)
        back = swapper.asks(Token(symbol, mint, 2), USDC, 199).ok()
        assert swapper.swaps(back) is None


# --- fees of the network


@pytest.mark.parametrize(
    ("asked", "units", "lamports"),
    [
        ({}, 1_400_000, 36_001),
        ({"prioritizationFeeLamports": "auto"}, 1_400_000, 36_001),
        ({"prioritizationFeeLamports": 70_000}, 1_400_000, 70_000),
        ({"prioritizationFeeLamports": 0}, 1_400_000, 0),
        ({"computeUnitPriceMicroLamports": 1_000}, 1_400_000, 1_400),
        ({"computeUnitPriceMicroLamports": "auto"}, 1_400_000, 36_001),
        (
            {
                "prioritizationFeeLamports": {
                    "priorityLevelWithMaxLamports": {
                        "priorityLevel": "veryHigh",
                        "maxLamports": 14_000,
                        "global": False,
                    }
                }
            },
            1_400_000,
            14_000,
        ),
    ],
)
def test_the_priority_fee(swapper: Swapper, asked: dict[str, Any], units: int, lamports: int) -> None:
    built = swapper.builds(swapper.quotes(5 * USDC, JUP), **asked).ok()
    assert (built["computeUnitLimit"], built["prioritizationFeeLamports"]) == (units, lamports)
    fee = swapper.landed(swapper.sends(swapper.signs(built["swapTransaction"])))["meta"]["fee"]
    assert fee == FEE_LAMPORTS + lamports


def test_a_limit_of_compute_units_that_was_measured(swapper: Swapper) -> None:
    built = swapper.builds(swapper.quotes(5 * USDC, JUP), dynamicComputeUnitLimit=True, dynamicSlippage=True).ok()
    used = swapper.landed(swapper.sends(swapper.signs(built["swapTransaction"])))["meta"]["computeUnitsConsumed"]
    assert used < built["computeUnitLimit"] < used * 2
    assert built["dynamicSlippageReport"]["slippageBps"] == 50
    assert built["simulationSlot"] > 0


# --- instructions


def test_a_transaction_of_ones_own_from_the_instructions(swapper: Swapper) -> None:
    quote = swapper.quotes(1 * SOL, JUP)
    parts = swapper.builds(quote, path="swap-instructions").ok()
    assert parts["addressLookupTableAddresses"] == []
    asked = [*parts["setupInstructions"], parts["swapInstruction"], parts["cleanupInstruction"]]
    budget = [set_compute_unit_limit(300_000)]
    blockhash = Hash.from_string(swapper.venue.rpc("getLatestBlockhash")["blockhash"])
    instructions = [*budget, *map(_instruction, asked)]
    message = MessageV0.try_compile(swapper.key.pubkey(), instructions, [], blockhash)
    had = swapper.holds(JUP)
    swapper.sends(base64.b64encode(bytes(VersionedTransaction(message, [swapper.key]))).decode())
    assert swapper.holds(JUP) - had == int(quote["outAmount"])


def _instruction(told: dict[str, Any]) -> Instruction:
    metas = [
        AccountMeta(Pubkey.from_string(each["pubkey"]), each["isSigner"], each["isWritable"])
        for each in told["accounts"]
    ]
    return Instruction(Pubkey.from_string(told["programId"]), base64.b64decode(told["data"]), metas)


def test_both_answers_hold_the_same_instructions(swapper: Swapper) -> None:
    quote = swapper.quotes(1 * SOL, JUP)
    parts = swapper.builds(quote, path="swap-instructions").ok()
    built = swapper.builds(quote).ok()
    message = VersionedTransaction.from_bytes(base64.b64decode(built["swapTransaction"])).message
    told = [
        parts["computeBudgetInstructions"][1],
        *parts["setupInstructions"],
        parts["swapInstruction"],
        parts["cleanupInstruction"],
    ]
    assert [base64.b64encode(bytes(each.data)).decode() for each in message.instructions[1:]] == [
        each["data"] for each in told
    ]
    assert parts["swapInstruction"]["programId"] == AGGREGATOR
    assert {each["label"] for each in [quote["routePlan"][0]["swapInfo"]]} == set(
        swapper.venue.ask("GET", "/swap/v1/program-id-to-label").ok().values()
    )


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "words", "code"),
    [
        (
            {"outputMint": SOL.mint},
            "Input and output mints are not allowed to be equal",
            "CIRCULAR_ARBITRAGE_IS_DISABLED",
        ),
        ({"outputMint": AGGREGATOR}, f"The token {AGGREGATOR} is not tradable", "TOKEN_NOT_TRADABLE"),
        ({"amount": 0}, "Could not find any route", "COULD_NOT_FIND_ANY_ROUTE"),
        ({"amount": 2**64 - 1, "swapMode": "ExactOut"}, "Could not find any route", "COULD_NOT_FIND_ANY_ROUTE"),
        ({"dexes": "Raydium,Whirlpool"}, "No routes found", "NO_ROUTES_FOUND"),
        ({"excludeDexes": "Countermand"}, "No routes found", "NO_ROUTES_FOUND"),
        ({"inputMint": "0OIl"}, "Query parameter inputMint cannot be parsed: Invalid", None),
        ({"inputMint": "So1"}, "Query parameter inputMint cannot be parsed: WrongSize", None),
        ({"amount": "1.5"}, "Query parameter amount cannot be parsed: ParseIntError { kind: InvalidDigit }", None),
        ({"amount": "-1"}, "Query parameter amount cannot be parsed: ParseIntError { kind: InvalidDigit }", None),
        ({"amount": "²"}, "Query parameter amount cannot be parsed: ParseIntError { kind: InvalidDigit }", None),
        ({"amount": ""}, "Query parameter amount cannot be parsed: ParseIntError { kind: Empty }", None),
        (
            {"amount": f"00{2**64}"},
            "Query parameter amount cannot be parsed: ParseIntError { kind: PosOverflow }",
            None,
        ),
        ({"amount": "000"}, "Could not find any route", "COULD_NOT_FIND_ANY_ROUTE"),
        ({"amount": 2**64}, "Query parameter amount cannot be parsed: ParseIntError { kind: PosOverflow }", None),
        ({"slippageBps": 10_001}, "Query parameter slippageBps cannot be parsed: Expected `int` <= 10000", None),
        ({"swapMode": "Exact"}, "Query parameter swapMode cannot be parsed: Invalid enum value 'Exact'", None),
        ({"platformFeeBps": 256}, "Query parameter platformFeeBps cannot be parsed: Expected `int` <= 255", None),
    ],
)
def test_a_quote_that_is_refused(swapper: Swapper, changes: dict[str, Any], words: str, code: str | None) -> None:
    query = {"inputMint": SOL.mint, "outputMint": USDC.mint, "amount": 10**9, **changes}
    sell, buy = Token("", query.pop("inputMint"), 0), Token("", query.pop("outputMint"), 0)
    answer = swapper.asks(sell, buy, query.pop("amount"), **query)
    assert answer.status == 400
    assert answer.body == ({"error": words} if code is None else {"error": words, "errorCode": code})


def test_a_quote_needs_its_parameters(venue: Venue) -> None:
    answer = venue.ask("GET", f"/swap/v1/quote?inputMint={SOL.mint}&amount=1")
    assert answer.error == (400, "Query parameter outputMint cannot be parsed: it is required")
    path = f"/swap/v1/quote?inputMint={SOL.mint}&outputMint={USDC.mint}&amount=10000000"
    twice = venue.ask("GET", f"{path}&amount=1")
    assert twice.error == (400, "Query parameter amount cannot be parsed: Given more than once")
    assert venue.ask("GET", path).ok()["slippageBps"] == 50
    assert venue.ask("GET", f"{path}&dexes=Countermand,Raydium&swapMode=ExactIn").status == 200
    assert venue.ask("GET", path.replace("10000000", "0010000000")).ok()["inAmount"] == "10000000"


_QUOTE = {
    "inputMint": SOL.mint,
    "inAmount": "1000000",
    "outputMint": USDC.mint,
    "outAmount": "1",
    "otherAmountThreshold": "1",
    "swapMode": "ExactIn",
    "slippageBps": 50,
    "priceImpactPct": "0",
    "routePlan": [],
}
_BODY = "Failed to deserialize the JSON body into the target type: "


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"userPublicKey": None}, f"{_BODY}userPublicKey: expected str, got null"),
        ({"userPublicKey": "x"}, f"{_BODY}userPublicKey: WrongSize"),
        ({"quoteResponse": {}}, f"{_BODY}quoteResponse.inputMint: missing field"),
        (
            {"quoteResponse": _QUOTE | {"inAmount": "1e3"}},
            f"{_BODY}quoteResponse.inAmount: expected a whole number from 0",
        ),
        ({"quoteResponse": _QUOTE | {"slippageBps": -1}}, f"{_BODY}quoteResponse.slippageBps: expected int >= 0"),
        ({"quoteResponse": _QUOTE | {"outputMint": SOL.mint}}, "Input and output mints are not allowed to be equal"),
        ({"quoteResponse": _QUOTE | {"outputMint": AGGREGATOR}}, f"The token {AGGREGATOR} is not tradable"),
        ({"quoteResponse": _QUOTE | {"platformFee": {"amount": "1", "feeBps": 5}}}, "feeAccount: required"),
        ({"feeAccount": "x"}, f"{_BODY}feeAccount: WrongSize"),
        ({"prioritizationFeeLamports": 1, "computeUnitPriceMicroLamports": 1}, "Both compute unit price and"),
        ({"prioritizationFeeLamports": {"jitoTipLamports": 1_000}}, "jitoTipLamports is not supported in this sandbox"),
        ({"nativeDestinationAccount": SOL.mint}, "nativeDestinationAccount is not supported in this sandbox"),
        ({"useTokenLedger": True}, "useTokenLedger is not supported in this sandbox"),
        ({"prioritizationFeeLamports": -1}, f"{_BODY}prioritizationFeeLamports: expected int >= 0"),
        ({"prioritizationFeeLamports": 1.5}, f"{_BODY}prioritizationFeeLamports: expected"),
    ],
)
def test_a_swap_that_is_refused(swapper: Swapper, changes: dict[str, Any], words: str) -> None:
    for path in ("swap", "swap-instructions"):
        body = {"userPublicKey": swapper.wallet, "quoteResponse": _QUOTE, **changes}
        answer = swapper.venue.ask("POST", f"/swap/v1/{path}", body)
        assert answer.status == 400
        assert answer.body["error"].startswith(words), answer.body


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"userPublicKey":1,"userPublicKey":1}', b"[" * 9_999])
def test_what_is_no_request(venue: Venue, body: bytes) -> None:
    answer = venue.ask("POST", "/swap/v1/swap", body)
    assert (answer.status, list(answer.body)) == (400, ["error"])


def test_a_quote_of_the_users_own_making_gains_nothing(swapper: Swapper) -> None:
    """What it says binds the user alone: the pool gives what it gives."""
    quote = swapper.quotes(5 * USDC, JUP, slippageBps=0)
    had = swapper.holds(JUP)
    greedy = quote | {"outAmount": str(int(quote["outAmount"]) + 1)}
    assert code_of(swapper.swaps(greedy)) == SLIPPAGE_EXCEEDED
    assert code_of(swapper.swaps(quote | {"outAmount": str(2**64 - 1)})) == SLIPPAGE_EXCEEDED
    assert swapper.swaps(quote | {"outAmount": "1"}) is None
    assert swapper.holds(JUP) - had == int(quote["outAmount"])


# --- over a restart, a snapshot and a reset


def test_markets_outlive_a_restart_a_snapshot_and_a_reset(tmp_path: Any) -> None:
    key = Keypair()
    with running_venue(tmp_path) as venue:
        bot = Swapper(venue, key)
        venue.gives(bot.wallet, 100 * SOL)
        assert bot.swaps(bot.quotes(1 * SOL, USDC)) is None
        venue.price(SOL, "120")
        venue.ask("POST", "/sandbox/snapshots", {"name": "at-120"}).ok()
        venue.price(SOL, "200")
    with running_venue(tmp_path) as venue:
        bot = Swapper(venue, key)
        quote = bot.quotes(1 * SOL, USDC, slippageBps=0)
        assert (quote["outAmount"], bot.swaps(quote)) == ("199800000", None)
        signed = bot.signs(bot.builds(quote).ok()["swapTransaction"])
        venue.price(SOL, "199")
        assert code_of(bot.landed(bot.sends(signed))["meta"]["err"]) == SLIPPAGE_EXCEEDED
        venue.ask("POST", "/sandbox/snapshots/at-120/restore", {}).ok()
        assert bot.holds(USDC) == 149_850_000
        quote = bot.quotes(1 * SOL, USDC, slippageBps=0)
        assert (quote["outAmount"], bot.swaps(quote)) == ("119880000", None)
        assert venue.audit()["ok"], venue.audit()
        venue.resets()
        venue.gives(bot.wallet, 5 * SOL)
        assert bot.swaps(bot.quotes(1 * SOL, USDC)) is None
        assert bot.holds(USDC) == 149_850_000
        assert venue.audit()["ok"], venue.audit()


def test_a_venue_without_a_sandbox_swaps_nothing(tmp_path: Any) -> None:
    with running_venue(tmp_path, "--no-sandbox") as venue:
        for method, path in (("GET", "quote"), ("POST", "swap"), ("POST", "swap-instructions")):
            answer = venue.ask(method, f"/swap/v1/{path}", {} if method == "POST" else None)
            assert (answer.status, answer.body) == (404, {"code": 404, "message": "Not found"})
        assert venue.ask("GET", "/openapi/swap-v1.json").status == 404
        assert venue.ask("GET", f"/price/v2?ids={SOL.mint}").ok()["data"] == {SOL.mint: None}
        assert venue.ask("GET", "/tokens/v2/tag?query=verified").ok()[0]["usdPrice"] is None
