"""Orders on the sandbox's chain that a keeper fills, runs to their end, and returns: over the APIs alone."""

from itertools import count

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from countermand.services.transactions.builder import unsigned_text
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.dca import NewDca, open_message
from countermand.solana.programs.limit_order import FEE_ACCOUNT
from countermand.solana.programs.limit_order_fills import KEEPERS
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_token_address
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.told import Reader
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Funds, Token, Venue, associated

INDEXES = count(1_000)
BURN = bytes([8])


@pytest.fixture
def venue(kept_venue: Venue) -> Venue:
    return kept_venue


@pytest.fixture
def alice(venue: Venue) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC, 1_000 * JUP)
    return LimitTrader(venue, trader)


@pytest.fixture
def bob(venue: Venue) -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC, 1_000 * JUP)
    return LimitTrader(venue, trader)


@pytest.fixture
def saver(venue: Venue) -> Saver:
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)
    return saver


def test_an_order_fills_when_the_price_allows_it(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    venue.settles()
    assert alice.open_orders() == [order], "at 0.5 dollars the pool gives 199.8 JUP"
    venue.price(JUP, "0.4")
    venue.settles()
    assert alice.open_orders() == [order], "the pool's fee makes it 249.75"
    venue.price(JUP, "0.39")
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(alice.wallet, JUP) == 1_000_000_000 + 250_000_000 - 250_000
    assert venue.units(alice.wallet, USDC) == 900_000_000


def test_an_order_that_can_fill_does_so_at_once(venue: Venue, alice: LimitTrader) -> None:
    before = venue.lamports(alice.wallet)
    alice.places(100 * USDC, SOL, take=500_000_000)
    venue.settles()
    assert alice.open_orders() == []
    fee = before + 500_000_000 - 500_000 - venue.lamports(alice.wallet)
    assert 0 < fee < 20_000, "of the network: both rents have come back"


@pytest.mark.parametrize("program", [None, "spl-token", "spl-token-2022"])
def test_what_is_bought_was_minted_and_can_be_burned(venue: Venue, alice: LimitTrader, program: str | None) -> None:
    """JUP, or a token that is added."""
    token = JUP
    if program is not None:
        token = Token("NEW", str(Keypair().pubkey()), 3)
        added = {"symbol": "NEW", "decimals": 3, "price": "2", "mint": token.mint, "program": program}
        venue.ask("POST", "/sandbox/tokens", added).ok()
    alice.places(100 * USDC, token, take=1_000)
    venue.settles()
    owner = TOKEN_2022_PROGRAM if program == "spl-token-2022" else TOKEN_PROGRAM
    account = associated_token_address(alice.wallet, token.mint, owner)
    held, supply = venue.units_in(account), supply_of(venue, token)
    assert supply == sum(int(each["amount"]) for each in venue.rpc("getTokenLargestAccounts", token.mint))
    metas = [AccountMeta(Pubkey.from_string(key), is_signer=False, is_writable=True) for key in (account, token.mint)]
    metas.append(AccountMeta(alice.trader.key.pubkey(), is_signer=True, is_writable=False))
    alice.trader.sends(Instruction(Pubkey.from_string(owner), BURN + held.to_bytes(8, "little"), metas))
    assert (venue.units_in(account), supply_of(venue, token)) == (0, supply - held)
    assert venue.audit()["ok"]
    venue.gives(alice.wallet, 5 * token)
    assert supply_of(venue, token) == supply - held + (5 * token).units


def supply_of(venue: Venue, token: Token) -> int:
    return int(venue.rpc("getTokenSupply", token.mint)["amount"])


def test_sol_is_sold(venue: Venue, alice: LimitTrader) -> None:
    alice.places(1 * SOL, USDC, take=140_000_000)
    venue.settles()
    assert venue.units(alice.wallet, USDC) == 1_000_000_000 + 140_000_000 - 140_000


def test_as_much_as_the_pool_takes(venue: Venue, alice: LimitTrader) -> None:
    venue.pool(USDC, most=30_000_000)
    alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(alice.wallet, JUP) == 1_000_000_000 + 150_000_000 - 3 * 45_000 - 15_000


def test_equal_parts_are_as_many_transactions(venue: Venue, alice: LimitTrader) -> None:
    """Of two with the same bytes only one would land, and the keeper would take its landing for the other's."""
    venue.pool(USDC, most=5_000_000)
    before = landings(venue, "fill")
    order = alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert alice.open_orders() == []
    fills = [row["txSignature"] for row in timeline(venue, order) if row["event"] == "order_filled"]
    assert len(set(fills)) == 20
    assert landings(venue, "fill") == before + 20


def test_two_cycles_in_one_slot_are_two_transactions(venue: Venue, saver: Saver) -> None:
    venue.freezes()
    before = landings(venue, "cycle")
    order, _ = saver.opens(300 * USDC, SOL, numberOfOrders=3)
    venue.settles()
    for _ in range(2):
        venue.advances(86_400)
        venue.settles()
    venue.runs()
    assert [row["event"] for row in timeline(venue, order)].count("cycle_filled") == 3
    assert landings(venue, "cycle") == before + 3


def test_an_order_that_ended_after_hundreds_of_fills_is_found(venue: Venue, alice: LimitTrader) -> None:
    """Its opening is not among the newest transactions that name it."""
    venue.pool(USDC, most=1_000_000)
    order = alice.places(205 * USDC, JUP, take=300_000_000)
    venue.settles()
    shown = venue.ask("GET", f"/sandbox/orders/{order}").ok()
    assert (shown["family"], shown["state"], shown["wallet"]) == ("limit", "completed", alice.wallet)
    assert (shown["inputMint"], shown["outputMint"]) == (USDC.mint, JUP.mint)
    assert {row["event"] for row in shown["timeline"]} == {"order_filled"}


def landings(venue: Venue, kind: str) -> int:
    name = f'countermand_keeper_transactions_total{{kind="{kind}",outcome="landed"}} '
    found = [line for line in venue.ask("GET", "/metrics").raw.decode().splitlines() if line.startswith(name)]
    return int(float(found[0].removeprefix(name))) if found else 0


def test_what_a_pool_takes_later(venue: Venue, alice: LimitTrader) -> None:
    """No price has to move for it."""
    venue.pool(USDC, most=0)
    order = alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert alice.open_orders() == [order]
    venue.pool(USDC, impact_bps=2_500)
    venue.settles()
    assert alice.open_orders() == [order], "a quarter less than 200 JUP, and the fee, is too little"
    venue.pool(USDC, impact_bps=2_400)
    venue.settles()
    assert alice.open_orders() == []


def test_what_failed_is_tried_anew_in_the_same_slot(venue: Venue, alice: LimitTrader, bob: LimitTrader) -> None:
    """The same bytes would be the same transaction, whose failure stands."""
    account = str(associated(bob.wallet, JUP))
    order = alice.places(100 * USDC, JUP, take=250_000_000, params={"feeBps": "50"}, feeAccount=account)
    bob.trader.pays(str(associated(alice.wallet, JUP)), 1_000 * JUP)
    bob.trader.closes_account_of(JUP)
    venue.freezes()
    venue.passes_slots()
    venue.price(JUP, "0.39")
    venue.settles()
    assert alice.open_orders() == [order]
    shown = venue.ask("GET", f"/sandbox/orders/{order}").ok()
    assert shown["waitsFor"].startswith("its last fill failed (custom program error code: 3012"), shown["waitsFor"]
    venue.gives(bob.wallet, 1 * JUP)
    venue.advances(120)
    venue.settles()
    venue.runs()
    assert alice.open_orders() == []


@pytest.mark.parametrize(("asked", "theirs"), [("50", 1_250_000), ("0", 0)])
def test_integrator_and_program_get_their_own_fees(
    venue: Venue, alice: LimitTrader, bob: LimitTrader, asked: str, theirs: int
) -> None:
    """The program's account is made where it is missing."""
    venue.pool(USDC, most=60_000_000)
    before, own = venue.units(bob.wallet, JUP), venue.units(FEE_ACCOUNT, JUP)
    account = str(associated(bob.wallet, JUP))
    order = alice.places(100 * USDC, JUP, take=250_000_000, params={"feeBps": asked}, feeAccount=account)
    venue.price(JUP, "0.39")
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(bob.wallet, JUP) - before == theirs
    assert venue.units(FEE_ACCOUNT, JUP) - own == 250_000
    assert venue.units(alice.wallet, JUP) == 1_250_000_000 - 250_000 - theirs
    (row,) = alice.get("getTriggerOrders", user=alice.wallet, orderStatus="history")["orders"]
    assert (row["orderKey"], len(row["trades"])) == (order, 2)
    assert {trade["feeMint"] for trade in row["trades"]} == {account}
    assert sum(int(trade["rawFeeAmount"]) for trade in row["trades"]) == 250_000 + theirs


def test_an_order_for_more_than_the_pool_has_says_so(venue: Venue, alice: LimitTrader) -> None:
    asked = {"symbol": "CHEAP", "decimals": 9, "price": "0.0000001"}
    tokens = venue.ask("POST", "/sandbox/tokens", asked).ok()["tokens"]
    (mint,) = [token["mint"] for token in tokens if token["symbol"] == "CHEAP"]
    order = alice.places(150 * USDC, Token("CHEAP", mint, 9), take=10**18)
    venue.settles()
    shown = venue.ask("GET", f"/sandbox/orders/{order}").ok()
    words = f"the pool has not enough of {mint}"
    assert shown["waitsFor"].endswith(words)
    assert shown["waiting"]["keeper"] == words
    (cancel,) = alice.builds_cancels(order)
    alice.executes(cancel).ok()


def test_a_rest_that_is_worth_less_than_a_dollar_goes_back(venue: Venue, alice: LimitTrader) -> None:
    venue.pool(USDC, most=99_000_001)
    order = alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert [row["event"] for row in timeline(venue, order)] == ["order_created", "order_filled", "order_cancelled"]
    assert timeline(venue, order)[-1]["reason"] == "too little was left for any fill"
    assert venue.units(alice.wallet, USDC) == 900_000_000 + 999_999


def test_the_timeline_of_an_order_on_the_chain_is_what_the_stream_tells(
    venue: Venue, alice: LimitTrader, saver: Saver
) -> None:
    with Reader(venue, "from=now") as reader:
        venue.pool(USDC, most=99_000_001)
        dust = alice.places(100 * USDC, JUP, take=150_000_000)
        venue.settles()
        venue.pool(USDC, most=None)
        cycling, _ = saver.opens(104 * USDC, SOL)
        venue.settles()
        saver.executes(saver.asks_to_cancel(cycling).ok()["transaction"]).ok()
        told = [each["data"] for each in reader.until(cycling, "order_closed") if each["event"] == "order"]
    for order in (dust, cycling):
        of_order = [each["told"] for each in told if each["orderId"] == order]
        streamed = [(each["event"], each["cause"], each.get("reason"), each["signature"]) for each in of_order]
        rows = timeline(venue, order)
        assert [(row["event"], row["cause"], row.get("reason"), row["txSignature"]) for row in rows] == streamed
        assert len(rows) == 3 if order == dust else len(rows) == 4


def test_a_rest_of_a_dollar_is_filled(venue: Venue, alice: LimitTrader) -> None:
    venue.pool(USDC, most=99_000_000)
    order = alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert [row["event"] for row in timeline(venue, order)] == ["order_created", "order_filled", "order_filled"]


def timeline(venue: Venue, order: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = venue.ask("GET", f"/sandbox/orders/{order}").ok()["timeline"]
    return rows


def test_a_swap_that_fails_is_seen_and_tried_again(venue: Venue, alice: LimitTrader) -> None:
    venue.freezes()
    venue.faults(failSwaps=1)
    order = alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert venue.remaining_faults() == {}
    shown = venue.ask("GET", f"/sandbox/orders/{order}").ok()
    assert (shown["state"], shown["waiting"]) == (
        "open",
        {"for": "pause", "until": venue.now() + 1_000, "reason": "custom program error code: 6025"},
    )
    assert "custom program error code: 6025" in shown["waitsFor"]
    assert [(row["event"], row.get("reason")) for row in shown["timeline"]][1:] == [
        ("transaction_failed", "custom program error code: 6025")
    ]
    venue.advances(1)
    venue.settles()
    assert alice.open_orders() == []
    assert [row["event"] for row in timeline(venue, order)] == ["order_created", "transaction_failed", "order_filled"]
    venue.runs()


def test_a_new_price_ends_a_pause(venue: Venue, alice: LimitTrader) -> None:
    venue.freezes()
    venue.faults(failSwaps=1)
    order = alice.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert alice.open_orders() == [order]
    venue.price(JUP, "0.5")
    venue.settles()
    assert alice.open_orders() == []
    venue.runs()


def test_a_cycle_whose_swap_fails_is_tried_again(venue: Venue, saver: Saver) -> None:
    venue.faults(failSwaps=1)
    order, _ = saver.opens(104 * USDC, SOL)
    venue.settles()
    assert [row["event"] for row in timeline(venue, order)] == ["order_opened", "transaction_failed"]
    told = {given: saver.lists(includeFailedTx=given)["time"][0] for given in ("true", "True", "false", "False", "")}
    assert [len(row["trades"]) for row in told.values()] == [1, 1, 0, 0, 0]
    venue.price(SOL, "150")
    venue.settles()
    assert [row["event"] for row in timeline(venue, order)].count("cycle_filled") == 1


def test_an_order_sent_past_the_venue_is_filled_too(venue: Venue, alice: LimitTrader) -> None:
    built = alice.builds(100 * USDC, JUP, take=150_000_000)
    alice.sends(built["transaction"])
    venue.settles()
    assert not venue.exists(built["order"])
    assert venue.units(alice.wallet, JUP) == 1_000_000_000 + 149_850_000


def test_one_wallet_with_many_orders_delays_no_other(venue: Venue, alice: LimitTrader, bob: LimitTrader) -> None:
    """All are due at one price; bob's single order is filled in the first turn, before most of alice's thirty."""
    many = [alice.places(6 * USDC, JUP, take=15_000_000) for _ in range(30)]
    one = bob.places(6 * USDC, JUP, take=15_100_000)  # The last that the price reaches.
    venue.price(JUP, "0.39")
    venue.settles()
    closed = {order: timeline(venue, order)[-1] for order in (*many, one)}
    assert {row["event"] for row in closed.values()} == {"order_filled"}
    signatures = [row["signature"] for row in venue.rpc("getSignaturesForAddress", KEEPERS, {"limit": 60})][::-1]
    at = {order: signatures.index(row["txSignature"]) for order, row in closed.items()}
    assert sum(at[order] < at[one] for order in many) < 16


def test_an_expired_order_is_returned(venue: Venue, alice: LimitTrader) -> None:
    expires = venue.now() // 1000 + 60
    order = alice.places(100 * USDC, JUP, take=250_000_000, params={"expiredAt": str(expires)})
    venue.advances(30)
    venue.settles()
    assert alice.open_orders() == [order]
    venue.advances(32)
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(alice.wallet, USDC) == 1_000_000_000


def test_an_expired_order_stays_while_refunds_never_come(venue: Venue, alice: LimitTrader) -> None:
    """The weakness `noRefunds`. What was held is given back when the fault is cleared."""
    expires = venue.now() // 1000 + 60
    order = alice.places(100 * USDC, JUP, take=250_000_000, params={"expiredAt": str(expires)})
    venue.faults(strict=["noRefunds"])
    venue.advances(120)
    venue.settles()
    assert alice.open_orders() == [order]
    waiting = venue.ask("GET", f"/sandbox/orders/{order}").ok()
    assert waiting["waitsFor"].endswith("; the fault noRefunds holds the keeper back")
    assert waiting["waiting"]["keeper"] == "the fault noRefunds holds the keeper back"
    venue.faults()
    venue.settles()
    assert alice.open_orders() == []


def test_a_recurring_order_cycles_to_its_end(venue: Venue, saver: Saver) -> None:
    order, _ = saver.opens(104 * USDC, SOL)
    venue.settles()
    (row,) = saver.lists()["time"]
    assert (row["rawInUsed"], row["rawOutReceived"]) == ("52000000", row["rawOutWithdrawn"])
    before = venue.lamports(saver.wallet)
    venue.advances(86_000)
    venue.settles()
    assert venue.lamports(saver.wallet) == before
    venue.advances(401)
    venue.settles()
    assert saver.lists()["time"] == []
    assert not venue.exists(order)
    assert venue.lamports(saver.wallet) > before + 340_000_000
    assert venue.units(saver.wallet, USDC) == 896_000_000


def opens_bounded(venue: Venue, saver: Saver, **bounds: int) -> str:
    """Past the API: 52 USDC a day for SOL, twice, for what a cycle may give."""
    new = NewDca(
        user=saver.wallet,
        payer=saver.wallet,
        input_mint=USDC.mint,
        output_mint=SOL.mint,
        idx=next(INDEXES),
        in_amount=104_000_000,
        in_amount_per_cycle=52_000_000,
        cycle_frequency=86_400,
        **bounds,
    )
    blockhash = venue.rpc("getLatestBlockhash")["blockhash"]
    saver.sends(unsigned_text(open_message(new, Budget(200_000, 0), blockhash)))
    return new.keys.dca


def test_a_cycle_out_of_its_bounds_waits_for_a_price(venue: Venue, saver: Saver) -> None:
    """52 USDC buy 0.346 SOL at 150 dollars, 0.524 at 99, 0.322 at 161."""
    cheap = opens_bounded(venue, saver, min_out=500_000_000)
    dear = opens_bounded(venue, saver, max_out=330_000_000)

    def used() -> dict[str, str]:
        venue.settles()
        return {row["orderKey"]: row["rawInUsed"] for row in saver.lists()["time"]}

    assert used() == {cheap: "0", dear: "0"}
    venue.price(SOL, "161")
    assert used() == {cheap: "0", dear: "52000000"}
    venue.price(SOL, "99")
    assert used() == {cheap: "52000000", dear: "52000000"}


def test_prices_of_the_api_bound_what_a_cycle_costs(venue: Venue, saver: Saver) -> None:
    """One SOL costs 150.3 USDC with both fees, then 149.8; a range that the price is in, one below, one above."""
    within, _ = saver.opens(104 * USDC, SOL, minPrice=150.25, maxPrice=150.5)
    below, _ = saver.opens(104 * USDC, SOL, maxPrice=149.9)
    above, _ = saver.opens(104 * USDC, SOL, minPrice=160)

    def used() -> dict[str, str]:
        venue.settles()
        return {row["orderKey"]: row["rawInUsed"] for row in saver.lists()["time"]}

    rows = {row["orderKey"]: (row["minOutAmount"], row["maxOutAmount"]) for row in saver.lists()["time"]}
    assert rows[within] == ("0.345514951", "0.34608985")
    assert (rows[below], rows[above]) == (("0.346897932", "0"), ("0", "0.325"))
    assert used() == {within: "52000000", below: "0", above: "0"}
    venue.price(SOL, "149.5")
    assert used() == {within: "52000000", below: "52000000", above: "0"}
    venue.price(SOL, "160")
    assert used() == {within: "52000000", below: "52000000", above: "52000000"}


def test_the_first_cycle_comes_when_it_is_to_start(venue: Venue, saver: Saver) -> None:
    order, _ = saver.opens(104 * USDC, SOL, startAt=venue.now() // 1000 + 3_600)
    venue.settles()
    venue.advances(3_590)
    venue.settles()
    assert saver.lists()["time"][0]["rawInUsed"] == "0"
    venue.advances(11)
    venue.settles()
    assert [row["event"] for row in timeline(venue, order)].count("cycle_filled") == 1


def test_the_last_cycle_takes_what_the_division_left_over(venue: Venue, saver: Saver) -> None:
    order, _ = saver.opens(Funds(USDC, 160_000_001), SOL, numberOfOrders=3)
    for _ in range(3):
        venue.settles()
        venue.advances(86_440)
    venue.settles()
    filled = [row["reason"] for row in timeline(venue, order) if row["event"] == "cycle_filled"]
    assert [words.split()[2] for words in filled] == ["53333333", "53333333", "53333335"]
    assert (venue.exists(order), venue.units(saver.wallet, USDC)) == (False, 839_999_999)


@pytest.mark.parametrize("lamports", [0, 890_880])
def test_output_stays_with_the_order_of_a_wallet_that_has_no_account(
    venue: Venue, saver: Saver, bob: LimitTrader, lamports: int
) -> None:
    """It comes when the order ends, in an account that is made for it. Lamports of a stranger there are none."""
    own = str(associated(saver.wallet, JUP))
    if lamports:
        bob.trader.pays(own, Funds(SOL, lamports))
    order, _ = saver.opens(104 * USDC, JUP)
    venue.settles()
    (row,) = saver.lists()["time"]
    assert (row["rawInUsed"], row["rawOutWithdrawn"], venue.lamports(own)) == ("52000000", "0", lamports)
    assert venue.units_in(str(associated(order, JUP))) == int(row["rawOutReceived"])
    venue.advances(86_440)
    venue.settles()
    assert not venue.exists(order)
    assert venue.units_in(own) == 2 * int(row["rawOutReceived"])


def test_a_dropped_transaction_is_sent_again(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    venue.faults(dropTransactions=1)
    venue.price(JUP, "0.3")
    venue.settles()
    assert alice.open_orders() == [], order


def test_settle_tells_what_it_waits_for(venue: Venue, alice: LimitTrader) -> None:
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    venue.faults(landDelayMs=500)
    venue.price(JUP, "0.3")
    answer = venue.ask("POST", "/sandbox/settle", {"timeoutMs": 0}).ok()
    assert answer == {"settled": False, "waitingFor": [order]}
    venue.settles()
    assert alice.open_orders() == []


def test_no_more_than_sixteen_are_under_way(venue: Venue, alice: LimitTrader) -> None:
    orders = [alice.places(6 * USDC, JUP, take=15_000_000) for _ in range(20)]
    venue.faults(landDelayMs=1_000)
    venue.price(JUP, "0.39")
    while under_way(venue) < 16:
        pass
    assert sorted(venue.ask("POST", "/sandbox/settle", {"timeoutMs": 0}).ok()["waitingFor"]) == sorted(orders)
    assert under_way(venue) == 16
    venue.settles()
    assert alice.open_orders() == []


def under_way(venue: Venue) -> int:
    lines = venue.ask("GET", "/metrics").raw.decode().splitlines()
    (line,) = [line for line in lines if line.startswith("countermand_keeper_under_way ")]
    return int(float(line.split()[1]))


def test_a_restore_is_judged_by_the_prices_that_it_brings_back(venue: Venue, alice: LimitTrader) -> None:
    """It was not filled since its swap had failed; what was restored knows nothing of the pause."""
    venue.freezes()
    venue.price(JUP, "0.3")
    venue.faults(failSwaps=1)
    order = alice.places(100 * USDC, JUP, take=250_000_000)
    venue.settles()
    venue.ask("POST", "/sandbox/snapshots", {"name": "failed"}).ok()
    (cancel,) = alice.builds_cancels(order)
    assert alice.executes(cancel).ok()["status"] == "Success"
    venue.price(JUP, "0.5")
    venue.ask("POST", "/sandbox/snapshots/failed/restore", {}).ok()
    venue.settles()
    assert alice.open_orders() == []
    assert venue.units(alice.wallet, JUP) == 1_000_000_000 + 250_000_000 - 250_000
    venue.runs()


def test_a_reset_forgets_what_was_there(venue: Venue, alice: LimitTrader) -> None:
    alice.places(100 * USDC, JUP, take=250_000_000)
    venue.ask("POST", "/sandbox/reset", {}).ok()
    venue.settles()
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    bob = LimitTrader(venue, trader)
    bob.places(100 * USDC, JUP, take=150_000_000)
    venue.settles()
    assert bob.open_orders() == []
