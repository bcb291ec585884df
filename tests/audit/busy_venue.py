"""A venue that had a busy day: something in every table, and orders of every family in several states."""

from pathlib import Path

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from countermand.solana.programs.swap import market_address
from tests.end_to_end.dca_trader import DcaTrader, dca
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.member import Member
from tests.end_to_end.swapper import Swapper
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader, otoco, single, trailing
from tests.end_to_end.venue import JUP, SOL, USDC, Token, Venue, running_venue

TOKEN_2022 = "spl-token-2022"


def spends_a_day(data: Path) -> None:
    """Leaves a database in the data directory, and nothing that runs."""
    with running_venue(data) as venue:
        old, new = _added(venue, "OLD"), _added(venue, "NEW", TOKEN_2022)
        _trades_by_trigger(venue, old, new)
        _trades_in_rounds(venue)
        _trades_on_the_chain(venue)
        _swaps(venue)
        venue.settles()
        _goes_back(venue)
        _trades_on_the_book(venue)
        venue.settles()
    with running_venue(data, "--keeper") as venue:
        _is_filled_by_a_keeper(venue)
        venue.settles()


def _goes_back(venue: Venue) -> None:
    """To how it is now; and on from there, so that the chain has transactions of before and of after."""
    venue.ask("POST", "/sandbox/snapshots", {"name": "evening"}).ok()
    venue.price(SOL, "204")
    venue.ask("POST", "/sandbox/snapshots/evening/restore").ok()
    Trader(venue).has(1 * SOL)
    venue.settles()


def _added(venue: Venue, symbol: str, program: str = "spl-token") -> Token:
    mint = str(Keypair().pubkey())
    asked = {"symbol": symbol, "decimals": 3, "price": "2", "mint": mint, "program": program}
    venue.ask("POST", "/sandbox/tokens", asked).ok()
    return Token(symbol, mint, 3)


def _trades_by_trigger(venue: Venue, old: Token, new: Token) -> None:
    alice, bob = Trader(venue), Trader(venue)
    for trader in (alice, bob):
        trader.has(10 * SOL, 1_000 * USDC, 1_000 * JUP, 1_000 * old, 1_000 * new)
        trader.joins()
    filled = alice.places(single(1 * SOL, above=200))
    venue.faults(failSwaps=1)
    venue.price(SOL, "201")
    venue.settles()
    venue.advances(2)
    venue.settles()
    assert alice.state_of(filled) == "filled"
    bob.places(trailing(1 * SOL, bps=9_000))
    venue.pool(USDC, most=40_000_000)
    kept = alice.places(otoco(50 * USDC, SOL, below=203, take_profit=900, stop_loss=20))
    venue.price(SOL, "202")
    venue.price(SOL, "203")
    venue.settles()
    assert alice.sees(kept)["remainingInputAmount"] == "0"
    bob.places(otoco(50 * USDC, SOL, below=100, take_profit=900, stop_loss=20))
    cancelled = alice.places(single(100 * USDC, JUP, below=0.1))
    alice.withdraws(cancelled, alice.cancels(cancelled))
    expired = bob.places(single(10 * new, below=1, lives_ms=60_000))
    venue.advances(61)
    assert bob.state_of(expired) == "expired"
    half_cancelled = bob.places(single(10 * old, below=1))
    bob.cancels(half_cancelled)
    for trader in (alice, bob):
        trader.places(single(2 * SOL, above=500))
        trader.places(single(50 * USDC, SOL, below=50))
    alice.crafts(single(1 * SOL, above=700))


def _swaps(venue: Venue) -> None:
    """Strangers send lamports to a market before it is there, and to one that is."""
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    swapper = Swapper.of(trader)
    for more, tokens in enumerate(((JUP, USDC), (SOL, JUP))):
        for token in tokens:
            market = Pubkey.from_string(market_address(token.mint))
            gift = TransferParams(from_pubkey=trader.key.pubkey(), to_pubkey=market, lamports=2_000_000 + more)
            trader.sends(transfer(gift))
        for quote in (swapper.quotes(1 * SOL, USDC), swapper.quotes(20 * USDC, JUP)):
            assert swapper.swaps(quote) is None
        venue.price(JUP, "0.6")


def _trades_in_rounds(venue: Venue) -> None:
    venue.deepens_pools()
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    plans = DcaTrader(trader.joins())
    completed = plans.places(dca(100 * USDC, rounds=2, every_s=60))
    limits: dict[str, object] = {"orderType": "price_conditional", "triggerMint": SOL.mint, "maxPriceUsd": 1}
    plans.places(dca(100 * USDC).but(limits))
    active = plans.places(dca(1 * SOL, USDC))
    cancelled = plans.places(dca(100 * USDC))
    venue.settles()
    venue.faults(failSwaps=1)
    for seconds in (61, 2):
        venue.advances(seconds)
        venue.settles()
    assert plans.sees(completed)["state"] == "completed"
    assert plans.sees(active)["roundsFilled"] == 1
    plans.withdraws(cancelled, plans.asks_to_cancel(cancelled).ok())
    half_cancelled = plans.places(dca(50 * USDC, rounds=2))
    venue.settles()
    plans.asks_to_cancel(half_cancelled).ok()
    plans.asks_to_deposit(dca(1 * SOL, USDC)).ok()


def _trades_on_the_chain(venue: Venue) -> None:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    limit = LimitTrader(venue, trader)
    for _ in range(2):
        limit.places(10 * USDC, JUP)
    limit.places(1 * SOL, USDC)
    (cancel,) = limit.builds_cancels(limit.open_orders()[0])
    limit.executes(cancel).ok()
    limit.builds_cancels()
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)
    opened, _ = saver.opens(104 * USDC, SOL)
    saver.opens(104 * USDC, JUP, startAt=venue.now() // 1000 + 86_400)
    built = saver.asks_to_cancel(opened).ok()
    saver.executes(built["transaction"], requestId=built["requestId"]).ok()


def _is_filled_by_a_keeper(venue: Venue) -> None:
    """Those of the chain that the market allows; one stays that it does not."""
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC)
    limit = LimitTrader(venue, trader)
    filled = limit.places(1 * SOL, USDC)
    venue.settles()
    assert filled not in limit.open_orders()
    limit.places(1 * SOL, USDC, take=10**12)
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)
    kept, _ = saver.opens(104 * USDC, SOL)
    venue.settles()
    built = saver.asks_to_cancel(kept).ok()
    saver.executes(built["transaction"], requestId=built["requestId"]).ok()


def _trades_on_the_book(venue: Venue) -> None:
    alice, bob = Member(venue).joins().has(usdc="100000", btc="2"), Member(venue).joins().has(usdc="100000", btc="2")
    bid = alice.places("buy", "1", "50000")
    bob.places("sell", "0.3", "49000")
    bob.places("sell", "0.2", "51000")
    alice.places("buy", "0.1", "52000", ord_type="stop_limit", stop_price="51500")
    alice.cancels(bid).ok()
    alice.draft("buy", "0.1", "40000")
