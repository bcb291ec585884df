"""Two bots that know only what Jupiter publishes, in Python and in JavaScript, run by the test kit."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermand.testkit.venue import Countermand
from tests.clients.node import PACKAGES, node_binary, npm_command
from tests.clients.stranger.bot import SOL as WSOL
from tests.clients.stranger.bot import Bot

STRANGER = Path(__file__).with_name("stranger")
SOL = 10**9
DOLLAR = 10**6


@pytest.fixture
def bot(countermand: Countermand) -> Iterator[Bot]:
    wallet = countermand.wallet(sol=20, usdc=500)
    made = Bot(countermand.url, countermand.rpc_url, wallet.keypair)
    yield made
    made.http.close()
    countermand.assert_promise()


def test_a_pair_is_partly_filled_and_cancelled(bot: Bot, countermand: Countermand) -> None:
    bot.sign_in()
    order = bot.place_oco(5 * SOL, take_profit=180, stop_loss=120)
    assert [(each["id"], each["orderState"]) for each in bot.orders("active")] == [(order, "open")]
    countermand.liquidity("SOL", max_input=2, impact_bps=0)
    countermand.faults(land_delay_ms=3_000)  # Until the price has fallen again.
    countermand.price("SOL", 181)
    countermand.price("SOL", 170)
    countermand.settle()
    countermand.faults()
    (row,) = bot.orders("active")
    assert 0 < row["fillPercent"] < 1, row
    left = int(row["remainingInputAmount"])
    assert left == 3 * SOL
    before = bot.ask_node("getBalance", bot.address)["value"]
    bot.withdraw(order)
    back = bot.ask_node("getBalance", bot.address)["value"] - before
    assert left - SOL // 1000 < back < left + SOL // 100  # Less a fee, and with the rent of its accounts.
    (row,) = bot.orders("past")
    assert (row["orderState"], row["rawState"]) == ("cancelled", "cancelled")
    assert [each["type"] for each in row["events"]] == ["withdrawal", "cancelled", "fill", "deposit"]


def test_a_limit_order_is_filled_by_the_keeper(bot: Bot, countermand: Countermand) -> None:
    order = bot.place_limit(1 * SOL, 160 * DOLLAR)
    assert [each["orderKey"] for each in bot.limits("active")] == [order]
    countermand.price("SOL", 165)
    countermand.settle()
    assert bot.limits("active") == []
    (row,) = bot.limits("history")
    assert (row["orderKey"], row["status"], row["rawRemainingMakingAmount"]) == (order, "Completed", "0")
    assert [each["action"] for each in row["trades"]] == ["Fill"]
    assert bot.usdc() >= (500 + 159) * DOLLAR


def test_a_dca_runs_its_cycles(bot: Bot, countermand: Countermand) -> None:
    order = bot.place_dca(200 * DOLLAR, cycles=2, every_s=86_400)
    countermand.settle()
    (row,) = bot.recurring("active")
    assert (row["orderKey"], row["rawInUsed"]) == (order, str(100 * DOLLAR))
    countermand.advance(seconds=86_400 + 60)
    countermand.settle()
    assert bot.recurring("active") == []
    (row,) = bot.recurring("history")
    assert (row["rawInUsed"], row["userClosed"], len(row["trades"])) == (str(200 * DOLLAR), False, 2)


def test_a_swap_gives_what_was_quoted(bot: Bot) -> None:
    price = bot.get("/price/v3", ids=WSOL)
    assert [each["usdPrice"] for each in price.values()] == [150]
    least = bot.swap(1 * SOL)
    assert bot.usdc() - 500 * DOLLAR >= least > 148 * DOLLAR


def test_a_bot_in_javascript_by_npm_test(tmp_path: Path) -> None:
    """As the how-to says: `countermand exec -- npm test`."""
    for name in ("bot.mjs", "bot.test.mjs"):
        shutil.copy(STRANGER / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    test = f"{node_binary()} --test --test-concurrency=1"
    (tmp_path / "package.json").write_text(json.dumps({"private": True, "type": "module", "scripts": {"test": test}}))
    npm = npm_command()
    assert npm is not None, "`make test` installs it"
    done = subprocess.run(
        [sys.executable, "-m", "countermand", "exec", "--", *npm, "test"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    assert "pass 4" in done.stdout
