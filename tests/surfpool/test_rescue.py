"""`countermand rescue` against a node of another make."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from solders.keypair import Keypair

from countermand.settings import StartRefused
from tests.end_to_end.limiting_node import LimitingNode, limiting_node
from tests.end_to_end.rescued import Once, Owner, key_file, noted_in, started
from tests.end_to_end.trader import signed
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, associated
from tests.surfpool.surfnet import BLOCKHASH_BLOCKS, Ledger, Surfnet, running_surfnet


@pytest.fixture(scope="module")
def surfnet() -> Iterator[Surfnet]:
    with running_surfnet() as surfnet:
        yield surfnet


@pytest.fixture
def owner(
    surfnet: Surfnet, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Owner:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    owner = Owner(cast(Venue, Ledger(surfnet)), tmp_path, capsys, node=surfnet.url)
    owner.trader.has(10 * SOL, 1_000 * USDC)
    return owner


@pytest.fixture
def node(owner: Owner) -> Iterator[LimitingNode]:
    with limiting_node(owner.node) as node:
        owner.node = node.url
        yield node


def test_orders_of_both_programs_come_back(owner: Owner) -> None:
    orders = [owner.sells((number + 1) * USDC, JUP) for number in range(6)]
    orders += [owner.sells(1 * SOL, USDC), owner.saves(2 * SOL, USDC), owner.saves(104 * USDC, JUP)]
    owner.venue.gives(orders[-1], 7 * JUP)
    plan = owner.runs(print_=True)
    assert [len(each["orders"]) for each in plan.report["transactions"]] == [5, 2, 1, 1]
    assert plan.verdicts == ["ok"] * 9
    before = owner.venue.lamports(owner.wallet)
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"] * 9)
    assert not any(map(owner.is_open, orders))
    assert owner.trader.holds(USDC) == 1_000 * 10**6
    assert owner.trader.holds(JUP) == 7 * 10**6
    assert not owner.venue.exists(str(associated(owner.wallet, SOL)))
    rents = sum(int(each["rentLamports"]) for each in run.report["orders"])
    fees = int(run.report["total"]["feeLamports"])
    assert owner.venue.lamports(owner.wallet) == before + 3 * 10**9 + rents - fees
    assert owner.rescues().report["ended"] == []


def test_a_missing_account_is_made_and_another_wallet_pays(owner: Owner) -> None:
    order, payer = owner.sells(1_000 * USDC, JUP), Keypair()
    owner.venue.gives(str(payer.pubkey()), 1 * SOL)
    owner.trader.closes_account_of(USDC)
    owner.spends_all_lamports()
    with pytest.raises(StartRefused, match="holds 0 SOL"):
        owner.rescues()
    assert owner.rescues(payer=key_file(owner.folder / "payer.json", payer)).ends == ["rescued"]
    assert owner.trader.holds(USDC) == 1_000 * 10**6
    assert not owner.is_open(order)


def test_a_batch_that_loses_to_a_cancel_is_made_again_without_it(owner: Owner, node: LimitingNode) -> None:
    orders = [owner.sells(10 * USDC, JUP) for _ in range(3)]
    node.before = Once("sendTransaction", lambda: owner.cancels(orders[1], USDC))
    run = owner.rescues()
    assert (run.status, sorted(run.ends)) == (0, ["gone", "rescued", "rescued"])
    assert owner.trader.holds(USDC) == 1_000 * 10**6


def test_a_blockhash_that_dies_is_replaced_by_a_fresh_one(owner: Owner, node: LimitingNode, surfnet: Surfnet) -> None:
    order = owner.sells(10 * USDC, JUP)
    node.loses = 1
    node.before = Once("getSignatureStatuses", lambda: surfnet.passes(BLOCKHASH_BLOCKS))
    assert owner.rescues().ends == ["rescued"]
    assert not owner.is_open(order)


def test_a_run_that_is_killed_in_the_middle_is_taken_up_by_the_next(owner: Owner, node: LimitingNode) -> None:
    orders = [owner.sells(10 * USDC, JUP) for _ in range(6)]
    process = started(owner)
    node.before = Once("getSignatureStatuses", process.kill)
    assert process.wait(30) == -signal.SIGKILL
    node.before = None
    noted = noted_in(owner.note)
    assert noted
    run = owner.rescues()
    assert (run.status, set(run.ends)) == (0, {"rescued"})
    assert noted <= {each["signature"] for each in run.report["ended"]}
    assert not any(map(owner.is_open, orders))
    assert owner.trader.holds(USDC) == 1_000 * 10**6


def test_what_is_printed_lands_when_the_wallet_has_signed_it(owner: Owner) -> None:
    order = owner.saves(104 * USDC, JUP)
    (printed,) = owner.runs(print_=True).report["transactions"]
    owner.venue.rpc("sendTransaction", signed(printed["transaction"], owner.key), {"encoding": "base64"})
    assert not owner.is_open(order)
    assert json.loads(owner.runs().printed)["orders"] == []
