"""A bot whose orders on the chain are filled, partly filled and cancelled, in a race with the keeper, either way.

It learns of a lost race from `execute`: the program's error, and the signature. Asking again gives the same answer.
"""

import re
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest

from countermand.services.transactions.builder import unsigned_text
from countermand.solana.programs.accounts import create_associated
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message
from countermand.solana.programs.limit_order import FEE_ACCOUNT, read_order
from countermand.solana.programs.limit_order_fills import Taking, fill_order
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import JUP, SOL, USDC, Answer, Funds, Token, Venue, associated

GONE = "custom program error code: 3012"
ORDERS = 12
SELLS, TAKES = 20_000_000, 50_000_000
"""20 USDC for 50 JUP: by the pool from 0.3996 dollars on."""


@pytest.fixture
def venue(kept_venue: Venue) -> Venue:
    return kept_venue


@pytest.fixture(params=["/trigger/v1", "/limit/v2"])
def bot(venue: Venue, request: pytest.FixtureRequest) -> LimitTrader:
    return arrives(venue, request.param)


def arrives(venue: Venue, root: str = "/trigger/v1") -> LimitTrader:
    trader = Trader(venue)
    trader.has(10 * SOL, 1_000 * USDC, 1_000 * JUP)
    return LimitTrader(venue, trader, root)


def places(bot: LimitTrader) -> str:
    return bot.places(20 * USDC, JUP, take=TAKES)


def cancel_of(bot: LimitTrader, order: str) -> str:
    (cancel,) = bot.builds_cancels(order)
    return cancel


def repeats(bot: LimitTrader, cancel: str) -> Answer:
    """The answer, which is the same when it is asked for again."""
    answer = bot.executes(cancel)
    again = bot.executes(cancel)
    assert (again.status, again.raw) == (answer.status, answer.raw)
    return answer


def history(bot: LimitTrader, order: str) -> tuple[str, list[str]]:
    """Its status there, and what each trade took of the input, the newest first."""
    rows = bot.get("getTriggerOrders", user=bot.wallet, orderStatus="history")["orders"]
    (row,) = [row for row in rows if row["orderKey"] == order]
    return row["status"], [trade["rawInputAmount"] for trade in row["trades"]]


def fills_a_part(venue: Venue, taker: LimitTrader, order: str, making: int) -> None:
    """Another taker takes a part at the order's rate, past the API."""
    info = venue.rpc("getAccountInfo", order, {"encoding": "base64"})
    account = read_order(b64decode(info["data"][0]))
    assert account is not None
    taking = Taking.of(taker.wallet, order, account)
    fee = create_associated(taker.wallet, FEE_ACCOUNT, JUP.mint)
    blockhash = venue.rpc("getLatestBlockhash")["blockhash"]
    instructions = [*Budget(400_000, 0).instructions(), fee, fill_order(taking, making)]
    signature = taker.sends(unsigned_text(compile_message(instructions, taker.wallet, blockhash, KeyOrder.RUST)))
    (status,) = venue.rpc("getSignatureStatuses", [signature])
    assert status["err"] is None, status


def test_a_fill_wins(venue: Venue, bot: LimitTrader) -> None:
    order = places(bot)
    cancel = cancel_of(bot, order)
    venue.price(JUP, "0.39")
    venue.settles()
    lost = repeats(bot, cancel)
    signature = lost.body["signature"]
    assert (lost.status, lost.body) == (500, {"error": GONE, "code": 500, "signature": signature, "status": "Failed"})
    assert venue.rpc("getSignatureStatuses", [signature])[0]["err"] == {"InstructionError": [2, {"Custom": 3012}]}
    venue.settles()
    assert history(bot, order) == ("Completed", [str(SELLS)])
    assert venue.units(bot.wallet, JUP) == 1_000_000_000 + TAKES - TAKES // 1_000
    assert bot.post("cancelOrders", maker=bot.wallet, orders=[order]).error == (400, "no matching orders found")


def test_a_cancel_wins(venue: Venue, bot: LimitTrader) -> None:
    order = places(bot)
    cancel = cancel_of(bot, order)
    assert repeats(bot, cancel).ok()["status"] == "Success"
    venue.price(JUP, "0.39")
    venue.settles()
    assert history(bot, order) == ("Cancelled", [])
    assert venue.units(bot.wallet, USDC) == 1_000_000_000
    assert repeats(bot, cancel).ok()["status"] == "Success"


@pytest.mark.parametrize("cancel_wins", [True, False])
def test_a_part_was_filled(venue: Venue, bot: LimitTrader, cancel_wins: bool) -> None:
    order = places(bot)
    cancel = cancel_of(bot, order)
    fills_a_part(venue, arrives(venue), order, 5_000_000)
    if cancel_wins:
        assert repeats(bot, cancel).ok()["status"] == "Success"
    venue.price(JUP, "0.39")
    venue.settles()
    answer = repeats(bot, cancel)
    venue.settles()
    if cancel_wins:
        assert answer.ok()["status"] == "Success"
        assert history(bot, order) == ("Cancelled", ["5000000"])
        assert venue.units(bot.wallet, USDC) == 995_000_000
    else:
        assert answer.error == (500, GONE)
        assert history(bot, order) == ("Completed", ["15000000", "5000000"])
        assert venue.units(bot.wallet, USDC) == 980_000_000


def test_prices_and_cancels_at_the_same_time(venue: Venue, bot: LimitTrader) -> None:
    """Each order is filled or returned, its owner is told which, and nothing is lost."""
    orders = [places(bot) for _ in range(ORDERS)]
    cancels = [cancel_of(bot, order) for order in orders]
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(bot.executes, cancel) for cancel in cancels[: ORDERS // 2]]
        price = threads.submit(venue.price, JUP, "0.39")
        answers += [threads.submit(bot.executes, cancel) for cancel in cancels[ORDERS // 2 :]]
        price.result()
    venue.settles()
    filled = 0
    for order, cancel, answer in zip(orders, cancels, answers, strict=True):
        told = answer.result()
        assert bot.executes(cancel).raw == told.raw
        if told.status == 200:
            assert history_of_many(bot, order) == "Cancelled"
        else:
            assert told.error == (500, GONE)
            assert history_of_many(bot, order) == "Completed"
            filled += 1
    assert venue.units(bot.wallet, USDC) == 1_000_000_000 - filled * SELLS
    assert venue.units(bot.wallet, JUP) == 1_000_000_000 + filled * (TAKES - TAKES // 1_000)


def history_of_many(bot: LimitTrader, order: str) -> str:
    asked = {"user": bot.wallet, "orderStatus": "history"}
    pages = [bot.get("getTriggerOrders", **asked, page=page)["orders"] for page in ("1", "2")]
    (status,) = [row["status"] for rows in pages for row in rows if row["orderKey"] == order]
    return str(status)


def races_lost(venue: Venue) -> int:
    found = re.search(
        r'^countermand_keeper_transactions_total\{kind="fill",outcome="race_lost"\} (\S+)$',
        venue.ask("GET", "/metrics").raw.decode(),
        re.MULTILINE,
    )
    return 0 if found is None else int(float(found[1]))


def test_a_race_that_the_keeper_loses_is_quiet_and_counted(venue: Venue) -> None:
    """Its transaction is dropped, and a cancel lands before it is sent again."""
    bot = arrives(venue)
    order = places(bot)
    cancel = cancel_of(bot, order)
    before, log = races_lost(venue), len(venue.log.read_text())
    venue.faults(dropTransactions=1)
    venue.price(JUP, "0.39")
    while venue.remaining_faults():
        pass
    assert bot.executes(cancel).ok()["status"] == "Success"
    venue.settles()
    assert races_lost(venue) == before + 1
    assert venue.units(bot.wallet, USDC) == 1_000_000_000
    assert not [line for line in venue.log.read_text()[log:].splitlines() if "keeper" in line]


@pytest.fixture
def saver(venue: Venue) -> Saver:
    saver = Saver(venue)
    for funds in (10 * SOL, 1_000 * USDC):
        venue.gives(saver.wallet, funds)
    return saver


def test_the_end_of_a_recurring_order_wins(venue: Venue, saver: Saver) -> None:
    order, _ = saver.opens(104 * USDC, SOL)
    venue.settles()
    closing = saver.asks_to_cancel(order).ok()["transaction"]
    venue.advances(86_440)
    venue.settles()
    lost = saver.executes(closing)
    signature = lost.ok()["signature"]
    assert lost.body == {"signature": signature, "status": "Failed", "order": None, "error": GONE}
    assert saver.executes(closing).raw == lost.raw
    (row,) = saver.lists(orderStatus="history")["time"]
    assert (row["orderKey"], row["userClosed"], len(row["trades"])) == (order, False, 2)


def test_the_cancel_of_a_recurring_order_wins(venue: Venue, saver: Saver) -> None:
    order, _ = saver.opens(104 * USDC, SOL)
    venue.settles()
    closing = saver.asks_to_cancel(order).ok()["transaction"]
    closed = saver.executes(closing)
    assert closed.ok()["status"] == "Success"
    venue.advances(86_440)
    venue.settles()
    assert saver.executes(closing).raw == closed.raw
    (row,) = saver.lists(orderStatus="history")["time"]
    assert (row["orderKey"], row["userClosed"], len(row["trades"])) == (order, True, 1)
    assert venue.units(saver.wallet, USDC) == 948_000_000


@pytest.mark.parametrize("lamports", [0, 890_880])
@pytest.mark.parametrize(("sells", "buys"), [(104 * USDC, JUP), (1 * SOL, USDC), (1 * SOL, JUP)])
def test_a_cancel_lands_after_a_first_cycle(venue: Venue, sells: Funds, buys: Token, lamports: int) -> None:
    """The order bought something meanwhile, and a wallet without an account for it needs one now."""
    saver = Saver(venue)
    for funds in (10 * SOL, sells):
        venue.gives(saver.wallet, funds)
    if lamports:  # Of a stranger, at the address of the account.
        arrives(venue).trader.pays(str(associated(saver.wallet, buys)), Funds(SOL, lamports))
    order, _ = saver.opens(sells, buys, startAt=venue.now() // 1000 + 10)
    closing = saver.asks_to_cancel(order).ok()["transaction"]
    venue.advances(11)
    venue.settles()
    (row,) = saver.lists()["time"]
    assert (len(row["trades"]), row["rawOutWithdrawn"]) == (1, "0")
    closed = saver.executes(closing).ok()
    assert (closed["status"], closed["error"]) == ("Success", None)
    assert venue.units(saver.wallet, buys) == int(row["rawOutReceived"])
