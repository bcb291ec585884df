"""The console at `/`, in a real browser, beside a venue of its own: each control, by pointer and by keyboard alone."""

import json
import os
import platform
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from solders.keypair import Keypair

from tests.clients.browser import Browser, Browsers, CannotRun, running_browsers
from tests.clients.node import CLIENTS
from tests.end_to_end.conftest import with_funds
from tests.end_to_end.dca_trader import DcaTrader, dca
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.member import Member
from tests.end_to_end.test_recurring_v1 import Saver
from tests.end_to_end.test_venue_root import ROOT, launch, made_key, sets_prices
from tests.end_to_end.trader import Trader, oco, otoco, single, trailing
from tests.end_to_end.venue import JUP, LAUNCH, SOL, USDC, Funds, Token, Venue, running_venue
from tests.testkit.test_plugin import pytest_in

pytestmark = pytest.mark.flaky(reruns=1)
"""A machine that stands still for seconds stops a browser anywhere. The report shows what was played twice, and why."""

SELL = single(sell=1 * SOL, above=160)
LONG_NAME = "A TOKEN OF A LONG NAME"


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsers]:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the npm package's Chromium is for Linux on x86-64")
    directory = tmp_path_factory.mktemp("browser")
    try:
        with running_browsers(directory, CLIENTS / "console.mjs") as browsers:
            yield browsers
    except CannotRun as why:
        pytest.skip(f"Chromium does not run on this machine: {why}")


@pytest.fixture
def browser(browsers: Browsers) -> Browser:
    return browsers.current()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("console"), confirm_timeout_ms=5_000) as venue:
        yield venue


@pytest.fixture
def empty(own: Venue) -> Venue:
    """No other wallet's orders are on the chart."""
    own.resets()
    return own


@pytest.fixture
def owner(empty: Venue) -> Trader:
    return with_funds(Trader(empty))


def does(browser: Browser, venue: Venue, scenario: str, *given: object) -> Any:
    return browser.calls(f"{venue.url}/", scenario, *given).value


def legs_of(venue: Venue, order: str) -> list[str]:
    return [leg["triggerPriceUsd"] for leg in venue.ask("GET", f"/sandbox/orders/{order}").ok()["legs"]]


def last_of(venue: Venue, order: str) -> tuple[str, str]:
    entry = venue.ask("GET", f"/sandbox/orders/{order}").ok()["timeline"][-1]
    return entry["event"], entry["reason"]


def test_a_browser_that_has_died_is_followed_by_another(browsers: Browsers, empty: Venue) -> None:
    """Chromium alone, and then its driver with it: the test that it dies in fails, and no other one."""
    with pytest.raises(AssertionError):
        does(browsers.current(), empty, "dies")
    assert does(browsers.current(), empty, "hides", SOL.mint) == 1
    gone = browsers.current()
    gone.process.kill()
    with pytest.raises(AssertionError, match="the browser is gone"):
        does(gone, empty, "hides", SOL.mint)
    empty.resets()
    assert does(browsers.current(), empty, "hides", SOL.mint) == 1


def test_an_empty_venue_teaches(browser: Browser, empty: Venue) -> None:
    assert does(browser, empty, "teaches") == {
        "kinds": ["oco", "otoco", "single", "trailing"],
        "brackets": ["bracket b-oco", "bracket b-otoco"],
        "trails": 1,
        "unarmed": 2,
    }
    assert empty.audit()["ok"]


def test_a_line_is_dragged_to_amend(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = owner.places(oco(sell=1 * SOL, take_profit=165, stop_loss=140))
    dragged = does(browser, empty, "drags", order, 0)
    assert dragged["before"] == 165
    assert legs_of(empty, order) == [str(dragged["shown"]).removesuffix(".0"), "140"]
    assert last_of(empty, order) == ("order_amended", "the operator asked for it")


def test_a_line_that_is_let_go_of_goes_back(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = owner.places(SELL)
    assert does(browser, empty, "escapes", order) == 2
    assert legs_of(empty, order) == ["160"]


def test_a_line_is_moved_beyond_the_edge_of_the_chart(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = owner.places(SELL)
    by_keys, by_pointer = does(browser, empty, "leavesTheChart", order)
    assert by_keys == 172
    assert legs_of(empty, order) == [str(by_pointer).removesuffix(".0")]


def test_what_is_closed_gives_the_focus_back(browser: Browser, empty: Venue, owner: Trader) -> None:
    assert does(browser, empty, "givesFocusBack", owner.places(SELL)) == []


def test_what_is_chosen_before_the_answer_is_kept(browser: Browser, empty: Venue) -> None:
    assert does(browser, empty, "choosesAhead", JUP.mint) == [True] * 3


def test_by_keyboard_alone(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = owner.places(SELL)
    done = does(browser, empty, "keys", order)
    assert done["amended"] == pytest.approx(160.3)
    assert last_of(empty, order) == ("cancel_requested", "the operator asked for it")


def test_a_line_is_cancelled_by_its_button(browser: Browser, empty: Venue, owner: Trader) -> None:
    assert does(browser, empty, "cancelsByPointer", owner.places(SELL)) == "the operator asked for it"


def test_an_order_is_followed_from_why_not_to_its_fill(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = owner.places(SELL)
    shown = does(browser, empty, "shows", order, SOL.mint)
    assert shown["why"].endswith("triggers at ≥ 160.00; SOL is 150.00, 6.67 % away")
    assert 'w.trigger.place("SOL", 1, "USDC", above="155")' in shown["copied"]
    compile(shown["copied"], "copied", "exec")
    assert shown["curl"].startswith(f"curl -X POST '{empty.url}/trigger/v2/orders/price")


def test_each_control(browser: Browser, empty: Venue) -> None:
    wallet = str(Keypair().pubkey())
    done = does(browser, empty, "controls", SOL.mint, wallet)
    assert done["states"] == ["armed", "1 of 2", "spent"]
    assert done["liquidity"] == {"maxInput": "500000000", "impactBps": 25}
    assert done["lamports"] == 2_500_000_000
    empty.deepens_pools()


def test_prices_play(browser: Browser, empty: Venue) -> None:
    played = does(browser, empty, "plays", SOL.mint)
    assert played["points"][-3:] == ["150", "151", "152.5"]
    assert [walk["walk"] for walk in played["walks"]] == [{"seed": 7, "bps": 10, "everyMs": 20}]


def test_a_price_that_comes_before_the_history_does_not_hide_it(browser: Browser, empty: Venue) -> None:
    assert does(browser, empty, "overtakes", SOL.mint) >= 20


def test_trades_of_one_instant_are_on_the_chart(browser: Browser, empty: Venue) -> None:
    """While the clock was frozen, the chart of a market stood still after the first trades."""
    assert does(browser, empty, "tradesAtOnce") > 0


def test_a_stop_stays_on_the_chart_beside_a_market_maker(browser: Browser, empty: Venue) -> None:
    """It is pending, and was listed among the newest hundred orders alone: a market maker has those in ten seconds."""
    member = Member(empty).joins().has(usdc="1000")
    order = member.places("buy", "0.01", "125", ord_type="stop_limit", stop_price="124")
    lines, offered, counted = does(browser, empty, "staysListed", order)
    assert lines == 1
    assert offered.startswith("None of these. Show all 1 "), "a quote is none of all"
    assert counted.endswith("+")


def test_orders_of_the_chain_and_of_books_are_on_the_chart(browser: Browser, empty: Venue, owner: Trader) -> None:
    looked = does(browser, empty, "onlyLooks", placed_elsewhere(empty, owner))
    assert looked["at"] == "160.00"
    assert "asks for 160 USDC, and is worth 150 now, 6.25 % less; no keeper runs here" in looked["why"]
    assert looked["offered"] == ["Copy as pytest", "Copy as curl"]
    assert looked["name"] == "bid 0.01 24,000.00"


def test_an_order_that_expired_on_the_chain_waits_for_no_price(browser: Browser, empty: Venue, owner: Trader) -> None:
    params = {"expiredAt": str(empty.now() // 1000 + 60)}
    order = LimitTrader(empty, owner).places(1 * SOL, USDC, take=160_000_000, params=params)
    expired = "it expired: a keeper gives back what is left, or its owner cancels it; no keeper runs here"
    assert expired in does(browser, empty, "expires", order)


def test_what_is_copied_as_a_test_passes(browser: Browser, empty: Venue, owner: Trader, tmp_path: Path) -> None:
    """Of each kind of order; those that were cancelled, too, and one of a token that was added."""
    asked = {"symbol": "RACE", "decimals": 6, "price": "100"}
    race = Token("RACE", empty.ask("POST", "/sandbox/tokens", asked).ok()["tokens"][-1]["mint"], 6)
    empty.gives(owner.wallet, 1 * race)
    orders = [
        owner.places(order)
        for order in (
            SELL,
            single(sell=200 * USDC, buy=SOL, below=140),
            oco(sell=1 * SOL, take_profit=165, stop_loss=140),
            otoco(sell=200 * USDC, buy=SOL, below=145, take_profit=161, stop_loss=138.5),
            trailing(sell=1 * SOL, bps=300),
            single(sell=1 * race, above=101),
        )
    ]
    orders.append(cancelled := owner.places(single(sell=0.5 * SOL, above=170)))
    owner.withdraws(cancelled, owner.cancels(cancelled))
    orders.append(owner.places(otoco(sell=20 * USDC, buy=SOL, below=140, take_profit=170, stop_loss=145)))
    plan = dca(sell=90 * USDC, rounds=6, every_s=60)
    conditional = plan.but({"orderType": "price_conditional", "triggerMint": JUP.mint, "minPriceUsd": 3})
    costs: dict[str, object] = {"symbol": "DEAR", "decimals": 0, "price": "123456789"}
    dear = Token("DEAR", empty.ask("POST", "/sandbox/tokens", costs).ok()["tokens"][-1]["mint"], 0)
    buys_nothing = dca(sell=90 * USDC, buy=dear, rounds=6, every_s=60)
    orders += [DcaTrader(owner).places(each) for each in (plan, conditional, buys_nothing)]
    texts = does(browser, empty, "copies", [*orders, *placed_elsewhere(empty, owner).values()])
    assert 'w.trigger.place("SOL", 1, "USDC", above="160")' in texts[0]
    passes(tmp_path, texts)


def test_what_is_copied_brings_about_what_became_of_it(
    browser: Browser, empty: Venue, owner: Trader, tmp_path: Path
) -> None:
    """Whatever names tokens have, and whatever prices have become."""
    orders: dict[str, object] = {}
    for symbol in ("class", "1INCH", '"q" uo\'te', "émoji 🚀", "guard", "mSOL", "MSOL"):
        asked = {"symbol": symbol, "decimals": 0, "price": "3"}
        token = Token(symbol, empty.ask("POST", "/sandbox/tokens", asked).ok()["tokens"][-1]["mint"], 0)
        empty.gives(owner.wallet, 20 * token)
        orders[symbol] = owner.places(single(sell=20 * token, above=3.5))
    orders["small"] = owner.places(single(sell=0.1 * SOL, below=20))
    orders["by the other"] = owner.places(single(sell=1 * SOL, buy=JUP, below=0.4, trigger=JUP))
    orders["cheap now"] = owner.places(single(sell=40 * JUP, above=170, trigger=SOL))
    orders["stopped"] = owner.places(oco(sell=1 * SOL, take_profit=190, stop_loss=140))
    orders["bought and sold"] = owner.places(otoco(sell=200 * USDC, buy=SOL, below=145, take_profit=161, stop_loss=135))
    orders["limit"] = LimitTrader(empty, owner).places(20 * JUP, USDC, take=12_000_000)
    empty.price(SOL, "144")
    empty.settles()
    empty.price(SOL, "139")
    empty.settles()
    empty.price(SOL, "162")
    empty.settles()
    member = Member(empty).joins().has(usdc="5000", btc="1")
    member.places("sell", "0.01", "24000")
    taker = Member(empty).joins().has(usdc="5000")
    orders["taken"] = taker.places("buy", "0.01", ord_type="market")
    orders["expires"] = owner.places(single(sell=0.2 * SOL, above=400, lives_ms=60_000))
    empty.advances(61)
    empty.settles()
    empty.price(JUP, "0.05")
    texts = does(browser, empty, "copies", list(orders.values()))
    for name, became in {
        "stopped": '"filled"',
        "bought and sold": '"filled"',
        "expires": '"expired"',
        "taken": '"done"',
    }.items():
        assert became in texts[list(orders).index(name)].splitlines()[-2]
    assert 'countermand.price("SOL", "140")' in texts[list(orders).index("stopped")]
    passes(tmp_path, texts)


def test_what_is_copied_of_a_token_with_another_s_symbol_passes(
    browser: Browser, empty: Venue, owner: Trader, tmp_path: Path
) -> None:
    orders = [owner.places(SELL)]
    for symbol in ("USDC", "sol"):
        known = {each["mint"] for each in empty.sandbox()["tokens"]}
        added = empty.ask("POST", "/sandbox/tokens", {"symbol": symbol, "decimals": 2, "price": "3"}).ok()["tokens"]
        token = Token(symbol, next(each["mint"] for each in added if each["mint"] not in known), 2)
        empty.gives(owner.wallet, 60 * token)
        orders += [
            owner.places(single(sell=20 * token, above=3.5)),
            LimitTrader(empty, owner).places(20 * token, JUP, 200 * 10**6),
            LimitTrader(empty, owner).places(20 * token, JUP, 1_000),
        ]
    passes(tmp_path, does(browser, empty, "copies", orders))


def test_an_order_that_is_closed_on_the_chain_is_remembered(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = LimitTrader(empty, owner).places(1 * SOL, USDC, take=160_000_000)
    assert does(browser, empty, "closes", order) == ["1", ["Copy as curl"]]


def passes(tmp_path: Path, texts: list[str]) -> None:
    done = pytest_in(tmp_path, "\n\n".join(texts))
    assert done.returncode == 0, done.stdout
    assert f"{len(texts)} passed" in done.stdout


def placed_elsewhere(venue: Venue, owner: Trader) -> dict[str, object]:
    """An order of each family that is not in a vault."""
    saver = Saver(venue, owner.key)
    member = Member(venue).joins().has(usdc="1000")
    venue.gives(owner.wallet, 500 * USDC)
    return {
        "limit": LimitTrader(venue, owner).places(1 * SOL, USDC, take=160_000_000),
        "recurring": saver.opens(200 * USDC, SOL)[0],
        "book": member.places("buy", "0.01", "24000"),
    }


def test_a_venue_shows_itself_to_its_operator(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = Keypair()
    funds = tmp_path / "funds.json"
    funds.write_text(json.dumps({"SOL": {str(alice.pubkey()): 10 * 10**9}, "USDC": {}}))
    monkeypatch.chdir(ROOT)
    with running_venue(tmp_path, launch=launch(funds)) as venue:
        key = made_key(tmp_path, "admin")
        sets_prices(venue, key, SOL="150", USDC="1").ok()
        trader = Trader(venue, alice).joins()
        order = trader.places(SELL)
        done = browser.calls(f"{venue.url}/", "venue", key, order, SOL.mint)
        assert trader.state_of(order) == "open"
        seen = done.value
    assert seen["found"] == []
    assert seen["refused"].startswith("This API key is unknown or was revoked.")
    assert seen["why"].endswith("triggers at ≥ 160.00; SOL is 150.00, 6.67 % away")
    offered = {"Cancel", "Cancel order", "Amend", "Copy as pytest", "Race a cancel", "Faults", "Clock", "Liquidity"}
    assert not offered & set(seen["buttons"])
    assert seen["fields"] == ["Find an order"]
    assert seen["kept"] == [1, 0]
    asked = {(each["method"], urlsplit(each["url"]).path) for each in done.sent}
    assert {method for method, _ in asked} == {"GET"}
    assert not [path for _, path in asked if path.startswith("/sandbox")]


def test_a_reset_leaves_nothing_of_before(browser: Browser, empty: Venue) -> None:
    mint = does(browser, empty, "outlivesAReset")
    assert mint not in {token["mint"] for token in empty.sandbox()["tokens"]}


def test_what_happens_while_the_page_loads_is_there_once(browser: Browser, empty: Venue) -> None:
    there, shown = does(browser, empty, "hearsWhileItLoads")
    assert shown == there


def test_figures_are_whole(browser: Browser, empty: Venue, owner: Trader) -> None:
    """Of a unit more than a whole one, and of a token with a long name and a short price."""
    long: dict[str, object] = {"symbol": LONG_NAME, "decimals": 6, "price": "98765432.12"}
    token = Token(LONG_NAME, empty.ask("POST", "/sandbox/tokens", long).ok()["tokens"][-1]["mint"], 6)
    owner.places(single(sell=20 * USDC, buy=token, below=93827160.51))
    empty.pool(SOL, most=1_234_567_891)
    exact = owner.places(single(sell=Funds(SOL, 1_000_000_001), above=150.00001))
    shown = does(browser, empty, "figures", exact, token.symbol, SOL.mint)
    assert shown["row"] == ["1.000000001", "≥ 150.00001"]
    assert shown["line"] == "150.00001"
    assert shown["why"].endswith("triggers at ≥ 150.00001; SOL is 150, less than 0.01 % away")
    assert "1.000000001 SOL" in shown["terms"]
    assert shown["price"] == "98765432.12"
    assert shown["most"] == "1.234567891"
    assert shown["liquidity"] == {"maxInput": "1234567891", "impactBps": 7}
    empty.deepens_pools()


def test_what_is_typed_before_the_answer_is_kept(browser: Browser, empty: Venue, owner: Trader) -> None:
    shown, faults = does(browser, empty, "typesAhead", owner.places(oco(sell=1 * SOL, take_profit=165, stop_loss=140)))
    assert shown == ["171", "152", "154", "8", "2"]
    assert {name: faults[name] for name in ("failSwaps", "dropTransactions", "rateLimit")} == {
        "failSwaps": 2,
        "dropTransactions": 3,
        "rateLimit": 4,
    }
    assert faults["strict"] == ["forgottenCrafts", "laggingHistory"]


def test_an_answer_that_comes_late_undoes_nothing(browser: Browser, empty: Venue, owner: Trader) -> None:
    shown = does(browser, empty, "answersCross", owner.places(SELL), owner.places(SELL), SOL.mint)
    assert shown.pop("request").endswith("/deposit/craft")
    assert shown == {
        "price": "155.00",
        "nudged": pytest.approx(158.12, abs=0.02),
        "faults": 1,
        "unknown": 0,
        "most": "3",
        "focus": ["drawer-title", 0],
        "moved": pytest.approx(160.3),
        "order": ["pending withdraw", "pending withdraw"],
        "rows": 0,
    }


def test_a_fill_is_marked_though_its_order_becomes_known_after_it(
    browser: Browser, empty: Venue, owner: Trader
) -> None:
    assert does(browser, empty, "marksLater", owner.places(SELL), SOL.mint) is False


def test_what_happens_while_the_page_loads_is_shown_after_it(browser: Browser, empty: Venue, owner: Trader) -> None:
    early, rows, state = does(browser, empty, "loadsSlowly", owner.places(SELL))
    assert (early, rows) == (0, 1), "a quote is not among the orders"
    assert state == "pending withdraw"


def test_a_cancelled_order_is_not_shown_as_sold(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = owner.places(SELL)
    owner.withdraws(order, owner.cancels(order))
    assert "1 SOL" in does(browser, empty, "termsOf", order)


def test_a_tenth_is_ten_percent(browser: Browser, empty: Venue, owner: Trader) -> None:
    """In binary fractions it is a little less."""
    order = DcaTrader(owner).places(dca(sell=1_000 * USDC, rounds=10))
    empty.settles()
    assert "1,000 USDC · 10 % done" in does(browser, empty, "termsOf", order)


def test_an_order_whose_deposit_is_under_way_is_not_shown_as_sold(
    browser: Browser, empty: Venue, owner: Trader
) -> None:
    body = owner.body_for(SELL, owner.crafts(SELL))
    empty.faults(dropTransactions=1_000)
    assert owner.creates(body).status == 500
    (shown,) = empty.ask("GET", "/sandbox/orders").ok()["orders"]
    assert "1 SOL" in does(browser, empty, "termsOf", shown["id"])


def test_on_a_phone_all_controls_and_an_order_that_is_tapped_are_in_sight(
    browser: Browser, empty: Venue, owner: Trader
) -> None:
    looked = does(browser, empty, "showsBelow", owner.places(SELL))
    assert looked["controls"] == []
    assert looked["listed"] == ["single", "SOL › USDC", "1", "≥ 160.00", "open"]
    assert looked["cut"] == []
    assert looked["before"] > 100
    assert 0 < looked["shown"] < 300
    assert looked["after"] == looked["before"]


def test_words_of_two_lines_lie_over_nothing(browser: Browser, empty: Venue, owner: Trader) -> None:
    long: dict[str, object] = {"symbol": "W" * 32, "decimals": 6, "price": "98765432.12"}
    token = Token("W" * 32, empty.ask("POST", "/sandbox/tokens", long).ok()["tokens"][-1]["mint"], 6)
    owner.places(single(sell=20 * USDC, buy=token, below=93827160))
    looked = does(browser, empty, "overlaps")
    assert looked["lines"] > 20
    assert looked["over"] == 0


def test_the_list_says_how_much_of_what_it_has(browser: Browser, empty: Venue, owner: Trader) -> None:
    owner.places(SELL)
    withdrawing = owner.places(SELL)
    owner.cancels(withdrawing)
    cancelled = owner.places(SELL)
    owner.withdraws(cancelled, owner.cancels(cancelled))
    none = "None of these. Show all 3 Ask the venue for it"
    assert does(browser, empty, "counts", withdrawing) == ["2", 2, none, 3, ""]


def test_quotes_are_counted_where_they_are_listed(browser: Browser, empty: Venue) -> None:
    without, counted, rows, price = does(browser, empty, "countsQuotes")
    assert without == ["0", "0"]
    assert counted == ["10", "10"]
    assert rows == 10
    assert re.fullmatch(r"\d\d,\d{3}\.\d\d", price)


def test_an_order_that_cannot_be_shown_says_why(browser: Browser, empty: Venue, owner: Trader) -> None:
    loads, gone = does(browser, empty, "showsAgain", owner.places(SELL))
    assert loads == "Not shown: the venue loads its orders"
    assert gone == "Not shown: there is no such order any more"


def test_a_page_that_is_hidden_holds_no_connection(browser: Browser, empty: Venue) -> None:
    assert does(browser, empty, "hides", SOL.mint) == 1


def test_a_line_that_is_cut_without_a_word_is_seen(browser: Browser, empty: Venue) -> None:
    assert does(browser, empty, "seesACutLine") == 1


def test_a_page_that_is_refused_says_why(browser: Browser, empty: Venue) -> None:
    said = does(browser, empty, "isRefused")
    assert said.startswith("The venue does not show itself to this page: this request came through a proxy")
    assert "--trust-proxy" in said


def test_every_api_is_shown(browser: Browser, empty: Venue) -> None:
    shown = browser.calls(f"{empty.url}/docs", "showsApis").value
    assert len(shown) > 5
    assert set(shown.values()) == {0}


def test_the_apis_are_tried_out_from_their_page(browser: Browser, empty: Venue) -> None:
    """The examples as they are, one after the other: what one answers, the next takes."""
    v2 = "/trigger/v2"
    operations = [
        ("trigger-v2", "get", f"{v2}/vault"),
        ("trigger-v2", "post", f"{v2}/deposit/craft"),
        ("trigger-v2", "post", f"{v2}/orders/price"),
        ("sandbox", "get", "/sandbox/orders/{order_id}"),
        ("trigger-v2", "post", f"{v2}/orders/price/cancel/{{order_id}}"),
        ("trigger-v2", "post", f"{v2}/orders/price/confirm-cancel/{{order_id}}"),
        ("trigger-v2", "post", f"{v2}/deposit/craft", "a recurring order"),
        ("trigger-v2", "post", f"{v2}/orders/dca"),
        ("trigger-v2", "get", f"{v2}/orders/history/dca/{{order_id}}"),
        ("trigger-v1", "post", "/trigger/v1/createOrder"),
        ("trigger-v1", "post", "/trigger/v1/execute"),
    ]
    done = browser.calls(f"{empty.url}/docs", "triesOut", operations)
    assert (done.value["refused"], done.value["unknown"]) == ("401", "$TOKEN is not known yet.")
    assert done.value["statuses"] == ["200"] * len(operations)
    assert {request["url"].startswith((f"{empty.url}/", "data:", "blob:")) for request in done.sent} == {True}
    assert empty.audit()["ok"]


def test_the_page_of_the_apis_minds_no_late_answer(browser: Browser, empty: Venue) -> None:
    opened, kept, snapshot = browser.calls(f"{empty.url}/docs", "docsCross").value
    assert opened == 1, "the API that is shown already is not drawn anew"
    assert kept == 1, "the API that was chosen last is shown"
    assert snapshot in {each["name"] for each in empty.ask("GET", "/sandbox/snapshots").ok()["snapshots"]}
    empty.ask("DELETE", f"/sandbox/snapshots/{snapshot}").ok()


def test_a_race_is_judged_as_the_journal_has_it(browser: Browser, empty: Venue) -> None:
    for race in does(browser, empty, "races", 2):
        events = {entry["event"]: entry["seq"] for entry in race["order"]["timeline"]}
        if "fill_landed" in events:
            assert "The fill won" in race["verdict"]
            assert "cancel_requested" not in events
        else:
            assert "The cancel won" in race["verdict"]
            assert str(events["cancel_requested"]) in race["verdict"]
            assert race["order"]["state"] == "cancelled"
        won = "fill" if "fill_landed" in events else "withdrawal"
        landed = r"slot \d+ deposit landed \S+\s+slot \d+ " + won + r" landed"
        assert re.search(landed, race["verdict"])
        assert "Proved: one deposit, one " + won in race["verdict"]
        assert "empty, and closed" in race["verdict"]
    assert empty.audit()["ok"]


def test_a_race_whose_fill_fails_is_won_by_the_cancel(browser: Browser, empty: Venue) -> None:
    verdict = does(browser, empty, "racesAFailure")
    assert re.search(r"committed at sequence \d+ failed at \d+, and the cancel came at \d+", verdict)
    assert "Proved: one deposit, one withdrawal of all of it, and no fill." in verdict
    empty.faults()


def test_a_race_whose_fill_is_made_again_before_the_next_cancel_is_won_by_it(browser: Browser, empty: Venue) -> None:
    race = does(browser, empty, "racesARetry")
    last = [entry["seq"] for entry in race["timeline"] if entry["event"] == "fill_started"][-1]
    assert (
        f"The fill won: its transaction was committed at sequence {last}, and the cancel came after it."
        in (race["verdict"])
    )
    assert "Proved: one deposit, one fill, and no withdrawal." in race["verdict"]
    empty.faults()


def test_a_thousand_orders_are_a_few_rows(browser: Browser, empty: Venue, owner: Trader) -> None:
    """Two hundred, for the sake of time: what is in the page does not grow with them."""
    empty.gives(owner.wallet, 300 * SOL)
    for number in range(200):
        owner.places(single(sell=1 * SOL, above=155 + number / 10))
    seen = does(browser, empty, "scrolls")
    assert seen["total"] == "200"
    assert max(seen["counts"]) < 60
    assert seen["handles"] <= 36


def test_it_keeps_up_with_a_price_that_moves(browser: Browser, empty: Venue, owner: Trader) -> None:
    for dollars in (160, 170, 180):
        owner.places(single(sell=1 * SOL, above=dollars))
    did = does(browser, empty, "keepsUp", SOL.mint)
    assert did["made"] < 50
    assert 0 < did["shown"] <= did["frames"] + 1


def test_more_orders_than_are_shown_are_not_denied(browser: Browser, empty: Venue, owner: Trader) -> None:
    owner.places(SELL)
    assert does(browser, empty, "hasMore") == ["2000+", "2000+"]


def test_an_order_that_is_not_listed_is_asked_for(browser: Browser, empty: Venue, owner: Trader) -> None:
    order = owner.places(SELL)
    stranger = str(Keypair().pubkey())
    seen = does(browser, empty, "seeks", order, owner.wallet, stranger)
    assert seen == [[1, "open", 1], [1, "open", 0], [1]]


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1400), ("light", 400)])
def test_every_screen_is_accessible(browser: Browser, empty: Venue, owner: Trader, scheme: str, width: int) -> None:
    """axe-core finds no violation on the first screen, with an order, with each drawer and with a request open."""
    owner.places(oco(sell=1 * SOL, take_profit=165, stop_loss=140))
    placed_elsewhere(empty, owner)
    order = owner.places(SELL)
    assert does(browser, empty, "axe", order, scheme, width) == []


def test_the_page_lets_nothing_in(empty: Venue) -> None:
    for path in ("/", "/console/console.js", "/console/console.css", "/console/NOTICE.txt"):
        answer = empty.ask("GET", path)
        assert answer.status == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        again = empty.ask("GET", path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status, again.raw) == (304, b"")
    assert empty.ask("GET", "/console/../settings.py").status == 404
    assert b"TradingView Lightweight Charts" in empty.ask("GET", "/console/NOTICE.txt").raw


def test_it_comes_back_after_the_venue_was_killed(browser: Browser, tmp_path: Path) -> None:
    with running_venue(tmp_path) as first:
        with_funds(Trader(first)).places(SELL)
        command = [*LAUNCH, "--port", str(first.port), "--data", str(tmp_path / "data")]
        try:
            done = does(browser, first, "reconnects", first.process.pid, command)
        finally:
            first.hang_up()
            first.process.wait(10)
        try:
            assert (done["before"], done["after"]) == (1, 1)
        finally:
            os.kill(done["pid"], signal.SIGTERM)
            _wait_for_end(done["pid"])
        first.stop = lambda: None  # type: ignore[method-assign]  # It is gone already.


def _wait_for_end(pid: int) -> None:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.1)
